// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The evaluated grid as the exact search of γ sees it: axes are x, y, z, a cell is named by its first corner, and
/// doses are kept in the precision of the search as well.

#include <equipoise/psqa/gamma/cell.hpp>
#include <equipoise/psqa/gamma/criteria.hpp>
#include <equipoise/psqa/gamma/lanes.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace equipoise::psqa::detail {

/// \tparam Real of the search \tparam Dims 2: planes, 3: volumes
template <class Real, int Dims>
class GammaLattice {
 public:
  static constexpr int dims = Dims, corners = 1 << Dims;

  GammaLattice(const DoseGrid& evaluated, double dta_mm)
      : grid_(evaluated),
        doses_(evaluated.values.begin(), evaluated.values.end()),
        size_{evaluated.spacing[2] / dta_mm, evaluated.spacing[1] / dta_mm, evaluated.spacing[0] / dta_mm},
        mesh_(size_),
        fine_mesh_(size_) {
    for (int k = 0; k < Dims; ++k)
      count_[k] = static_cast<std::int64_t>(evaluated.shape[2 - static_cast<std::size_t>(k)]);
    stride_ = {1, count_[0], Dims == 3 ? count_[0] * count_[1] : 0};
    for (int corner = 0; corner < corners; ++corner)
      for (int k = 0; k < Dims; ++k)
        if (corner >> k & 1) steps_[corner] += stride_[static_cast<std::size_t>(k)];
    holes_ = std::any_of(doses_.begin(), doses_.end(), [](Real d) { return !std::isfinite(d); });
  }

  [[nodiscard]] EQUIPOISE_INLINE std::int64_t count(int k) const { return count_[k]; }
  /// Of a cell, in dta.
  [[nodiscard]] EQUIPOISE_INLINE double size(int k) const { return size_[k]; }
  [[nodiscard]] EQUIPOISE_INLINE std::int64_t stride(int k) const { return stride_[static_cast<std::size_t>(k)]; }
  /// From a cell's first corner to another, as indices go.
  [[nodiscard]] EQUIPOISE_INLINE std::int64_t step(int corner) const { return steps_[corner]; }
  /// Whether a dose is none.
  [[nodiscard]] EQUIPOISE_INLINE bool holes() const { return holes_; }

  /// The cell of a place along axis k; the first or last one for a place outside.
  [[nodiscard]] EQUIPOISE_INLINE std::int64_t cell_at(int k, double at) const {
    const auto last = std::max<std::int64_t>(count_[k] - 2, 0);
    return static_cast<std::int64_t>(std::clamp(at, 0.0, static_cast<double>(last)));
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

  /// The squared distance (mm²) of a place from the grid along axis k.
  [[nodiscard]] double square_outside(int k, double at) const {
    const std::size_t axis = 2 - static_cast<std::size_t>(k);
    const double d = outside(at, grid_.shape[axis], grid_.spacing[axis]);
    return d * d;
  }

  /// Whether a grid point that has a dose lies within the reach (mm).
  [[nodiscard]] bool finite_dose_near(const std::array<double, 3>& place, double reach) const {
    std::int64_t first[3] = {}, last[3] = {};
    const double at[3] = {place[0], place[1], place[2]};
    EQUIPOISE_UNROLL
    for (int k = 0; k < Dims; ++k) {
      const double cells = reach / grid_.spacing[2 - static_cast<std::size_t>(k)];
      first[k] = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::ceil(at[k] - cells)));
      last[k] = std::min<std::int64_t>(count_[k] - 1, static_cast<std::int64_t>(std::floor(at[k] + cells)));
    }
    for (std::int64_t z = first[2]; z <= last[2]; ++z)
      for (std::int64_t y = first[1]; y <= last[1]; ++y)
        for (std::int64_t x = first[0]; x <= last[0]; ++x)
          if (std::isfinite(doses_[static_cast<std::size_t>(x + y * stride_[1] + z * stride_[2])])) {
            const std::int64_t index[3] = {x, y, z};
            double square = 0;
            for (int k = 0; k < Dims; ++k) {
              const double d = (at[k] - static_cast<double>(index[k])) * grid_.spacing[2 - static_cast<std::size_t>(k)];
              square += d * d;
            }
            if (square <= reach * reach * kPassesSquared) return true;
          }
    return false;
  }

 private:
  const DoseGrid& grid_;
  std::vector<Real> doses_;
  double size_[3];
  GammaMesh<Dims, Real> mesh_;
  GammaMesh<Dims, double> fine_mesh_;
  std::int64_t count_[3] = {1, 1, 1};
  std::array<std::int64_t, 3> stride_{};
  std::int64_t steps_[corners] = {};
  bool holes_ = false;
};

}  // namespace equipoise::psqa::detail
