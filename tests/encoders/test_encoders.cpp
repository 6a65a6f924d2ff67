// Worked numbers of the encoders, and what PyTorch's modules give for the same weights (make_reference.py).

#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/all.hpp>
#include <equipoise/encoders/exported.hpp>
#include <equipoise/encoders/scripted.hpp>
#include <equipoise/fusion/sum.hpp>
#include <equipoise/tasks/regression.hpp>
#include <equipoise/training/trainer.hpp>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "support/by_formula.hpp"
#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/encoder_reference.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using Catch::Contains;
using support::difference;

namespace {

/// An encoder in evaluation, with weights of the formula.
template <class E>
auto filled(const E& spec) {
  auto encoder = spec.build();
  support::fill_by_formula(*encoder);
  encoder->eval();
  return encoder;
}

const std::vector<std::int64_t>& lengths() {
  static const std::vector<std::int64_t> three = {4, 1, 3};
  return three;
}

/// Three sequences of 4, 1 and 3 steps; `filler` stands at padding.
eq::Sequences sequences(double filler) {
  at::Tensor x = support::input_of("sequence", {3, 4, 3}).clone();
  for (std::int64_t i = 0; i < 3; ++i) x[i].slice(0, lengths()[static_cast<std::size_t>(i)]).fill_(filler);
  return eq::Sequences::of_lengths(x, lengths());
}

eq::Sequence transformer() {
  return {.in_features = 3, .layer = eq::SequenceLayer::transformer, .width = 8, .layers = 2, .heads = 2};
}
eq::Sequence gru() {
  return {.in_features = 3, .width = 8, .layers = 2, .bidirectional = true};
}

/// What an encoder of signals or sequences gives a record alone and within the padded batch.
template <class Module>
void check_padding_is_left_out(Module& encoder) {
  encoder.eval();
  const eq::Sequences zeros = sequences(0), nans = sequences(std::nan(""));
  const at::Tensor together = eq::Feature(encoder.forward(zeros.tensor, zeros.padding)).vector();
  CHECK(torch::equal(eq::Feature(encoder.forward(nans.tensor, nans.padding)).vector(), together));
  for (const std::int64_t i : {0, 2}) {  // a Cnn needs two steps
    const at::Tensor own = zeros.tensor.narrow(0, i, 1).narrow(1, 0, lengths()[static_cast<std::size_t>(i)]);
    // Sums in another order: rounding of floats.
    CHECK((eq::Feature(encoder.forward(own)).vector()[0] - together[i]).abs().max().template item<double>() < 1e-5);
  }
}

/// A file beside this one.
std::string source(const std::string& name) {
  const char* root = std::getenv("EQUIPOISE_SOURCE");
  return (std::filesystem::path(root ? root : ".") / "tests/encoders" / name).string();
}

/// A folder of temporary files that is removed at the end.
struct Temporary {
  std::filesystem::path path = std::filesystem::temp_directory_path() / "equipoise_encoders";
  Temporary() { std::filesystem::create_directories(path); }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    std::error_code none;  // a destructor throws nothing
    std::filesystem::remove_all(path, none);
  }
};

eq::Scripted scripted() {
  return {.path = source("scripted.pt"), .width = 6};
}

/// A model of one table that two encoders see.
template <class E>
auto model_of(const E& spec) {
  torch::manual_seed(2);
  return eq::compose(eq::modality<"a">(spec), eq::modality<"b">(eq::Identity{.width = 4}),
                     eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 2}));
}

/// 17 records: with batches of 8 the last one has a single record.
auto table() {
  const at::Tensor x = support::input_of("columns", {17, 4});
  return eq::batch(eq::input<"a">(x), eq::input<"b">(x), eq::target<"y">(eq::Values{x.narrow(1, 0, 2)}));
}

eq::TrainerOptions quick() {
  eq::TrainerOptions options{.epochs = 2, .batch_size = 8};
  options.progress = nullptr;
  return options;
}

}  // namespace

