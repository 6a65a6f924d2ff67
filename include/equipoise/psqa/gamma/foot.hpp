// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The least Γ over a line, a plane or space in which dose is linear: at the foot of the perpendicular from the point, in
/// Γ's own space of places and doses. Along perpendicular steps it has closed coordinates (after Ju 2008).

#include <equipoise/psqa/gamma/lanes.hpp>

namespace equipoise::psqa::detail {

/// One a lane.
template <class L>
struct GammaFoot {
  L error, norm, far;  ///< Γ² = far + error² / norm

  /// Takes it where it lies within its simplex.
  EQUIPOISE_INLINE void keep(const typename L::Mask& within, L& best) const {
    best = lane_min(L::where(within, far + error * (error / norm), best), best);
  }
};

/// One step of a way.
template <class L>
struct GammaStep {
  using Scalar = typename L::Scalar;

  L slope;            ///< tolerances per dta
  L along;            ///< the point's coordinate along it, in dta from where the way begins
  Scalar per_length;  ///< the reciprocal of its length

  /// The foot's coordinate, in lengths of the step times the foot's norm. That is positive: whether the foot lies within
  /// a simplex is seen without a division.
  [[nodiscard]] EQUIPOISE_INLINE L at(const GammaFoot<L>& f) const {
    return (along * f.norm - f.error * slope) * per_length;
  }
};

/// \param start the dose's error where the way begins \param far squared distance of the point from what the steps span
template <class L, class... Steps>
[[nodiscard]] EQUIPOISE_INLINE GammaFoot<L> foot_of(const L& start, const L& far, const Steps&... step) {
  return {(start + ... + (step.slope * step.along)), (L(1) + ... + (step.slope * step.slope)), far};
}

/// Feet of four simplices of which seldom more than one holds its own: one division serves.
template <class L>
struct GammaFeet {
  using Foot = GammaFoot<L>;

  Foot foot[4];
  typename L::Mask within[4];

  EQUIPOISE_INLINE void keep(L& best) const {
    const auto first = within[0] | within[1], last = within[2] | within[3];
    const auto chosen = [&](L Foot::*part) {
      return L::where(first, L::where(within[0], foot[0].*part, foot[1].*part),
                      L::where(within[2], foot[2].*part, foot[3].*part));
    };
    Foot{chosen(&Foot::error), chosen(&Foot::norm), chosen(&Foot::far)}.keep(first | last, best);
    if (!L::any((within[0] & within[1]) | (within[2] & within[3]) | (first & last))) return;
    EQUIPOISE_UNROLL
    for (int i = 0; i < 4; ++i) foot[i].keep(within[i], best);
  }
};

}  // namespace equipoise::psqa::detail
