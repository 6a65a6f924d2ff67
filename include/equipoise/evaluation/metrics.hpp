// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How far predictions are off: errors, rank correlation, and how well failing cases are told from passing ones. NaN
/// truths are left out by the caller.

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

[[nodiscard]] inline double mean_of(std::span<const double> x) {
  return x.empty() ? std::numeric_limits<double>::quiet_NaN()
                   : std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

/// Ranks from 1, ties share their mean.
[[nodiscard]] inline std::vector<double> ranks(std::span<const double> x) {
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

/// Of a population: the root of the mean squared distance from the mean.
[[nodiscard]] inline double standard_deviation(std::span<const double> x) {
  const double mean = detail::mean_of(x);
  double squares = 0;
  for (const double v : x) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / static_cast<double>(x.size()));
}

[[nodiscard]] inline double mean_absolute_error(std::span<const double> truth, std::span<const double> predicted) {
  double sum = 0;
  for (const auto [y, z] : ranges::views::zip(truth, predicted)) sum += std::abs(z - y);
  return sum / static_cast<double>(truth.size());
}

[[nodiscard]] inline double root_mean_squared_error(std::span<const double> truth, std::span<const double> predicted) {
  double sum = 0;
  for (const auto [y, z] : ranges::views::zip(truth, predicted)) sum += (z - y) * (z - y);
  return std::sqrt(sum / static_cast<double>(truth.size()));
}

/// 1 - residual / total sum of squares; negative where the mean would do better.
[[nodiscard]] inline double r_squared(std::span<const double> truth, std::span<const double> predicted) {
  const double mean = detail::mean_of(truth);
  double residual = 0, total = 0;
  for (const auto [y, z] : ranges::views::zip(truth, predicted))
    residual += (z - y) * (z - y), total += (y - mean) * (y - mean);
  return 1 - residual / total;
}

[[nodiscard]] inline double pearson(std::span<const double> a, std::span<const double> b) {
  const double ma = detail::mean_of(a), mb = detail::mean_of(b);
  double ab = 0, aa = 0, bb = 0;
  for (const auto [x, y] : ranges::views::zip(a, b))
    ab += (x - ma) * (y - mb), aa += (x - ma) * (x - ma), bb += (y - mb) * (y - mb);
  return ab / std::sqrt(aa * bb);
}

/// Spearman's rank correlation, with ties.
[[nodiscard]] inline double spearman(std::span<const double> a, std::span<const double> b) {
  return pearson(detail::ranks(a), detail::ranks(b));
}

[[nodiscard]] inline double bias(std::span<const double> truth, std::span<const double> predicted) {
  return detail::mean_of(predicted) - detail::mean_of(truth);
}

/// The q-quantile, linear between order statistics. q in [0, 1]
[[nodiscard]] inline double quantile(std::vector<double> x, double q) {
  if (x.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(x.begin(), x.end());
  const double at = q * static_cast<double>(x.size() - 1);
  const auto i = std::min(static_cast<std::size_t>(at), x.size() - 1), j = std::min(i + 1, x.size() - 1);
  return x[i] + (at - static_cast<double>(i)) * (x[j] - x[i]);
}

/// Area under the ROC curve of a score that should be larger for positives; ties count half. NaN without both kinds.
[[nodiscard]] inline double area_under_curve(std::span<const double> score, const std::vector<bool>& positive) {
  const std::vector<double> rank = detail::ranks(score);
  double sum = 0, n = 0;
  for (const auto [r, is_positive] : ranges::views::zip(rank, positive))
    if (is_positive) sum += r, n += 1;
  const double others = static_cast<double>(score.size()) - n;
  return n == 0 || others == 0 ? std::numeric_limits<double>::quiet_NaN() : (sum - n * (n + 1) / 2) / (n * others);
}

}  // namespace equipoise