TEST_CASE("a GRU over padded sequences is PyTorch's over packed ones", "[encoders][worked]") {
  const eq::Sequences x = sequences(std::nan(""));
  const eq::Feature feature(filled(gru())->forward(x.tensor, x.padding));
  CHECK(difference(feature.value, support::kGru) < 1e-6);
}

TEST_CASE("a Transformer over padded sequences is PyTorch's with a padding mask", "[encoders][worked]") {
  const eq::Sequences x = sequences(std::nan(""));
  const eq::Feature feature(filled(transformer())->forward(x.tensor, x.padding));
  CHECK(difference(feature.value, support::kTransformer) < 1e-5);
}

TEST_CASE("a padded sequence has the feature that it has alone, and padding may be NaN", "[encoders][law]") {
  for (eq::Sequence spec : {gru(), transformer()})
    for (const eq::Pool pool : {eq::Pool::none, eq::Pool::mean, eq::Pool::max, eq::Pool::attention}) {
      spec.pool = pool;
      check_padding_is_left_out(*filled(spec));
    }
  for (const eq::Pool pool : {eq::Pool::none, eq::Pool::max, eq::Pool::attention})
    check_padding_is_left_out(
        *filled(eq::Cnn{.in_channels = 3, .widths = {8}, .dimensions = 1, .place = true, .pool = pool}));
}

TEST_CASE("a record without any step has the feature zero, and its gradient is finite", "[encoders]") {
  const at::Tensor padding = torch::tensor({{false, false, true}, {true, true, true}});
  for (eq::Sequence spec : {gru(), transformer()})
    for (const eq::Pool pool : {eq::Pool::none, eq::Pool::max, eq::Pool::attention}) {
      spec.pool = pool;
      const auto encoder = spec.build();
      const at::Tensor x = torch::ones({2, 3, 3}).masked_fill(padding.unsqueeze(2), std::nan(""));
      const eq::Feature feature(encoder->forward(x, padding));
      CHECK(feature.vector()[1].abs().max().item<double>() == 0);
      feature.vector().sum().backward();
      for (const at::Tensor& p : encoder->parameters()) CHECK(p.grad().isfinite().all().item<bool>());
    }
}

TEST_CASE("padding need not stand at the end of a sequence", "[encoders]") {
  const auto encoder = filled(gru());
  const at::Tensor x = support::input_of("steps", {1, 3, 3});
  const at::Tensor gap = torch::cat({x.narrow(1, 0, 2), torch::full({1, 1, 3}, 7.0F), x.narrow(1, 2, 1)}, 1);
  const at::Tensor tokens = encoder->forward(gap, torch::tensor({{false, false, true, false}})).tokens;
  const at::Tensor alone = encoder->forward(x).tokens;
  CHECK(torch::allclose(tokens.index_select(1, torch::tensor({0, 1, 3})), alone, 1e-5, 1e-6));
}

TEST_CASE("an FT-Transformer of numbers and categories is PyTorch's", "[encoders][worked]") {
  const auto encoder = filled(eq::FtTransformer::example());
  const at::Tensor categories = torch::tensor({{0.0F, 2.0F}, {1.0F, -1.0F}, {-1.0F, 0.0F}});
  const at::Tensor table = torch::cat({support::input_of("table", {3, 2}), categories}, 1);
  CHECK(difference(encoder->forward(table), support::kFtTransformer) < 1e-5);
  const at::Tensor wrong = table.clone();
  wrong[1][3] = 3;
  CHECK_THROWS_WITH(encoder->forward(wrong), Contains("value.260") && Contains("below 3 in category column 1, got 3"));
  CHECK(eq::FtTransformer{.categories = {4}}.build()->forward(torch::zeros({2, 1})).size(1) == 64);
  // Standardised numbers of categories would be rounded to others.
  for (const double code : {1.9, -0.4, -1.68, 0.25}) {
    at::Tensor standardised = table.clone();
    standardised[2][3] = code;
    CHECK_THROWS_WITH(encoder->forward(standardised), Contains("expected whole numbers in category column 1, got " +
                                                               std::to_string(code).substr(0, 3)) &&
                                                          Contains("not standardised"));
  }
}

