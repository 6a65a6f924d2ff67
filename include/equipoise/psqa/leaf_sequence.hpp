// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// From an ideal fluence to leaf positions: the sliding window, step-and-shoot segments, and arcs, each within the
/// machine's limits.

#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/noise.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace equipoise::psqa::detail {

inline constexpr double kStep = 2;      ///< mm, along the leaves' travel
inline constexpr double kExtent = 110;  ///< mm, half of what a field may cover
inline constexpr std::size_t kColumns = 111;

/// An ideal fluence: one row a leaf pair, kColumns samples from -kExtent; zero outside the outline.
using Fluence = std::vector<std::array<double, kColumns>>;

/// A beam of a Millennium 120 with both jaws, without control points.
[[nodiscard]] inline Beam empty_beam(bool dynamic) {
  Beam beam;
  beam.dynamic = dynamic;
  beam.layers = {Layer{LeafAxis::x, millennium_boundaries(), "MLCX"}};
  beam.has_x_jaw = beam.has_y_jaw = true;
  return beam;
}

/// When the leaves of one pair pass each sample of a row: leading and trailing leaf, in units of fluence. Sliding
/// window, from left to right; exact for the row's fluence: the time between them is the fluence, and neither goes
/// faster than `speed` mm a unit.
struct Row {
  std::size_t first = 0, last = 0;  ///< samples; none where last < first
  bool any = false;
  std::vector<double> lead, trail;
};

[[nodiscard]] inline Row window_row(const std::array<double, kColumns>& f, double speed) {
  Row row;
  for (std::size_t x = 0; x < kColumns; ++x)
    if (f[x] > 0) {
      if (!row.any) row.first = x;
      row.last = x;
      row.any = true;
    }
  if (!row.any) return row;
  double lead = 0, before = 0;
  for (std::size_t x = row.first; x <= row.last; ++x) {
    const double change = x == row.first ? 0 : f[x] - before;
    if (x > row.first) lead += kStep / speed + std::max(0.0, -change);
    row.lead.push_back(lead);
    row.trail.push_back(lead + f[x]);
    before = f[x];
  }
  return row;
}

/// Where a leaf is at a time, from when it passes each sample.
[[nodiscard]] inline double position_at(const Row& row, const std::vector<double>& times, double t) {
  const double first = -kExtent + kStep * static_cast<double>(row.first);
  if (t <= times.front()) return first;
  const auto next = std::lower_bound(times.begin(), times.end(), t);
  if (next == times.end()) return -kExtent + kStep * static_cast<double>(row.last);
  const auto i = static_cast<double>(next - times.begin());
  const double span = *next - *(next - 1);
  return first + kStep * (i - 1 + (span > 0 ? (t - *(next - 1)) / span : 1));
}

/// A field's control points from its fluence. \param unit MU that deliver a fluence of one
[[nodiscard]] inline Beam sliding_window(const Fluence& fluence, std::size_t first_pair, std::size_t points,
                                         double speed, double unit, const MachineLimits& limits = {}) {
  speed = std::min(speed, limits.leaf_travel_per_MU() * unit);
  Beam beam = empty_beam(true);
  const std::size_t pairs = beam.layers[0].pairs();
  std::vector<Row> rows;
  double total = 0, left = kExtent, right = -kExtent, bottom = kExtent, top = -kExtent;
  for (std::size_t l = 0; l < fluence.size(); ++l) {
    rows.push_back(window_row(fluence[l], speed));
    if (!rows.back().any) continue;
    total = std::max(total, rows.back().trail.back());
    left = std::min(left, -kExtent + kStep * static_cast<double>(rows.back().first));
    right = std::max(right, -kExtent + kStep * static_cast<double>(rows.back().last));
    bottom = std::min(bottom, beam.layers[0].boundaries[first_pair + l]);
    top = std::max(top, beam.layers[0].boundaries[first_pair + l + 1]);
  }
  for (std::size_t k = 0; k < points; ++k) {
    const double w = static_cast<double>(k) / static_cast<double>(points - 1);
    ControlPoint cp;
    cp.weight = w;
    cp.dose_rate = limits.dose_rate_MU_per_min;
    cp.x1 = left - 5, cp.x2 = right + 5, cp.y1 = bottom, cp.y2 = top;
    cp.leaves.push_back({std::vector<double>(pairs, left - 5), std::vector<double>(pairs, left - 5)});
    for (std::size_t l = 0; l < rows.size(); ++l) {
      if (!rows[l].any) continue;
      const double a = position_at(rows[l], rows[l].trail, w * total),
                   b = position_at(rows[l], rows[l].lead, w * total);
      cp.leaves[0].a[first_pair + l] = a;
      cp.leaves[0].b[first_pair + l] = std::max(b, a + limits.least_gap_mm);
    }
    beam.control_points.push_back(std::move(cp));
  }
  beam.mu = unit * total;
  return beam;
}

