// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// From an ideal fluence to leaf positions: what all sequences share, and the sliding window.

#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// How a field's fluence is sampled before it is sequenced: rows of `kFluenceSamples` from -`kFluenceExtent_mm`.
inline constexpr double kFluenceStep_mm = 2;      ///< along the leaves' travel
inline constexpr double kFluenceExtent_mm = 110;  ///< half of what a field may cover along the leaves' travel
inline constexpr double kFluenceReach_mm = 100;   ///< half of what a field may cover across it
inline constexpr std::size_t kFluenceSamples = 111;

/// The ideal fluence along one leaf pair; zero outside of the outline.
using FluenceRow = std::array<double, kFluenceSamples>;
/// That of a field: one row a leaf pair.
using FluenceRows = std::vector<FluenceRow>;

/// The rows of a fluence: the leaf pairs within `kFluenceReach_mm` of the axis, each as high as its leaves are wide.
class LeafRows {
 public:
  explicit LeafRows(const LinacDesign& design) {
    const std::vector<double>& b = design.boundaries;
    const auto first = std::find_if(b.begin(), b.end(), [](double y) { return y >= -kFluenceReach_mm; });
    const auto end = std::find_if(first, b.end(), [](double y) { return y > kFluenceReach_mm; });
    first_pair_ = static_cast<std::size_t>(first - b.begin());
    edges_.assign(first, end);
    pitch_ = high(0) - low(0);
    for (std::size_t l = 1; l < size(); ++l) pitch_ = std::min(pitch_, high(l) - low(l));
  }

  [[nodiscard]] std::size_t size() const { return edges_.size() - 1; }
  [[nodiscard]] std::size_t pair(std::size_t l) const { return first_pair_ + l; }
  [[nodiscard]] double low(std::size_t l) const { return edges_[l]; }
  [[nodiscard]] double high(std::size_t l) const { return edges_[l + 1]; }
  [[nodiscard]] double middle(std::size_t l) const { return 0.5 * (low(l) + high(l)); }
  /// The narrowest row's height, mm.
  [[nodiscard]] double pitch() const { return pitch_; }
  /// A row's height in pitches: how much it counts in means over the field.
  [[nodiscard]] double weight(std::size_t l) const { return (high(l) - low(l)) / pitch_; }

 private:
  std::size_t first_pair_ = 0;
  std::vector<double> edges_;  // mm
  double pitch_ = 0;
};

namespace detail {

/// A beam of a design with both jaws where it has any, without control points.
[[nodiscard]] inline Beam empty_beam(bool dynamic, const LinacDesign& design) {
  Beam beam;
  beam.dynamic = dynamic;
  beam.layers = {Layer{LeafAxis::x, design.boundaries, "MLCX"}};
  beam.has_x_jaw = beam.has_y_jaw = design.jaws;
  return beam;
}

/// The rectangle that a field needs.
struct FieldBounds {
  double left = kFluenceExtent_mm, right = -kFluenceExtent_mm, bottom = kFluenceExtent_mm, top = -kFluenceExtent_mm;

