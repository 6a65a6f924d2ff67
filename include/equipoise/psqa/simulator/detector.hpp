// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Where a detector array measures: everywhere (EPID), at the diodes of a MapCHECK, or at the chambers of a 729 or 1500
/// array.

#include <equipoise/psqa/dose_grid.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace equipoise::psqa {

enum class Detector : std::uint8_t { epid, mapcheck, chamber_array, chamber_array_1500 };
[[nodiscard]] constexpr std::array<std::string_view, 4> names_of(Detector) {
  return {"epid", "mapcheck", "chamber_array", "chamber_array_1500"};
}

/// The Gaussian that a detector's size adds to the image: 0.8 mm diodes, 5 mm chambers.
[[nodiscard]] constexpr double detector_blur_mm(Detector d) {
  return d == Detector::epid ? 0 : d == Detector::mapcheck ? 0.3 : 2.0;
}

/// A dense plane as the detector reports it: NaN between its elements. MapCHECK: 45 x 45 places of 5 mm, every other
/// one a diode; chamber arrays: 27 x 27 chambers 10 mm apart, or 53 x 53 places of 5 mm with a chamber at every other one
/// (7.07 mm apart).
[[nodiscard]] inline DoseGrid detector_plane(const DoseGrid& dense, Detector d) {
  if (d == Detector::epid) return dense;
  DoseGrid out = d == Detector::mapcheck        ? DoseGrid::plane(45, 45, 5)
                 : d == Detector::chamber_array ? DoseGrid::plane(27, 27, 10)
                                                : DoseGrid::plane(53, 53, 5);
  for (std::size_t y = 0; y < out.shape[1]; ++y)
    for (std::size_t x = 0; x < out.shape[2]; ++x) {
      const double px = out.origin[2] + static_cast<double>(x) * out.spacing[2],
                   py = out.origin[1] + static_cast<double>(y) * out.spacing[1];
      const bool element = (d == Detector::chamber_array || (x + y) % 2 == 0) && dense.covers(px, py);
      out.at(0, y, x) = element ? dense.sample(px, py) : std::numeric_limits<double>::quiet_NaN();
    }
  return out;
}

}  // namespace equipoise::psqa
