// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How the values of a gamma map are distributed: percentiles, and a histogram whose bins end at a pass.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <span>
#include <vector>

namespace equipoise::psqa {

/// Of the judged points. Values are capped as the map is, so that a percentile at the cap means "at least".
struct GammaDistribution {
  double median = 0, p95 = 0, p99 = 0;  ///< linear between order statistics; NaN without a judged point
  std::vector<double> edges;            ///< of the bins, from 0 to the cap; a bin holds its upper edge
  std::vector<std::size_t> counts;      ///< one fewer
};

namespace detail {

/// The q-quantile, linear between order statistics; NaN of no value. Reorders the values, in linear time.
[[nodiscard]] inline double quantile_in_place(std::vector<float>& values, double q) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double at = q * static_cast<double>(values.size() - 1);
  const auto low = values.begin() + static_cast<std::ptrdiff_t>(at);
  std::nth_element(values.begin(), low, values.end());
  const double below = static_cast<double>(*low), share = at - std::floor(at);
  return share > 0 ? below + share * (static_cast<double>(*std::min_element(low + 1, values.end())) - below) : below;
}

}  // namespace detail

/// \param map γ, NaN where it was not judged \param max_gamma the map's cap, > 0
[[nodiscard]] inline GammaDistribution gamma_distribution(std::span<const float> map, double max_gamma) {
  std::vector<float> values;
  std::copy_if(map.begin(), map.end(), std::back_inserter(values), [](float v) { return !std::isnan(v); });
  GammaDistribution out;
  out.median = detail::quantile_in_place(values, 0.5);
  out.p95 = detail::quantile_in_place(values, 0.95), out.p99 = detail::quantile_in_place(values, 0.99);
  // Tenths, so that a bin ends at 1; of a large cap hundred bins.
  const double width = max_gamma <= 10 ? 0.1 : max_gamma / 100;
  constexpr double kRounding = 1e-6;  // of single precision, in which maps are kept
  const auto bins = static_cast<std::size_t>(std::max(1.0, std::ceil(max_gamma / width - kRounding)));
  for (std::size_t i = 0; i <= bins; ++i)
    // i / 10 is the decimal's nearest number, i * 0.1 is not always.
    out.edges.push_back(
        std::min(max_gamma, max_gamma <= 10 ? static_cast<double>(i) / 10 : width * static_cast<double>(i)));
  out.counts.assign(bins, 0);
  for (const float v : values) {
    const double at = static_cast<double>(v) / width, bin = std::ceil(at - kRounding * (1 + at)) - 1;
    ++out.counts[static_cast<std::size_t>(std::clamp(bin, 0.0, static_cast<double>(bins - 1)))];
  }
  return out;
}

}  // namespace equipoise::psqa
