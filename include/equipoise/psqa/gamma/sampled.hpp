// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The minimum of Γ over samples of the evaluated distribution: on a pitch about each point (Wendling 2007), or over
/// the grid's own points (the classic method). They reproduce the values of other programs; `ExactMinimum` is better.

#include <equipoise/psqa/gamma/criteria.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

namespace equipoise::psqa {

namespace detail {

/// The searcher of `WendlingSearch`: offsets sorted by distance, left as soon as distance alone is no better.
/// \tparam Real in which places and doses are computed: in `double` places are in cells; in `float` they are in mm and
/// summed, as doses are weighted, in yagit's order, which decides the last digit there
template <class Real>
class WendlingSearcher {
  static constexpr bool kLikeYagit = std::is_same_v<Real, float>;

 public:
  WendlingSearcher(const DoseGrid& evaluated, const GammaCriteria& c, bool volume, double pitch, double radius,
                   double judged)
      : judged_(static_cast<Real>(judged * judged / (c.dta_mm * c.dta_mm) * kPassesSquared)),
        shape_(evaluated.shape),
        doses_(evaluated.values.begin(), evaluated.values.end()),
        volume_(volume) {
    for (std::size_t axis = 0; axis < 3; ++axis) {
      last_[axis] = static_cast<Real>(evaluated.shape[axis] - 1);
      origin_[axis] = static_cast<Real>(evaluated.origin[axis]);
      per_cell_[axis] = 1 / static_cast<Real>(evaluated.spacing[axis]);
    }
    const auto n = static_cast<std::int64_t>(std::floor(radius / pitch + 1e-6)), nz = volume ? n : 0;
    for (std::int64_t k = -nz; k <= nz; ++k)
      for (std::int64_t j = -n; j <= n; ++j)
        for (std::int64_t i = -n; i <= n; ++i) {
          const double x = static_cast<double>(i) * pitch, y = static_cast<double>(j) * pitch,
                       z = static_cast<double>(k) * pitch, square = x * x + y * y + z * z;
          if (std::sqrt(square) > radius + 1e-6) continue;
          const auto& cell = evaluated.spacing;
          offsets_.push_back(
              {static_cast<Real>(kLikeYagit ? z : z / cell[0]), static_cast<Real>(kLikeYagit ? y : y / cell[1]),
               static_cast<Real>(kLikeYagit ? x : x / cell[2]), static_cast<Real>(square / (c.dta_mm * c.dta_mm))});
        }
    std::stable_sort(offsets_.begin(), offsets_.end(),
                     [](const Offset& a, const Offset& b) { return a.space < b.space; });
    for (std::size_t axis = 0; axis < 3; ++axis)
      reach_[axis] = static_cast<double>(n) * pitch / evaluated.spacing[axis] + 1e-3;
  }

  void operator()(const GammaRow& row, double limit, bool pass_only, std::span<double> squared) const {
    const auto place = [&](std::size_t axis, std::size_t i, double cells) {
      return kLikeYagit ? static_cast<Real>(row.reference.origin[axis]) +
                              static_cast<Real>(i) * static_cast<Real>(row.reference.spacing[axis])
                        : static_cast<Real>(cells);
    };
    for (std::size_t p = 0; p < row.x.size(); ++p) {
      const std::array<double, 3> cells = {row.z, row.y, row.x[p]};
      bool inner = true;
      for (std::size_t axis = volume_ ? 0 : 1; axis < 3; ++axis)
        inner = inner && cells[axis] - reach_[axis] >= 0 && cells[axis] + reach_[axis] < last_[axis];
      const std::array<Real, 3> at = {place(0, row.frame, cells[0]), place(1, row.number, cells[1]),
                                      place(2, row.columns[p], cells[2])};
      const auto dose = static_cast<Real>(row.dose[p]), per_tol = static_cast<Real>(1 / row.tol[p]),
                 maximum = static_cast<Real>(limit);
      squared[p] = volume_ ? (inner ? min_squared<true, true>(at, dose, per_tol, maximum, pass_only)
                                    : min_squared<true, false>(at, dose, per_tol, maximum, pass_only))
                           : (inner ? min_squared<false, true>(at, dose, per_tol, maximum, pass_only)
                                    : min_squared<false, false>(at, dose, per_tol, maximum, pass_only));
    }
  }

