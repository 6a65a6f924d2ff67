// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The exact minimum of Γ over the piecewise linear interpolant of the evaluated distribution (Ju 2008): each cell is
/// cut into simplices (2 triangles, 6 tetrahedra) along its main diagonal, and each simplex is minimised in closed
/// form. A tighter criterion can then never pass more points.
///
/// Eight points of a row are searched together, in the lanes of vector registers: cells are visited by rings about the
/// points, and skipped when their distance and the range of their doses exclude a smaller γ for every lane.

#include <equipoise/psqa/gamma_cell.hpp>
#include <equipoise/psqa/gamma_criteria.hpp>
#include <equipoise/psqa/lanes.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

namespace equipoise::psqa {

namespace detail {

/// Rounding of lanes in single precision cannot move γ² further than this where γ is about one: such points are judged
/// again in double precision, so that no pass hangs on it.
inline constexpr double kDoubtful = 1e-4;

/// The searcher of `ExactMinimum`.
template <class Real, int Dims>
class ExactSearcher {
 public:
  ExactSearcher(const DoseGrid& evaluated, const GammaCriteria& c)
      : grid_(evaluated),
        reach_(c.reach_mm()),
        reach_in_dta_(reach_ / c.dta_mm),
        doses_(evaluated.values.begin(), evaluated.values.end()),
        size_{evaluated.spacing[2] / c.dta_mm, evaluated.spacing[1] / c.dta_mm, evaluated.spacing[0] / c.dta_mm},
        mesh_(size_),
        fine_mesh_(size_) {
    for (int k = 0; k < Dims; ++k)
      count_[k] = static_cast<std::int64_t>(evaluated.shape[2 - static_cast<std::size_t>(k)]);
    stride_ = {1, count_[0], Dims == 3 ? count_[0] * count_[1] : 0};
    for (int corner = 0; corner < 1 << Dims; ++corner)
      for (int k = 0; k < Dims; ++k)
        if (corner >> k & 1) steps_[corner] += stride_[static_cast<std::size_t>(k)];
    holes_ = std::any_of(doses_.begin(), doses_.end(), [](Real d) { return !std::isfinite(d); });
  }

  void operator()(const GammaRow& row, double limit, bool pass_only, std::span<double> squared) const {
    if constexpr (std::is_same_v<Real, double>)
      search_row<Lanes<double, 1>>(row, limit, pass_only, squared);
    else if (EQUIPOISE_HAS_AVX2())
      search_row_avx2(row, limit, pass_only, squared);
    else
      search_row<Lanes<float, 8>>(row, limit, pass_only, squared);
    double across = 0;  // squared distance (mm²) of the row from the grid
    for (int k = 1; k < Dims; ++k) across += square_outside(k, k == 1 ? row.y : row.z);
    const double last = static_cast<double>(count_[0] - 1);
    const auto most = static_cast<double>(static_cast<Real>(limit * limit));  // where nothing was found
    for (std::size_t p = 0; p < row.x.size(); ++p) {
      if (std::is_same_v<Real, float> && std::abs(squared[p] - 1) < kDoubtful)
        search<Lanes<double, 1>>(row, p, limit, pass_only, squared);
      const bool off_grid = across > 0 || row.x[p] < 0 || row.x[p] > last;
      if ((off_grid && across + square_outside(0, row.x[p]) > reach_ * reach_) ||
          (holes_ && squared[p] >= most && !finite_dose_near(row, p, limit, squared)))
        squared[p] = std::numeric_limits<double>::quiet_NaN();
    }
  }

 private:
  /// Points that are searched together, all of one row.
  template <class L>
  struct Group {
    std::int64_t x[8];       ///< each lane's cell along x
    std::int64_t home[3];    ///< lane 0's cell
    double low[3], high[3];  ///< range of the lanes' places within their cells
    double near[3][3];       ///< squared gaps to the cells at -1, 0, 1
    L place_x, dose, per_tol;
    L own;          ///< error of the dose at the lanes' own place, in tolerances; where `level`
    bool together;  ///< lanes are neighbours along x, at the same place of their cells
    bool level;     ///< and no lane's place is outside of its cell
  };

  EQUIPOISE_AVX2 void search_row_avx2(const GammaRow& row, double limit, bool pass_only,
                                      std::span<double> squared) const {
    search_row<Lanes<float, 8>>(row, limit, pass_only, squared);
  }

