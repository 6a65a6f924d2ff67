// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The gamma index (Low 1998): at each reference point the least combined distance, in dose and space, to the evaluated
/// distribution.
///   Γ² = |r_e - r_r|² / dta² + (D_e(r_e) - D_r(r_r))² / tol²,   γ = min over r_e,
///   tol = dd · norm (global) or dd · D_r (local)
/// How the minimum is found is a policy: `ExactMinimum` of the interpolated distribution itself, `WendlingSearch` on a
/// pitch, `ClassicSearch` over grid points.

#include <equipoise/core/base/parallel.hpp>
#include <equipoise/psqa/gamma/criteria.hpp>
#include <equipoise/psqa/gamma/exact.hpp>
#include <equipoise/psqa/gamma/sampled.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace equipoise::psqa {

namespace detail {

/// What one row adds to the result; rows are added up in their order, so that the sums do not depend on threads.
struct GammaTally {
  std::size_t evaluated = 0, passed = 0, out_of_reach = 0;
  double sum = 0, squares = 0, max = 0, min = std::numeric_limits<double>::infinity();
};

/// Relative tolerance of the cut-off: files hold doses of six to eight digits, and a point of exactly the cut-off counts.
inline constexpr double kCutoffTolerance = 1e-6;

/// Rows of one reference frame against one searcher.
class GammaFrame {
 public:
  GammaFrame(const DoseGrid& reference, const DoseGrid& evaluated, const GammaCriteria& c, double norm)
      : reference_(reference), evaluated_(evaluated), criteria_(c), norm_(norm) {
    for (std::size_t i = 0; i < reference.shape[2]; ++i) x_.push_back(place(2, i));
  }

  /// \param map one row's values, or null where only the rate is wanted
  template <class Searcher>
  [[nodiscard]] GammaTally row(const Searcher& search, std::size_t frame, std::size_t j, float* map) const {
    const std::size_t n = reference_.shape[2];
    std::vector<double> x(n), dose(n), tol(n), squared(n);
    std::vector<std::size_t> index(n);
    const double* values = &reference_.values[(frame * reference_.shape[1] + j) * n];
    const double cutoff = norm_ * criteria_.cutoff_percent / 100 * (1 - kCutoffTolerance),
                 share = criteria_.dd_percent / 100;
    std::size_t judged = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double d = values[i], t = (criteria_.local ? d : norm_) * share;
      if (!(d >= cutoff) || !(t > 0) || !std::isfinite(d)) continue;
      index[judged] = i, dose[judged] = d, tol[judged] = t, x[judged++] = x_[i];
    }
    GammaTally tally;
    if (judged == 0) return tally;
    const GammaRow points{.reference = reference_,
                          .frame = frame,
                          .number = j,
                          .columns = std::span(index).first(judged),
                          .z = place(0, frame),
                          .y = place(1, j),
                          .x = std::span(x).first(judged),
                          .dose = std::span(dose).first(judged),
                          .tol = std::span(tol).first(judged)};
    // The search continues beyond a cap at or below one, because passing must be known first.
    search(points, map ? std::max(criteria_.max_gamma, kPassLimit) : kPassLimit, map == nullptr, squared);
    for (std::size_t p = 0; p < judged; ++p) {
      if (std::isnan(squared[p])) {
        ++tally.out_of_reach;
        continue;
      }
      const double found = std::sqrt(squared[p]), g = std::min(found, criteria_.max_gamma);
      ++tally.evaluated, tally.passed += found <= kPasses;
      if (!map) continue;
      tally.sum += g, tally.squares += g * g;
      tally.max = std::max(tally.max, g), tally.min = std::min(tally.min, g);
      map[index[p]] = static_cast<float>(g);
    }
    return tally;
  }

 private:
  /// Where only the rate is needed, the search ends here: a point above one fails. Slightly above
  /// one, so that a capped point does not pass.
  static constexpr double kPassLimit = 1.001;

  /// Index i of the reference along an axis, in cells of the evaluated grid.
  [[nodiscard]] double place(std::size_t axis, std::size_t i) const {
    const double at = reference_.origin[axis] + static_cast<double>(i) * reference_.spacing[axis] -
                      evaluated_.origin[axis],
                 cells = at / evaluated_.spacing[axis];
    // A place that is a grid point but for rounding is that grid point.
    const double nearest = std::round(cells);
    return std::abs(cells - nearest) < 1e-9 * (1 + std::abs(cells)) ? nearest : cells;
  }

  const DoseGrid &reference_, &evaluated_;
  const GammaCriteria& criteria_;
  double norm_;
  std::vector<double> x_;  ///< of each column, in cells of the evaluated grid
};

/// The evaluated distribution at height z (mm), linear between frames; no values outside.
[[nodiscard]] inline DoseGrid slice_at(const DoseGrid& g, double z) {
  DoseGrid out;
  out.shape = {1, g.shape[1], g.shape[2]}, out.spacing = g.spacing, out.origin = {z, g.origin[1], g.origin[2]};
  const double at = g.shape[0] > 1 ? (z - g.origin[0]) / g.spacing[0] : (std::abs(z - g.origin[0]) < 1e-6 ? 0 : -1);
  const auto last = static_cast<double>(g.shape[0] - 1);
  const std::size_t size = g.shape[1] * g.shape[2];
  out.values.assign(size, std::numeric_limits<double>::quiet_NaN());
  if (at < -1e-9 || at > last + 1e-9) return out;
  const auto k = static_cast<std::size_t>(std::clamp(at, 0.0, last));
  const double f = std::clamp(at - static_cast<double>(k), 0.0, 1.0);
  const std::size_t above = std::min(k + 1, g.shape[0] - 1);
  for (std::size_t p = 0; p < size; ++p)
    out.values[p] = f == 0 ? g.values[k * size + p] : (1 - f) * g.values[k * size + p] + f * g.values[above * size + p];
  return out;
}

