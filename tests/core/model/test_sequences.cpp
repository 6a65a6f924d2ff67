// Sequences of different lengths: what stands at padding changes nothing.

#include <torch/nn/modules/linear.h>
#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>

#include "support/catch.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using Catch::Contains;

namespace {

constexpr std::int64_t kRecords = 10, kSteps = 6;

/// One token for each step.
struct Steps : torch::nn::Module {
  Steps() : linear(register_module("linear", torch::nn::Linear(3, 5))) {}
  eq::TokenFeature forward(const at::Tensor& x) { return {linear->forward(x).tanh()}; }
  std::int64_t width() const { return 5; }
  torch::nn::Linear linear;
};

/// A vector from the steps that are there, by an encoder that takes the padding.
struct LastStep : torch::nn::Module {
  LastStep() : linear(register_module("linear", torch::nn::Linear(3, 5))) {}
  at::Tensor forward(const at::Tensor& x, const at::Tensor& padding) {
    if (!padding.defined()) return linear->forward(x.select(1, -1));
    const at::Tensor last = padding.logical_not().sum(1).sub(1).clamp_min(0).view({-1, 1, 1}).expand({-1, 1, 3});
    return linear->forward(x.gather(1, last).squeeze(1));
  }
  std::int64_t width() const { return 5; }
  torch::nn::Linear linear;
};

/// Two tokens for each step, whose padding the encoder does not say.
struct Doubled : torch::nn::Module {
  Doubled() : linear(register_module("linear", torch::nn::Linear(3, 5))) {}
  eq::TokenFeature forward(const at::Tensor& x) { return {linear->forward(x).repeat_interleave(2, 1)}; }
  std::int64_t width() const { return 5; }
  torch::nn::Linear linear;
};

std::vector<std::int64_t> lengths() {
  return {6, 1, 3, 4, 2, 6, 5, 3, 1, 2};
}

/// Records whose padding holds `filler`.
auto records(double filler) {
  torch::manual_seed(4);
  at::Tensor sound = torch::randn({kRecords, kSteps, 3});
  const at::Tensor table = torch::randn({kRecords, 4}), y = torch::randn({kRecords, 2});
  for (std::int64_t i = 0; i < kRecords; ++i) sound[i].slice(0, lengths()[static_cast<std::size_t>(i)]).fill_(filler);
  at::Tensor presence = torch::ones({kRecords, 2}, torch::kBool);
  presence[7][0] = false;
  return eq::batch(eq::input<"sound">(eq::Sequences::of_lengths(sound, lengths())), eq::input<"table">(table),
                   eq::target<"y">(eq::Values{y}))
      .with_presence(presence);
}

template <class Encoder, class Fusion>
auto model_of(const Fusion& fusion) {
  torch::manual_seed(11);
  return eq::compose(eq::modality<"sound">(std::make_shared<Encoder>()),
                     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {5}}),
                     eq::task<"y">(fusion, eq::Regression{.outputs = 2}));
}

template <class Encoder, class Fusion>
void check_padding_does_not_matter(const Fusion& fusion) {
  const auto zeros = model_of<Encoder>(fusion), nans = model_of<Encoder>(fusion);
  eq::TrainerOptions o{.epochs = 2, .batch_size = 4, .optimizer = eq::Optimizer::sgd, .learning_rate = 0.05};
  o.progress = nullptr;
  eq::Trainer(zeros, eq::ShapleyLossFactors{}, o).fit(records(0));
  eq::Trainer(nans, eq::ShapleyLossFactors{}, o).fit(records(std::nan("")));
  CHECK(torch::equal(support::flat_parameters(*zeros), support::flat_parameters(*nans)));
  CHECK(support::flat_parameters(*nans).isfinite().all().template item<bool>());
  const auto all = eq::all_coalitions(2);
  CHECK(torch::equal(eq::infer(*zeros, records(1e6), all)["y"_n], eq::infer(*nans, records(std::nan("")), all)["y"_n]));
}

}  // namespace

TEST_CASE("padding set to NaN changes nothing, with every fusion of vectors", "[sequences][law]") {
  eq::for_each_type<eq::EveryVectorFusion>([]<class Fusion>() {
    INFO(Fusion::id);
    const eq::AnyFusion fusion = support::small_fusion<Fusion>();
    check_padding_does_not_matter<Steps>(fusion);
    check_padding_does_not_matter<LastStep>(fusion);
  });
}

TEST_CASE("a token feature's vector is the mean over its steps without padding", "[sequences]") {
  const at::Tensor tokens =
      torch::tensor({{{1.0, 2.0}, {3.0, 4.0}, {100.0, 100.0}}, {{5.0, 6.0}, {7.0, 7.0}, {8.0, 8.0}}});
  const at::Tensor padding = torch::tensor({{false, false, true}, {true, true, true}});
  const eq::Feature feature(eq::TokenFeature{tokens, padding});
  CHECK(torch::equal(feature.vector(), torch::tensor({{2.0, 3.0}, {0.0, 0.0}})));
  CHECK(torch::equal(eq::Feature(eq::TokenFeature{tokens}).vector()[1], tokens[1].mean(0)));
}

TEST_CASE("a sequence's prediction does not depend on the length that it is padded to", "[sequences]") {
  const auto model = model_of<Steps>(eq::Sum{.width = 6});
  model->eval();
  const auto data = records(0);
  const auto longer =
      eq::batch(eq::input<"sound">(eq::Sequences::of_lengths(
                    torch::cat({data.inputs["sound"_n].tensor, torch::full({kRecords, 5, 3}, 7.0)}, 1), lengths())),
                eq::input<"table">(data.inputs["table"_n]));
  const auto shorter = data.only("sound"_n, "table"_n);
  CHECK(torch::allclose(eq::infer(*model, longer)["y"_n],
                        eq::infer(*model, shorter.with_presence(torch::ones({kRecords, 2}, torch::kBool)))["y"_n], 1e-5,
                        1e-6));
}

TEST_CASE("tokens that are not one for each step need a padding of their own", "[sequences]") {
  CHECK_THROWS_WITH(
      eq::infer(*model_of<Doubled>(eq::Sum{.width = 6}), records(0)),
      Contains("modality sound: expected one token for each of the input's 6 steps, or a TokenFeature that "
               "says its padding, got 12 tokens without"));
}

TEST_CASE("lengths and padding that do not fit are refused", "[sequences]") {
  const at::Tensor x = torch::zeros({2, 3, 4});
  const std::vector<std::int64_t> one = {3}, beyond = {3, 4};
  CHECK_THROWS_WITH(eq::Sequences::of_lengths(x, one), Contains("expected 2 lengths, got 1"));
  CHECK_THROWS_WITH(eq::Sequences::of_lengths(x, beyond), Contains("expected lengths in 0..3, got 4"));
  CHECK_THROWS_WITH(eq::Sequences::of_padding(x, torch::zeros({2, 4}, torch::kBool)),
                    Contains("expected a padding of bool [2, 3], got Bool [2, 4]"));
  CHECK_THROWS_WITH(eq::Sequences::of_lengths(torch::zeros({2}), one), Contains("[N, T, ...]"));
}
