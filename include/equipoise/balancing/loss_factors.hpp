// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Factors of unimodal losses: limits that keep their mean, and the objectives that have them.

#include <equipoise/balancing/unimodal.hpp>
#include <equipoise/core/policy/step.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::detail {

/// Factors [M] in proportion to `a`, of mean 1 and within [min_factor, max_factor].
[[nodiscard]] inline std::vector<double> limited_factors(std::vector<double> a, double min_factor, double max_factor) {
  // Clipping changes the mean, and scaling changes clipped factors: repeat until both hold.
  for (int round = 0; round < 100; ++round) {
    const double scale = static_cast<double>(a.size()) / std::accumulate(a.begin(), a.end(), 0.0);
    const bool within = std::ranges::all_of(a, [&](double x) { return x >= min_factor && x <= max_factor; });
    if (within && std::abs(scale - 1) < 1e-12) break;
    for (double& x : a) x = std::clamp(x * scale, min_factor, max_factor);
  }
  return a;
}

/// The unimodal losses of each task as objectives, and the factors of them in the history. The
/// options of `policy` say the mean factor, the share of records and whether the complements count.
/// \param factors called as `factors(task)`, returns [M] factors of mean 1
template <class Policy, class Factors>
void add_with_factors(const Policy& policy, Step& step, Objectives& objectives, Factors&& factors) {
  add_unimodal(
      step, objectives, policy.dense_share,
      [&](std::size_t k, const Objective&) {
        std::vector<double> a = factors(k);
        for (std::size_t m = 0; m < a.size(); ++m) {
          step.log("factor/" + step.schema().tasks[k].name + "/" + step.schema().modalities[m], a[m]);
          a[m] *= policy.mean;
        }
        return a;
      },
      policy.complements);
}

}  // namespace equipoise::detail
