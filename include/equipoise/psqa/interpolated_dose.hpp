// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The dose between the points of a grid.

#include <equipoise/psqa/dose_grid.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace equipoise::psqa {

/// A grid's dose at a place (x, y, z; mm), linear between its points; NaN beyond them.
[[nodiscard]] inline double interpolated_dose(const DoseGrid& g, const std::array<double, 3>& place) {
  std::array<std::size_t, 3> low{};
  std::array<double, 3> share{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (axis == 0 && g.shape[0] == 1) continue;  // a plane's height does not count
    const double at = (place[2 - axis] - g.origin[axis]) / g.spacing[axis],
                 last = static_cast<double>(g.shape[axis] - 1);
    if (!(at >= -1e-6 && at <= last + 1e-6)) return std::numeric_limits<double>::quiet_NaN();
    const double inside = std::clamp(at, 0.0, last);
    low[axis] = static_cast<std::size_t>(inside);
    share[axis] = inside - std::floor(inside);
  }
  double sum = 0;
  for (std::size_t corner = 0; corner < 8; ++corner) {
    double weight = 1;
    std::array<std::size_t, 3> i = low;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const bool high = (corner >> axis & 1) != 0;
      weight *= high ? share[axis] : 1 - share[axis];
      i[axis] += high ? 1 : 0;
    }
    if (weight > 1e-9) sum += weight * g.at(i[0], i[1], i[2]);
  }
  return sum;
}

}  // namespace equipoise::psqa
