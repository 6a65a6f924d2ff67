// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What excludes cells from the exact search of γ: the error of the dose at the points' own place, how steeply doses
/// fall about it, and the worst of what has been found.

#include <equipoise/psqa/gamma/group.hpp>
#include <equipoise/psqa/gamma/lanes.hpp>

#include <algorithm>
#include <array>
#include <cmath>
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

/// The mean dose of the lanes' own cells over the corners that have `bits` where `fixed` is set.
template <class Lattice, class L>
[[nodiscard]] EQUIPOISE_INLINE L mean_over(const GammaGroup<Lattice, L>& g, int fixed, int bits) {
  const std::int64_t base = g.index({0, 0, 0});
  L sum(0);
  int count = 0;
  for (int c = 0; c < Lattice::corners; ++c) {
    if ((c & fixed) != bits) continue;
    sum = sum + g.grid.template fetch<L>(base + g.grid.step(c));
    ++count;
  }
  return count == 1 ? sum : sum * (typename L::Scalar(1) / static_cast<typename L::Scalar>(count));
}

template <class Lattice, class L>
[[nodiscard]] EQUIPOISE_INLINE GammaOwnError<L> own_error(const GammaGroup<Lattice, L>& g) {
  constexpr int dims = Lattice::dims;
  int axes[3] = {0, 1, 2}, fixed = 0, bits = 0;
  EQUIPOISE_UNROLL
  for (int k = 0; k < dims; ++k) {
    if (g.low[k] < 0 || g.high[k] >= 1) return {};
    if (g.low[k] == 0) fixed |= 1 << k;
  }
  if (!g.block({0, 0, 0})) return {};
  // From the middle of what is left free to the place: the axis along which the place lies furthest out first.
  const auto out = [&](int k) { return std::abs(g.low[k] - 0.5); };
  for (int i = 0; i < dims; ++i)
    for (int j = i + 1; j < dims; ++j)
      if (out(axes[i]) < out(axes[j])) std::swap(axes[i], axes[j]);
  L at = mean_over(g, fixed, bits);
  for (int i = 0; i < dims; ++i) {
    const int axis = 1 << axes[i];
    if (fixed & axis) continue;
    const double place = g.low[axes[i]] - 0.5;
    fixed |= axis;
    at = at + (mean_over(g, fixed, bits | axis) - mean_over(g, fixed, bits)) * static_cast<typename L::Scalar>(place);
    if (place > 0) bits |= axis;
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
      rise = lane_max(step, rise), fall = lane_max(-step, fall);
    }
    const bool upwards = offset[static_cast<std::size_t>(k)] == 0;
    const L towards =
        g.low[k] > 0 ? lane_max(rise, fall) : L::where(own >= L(0), upwards ? fall : rise, upwards ? rise : fall);
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
