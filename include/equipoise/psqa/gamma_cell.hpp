// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The least Γ² over one cell of the evaluated grid, in closed form (Ju 2008): of its simplices (2 triangles, 6
/// tetrahedra about the main diagonal), the interior and those of the faces and edges that begin at the cell's first
/// corner are minimised; the other faces belong to the neighbours.

#include <equipoise/psqa/lanes.hpp>

#include <cmath>

namespace equipoise::psqa::detail {

/// The cells' size along each axis, in dta, and of each set of axes the diagonal's reciprocal length.
template <int Dims, class Scalar>
struct GammaMesh {
  Scalar size[Dims], per_length[1 << Dims];

  explicit GammaMesh(const double (&sizes)[3]) : size{}, per_length{} {
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k) size[k] = static_cast<Scalar>(sizes[k]);
    for (int set = 1; set < 1 << Dims; ++set) {
      double square = 0;
      EQUIPOISE_UNROLL
      for (int k = 0; k < Dims; ++k)
        if (set >> k & 1) square += sizes[k] * sizes[k];
      per_length[set] = static_cast<Scalar>(1 / std::sqrt(square));
    }
  }
};

/// One cell as the lanes see it: lengths in units of dta, doses in units of the tolerance and less the lanes' doses.
/// Axes are x, y, z; corner number c has coordinate 1 along axis k where bit k of c is set.
///
/// A simplex of the cell, and each of its faces that begins at corner 0, is a chain of corners 0 -> G1 -> G1+G2 -> …
/// with disjoint sets of axes G1, G2, …: its edges are perpendicular in space. Along them the foot of the perpendicular
/// from the point has closed coordinates, and the squared distance has no cancellation.
template <int Dims, class L>
class GammaCell {
 public:
  using Scalar = typename L::Scalar;
  static constexpr int corners = 1 << Dims;

  /// \param from of the first corner, seen from the point
  EQUIPOISE_INLINE GammaCell(const L (&from)[Dims], const GammaMesh<Dims, Scalar>& mesh) : mesh_(mesh) {
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k) from_[k] = from[k];
    EQUIPOISE_UNROLL
    for (int set = 1; set < corners; ++set) {
      L inner(0), cross(0);
      EQUIPOISE_UNROLL
      for (int i = 0; i < Dims; ++i) {
        if (!(set >> i & 1)) continue;
        inner = inner + from[i] * mesh.size[i];
        EQUIPOISE_UNROLL
        for (int j = i + 1; j < Dims; ++j)
          if (set >> j & 1) {
            const L area = from[i] * mesh.size[j] - from[j] * mesh.size[i];
            cross = cross + area * area;
          }
      }
      along_[set] = inner * mesh.per_length[set];
      across_[set] = cross * (mesh.per_length[set] * mesh.per_length[set]);
    }
  }

  /// The least Γ² of this cell's own features; lanes in which a dose is NaN ignore the features that need it.
  EQUIPOISE_INLINE void minimise(const L (&dose)[corners], L& best) const {
    L corner = dose[0] * dose[0];
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k) corner = corner + from_[k] * from_[k];
    best = least(corner, best);
    if constexpr (Dims == 3) {
      chain<1, 2, 4>(dose, best), chain<1, 4, 2>(dose, best), chain<2, 1, 4>(dose, best);
      chain<2, 4, 1>(dose, best), chain<4, 1, 2>(dose, best), chain<4, 2, 1>(dose, best);
      chain<1, 6>(dose, best), chain<2, 5>(dose, best), chain<4, 3>(dose, best), chain<3, 4>(dose, best),
          chain<5, 2>(dose, best), chain<6, 1>(dose, best);
      chain<1, 4>(dose, best), chain<4, 1>(dose, best), chain<2, 4>(dose, best), chain<4, 2>(dose, best);
      chain<4>(dose, best), chain<5>(dose, best), chain<6>(dose, best), chain<7>(dose, best);
    }
    chain<1, 2>(dose, best), chain<2, 1>(dose, best);
    chain<1>(dose, best), chain<2>(dose, best), chain<3>(dose, best);
  }

 private:
  /// The interior of one chain's simplex.
  template <int... Sets>
  EQUIPOISE_INLINE void chain(const L (&dose)[corners], L& best) const {
    constexpr int sets[] = {Sets...}, n = sizeof...(Sets);
    L slope[n], at = dose[0], norm(1), far(0);
    int corner = 0;
    EQUIPOISE_UNROLL
    for (int i = 0; i < n; ++i) {
      slope[i] = (dose[corner | sets[i]] - dose[corner]) * mesh_.per_length[sets[i]];
      at = at - slope[i] * along_[sets[i]];
      norm = norm + slope[i] * slope[i];
      if (sets[i] & (sets[i] - 1)) far = far + across_[sets[i]];
      corner |= sets[i];
    }
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k)
      if (!(corner >> k & 1)) far = far + from_[k] * from_[k];
    const L q = at / norm;
    L before(1);
    typename L::Mask within = before >= L(0);
    EQUIPOISE_UNROLL
    for (int i = 0; i < n; ++i) {
      const L u = -(q * slope[i] + along_[sets[i]]) * mesh_.per_length[sets[i]];
      within = within & (u <= before);
      before = u;
    }
    within = within & (before >= L(0));
    best = least(L::where(within, far + at * q, best), best);
  }

  const GammaMesh<Dims, Scalar>& mesh_;
  L from_[Dims], along_[corners], across_[corners];  ///< along a set's diagonal, and the square across it
};

}  // namespace equipoise::psqa::detail
