// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Grids that the tests of gamma are made of. Axes z, y, x throughout.

#include <equipoise/core/base/random.hpp>
#include <equipoise/psqa/gamma/gamma.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace gamma_grids {

using equipoise::psqa::DoseGrid;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

inline DoseGrid grid(std::array<std::size_t, 3> shape, std::array<double, 3> spacing, std::array<double, 3> origin,
                     std::vector<double> values) {
  DoseGrid g;
  g.shape = shape, g.spacing = spacing, g.origin = origin, g.values = std::move(values);
  return g;
}

inline DoseGrid random_plane(std::uint64_t seed, std::size_t n, double spacing) {
  DoseGrid g = DoseGrid::plane(n, n, spacing);
  for (std::size_t i = 0; i < g.values.size(); ++i)
    g.values[i] = 0.5 + equipoise::to_uniform(equipoise::hash_of({seed, i}));
  return g;
}

inline DoseGrid random_volume(std::uint64_t seed, std::array<std::size_t, 3> shape, std::array<double, 3> origin) {
  DoseGrid g = grid(shape, {2, 1.5, 1.7}, origin, {});
  for (std::size_t i = 0; i < g.size(); ++i)
    g.values.push_back(0.5 + equipoise::to_uniform(equipoise::hash_of({seed, i})));
  return g;
}

/// The mirror image of a grid, and of values on it, across an axis.
inline DoseGrid mirrored(const DoseGrid& g, const std::vector<double>& values, std::size_t axis) {
  DoseGrid out = g;
  out.origin[axis] = -(g.origin[axis] + g.spacing[axis] * double(g.shape[axis] - 1));
  std::array<std::size_t, 3> i{};
  for (i[0] = 0; i[0] < g.shape[0]; ++i[0])
    for (i[1] = 0; i[1] < g.shape[1]; ++i[1])
      for (i[2] = 0; i[2] < g.shape[2]; ++i[2]) {
        std::array<std::size_t, 3> to = i;
        to[axis] = g.shape[axis] - 1 - i[axis];
        out.at(to[0], to[1], to[2]) = values[(i[0] * g.shape[1] + i[1]) * g.shape[2] + i[2]];
      }
  return out;
}
inline DoseGrid mirrored(const DoseGrid& g, std::size_t axis) {
  return mirrored(g, g.values, axis);
}

/// Whether a map has these values, NaN where they are: to `margin`, or to that part of what is above one.
template <class T = double>
void same(const std::vector<float>& got, const std::vector<T>& expected, double margin) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO("value " << i);
    const double e = double(expected[i]);
    if (std::isnan(e))
      CHECK(std::isnan(got[i]));
    else
      CHECK(double(got[i]) == Approx(e).epsilon(0).margin(margin * std::max(1.0, e)));
  }
}

}  // namespace gamma_grids
