// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Parts of a beam within which gantry and collimator turn by less than some degrees, each a beam of its own share of
/// the MU. An interval in which they turn farther is cut up: leaves and jaws move evenly within it.

#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// A place in a beam: a control point, and the share of the way to the next one.
struct BeamPlace {
  std::size_t point = 0;
  double beyond = 0;  ///< 0 <= beyond < 1
};

/// A part of a beam as a beam.
struct BeamPart {
  Beam beam;                      ///< its MU are the part's
  std::vector<BeamPlace> places;  ///< of its control points in the whole beam
  double gantry = 0;              ///< degree, the middle of the way that the gantry turns
  double collimator = 0;          ///< degree, the mean by MU

  /// The displacements of the part's leaf tips from those of the whole beam, `leaf_error(point, bank, pair)`.
  template <class LeafError>
  [[nodiscard]] auto errors(LeafError&& leaf_error) const {
    return [this, &leaf_error](std::size_t k, int bank, std::size_t pair) {
      const BeamPlace& at = places[k];
      const double here = leaf_error(at.point, bank, pair);
      return at.beyond > 0 ? here + at.beyond * (leaf_error(at.point + 1, bank, pair) - here) : here;
    };
  }
};

/// How far gantry and collimator may turn within a part, degree; infinite: as far as they do.
struct PartLimits {
  double gantry = kInfinity, collimator = kInfinity;
};

namespace detail {

/// Degrees from one control point to the next, `length` of them: negative where the angle falls.
[[nodiscard]] inline double signed_turn(const ControlPoint& from, const ControlPoint& to, double length) {
  const double way = from.rotation == Rotation::counter_clockwise ? -length : length;
  return std::abs(std::remainder(from.gantry + way - to.gantry, 360.0)) < 1e-6 ? way : -way;
}

/// The state a share `f` of the way between two control points.
[[nodiscard]] inline ControlPoint between(const ControlPoint& p, const ControlPoint& q, double f) {
  const auto mix = [f](double a, double b) { return a == b || !std::isfinite(a) ? a : a + f * (b - a); };
  ControlPoint out = p;
  out.weight = mix(p.weight, q.weight);
  out.x1 = mix(p.x1, q.x1), out.x2 = mix(p.x2, q.x2), out.y1 = mix(p.y1, q.y1), out.y2 = mix(p.y2, q.y2);
  for (std::size_t l = 0; l < out.leaves.size(); ++l)
    for (std::size_t i = 0; i < out.leaves[l].a.size(); ++i) {
      out.leaves[l].a[i] = mix(p.leaves[l].a[i], q.leaves[l].a[i]);
      out.leaves[l].b[i] = mix(p.leaves[l].b[i], q.leaves[l].b[i]);
    }
  return out;
}

/// The collimator's angle at every control point, without jumps at a full turn. It turns the shorter way.
[[nodiscard]] inline std::vector<double> collimator_track(const Beam& beam) {
  std::vector<double> out;
  for (const ControlPoint& cp : beam.control_points)
    out.push_back(out.empty() ? cp.collimator : out.back() + std::remainder(cp.collimator - out.back(), 360.0));
  return out;
}

/// A beam's control points, with so many between them that neither angle turns by more than its limit from one to the
/// next; the angles do not jump at a full turn.
struct BeamTrack {
  std::vector<ControlPoint> points;
  std::vector<BeamPlace> places;
  std::vector<double> gantry, collimator;

  BeamTrack(const Beam& beam, const PartLimits& limits) {
    if (beam.control_points.empty()) return;
    const std::vector<double> lengths = gantry_steps(beam), turns = collimator_track(beam);
    double angle = beam.control_points[0].gantry;
    for (std::size_t k = 0; k + 1 < beam.control_points.size(); ++k) {
      const ControlPoint &p = beam.control_points[k], &q = beam.control_points[k + 1];
      const double by = signed_turn(p, q, lengths[k]), turn = turns[k + 1] - turns[k];
      // Nothing is delivered while the machine turns without MU.
      const double most = std::max(std::abs(by) / limits.gantry, std::abs(turn) / limits.collimator),
                   steps = beam.interval_mu(k + 1) > 0 ? std::max(1.0, std::ceil(most - 1e-9)) : 1;
      for (double i = 0; i < steps; ++i) {
        const double f = i / steps;
        ControlPoint point = i > 0 ? between(p, q, f) : p;
        if (i > 0) point.gantry = std::fmod(angle + f * by + 720, 360.0);
        add(std::move(point), {k, f}, angle + f * by, turns[k] + f * turn);
      }
      angle += by;
    }
    add(beam.control_points.back(), {beam.control_points.size() - 1, 0}, angle, turns.back());
  }

