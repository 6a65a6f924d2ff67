// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Dose on a regular grid. A plane is a grid with one frame.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise::psqa {

/// The unit of a dose: Gy, relative to some dose, another one (counts), or unknown: the file does not say it.
enum class DoseUnits : std::uint8_t { unknown, gray, relative, other };
[[nodiscard]] constexpr std::array<std::string_view, 4> names_of(DoseUnits) {
  return {"unknown", "GY", "RELATIVE", "OTHER"};
}

/// Where a grid's axes point: unit vectors (x, y, z) of the patient down the frames, down the rows, along the columns.
using PatientAxes = std::array<std::array<double, 3>, 3>;

/// Axes that are the patient's own z, y and x.
inline constexpr PatientAxes kAxial = {{{0, 0, 1}, {0, 1, 0}, {1, 0, 0}}};
/// Those of a plane at right angles to a vertical beam: its normal, z and x.
inline constexpr PatientAxes kCoronal = {{{0, 1, 0}, {0, 0, 1}, {1, 0, 0}}};

/// Where a patient's point (x, y, z) lies along axes: down the frames, down the rows, along the columns.
[[nodiscard]] inline std::array<double, 3> along(const PatientAxes& axes, std::span<const double, 3> point) {
  std::array<double, 3> out{};
  for (std::size_t axis = 0; axis < 3; ++axis)
    for (std::size_t k = 0; k < 3; ++k) out[axis] += axes[axis][k] * point[k];
  return out;
}

struct DoseGrid {
  std::array<std::size_t, 3> shape = {1, 0, 0};  ///< frames (z), rows (y), columns (x)
  std::array<double, 3> spacing = {1, 1, 1};     ///< mm, z y x
  std::array<double, 3> origin = {0, 0, 0};      ///< mm, z y x: centre of the first voxel
  std::vector<double> values;                    ///< in `units`, x fastest
  DoseUnits units = DoseUnits::unknown;
  std::optional<PatientAxes> axes{};    ///< none where nothing says how the grid lies in a patient (detectors, tables)
  std::vector<std::string> warnings{};  ///< what the reader of a file ignored or took for granted, in words
  std::string unit{};                   ///< what the file calls its unit ("%", "cnt"); empty where it does not say it
  bool spacing_assumed = false;         ///< its file does not say how far apart points are

  [[nodiscard]] std::size_t size() const { return shape[0] * shape[1] * shape[2]; }
  [[nodiscard]] double& at(std::size_t z, std::size_t y, std::size_t x) {
    return values[(z * shape[1] + y) * shape[2] + x];
  }
  [[nodiscard]] double at(std::size_t z, std::size_t y, std::size_t x) const {
    return values[(z * shape[1] + y) * shape[2] + x];
  }

  /// Turns the doses round along an axis (0 frames, 1 rows, 2 columns); the grid stays where it is.
  void mirror(std::size_t axis) {
    const DoseGrid before = *this;
    for (std::size_t z = 0; z < shape[0]; ++z)
      for (std::size_t y = 0; y < shape[1]; ++y)
        for (std::size_t x = 0; x < shape[2]; ++x)
          at(z, y, x) = before.at(axis == 0 ? shape[0] - 1 - z : z, axis == 1 ? shape[1] - 1 - y : y,
                                  axis == 2 ? shape[2] - 1 - x : x);
  }
  /// Moves the grid so that its middle is the origin of coordinates.
  void centre() {
    for (std::size_t k = 0; k < 3; ++k) origin[k] = -0.5 * spacing[k] * static_cast<double>(shape[k] - 1);
  }

  /// Whether a place (mm) lies within a plane's outermost points.
  [[nodiscard]] bool covers(double x, double y) const {
    return x >= origin[2] && y >= origin[1] && x <= origin[2] + spacing[2] * static_cast<double>(shape[2] - 1) &&
           y <= origin[1] + spacing[1] * static_cast<double>(shape[1] - 1);
  }
  /// A plane's dose at a place (mm), bilinear; beyond the outermost points theirs. \pre at least 2 x 2 points
  [[nodiscard]] double sample(double x, double y) const {
    const double px = std::clamp((x - origin[2]) / spacing[2], 0.0, static_cast<double>(shape[2] - 1)),
                 py = std::clamp((y - origin[1]) / spacing[1], 0.0, static_cast<double>(shape[1] - 1));
    const auto i = std::min(static_cast<std::size_t>(px), shape[2] - 2),
               j = std::min(static_cast<std::size_t>(py), shape[1] - 2);
    const double fx = px - static_cast<double>(i), fy = py - static_cast<double>(j);
    return (1 - fy) * ((1 - fx) * at(0, j, i) + fx * at(0, j, i + 1)) +
           fy * ((1 - fx) * at(0, j + 1, i) + fx * at(0, j + 1, i + 1));
  }

  /// A plane of zeros whose centre is the origin of coordinates.
  [[nodiscard]] static DoseGrid plane(std::size_t rows, std::size_t columns, double spacing_mm) {
    DoseGrid g;
    g.shape = {1, rows, columns};
    g.spacing = {1, spacing_mm, spacing_mm};
    g.centre();
    g.values.assign(rows * columns, 0.0);
    return g;
  }
};

/// A grid's unit as a sentence has it: "Gy", "RELATIVE (%)", "cnt", "no unit".
[[nodiscard]] inline std::string unit_of(const DoseGrid& g) {
  switch (g.units) {
    case DoseUnits::gray:
      return "Gy";
    case DoseUnits::relative:
      return g.unit.empty() || g.unit == "RELATIVE" ? "RELATIVE" : "RELATIVE (" + g.unit + ")";
    case DoseUnits::other:
      return g.unit.empty() ? "counts" : g.unit;
    case DoseUnits::unknown:
      break;
  }
  return "no unit";
}

/// Whether relative doses are in %, and not fractions of one.
[[nodiscard]] inline bool in_percent(const DoseGrid& g) {
  return g.unit.find('%') != std::string::npos;
}

/// Whether the numbers of two grids mean the same. What does not say its unit goes with any.
[[nodiscard]] inline bool common_unit(const DoseGrid& a, const DoseGrid& b) {
  if (a.units == DoseUnits::unknown || b.units == DoseUnits::unknown) return true;
  if (a.units != b.units) return false;
  if (a.units == DoseUnits::relative) return in_percent(a) == in_percent(b);
  return a.units == DoseUnits::gray || a.unit == b.unit;
}

/// The maximum dose of those that are numbers; NaN when there is none.
[[nodiscard]] inline double maximum_dose(const DoseGrid& g) {
  double maximum = std::numeric_limits<double>::quiet_NaN();
  for (const double v : g.values)
    if (!(v <= maximum)) maximum = std::isnan(v) ? maximum : v;
  return maximum;
}

}  // namespace equipoise::psqa
