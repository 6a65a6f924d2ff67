// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How far predictions are off: errors, rank correlation, and how well failing cases are told from passing ones. NaN
/// truths are left out by the caller; a NaN prediction makes the figure NaN. Lists of different lengths are refused
/// (ShapeError).

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/base/statistics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <range/v3/view/zip.hpp>
#include <span>
#include <vector>

namespace equipoise {

namespace detail {

/// Ranks from 1, ties share their mean; all NaN where a number is NaN, which has no rank.
[[nodiscard]] inline std::vector<double> ranks(std::span<const double> x) {
  if (any_nan(x)) return std::vector<double>(x.size(), kNotANumber);
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
  std::vector<double> rank(x.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t j = i + 1;
    while (j < order.size() && x[order[j]] == x[order[i]]) ++j;
    for (std::size_t k = i; k < j; ++k) rank[order[k]] = 0.5 * static_cast<double>(i + j + 1);
    i = j;
  }
  return rank;
}

}  // namespace detail

[[nodiscard]] inline double mean_absolute_error(std::span<const double> truth, std::span<const double> predicted) {
  check_same_length(truth.size(), predicted.size(), "mean_absolute_error");
  double sum = 0;
  for (const auto [y, z] : views::zip(truth, predicted)) sum += std::abs(z - y);
  return sum / static_cast<double>(truth.size());
}

[[nodiscard]] inline double root_mean_squared_error(std::span<const double> truth, std::span<const double> predicted) {
  check_same_length(truth.size(), predicted.size(), "root_mean_squared_error");
  double sum = 0;
  for (const auto [y, z] : views::zip(truth, predicted)) sum += (z - y) * (z - y);
  return std::sqrt(sum / static_cast<double>(truth.size()));
}

/// 1 - residual / total sum of squares; negative where the mean would do better.
[[nodiscard]] inline double r_squared(std::span<const double> truth, std::span<const double> predicted) {
  check_same_length(truth.size(), predicted.size(), "r_squared");
  double residual = 0;
  for (const auto [y, z] : views::zip(truth, predicted)) residual += (z - y) * (z - y);
  return 1 - residual / (static_cast<double>(truth.size()) * variance(truth));
}

/// Spearman's rank correlation, with ties.
[[nodiscard]] inline double spearman(std::span<const double> a, std::span<const double> b) {
  check_same_length(a.size(), b.size(), "spearman");
  return pearson(detail::ranks(a), detail::ranks(b));
}

[[nodiscard]] inline double bias(std::span<const double> truth, std::span<const double> predicted) {
  check_same_length(truth.size(), predicted.size(), "bias");
  return mean(predicted) - mean(truth);
}

/// Area under the ROC curve of a score that should be larger for positives; ties count half. NaN without both kinds.
[[nodiscard]] inline double area_under_curve(std::span<const double> score, const std::vector<bool>& positive) {
  check_same_length(score.size(), positive.size(), "area_under_curve");
  const std::vector<double> rank = detail::ranks(score);
  double sum = 0, n = 0;
  for (const auto [r, is_positive] : ranges::views::zip(rank, positive))
    if (is_positive) sum += r, n += 1;
  const double others = static_cast<double>(score.size()) - n;
  return n == 0 || others == 0 ? std::numeric_limits<double>::quiet_NaN() : (sum - n * (n + 1) / 2) / (n * others);
}

/// Harrell's C: the share of the pairs of known order in which the record with the earlier event
/// has the larger risk; equal risks count half. A record that is censored at the time of another's
/// event is later. NaN without such a pair. Cost: n² comparisons.
/// From Harrell, Lee, Mark, 1996.
[[nodiscard]] inline double c_index(std::span<const double> risk, std::span<const double> time,
                                    const std::vector<bool>& event) {
  check_same_length(risk.size(), time.size(), "c_index");
  check_same_length(risk.size(), event.size(), "c_index");
  if (detail::any_nan(risk)) return detail::kNotANumber;
  double right = 0, pairs = 0;
  for (std::size_t i = 0; i < time.size(); ++i) {
    if (!event[i]) continue;
    for (std::size_t j = 0; j < time.size(); ++j) {
      const bool earlier = time[i] < time[j] || (time[i] == time[j] && !event[j]);
      if (!earlier) continue;
      right += risk[i] > risk[j] ? 1 : risk[i] == risk[j] ? 0.5 : 0;
      pairs += 1;
    }
  }
  return pairs > 0 ? right / pairs : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace equipoise