TEST_CASE("a Cnn with place channels is PyTorch's, in two and three dimensions", "[encoders][worked]") {
  eq::Cnn spec{.widths = {4, 8}, .place = true};
  CHECK(difference(filled(spec)->forward(support::input_of("image", {2, 1, 8, 6})).map, support::kCnn2d) < 1e-5);
  spec.dimensions = 3;
  const eq::MapFeature volume = filled(spec)->forward(support::input_of("volume", {1, 1, 4, 6, 8}));
  CHECK(difference(volume.map, support::kCnn3d) < 1e-5);
  CHECK(volume.skips.at(1).sizes() == at::IntArrayRef{1, 4, 2, 3, 4});
  CHECK_THROWS_WITH(spec.build()->forward(torch::zeros({1, 1, 8, 8})),
                    Contains("expected [B, 1, Z >= 4, H >= 4, W >= 4] of a floating type"));
}

TEST_CASE("a Cnn's pooling makes one pixel of the deepest map and keeps the skip maps", "[encoders]") {
  const at::Tensor x = support::input_of("image", {2, 1, 8, 8});
  eq::Cnn spec{.widths = {4, 8}};
  const at::Tensor map = filled(spec)->forward(x).map;  // [2, 8, 2, 2]
  spec.pool = eq::Pool::mean;
  CHECK(torch::allclose(filled(spec)->forward(x).map, map.mean({2, 3}, true), 1e-5, 1e-6));
  spec.pool = eq::Pool::max;
  CHECK(torch::equal(filled(spec)->forward(x).map, map.amax({2, 3}, true)));
  spec.pool = eq::Pool::attention;
  const auto encoder = filled(spec);
  const at::Tensor score = (map * encoder->named_parameters()["pool.score.weight"].view({1, 8, 1, 1})).sum(1, true);
  const at::Tensor weight = score.flatten(2).softmax(2).view_as(score);
  const eq::MapFeature pooled = encoder->forward(x);
  CHECK(torch::allclose(pooled.map, (weight * map).sum({2, 3}, true), 1e-5, 1e-6));
  CHECK(pooled.skips.size() == 2);
  CHECK(spec.build()->named_parameters().size() == 13);
  CHECK(eq::Cnn{.widths = {4, 8}}.build()->named_parameters().contains("stages.1.2.weight"));
}

TEST_CASE("a frozen encoder is not trained, and what is trained does not leave evaluation mode", "[encoders]") {
  const auto model = eq::compose(
      eq::modality<"a">(eq::Frozen<eq::Mlp>{{.in_features = 4, .widths = {6}, .dropout = 0.5}}),
      eq::modality<"b">(eq::Identity{.width = 4}), eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 2}));
  const auto before = model->named_parameters().keys();
  CHECK(before.at(0) == "encoders.a.module.layers.0.weight");
  std::vector<at::Tensor> frozen, others;
  for (const auto& p : model->named_parameters())
    (p.key().starts_with("encoders.a") ? frozen : others).push_back(p.value().detach().clone());
  const at::Tensor x = support::input_of("a", {16, 4});
  const auto data =
      eq::batch(eq::input<"a">(x), eq::input<"b">(x.flip(0)), eq::target<"y">(eq::Values{x.narrow(1, 0, 2)}));
  eq::TrainerOptions options{.epochs = 2, .batch_size = 8};
  options.progress = nullptr;
  eq::Trainer(model, {}, options).fit(data);
  std::size_t f = 0, o = 0;
  double moved = 0;
  for (const auto& p : model->named_parameters())
    if (p.key().starts_with("encoders.a"))
      CHECK(torch::equal(p.value(), frozen[f++]));
    else
      moved += (p.value().detach() - others[o++]).abs().sum().item<double>();
  CHECK(moved > 0);
  model->train();
  auto& encoder = model->encoder("a"_n);
  CHECK(!encoder.inner().is_training());
  CHECK(torch::equal(encoder.forward(x), encoder.forward(x)));  // without dropout
  CHECK(eq::options(eq::Frozen<eq::Mlp>{{.in_features = 4}}) == eq::options(eq::Mlp{.in_features = 4}));
  CHECK(eq::Frozen<eq::Mlp>::id == "frozen_mlp");
}

