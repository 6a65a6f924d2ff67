// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Tables of doses with the places of their rows and columns, as detectors' text files hold them.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/text_file.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace equipoise::psqa::detail {

/// Places in ascending order with one pitch. \throws FileError
[[nodiscard]] inline double pitch_of(const std::vector<double>& places, const TextFile& file, const char* axis) {
  if (places.size() < 2)
    throw FileError(
        message("file.443", file.where(), "expected at least 2 places along ", axis, ", got ", places.size()));
  const double pitch = (places.back() - places.front()) / static_cast<double>(places.size() - 1);
  for (const auto& [before, place] : views::adjacent(places))
    if (!(pitch > 0) || !std::isfinite(pitch) || std::abs(place - before - pitch) > 0.02 * pitch)
      throw FileError(message("file.443", file.where(), "expected evenly spaced places along ", axis, ", got ", before,
                              " and ", place));
  return pitch;
}

/// Rows of (y, values) and the columns' x, all mm, into a grid; rows may come in either order.
[[nodiscard]] inline DoseGrid grid_of(std::vector<std::pair<double, std::vector<double>>> rows,
                                      const std::vector<double>& x, const TextFile& file) {
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<double> y;
  DoseGrid g;
  for (auto& [place, values] : rows) {
    if (values.size() != x.size())
      throw FileError(message("file.443", file.where(), "row y = ", place, ": expected ", x.size(), " values, got ",
                              values.size()));
    y.push_back(place);
    g.values.insert(g.values.end(), values.begin(), values.end());
  }
  g.shape = {1, rows.size(), x.size()};
  g.spacing = {1, pitch_of(y, file, "y"), pitch_of(x, file, "x")};
  g.origin = {0, y.front(), x.front()};
  return g;
}

}  // namespace equipoise::psqa::detail
