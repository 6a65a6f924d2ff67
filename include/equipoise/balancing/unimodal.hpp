// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Objectives of single modalities, beside the joint objective of each task.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/policy/step.hpp>

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace equipoise::detail {

/// Adds the objective Σ_m w_m l({m}) for every task with a joint objective, with the joint
/// objective's weight.
/// \param weights called as `weights(task, joint)`; returns w [M] and may change the weight of
/// `joint`
template <class Weights>
void add_unimodal(Step& step, Objectives& objectives, double dense_share, Weights&& weights) {
  const std::vector<Coalition> alone = singletons(step.modalities());
  for (const auto& [k, task] : views::enumerate(step.schema().tasks)) {
    Objective* joint = objectives.find({.task = k});
    if (!joint) continue;
    const double weight = joint->weight;
    const std::vector<double> w = weights(k, *joint);
    const at::Tensor losses =  // [M]
        objectives.mean_losses(k, alone, decoded_share(step.schema().tasks[k], dense_share));
    at::Tensor sum;
    for (std::size_t m = 0; m < w.size(); ++m) {
      const at::Tensor term = losses.select(0, static_cast<std::int64_t>(m)).mul(w[m]);
      sum = sum.defined() ? sum.add(term) : term;
    }
    objectives.add({.task = k, .kind = ObjectiveKind::unimodal}, sum, weight);
  }
}

}  // namespace equipoise::detail
