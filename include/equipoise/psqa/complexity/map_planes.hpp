// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Planes of the channels of delivery maps, summed over beams, and how they are turned from the
/// collimator's system to the plane's (IEC 61217): a positive collimator angle is counter-clockwise
/// seen from the source.

#include <equipoise/psqa/delivery_channels.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

namespace equipoise::psqa::detail {

/// One square plane for each channel about the axis; rows go up in y. `leaf_speed` holds
/// `leaf_ends` times speed here, so that planes can be added.
struct MapPlanes {
  std::size_t pixels;
  double spacing_mm;
  std::array<std::vector<double>, kDeliveryChannels> planes;

  MapPlanes(std::size_t side, double spacing) : pixels(side), spacing_mm(spacing) {
    planes.fill(std::vector<double>(side * side, 0.0));
  }

  [[nodiscard]] std::span<double> row(DeliveryChannel channel, std::size_t y) {
    return std::span(planes[static_cast<std::size_t>(channel)]).subspan(y * pixels, pixels);
  }
  /// The border of the plane on the side of small coordinates, mm.
  [[nodiscard]] double begin() const { return -0.5 * spacing_mm * static_cast<double>(pixels); }

  /// Adds planes of the same size, x and y exchanged.
  void add_transposed(const MapPlanes& other) {
    for (std::size_t c = 0; c < kDeliveryChannels; ++c)
      for (std::size_t y = 0; y < pixels; ++y)
        for (std::size_t x = 0; x < pixels; ++x) planes[c][y * pixels + x] += other.planes[c][x * pixels + y];
  }
};

/// Sine and cosine of an angle in degree; those of quarter turns are exact.
[[nodiscard]] inline std::pair<double, double> sine_and_cosine(double degree) {
  const double turn = degree * std::numbers::pi / 180, s = std::sin(turn), c = std::cos(turn);
  // 1e-5: less than a thousandth of a degree, 0.003 mm at the corner of a plane.
  if (std::abs(s) < 1e-5 || std::abs(c) < 1e-5) return {std::round(s), std::round(c)};
  return {s, c};
}

/// Pixels along the side of a plane that covers one of `pixels` turned over it.
[[nodiscard]] inline std::size_t side_of_turned_maps(std::size_t pixels, double degree) {
  const auto [s, c] = sine_and_cosine(degree);
  if (s == 0 || c == 0) return pixels;
  return static_cast<std::size_t>(std::ceil(static_cast<double>(pixels) * (std::abs(s) + std::abs(c)))) + 2;
}

/// Adds planes of the collimator's system turned by its angle. Quarter turns are exact. Between
/// them the planes are interpolated bilinearly: unlike cubic interpolation it never makes a
/// negative MU of positive ones.
/// \pre the planes have `side_of_turned_maps` pixels along each side
inline void add_turned_maps(const MapPlanes& from, double degree, MapPlanes& total) {
  const auto [s, c] = sine_and_cosine(degree);
  const double middle = 0.5 * static_cast<double>(total.pixels - 1),
               middle_of_from = 0.5 * static_cast<double>(from.pixels - 1);
  for (std::size_t y = 0; y < total.pixels; ++y)
    for (std::size_t x = 0; x < total.pixels; ++x) {
      const double px = static_cast<double>(x) - middle, py = static_cast<double>(y) - middle;
      const double u = c * px + s * py + middle_of_from, v = c * py - s * px + middle_of_from;
      const auto i = static_cast<std::size_t>(u), j = static_cast<std::size_t>(v);
      const double fx = u - static_cast<double>(i), fy = v - static_cast<double>(j);
      const std::size_t at = j * from.pixels + i, right = fx > 0 ? 1 : 0, up = fy > 0 ? from.pixels : 0;
      for (std::size_t k = 0; k < kDeliveryChannels; ++k) {
        const double* p = &from.planes[k][at];
        total.planes[k][y * total.pixels + x] +=
            (1 - fy) * ((1 - fx) * p[0] + fx * p[right]) + fy * ((1 - fx) * p[up] + fx * p[up + right]);
      }
    }
}

}  // namespace equipoise::psqa::detail
