// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Criteria and results of a gamma evaluation (Low 1998; TG-218, Miften 2018), and the row of
/// points that a search receives.

#include <equipoise/core/base/enumeration.hpp>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/text_stream.hpp>
#include <equipoise/psqa/dose_grid.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// Where the search may look: within the plane (grids of one frame), within the evaluated distribution's plane at the
/// reference frame's z (2.5D; the classic search takes the nearest frame), or all around (3D).
enum class GammaSpace : std::uint8_t { plane, slices, volume };

struct GammaCriteria {
  double dd_percent = 2;       ///< dose difference, % of the norm (global) or of the reference dose (local); > 0
  double dta_mm = 2;           ///< distance to agreement; > 0
  bool local = false;          ///< local instead of global normalisation
  double cutoff_percent = 10;  ///< reference points below this % of the norm are not evaluated, to a part in 1e6; >= 0
  std::optional<double> norm{};       ///< Gy; by default the maximum of the evaluated distribution
  double max_gamma = 2;               ///< values are capped here; > 0. A pass is judged before the cap
  std::optional<GammaSpace> space{};  ///< by default `plane` for two grids of one frame, `volume` for two volumes

  /// How far (mm) evaluated dose may be from a reference point that is judged: the dta, whatever the cap. A point
  /// further away could not pass with any dose.
  [[nodiscard]] double reach_mm() const { return dta_mm; }
  /// How far (mm) a search looks for a smaller value: up to the cap, and at least as far as a point may pass.
  [[nodiscard]] double search_mm() const { return std::max(max_gamma, 1.0) * dta_mm; }
};

/// How the evaluation runs; the result does not depend on it.
struct GammaExecution {
  unsigned threads = 1;         ///< 0: as many as the machine has
  bool pass_rate_only = false;  ///< no map, mean or maximum; points are left as soon as they are known to pass
};

struct GammaResult {
  std::vector<float> map;        ///< [frames * rows * columns] of the reference; NaN where not evaluated
  double pass_rate = 0;          ///< %, of the evaluated points; NaN when there are none
  double mean = 0, max = 0;      ///< of the evaluated points
  double min = 0;                ///< the minimum
  double variance = 0;           ///< of the population of evaluated points
  std::size_t evaluated = 0;     ///< points at or above the cut-off and within reach
  std::size_t out_of_reach = 0;  ///< points at or above the cut-off without evaluated dose within the dta
  std::size_t points = 0;        ///< of the reference
};

/// Points of one reference row that are to be judged.
struct GammaRow {
  const DoseGrid& reference;
  std::size_t frame, number;             ///< of the row
  std::span<const std::size_t> columns;  ///< of the points
  double z, y;                           ///< in cells of the evaluated grid
  std::span<const double> x;             ///< in cells of the evaluated grid
  std::span<const double> dose;          ///< Gy
  std::span<const double> tol;           ///< Gy: the dose difference that counts as one
};

/// A way to find γ²: `on(evaluated, criteria, space)` gives a searcher that is called with a row, a limit for γ and
/// where to write γ² (NaN where no evaluated dose is in reach, which must not depend on the limit).
template <class S>
concept GammaSearch = requires(const S& search, const DoseGrid& evaluated, const GammaCriteria& criteria,
                               const GammaRow& row, std::span<double> squared) {
  search.on(evaluated, criteria, GammaSpace::plane)(row, 2.0, false, squared);
};

