// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The system of coordinates of a plane, and how a beam's plane is turned from the collimator's system to the gantry's
/// (IEC 61217): a positive collimator angle is counter-clockwise seen from the source, where x is to the right and y up.

#include <equipoise/core/base/text_stream.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// `gantry`: every beam turned by its collimator's angle, as composite planes need it. `collimator`: along the leaves, as
/// portal planes of single fields.
enum class PlaneSystem : std::uint8_t { gantry, collimator };

/// Collimator angles that differ by less are one angle: 0.003 mm at the corner of a plane.
inline constexpr double kSameAngle_deg = 1e-3;

namespace detail {

[[nodiscard]] inline bool same_angle(double a, double b) {
  return std::abs(std::remainder(a - b, 360.0)) < kSameAngle_deg;
}

/// How many quarter turns an angle is, 0 .. 3; none where it is between them.
[[nodiscard]] inline std::optional<int> quarter_turns(double degree) {
  for (int n = 0; n < 4; ++n)
    if (same_angle(degree, 90.0 * n)) return n;
  return std::nullopt;
}

/// Pixels along the side of a plane which covers one of `pixels` that is turned over it, with those that interpolation
/// needs. \returns an even number more
[[nodiscard]] inline std::size_t side_of_turned(std::size_t pixels, double degree) {
  if (quarter_turns(degree)) return pixels;
  const double turn = degree * std::numbers::pi / 180,
               more = static_cast<double>(pixels) * (std::abs(std::cos(turn)) + std::abs(std::sin(turn)) - 1);
  return pixels + 2 * (static_cast<std::size_t>(std::ceil(more / 2)) + 3);
}

/// Weights of the four neighbours of a place a share t of the way between the middle ones (Keys 1981, a = -1/2).
[[nodiscard]] inline std::array<double, 4> cubic_weights(double t) {
  return {t * (-0.5 + t * (1 - 0.5 * t)), 1 + t * t * (1.5 * t - 2.5), t * (0.5 + t * (2 - 1.5 * t)),
          t * t * (0.5 * t - 0.5)};
}

/// Adds a square plane turned by quarter turns, without interpolation. \pre planes of one size
inline void add_quarter_turned(const DoseGrid& plane, int quarters, DoseGrid& total) {
  const std::size_t n = total.shape[1], last = n - 1;
  for (std::size_t y = 0; y < n; ++y)
    for (std::size_t x = 0; x < n; ++x)
      total.at(0, y, x) += quarters == 0   ? plane.at(0, y, x)
                           : quarters == 1 ? plane.at(0, last - x, y)
                           : quarters == 2 ? plane.at(0, last - y, last - x)
                                           : plane.at(0, x, last - y);
}

/// Adds a square plane of the collimator's system, turned by the collimator's angle. Quarter turns are exact; between
/// them the plane is interpolated by cubic convolution.
/// \pre the plane has `side_of_turned` pixels along each side, of the size of those of `total`, about the same middle
inline void add_turned(const DoseGrid& plane, double degree, DoseGrid& total) {
  if (const std::optional<int> quarters = quarter_turns(degree)) return add_quarter_turned(plane, *quarters, total);
  const double c = std::cos(degree * std::numbers::pi / 180), s = std::sin(degree * std::numbers::pi / 180),
               middle = 0.5 * static_cast<double>(total.shape[1] - 1),
               middle_of_plane = 0.5 * static_cast<double>(plane.shape[1] - 1);
  for (std::size_t y = 0; y < total.shape[1]; ++y)
    for (std::size_t x = 0; x < total.shape[2]; ++x) {
      const double px = static_cast<double>(x) - middle, py = static_cast<double>(y) - middle;
      const double u = c * px + s * py + middle_of_plane, v = c * py - s * px + middle_of_plane;
      const auto i = static_cast<std::size_t>(u), j = static_cast<std::size_t>(v);
      const std::array<double, 4> wu = cubic_weights(u - static_cast<double>(i)),
                                  wv = cubic_weights(v - static_cast<double>(j));
      double sum = 0;
      for (std::size_t row = 0; row < 4; ++row) {
        const double* d = &plane.values[(j + row - 1) * plane.shape[2] + i - 1];
        sum += wv[row] * (wu[0] * d[0] + wu[1] * d[1] + wu[2] * d[2] + wu[3] * d[3]);
      }
      total.at(0, y, x) += sum;
    }
}

/// The planes of beams by their collimator's angle, each turned once.
class TurnedPlanes {
 public:
  /// \param pixels along each side of the sum
  TurnedPlanes(std::size_t pixels, double spacing_mm) : pixels_(pixels), spacing_(spacing_mm) {}

  /// The plane to which beams of a collimator angle are added.
  [[nodiscard]] DoseGrid& at(double degree) {
    for (auto& [angle, plane] : planes_)
      if (same_angle(angle, degree)) return plane;
    const std::size_t side = side_of_turned(pixels_, degree);
    return planes_.emplace_back(degree, DoseGrid::plane(side, side, spacing_)).second;
  }

  /// The sum of all planes, turned.
  [[nodiscard]] DoseGrid sum() const {
    DoseGrid out = DoseGrid::plane(pixels_, pixels_, spacing_);
    for (const auto& [angle, plane] : planes_) add_turned(plane, angle, out);
    return out;
  }

 private:
  std::size_t pixels_;
  double spacing_;
  std::vector<std::pair<double, DoseGrid>> planes_;
};

}  // namespace detail

/// The axes of a plane of the collimator's system in a patient (head first, supine) under a vertical beam.
[[nodiscard]] inline PatientAxes coronal_turned(double collimator_degree) {
  PatientAxes out = kCoronal;
  const std::optional<int> quarters = detail::quarter_turns(collimator_degree);
  const double turn = (quarters ? 90.0 * *quarters : collimator_degree) * std::numbers::pi / 180;
  double c = std::cos(turn), s = std::sin(turn);
  if (quarters) c = std::round(c), s = std::round(s);
  out[1] = {-s, 0, c}, out[2] = {c, 0, s};
  return out;
}

/// The beams with a couch angle, which no plane at right angles to the beam shows, in one line; empty for none.
/// Angles within 0.1 degree of 0, the resolution of a readout, do not count.
[[nodiscard]] inline std::string couch_warning(const Plan& plan) {
  TextWriter beams;
  for (const Beam& beam : plan.beams) {
    const auto from_zero = [](double couch) { return std::abs(std::remainder(couch, 360.0)); };
    double farthest = 0;
    for (const ControlPoint& cp : beam.control_points)
      if (from_zero(cp.couch) > from_zero(farthest)) farthest = cp.couch;
    if (!beam.delivers() || from_zero(farthest) <= 0.1 + 1e-6) continue;
    beams << (beams.str().empty() ? "" : ", ") << "beam " << beam.number << " at " << farthest << " degrees";
  }
  if (beams.str().empty()) return {};
  return "composite planes leave out the couch's angle: " + beams.str();
}

}  // namespace equipoise::psqa