 private:
  void add(ControlPoint point, BeamPlace place, double gantry_angle, double collimator_angle) {
    points.push_back(std::move(point)), places.push_back(place);
    gantry.push_back(gantry_angle), collimator.push_back(collimator_angle);
  }
};

/// How far an angle turns between two entries of a track.
[[nodiscard]] inline double range_of(const std::vector<double>& angles, std::size_t first, std::size_t last) {
  const auto [low, high] = std::minmax_element(angles.begin() + static_cast<std::ptrdiff_t>(first),
                                               angles.begin() + static_cast<std::ptrdiff_t>(last) + 1);
  return *high - *low;
}

/// The control points first .. last of a track as a beam of their own; none where they deliver nothing.
[[nodiscard]] inline BeamPart part_of(const Beam& whole, const BeamTrack& track, std::size_t first, std::size_t last) {
  BeamPart part{whole, {}, 0.5 * (track.gantry[first] + track.gantry[last]), 0};
  const auto begin = static_cast<std::ptrdiff_t>(first), end = static_cast<std::ptrdiff_t>(last) + 1;
  std::vector<ControlPoint>& points = part.beam.control_points;
  points.assign(track.points.begin() + begin, track.points.begin() + end);
  part.places.assign(track.places.begin() + begin, track.places.begin() + end);
  const double from = points.front().weight, share = points.back().weight - from;
  part.beam.mu = whole.mu * share;
  for (std::size_t k = first; k < last; ++k)
    part.collimator += (track.points[k + 1].weight - track.points[k].weight) *
                       (0.5 * (track.collimator[k] + track.collimator[k + 1]) - track.collimator[first]);
  part.collimator = track.collimator[first] + (share > 0 ? part.collimator / share : 0);
  for (ControlPoint& cp : points) cp.weight = share > 0 ? (cp.weight - from) / share : 0;
  return part;
}

}  // namespace detail

/// A beam in parts within which gantry and collimator turn by less than the limits. The sense of rotation decides the
/// gantry's way, as in `gantry_steps`. Parts without MU are left out.
[[nodiscard]] inline std::vector<BeamPart> beam_parts(const Beam& beam, const PartLimits& limits) {
  const detail::BeamTrack track(beam, limits);
  std::vector<BeamPart> out;
  for (std::size_t first = 0; first + 1 < track.points.size();) {
    std::size_t last = first + 1;
    while (last + 1 < track.points.size() && detail::range_of(track.gantry, first, last + 1) < limits.gantry &&
           detail::range_of(track.collimator, first, last + 1) < limits.collimator)
      ++last;
    BeamPart part = detail::part_of(beam, track, first, last);
    if (part.beam.mu > 0) out.push_back(std::move(part));
    first = last;
  }
  return out;
}

/// The largest difference of the collimator's angles during a beam, degree.
[[nodiscard]] inline double collimator_range(const Beam& beam) {
  return beam.control_points.empty()
             ? 0
             : detail::range_of(detail::collimator_track(beam), 0, beam.control_points.size() - 1);
}

/// The mean of the collimator's angle by MU, degree; that of the first control point where there are no MU.
[[nodiscard]] inline double mean_collimator_angle(const Beam& beam) {
  const std::vector<double> angles = detail::collimator_track(beam);
  if (angles.empty()) return 0;
  double sum = 0, mu = 0;
  for (std::size_t k = 1; k < angles.size(); ++k) {
    const double now = beam.interval_mu(k);
    sum += now * (0.5 * (angles[k - 1] + angles[k]) - angles[0]), mu += now;
  }
  return angles[0] + (mu > 0 ? sum / mu : 0);
}

/// A collimator that turns farther during a beam, in degree, is taken in parts: half of it is 0.9 mm at 100 mm.
inline constexpr double kCollimatorStep_deg = 1;

/// A beam in parts that lie at one collimator angle each: one, unless the collimator turns by `kCollimatorStep_deg`.
[[nodiscard]] inline std::vector<BeamPart> collimator_parts(const Beam& beam) {
  if (collimator_range(beam) >= kCollimatorStep_deg) return beam_parts(beam, {.collimator = kCollimatorStep_deg});
  BeamPart whole{beam, {}, 0, mean_collimator_angle(beam)};
  for (std::size_t k = 0; k < beam.control_points.size(); ++k) whole.places.push_back({k, 0});
  return {std::move(whole)};
}

}  // namespace equipoise::psqa
