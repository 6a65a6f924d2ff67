// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// From an ideal fluence to static segments: levels of equal MU, each a leaf pair's rise and fall (Bortfeld 1994).

#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/plan.hpp>
#include <equipoise/psqa/simulator/ideal_fluence.hpp>
#include <equipoise/psqa/simulator/leaf_sequence.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// Where a row of a fluence rises and falls by one unit, from left to right, in mm. The i-th rise and the i-th
/// fall bound segment i (Bortfeld 1994): together the segments are the fluence, and leaves only go to the right.
struct SegmentEdges {
  std::vector<double> rises, falls;
};

/// \param unit of the fluence: that of one segment
[[nodiscard]] inline SegmentEdges segment_edges(const FluenceRow& f, double unit) {
  SegmentEdges row;
  std::int64_t before = 0;
  for (std::size_t x = 0; x <= kFluenceSamples; ++x) {
    const std::int64_t now = x < kFluenceSamples ? std::llround(f[x] / unit) : 0;
    const double edge = -kFluenceExtent_mm + kFluenceStep_mm * (static_cast<double>(x) - 0.5);
    for (std::int64_t i = before; i < now; ++i) row.rises.push_back(edge);
    for (std::int64_t i = now; i < before; ++i) row.falls.push_back(edge);
    before = now;
  }
  return row;
}

namespace detail {

inline constexpr std::size_t kLeastSegments = 5, kMostSegments = 15, kLeastLevels = 5, kMostLevels = 10;
inline constexpr double kLeastSegmentMu = 4, kLeastSegmentArea = 400;  ///< MU, mm²

/// Segments of equal MU, those below `kLeastSegmentArea` left out.
struct Segments {
  std::vector<ControlPoint> shots;
  double mu = 0;  ///< of each

  [[nodiscard]] bool allowed() const {
    return shots.size() >= kLeastSegments && shots.size() <= kMostSegments && mu >= kLeastSegmentMu;
  }
};

[[nodiscard]] inline Segments segments_of(const FluenceRows& fluence, double unit, std::size_t levels,
                                          const LinacDesign& design) {
  const LeafRows leaves(design);
  double maximum = 0;
  for (const auto& row : fluence) maximum = std::max(maximum, *std::max_element(row.begin(), row.end()));
  if (!(maximum > 0)) return {};
  const double step = maximum / static_cast<double>(levels);
  std::vector<SegmentEdges> rows;
  FieldBounds bounds;
  std::size_t count = 0;
  for (std::size_t l = 0; l < fluence.size(); ++l) {
    const SegmentEdges& row = rows.emplace_back(segment_edges(fluence[l], step));
    count = std::max(count, row.rises.size());
    if (!row.rises.empty()) bounds.include(leaves, l, row.rises.front(), row.falls.back());
  }
  Segments out{{}, unit * step};
  for (std::size_t i = 0; i < count; ++i) {
    ControlPoint cp = parked_point(bounds, design, 0);
    double area = 0;
    for (std::size_t l = 0; l < rows.size(); ++l) {
      if (i >= rows[l].rises.size()) continue;
      cp.leaves[0].a[leaves.pair(l)] = rows[l].rises[i], cp.leaves[0].b[leaves.pair(l)] = rows[l].falls[i];
      area += (rows[l].falls[i] - rows[l].rises[i]) * (leaves.high(l) - leaves.low(l));
    }
    if (area > kLeastSegmentArea) out.shots.push_back(std::move(cp));
  }
  return out;
}

/// Step-and-shoot: 5 to 15 segments of more than 400 mm² and at least 4 MU, from the fluence in `levels` steps, in
/// fewer or more where the segments would break that, and of a flatter fluence where no number of levels will do.
/// \param unit MU that deliver a fluence of one
[[nodiscard]] inline Beam step_and_shoot(const IdealFluence& ideal, double amplitude, double unit, std::size_t levels,
                                         const LinacDesign& design) {
  Segments best;
  for (double flatter = 1; !best.allowed() && flatter > 0; flatter -= 0.1) {
    const FluenceRows fluence = ideal.of_amplitude(flatter < 0.05 ? 0 : flatter * amplitude);
    std::vector<std::size_t> order;
    for (std::size_t n = levels; n >= kLeastLevels; --n) order.push_back(n);
    for (std::size_t n = levels + 1; n <= kMostLevels; ++n) order.push_back(n);
    for (std::size_t n = 0; n < order.size() && !best.allowed(); ++n)
      best = segments_of(fluence, unit, order[n], design);
  }
  Beam beam = empty_beam(false, design);
  if (best.shots.empty()) best = {{parked_point({}, design, 0)}, 0};  // nothing to open, and no MU
  const double each = 1 / static_cast<double>(best.shots.size());
  for (std::size_t i = 0; i < best.shots.size(); ++i)
    for (const double w : {static_cast<double>(i) * each, static_cast<double>(i + 1) * each}) {
      beam.control_points.push_back(best.shots[i]);
      beam.control_points.back().weight = w;
    }
  beam.mu = best.mu * static_cast<double>(best.shots.size());
  return beam;
}

}  // namespace detail

}  // namespace equipoise::psqa
