// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// From the frames, rows and columns of a DICOM image to a grid whose axes are the patient's, ascending and evenly spaced:
/// z, y and x, or of a coronal or sagittal plane its normal, z and x or y.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/psqa/dose_grid.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace equipoise::psqa::detail {

/// Where a DICOM image's axes point. Unit vectors (x, y, z): down the frames, down the rows, along the columns.
struct ImageAxes {
  using Vector = std::array<double, 3>;
  PatientAxes direction = kAxial;
  bool known = false;  ///< whether the file says so
  Vector position{};   ///< of the first voxel, mm

  /// \param orientation the six cosines of Image Orientation (Patient)
  /// \returns false where these are not two unit vectors at a right angle
  [[nodiscard]] bool orient(const std::vector<double>& orientation) {
    if (orientation.size() != 6) return false;
    const Vector r{orientation[0], orientation[1], orientation[2]}, c{orientation[3], orientation[4], orientation[5]};
    const auto inner = [](const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; };
    if (!(std::abs(inner(r, r) - 1) < 2e-3 && std::abs(inner(c, c) - 1) < 2e-3 && std::abs(inner(r, c)) < 2e-3))
      return false;
    direction = {{{r[1] * c[2] - r[2] * c[1], r[2] * c[0] - r[0] * c[2], r[0] * c[1] - r[1] * c[0]}, c, r}};
    return known = true;
  }
  /// The patient axis (0 x, 1 y, 2 z) that an image axis runs along, either way, to a milliradian; 3 where it runs
  /// askew.
  [[nodiscard]] std::size_t patient_axis(std::size_t axis) const {
    for (std::size_t k = 0; k < 3; ++k)
      if (std::hypot(direction[axis][(k + 1) % 3], direction[axis][(k + 2) % 3]) < 1e-3) return k;
    return 3;
  }
  [[nodiscard]] bool aligned() const { return patient_axis(0) + patient_axis(1) + patient_axis(2) == 3 && !askew(); }

 private:
  [[nodiscard]] bool askew() const {
    return patient_axis(0) == 3 || patient_axis(1) == 3 || patient_axis(2) == 3 || patient_axis(1) == patient_axis(2);
  }
};

/// Which axis of a grid (0 frames, 1 rows, 2 columns) the patient's x, y and z become. The rows of a coronal or sagittal
/// plane rise along z, as those of a detector rise towards the gantry.
[[nodiscard]] inline std::array<std::size_t, 3> grid_axes_of(const ImageAxes& axes, bool plane) {
  const std::size_t normal = axes.patient_axis(0);
  std::array<std::size_t, 3> out = {2, 1, 0};
  if (plane && normal != 2) out[2] = 1, out[normal] = 0, out[1 - normal] = 2;
  return out;
}

/// The grid with its axes turned to the patient's. `grid` has the image's axes, which run along the patient's; its origin
/// is not looked at.
[[nodiscard]] inline DoseGrid to_patient_axes(const DoseGrid& grid, const ImageAxes& axes) {
  DoseGrid out = grid;
  const std::array<std::size_t, 3> places = grid_axes_of(axes, grid.shape[0] == 1);
  if (axes.known) {
    out.axes = PatientAxes{};
    for (std::size_t patient = 0; patient < 3; ++patient) (*out.axes)[places[patient]][patient] = 1;
  }
  std::array<std::size_t, 3> target{};
  std::array<bool, 3> reversed{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::size_t patient = axes.patient_axis(axis);
    target[axis] = places[patient], reversed[axis] = axes.direction[axis][patient] < 0;
    out.shape[target[axis]] = grid.shape[axis], out.spacing[target[axis]] = grid.spacing[axis];
    out.origin[target[axis]] =
        axes.position[patient] - (reversed[axis] ? grid.spacing[axis] * static_cast<double>(grid.shape[axis] - 1) : 0);
  }
  std::array<std::size_t, 3> i{}, at{};
  const auto place = [&](std::size_t axis) {
    at[target[axis]] = reversed[axis] ? grid.shape[axis] - 1 - i[axis] : i[axis];
  };
  for (i[0] = 0; i[0] < grid.shape[0]; ++i[0])
    for (i[1] = 0; i[1] < grid.shape[1]; ++i[1])
      for (i[2] = 0; i[2] < grid.shape[2]; ++i[2]) {
        place(0), place(1), place(2);
        out.at(at[0], at[1], at[2]) = grid.at(i[0], i[1], i[2]);
      }
  return out;
}

/// Frames at rising places, brought to even spacing by linear interpolation: steps as long as the smallest one, or a
/// little shorter where they would not end at the last frame. \pre at least two places, rising
inline void space_evenly(DoseGrid& grid, const std::vector<double>& places) {
  double smallest = places[1] - places[0];
  for (const auto& [below, above] : views::adjacent(places)) smallest = std::min(smallest, above - below);
  const double length = places.back() - places.front(), steps = std::ceil(length / smallest - 1e-3);
  DoseGrid out = grid;
  out.shape[0] = static_cast<std::size_t>(steps) + 1, out.spacing[0] = length / steps;
  out.values.assign(out.size(), 0.0);
  const std::size_t frame = grid.shape[1] * grid.shape[2];
  std::size_t below = 0;
  for (std::size_t k = 0; k < out.shape[0]; ++k) {
    const double at = places.front() + out.spacing[0] * static_cast<double>(k);
    while (below + 2 < places.size() && places[below + 1] <= at) ++below;
    const double f = std::clamp((at - places[below]) / (places[below + 1] - places[below]), 0.0, 1.0);
    for (std::size_t p = 0; p < frame; ++p)
      out.values[k * frame + p] = (1 - f) * grid.values[below * frame + p] + f * grid.values[(below + 1) * frame + p];
  }
  grid = std::move(out);
}

}  // namespace equipoise::psqa::detail
