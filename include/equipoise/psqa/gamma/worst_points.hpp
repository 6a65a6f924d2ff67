// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The worst points of a gamma map: where they lie and which doses meet there.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/interpolated_dose.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace equipoise::psqa {

/// A reference point of a gamma map.
struct GammaPoint {
  std::array<double, 3> place{};        ///< z, y, x; mm
  std::size_t frame = 0;                ///< of the reference
  double gamma = 0;                     ///< capped as the map is
  double reference = 0, evaluated = 0;  ///< doses at the place; the evaluated one is NaN beyond its grid
};

/// Of a volume, the frame with the most points that fail; 0 where none does.
[[nodiscard]] inline std::size_t worst_frame(const DoseGrid& reference, std::span<const float> map) {
  const std::size_t size = reference.shape[1] * reference.shape[2];
  std::size_t worst = 0;
  std::ptrdiff_t most = 0;
  for (std::size_t k = 0; k < reference.shape[0]; ++k) {
    const auto frame = map.subspan(k * size, size);
    const auto failing = std::count_if(frame.begin(), frame.end(), [](float v) { return v > 1; });
    if (failing > most) most = failing, worst = k;
  }
  return worst;
}

namespace detail {

/// The reference's point j, i of a frame.
[[nodiscard]] inline GammaPoint gamma_point(const DoseGrid& reference, const DoseGrid& evaluated, std::size_t frame,
                                            std::size_t j, std::size_t i, double gamma) {
  GammaPoint p{.place = reference.origin, .frame = frame, .gamma = gamma, .reference = reference.at(frame, j, i)};
  const std::array<std::size_t, 3> index = {frame, j, i};
  for (std::size_t axis = 0; axis < 3; ++axis)
    p.place[axis] += reference.spacing[axis] * static_cast<double>(index[axis]);
  p.evaluated = interpolated_dose(evaluated, {p.place[2], p.place[1], p.place[0]});
  return p;
}

/// Whether a is the worse of two points: of larger γ, or of larger dose difference at the same γ.
[[nodiscard]] inline bool worse(const GammaPoint& a, const GammaPoint& b) {
  const auto error = [](const GammaPoint& p) {
    return std::isnan(p.evaluated) ? -1 : std::abs(p.evaluated - p.reference);
  };
  return a.gamma != b.gamma ? a.gamma > b.gamma : error(a) > error(b);
}

}  // namespace detail

/// The points of largest γ > 0 of one frame, the worst first; of those at the cap, the ones with the largest dose
/// difference. It goes through the frame `count` times.
/// \param apart_mm two of them are at least so far apart, so that one bad place is one point
[[nodiscard]] inline std::vector<GammaPoint> worst_points(const DoseGrid& reference, const DoseGrid& evaluated,
                                                          std::span<const float> map, std::size_t frame,
                                                          std::size_t count, double apart_mm) {
  std::vector<GammaPoint> out;
  while (out.size() < count) {
    GammaPoint worst;
    for (std::size_t j = 0; j < reference.shape[1]; ++j)
      for (std::size_t i = 0; i < reference.shape[2]; ++i) {
        const double g = static_cast<double>(map[(frame * reference.shape[1] + j) * reference.shape[2] + i]);
        if (!(g > 0) || g < worst.gamma) continue;
        const double y = reference.origin[1] + reference.spacing[1] * static_cast<double>(j),
                     x = reference.origin[2] + reference.spacing[2] * static_cast<double>(i);
        if (std::any_of(out.begin(), out.end(),
                        [&](const GammaPoint& o) { return std::hypot(o.place[1] - y, o.place[2] - x) < apart_mm; }))
          continue;
        const GammaPoint p = detail::gamma_point(reference, evaluated, frame, j, i, g);
        if (detail::worse(p, worst)) worst = p;
      }
    if (worst.gamma == 0) break;
    out.push_back(worst);
  }
  return out;
}

}  // namespace equipoise::psqa
