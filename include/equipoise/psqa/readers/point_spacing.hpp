// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The distances between points that a file does not state: `2`, `2x3` or `2,3,5` mm.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>

namespace equipoise::psqa {

/// mm between points along x (a row's columns), along y (from row to row) and along z (from frame to frame).
struct PointSpacing {
  double x = 1, y = 1;  ///< > 0
  double z = 1;         ///< > 0; 0 where it is not known, and a volume cannot be read

  constexpr PointSpacing() = default;
  /// The same along all axes.
  constexpr PointSpacing(double mm) : x(mm), y(mm), z(mm) {}  // NOLINT(google-explicit-constructor): 2 mm are 2x2x2 mm
  constexpr PointSpacing(double along_x, double along_y, double along_z) : x(along_x), y(along_y), z(along_z) {}
  friend bool operator==(const PointSpacing&, const PointSpacing&) = default;
};

/// One number for all axes, or two or three with `x` or `,` between them: along x, y and z.
/// \param where the option's name \throws ValueError
[[nodiscard]] inline PointSpacing parse_point_spacing(std::string_view text, const std::string& where) {
  std::array<double, 3> mm{};
  std::size_t count = 0;
  bool good = true;
  for (std::size_t at = 0; good && at <= text.size();) {
    const std::size_t end = std::min(text.find_first_of("x,", at), text.size());
    good = count < 3 && parse_option(text.substr(at, end - at), mm[count]) && mm[count] > 0 && std::isfinite(mm[count]);
    ++count, at = end + 1;
  }
  if (!good)
    throw ValueError(message("value.212", where,
                             "expected numbers > 0 such as 2, 2x3 or 2,3,5 (mm along x, y, z), got \"", text, "\""));
  return count == 1 ? PointSpacing(mm[0]) : PointSpacing(mm[0], mm[1], mm[2]);
}

}  // namespace equipoise::psqa
