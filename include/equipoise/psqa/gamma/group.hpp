// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Points of a row that the exact search of γ takes together, one a lane: where they lie in their cells, how far other
/// cells are, and the doses of those.

#include <equipoise/psqa/gamma/criteria.hpp>
#include <equipoise/psqa/gamma/lanes.hpp>
#include <equipoise/psqa/gamma/lattice.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace equipoise::psqa::detail {

template <class Lattice, class L>
struct GammaGroup {
  using Scalar = typename L::Scalar;
  using Offset = std::array<std::int64_t, 3>;  ///< of a cell from each lane's own
  static constexpr int dims = Lattice::dims, corners = Lattice::corners;

  const Lattice& grid;
  std::int64_t x[8];       ///< each lane's cell along x
  std::int64_t home[3];    ///< lane 0's cell
  double low[3], high[3];  ///< range of the lanes' places within their cells
  double near[3][3];       ///< squared gaps to the cells at -1, 0, 1
  L place_x, dose, per_tol;
  bool together;  ///< lanes are neighbours along x, at the same place of their cells

  /// Takes points first .. first + n - 1 of a row; spare lanes repeat the last.
  EQUIPOISE_INLINE GammaGroup(const Lattice& lattice, const GammaRow& row, std::size_t first, std::size_t n)
      : grid(lattice) {
    const double at[3] = {row.x[first], row.y, row.z};
    EQUIPOISE_UNROLL
    for (int k = 0; k < dims; ++k) {
      home[k] = grid.cell_at(k, at[k]);
      low[k] = high[k] = at[k] - static_cast<double>(home[k]);
    }
    const auto width = static_cast<std::int64_t>(L::width);
    together = n == L::width && home[0] + width <= std::max<std::int64_t>(grid.count(0) - 1, 1) &&
               std::abs(row.x[first + n - 1] - at[0] - static_cast<double>(width - 1)) < 1e-9;
    if (together) {
      place_x = L(static_cast<Scalar>(low[0]));
    } else {
      Scalar place[L::width];
      for (std::size_t l = 0; l < L::width; ++l) {
        const double at_x = row.x[first + std::min(l, n - 1)];
        x[l] = grid.cell_at(0, at_x);
        const double within = at_x - static_cast<double>(x[l]);
        low[0] = std::min(low[0], within), high[0] = std::max(high[0], within);
        place[l] = static_cast<Scalar>(within);
      }
      place_x = L::load(place);
    }
    Scalar doses[L::width], tol[L::width];
    for (std::size_t l = 0; l < L::width; ++l) {
      const std::size_t p = first + std::min(l, n - 1);
      doses[l] = static_cast<Scalar>(row.dose[p]), tol[l] = static_cast<Scalar>(row.tol[p]);
    }
    dose = L::load(doses), per_tol = L(1) / L::load(tol);
    EQUIPOISE_UNROLL
    for (int k = 0; k < dims; ++k)
      for (std::int64_t d = -1; d <= 1; ++d) {
        const double length = gap(k, static_cast<double>(d));
        near[k][d + 1] = length * length;
      }
  }

  /// The least distance (in dta) along an axis between a lane's place and the cell that is `offset` cells away from its
  /// own.
  /// \param length of the cell, or of a part of it, in cells
  [[nodiscard]] EQUIPOISE_INLINE double gap(int k, double offset, double length = 1) const {
    return std::max({0.0, offset - high[k], low[k] - offset - length}) * grid.size(k);
  }
  [[nodiscard]] EQUIPOISE_INLINE double square_gap(int k, std::int64_t offset) const {
    if (offset >= -1 && offset <= 1) return near[k][offset + 1];
    const double length = gap(k, static_cast<double>(offset));
    return length * length;
  }

  /// The same to the lower or upper half of that cell.
  [[nodiscard]] EQUIPOISE_INLINE double square_gap_to_half(int k, std::int64_t offset, int half) const {
    const double length = gap(k, static_cast<double>(offset) + 0.5 * half, 0.5);
    return length * length;
  }

  /// Whether all lanes' cells, with all their corners, lie side by side within the grid.
  [[nodiscard]] EQUIPOISE_INLINE bool block(const Offset& offset) const {
    bool in = together;
    EQUIPOISE_UNROLL
    for (int k = 0; k < dims; ++k) {
      const std::int64_t i = home[k] + offset[static_cast<std::size_t>(k)];
      in = in && i >= 0 && i + (k == 0 ? static_cast<std::int64_t>(L::width) : 1) < grid.count(k);
    }
    return in;
  }

  /// Of lane 0's cell.
  [[nodiscard]] EQUIPOISE_INLINE std::int64_t index(const Offset& offset) const {
    std::int64_t at = 0;
    EQUIPOISE_UNROLL
    for (int k = 0; k < dims; ++k) at += (home[k] + offset[static_cast<std::size_t>(k)]) * grid.stride(k);
    return at;
  }

  /// Each lane's dose at a corner of its cell; NaN beyond the grid.
  /// \tparam Block the lanes' cells lie side by side within the grid
  template <bool Block>
  [[nodiscard]] EQUIPOISE_INLINE L corner(const Offset& offset, std::int64_t base, int c) const {
    if constexpr (Block)
      return grid.template fetch<L>(base + grid.step(c));
    else
      return scattered(grid.template values<L>(), offset, base, c);
  }

 private:
  template <class Values>
  [[nodiscard]] EQUIPOISE_INLINE L scattered(const Values& values, const Offset& offset, std::int64_t base,
                                             int c) const {
    Scalar out[L::width];
    bool row_within = true;
    for (int k = 1; k < dims; ++k) {
      const std::int64_t i = home[k] + offset[static_cast<std::size_t>(k)];
      row_within = row_within && i >= 0 && i + (c >> k & 1) < grid.count(k);
    }
    const std::int64_t row = base - home[0] + grid.step(c);
    for (std::size_t l = 0; l < L::width; ++l) {
      const std::int64_t cell = together ? home[0] + static_cast<std::int64_t>(l) : x[l], i = cell + offset[0];
      out[l] = row_within && i >= 0 && i + (c & 1) < grid.count(0)
                   ? static_cast<Scalar>(values[static_cast<std::size_t>(row + cell)])
                   : std::numeric_limits<Scalar>::quiet_NaN();
    }
    return L::load(out);
  }
};

}  // namespace equipoise::psqa::detail
