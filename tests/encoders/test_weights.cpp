// Weights in safetensors files, and the encoders that load them: what Python writes and says.

#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/all.hpp>
#include <equipoise/encoders/pretrained.hpp>
#include <equipoise/fusion/spatial_cascade.hpp>
#include <equipoise/fusion/sum.hpp>
#include <equipoise/tasks/dense_regression.hpp>
#include <equipoise/tasks/regression.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "support/by_formula.hpp"
#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/encoder_reference.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using Catch::Contains;
using support::difference;

namespace {

std::filesystem::path source(const std::string& name) {
  const char* root = std::getenv("EQUIPOISE_SOURCE");
  return std::filesystem::path(root ? root : ".") / "tests/encoders" / name;
}

/// A file that is removed at the end.
struct Temporary {
  std::filesystem::path path;
  explicit Temporary(const std::string& name) : path(std::filesystem::temp_directory_path() / ("equipoise_" + name)) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() { std::filesystem::remove(path); }
};

at::Tensor photo() {
  return support::input_of("photo", {1, 3, 64, 64});
}

/// The means of the deepest map, in evaluation.
template <class Module>
at::Tensor means(const std::shared_ptr<Module>& encoder) {
  encoder->eval();
  return eq::Feature(encoder->forward(photo())).vector();
}

std::int64_t parameters_of(std::int64_t depth) {
  std::int64_t count = 0;
  for (const at::Tensor& p : eq::ResNet{.depth = depth}.build()->parameters()) count += p.numel();
  return count;
}

}  // namespace

TEST_CASE("a ResNet has PyTorch's output with the same weights, also through a file", "[encoders][worked]") {
  const Temporary file("resnet18.safetensors");
  {
    const auto written = eq::ResNet{}.build();
    support::fill_by_formula(*written);
    eq::save_weights(*written, file.path);
  }
  const auto read = eq::Pretrained<eq::ResNet>{.encoder = {}, .path = file.path.string()}.build();
  CHECK(difference(means(read), support::kResNet18) < 1e-5);
  const auto deep = eq::ResNet{.depth = 50, .width = 8}.build();
  support::fill_by_formula(*deep);
  CHECK(difference(means(deep), support::kResNet50) < 1e-5);
}

TEST_CASE("a file of Python's library is loaded and gives Python's output", "[encoders][worked]") {
  const std::string path = source("resnet18_narrow.safetensors").string();
  eq::WeightReport report;
  const eq::Pretrained<eq::ResNet> spec{.encoder = {.width = 2}, .path = path, .ignore = {"fc."}, .report = &report};
  CHECK(difference(means(spec.build()), support::kResNet18File) < 1e-5);
  CHECK(report.fits());
  CHECK(report.loaded == 120);
  CHECK(eq::Pretrained<eq::ResNet>::id == "pretrained_resnet");
  CHECK(eq::options(spec) == eq::options(eq::ResNet{.width = 2}));
  // Without `ignore` the classifier is unexpected; a wider network has other shapes.
  const auto strict = eq::ResNet{.width = 2}.build();
  const at::Tensor before = strict->parameters().front().clone();
  CHECK_THROWS_WITH(eq::load_weights(*strict, path), Contains("file.462") && Contains("resnet18_narrow.safetensors") &&
                                                         Contains("120 tensors fit; 2 unexpected: fc.bias, fc.weight"));
  CHECK(torch::equal(strict->parameters().front(), before));
  const auto wider = eq::ResNet{.in_channels = 1, .width = 2}.build();
  const eq::WeightReport partial = eq::load_weights(*wider, path, {.strict = false});
  CHECK(partial.misshapen == std::vector<std::string>{"conv1.weight: expected F32 [2, 1, 7, 7], got F32 [2, 3, 7, 7]"});
  CHECK(partial.loaded == 119);
  CHECK(partial.missing.empty());
  const auto deeper = eq::ResNet{.depth = 34, .width = 2}.build();
  CHECK_THROWS_WITH(eq::load_weights(*deeper, path, {.ignore = {"fc."}}), Contains("missing: layer1.2.conv1.weight"));
}