  /// Takes in row `l` from `from` to `to`.
  void include(const LeafRows& rows, std::size_t l, double from, double to) {
    left = std::min(left, from), right = std::max(right, to);
    bottom = std::min(bottom, rows.low(l)), top = std::max(top, rows.high(l));
  }
};

/// A control point with all pairs parked left of the field, jaws about it; closed on the axis where there is no field.
[[nodiscard]] inline ControlPoint parked_point(FieldBounds f, const LinacDesign& design, double weight) {
  if (f.left > f.right) f = {5, -5, 0, 0};
  ControlPoint cp;
  cp.weight = weight, cp.dose_rate = design.limits.dose_rate_MU_per_min;
  if (design.jaws) cp.x1 = f.left - 5, cp.x2 = f.right + 5, cp.y1 = f.bottom, cp.y2 = f.top;
  const std::vector<double> parked(design.boundaries.size() - 1, f.left - 5);
  cp.leaves.push_back({parked, parked});
  return cp;
}

/// When the leaves of one pair pass each sample of a row: leading and trailing leaf, in units of fluence. Sliding
/// window, from left to right; exact for the row's fluence: the time between them is the fluence, and neither goes
/// faster than `speed` mm a unit.
struct Row {
  std::size_t first = 0, last = 0;  ///< samples; none where last < first
  bool any = false;
  std::vector<double> lead, trail;
};

[[nodiscard]] inline Row window_row(const FluenceRow& f, double speed) {
  Row row;
  for (std::size_t x = 0; x < kFluenceSamples; ++x)
    if (f[x] > 0) {
      if (!row.any) row.first = x;
      row.last = x;
      row.any = true;
    }
  if (!row.any) return row;
  double lead = 0, before = 0;
  for (std::size_t x = row.first; x <= row.last; ++x) {
    const double change = x == row.first ? 0 : f[x] - before;
    if (x > row.first) lead += kFluenceStep_mm / speed + std::max(0.0, -change);
    row.lead.push_back(lead);
    row.trail.push_back(lead + f[x]);
    before = f[x];
  }
  return row;
}

/// Where a leaf is at a time, from when it passes each sample.
[[nodiscard]] inline double position_at(const Row& row, const std::vector<double>& times, double t) {
  const double first = -kFluenceExtent_mm + kFluenceStep_mm * static_cast<double>(row.first);
  if (t <= times.front()) return first;
  const auto next = std::lower_bound(times.begin(), times.end(), t);
  if (next == times.end()) return -kFluenceExtent_mm + kFluenceStep_mm * static_cast<double>(row.last);
  const auto i = static_cast<double>(next - times.begin());
  const double span = *next - *(next - 1);
  return first + kFluenceStep_mm * (i - 1 + (span > 0 ? (t - *(next - 1)) / span : 1));
}

/// The rows of a fluence as a sliding window of some speed, and for how long (in units of fluence) it opens.
struct Window {
  std::vector<Row> rows;
  FieldBounds bounds;
  double total = 0;
};

[[nodiscard]] inline Window window_of(const FluenceRows& fluence, const LeafRows& rows, double speed) {
  Window w;
  for (std::size_t l = 0; l < fluence.size(); ++l) {
    const Row& row = w.rows.emplace_back(window_row(fluence[l], speed));
    if (!row.any) continue;
    w.total = std::max(w.total, row.trail.back());
    w.bounds.include(rows, l, -kFluenceExtent_mm + kFluenceStep_mm * static_cast<double>(row.first),
                     -kFluenceExtent_mm + kFluenceStep_mm * static_cast<double>(row.last));
  }
  return w;
}

/// A sliding window's control points. A pair is closed until its row begins and once it is done.
/// \param unit MU that deliver a fluence of one
[[nodiscard]] inline Beam sliding_window(const Window& w, std::size_t points, double unit, const LinacDesign& design) {
  Beam beam = empty_beam(true, design);
  const LeafRows rows(design);
  for (std::size_t k = 0; k < points; ++k) {
    const double share = static_cast<double>(k) / static_cast<double>(points - 1), t = share * w.total;
    ControlPoint cp = parked_point(w.bounds, design, share);
    for (std::size_t l = 0; l < w.rows.size(); ++l) {
      const Row& row = w.rows[l];
      if (!row.any) continue;
      const double a = position_at(row, row.trail, t), b = position_at(row, row.lead, t);
      const bool moving = t > 0 && t < row.trail.back();
      cp.leaves[0].a[rows.pair(l)] = a;
      cp.leaves[0].b[rows.pair(l)] = moving ? std::max(b, a + design.limits.least_gap_mm) : a;
    }
    beam.control_points.push_back(std::move(cp));
  }
  beam.mu = unit * w.total;
  return beam;
}

}  // namespace detail

}  // namespace equipoise::psqa
