// SPDX-License-Identifier: MIT
/// \file
/// A policy of one's own: an aggregate with one hook. It slows down the modality with the smaller unimodal loss by the
/// ratio of the losses: its learning rate, since Adam would undo a factor on its gradient.

#include <equipoise/equipoise.hpp>
#include <iostream>

namespace eq = equipoise;
using namespace eq::literals;

struct LossRatio {
  static constexpr std::string_view id = "loss_ratio";
  static constexpr eq::Hooks hooks = eq::Hook::gradients;
  static constexpr eq::Needs needs{.outputs = eq::Coverage::singletons};

  double power = 1;  ///< 0 does nothing

  struct State {
    std::int64_t steps = 0;  ///< saved in the checkpoint
  };

  void on_gradients(State& state, eq::Step& step, eq::Gradients& gradients) const {
    std::vector<double> loss;
    for (std::size_t m = 0; m < step.modalities(); ++m) {
      if (step.count(0, eq::Coalition::single(m)) == 0) return;  // no labelled record of this batch has it
      loss.push_back(eq::host_value(step.mean_loss(0, eq::Coalition::single(m))));
    }
    const double largest = *std::max_element(loss.begin(), loss.end());
    for (std::size_t m = 0; m < loss.size(); ++m) {
      const double factor = std::pow(loss[m] / largest, power);
      gradients.scale_rate(m, factor);
      step.log("loss_ratio/" + step.schema().modalities[m], factor);
    }
    ++state.steps;
  }
};
BOOST_HANA_ADAPT_STRUCT(LossRatio, power);
BOOST_HANA_ADAPT_STRUCT(LossRatio::State, steps);
static_assert(eq::CheckPolicy<LossRatio>::ok);

int main() {
  torch::manual_seed(1);
  const at::Tensor a = torch::randn({256, 3}), b = torch::randn({256, 3});
  const auto data = eq::batch(eq::input<"a">(a), eq::input<"b">(b),
                              eq::target<"y">(eq::Values{a.narrow(1, 0, 1) + 0.3 * b.narrow(1, 0, 1)}));
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 3, .widths = {16}}),
                           eq::modality<"b">(eq::Mlp{.in_features = 3, .widths = {16}}),
                           eq::task<"y">(eq::Sum{.width = 16}, eq::Regression{}));
  eq::Trainer trainer(model, LossRatio{.power = 0.5}, {.epochs = 5, .batch_size = 32});
  const eq::History history = trainer.fit(data);
  bool slowed = true;
  for (const eq::EpochRecord& e : history.epochs)
    slowed = slowed && *e.find("loss_ratio/a") < 1 && *e.find("loss_ratio/b") == 1;
  std::cout << "the modality that does better is slowed down, the other is not: " << (slowed ? "yes" : "no") << "\n";
  return slowed ? 0 : 1;
}