  template <class L>
  EQUIPOISE_INLINE void search_row(const GammaRow& row, double limit, bool pass_only, std::span<double> squared) const {
    const std::size_t n = row.x.size();
    for (std::size_t first = 0; first < n; first += L::width)
      // The last group takes in points of the one before, so that it is full.
      search<L>(row, n >= L::width ? std::min(first, n - L::width) : 0, limit, pass_only, squared);
  }

  template <class L>
  EQUIPOISE_INLINE void search(const GammaRow& row, std::size_t first, double limit, bool pass_only,
                               std::span<double> squared) const {
    const std::size_t n = std::min(L::width, row.x.size() - first);
    Group<L> group;
    gather(row, first, n, group);
    L best(static_cast<typename L::Scalar>(limit * limit));
    group.own = L(0);
    group.level = bound_by_own_dose(group, best);
    double worst = worst_of(best, pass_only);
    for (std::int64_t ring = 0; worst > 0; ++ring)
      if (!visit_ring(group, ring, pass_only, best, worst)) break;
    typename L::Scalar lane[L::width];
    best.store(lane);
    for (std::size_t l = 0; l < n; ++l) squared[first + l] = static_cast<double>(lane[l]);
  }

  /// The cell of a place along axis k; the first or last one for a place outside.
  [[nodiscard]] EQUIPOISE_INLINE std::int64_t cell_at(int k, double at) const {
    const auto last = std::max<std::int64_t>(count_[k] - 2, 0);
    return static_cast<std::int64_t>(std::clamp(at, 0.0, static_cast<double>(last)));
  }

  template <class L>
  EQUIPOISE_INLINE void gather(const GammaRow& row, std::size_t first, std::size_t n, Group<L>& g) const {
    using Scalar = typename L::Scalar;
    const double at[3] = {row.x[first], row.y, row.z};
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k) {
      g.home[k] = cell_at(k, at[k]);
      g.low[k] = g.high[k] = at[k] - static_cast<double>(g.home[k]);
    }
    const auto width = static_cast<std::int64_t>(L::width);
    g.together = n == L::width && g.home[0] + width <= std::max<std::int64_t>(count_[0] - 1, 1) &&
                 std::abs(row.x[first + n - 1] - at[0] - static_cast<double>(width - 1)) < 1e-9;
    if (g.together) {
      g.place_x = L(static_cast<Scalar>(g.low[0]));
    } else {
      Scalar place[L::width];
      for (std::size_t l = 0; l < L::width; ++l) {
        const double x = row.x[first + std::min(l, n - 1)];  // spare lanes repeat the last point
        g.x[l] = cell_at(0, x);
        const double within = x - static_cast<double>(g.x[l]);
        g.low[0] = std::min(g.low[0], within), g.high[0] = std::max(g.high[0], within);
        place[l] = static_cast<Scalar>(within);
      }
      g.place_x = L::load(place);
    }
    Scalar dose[L::width], tol[L::width];
    for (std::size_t l = 0; l < L::width; ++l) {
      const std::size_t p = first + std::min(l, n - 1);
      dose[l] = static_cast<Scalar>(row.dose[p]), tol[l] = static_cast<Scalar>(row.tol[p]);
    }
    g.dose = L::load(dose), g.per_tol = L(1) / L::load(tol);
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k)
      for (std::int64_t d = -1; d <= 1; ++d) {
        const double length = gap(g, k, d);
        g.near[k][d + 1] = length * length;
      }
  }