/// The evaluated distribution's frame nearest to height z (mm), as it is. Between frames it keeps its thickness; beyond
/// the outermost it is thin, so that only the distance to it counts.
[[nodiscard]] inline DoseGrid frame_near(const DoseGrid& g, double z) {
  const std::size_t size = g.shape[1] * g.shape[2];
  const double step = g.shape[0] > 1 ? g.spacing[0] : 1,
               at = std::clamp(std::round((z - g.origin[0]) / step), 0.0, static_cast<double>(g.shape[0] - 1));
  const bool beyond = z < g.origin[0] - 1e-6 || z > g.origin[0] + step * static_cast<double>(g.shape[0] - 1) + 1e-6;
  DoseGrid out;
  out.shape = {1, g.shape[1], g.shape[2]}, out.spacing = {beyond ? 1e-3 : step, g.spacing[1], g.spacing[2]};
  out.origin = {g.origin[0] + at * step, g.origin[1], g.origin[2]};
  const auto first = g.values.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(at) * size);
  out.values.assign(first, first + static_cast<std::ptrdiff_t>(size));
  return out;
}

/// Whether a search uses only the grid's own points, so that no frame may be interpolated.
template <class S>
inline constexpr bool keeps_frames = requires {
  requires S::keeps_frames;
};

}  // namespace detail

/// γ of every reference point at or above the cut-off. A point without evaluated dose within the
/// dta is NaN, whatever the cap.
/// \param reference the distribution whose points are judged (the measurement)
/// \param evaluated the one that is interpolated and searched (the plan)
/// \throws ValueError for criteria out of range, ShapeError for grids that do not fit the space.
template <GammaSearch Search = ExactMinimum<>>
[[nodiscard]] GammaResult gamma(const DoseGrid& reference, const DoseGrid& evaluated, const GammaCriteria& criteria,
                                const Search& search = {}, const GammaExecution& execution = {}) {
  const double norm = criteria.norm ? *criteria.norm : maximum_dose(evaluated);
  const GammaSpace space = detail::check_gamma(criteria, reference, evaluated, norm);
  GammaResult out;
  out.points = reference.size();
  if (!execution.pass_rate_only) out.map.assign(reference.size(), std::numeric_limits<float>::quiet_NaN());
  const std::size_t frames = reference.shape[0], rows = reference.shape[1], columns = reference.shape[2];
  std::vector<detail::GammaTally> tallies(frames * rows);
  const auto judge = [&](const auto& searcher, const DoseGrid& grid, std::size_t first, std::size_t count) {
    const detail::GammaFrame frame(reference, grid, criteria, norm);
    parallel_for(count, execution.threads, [&](std::size_t i) {
      const std::size_t row = first + i;
      tallies[row] = frame.row(searcher, row / rows, row % rows, out.map.empty() ? nullptr : &out.map[row * columns]);
    });
  };
  if (space == GammaSpace::slices) {
    for (std::size_t k = 0; k < frames; ++k) {
      const double z = reference.origin[0] + static_cast<double>(k) * reference.spacing[0];
      // A frame as it is lies at its own height, and that distance counts.
      constexpr bool whole = detail::keeps_frames<Search>;
      const DoseGrid slice = whole ? detail::frame_near(evaluated, z) : detail::slice_at(evaluated, z);
      judge(search.on(slice, criteria, whole ? GammaSpace::volume : GammaSpace::plane), slice, k * rows, rows);
    }
  } else {
    judge(search.on(evaluated, criteria, space), evaluated, 0, frames * rows);
  }
  detail::GammaTally all;
  for (const detail::GammaTally& t : tallies) {
    all.evaluated += t.evaluated, all.passed += t.passed, all.out_of_reach += t.out_of_reach;
    all.sum += t.sum, all.squares += t.squares;
    all.max = std::max(all.max, t.max), all.min = std::min(all.min, t.min);
  }
  const double n = static_cast<double>(all.evaluated), nan = std::numeric_limits<double>::quiet_NaN();
  const bool none = all.evaluated == 0, no_map = none || execution.pass_rate_only;
  out.evaluated = all.evaluated, out.out_of_reach = all.out_of_reach;
  out.pass_rate = none ? nan : 100 * static_cast<double>(all.passed) / n;
  out.mean = no_map ? nan : all.sum / n;
  out.variance = no_map ? nan : std::max(0.0, all.squares / n - out.mean * out.mean);
  out.max = no_map ? nan : all.max, out.min = no_map ? nan : all.min;
  return out;
}

#ifdef EQUIPOISE_GAMMA_ELSEWHERE
// The exact search takes seconds to compile in every file that uses it. Where this is defined, one file of the program
// has `template GammaResult gamma<ExactMinimum<>>(…)` of the same parameters, and the others wait for it.
extern template GammaResult gamma<ExactMinimum<>>(const DoseGrid&, const DoseGrid&, const GammaCriteria&,
                                                  const ExactMinimum<>&, const GammaExecution&);
#endif

/// The pass rate alone, in %; NaN when no point is evaluated.
template <GammaSearch Search = ExactMinimum<>>
[[nodiscard]] double gamma_pass_rate(const DoseGrid& reference, const DoseGrid& evaluated,
                                     const GammaCriteria& criteria, const Search& search = {}, unsigned threads = 1) {
  return gamma(reference, evaluated, criteria, search, {.threads = threads, .pass_rate_only = true}).pass_rate;
}

}  // namespace equipoise::psqa
