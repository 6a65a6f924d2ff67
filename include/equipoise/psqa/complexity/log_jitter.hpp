// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The dead band of delivery logs: jitter of a log's own resolution is no motion, true motion stays. Decoded logs hold
/// 0.1 mm and 0.1 degree, so that a leaf at rest is written at two or three places in turn.

#include <equipoise/psqa/complexity/choices.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace equipoise::psqa {

namespace detail {

/// Where a signal turns: extremes in turn, each more than `least` from the one before. Empty where the signal stays within
/// `least`.
[[nodiscard]] inline std::vector<std::size_t> turning_points(std::span<const double> x, double least) {
  std::vector<std::size_t> out;
  std::size_t low = 0, high = 0;  // the extremes since the last turn
  int sense = 0;                  // 1 rising, -1 falling, 0 not known yet
  for (std::size_t k = 0; k < x.size(); ++k) {
    if (x[k] < x[low]) low = k;
    if (x[k] > x[high]) high = k;
    if (sense <= 0 && x[k] - x[low] > least) {
      out.push_back(low);
      sense = 1, high = k;
    } else if (sense >= 0 && x[high] - x[k] > least) {
      out.push_back(high);
      sense = -1, low = k;
    }
  }
  if (sense != 0) out.push_back(sense > 0 ? high : low);
  return out;
}

/// Half way between the largest value so far and the smallest to come (of a rising run; of a falling one the other way
/// round): runs one way, and keeps the run's ends.
inline void follow_run(std::span<const double> x, bool rising, std::span<double> out) {
  const auto sign = [&](double v) { return rising ? v : -v; };
  double most = -kInfinity, least = kInfinity;
  for (std::size_t k = 0; k < x.size(); ++k) most = std::max(most, sign(x[k])), out[k] = most;
  for (std::size_t k = x.size(); k-- > 0;) least = std::min(least, sign(x[k])), out[k] = sign(0.5 * (out[k] + least));
}

}  // namespace detail

/// A signal without jitter: no value moves by more than `band`. A signal that stays within 2 `band` becomes one value, its
/// mean. Every other is followed from turn to turn, where a turn is a way back of more than 2 `band`: a drift, however
/// slow, and the range and the turns of any motion stay whole. A band of 0 changes nothing.
[[nodiscard]] inline std::vector<double> without_jitter(std::span<const double> x, double band) {
  std::vector<double> out(x.begin(), x.end());
  if (!(band > 0) || x.size() < 2) return out;
  const std::vector<std::size_t> turns = detail::turning_points(x, 2 * band);
  if (turns.empty()) {
    const auto [low, high] = std::minmax_element(x.begin(), x.end());
    double mean = 0;
    for (const double v : x) mean += (v - *low) / static_cast<double>(x.size());
    std::fill(out.begin(), out.end(), std::max(*high - band, std::min(*low + mean, *low + band)));
    return out;
  }
  // The first run begins, and the last one ends, with the signal.
  for (std::size_t i = 0; i + 1 < turns.size(); ++i) {
    const std::size_t from = i == 0 ? 0 : turns[i], to = i + 2 == turns.size() ? x.size() - 1 : turns[i + 1];
    detail::follow_run(x.subspan(from, to - from + 1), x[turns[i + 1]] > x[turns[i]],
                       std::span(out).subspan(from, to - from + 1));
  }
  return out;
}

namespace detail {

/// Applies the dead band to one number of every control point.
template <class Get>
void calm(std::vector<ControlPoint>& points, double band, Get&& get) {
  std::vector<double> x;
  x.reserve(points.size());
  for (ControlPoint& cp : points) x.push_back(get(cp));
  if (!std::all_of(x.begin(), x.end(), [](double v) { return std::isfinite(v); })) return;  // no jaw
  const std::vector<double> calmed = without_jitter(x, band);
  for (std::size_t k = 0; k < points.size(); ++k) get(points[k]) = calmed[k];
}

/// The same of an angle, which is followed through 0 and 360 degrees.
template <class Get>
void calm_angle(std::vector<ControlPoint>& points, double band, Get&& get) {
  std::vector<double> x;
  x.reserve(points.size());
  for (ControlPoint& cp : points)
    x.push_back(x.empty() ? get(cp) : x.back() + std::remainder(get(cp) - x.back(), 360.0));
  const std::vector<double> calmed = without_jitter(x, band);
  for (std::size_t k = 0; k < points.size(); ++k)
    get(points[k]) = calmed[k] - 360 * std::round((x[k] - get(points[k])) / 360);
}

/// The same of both leaves of a pair. Where they are closed, to half the band, they stay closed.
inline void calm_pair(std::vector<ControlPoint>& points, std::size_t layer, std::size_t pair, double band) {
  std::vector<bool> closed;
  closed.reserve(points.size());
  for (const ControlPoint& cp : points)
    closed.push_back(cp.leaves[layer].b[pair] - cp.leaves[layer].a[pair] <= 0.5 * band);
  calm(points, band, [&](ControlPoint& cp) -> double& { return cp.leaves[layer].a[pair]; });
  calm(points, band, [&](ControlPoint& cp) -> double& { return cp.leaves[layer].b[pair]; });
  for (std::size_t k = 0; k < points.size(); ++k) {
    double &a = points[k].leaves[layer].a[pair], &b = points[k].leaves[layer].b[pair];
    if (closed[k] && b - a > 0.5 * band) a = b = 0.5 * (a + b);
  }
}

}  // namespace detail

/// A delivered plan as its metrics take it: leaves and jaws without jitter of `log_band_mm`, the angles of gantry,
/// collimator and couch without that of `log_band_deg`.
[[nodiscard]] inline Plan without_jitter(Plan plan, const ComplexityChoices& choices) {
  for (Beam& beam : plan.beams) {
    std::vector<ControlPoint>& points = beam.control_points;
    for (double ControlPoint::*angle : {&ControlPoint::gantry, &ControlPoint::collimator, &ControlPoint::couch})
      detail::calm_angle(points, choices.log_band_deg, [&](ControlPoint& cp) -> double& { return cp.*angle; });
    for (double ControlPoint::*jaw : {&ControlPoint::x1, &ControlPoint::x2, &ControlPoint::y1, &ControlPoint::y2})
      detail::calm(points, choices.log_band_mm, [&](ControlPoint& cp) -> double& { return cp.*jaw; });
    for (std::size_t i = 0; i < beam.layers.size() && !points.empty(); ++i)
      for (std::size_t l = 0; l < points[0].leaves[i].a.size(); ++l)
        detail::calm_pair(points, i, l, choices.log_band_mm);
  }
  return plan;
}

}  // namespace equipoise::psqa
