// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The exact minimum of Γ over the piecewise linear interpolant of the evaluated distribution (Ju 2008): each cell is
/// cut into simplices about its middle (4 triangles, 24 tetrahedra), and each simplex is minimised in closed form. A
/// tighter criterion can then never pass more points.
///
/// Eight points of a row (four without AVX2) are searched together, in the lanes of vector registers: cells are visited
/// by rings about the points, and skipped when their distance and the range of their doses exclude a smaller γ for
/// every lane.

#include <equipoise/psqa/gamma/bounds.hpp>
#include <equipoise/psqa/gamma/cell.hpp>
#include <equipoise/psqa/gamma/criteria.hpp>
#include <equipoise/psqa/gamma/group.hpp>
#include <equipoise/psqa/gamma/lanes.hpp>
#include <equipoise/psqa/gamma/lattice.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <type_traits>

namespace equipoise::psqa {

namespace detail {

/// Rounding of lanes in single precision cannot move γ² further than this where γ is about one: such points are judged
/// again in double precision, so that no pass hangs on it. \param dose of the point in dose differences that count as one
[[nodiscard]] inline double doubtful(double dose) {
  return 1e-4 + 4 * static_cast<double>(std::numeric_limits<float>::epsilon()) * dose;
}

/// The searcher of `ExactMinimum`.
template <class Real, int Dims>
class ExactSearcher {
 public:
  ExactSearcher(const DoseGrid& evaluated, const GammaCriteria& c) : grid_(evaluated, c.dta_mm), reach_(c.reach_mm()) {}

  void operator()(const GammaRow& row, double limit, bool pass_only, std::span<double> squared) const {
    if constexpr (std::is_same_v<Real, double>)
      for (std::size_t p = 0; p < row.x.size(); ++p) search_one(row, p, limit, pass_only, squared);
    else if (EQUIPOISE_HAS_AVX2())
      search_row_avx2(row, limit, pass_only, squared);
    else
      search_row<Lanes<float, 4>>(row, limit, pass_only, squared);
    double across = 0;  // squared distance (mm²) of the row from the grid
    for (int k = 1; k < Dims; ++k) across += grid_.square_outside(k, k == 1 ? row.y : row.z);
    const double last = static_cast<double>(grid_.count(0) - 1);
    const double reach = reach_ * reach_ * kPassesSquared;
    for (std::size_t p = 0; p < row.x.size(); ++p) {
      if (std::is_same_v<Real, float> && std::abs(squared[p] - 1) < doubtful(row.dose[p] / row.tol[p]))
        search_one(row, p, limit, pass_only, squared);
      const bool off_grid = across > 0 || row.x[p] < 0 || row.x[p] > last;
      if ((off_grid && across + grid_.square_outside(0, row.x[p]) > reach) ||
          (grid_.holes() && squared[p] >= 1 && !in_reach_of_dose(row, p)))
        squared[p] = std::numeric_limits<double>::quiet_NaN();
    }
  }

 private:
  using Lattice = GammaLattice<Real, Dims>;
  using Offset = std::array<std::int64_t, 3>;
  template <class L>
  using Group = GammaGroup<Lattice, L>;

  EQUIPOISE_AVX2 void search_row_avx2(const GammaRow& row, double limit, bool pass_only,
                                      std::span<double> squared) const {
    search_row<Lanes<float, 8>>(row, limit, pass_only, squared);
  }

  /// One point in double precision. The only copy of this code.
  [[gnu::noinline]] void search_one(const GammaRow& row, std::size_t point, double limit, bool pass_only,
                                    std::span<double> squared) const {
    search<Lanes<double, 1>>(row, point, limit, pass_only, squared);
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
    const Group<L> group(grid_, row, first, n);
    L best(static_cast<typename L::Scalar>(limit * limit));
    const GammaOwnError<L> own = own_error(group);
    if (own.known) best = lane_min(own.value * own.value, best);
    double worst = worst_of(best, pass_only);
    for (std::int64_t ring = 0; worst > 0; ++ring)
      if (!visit_ring(group, own, ring, pass_only, best, worst)) break;
    typename L::Scalar lane[L::width];
    best.store(lane);
    for (std::size_t l = 0; l < n; ++l) squared[first + l] = static_cast<double>(lane[l]);
  }

