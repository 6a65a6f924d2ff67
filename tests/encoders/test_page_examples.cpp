// The examples of docs/components/encoders/, word for word (gate.links_in_docs compares them).

#include <equipoise/encoders/exported.hpp>
#include <equipoise/encoders/pretrained.hpp>
#include <equipoise/encoders/scripted.hpp>
#include <equipoise/equipoise.hpp>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "support/catch.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

auto records(std::int64_t n) {
  torch::manual_seed(3);
  return eq::batch(eq::input<"metrics">(torch::randn({n, 41})), eq::input<"dose">(torch::randn({n, 1, 16, 16})));
}

/// Relative names are in another folder, until the scope ends.
class WorkingFolder {
 public:
  explicit WorkingFolder(const std::filesystem::path& folder) { std::filesystem::current_path(folder); }
  ~WorkingFolder() {
    std::error_code none;  // a destructor throws nothing
    std::filesystem::current_path(before_, none);
  }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;

 private:
  std::filesystem::path before_ = std::filesystem::current_path();
};

}  // namespace

TEST_CASE("the example of Mlp's page gives a feature of the last width", "[encoders][docs]") {
  const auto test = records(5);
  auto model = eq::compose(eq::modality<"metrics">(eq::Mlp{.in_features = 41, .widths = {64, 64}, .dropout = 0.1}),
                           eq::modality<"dose">(eq::Cnn{.widths = {8, 16}}),
                           eq::task<"rate">(eq::Concat{.width = 64}, eq::Regression{.outputs = 3}));
  at::Tensor feature = model->encoder("metrics"_n).forward(torch::randn({8, 41}));  // [8, 64]
  at::Tensor rates = model->predict(test)["rate"_n];                                // [B, 3]
  CHECK(feature.sizes() == at::IntArrayRef{8, 64});
  CHECK(rates.sizes() == at::IntArrayRef{5, 3});
}

TEST_CASE("the example of Cnn's page gives a map of an eighth of the image's size", "[encoders][docs]") {
  const auto test = records(5);
  auto model = eq::compose(eq::modality<"dose">(eq::Cnn{.in_channels = 1, .widths = {8, 16, 32}}),
                           eq::modality<"metrics">(eq::Mlp{.in_features = 41, .widths = {64}}),
                           eq::task<"rate">(eq::Concat{.width = 64}, eq::Regression{.outputs = 3}));
  eq::MapFeature feature = model->encoder("dose"_n).forward(torch::randn({8, 1, 64, 64}));
  at::Tensor deepest = feature.map;                   // [8, 32, 8, 8]
  at::Tensor rates = model->predict(test)["rate"_n];  // [B, 3]
  CHECK(deepest.sizes() == at::IntArrayRef{8, 32, 8, 8});
  CHECK(feature.skips.size() == 3);
  CHECK(rates.sizes() == at::IntArrayRef{5, 3});
}

TEST_CASE("the example of Sequence's page gives a token for each step", "[encoders][docs]") {
  auto encoder = eq::Sequence{.in_features = 3, .width = 8, .bidirectional = true}.build();
  const auto padding = torch::tensor({{false, false, false}, {false, true, true}});
  eq::TokenFeature feature = encoder->forward(torch::randn({2, 3, 3}), padding);
  at::Tensor tokens = feature.tokens;  // [2, 3, 8]
  CHECK(tokens.sizes() == at::IntArrayRef{2, 3, 8});
}

TEST_CASE("the example of FtTransformer's page gives a vector for each record", "[encoders][docs]") {
  auto encoder = eq::FtTransformer{.numbers = 2, .categories = {3}, .width = 16}.build();
  const auto table = torch::tensor({{0.5, -1.2, 2.0}, {1.5, 0.3, -1.0}}, torch::kFloat);
  at::Tensor feature = encoder->forward(table);  // [2, 16]; the second category is missing
  CHECK(feature.sizes() == at::IntArrayRef{2, 16});
}

TEST_CASE("the example of Identity's page gives its input", "[encoders][docs]") {
  auto encoder = eq::Identity{.width = 512}.build();
  at::Tensor feature = encoder->forward(torch::randn({8, 512}));  // [8, 512]
  CHECK(feature.sizes() == at::IntArrayRef{8, 512});
}

