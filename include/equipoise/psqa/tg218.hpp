// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Tolerance and action limits of passing rates after TG-218 (Miften 2018, Med Phys 45:e53): the universal ones, and a
/// clinic's own from a control chart of its results.
///   tolerance = mean - 2.660 · mean moving range
///   action = 100 - DA / 2,   DA = β · sqrt(variance + (mean - 100)²),   β = 6

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/base/statistics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace equipoise::psqa {

/// At 3 %/2 mm, global, 10 % threshold, absolute dose.
inline constexpr double kUniversalTolerance = 95, kUniversalAction = 90;
/// Rates that differ by less are equal, in %: the last digits are the arithmetic's.
inline constexpr double kRateTolerance = 1e-9;

/// A control chart of passing rates in the order in which they were measured, %.
struct ControlChart {
  std::size_t results = 0;
  double mean = 0, sd = 0, moving_range = 0;  ///< sd of the sample; moving range: mean of |x_i - x_{i-1}|
  double tolerance = 0, action = 0;           ///< the clinic's own limits
  double centre_low = 0, centre_high = 0;     ///< individuals chart: mean ± 2.660 moving ranges, at most 100
  std::vector<std::size_t> out_of_control;    ///< results below the lower control limit
  std::size_t below_universal_tolerance = 0, below_universal_action = 0;

  /// Whether the limits can be used. With few or widely scattered results, the action limit can lie
  /// above the tolerance limit, or limits can lie below 0.
  [[nodiscard]] bool usable() const { return 0 < action && action <= tolerance; }
};

/// \param rates at least 2, in the order of measurement, %; TG-218 wants at least 20
/// \throws ValueError for fewer, for a rate that is not within 0 .. 100, or for rates that are all at most 1: parts of one
/// instead of %.
[[nodiscard]] inline ControlChart control_chart(std::span<const double> rates) {
  if (rates.size() < 2)
    throw ValueError(message("value.303", "tg218", "expected at least 2 passing rates, got ", rates.size()));
  ControlChart c;
  c.results = rates.size();
  double maximum = 0;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    if (!(rates[i] >= -kRateTolerance && rates[i] <= 100 + kRateTolerance))
      throw ValueError(
          message("value.303", "tg218", "result ", i + 1, ": expected a rate within 0 .. 100 %, got ", rates[i]));
    maximum = std::max(maximum, rates[i]);
    c.below_universal_tolerance += rates[i] < kUniversalTolerance - kRateTolerance;
    c.below_universal_action += rates[i] < kUniversalAction - kRateTolerance;
  }
  if (maximum <= 1)
    throw ValueError(message("value.303", "tg218", "expected rates in %, got only numbers up to ", maximum,
                             ": is 1 meant to be 100 %?"));
  std::vector<double> moves;
  for (const auto& [before, rate] : views::adjacent(rates)) moves.push_back(std::abs(rate - before));
  c.mean = mean(rates), c.sd = sample_standard_deviation(rates), c.moving_range = mean(moves);
  c.tolerance = c.centre_low = c.mean - 2.660 * c.moving_range;
  c.centre_high = std::min(100.0, c.mean + 2.660 * c.moving_range);
  c.action = 100 - 0.5 * 6 * std::sqrt(c.sd * c.sd + (c.mean - 100) * (c.mean - 100));
  for (std::size_t i = 0; i < rates.size(); ++i)
    if (rates[i] < c.centre_low - kRateTolerance) c.out_of_control.push_back(i);
  return c;
}

}  // namespace equipoise::psqa