/// The rectangle that a fluence needs; leaves of unused pairs are parked at its left.
struct FieldBounds {
  double left = kExtent, right = -kExtent, bottom = kExtent, top = -kExtent;
};

/// A control point with all pairs parked, jaws about the field.
[[nodiscard]] inline ControlPoint parked_point(const FieldBounds& f, std::size_t pairs, double weight, double rate) {
  ControlPoint cp;
  cp.weight = weight, cp.dose_rate = rate;
  cp.x1 = f.left - 5, cp.x2 = f.right + 5, cp.y1 = f.bottom, cp.y2 = f.top;
  cp.leaves.push_back({std::vector<double>(pairs, f.left - 5), std::vector<double>(pairs, f.left - 5)});
  return cp;
}

/// A fluence in whole units: per row, where it rises and falls by one, from left to right. The i-th rise and the i-th
/// fall bound segment i (Bortfeld 1994): together the segments are the fluence, and leaves only go to the right.
struct UnitRow {
  std::vector<double> rises, falls;
};

[[nodiscard]] inline UnitRow unit_row(const std::array<double, kColumns>& f, double unit) {
  UnitRow row;
  std::int64_t before = 0;
  for (std::size_t x = 0; x <= kColumns; ++x) {
    const std::int64_t now = x < kColumns ? std::llround(f[x] / unit) : 0;
    const double edge = -kExtent + kStep * (static_cast<double>(x) - 0.5);
    for (std::int64_t i = before; i < now; ++i) row.rises.push_back(edge);
    for (std::int64_t i = now; i < before; ++i) row.falls.push_back(edge);
    before = now;
  }
  return row;
}

/// Step-and-shoot: the fluence in 5 to 10 levels, fewer where that would take more than 15 segments or segments of less
/// than 4 MU; segments below 400 mm² are left out. \param unit MU that deliver a fluence of one
[[nodiscard]] inline Beam step_and_shoot(const Fluence& fluence, std::size_t first_pair, double unit,
                                         std::size_t levels, const MachineLimits& limits = {}) {
  Beam beam = empty_beam(false);
  const std::size_t pairs = beam.layers[0].pairs();
  double most = 0;
  for (const auto& row : fluence) most = std::max(most, *std::max_element(row.begin(), row.end()));
  std::vector<UnitRow> rows;
  std::size_t segments = 0;
  double step = 0;
  for (;; --levels) {
    step = most / static_cast<double>(levels);
    rows.clear(), segments = 0;
    for (const auto& row : fluence) {
      rows.push_back(unit_row(row, step));
      segments = std::max(segments, rows.back().rises.size());
    }
    if (levels <= 2 || (segments <= 15 && unit * step >= 4)) break;
  }
  const std::vector<double>& edges = beam.layers[0].boundaries;
  FieldBounds bounds;
  for (std::size_t l = 0; l < rows.size(); ++l) {
    if (rows[l].rises.empty()) continue;
    bounds.left = std::min(bounds.left, rows[l].rises.front()),
    bounds.right = std::max(bounds.right, rows[l].falls.back());
    bounds.bottom = std::min(bounds.bottom, edges[first_pair + l]),
    bounds.top = std::max(bounds.top, edges[first_pair + l + 1]);
  }
  std::vector<ControlPoint> shots;
  for (std::size_t i = 0; i < segments; ++i) {
    ControlPoint cp = parked_point(bounds, pairs, 0, limits.dose_rate_MU_per_min);
    double area = 0;
    for (std::size_t l = 0; l < rows.size(); ++l) {
      if (i >= rows[l].rises.size()) continue;
      cp.leaves[0].a[first_pair + l] = rows[l].rises[i], cp.leaves[0].b[first_pair + l] = rows[l].falls[i];
      area += (rows[l].falls[i] - rows[l].rises[i]) * (edges[first_pair + l + 1] - edges[first_pair + l]);
    }
    if (area >= 400) shots.push_back(std::move(cp));
  }
  if (shots.empty()) shots.push_back(parked_point(bounds, pairs, 0, limits.dose_rate_MU_per_min));
  const double each = 1 / static_cast<double>(shots.size());
  for (std::size_t i = 0; i < shots.size(); ++i)
    for (const double w : {static_cast<double>(i) * each, static_cast<double>(i + 1) * each}) {
      beam.control_points.push_back(shots[i]);
      beam.control_points.back().weight = w;
    }
  beam.mu = unit * step * static_cast<double>(shots.size());
  return beam;
}

