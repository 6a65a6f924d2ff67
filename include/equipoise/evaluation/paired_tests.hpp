// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Tests of paired differences between methods: Wilcoxon's signed ranks, and Holm's correction for several comparisons.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/evaluation/metrics.hpp>

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
  if (differences.size() < 2) return 1;
  std::vector<double> sizes;
  for (const double d : differences) sizes.push_back(std::abs(d));
  const std::vector<double> ranks = detail::ranks(sizes);
  double positive = 0, mean = 0, variance = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (differences[i] > 0) positive += ranks[i];
    mean += ranks[i] / 2, variance += ranks[i] * ranks[i] / 4;  // each sign is one or the other with probability 1/2
  }
  const double z = std::max(0.0, std::abs(positive - mean) - 0.5) / std::sqrt(variance);
  return 2 * cdf(complement(boost::math::normal(), z));
}

/// p-values corrected for their number, in the given order. Holm, Scandinavian Journal of Statistics 1979, 6, 65.
/// \throws ValueError for one outside [0, 1], or NaN
[[nodiscard]] inline std::vector<double> holm(const std::vector<double>& p) {
  for (const double one : p) check_option(one >= 0 && one <= 1, "holm", "p-values in [0, 1]", one);
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
