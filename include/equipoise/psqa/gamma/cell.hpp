// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The least Γ² over one cell of the evaluated grid, in closed form (after Ju 2008). The dose at the middle of a cell, and
/// of a face, is the mean of its corners, which is the bilinear (trilinear) interpolant's; simplices about the middle (4
/// triangles, 24 tetrahedra) carry it linearly to the corners. No direction is preferred: mirror images and turned ones
/// have the same simplices.

#include <equipoise/psqa/gamma/foot.hpp>
#include <equipoise/psqa/gamma/lanes.hpp>

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
/// A simplex, and each of its faces, is a way of perpendicular steps (foot.hpp): from a middle to the middle of a
/// face or an edge, and on to a corner. Of faces and edges those that hold the first corner are this cell's, the others
/// its neighbours'.
template <int Dims, class L>
class GammaCell {
 public:
  using Scalar = typename L::Scalar;
  using Mesh = GammaMesh<Dims, Scalar>;
  static constexpr int corners = 1 << Dims;

  /// \param from of the first corner, seen from the point
  EQUIPOISE_INLINE GammaCell(const L (&from)[Dims], const Mesh& mesh) : mesh_(mesh) {
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k) {
      from_[k] = from[k];
      place_[k] = -(from[k] + L(mesh.size[k] / 2));
    }
  }

  /// The least Γ² of this cell and its own faces and edges; lanes in which a dose is NaN ignore what needs it.
  /// \param near least squared distance from a lane's point to the lower and upper half of the cell along each axis
  EQUIPOISE_INLINE void minimise(const L (&dose)[corners], const double (&near)[Dims][2], L& best) const {
    L corner = dose[0] * dose[0];
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k) corner = corner + from_[k] * from_[k];
    best = lane_min(corner, best);
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k) edge(k, dose, best);
    if constexpr (Dims == 2) {
      const Face f(*this, 0, 1, 0, dose);
      best = lane_min(f.mean * f.mean + place_[0] * place_[0] + place_[1] * place_[1], best);
      face(f, 0, 1, L(0), best);
    } else {
      body(dose, near, best);
    }
  }

 private:
  using Foot = GammaFoot<L>;
  using Step = GammaStep<L>;
  using Feet = GammaFeet<L>;

  /// From the first corner along one axis.
  EQUIPOISE_INLINE void edge(int k, const L (&dose)[corners], L& best) const {
    L far(0);
    EQUIPOISE_UNROLL
    for (int i = 0; i < Dims; ++i)
      if (i != k) far = far + from_[i] * from_[i];
    const Scalar per = mesh_.per_length[1 << k];
    const Step step = {(dose[1 << k] - dose[0]) * per, -from_[k], per};
    const Foot f = foot_of(dose[0], far, step);
    const L u = step.at(f);
    f.keep((u >= L(0)) & (u <= f.norm), best);
  }

  /// A face of axes i and j: doses at its corners (bit 0 of a corner's number: at high i, bit 1: at high j) and its
  /// middle, slopes, and what its plane knows of the point.
  struct Face {
    L dose[4], mean;
    L along_i[2], along_j[2];  ///< slopes: along i at low and high j, along j at low and high i
    L mean_i, mean_j;
    L diagonal[2], across[2];  ///< the point's coordinate along the diagonals (+, +) and (+, -) from the middle, and
                               ///< its squared distance from them
    Scalar half_i, half_j, half_diagonal;  ///< reciprocal half lengths

    EQUIPOISE_INLINE Face(const GammaCell& cell, int i, int j, int first, const L (&corner)[corners]) {
      dose[0] = corner[first], dose[1] = corner[first | 1 << i];
      dose[2] = corner[first | 1 << j], dose[3] = corner[first | 1 << i | 1 << j];
      mean = ((dose[0] + dose[3]) + (dose[1] + dose[2])) * Scalar(0.25);
      const GammaMesh<Dims, Scalar>& mesh = cell.mesh_;
      const Scalar per_i = mesh.per_length[1 << i], per_j = mesh.per_length[1 << j];
      along_i[0] = (dose[1] - dose[0]) * per_i, along_i[1] = (dose[3] - dose[2]) * per_i;
      along_j[0] = (dose[2] - dose[0]) * per_j, along_j[1] = (dose[3] - dose[1]) * per_j;
      mean_i = (along_i[0] + along_i[1]) * Scalar(0.5), mean_j = (along_j[0] + along_j[1]) * Scalar(0.5);
      const Scalar per = mesh.per_length[1 << i | 1 << j], si = mesh.size[i], sj = mesh.size[j];
      const L ii = cell.place_[i] * si, jj = cell.place_[j] * sj, ij = cell.place_[i] * sj, ji = cell.place_[j] * si;
      const L down = ij - ji, up = ij + ji;
      diagonal[0] = (ii + jj) * per, diagonal[1] = (ii - jj) * per;
      across[0] = down * down * (per * per), across[1] = up * up * (per * per);
      half_i = 2 * per_i, half_j = 2 * per_j, half_diagonal = 2 * per;
    }
  };
  /// Which of the two a corner lies on.
  [[nodiscard]] static constexpr int diagonal_of(int c) { return c == 0 || c == 3 ? 0 : 1; }
  /// From the face's middle, or from one above or below it, towards its corner c.
  [[nodiscard]] EQUIPOISE_INLINE static Step to_corner(const Face& f, int c, const L& change) {
    const L& along = f.diagonal[diagonal_of(c)];
    return {change * f.half_diagonal, c & 1 ? along : -along, f.half_diagonal};
  }
  [[nodiscard]] EQUIPOISE_INLINE static const L& across(const Face& f, int c) { return f.across[diagonal_of(c)]; }
  /// Of the simplices over the face's four edges (at low j, high j, low i, high i): the steps from the middle to the
  /// edge and along it.
  [[nodiscard]] EQUIPOISE_INLINE Step to_edge(const Face& f, int i, int j, int e) const {
    return e < 2 ? Step{f.mean_j, place_[j], f.half_j} : Step{f.mean_i, place_[i], f.half_i};
  }
  [[nodiscard]] EQUIPOISE_INLINE Step along_edge(const Face& f, int i, int j, int e) const {
    return e < 2 ? Step{f.along_i[e], place_[i], f.half_i} : Step{f.along_j[e - 2], place_[j], f.half_j};
  }
  /// On a wall between two of those simplices lies a minimum only where the foot of each is on the other's side.
  /// \param out, on the feet's coordinates along `to_edge` and `along_edge` \returns >= 0 where one may lie
  [[nodiscard]] EQUIPOISE_INLINE static L crossed(const L (&out)[4], const L (&on)[4]) {
    const L low = lane_min(out[0] - on[0], out[2] - on[2]), high = lane_min(on[1] - out[1], on[3] - out[3]),
            right = lane_min(out[0] + on[0], -(out[3] + on[3])), left = lane_min(-(out[1] + on[1]), out[2] + on[2]);
    return lane_max(lane_max(low, high), lane_max(right, left));
  }

  /// Four triangles about the middle, and the lines from there to the corners.
  /// \param far squared distance of the point from the face's plane
  EQUIPOISE_INLINE void face(const Face& f, int i, int j, const L& far, L& best) const {
    Feet feet;
    L out[4], on[4];
    EQUIPOISE_UNROLL
    for (int e = 0; e < 4; ++e) {
      const Step to = to_edge(f, i, j, e), along = along_edge(f, i, j, e);
      const Foot& at = feet.foot[e] = foot_of(f.mean, far, to, along);
      out[e] = to.at(at), on[e] = along.at(at);
      const L reach = e & 1 ? out[e] : -out[e];
      feet.within[e] = (magnitude(on[e]) <= reach) & (reach <= at.norm);
    }
    feet.keep(best);
    if (!L::any(crossed(out, on) >= L(0))) return;
    EQUIPOISE_UNROLL
    for (int c = 0; c < 4; ++c) {
      const Step to = to_corner(f, c, f.dose[c] - f.mean);
      const Foot& at = feet.foot[c] = foot_of(f.mean, far + across(f, c), to);
      const L u = to.at(at);
      feet.within[c] = (u >= L(0)) & (u <= at.norm);
    }
    feet.keep(best);
  }

  /// The inside of a volume's cell, and its three faces.
  EQUIPOISE_INLINE void body(const L (&dose)[corners], const double (&near)[Dims][2], L& best) const {
    const L middle =
        (((dose[0] + dose[7]) + (dose[1] + dose[6])) + ((dose[2] + dose[5]) + (dose[3] + dose[4]))) * Scalar(0.125);
    best = lane_min(middle * middle + place_[0] * place_[0] + place_[1] * place_[1] + place_[2] * place_[2], best);
    // Of the tetrahedra over each face's edges: how far beyond the wall to the next face's the foot lies.
    L beyond[3][2][4];
    for (const bool nearer : {true, false})
      for (int k = 0; k < 3; ++k) {
        const int side = (near[k][1] < near[k][0]) == nearer;
        const Face f(*this, (k + 1) % 3, (k + 2) % 3, side << k, dose);
        const L low = lane_min(lane_min(lane_min(f.dose[0], f.dose[1]), lane_min(f.dose[2], f.dose[3])), middle);
        const L high = lane_max(lane_max(lane_max(f.dose[0], f.dose[1]), lane_max(f.dose[2], f.dose[3])), middle);
        const L miss = lane_max(lane_max(low, -high), L(0));
        if (L::any(L(static_cast<Scalar>(near[k][side])) + miss * miss < best))
          pyramid(k, side, f, middle, beyond[k][side], best);
        else
          for (L& b : beyond[k][side]) b = L(1);
      }
    for (int k = 0; k < 3; ++k) to_edges(k, middle, dose, beyond, best);
    for (int c = 0; c < corners; ++c)
      if (L::any(L(static_cast<Scalar>(near[0][c & 1] + near[1][c >> 1 & 1] + near[2][c >> 2])) < best))
        line_to_corner(c, middle, dose, best);
  }

  /// The pyramid from the middle to a face across axis k: its tetrahedra, the triangles between them, the line to the
  /// face's middle, and the face itself if it is the cell's own.
  EQUIPOISE_INLINE void pyramid(int k, int side, const Face& f, const L& middle, L (&beyond)[4], L& best) const {
    const int i = (k + 1) % 3, j = (k + 2) % 3;
    const Scalar half = 2 * mesh_.per_length[1 << k];
    const L towards = side ? place_[k] : -place_[k];
    const Step up = {(f.mean - middle) * half, towards, half};
    {
      const L across_line = place_[i] * place_[i] + place_[j] * place_[j];
      const Foot at = foot_of(middle, across_line, up);
      const L u = up.at(at);
      at.keep((u >= L(0)) & (u <= at.norm), best);
      if (side == 0) best = lane_min(f.mean * f.mean + from_[k] * from_[k] + across_line, best);
    }
    Feet feet;
    L out[4], on[4];
    auto below = L(0) >= L(0);  // lanes whose feet all lie below the face; of NaN none does
    EQUIPOISE_UNROLL
    for (int e = 0; e < 4; ++e) {
      const Step to = to_edge(f, i, j, e), along = along_edge(f, i, j, e);
      const Foot& at = feet.foot[e] = foot_of(middle, L(0), up, to, along);
      out[e] = to.at(at), on[e] = along.at(at);
      const L height = up.at(at), reach = e & 1 ? out[e] : -out[e];
      beyond[e] = reach - height;
      below = below & (height < at.norm);
      feet.within[e] = (magnitude(on[e]) <= reach) & (reach <= height) & (height <= at.norm);
    }
    feet.keep(best);
    const auto crossing = crossed(out, on) >= L(0);
    if (L::any(crossing)) {
      EQUIPOISE_UNROLL
      for (int c = 0; c < 4; ++c) {
        const Step to = to_corner(f, c, f.dose[c] - f.mean);
        const Foot& at = feet.foot[c] = foot_of(middle, across(f, c), up, to);
        const L u = to.at(at), height = up.at(at);
        feet.within[c] = (u >= L(0)) & (u <= height) & (height <= at.norm);
      }
      feet.keep(best);
    }
    if (side == 0 && L::any((!below) | crossing)) face(f, i, j, from_[k] * from_[k], best);
  }

  /// The triangles from the middle to the edges along axis k.
  EQUIPOISE_INLINE void to_edges(int k, const L& middle, const L (&dose)[corners], const L (&beyond)[3][2][4],
                                 L& best) const {
    const int i = (k + 1) % 3, j = (k + 2) % 3;
    L crossing(-1);
    for (int c = 0; c < 4; ++c) {
      // The edge is the one at high (or low) j of the face across i, whose axes are j, k; of that across j it is at i.
      const L& a = beyond[i][c & 1][2 + (c >> 1)];
      const L& b = beyond[j][c >> 1][c & 1];
      crossing = lane_max(crossing, lane_min(a, b));
    }
    if (!L::any(crossing >= L(0))) return;
    const Face f(*this, i, j, 0, dose);
    const Scalar half = 2 * mesh_.per_length[1 << k];
    Feet feet;
    EQUIPOISE_UNROLL
    for (int c = 0; c < 4; ++c) {
      const L& low = f.dose[c];
      const L& high = dose[(c & 1 ? 1 << i : 0) | (c & 2 ? 1 << j : 0) | 1 << k];
      const Step to = to_corner(f, c, (low + high) * Scalar(0.5) - middle),
                 along = {(high - low) * mesh_.per_length[1 << k], place_[k], half};
      const Foot& at = feet.foot[c] = foot_of(middle, across(f, c), to, along);
      const L u = to.at(at);
      feet.within[c] = (magnitude(along.at(at)) <= u) & (u <= at.norm);
    }
    feet.keep(best);
  }

  EQUIPOISE_INLINE void line_to_corner(int c, const L& middle, const L (&dose)[corners], L& best) const {
    L inner(0), cross(0);
    Scalar side[3];
    for (int k = 0; k < 3; ++k) side[k] = c >> k & 1 ? mesh_.size[k] : -mesh_.size[k];
    for (int i = 0; i < 3; ++i) {
      const int j = (i + 1) % 3;
      inner = inner + place_[i] * side[i];
      const L area = place_[i] * side[j] - place_[j] * side[i];
      cross = cross + area * area;
    }
    const Scalar per = mesh_.per_length[7];
    const Step step = {(dose[c] - middle) * (2 * per), inner * per, 2 * per};
    const Foot f = foot_of(middle, cross * (per * per), step);
    const L u = step.at(f);
    f.keep((u >= L(0)) & (u <= f.norm), best);
  }

  const Mesh& mesh_;
  L from_[Dims], place_[Dims];  ///< the first corner seen from the point, the point seen from the middle
};

}  // namespace equipoise::psqa::detail