TEST_CASE("a prefix takes a part of a larger model's file", "[encoders]") {
  const Temporary file("mlp.safetensors");
  const auto model = eq::compose(eq::modality<"image">(eq::UNetEncoder{.widths = {4, 8}}),
                                 eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {6}}),
                                 eq::task<"y">(eq::SpatialCascade{.widths = {4}}, eq::DenseRegression{}));
  const at::Tensor image = support::input_of("image", {2, 1, 8, 8});
  const auto data = eq::batch(eq::input<"image">(image), eq::input<"table">(support::input_of("table", {2, 4})));
  CHECK(model->predict(data)["y"_n].sizes() == at::IntArrayRef{2, 1, 8, 8});  // a U-Net: encoder and cascade
  eq::save_weights(*model, file.path);
  const auto table =
      eq::Pretrained<eq::Mlp>{
          .encoder = {.in_features = 4, .widths = {6}}, .path = file.path.string(), .prefix = "encoders.table."}
          .build();
  CHECK(torch::equal(table->parameters().front(), model->encoder("table"_n).parameters().front()));
}

TEST_CASE("a prefix that no name of the file has is an error, also if not all has to fit", "[encoders]") {
  const Temporary file("prefix.safetensors");
  const auto model = eq::compose(eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {6}}),
                                 eq::task<"y">(eq::Sum{.width = 4}, eq::Regression{}));
  eq::save_weights(*model, file.path);
  const std::size_t tensors = model->module().named_parameters().size() + model->module().named_buffers().size();
  for (const bool strict : {true, false}) {
    const auto table = eq::Mlp{.in_features = 4, .widths = {6}}.build();
    const at::Tensor before = table->parameters().front().clone();
    CHECK_THROWS_WITH(eq::load_weights(*table, file.path, {.strict = strict, .prefix = "encoders.tabel."}),
                      Contains("file.462") &&
                          Contains("expected the weights of Mlp under names that begin with \"encoders.tabel.\", got "
                                   "encoders.table.layers.0.weight, encoders.table.layers.0.bias, "
                                   "encoders.table.layers.1.weight, … (" +
                                   std::to_string(tensors) + " in all)"));
    CHECK(torch::equal(table->parameters().front(), before));
  }
  // A prefix that is too short is one that names have, but none of them fits.
  const auto table = eq::Mlp{.in_features = 4, .widths = {6}}.build();
  CHECK_THROWS_WITH(eq::load_weights(*table, file.path, {.strict = false, .prefix = "encoders."}),
                    Contains("file.462") && Contains("Mlp: 0 tensors fit; 4 missing: layers.0.weight"));
  eq::io::write_safetensors(file.path, {});
  CHECK_THROWS_WITH(eq::load_weights(*table, file.path, {.strict = false}), Contains("Mlp: 0 tensors fit; 4 missing"));
  // A module without weights needs none.
  CHECK(eq::load_weights(*eq::Identity{.width = 4}.build(), file.path, {.strict = false}).loaded == 0);
}

TEST_CASE("halves and doubles of a file become the module's floats, whole numbers do not", "[encoders]") {
  const Temporary file("types.safetensors");
  const eq::Mlp spec{.in_features = 4, .widths = {6}};
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16, at::kDouble}) {
    const auto written = spec.build();
    written->to(type);
    eq::save_weights(*written, file.path);
    const auto read = eq::Pretrained<eq::Mlp>{.encoder = spec, .path = file.path.string()}.build();
    for (const auto& item : read->named_parameters())
      CHECK(torch::equal(item.value(), written->named_parameters()[item.key()].to(at::kFloat)));
  }
  const auto whole = spec.build();
  for (auto& item : whole->named_parameters()) item.value().set_requires_grad(false);
  whole->to(at::kLong);
  eq::save_weights(*whole, file.path);
  CHECK_THROWS_WITH(eq::load_weights(*spec.build(), file.path),
                    Contains("4 misshapen: layers.0.weight: expected F32 [6, 4], got I64 [6, 4]"));
}

