// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What excludes cells from the exact search of γ: the error of the dose at the points' own place, how steeply doses
/// fall about it, and the worst of what has been found.

#include <equipoise/psqa/gamma_group.hpp>
#include <equipoise/psqa/lanes.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace equipoise::psqa::detail {

/// Error of the dose at the lanes' own place, in tolerances; `known` where all lie at the same place of their cells,
/// within them. It bounds γ from the start.
template <class L>
struct GammaOwnError {
  L value = L(0);
  bool known = false;
};

template <class Lattice, class L>
[[nodiscard]] EQUIPOISE_INLINE GammaOwnError<L> own_error(const GammaGroup<Lattice, L>& g) {
  constexpr int dims = Lattice::dims;
  int axes[3] = {0, 1, 2};
  EQUIPOISE_UNROLL
  for (int k = 0; k < dims; ++k)
    if (g.low[k] < 0 || g.high[k] >= 1) return {};
  if (!g.block({0, 0, 0})) return {};
  for (int i = 0; i < dims; ++i)
    for (int j = i + 1; j < dims; ++j)
      if (g.low[axes[i]] < g.low[axes[j]]) std::swap(axes[i], axes[j]);
  const std::int64_t base = g.index({0, 0, 0});
  L at = g.grid.template fetch<L>(base), before = at;
  std::int64_t step = 0;
  for (int i = 0; i < dims && g.low[axes[i]] > 0; ++i) {
    step += g.grid.stride(axes[i]);
    const L next = g.grid.template fetch<L>(base + step);
    at = at + (next - before) * static_cast<typename L::Scalar>(g.low[axes[i]]);
    before = next;
  }
  return {(at - g.dose) * g.per_tol, true};
}

/// 1 + Σ h_k² of a cell that touches the lanes' place, h_k the steepest fall of the dose error along axis k, away from
/// the place: within the cell |error| falls by no more than Σ h_k |r_k|, and so γ² >= own² / (1 + Σ h_k²).
/// \param own the lanes' own error \param dose of the cell's corners
template <class Lattice, class L>
[[nodiscard]] EQUIPOISE_INLINE L steepness(const GammaGroup<Lattice, L>& g, const L& own,
                                           const std::array<std::int64_t, 3>& offset,
                                           const L (&dose)[1 << Lattice::dims]) {
  L out(1);
  EQUIPOISE_UNROLL
  for (int k = 0; k < Lattice::dims; ++k) {
    L fall(0), rise(0);
    EQUIPOISE_UNROLL
    for (int c = 0; c < 1 << Lattice::dims; ++c) {
      if (c >> k & 1) continue;
      const L step = dose[c | 1 << k] - dose[c];
      rise = largest(step, rise), fall = largest(-step, fall);
    }
    const bool upwards = offset[static_cast<std::size_t>(k)] == 0;
    const L towards =
        g.low[k] > 0 ? largest(rise, fall) : L::where(own >= L(0), upwards ? fall : rise, upwards ? rise : fall);
    const L h = towards * g.grid.template mesh<typename L::Scalar>().per_length[1 << k];
    out = out + h * h;
  }
  return out;
}

/// The largest γ² of the lanes; 0 of those that need no smaller one. \param pass_only these are all that pass
template <class L>
[[nodiscard]] EQUIPOISE_INLINE double worst_of(const L& best, bool pass_only) {
  typename L::Scalar lane[L::width];
  (pass_only ? L::where(best <= L(1), L(0), best) : best).store(lane);
  for (std::size_t half = L::width / 2; half > 0; half /= 2)
    for (std::size_t l = 0; l < half; ++l) lane[l] = std::max(lane[l], lane[l + half]);
  return static_cast<double>(lane[0]);
}

}  // namespace equipoise::psqa::detail