/// An arc: at each of the control points every pair follows the outline's edges with a random walk of its own, no faster
/// than leaves and gantry allow. \param edge called as edge(pair, gantry) for the outline's span, empty where last <= first
template <class Edge>
[[nodiscard]] inline Beam arc(Edge&& edge, std::size_t first_pair, std::size_t rows, std::size_t points, double mu,
                              double modulation_mm, bool clockwise, Noise noise, const MachineLimits& limits = {}) {
  Beam beam = empty_beam(true);
  const std::size_t pairs = beam.layers[0].pairs();
  const double span = 358, step = span / static_cast<double>(points - 1);
  const double seconds = std::max(step / limits.gantry_speed_deg_per_s,
                                  60 * mu / static_cast<double>(points - 1) / limits.dose_rate_MU_per_min),
               reach = std::min(limits.leaf_speed_mm_per_s * seconds, 5 * step);
  std::vector<std::array<double, 2>> walk(rows), before(rows, {1e9, 1e9});
  for (auto& w : walk) w = {noise.normal(0, modulation_mm), noise.normal(0, modulation_mm)};
  FieldBounds bounds;
  for (std::size_t k = 0; k < points; ++k) {
    const double turn = 181 + step * static_cast<double>(k), gantry = std::fmod(clockwise ? turn : 720 - turn, 360.0);
    ControlPoint cp =
        parked_point({}, pairs, static_cast<double>(k) / static_cast<double>(points - 1),
                     std::min(limits.dose_rate_MU_per_min, 60 * mu / static_cast<double>(points - 1) / seconds));
    cp.gantry = gantry;
    cp.rotation = k + 1 == points ? Rotation::none : clockwise ? Rotation::clockwise : Rotation::counter_clockwise;
    for (std::size_t l = 0; l < rows; ++l) {
      const auto [first, last] = edge(l, gantry);
      for (double& w : walk[l]) w = 0.96 * w + noise.normal(0, 0.28 * modulation_mm);
      if (!(last > first)) {
        before[l] = {1e9, 1e9};
        continue;
      }
      double a = first + std::abs(walk[l][0]), b = last - std::abs(walk[l][1]);
      if (b < a) a = b = 0.5 * (a + b);
      if (before[l][0] < 1e8) {
        a = std::clamp(a, before[l][0] - reach, before[l][0] + reach);
        b = std::clamp(b, before[l][1] - reach, before[l][1] + reach);
      }
      b = std::max(b, a + limits.least_gap_mm);
      before[l] = {a, b};
      cp.leaves[0].a[first_pair + l] = a, cp.leaves[0].b[first_pair + l] = b;
      bounds.left = std::min(bounds.left, a), bounds.right = std::max(bounds.right, b);
      bounds.bottom = std::min(bounds.bottom, beam.layers[0].boundaries[first_pair + l]);
      bounds.top = std::max(bounds.top, beam.layers[0].boundaries[first_pair + l + 1]);
    }
    beam.control_points.push_back(std::move(cp));
  }
  for (ControlPoint& cp : beam.control_points) {
    for (auto* tips : {&cp.leaves[0].a, &cp.leaves[0].b})
      for (double& t : *tips)
        if (t == kExtent - 5) t = bounds.left - 5;  // parked before the field was known
    cp.x1 = bounds.left - 5, cp.x2 = bounds.right + 5, cp.y1 = bounds.bottom, cp.y2 = bounds.top;
  }
  beam.mu = mu;
  return beam;
}

}  // namespace equipoise::psqa::detail