  /// \returns false when no cell of this ring or beyond can hold a smaller γ
  template <class L>
  EQUIPOISE_INLINE bool visit_ring(const Group<L>& g, const GammaOwnError<L>& own, std::int64_t ring, bool pass_only,
                                   L& best, double& worst) const {
    double nearest = std::numeric_limits<double>::infinity();
    bool within = false;
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k) {
      nearest = std::min({nearest, g.square_gap(k, ring), g.square_gap(k, -ring)});
      // Lanes go to the right: the last one is nowhere further left than the first.
      within = within || g.home[k] + static_cast<std::int64_t>(k == 0 ? grid_.count(0) : 0) - ring >= 0 ||
               g.home[k] + ring < grid_.count(k);
    }
    if (!within || (ring > 0 && nearest >= worst)) return false;
    const std::int64_t rz = Dims == 3 ? ring : 0;
    for (std::int64_t dz = -rz; dz <= rz; ++dz) {
      const double z = Dims == 3 ? g.square_gap(Dims - 1, dz) : 0;
      if (z >= worst) continue;
      for (std::int64_t dy = -ring; dy <= ring; ++dy) {
        const double yz = g.square_gap(1, dy) + z;
        if (yz >= worst) continue;
        const bool rim = std::abs(dy) == ring || (Dims == 3 && std::abs(dz) == ring);
        for (std::int64_t dx = -ring; dx <= ring; dx += rim || ring == 0 ? 1 : 2 * ring) {
          const double space = g.square_gap(0, dx) + yz;
          if (space >= worst) continue;
          const Offset offset = {dx, dy, dz};
          if (g.together && g.block(offset))
            visit_cell<true>(g, own, offset, space, pass_only, best, worst);
          else
            visit_cell<false>(g, own, offset, space, pass_only, best, worst);
        }
      }
    }
    return true;
  }

  /// \tparam Block the lanes' cells lie side by side within the grid
  template <bool Block, class L>
  EQUIPOISE_INLINE void visit_cell(const Group<L>& g, const GammaOwnError<L>& own, const Offset& offset, double space,
                                   bool pass_only, L& best, double& worst) const {
    using Scalar = typename L::Scalar;
    const std::int64_t base = g.index(offset);
    L dose[1 << Dims], low, high;
    EQUIPOISE_UNROLL
    for (int c = 0; c < 1 << Dims; ++c) {
      dose[c] = (g.template corner<Block>(offset, base, c) - g.dose) * g.per_tol;
      // A corner that is NaN takes no part.
      low = c == 0 ? dose[c] : lane_min(dose[c], low), high = c == 0 ? dose[c] : lane_max(dose[c], high);
    }
    const L miss = lane_max(lane_max(low, -high), L(0));
    auto wanted = L(static_cast<Scalar>(space)) + miss * miss < best;
    if (Block && space == 0 && own.known && !grid_.holes())
      wanted = wanted & (own.value * own.value < best * steepness(g, own.value, offset, dose));
    if (!L::any(wanted)) return;
    const GammaMesh<Dims, Scalar>& mesh = grid_.template mesh<Scalar>();
    L from[Dims];
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k)
      from[k] = (L(static_cast<Scalar>(offset[static_cast<std::size_t>(k)])) -
                 (k == 0 ? g.place_x : L(static_cast<Scalar>(g.low[k])))) *
                mesh.size[k];
    double near[Dims][2];
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k)
      for (int half = 0; half < 2; ++half)
        near[k][half] = g.square_gap_to_half(k, offset[static_cast<std::size_t>(k)], half);
    GammaCell<Dims, L>(from, mesh).minimise(dose, near, best);
    worst = worst_of(best, pass_only);
  }

  /// Whether a point that fails has evaluated dose in reach.
  [[nodiscard]] bool in_reach_of_dose(const GammaRow& row, std::size_t p) const {
    if (grid_.finite_dose_near({row.x[p], row.y, row.z}, reach_)) return true;
    // Where cells are larger than the reach it may hold no corner, but a part of a cell. With doses that all agree, γ is
    // the distance to what is interpolated.
    const double any_dose = std::numeric_limits<double>::infinity();
    GammaRow place = row;
    place.x = row.x.subspan(p, 1), place.dose = row.dose.subspan(p, 1), place.tol = {&any_dose, 1};
    double squared = 0;
    search_one(place, 0, kPasses, false, {&squared, 1});
    return squared < kPassesSquared;
  }

  Lattice grid_;
  double reach_;  ///< mm: one dta
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
