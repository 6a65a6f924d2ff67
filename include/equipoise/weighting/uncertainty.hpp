// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `UncertaintyWeighting` divides the loss of each task by a learned variance.
///
///   regression: e^{-s} L / 2 + s / 2,  classification: e^{-s} L + s / 2
///   s = log variance, learned
///
/// From Kendall, Gal, Cipolla, CVPR 2018, arXiv:1705.07115. Other objectives of a task get the same
/// factor (ours). In a stack, put it after the policies that add objectives.
///
/// When: The losses of the tasks differ in scale.
/// Cost: One learned number per task.
/// Limits: A task whose loss stays large gets a large variance, and so a small weight.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}),
///     eq::task<"rate">(eq::Concat{.width = 16}, eq::Regression{.outputs = 2}));
/// eq::Trainer trainer(model, eq::UncertaintyWeighting{}, {.epochs = 10});
/// const eq::EpochRecord last = trainer.fit(train, validation).epochs.back();
/// double s = *last.find("log_variance/rate");
/// \endcode

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/policy/policy.hpp>

#include <ATen/ops/full.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise {

struct UncertaintyWeighting {
  static constexpr std::string_view id = "uncertainty_weighting";
  static constexpr Hooks hooks = Hook::objectives;
  static constexpr Needs needs{};
  static constexpr bool acts_on_one_modality = true;  // it balances tasks

  double initial = 0;  ///< s at the start of training

  struct State {
    at::Tensor log_variance;  ///< [K] learned
  };

  [[nodiscard]] State start(ModelBase& model) const {
    State state;
    for (const auto& group : model.parameter_groups())
      if (!group.empty() && !state.log_variance.defined())
        state.log_variance =
            at::full({static_cast<std::int64_t>(model.task_count())}, initial, group[0].options().requires_grad(false))
                .set_requires_grad(true);
    return state;
  }
  [[nodiscard]] std::vector<at::Tensor> parameters(State& state) const { return {state.log_variance}; }

  void on_objectives(State& state, Step& step, Objectives& objectives) const {
    for (const auto& [k, task] : views::enumerate(step.schema().tasks)) {
      const at::Tensor s = state.log_variance.select(0, static_cast<std::int64_t>(k));
      for (Objective& o : objectives.list()) {
        if (o.key.task != k) continue;
        o.value = o.value.mul(s.neg().exp()).mul(task.traits.likelihood_scale);
        if (o.key.kind == ObjectiveKind::joint) o.value = o.value.add(s, 0.5 * objectives.part_of_batch());
      }
      step.log("log_variance/" + task.name, host_value(s));
    }
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::UncertaintyWeighting, initial);
EQUIPOISE_REFLECT(equipoise::UncertaintyWeighting::State, log_variance);
static_assert(equipoise::CheckPolicy<equipoise::UncertaintyWeighting>::ok);