TEST_CASE("weights are called as the encoders' pages say", "[encoders]") {
  const auto names_of = [](const auto& encoder) {
    std::vector<std::string> out;
    for (const auto& item : encoder->named_parameters()) out.push_back(item.key());
    std::sort(out.begin(), out.end());
    return out;
  };
  using Names = std::vector<std::string>;
  CHECK(names_of(eq::Mlp{.in_features = 2, .widths = {3, 4}}.build()) ==
        Names{"layers.0.bias", "layers.0.weight", "layers.1.bias", "layers.1.weight", "layers.2.bias",
              "layers.2.weight", "layers.3.bias", "layers.3.weight"});
  CHECK(names_of(eq::Cnn{.widths = {4}, .pool = eq::Pool::attention}.build()) ==
        Names{"pool.score.weight", "stages.0.0.weight", "stages.0.1.bias", "stages.0.1.weight", "stages.0.2.weight",
              "stages.0.3.bias", "stages.0.3.weight"});
  CHECK(eq::Cnn{.in_channels = 2, .widths = {4}, .dimensions = 1}
            .build()
            ->named_parameters()["stages.0.0.weight"]
            .sizes() == at::IntArrayRef{4, 2, 1, 3});
  CHECK(names_of(eq::UNetEncoder{.widths = {4}}.build()) == Names{"levels.0.0.weight", "levels.0.1.bias",
                                                                  "levels.0.1.weight", "levels.0.2.weight",
                                                                  "levels.0.3.bias", "levels.0.3.weight"});
  const Names layer = {"linear1.bias",
                       "linear1.weight",
                       "linear2.bias",
                       "linear2.weight",
                       "norm1.bias",
                       "norm1.weight",
                       "norm2.bias",
                       "norm2.weight",
                       "self_attn.in_proj_bias",
                       "self_attn.in_proj_weight",
                       "self_attn.out_proj.bias",
                       "self_attn.out_proj.weight"};  // of torch.nn.TransformerEncoderLayer
  Names columns = {"category_bias", "category_weight", "cls"}, steps;
  for (const std::string& name : layer) {
    if (!name.starts_with("norm1")) columns.push_back("layers.0." + name);
    steps.push_back("layers.0." + name);
  }
  for (const char* name : {"norm.bias", "norm.weight", "number_bias", "number_weight"}) columns.emplace_back(name);
  for (const char* name : {"norm.bias", "norm.weight", "project.bias", "project.weight"}) steps.emplace_back(name);
  const auto table = eq::FtTransformer{.numbers = 2, .categories = {3, 5}, .width = 8, .layers = 1, .heads = 2}.build();
  CHECK(names_of(table) == columns);
  CHECK(table->named_parameters()["category_weight"].sizes() == at::IntArrayRef{(1 + 3) + (1 + 5), 8});
  CHECK(names_of(eq::Sequence{.layer = eq::SequenceLayer::transformer, .width = 8}.build()) == steps);
  CHECK(names_of(eq::Sequence{.width = 4, .bidirectional = true}.build()) ==
        Names{"gru.bias_hh_l0", "gru.bias_hh_l0_reverse", "gru.bias_ih_l0", "gru.bias_ih_l0_reverse",
              "gru.weight_hh_l0", "gru.weight_hh_l0_reverse", "gru.weight_ih_l0", "gru.weight_ih_l0_reverse"});
  const std::string block = "encoder.layers.encoder_layer_0.";
  Names vision = {"class_token",
                  "conv_proj.bias",
                  "conv_proj.weight",
                  block + "ln_1.bias",
                  block + "ln_1.weight",
                  block + "ln_2.bias",
                  block + "ln_2.weight",
                  block + "mlp.0.bias",
                  block + "mlp.0.weight",
                  block + "mlp.3.bias",
                  block + "mlp.3.weight",
                  block + "self_attention.in_proj_bias",
                  block + "self_attention.in_proj_weight",
                  block + "self_attention.out_proj.bias",
                  block + "self_attention.out_proj.weight",
                  "encoder.ln.bias",
                  "encoder.ln.weight",
                  "encoder.pos_embedding"};
  CHECK(names_of(eq::ViT{.image_size = 8, .layers = 1}.build()) == vision);
}

TEST_CASE("Python's library reads the weights that are written", "[encoders]") {
  const Temporary file("written.safetensors");
  const auto mlp = eq::Mlp{.in_features = 3, .widths = {2}}.build();
  support::fill_by_formula(*mlp);
  eq::save_weights(*mlp, file.path);
  if (std::system("python3 -c 'import safetensors, numpy' 2>/dev/null") != 0) {
    std::cerr << "skipped: no safetensors and numpy for python3\n";
    return;
  }
  const std::string script =
      "import sys, numpy; from safetensors.numpy import load_file; w = load_file(sys.argv[1]); "
      "sys.exit(int(sorted(w) != [\"layers.0.bias\", \"layers.0.weight\", \"layers.1.bias\", "
      "\"layers.1.weight\"] or w[\"layers.0.weight\"].shape != (2, 3) or "
      "abs(w[\"layers.0.weight\"][1, 2] - float(sys.argv[2])) > 1e-6))";
  const std::string value = std::to_string(mlp->named_parameters()["layers.0.weight"][1][2].item<float>());
  CHECK(std::system(("python3 -c '" + script + "' '" + file.path.string() + "' " + value).c_str()) == 0);
}