  /// Where all lanes lie at the same place of their cells, the interpolated dose there bounds γ from the start.
  /// \returns whether they do; `Group::own` is then that dose
  template <class L>
  EQUIPOISE_INLINE bool bound_by_own_dose(Group<L>& g, L& best) const {
    int axes[3] = {0, 1, 2};
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k)
      if (g.low[k] < 0 || g.high[k] >= 1) return false;
    if (!block(g, {0, 0, 0})) return false;
    for (int i = 0; i < Dims; ++i)
      for (int j = i + 1; j < Dims; ++j)
        if (g.low[axes[i]] < g.low[axes[j]]) std::swap(axes[i], axes[j]);
    const std::int64_t base = index(g, {0, 0, 0});
    L at = fetch<L>(base), before = at;
    std::int64_t step = 0;
    for (int i = 0; i < Dims && g.low[axes[i]] > 0; ++i) {
      step += stride_[static_cast<std::size_t>(axes[i])];
      const L next = fetch<L>(base + step);
      at = at + (next - before) * static_cast<typename L::Scalar>(g.low[axes[i]]);
      before = next;
    }
    g.own = (at - g.dose) * g.per_tol;
    best = least(g.own * g.own, best);
    return true;
  }

  /// 1 + Σ h_k² of a cell that touches the lanes' place, h_k the steepest fall of the dose error along axis k, away from
  /// the place: within the cell |error| falls by no more than Σ h_k |r_k|, and so γ² >= own² / (1 + Σ h_k²).
  template <class L>
  [[nodiscard]] EQUIPOISE_INLINE L steepness(const Group<L>& g, const std::array<std::int64_t, 3>& offset,
                                             const L (&dose)[1 << Dims]) const {
    L out(1);
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k) {
      L fall(0), rise(0);
      EQUIPOISE_UNROLL
      for (int c = 0; c < 1 << Dims; ++c) {
        if (c >> k & 1) continue;
        const L step = dose[c | 1 << k] - dose[c];
        rise = largest(step, rise), fall = largest(-step, fall);
      }
      const bool upwards = offset[static_cast<std::size_t>(k)] == 0;
      const L towards =
          g.low[k] > 0 ? largest(rise, fall) : L::where(g.own >= L(0), upwards ? fall : rise, upwards ? rise : fall);
      const L h = towards * mesh<typename L::Scalar>().per_length[1 << k];
      out = out + h * h;
    }
    return out;
  }

  template <class L>
  [[nodiscard]] EQUIPOISE_INLINE static double worst_of(const L& best, bool pass_only) {
    typename L::Scalar lane[L::width];
    (pass_only ? L::where(best <= L(1), L(0), best) : best).store(lane);
    for (std::size_t half = L::width / 2; half > 0; half /= 2)
      for (std::size_t l = 0; l < half; ++l) lane[l] = std::max(lane[l], lane[l + half]);
    return static_cast<double>(lane[0]);
  }

  /// \returns false when no cell of this ring or beyond can hold a smaller γ
  template <class L>
  EQUIPOISE_INLINE bool visit_ring(const Group<L>& g, std::int64_t ring, bool pass_only, L& best, double& worst) const {
    double nearest = kInfinite;
    bool within = false;
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k) {
      nearest = std::min({nearest, square_gap(g, k, ring), square_gap(g, k, -ring)});
      // Lanes go to the right: the last one is nowhere further left than the first.
      within = within || g.home[k] + static_cast<std::int64_t>(k == 0 ? count_[0] : 0) - ring >= 0 ||
               g.home[k] + ring < count_[k];
    }
    if (!within || (ring > 0 && nearest >= worst)) return false;
    const std::int64_t rz = Dims == 3 ? ring : 0;
    for (std::int64_t dz = -rz; dz <= rz; ++dz) {
      const double z = Dims == 3 ? square_gap(g, Dims - 1, dz) : 0;
      if (z >= worst) continue;
      for (std::int64_t dy = -ring; dy <= ring; ++dy) {
        const double yz = square_gap(g, 1, dy) + z;
        if (yz >= worst) continue;
        const bool rim = std::abs(dy) == ring || (Dims == 3 && std::abs(dz) == ring);
        for (std::int64_t dx = -ring; dx <= ring; dx += rim || ring == 0 ? 1 : 2 * ring) {
          const double space = square_gap(g, 0, dx) + yz;
          if (space >= worst) continue;
          const std::array<std::int64_t, 3> offset = {dx, dy, dz};
          if (g.together && block(g, offset))
            visit_cell<true>(g, offset, space, pass_only, best, worst);
          else
            visit_cell<false>(g, offset, space, pass_only, best, worst);
        }
      }
    }
    return true;
  }

  /// The least distance (in dta) along an axis between a lane's place and the cell that is `offset` cells away from its
  /// own.
  template <class L>
  [[nodiscard]] EQUIPOISE_INLINE double gap(const Group<L>& g, int k, std::int64_t offset) const {
    const double o = static_cast<double>(offset);
    return std::max({0.0, o - g.high[k], g.low[k] - o - 1}) * size_[k];
  }
  template <class L>
  [[nodiscard]] EQUIPOISE_INLINE double square_gap(const Group<L>& g, int k, std::int64_t offset) const {
    if (offset >= -1 && offset <= 1) return g.near[k][offset + 1];
    const double length = gap(g, k, offset);
    return length * length;
  }

  /// Whether all lanes' cells, with all their corners, lie side by side within the grid.
  template <class L>
  [[nodiscard]] EQUIPOISE_INLINE bool block(const Group<L>& g, const std::array<std::int64_t, 3>& offset) const {
    bool in = g.together;
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k) {
      const std::int64_t i = g.home[k] + offset[static_cast<std::size_t>(k)];
      in = in && i >= 0 && i + (k == 0 ? static_cast<std::int64_t>(L::width) : 1) < count_[k];
    }
    return in;
  }

  /// Of lane 0's cell.
  template <class L>
  [[nodiscard]] EQUIPOISE_INLINE std::int64_t index(const Group<L>& g,
                                                    const std::array<std::int64_t, 3>& offset) const {
    std::int64_t at = 0;
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k)
      at += (g.home[k] + offset[static_cast<std::size_t>(k)]) * stride_[static_cast<std::size_t>(k)];
    return at;
  }

  /// \tparam Block the lanes' cells lie side by side within the grid
  template <bool Block, class L>
  EQUIPOISE_INLINE void visit_cell(const Group<L>& g, const std::array<std::int64_t, 3>& offset, double space,
                                   bool pass_only, L& best, double& worst) const {
    using Scalar = typename L::Scalar;
    const std::int64_t base = index(g, offset);
    L dose[1 << Dims], low, high;
    EQUIPOISE_UNROLL
    for (int c = 0; c < 1 << Dims; ++c) {
      if constexpr (Block)
        dose[c] = fetch<L>(base + steps_[c]);
      else
        dose[c] = scattered(g, values<L>(), offset, c);
      dose[c] = (dose[c] - g.dose) * g.per_tol;
      // A corner that is NaN takes no part.
      low = c == 0 ? dose[c] : least(dose[c], low), high = c == 0 ? dose[c] : largest(dose[c], high);
    }
    const L miss = largest(largest(low, -high), L(0));
    auto wanted = L(static_cast<Scalar>(space)) + miss * miss < best;
    if (Block && space == 0 && g.level && !holes_)
      wanted = wanted & (g.own * g.own < best * steepness(g, offset, dose));
    if (!L::any(wanted)) return;
    const GammaMesh<Dims, Scalar>& mesh = this->template mesh<Scalar>();
    L from[Dims];
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k)
      from[k] = (L(static_cast<Scalar>(offset[static_cast<std::size_t>(k)])) -
                 (k == 0 ? g.place_x : L(static_cast<Scalar>(g.low[k])))) *
                mesh.size[k];
    GammaCell<Dims, L>(from, mesh).minimise(dose, best);
    worst = worst_of(best, pass_only);
  }

  template <class Scalar>
  [[nodiscard]] EQUIPOISE_INLINE const GammaMesh<Dims, Scalar>& mesh() const {
    if constexpr (std::is_same_v<Scalar, double>)
      return fine_mesh_;
    else
      return mesh_;
  }
  template <class L>
  [[nodiscard]] EQUIPOISE_INLINE const auto& values() const {
    if constexpr (std::is_same_v<typename L::Scalar, double>)
      return grid_.values;  // also where a point in doubt is judged again
    else
      return doses_;
  }
  template <class L>
  [[nodiscard]] EQUIPOISE_INLINE L fetch(std::int64_t at) const {
    return L::load(values<L>().data() + at);
  }

  /// Each lane's number at a corner of its cell; NaN beyond the grid.
  template <class L, class Values>
  [[nodiscard]] EQUIPOISE_INLINE L scattered(const Group<L>& g, const Values& values,
                                             const std::array<std::int64_t, 3>& offset, int c) const {
    typename L::Scalar out[L::width];
    bool row_within = true;
    for (int k = 1; k < Dims; ++k) {
      const std::int64_t i = g.home[k] + offset[static_cast<std::size_t>(k)];
      row_within = row_within && i >= 0 && i + (c >> k & 1) < count_[k];
    }
    const std::int64_t row = index(g, offset) - g.home[0] + steps_[c];
    for (std::size_t l = 0; l < L::width; ++l) {
      const std::int64_t x = g.together ? g.home[0] + static_cast<std::int64_t>(l) : g.x[l], i = x + offset[0];
      out[l] = row_within && i >= 0 && i + (c & 1) < count_[0]
                   ? static_cast<typename L::Scalar>(values[static_cast<std::size_t>(row + x)])
                   : std::numeric_limits<typename L::Scalar>::quiet_NaN();
    }
    return L::load(out);
  }

  /// The squared distance (mm²) of a place from the grid along axis k.
  [[nodiscard]] double square_outside(int k, double at) const {
    const std::size_t axis = 2 - static_cast<std::size_t>(k);
    const double d = outside(at, grid_.shape[axis], grid_.spacing[axis]);
    return d * d;
  }

  /// Whether a point that no dose below the limit was found for has evaluated dose in reach.
  [[nodiscard]] bool finite_dose_near(const GammaRow& row, std::size_t p, double limit,
                                      std::span<double> squared) const {
    if (finite_corner_near({row.x[p], row.y, row.z})) return true;
    // Where cells are larger than the reach it may hold no corner, but a part of a cell: whatever the limit is, the
    // answer is that of a search to the end.
    if (limit >= reach_in_dta_) return false;
    search<Lanes<double, 1>>(row, p, reach_in_dta_, false, squared);
    return squared[p] < reach_in_dta_ * reach_in_dta_;
  }

  [[nodiscard]] bool finite_corner_near(const std::array<double, 3>& place) const {
    std::int64_t first[3] = {}, last[3] = {};
    const double at[3] = {place[0], place[1], place[2]};
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k) {
      const double reach = reach_ / grid_.spacing[2 - static_cast<std::size_t>(k)];
      first[k] = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::ceil(at[k] - reach)));
      last[k] = std::min<std::int64_t>(count_[k] - 1, static_cast<std::int64_t>(std::floor(at[k] + reach)));
    }
    for (std::int64_t z = first[2]; z <= last[2]; ++z)
      for (std::int64_t y = first[1]; y <= last[1]; ++y)
        for (std::int64_t x = first[0]; x <= last[0]; ++x)
          if (std::isfinite(doses_[static_cast<std::size_t>(x + y * stride_[1] + z * stride_[2])])) return true;
    return false;
  }

  static constexpr double kInfinite = std::numeric_limits<double>::infinity();

  const DoseGrid& grid_;
  double reach_, reach_in_dta_;  ///< mm, dta
  std::vector<Real> doses_;
  double size_[3];  ///< of a cell, in dta
  GammaMesh<Dims, Real> mesh_;
  GammaMesh<Dims, double> fine_mesh_;
  std::int64_t count_[3] = {1, 1, 1};
  std::array<std::int64_t, 3> stride_{};
  std::int64_t steps_[1 << Dims] = {};  ///< from a cell's first corner to each
  bool holes_ = false;
};

/// Calls `row` of one of two searchers: of planes or of volumes.
template <class Real>
class ExactSearchers {
 public:
  ExactSearchers(const DoseGrid& evaluated, const GammaCriteria& c, GammaSpace space) {
    if (space == GammaSpace::volume)
      volume_.emplace(evaluated, c);
    else
      plane_.emplace(evaluated, c);
  }
  void operator()(const GammaRow& row, double limit, bool pass_only, std::span<double> squared) const {
    volume_ ? (*volume_)(row, limit, pass_only, squared) : (*plane_)(row, limit, pass_only, squared);
  }

 private:
  std::optional<ExactSearcher<Real, 2>> plane_;
  std::optional<ExactSearcher<Real, 3>> volume_;
};

}  // namespace detail

/// The exact minimum of the interpolated distribution. \tparam Real of the search; in `float` values near one are
/// decided in double precision
template <class Real = float>
struct ExactMinimum {
  [[nodiscard]] auto on(const DoseGrid& evaluated, const GammaCriteria& criteria, GammaSpace space) const {
    return detail::ExactSearchers<Real>(evaluated, criteria, space);
  }
};

}  // namespace equipoise::psqa