TEST_CASE("options of the encoders that do not fit are refused", "[encoders]") {
  CHECK_THROWS_WITH((eq::Cnn{.dimensions = 4}.build()), Contains("Cnn.dimensions: expected 1, 2 or 3, got 4"));
  CHECK_THROWS_WITH((eq::Sequence{.width = 5, .bidirectional = true}.build()), Contains("an even width"));
  CHECK_THROWS_WITH((eq::Sequence{.layer = eq::SequenceLayer::transformer, .width = 6}.build()),
                    Contains("Sequence.heads: expected a divisor of the width, got 4"));
  CHECK_THROWS_WITH(eq::FtTransformer{}.build(), Contains("FtTransformer: expected a column, got none"));
  CHECK_THROWS_WITH((gru().build()->forward(torch::zeros({2, 3, 3}), torch::zeros({2, 2}, torch::kBool))),
                    Contains("shape.115"));
}

TEST_CASE("a TorchScript file gives Python's output under Python's names, in training and evaluation", "[encoders]") {
  const auto encoder = scripted().build();
  const at::Tensor x = support::input_of("columns", {5, 4});
  CHECK(encoder->is_training());  // the file was saved in evaluation mode
  encoder->eval();
  CHECK(difference(encoder->forward(x), support::kScripted) < 1e-5);
  CHECK(encoder->named_parameters().keys() == std::vector<std::string>{"first.0.weight", "first.0.bias",
                                                                       "first.1.weight", "first.1.bias", "last.weight",
                                                                       "last.bias"});
  encoder->train();
  CHECK_FALSE(torch::equal(encoder->forward(x), encoder->forward(x)));  // dropout
  CHECK(encoder->named_buffers()["first.1.num_batches_tracked"].item<std::int64_t>() == 2);
  // What is done to the module is done to the script.
  encoder->eval();
  encoder->to(torch::kDouble);
  const at::Tensor before = encoder->forward(x.to(torch::kDouble));
  CHECK(before.scalar_type() == torch::kDouble);
  {
    const torch::NoGradGuard no_grad;
    encoder->named_parameters()["last.bias"].add_(1);
  }
  CHECK(torch::allclose(encoder->forward(x.to(torch::kDouble)), before + 1));
}

TEST_CASE("a TorchScript file is trained, and its weights come from the checkpoint", "[encoders]") {
  const Temporary folder;
  const auto data = table();
  eq::TrainerOptions options = quick();
  options.checkpoint = (folder.path / "run.pt").string();
  const auto model = model_of(scripted());
  const at::Tensor before = model->encoder("a"_n).named_parameters()["first.0.weight"].detach().clone();
  eq::Trainer(model, {}, options).fit(data);
  CHECK_FALSE(torch::equal(model->encoder("a"_n).named_parameters()["first.0.weight"], before));
  // The file has moved.
  std::filesystem::copy_file(source("scripted.pt"), folder.path / "moved.pt");
  const auto other = model_of(eq::Scripted{.path = (folder.path / "moved.pt").string(), .width = 6});
  eq::Trainer(other, {}, options).resume(options.checkpoint);
  model->eval(), other->eval();
  CHECK(torch::equal(model->predict(data)["y"_n], other->predict(data)["y"_n]));
  // Frozen, it keeps weights and statistics.
  const auto frozen = model_of(eq::Frozen<eq::Scripted>{scripted()});
  eq::Trainer(frozen, {}, quick()).fit(data);
  auto& inner = frozen->encoder("a"_n).inner();
  CHECK(torch::equal(inner.named_parameters()["first.0.weight"], before));
  CHECK(inner.named_buffers()["first.1.num_batches_tracked"].item<std::int64_t>() == 0);
  frozen->train();
  CHECK(difference(inner.forward(support::input_of("columns", {5, 4})), support::kScripted) < 1e-5);
}

