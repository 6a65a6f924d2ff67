// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The shape of a beam's opening: leaf pairs of one bank, cut down by the jaws. Stacked collimators become one virtual
/// bank of finer strips, and leaves that move along y become leaves along x, so that every metric sees one kind of
/// aperture.

#include <equipoise/psqa/complexity/choices.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// Whether a value is smaller than a limit in the decimals that files hold: a gap between 25.82 and 30.82 mm is not
/// smaller than 5 mm, whatever the last binary digit says. The value must be smaller by 1e-6 of the limit and by
/// `rounding`, what the decimals of the file leave open of the value.
[[nodiscard]] constexpr bool is_smaller(double value, double limit, double rounding = 0) {
  return value < limit - 1e-6 * limit - rounding;
}

/// MU of an interval of a beam; 0 where the weights of its ends differ by their last decimal alone.
[[nodiscard]] inline double delivered_mu(const Beam& beam, const ControlPoint& from, const ControlPoint& to) {
  const double mu = beam.interval_mu(from, to);
  return mu > kWeightTolerance * beam.mu ? mu : 0;
}

/// A beam with one virtual bank: boundaries [n + 1] mm and per control point leaf tips [n].
struct Bank {
  std::vector<double> boundaries;
  struct Point {
    std::vector<double> a, b;
    double x1, x2, y1, y2;
  };
  std::vector<Point> points;
};

namespace detail {

/// The layer's pair that covers a strip, or `pairs()` where none does.
[[nodiscard]] inline std::size_t pair_at(const Layer& layer, double y) {
  const auto above = std::upper_bound(layer.boundaries.begin(), layer.boundaries.end(), y);
  if (above == layer.boundaries.begin() || above == layer.boundaries.end()) return layer.pairs();
  return static_cast<std::size_t>(above - layer.boundaries.begin()) - 1;
}

}  // namespace detail

/// The boundaries in mm of the strips of a beam's virtual bank.
[[nodiscard]] inline std::vector<double> strip_boundaries(const Beam& beam) {
  std::vector<double> out;
  for (const Layer& layer : beam.layers) out.insert(out.end(), layer.boundaries.begin(), layer.boundaries.end());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end(), [](double u, double v) { return v - u < kPlaceTolerance_mm; }),
            out.end());
  return out;
}

/// Those of the strips between the first and the last that the jaws expose at any control point; all where none is.
[[nodiscard]] inline std::vector<double> exposed_boundaries(const Beam& beam, const std::vector<double>& boundaries) {
  const bool along_y = beam.layers[0].axis == LeafAxis::y;
  double low = kInfinity, high = -kInfinity;
  for (const ControlPoint& cp : beam.control_points)
    low = std::min(low, along_y ? cp.x1 : cp.y1), high = std::max(high, along_y ? cp.x2 : cp.y2);
  const auto above = std::upper_bound(boundaries.begin(), boundaries.end(), low),
             first = above == boundaries.begin() ? above : above - 1,
             last = std::lower_bound(boundaries.begin(), boundaries.end(), high),
             end = last == boundaries.end() ? last : last + 1;
  return end - first < 2 ? boundaries : std::vector<double>(first, end);
}

/// One virtual bank for a beam, of the strips between the boundaries. \pre the beam has at least one layer
[[nodiscard]] inline Bank merged_bank(const Beam& beam, std::vector<double> boundaries) {
  Bank bank{std::move(boundaries), {}};
  bank.points.reserve(beam.control_points.size());
  const std::size_t strips = bank.boundaries.size() - 1;
  std::vector<std::vector<std::size_t>> pair(beam.layers.size());
  for (std::size_t l = 0; l < beam.layers.size(); ++l)
    for (std::size_t s = 0; s < strips; ++s)
      pair[l].push_back(detail::pair_at(beam.layers[l], 0.5 * (bank.boundaries[s] + bank.boundaries[s + 1])));
  const bool along_y = beam.layers[0].axis == LeafAxis::y;
  for (const ControlPoint& cp : beam.control_points) {
    Bank::Point point{
        std::vector<double>(strips, -kInfinity), std::vector<double>(strips, kInfinity), cp.x1, cp.x2, cp.y1, cp.y2};
    if (along_y) std::swap(point.x1, point.y1), std::swap(point.x2, point.y2);
    for (std::size_t s = 0; s < strips; ++s) {
      for (std::size_t l = 0; l < beam.layers.size(); ++l) {
        if (pair[l][s] == beam.layers[l].pairs()) continue;
        point.a[s] = std::max(point.a[s], cp.leaves[l].a[pair[l][s]]);
        point.b[s] = std::min(point.b[s], cp.leaves[l].b[pair[l][s]]);
      }
      if (point.b[s] < point.a[s]) point.a[s] = point.b[s] = 0.5 * (point.a[s] + point.b[s]);
    }
    bank.points.push_back(std::move(point));
  }
  return bank;
}