TEST_CASE("the sizes of the networks are those of torchvision without classifiers", "[encoders][worked]") {
  CHECK(parameters_of(18) == 11689512 - 513000);
  CHECK(parameters_of(34) == 21797672 - 513000);
  CHECK(parameters_of(50) == 25557032 - 2049000);
  const eq::MapFeature map = eq::ResNet{.depth = 50, .width = 2}.build()->forward(photo());
  std::vector<std::int64_t> channels, sides;
  for (const at::Tensor& skip : map.skips) channels.push_back(skip.size(1)), sides.push_back(skip.size(2));
  CHECK(channels == std::vector<std::int64_t>{3, 2, 8, 16, 32});
  CHECK(sides == std::vector<std::int64_t>{64, 32, 16, 8, 4});
  CHECK(map.map.sizes() == at::IntArrayRef{1, 64, 2, 2});
}

TEST_CASE("a batch norm learns the statistics of its batches in training only", "[encoders]") {
  const auto encoder = eq::ResNet::example().build();
  encoder->eval();
  (void)encoder->forward(photo());
  CHECK(encoder->named_buffers()["bn1.num_batches_tracked"].item<std::int64_t>() == 0);
  encoder->train();
  (void)encoder->forward(photo());
  CHECK(encoder->named_buffers()["bn1.num_batches_tracked"].item<std::int64_t>() == 1);
  CHECK(encoder->named_buffers()["bn1.running_mean"].abs().sum().item<double>() > 0);
}

TEST_CASE("a batch norm learns nothing from a channel with a single value", "[encoders]") {
  const auto encoder = eq::ResNet::example().build();
  const auto first = encoder->named_buffers()["bn1.running_var"],
             last = encoder->named_buffers()["layer4.1.bn2.running_var"];
  const at::Tensor out = encoder->forward(torch::randn({1, 3, 32, 32})).map;  // a map of 1 x 1
  CHECK(out.sizes() == at::IntArrayRef{1, 16, 1, 1});
  CHECK(out.isfinite().all().item<bool>());
  CHECK(torch::equal(last, torch::ones({16})));
  CHECK_FALSE(torch::equal(first, torch::ones({2})));  // of a map of 16 x 16
  (void)encoder->forward(torch::randn({2, 3, 32, 32}));
  CHECK(encoder->named_buffers()["layer4.1.bn2.num_batches_tracked"].item<std::int64_t>() == 1);
  CHECK_FALSE(torch::equal(last, torch::ones({16})));
}

TEST_CASE("a vision transformer is PyTorch's with the names of torchvision", "[encoders][worked]") {
  const auto encoder = eq::ViT::example().build();
  support::fill_by_formula(*encoder);
  encoder->eval();
  CHECK(difference(encoder->forward(support::input_of("tiles", {2, 3, 8, 8})), support::kVit) < 1e-5);
  CHECK(encoder->named_parameters().contains("encoder.layers.encoder_layer_1.mlp.3.weight"));
}

TEST_CASE("a U-Net's encoder halves volumes too, and keeps the map of each level", "[encoders]") {
  const auto encoder = eq::UNetEncoder{.in_channels = 2, .widths = {4, 6, 8}, .dimensions = 3}.build();
  const eq::MapFeature feature = encoder->forward(torch::randn({1, 2, 4, 8, 12}));
  CHECK(feature.map.sizes() == at::IntArrayRef{1, 8, 1, 2, 3});
  CHECK(feature.skips.at(0).sizes() == at::IntArrayRef{1, 4, 4, 8, 12});
  CHECK(feature.skips.at(1).sizes() == at::IntArrayRef{1, 6, 2, 4, 6});
  CHECK_THROWS_WITH(encoder->forward(torch::zeros({1, 2, 2, 8, 8})), Contains("with sides >= 4"));
}