TEST_CASE("the example of Frozen's page stays in evaluation mode", "[encoders][docs]") {
  auto model = eq::compose(eq::modality<"metrics">(eq::Frozen<eq::Mlp>{{.in_features = 41, .widths = {64}}}),
                           eq::modality<"dose">(eq::Cnn{.widths = {8, 16}}),
                           eq::task<"rate">(eq::Concat{.width = 64}, eq::Regression{.outputs = 3}));
  model->train();
  bool learns = model->encoder("metrics"_n).is_training();  // false
  CHECK_FALSE(learns);
}

TEST_CASE("the example of ResNet's page gives a map of a 32nd of the image's size", "[encoders][docs]") {
  auto encoder = eq::ResNet{.depth = 18, .in_channels = 3, .width = 16}.build();
  eq::MapFeature feature = encoder->forward(torch::randn({2, 3, 64, 64}));
  at::Tensor deepest = feature.map;  // [2, 128, 2, 2]
  CHECK(deepest.sizes() == at::IntArrayRef{2, 128, 2, 2});
}

TEST_CASE("the example of ViT's page gives the class token", "[encoders][docs]") {
  auto encoder = eq::ViT{.image_size = 32, .patch_size = 8, .width = 24, .heads = 3}.build();
  at::Tensor feature = encoder->forward(torch::randn({2, 3, 32, 32}));  // [2, 24]
  CHECK(feature.sizes() == at::IntArrayRef{2, 24});
}

TEST_CASE("the example of UNetEncoder's page keeps the map of each level", "[encoders][docs]") {
  auto encoder = eq::UNetEncoder{.in_channels = 1, .widths = {8, 16, 32}}.build();
  eq::MapFeature feature = encoder->forward(torch::randn({2, 1, 16, 16}));
  at::Tensor deepest = feature.map;           // [2, 32, 4, 4]
  at::Tensor finest = feature.skips.front();  // [2, 8, 16, 16]
  CHECK(deepest.sizes() == at::IntArrayRef{2, 32, 4, 4});
  CHECK(finest.sizes() == at::IntArrayRef{2, 8, 16, 16});
}

TEST_CASE("the example of Pretrained's page reads what was written", "[encoders][docs]") {
  const WorkingFolder folder(std::filesystem::temp_directory_path());
  auto first = eq::Mlp{.in_features = 4, .widths = {8}}.build();
  eq::save_weights(*first, "mlp.safetensors");
  auto second = eq::Pretrained<eq::Mlp>{{.in_features = 4, .widths = {8}}, "mlp.safetensors"}.build();

  eq::WeightReport report;
  auto deeper = eq::Pretrained<eq::Mlp>{.encoder = {.in_features = 4, .widths = {8, 8}},
                                        .path = "mlp.safetensors",
                                        .strict = false,
                                        .report = &report}
                    .build();
  std::string text = report.text();
  // 4 tensors fit; 4 missing: layers.2.weight, layers.2.bias, layers.3.weight, layers.3.bias
  CHECK(torch::equal(first->parameters().front(), second->parameters().front()));
  CHECK(torch::equal(first->parameters().front(), deeper->parameters().front()));
  CHECK(text == "4 tensors fit; 4 missing: layers.2.weight, layers.2.bias, layers.3.weight, layers.3.bias");
  std::filesystem::remove("mlp.safetensors");
}

TEST_CASE("the example of Scripted's page runs a file that C++ or Python saved", "[encoders][docs]") {
  const WorkingFolder folder(std::filesystem::temp_directory_path());
  torch::jit::Module script("script");
  script.register_parameter("weight", torch::randn({4, 6}), /*is_buffer=*/false);
  script.define("def forward(self, x):\n  return torch.matmul(x, self.weight)\n");
  script.save("encoder.pt");
  auto encoder = eq::Scripted{.path = "encoder.pt", .width = 6}.build();
  at::Tensor feature = encoder->forward(torch::randn({2, 4}));  // [2, 6]
  CHECK(feature.sizes() == at::IntArrayRef{2, 6});
  std::filesystem::remove("encoder.pt");
}

TEST_CASE("the example of Exported's page runs a package", "[encoders][docs]") {
  const char* const folder = std::getenv("EQUIPOISE_PACKAGES");
  if (folder == nullptr) {
    std::cerr << "skipped: EQUIPOISE_PACKAGES names no folder that tests/encoders/make_package.py filled\n";
    return;
  }
  const std::string package = std::string(folder) + "/encoder.pt2";
  auto encoder = eq::Exported{.path = package, .input = {4}, .width = 6}.build();
  at::Tensor feature = encoder->forward(torch::randn({2, 4}));  // [2, 6]
  CHECK(feature.sizes() == at::IntArrayRef{2, 6});
}