/// One virtual bank of all strips. \pre the beam has at least one layer
[[nodiscard]] inline Bank merged_bank(const Beam& beam) {
  return merged_bank(beam, strip_boundaries(beam));
}

/// Half way between two control points: where the beam is, on average, in the interval.
[[nodiscard]] inline Bank::Point midway(const Bank::Point& p, const Bank::Point& q) {
  const auto mean = [](double u, double v) { return u == v ? u : 0.5 * (u + v); };  // infinite jaws stay infinite
  Bank::Point out{p.a, p.b, mean(p.x1, q.x1), mean(p.x2, q.x2), mean(p.y1, q.y1), mean(p.y2, q.y2)};
  std::ranges::transform(p.a, q.a, out.a.begin(), mean);
  std::ranges::transform(p.b, q.b, out.b.begin(), mean);
  return out;
}

/// Whether a gap exceeds what counts as closed.
[[nodiscard]] inline bool is_wide(double gap, const ComplexityChoices& choices) {
  return gap > choices.closed_gap_mm + choices.same_place_mm;
}

/// One leaf pair's opening within the jaws.
struct Opening {
  double left = 0, right = 0;  ///< mm; right >= left
  double height = 0;           ///< mm, 0 where the jaws cover the pair
  double bottom = 0;           ///< mm
  bool wide = false;           ///< the gap exceeds what counts as closed
  bool exposed = false;        ///< the jaws leave some height, or leaves under them count as well

  [[nodiscard]] double gap() const { return right - left; }
  /// Counts among the open pairs.
  [[nodiscard]] bool open() const { return wide && exposed; }
  /// Is part of the aperture's shape.
  [[nodiscard]] bool has_area() const { return wide && height > 0; }
};

/// The openings of all pairs at some points of a beam, one point after another.
class Openings {
 public:
  Openings() = default;
  Openings(std::size_t pairs, std::size_t points) : pairs_(pairs) { all_.reserve(pairs * points); }

  /// Those of one more point. `choices.closed_gap_mm` decides which pairs are open, and `leaves_under_jaw` which are
  /// exposed; both need more than `same_place_mm`. \pre the bank has as many pairs as these openings
  void add(const Bank& bank, const Bank::Point& p, const ComplexityChoices& choices) {
    const bool all_exposed = choices.leaves_under_jaw == LeavesUnderJaw::exposed;
    all_.resize(all_.size() + pairs_);
    const std::span<Opening> added = std::span(all_).last(pairs_);
    for (std::size_t l = 0; l < pairs_; ++l) {
      const double bottom = std::max(bank.boundaries[l], p.y1), top = std::min(bank.boundaries[l + 1], p.y2);
      const double left = std::max(p.a[l], p.x1), right = std::min(p.b[l], p.x2);
      const double height = top - bottom > choices.same_place_mm ? top - bottom : 0;
      added[l] = {left,   std::max(left, right),          height,
                  bottom, is_wide(right - left, choices), all_exposed || height > 0};
    }
  }

  [[nodiscard]] std::size_t pairs() const { return pairs_; }
  /// Points.
  [[nodiscard]] std::size_t size() const { return pairs_ == 0 ? 0 : all_.size() / pairs_; }
  [[nodiscard]] std::span<const Opening> operator[](std::size_t point) const { return {&all_[point * pairs_], pairs_}; }

 private:
  std::size_t pairs_ = 0;
  std::vector<Opening> all_;
};

}  // namespace equipoise::psqa
