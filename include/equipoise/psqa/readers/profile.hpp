// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Profiles: places and doses along one line, as a plane of one row.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/text_file.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace equipoise::psqa::detail {

/// The largest step (mm) of which all gaps between places are multiples. \param x rising, at least two
/// \throws FileError for places that have no such step of 0.001 mm or more, or more points than are reasonable with it
[[nodiscard]] inline double common_step(const std::vector<double>& x, const TextFile& file) {
  const double span = x.back() - x.front(), mean = span / static_cast<double>(x.size() - 1);
  bool even = true;
  for (std::size_t i = 1; i < x.size(); ++i) even = even && std::abs(x[i] - x[i - 1] - mean) <= 0.02 * mean;
  if (even && std::isfinite(mean)) return mean;
  constexpr double kUnit = 0.001, kMostPoints = 1e5;  // mm
  std::int64_t step = 0;
  bool decimal = span < 1e9;
  for (std::size_t i = 1; decimal && i < x.size(); ++i) {
    const double units = (x[i] - x.front()) / kUnit;
    decimal = std::abs(units - std::round(units)) < 1e-3;
    step = std::gcd(step, static_cast<std::int64_t>(std::round(units)));
  }
  if (!decimal || step == 0 || span > kMostPoints * kUnit * static_cast<double>(step))
    throw FileError(message("file.443", file.where(),
                            "expected a profile's places in equal steps, or in multiples of one of at least ", kUnit,
                            " mm with at most ", kMostPoints, " points, got ", x.size(), " places from ", x.front(),
                            " to ", x.back(), " mm"));
  return kUnit * static_cast<double>(step);
}

/// A plane of one row along x. Where places are not evenly spaced the row has further points between them.
/// \param x mm, strictly rising or falling \param interpolated give those points doses that are linear between the
/// places, not NaN
/// \throws FileError for places that no grid can have
[[nodiscard]] inline DoseGrid profile_grid(std::vector<double> x, std::vector<double> dose, bool interpolated,
                                           const TextFile& file) {
  if (x.back() < x.front()) std::reverse(x.begin(), x.end()), std::reverse(dose.begin(), dose.end());
  const double step = common_step(x, file);
  DoseGrid g;
  g.shape = {1, 1, static_cast<std::size_t>(std::llround((x.back() - x.front()) / step)) + 1};
  g.spacing = {1, 1, step}, g.origin = {0, 0, x.front()};
  g.values.assign(g.shape[2], std::numeric_limits<double>::quiet_NaN());
  const auto index = [&](std::size_t i) { return static_cast<std::size_t>(std::llround((x[i] - x.front()) / step)); };
  for (std::size_t i = 0; i < x.size(); ++i) {
    g.values[index(i)] = dose[i];
    if (i == 0 || !interpolated) continue;
    const std::size_t first = index(i - 1), last = index(i);
    for (std::size_t k = first + 1; k < last; ++k)
      g.values[k] =
          dose[i - 1] + (dose[i] - dose[i - 1]) * static_cast<double>(k - first) / static_cast<double>(last - first);
  }
  return g;
}

}  // namespace equipoise::psqa::detail
