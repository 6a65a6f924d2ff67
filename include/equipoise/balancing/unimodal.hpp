// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Objectives of single modalities, beside the joint objective of each task.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/policy/step.hpp>

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <vector>

namespace equipoise::detail {

/// Adds the objective Σ_m w_m l({m}) for every task with a joint objective, with the joint
/// objective's weight.
/// \param weights called as `weights(task, joint)`; returns w [M] and may change the weight of
/// `joint`
/// \param complements adds Σ_m v_m l(all but m), v_m the mean weight of the modalities but m;
/// nothing for two modalities, where these are the unimodal losses
template <class Weights>
void add_unimodal(Step& step, Objectives& objectives, double dense_share, Weights&& weights, bool complements = false) {
  const std::size_t modalities = step.modalities();
  std::vector<Coalition> parts = singletons(modalities);
  if (complements && modalities > 2)
    for (std::size_t m = 0; m < modalities; ++m) parts.push_back(step.full().without(m));
  for (const auto& [k, task] : views::enumerate(step.schema().tasks)) {
    Objective* joint = objectives.find({.task = k});
    if (!joint) continue;
    const double weight = joint->weight;
    std::vector<double> w = weights(k, *joint);
    const double all = std::accumulate(w.begin(), w.end(), 0.0);
    for (std::size_t m = 0; w.size() < parts.size(); ++m)
      w.push_back((all - w[m]) / static_cast<double>(modalities - 1));
    const at::Tensor losses =  // [M], or [2 M]
        objectives.mean_losses(k, parts, decoded_share(step.schema().tasks[k], dense_share));
    at::Tensor sum;
    for (std::size_t i = 0; i < w.size(); ++i) {
      const at::Tensor term = losses.select(0, static_cast<std::int64_t>(i)).mul(w[i]);
      sum = sum.defined() ? sum.add(term) : term;
    }
    objectives.add({.task = k, .kind = ObjectiveKind::unimodal}, sum, weight);
  }
}

}  // namespace equipoise::detail