 private:
  struct Offset {
    Real z, y, x;  ///< in cells, or mm
    Real space;    ///< squared distance, in dta²
  };

  template <bool Volume, bool Inner>
  [[nodiscard]] Real min_squared(const std::array<Real, 3>& at, Real dose, Real per_tol, Real limit,
                                 bool pass_only) const {
    Real best = limit * limit;
    bool found = false;
    for (const Offset& o : offsets_) {
      if (!found && o.space > judged_) break;
      // Nothing further away is better; but whether there is anything at all decides between a cap and no value.
      if (found && (o.space >= best || (pass_only && best <= 1))) break;
      const Real d = interpolated<Volume, Inner>(at[0] + o.z, at[1] + o.y, at[2] + o.x);
      if (std::isnan(d)) continue;
      found = true;
      const Real e = (d - dose) * per_tol;
      best = std::min(best, o.space + e * e);
    }
    return found ? best : std::numeric_limits<Real>::quiet_NaN();
  }

  /// The cell in which a place lies, and how far in it.
  template <bool Inner>
  [[nodiscard]] bool split(Real at, std::size_t axis, std::size_t& cell, Real& share) const {
    constexpr auto rim = static_cast<Real>(kLikeYagit ? 1e-4 : 1e-9);
    if constexpr (kLikeYagit) at = (at - origin_[axis]) * per_cell_[axis];
    if constexpr (!Inner) {
      if (at < -rim || at > last_[axis] + rim) return false;
      at = std::clamp(at, Real(0), last_[axis]);
    }
    cell = static_cast<std::size_t>(at);
    if (!Inner && cell + 1 >= shape_[axis]) cell = shape_[axis] < 2 ? 0 : shape_[axis] - 2;
    share = at - static_cast<Real>(cell);
    return true;
  }

  template <bool Volume, bool Inner>
  [[nodiscard]] Real interpolated(Real z, Real y, Real x) const {
    std::size_t k = 0, j = 0, i = 0;
    Real fz = 0, fy = 0, fx = 0;
    if (!split<Inner>(x, 2, i, fx) || !split<Inner>(y, 1, j, fy) || (Volume && !split<Inner>(z, 0, k, fz)))
      return std::numeric_limits<Real>::quiet_NaN();
    const std::size_t columns = shape_[2], plane = columns * shape_[1];
    const Real* at = doses_.data() + k * plane + j * columns + i;
    const auto between = [](Real p, Real q, Real f) { return kLikeYagit ? p * (1 - f) + q * f : p + f * (q - p); };
    // A share of zero must not touch the other side, which may lie beyond the grid.
    const auto along = [&](const Real* p) { return fx > 0 ? between(p[0], p[1], fx) : p[0]; };
    const auto across = [&](const Real* p) {
      const Real low = along(p);
      return fy > 0 ? between(low, along(p + columns), fy) : low;
    };
    const Real low = across(at);
    if constexpr (Volume)
      return fz > 0 ? between(low, across(at + plane), fz) : low;
    else
      return low;
  }

  Real judged_;  ///< squared distance, in dta², within which there must be dose
  std::array<std::size_t, 3> shape_;
  std::vector<Real> doses_;
  bool volume_;
  std::array<Real, 3> last_{}, origin_{}, per_cell_{};  ///< index, mm, 1/mm
  std::array<double, 3> reach_{};                       ///< of the offsets, in cells, and a hair
  std::vector<Offset> offsets_;
};

/// The searcher of `ClassicSearch`: grid points by rings about the nearest one.
class ClassicSearcher {
 public:
  /// \param within_dta points are judged by the distance from their doses' voxels; else by the radius
  ClassicSearcher(const DoseGrid& evaluated, const GammaCriteria& c, bool volume, double radius, bool within_dta)
      : grid_(evaluated), volume_(volume), within_dta_(within_dta), radius_(radius / c.dta_mm) {
    for (std::size_t axis = 0; axis < 3; ++axis) size_[axis] = evaluated.spacing[axis] / c.dta_mm;
  }

