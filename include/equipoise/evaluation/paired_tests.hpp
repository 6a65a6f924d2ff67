// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Tests of paired differences between methods: Wilcoxon's signed ranks, and Holm's correction for several comparisons.

#include <equipoise/core/base/errors.hpp>

#include <boost/math/distributions/normal.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

namespace equipoise {

/// Two-sided p-value of Wilcoxon's signed-rank test that differences are symmetric about zero: the normal approximation
/// with correction for ties and continuity, zeros left out. One where fewer than two differences are not zero.
/// Wilcoxon, Biometrics Bulletin 1945, 1, 80. \throws ValueError for a difference that is NaN.
[[nodiscard]] inline double wilcoxon_signed_rank(std::vector<double> differences) {
  for (const double d : differences)
    if (std::isnan(d))
      throw ValueError(message("value.226", "wilcoxon_signed_rank", "expected differences that are numbers, got ", d));
  std::erase(differences, 0.0);
  std::sort(differences.begin(), differences.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  const double n = static_cast<double>(differences.size());
  if (n < 2) return 1;
  double positive = 0, ties = 0;
  for (std::size_t i = 0; i < differences.size();) {
    std::size_t end = i;
    while (end < differences.size() && std::abs(differences[end]) == std::abs(differences[i])) ++end;
    const double rank = 0.5 * static_cast<double>(i + 1 + end), same = static_cast<double>(end - i);
    ties += same * same * same - same;
    for (; i < end; ++i)
      if (differences[i] > 0) positive += rank;
  }
  const double mean = n * (n + 1) / 4, variance = n * (n + 1) * (2 * n + 1) / 24 - ties / 48;
  if (!(variance > 0)) return 1;
  const double z = std::max(0.0, std::abs(positive - mean) - 0.5) / std::sqrt(variance);
  return 2 * cdf(complement(boost::math::normal(), z));
}

/// p-values corrected for their number, in the given order. Holm, Scandinavian Journal of Statistics 1979, 6, 65.
[[nodiscard]] inline std::vector<double> holm(const std::vector<double>& p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> out(p.size());
  double maximum = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    maximum = std::max(maximum, std::min(1.0, static_cast<double>(order.size() - i) * p[order[i]]));
    out[order[i]] = maximum;
  }
  return out;
}

}  // namespace equipoise