TEST_CASE("what does not fit a TorchScript file is refused", "[encoders][error]") {
  CHECK_THROWS_WITH((eq::Scripted{.path = "no.pt", .width = 6}.build()), Contains("file.401") && Contains("no.pt"));
  CHECK_THROWS_WITH((eq::Scripted{.path = source("resnet18_narrow.safetensors"), .width = 6}.build()),
                    Contains("file.463") && Contains("resnet18_narrow.safetensors"));
  CHECK_THROWS_WITH((eq::Scripted{.path = source("scripted.pt")}.build()), Contains("Scripted.width"));
  const auto encoder = scripted().build();
  CHECK_THROWS_WITH(encoder->forward(torch::ones({2, 3})), Contains("shape.101") && Contains("got Float [2, 3]") &&
                                                               Contains("TorchScript says: mat1 and mat2 shapes"));
  CHECK_THROWS_WITH(encoder->forward(torch::ones({4})), Contains("TorchScript says: expected a table"));
  CHECK_THROWS_WITH((eq::ScriptedModule(torch::jit::load(source("scripted.pt")), 7).forward(torch::ones({2, 4}))),
                    Contains("shape.111") && Contains("returns [2, 7], got [2, 6]"));
  torch::jit::Module pair("pair");
  pair.define("def forward(self, x):\n  return (x, x)\n");
  CHECK_THROWS_WITH((eq::ScriptedModule(pair, 4).forward(torch::ones({2, 4}))),
                    Contains("got a Tuple[Tensor, Tensor]"));
  const auto model = model_of(scripted());
  CHECK_THROWS_WITH(model->predict(eq::batch(eq::input<"a">(torch::ones({2, 3})), eq::input<"b">(torch::ones({2, 4})))),
                    Contains("shape.101") && Contains("modality a"));
}

TEST_CASE("a package of AOTInductor gives Python's output, and has no gradient", "[encoders]") {
  CHECK_THROWS_WITH((eq::Exported{.path = "no.pt2", .input = {4}, .width = 6}.build()), Contains("file.401"));
  CHECK_THROWS_WITH((eq::Exported{.path = source("scripted.pt"), .input = {4}, .width = 6}.build()),
                    Contains("file.464") && Contains("scripted.pt"));
  const char* const folder = std::getenv("EQUIPOISE_PACKAGES");
  if (folder == nullptr) {
    std::cerr << "skipped: EQUIPOISE_PACKAGES names no folder that tests/encoders/make_package.py filled\n";
    return;
  }
  const std::string path = std::string(folder) + "/encoder.pt2";
  const eq::Exported spec{.path = path, .input = {4}, .width = 6};
  const auto encoder = spec.build();
  const at::Tensor x = support::input_of("columns", {5, 4});
  CHECK(difference(encoder->forward(x), support::kScripted) < 1e-5);
  CHECK(difference(encoder->forward(x.t().contiguous().t()), support::kScripted) < 1e-5);  // another memory order
  CHECK(torch::allclose(encoder->forward(x.narrow(0, 2, 1)), encoder->forward(x).narrow(0, 2, 1)));
  CHECK_FALSE(encoder->forward(x).requires_grad());
  CHECK_THROWS_WITH(encoder->forward(x.clone().requires_grad_()), Contains("value.261"));
  CHECK_THROWS_WITH(encoder->forward(x.narrow(1, 0, 3)), Contains("shape.101") && Contains("expected Float [B, 4]"));
  CHECK_THROWS_WITH(encoder->forward(x.to(torch::kDouble)), Contains("shape.101"));
  CHECK_THROWS_WITH((eq::Exported{.path = path, .input = {4}, .width = 7}.build()->forward(x)), Contains("shape.111"));
  // The rest of a model is trained on its features.
  const auto model = model_of(spec);
  const at::Tensor before = model->parameters().front().detach().clone();
  eq::Trainer(model, {}, quick()).fit(table());
  CHECK_FALSE(torch::equal(model->parameters().front(), before));
  CHECK_FALSE(model->encoder("a"_n).is_training());
  CHECK_THROWS_WITH((eq::Exported{.path = std::string(folder) + "/fixed.pt2", .input = {4}, .width = 6}.build()),
                    Contains("file.464") && Contains("fixed.pt2"));
}
