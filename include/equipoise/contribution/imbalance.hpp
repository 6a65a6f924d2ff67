// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How unbalanced shares are. A balanced share is not a goal in itself: modalities differ in what they know.

#include <equipoise/contribution/shares.hpp>
#include <equipoise/core/base/statistics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace equipoise {

/// 1 - entropy(c) / log M in [0, 1]; 0 is balanced, 1 a single modality does all.
[[nodiscard]] inline double imbalance_degree(std::span<const double> share) {
  if (share.size() < 2) return 0;
  double entropy = 0;
  for (const double c : share)
    if (c > 0) entropy -= c * std::log(c);
  return 1 - entropy / std::log(static_cast<double>(share.size()));
}

/// Mean |c_m - c_n| over pairs of modalities.
[[nodiscard]] inline double mean_pairwise_difference(std::span<const double> share) {
  double sum = 0;
  std::size_t pairs = 0;
  for (std::size_t m = 0; m < share.size(); ++m)
    for (std::size_t n = m + 1; n < share.size(); ++n) sum += std::abs(share[m] - share[n]), ++pairs;
  return pairs == 0 ? 0 : sum / static_cast<double>(pairs);
}

/// Gini coefficient Σ_mn |c_m - c_n| / (2 M^2 mean).
[[nodiscard]] inline double gini(std::span<const double> share) {
  if (detail::any_nan(share)) return detail::kNotANumber;
  std::vector<double> ascending(share.begin(), share.end());
  std::sort(ascending.begin(), ascending.end());
  return boost::math::statistics::gini_coefficient(ascending);
}

/// Standard deviation over mean of the shares.
[[nodiscard]] inline double coefficient_of_variation(std::span<const double> share) {
  return standard_deviation(share) / mean(share);
}

/// The largest share less the smallest.
[[nodiscard]] inline double range_of(std::span<const double> share) {
  if (share.empty() || detail::any_nan(share)) return detail::kNotANumber;
  const auto [minimum, maximum] = std::minmax_element(share.begin(), share.end());
  return *maximum - *minimum;
}

/// How much of what all modalities reach together is lost without one: (A(N) - A(N without m)) / A(N), A an accuracy or
/// explained variance. The difference between two modalities' rates tells which one is relied on.
/// From Wu, Jastrzebski, Cho, Geras, ICML 2022, arXiv:2202.05306.
[[nodiscard]] inline double conditional_utilisation(double all, double without) {
  return (all - without) / all;
}

}  // namespace equipoise