  void operator()(const GammaRow& row, double limit, bool pass_only, std::span<double> squared) const {
    for (std::size_t p = 0; p < row.x.size(); ++p)
      squared[p] = min_squared({row.z, row.y, row.x[p]}, row.dose[p], 1 / row.tol[p], limit, pass_only);
  }

 private:
  [[nodiscard]] double min_squared(const std::array<double, 3>& at, double dose, double per_tol, double limit,
                                   bool pass_only) const {
    std::int64_t home[3] = {};
    double off_grid = 0, smallest = std::numeric_limits<double>::infinity(), beyond = 0;
    for (std::size_t axis = volume_ ? 0 : 1; axis < 3; ++axis) {
      const auto last = static_cast<double>(grid_.shape[axis] - 1);
      home[axis] = static_cast<std::int64_t>(std::clamp(std::round(at[axis]), 0.0, last));
      off_grid = std::max(off_grid, std::abs(at[axis] - static_cast<double>(home[axis])));
      // An axis of one point has no rings. Its voxel says how far it reaches.
      if (grid_.shape[axis] < 2) continue;
      smallest = std::min(smallest, size_[axis]);
      const double out = outside(at[axis], grid_.shape[axis], size_[axis]);
      beyond += out * out;
    }
    if (std::isinf(smallest)) smallest = size_[1];
    if (within_dta_ && beyond > kPassesSquared) return std::numeric_limits<double>::quiet_NaN();
    double best = limit * limit;
    bool found = false;
    std::int64_t furthest = 0;
    for (const std::size_t n : grid_.shape) furthest = std::max(furthest, static_cast<std::int64_t>(n));
    for (std::int64_t ring = 0; ring <= furthest; ++ring) {
      // Half a cell nearer than its number: the point lies at most so far from its home, if within the grid.
      const double nearest = std::max(0.0, static_cast<double>(ring) - std::min(off_grid, 0.5)) * smallest;
      const bool too_far = within_dta_ && !found ? nearest - smallest / 2 > kPasses : nearest > radius_;
      if (too_far || (found && (nearest * nearest >= best || (pass_only && best <= 1)))) break;
      visit_ring(at, home, ring, dose, per_tol, best, found);
    }
    return found ? best : std::numeric_limits<double>::quiet_NaN();
  }

  void visit_ring(const std::array<double, 3>& at, const std::int64_t (&home)[3], std::int64_t ring, double dose,
                  double per_tol, double& best, bool& found) const {
    const std::int64_t rz = volume_ ? ring : 0;
    const auto square = [&](std::size_t axis, std::int64_t i) {
      const double d = (at[axis] - static_cast<double>(i)) * size_[axis];
      return d * d;
    };
    const auto in = [&](std::size_t axis, std::int64_t i) {
      return i >= 0 && i < static_cast<std::int64_t>(grid_.shape[axis]);
    };
    for (std::int64_t k = home[0] - rz; k <= home[0] + rz; ++k) {
      if (!in(0, k)) continue;
      for (std::int64_t j = home[1] - ring; j <= home[1] + ring; ++j) {
        if (!in(1, j)) continue;
        const bool rim = std::abs(j - home[1]) == ring || (volume_ && std::abs(k - home[0]) == ring);
        for (std::int64_t i = home[2] - ring; i <= home[2] + ring; i += rim || ring == 0 ? 1 : 2 * ring) {
          if (!in(2, i)) continue;
          const double space = (volume_ ? square(0, k) : 0) + square(1, j) + square(2, i);
          const double d =
              grid_.at(static_cast<std::size_t>(k), static_cast<std::size_t>(j), static_cast<std::size_t>(i));
          if (std::isnan(d)) continue;
          const bool within = std::sqrt(space) <= radius_ + 1e-9;
          if (!found) found = within_dta_ ? square_from_voxel(at, k, j, i) <= kPassesSquared : within;
          if (!within) continue;
          const double e = (d - dose) * per_tol;
          best = std::min(best, space + e * e);
        }
      }
    }
  }