namespace detail {

/// Slightly above one: a point exactly at the criterion passes, and dose exactly one DTA away is within it, despite
/// rounding. The only tolerance by which γ and distances in dta are compared with one.
inline constexpr double kPasses = 1 + 1e-9;
/// The same for their squares.
inline constexpr double kPassesSquared = kPasses * kPasses;

/// Whether two grids' axes point the same way; where one does not say, they are taken to.
[[nodiscard]] inline bool same_axes(const DoseGrid& a, const DoseGrid& b) {
  if (!a.axes || !b.axes) return true;
  for (std::size_t axis = 0; axis < 3; ++axis)
    for (std::size_t k = 0; k < 3; ++k)
      // A milliradian: 0.2 mm at 200 mm, about what cosines of few digits amount to.
      if (!(std::abs((*a.axes)[axis][k] - (*b.axes)[axis][k]) <= 1e-3)) return false;
  return true;
}

/// As DICOM writes it: the cosines of a row, which runs along the columns, and of a column.
[[nodiscard]] inline std::string text_of_axes(const PatientAxes& axes) {
  TextWriter out;
  for (const std::size_t axis : {std::size_t{2}, std::size_t{1}})
    for (std::size_t k = 0; k < 3; ++k)
      out << (axis == 2 && k == 0 ? "[" : ", ") << std::round(axes[axis][k] * 1e4) / 1e4 + 0.0;  // + 0: no -0
  return std::move(out).str() + "]";
}

inline void check_grid(const DoseGrid& g, const char* which) {
  if (g.values.size() != g.size() || g.size() == 0)
    throw ShapeError(
        message("shape.108", "gamma", "expected ", g.size(), " dose values of the ", which, ", got ", g.values.size()));
  for (std::size_t axis = g.shape[0] > 1 ? 0 : 1; axis < 3; ++axis)
    if (!(g.spacing[axis] > 0) || !std::isfinite(g.spacing[axis]))
      throw ValueError(
          message("value.301", "gamma", "expected a spacing > 0 mm of the ", which, ", got ", g.spacing[axis]));
  constexpr double kFar = 1e9;  // mm: squares and differences of nearer places are far from any overflow
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double first = g.origin[axis], last = first + g.spacing[axis] * static_cast<double>(g.shape[axis] - 1);
    if (!(std::abs(first) <= kFar && std::abs(last) <= kFar))
      throw ValueError(message("value.301", "gamma", "expected places of the ", which, " within ", kFar, " mm, got ",
                               first, " to ", last));
  }
}

/// \returns the space that is searched \throws ValueError, ShapeError
inline GammaSpace check_gamma(const GammaCriteria& c, const DoseGrid& reference, const DoseGrid& evaluated,
                              double norm) {
  const auto need = [](bool ok, const char* what, double got) {
    if (!ok) throw ValueError(message("value.301", "gamma", "expected ", what, ", got ", got));
  };
  const auto positive = [](double v) { return v > 0 && std::isfinite(v); };
  need(positive(c.dd_percent), "dose difference > 0 %", c.dd_percent);
  need(positive(c.dta_mm), "distance to agreement > 0 mm", c.dta_mm);
  need(positive(c.max_gamma), "maximum gamma > 0", c.max_gamma);
  need(c.cutoff_percent >= 0 && std::isfinite(c.cutoff_percent), "cut-off >= 0 %", c.cutoff_percent);
  check_grid(reference, "reference"), check_grid(evaluated, "evaluated");
  if (!common_unit(reference, evaluated))
    throw ValueError(message("value.307", "gamma", "expected doses of one unit, got ", unit_of(reference),
                             " (reference) and ", unit_of(evaluated), " (evaluated)"));
  if (!same_axes(reference, evaluated))
    throw ValueError(
        message("value.311", "gamma", "expected doses whose rows and columns run the same way, got the cosines ",
                text_of_axes(*reference.axes), " (reference) and ", text_of_axes(*evaluated.axes), " (evaluated)"));
  need(positive(norm), "a norm dose > 0 Gy", norm);
  const bool planes = reference.shape[0] == 1 && evaluated.shape[0] == 1;
  if (!c.space && (reference.shape[0] == 1) != (evaluated.shape[0] == 1))
    throw ShapeError(message("shape.109", "gamma", "expected two planes or two volumes where no space is chosen, got ",
                             reference.shape[0], " and ", evaluated.shape[0], " frames"));
  const GammaSpace space = c.space.value_or(planes ? GammaSpace::plane : GammaSpace::volume);
  if (space == GammaSpace::plane && !planes)
    throw ShapeError(message("shape.108", "gamma", "expected planes, got ", reference.shape[0], " and ",
                             evaluated.shape[0], " frames"));
  return space;
}

/// How far (mm) a coordinate in cells lies outside 0 .. n - 1.
[[nodiscard]] inline double outside(double at, std::size_t n, double spacing) {
  return std::max({0.0, -at, at - static_cast<double>(n - 1)}) * spacing;
}

}  // namespace detail

}  // namespace equipoise::psqa
