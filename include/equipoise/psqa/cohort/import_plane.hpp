// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Planes beside a plan brought to a cohort's grid, whose middle is the beam axis. DICOM planes are in the patient's
/// coordinates, where the axis goes through the plan's isocentre; arrays and exports of detectors count from the axis.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/psqa/dicom/dicom.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/plan.hpp>
#include <equipoise/psqa/readers/file_kind.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace equipoise::psqa {

namespace detail {

/// A place in a plane's own coordinates, mm.
struct PlanePoint {
  double x = 0, y = 0;
};

[[nodiscard]] inline PlanePoint middle_of(const DoseGrid& g) {
  return {g.origin[2] + 0.5 * g.spacing[2] * static_cast<double>(g.shape[2] - 1),
          g.origin[1] + 0.5 * g.spacing[1] * static_cast<double>(g.shape[1] - 1)};
}

/// The coordinate system of a file: the patient's for DICOM, with the frame's UID if there is one;
/// none for arrays and text.
struct PlaneFrame {
  bool dicom = false;
  std::string uid{};
};

[[nodiscard]] inline PlaneFrame frame_of(const std::filesystem::path& path) {
  PlaneFrame out;
  out.dicom = file_kind(path) == kind_of<DicomReader>;
  if (!out.dicom) return out;
  const auto file = open_dicom(path);
  out.uid = dicom_text(*file->getDataset(), DCM_FrameOfReferenceUID);
  return out;
}

[[nodiscard]] inline bool same_frame(const std::string& a, const std::string& b) {
  return a.empty() || b.empty() || a == b;
}

/// The beam axis in a plane's coordinates: through the first beam's isocentre in the patient's, at the origin in others;
/// the plane's middle where that is unknown or beyond the plane.
[[nodiscard]] inline PlanePoint beam_axis(const DoseGrid& g, const PlaneFrame& frame, const Plan& plan) {
  PlanePoint at;
  if (frame.dicom) {
    const Beam& beam = plan.beams.at(0);
    if (!beam.has_isocentre || !same_frame(frame.uid, plan.frame)) return middle_of(g);
    const std::array<double, 3> isocentre = along(g.axes.value_or(kAxial), beam.isocentre);
    at = {isocentre[2], isocentre[1]};
  }
  return g.covers(at.x, at.y) ? at : middle_of(g);
}

/// The plane on a cohort's grid: bilinear, NaN outside and where there is none. \param axis the grid's middle
[[nodiscard]] inline DoseGrid on_cohort_grid(const DoseGrid& g, PlanePoint axis, std::size_t pixels, double spacing) {
  DoseGrid out = DoseGrid::plane(pixels, pixels, spacing);
  for (std::size_t y = 0; y < pixels; ++y)
    for (std::size_t x = 0; x < pixels; ++x) {
      const double px = axis.x + out.origin[2] + static_cast<double>(x) * spacing,
                   py = axis.y + out.origin[1] + static_cast<double>(y) * spacing;
      out.at(0, y, x) = g.covers(px, py) ? g.sample(px, py) : std::numeric_limits<double>::quiet_NaN();
    }
  return out;
}

}  // namespace detail

/// Replaces NaN in planes on a cohort's grid: by 0 in the planned plane, by the planned dose in the
/// measured one. \throws FileError when more than 5 % of the points with at least 10 % of the
/// planned maximum were not measured
inline void fill_holes(DoseGrid& planned, DoseGrid& measured, const std::string& where) {
  double maximum = 0, dosed = 0, unmeasured = 0;
  for (double& v : planned.values) v = std::isnan(v) ? 0 : v, maximum = std::max(maximum, v);
  for (std::size_t i = 0; i < planned.size(); ++i) {
    double& m = measured.values[i];
    const bool counts = planned.values[i] >= 0.1 * maximum;
    dosed += counts, unmeasured += counts && std::isnan(m);
    if (std::isnan(m)) m = planned.values[i];
  }
  if (unmeasured > 0.05 * dosed)
    throw FileError(message("file.447", where,
                            "expected a measurement of the points above 10 % of the planned dose, got ",
                            std::round(1000 * unmeasured / dosed) / 10, " % of them beyond it"));
}

namespace detail {

/// \throws FileError when more than 1 % of the points with at least 10 % of the largest dose are beyond a cohort's grid
/// about the axis, or no dose is above zero.
inline void check_on_grid(const DoseGrid& g, PlanePoint axis, std::size_t pixels, double spacing,
                          const std::string& where) {
  double maximum = 0, dosed = 0, beyond = 0;
  for (const double v : g.values)
    if (v > maximum) maximum = v;
  if (!(maximum > 0)) throw FileError(message("file.447", where, "expected a dose above zero, got none"));
  const double half = 0.5 * spacing * static_cast<double>(pixels);
  for (std::size_t y = 0; y < g.shape[1]; ++y)
    for (std::size_t x = 0; x < g.shape[2]; ++x) {
      if (!(g.at(0, y, x) >= 0.1 * maximum)) continue;
      const double px = g.origin[2] + static_cast<double>(x) * g.spacing[2] - axis.x,
                   py = g.origin[1] + static_cast<double>(y) * g.spacing[1] - axis.y;
      dosed += 1, beyond += std::abs(px) > half || std::abs(py) > half;
    }
  if (beyond > 0.01 * dosed)
    throw FileError(message("file.447", where, "expected its dose within ", half, " mm of the beam axis, got ",
                            std::round(1000 * beyond / dosed) / 10, " % of the points above 10 % beyond"));
}

}  // namespace detail

}  // namespace equipoise::psqa
