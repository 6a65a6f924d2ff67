// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Objectives of the modalities alone, beside each task's joint one.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/policy/step.hpp>

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace equipoise::detail {

/// What a task's unimodal objective is called after the task's name, so that task weights reach it as they reach the
/// joint one.
inline constexpr std::string_view kUnimodal = "/unimodal";

/// Adds Σ_m w_m l({m}) for every task with a joint objective, under the joint one's weight.
/// \param weights called as `weights(task, joint)`, which may change the joint objective's weight; gives w [M]
template <class Weights>
void add_unimodal(Step& step, Objectives& objectives, double dense_share, Weights&& weights) {
  const std::vector<Coalition> alone = singletons(step.modalities());
  for (const auto& [k, task] : views::enumerate(step.schema().tasks)) {
    Objective* joint = objectives.find(task.name);
    if (!joint) continue;
    const double weight = joint->weight;
    const std::vector<double> w = weights(k, *joint);
    const at::Tensor losses = objectives.mean_losses(k, alone, decoded_share(task.kind, dense_share));  // [M]
    at::Tensor sum;
    for (std::size_t m = 0; m < w.size(); ++m) {
      const at::Tensor term = losses.select(0, static_cast<std::int64_t>(m)).mul(w[m]);
      sum = sum.defined() ? sum.add(term) : term;
    }
    objectives.add(task.name + std::string(kUnimodal), sum, weight);
  }
}

}  // namespace equipoise::detail
