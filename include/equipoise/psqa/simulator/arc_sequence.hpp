// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Arcs: leaf pairs that follow an outline as the gantry goes round, each with a random walk of its own.

#include <equipoise/core/base/random_stream.hpp>
#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/plan.hpp>
#include <equipoise/psqa/simulator/leaf_sequence.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace equipoise::psqa::detail {

inline constexpr double kArcSpan = 358, kMostLeafTravelPerDegree = 5;  ///< degree, mm per degree

/// Where one pair of an arc stands, and how far its tips are from the outline's edges.
class ArcPair {
 public:
  ArcPair(RandomStream& random, double modulation_mm)
      : walk_{random.normal(0, modulation_mm), random.normal(0, modulation_mm)} {}

  /// Goes towards the outline's span, by no more than `reach`; a span that is empty closes the pair.
  void follow(const std::pair<double, double>& span, double reach, double least_gap, double modulation_mm,
              RandomStream& random) {
    for (double& w : walk_) w = 0.96 * w + random.normal(0, 0.28 * modulation_mm);
    const bool wanted = span.second - span.first > least_gap;
    if (!wanted && !tips_) return;
    double a = span.first + std::abs(walk_[0]), b = span.second - std::abs(walk_[1]);
    if (b - a < least_gap) a = 0.5 * (a + b - least_gap), b = a + least_gap;
    if (!wanted) a = b = 0.5 * ((*tips_)[0] + (*tips_)[1]);
    if (tips_) {
      a = std::clamp(a, (*tips_)[0] - reach, (*tips_)[0] + reach);
      b = std::clamp(b, (*tips_)[1] - reach, (*tips_)[1] + reach);
    }
    if (wanted || b - a > least_gap)
      b = std::max(b, a + least_gap);
    else
      b = a;
    tips_ = {a, b};
  }
  [[nodiscard]] const std::optional<std::array<double, 2>>& tips() const { return tips_; }

 private:
  std::array<double, 2> walk_;
  std::optional<std::array<double, 2>> tips_;
};

/// An arc. Its MU are such that the outline, open for part of them, gets the fluence of one `unit`.
/// \param edge called as edge(y, gantry) for the outline's span at y (mm), empty where last <= first
template <class Edge>
[[nodiscard]] Beam arc(Edge&& edge, std::size_t points, double unit, double modulation_mm, bool clockwise,
                       RandomStream random, const LinacDesign& design) {
  Beam beam = empty_beam(true, design);
  const LeafRows rows(design);
  const double step = kArcSpan / static_cast<double>(points - 1), seconds = step / design.limits.gantry_speed_deg_per_s,
               reach = std::min(design.limits.leaf_speed_mm_per_s * seconds, kMostLeafTravelPerDegree * step);
  std::vector<ArcPair> pairs;
  for (std::size_t l = 0; l < rows.size(); ++l) pairs.emplace_back(random, modulation_mm);
  std::vector<std::vector<std::optional<std::array<double, 2>>>> tips;
  FieldBounds bounds;
  double open = 0, outline = 0;
  for (std::size_t k = 0; k < points; ++k) {
    const double turn = 181 + step * static_cast<double>(k);
    ControlPoint cp;
    cp.gantry = std::fmod(clockwise ? turn : 720 - turn, 360.0);
    cp.rotation = k + 1 == points ? Rotation::none : clockwise ? Rotation::clockwise : Rotation::counter_clockwise;
    tips.emplace_back();
    for (std::size_t l = 0; l < rows.size(); ++l) {
      const std::pair<double, double> span = edge(rows.middle(l), cp.gantry);
      pairs[l].follow(span, reach, design.limits.least_gap_mm, modulation_mm, random);
      const auto& at = tips.back().emplace_back(pairs[l].tips());
      if (!at) continue;
      bounds.include(rows, l, (*at)[0], (*at)[1]);
      open += rows.weight(l) * ((*at)[1] - (*at)[0]);
      outline += rows.weight(l) * std::max(0.0, span.second - span.first);
    }
    beam.control_points.push_back(std::move(cp));
  }
  beam.mu = open > 0 ? unit * outline / open : 0;
  const double mu = beam.mu / static_cast<double>(points - 1);
  for (std::size_t k = 0; k < points; ++k) {
    ControlPoint cp = parked_point(bounds, design, static_cast<double>(k) / static_cast<double>(points - 1));
    cp.gantry = beam.control_points[k].gantry, cp.rotation = beam.control_points[k].rotation;
    cp.dose_rate = std::min(cp.dose_rate, 60 * mu / seconds);
    for (std::size_t l = 0; l < rows.size(); ++l)
      if (tips[k][l]) cp.leaves[0].a[rows.pair(l)] = (*tips[k][l])[0], cp.leaves[0].b[rows.pair(l)] = (*tips[k][l])[1];
    beam.control_points[k] = std::move(cp);
  }
  return beam;
}

}  // namespace equipoise::psqa::detail
