// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Detector arrays whose elements stand on a chequerboard: the plane between them.

#include <equipoise/psqa/dose_grid.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace equipoise::psqa {

namespace detail {

/// A point between elements, bilinear on the lattice of diagonals (s, s) and (s, -s) about an element.
struct LatticeValue {
  double value = 0, weight = 0;  ///< weight: how much of the four corners there is, 0 .. 1
};

class Chequerboard {
 public:
  /// \param elements NaN where the array has none
  explicit Chequerboard(const DoseGrid& elements) : grid_(elements) {
    const auto first = std::find_if(grid_.values.begin(), grid_.values.end(), [](double v) { return !std::isnan(v); });
    const auto i = static_cast<std::size_t>(first - grid_.values.begin());
    if (first != grid_.values.end())
      x0_ = static_cast<std::ptrdiff_t>(i % grid_.shape[2]), y0_ = static_cast<std::ptrdiff_t>(i / grid_.shape[2]);
  }

  /// The dense inner lattice where it surrounds the point, else the wider outer one, else what there is of the inner.
  [[nodiscard]] double at(std::size_t y, std::size_t x) const {
    if (const double own = grid_.at(0, y, x); !std::isnan(own)) return own;
    const auto px = static_cast<std::ptrdiff_t>(x), py = static_cast<std::ptrdiff_t>(y);
    const LatticeValue inner = on_lattice(px, py, 1);
    if (inner.weight > 0.999) return inner.value;
    const LatticeValue outer = on_lattice(px, py, 2);
    if (outer.weight >= 0.5) return outer.value;
    return inner.weight >= 0.5 ? inner.value : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  [[nodiscard]] LatticeValue on_lattice(std::ptrdiff_t x, std::ptrdiff_t y, std::ptrdiff_t s) const {
    const auto of = [&](std::ptrdiff_t sum) { return static_cast<double>(sum) / static_cast<double>(2 * s); };
    const double u = of(x - x0_ + y - y0_), v = of(x - x0_ - y + y0_);
    LatticeValue out;
    for (const int du : {0, 1})
      for (const int dv : {0, 1}) {
        const double fu = u - std::floor(u), fv = v - std::floor(v), w = (du ? fu : 1 - fu) * (dv ? fv : 1 - fv);
        const auto cu = static_cast<std::ptrdiff_t>(std::floor(u)) + du,
                   cv = static_cast<std::ptrdiff_t>(std::floor(v)) + dv;
        const std::ptrdiff_t cx = x0_ + s * (cu + cv), cy = y0_ + s * (cu - cv);
        if (w < 1e-9 || cx < 0 || cy < 0 || cx >= static_cast<std::ptrdiff_t>(grid_.shape[2]) ||
            cy >= static_cast<std::ptrdiff_t>(grid_.shape[1]))
          continue;
        const double dose = grid_.at(0, static_cast<std::size_t>(cy), static_cast<std::size_t>(cx));
        if (!std::isnan(dose)) out.value += w * dose, out.weight += w;
      }
    if (out.weight > 0) out.value /= out.weight;
    return out;
  }

  const DoseGrid& grid_;
  std::ptrdiff_t x0_ = 0, y0_ = 0;
};

}  // namespace detail

/// The plane between a detector's elements: bilinear over the chequerboard that they stand on, NaN beyond them.
/// \param elements a plane, NaN where the array has no element
[[nodiscard]] inline DoseGrid between_elements(const DoseGrid& elements) {
  DoseGrid out = elements;
  const detail::Chequerboard board(elements);
  for (std::size_t y = 0; y < out.shape[1]; ++y)
    for (std::size_t x = 0; x < out.shape[2]; ++x) out.at(0, y, x) = board.at(y, x);
  return out;
}

}  // namespace equipoise::psqa