  /// The squared distance (dta²) of a place from a grid point's voxel.
  [[nodiscard]] double square_from_voxel(const std::array<double, 3>& at, std::int64_t k, std::int64_t j,
                                         std::int64_t i) const {
    const std::array<std::int64_t, 3> index = {k, j, i};
    double out = 0;
    for (std::size_t axis = volume_ ? 0 : 1; axis < 3; ++axis) {
      const double gap = std::max(0.0, std::abs(at[axis] - static_cast<double>(index[axis])) - 0.5) * size_[axis];
      out += gap * gap;
    }
    return out;
  }

  const DoseGrid& grid_;
  bool volume_, within_dta_;
  double radius_;   ///< in dta
  double size_[3];  ///< of a cell, in dta
};

}  // namespace detail

/// Wendling 2007: the bilinear (trilinear) interpolant at offsets on a pitch. A pitch of dta / 10 finds values that are
/// too large on steep slopes, by 0.07 to 0.3 (docs/gamma.md); for criteria that shall be compared use one absolute pitch.
/// \tparam Real `float` computes as yagit does, and gives its values to the last digit that it prints
template <class Real = double>
struct WendlingSearch {
  double pitch_mm = 0;   ///< of the offsets; 0: dta / 10
  double radius_mm = 0;  ///< of the search and of the points that are judged; 0: max(max_gamma, 1) · dta, and the dta

  [[nodiscard]] auto on(const DoseGrid& evaluated, const GammaCriteria& c, GammaSpace space) const {
    const double pitch = pitch_mm == 0 ? c.dta_mm / 10 : pitch_mm;
    const double radius = radius_mm == 0 ? c.search_mm() : radius_mm;
    if (!(pitch > 0) || !(radius > 0) || pitch > radius)
      throw ValueError(
          message("value.301", "gamma", "expected 0 < pitch <= radius, got ", pitch, " and ", radius, " mm"));
    const double maximum = space == GammaSpace::volume ? 200 : 2000;
    if (radius > maximum * pitch)
      throw ValueError(message("value.301", "gamma", "expected a pitch of at least 1/", maximum, " of the radius, got ",
                               pitch, " and ", radius, " mm"));
    return detail::WendlingSearcher<Real>(evaluated, c, space == GammaSpace::volume, pitch, radius,
                                          radius_mm == 0 ? c.reach_mm() : radius_mm);
  }
};

/// The classic method: the evaluated distribution's own grid points, without interpolation. By slices it searches the
/// frame nearest to each reference frame, whose distance counts.
struct ClassicSearch {
  static constexpr bool keeps_frames = true;  ///< no slice is interpolated for it
  /// Of the search and of the points that are judged, to grid points. 0: max(max_gamma, 1) · dta; points are then judged
  /// that are a dta or less from the grid and from the voxel of a dose.
  double radius_mm = 0;

  [[nodiscard]] auto on(const DoseGrid& evaluated, const GammaCriteria& c, GammaSpace space) const {
    const double radius = radius_mm == 0 ? c.search_mm() : radius_mm;
    if (!(radius > 0)) throw ValueError(message("value.301", "gamma", "expected a search radius > 0 mm, got ", radius));
    return detail::ClassicSearcher(evaluated, c, space == GammaSpace::volume, radius, radius_mm == 0);
  }
};

}  // namespace equipoise::psqa
