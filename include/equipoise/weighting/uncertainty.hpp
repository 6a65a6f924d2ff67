// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Uncertainty weighting: each task's loss is divided by a learned variance.
///   regression: e^{-s} L / 2 + s / 2,  classification: e^{-s} L + s / 2,  s = log variance, learned
/// From Kendall, Gal, Cipolla, CVPR 2018, arXiv:1705.07115. Objectives that a policy derived from the task (`<task>/…`)
/// share its factor (ours): in a stack it comes after the policies that derive them.

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

  double initial = 0;  ///< s at the start

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
      const double half = task.kind == TaskKind::classification ? 1 : 0.5;
      for (Objective& o : objectives.list()) {
        if (o.name == task.name)
          o.value = o.value.mul(s.neg().exp()).mul(half).add(s, 0.5 * objectives.part_of_batch());
        else if (o.name.starts_with(task.name + "/"))
          o.value = o.value.mul(s.neg().exp()).mul(half);
      }
      step.log("log_variance/" + task.name, host_value(s));
    }
  }
};

}  // namespace equipoise

BOOST_HANA_ADAPT_STRUCT(equipoise::UncertaintyWeighting, initial);
BOOST_HANA_ADAPT_STRUCT(equipoise::UncertaintyWeighting::State, log_variance);
static_assert(equipoise::CheckPolicy<equipoise::UncertaintyWeighting>::ok);
