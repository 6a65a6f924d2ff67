// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The smallest mean absolute error with which one delivery can be predicted, from repeated deliveries
/// under the same known circumstances. The best prediction is the median of their distribution.

#include <equipoise/core/base/statistics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace equipoise::psqa {

/// What n deliveries of a record say of one of its passing rates; in the rates' unit (points).
///
/// The floor R = E|x - median| is not observed. The mean distance of the deliveries from their own
/// median is below R on average, and the mean distance of each from the median of the others is above
/// it, both by 1 / (4 n f) to first order, where f is the density at the median. Their mean is the
/// estimate: for normal rates it is 1 % too high from 6 deliveries and 0.2 % from 10.
/// Half the mean difference of two deliveries is below R for any distribution and any n.
struct DeliveryFloor {
  static constexpr double nan = std::numeric_limits<double>::quiet_NaN();

  double floor = nan;            ///< the estimate of R: mean of the next two
  double in_sample = nan;        ///< mean distance from the median of all; on average <= R
  double leave_one_out = nan;    ///< mean distance from the median of the others; on average >= R
  double half_difference = nan;  ///< half the mean |x - x'|; on average <= R
};

namespace detail {

/// The median of sorted numbers without the one at `left_out`. \pre at least two numbers
[[nodiscard]] inline double median_without(std::span<const double> sorted, std::size_t left_out) {
  const auto at = [&](std::size_t i) { return sorted[i < left_out ? i : i + 1]; };
  const std::size_t n = sorted.size() - 1;
  return n % 2 == 1 ? at(n / 2) : 0.5 * (at(n / 2 - 1) + at(n / 2));
}

}  // namespace detail

/// The floor of one rate from its deliveries, which are alike in what is known and drawn anew in all
/// else. Rates that are NaN do not count; all figures are NaN for fewer than two others.
[[nodiscard]] inline DeliveryFloor delivery_floor(std::span<const double> rates) {
  std::vector<double> x(rates.begin(), rates.end());
  std::erase_if(x, [](double v) { return std::isnan(v); });
  if (x.size() < 2) return {};
  std::sort(x.begin(), x.end());
  const double median = quantile(x, 0.5), n = static_cast<double>(x.size());
  DeliveryFloor out{0, 0, 0, 0};
  for (std::size_t i = 0; i < x.size(); ++i) {
    out.in_sample += std::abs(x[i] - median) / n;
    out.leave_one_out += std::abs(x[i] - detail::median_without(x, i)) / n;
    out.half_difference += x[i] * (2 * static_cast<double>(i) + 1 - n) / (n * (n - 1));  // of sorted numbers
  }
  out.floor = 0.5 * (out.in_sample + out.leave_one_out);
  return out;
}

}  // namespace equipoise::psqa
