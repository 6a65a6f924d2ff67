// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// PTW mcc files: the planes of detector arrays.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <equipoise/psqa/readers/chequerboard.hpp>
#include <equipoise/psqa/readers/detector_table.hpp>
#include <equipoise/psqa/readers/dose_unit.hpp>
#include <equipoise/psqa/readers/reader.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

namespace detail {

/// One scan of a PTW file.
struct MccScan {
  std::vector<double> places, values;
};

/// The header lines of a scan that say how its numbers lie in the plane. In a grid x rises as LEFT_RIGHT says, and y as
/// TARGET_GUN says; places along RIGHT_LEFT and GUN_TARGET change their sign.
struct MccHeader {
  double inplane = 0, crossplane = 0;            ///< mm
  double inplane_sign = 1, crossplane_sign = 1;  ///< -1 where the axis runs the other way
  bool along_inplane = false;                    ///< the scan runs along the in-plane axis
  DoseUnit unit{};

  void read(const TextFile& file, std::size_t i) {
    const std::string_view line = trimmed(file.lines()[i]);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return;
    const std::string_view key = trimmed(line.substr(0, equals)), value = trimmed(line.substr(equals + 1));
    if (key == "SCAN_OFFAXIS_INPLANE") inplane = file.number(i, value);
    if (key == "SCAN_OFFAXIS_CROSSPLANE") crossplane = file.number(i, value);
    if (key == "CROSSPLANE_AXIS_DIR") crossplane_sign = direction(file, i, line, value, "LEFT_RIGHT", "RIGHT_LEFT");
    if (key == "INPLANE_AXIS_DIR") inplane_sign = direction(file, i, line, value, "TARGET_GUN", "GUN_TARGET");
    if (key == "SCAN_CURVETYPE") {
      along_inplane = value == "INPLANE_PROFILE";
      if (!along_inplane && value != "CROSSPLANE_PROFILE")
        file.fail(
            i, "expected SCAN_CURVETYPE=CROSSPLANE_PROFILE or INPLANE_PROFILE, got " + std::string(line.substr(0, 60)));
    }
    if (key == "SCAN_DIAGONAL" && !value.empty() && value != "NOT_DIAGONAL")
      file.fail(i, "expected SCAN_DIAGONAL=NOT_DIAGONAL, got " + std::string(line.substr(0, 60)));
    if (const double angle = key == "SCAN_ANGLE" ? file.number(i, value) : 0;
        angle != 0 && !(along_inplane && angle == 90))
      file.fail(i, "expected SCAN_ANGLE=0, or 90 along the in-plane axis, got " + std::string(line.substr(0, 60)));
    if (key == "MEAS_UNIT") unit = parse_dose_unit(value);
  }

 private:
  [[nodiscard]] static double direction(const TextFile& file, std::size_t i, std::string_view line,
                                        std::string_view value, std::string_view rising, std::string_view falling) {
    if (value == rising) return 1;
    if (value == falling) return -1;
    file.fail(i, "expected the direction " + std::string(rising) + " or " + std::string(falling) + ", got " +
                     std::string(line.substr(0, 60)));
  }
};

/// Rows become columns, for scans that run along the other axis.
[[nodiscard]] inline DoseGrid transposed(const DoseGrid& g) {
  DoseGrid out = g;
  std::swap(out.shape[1], out.shape[2]), std::swap(out.spacing[1], out.spacing[2]);
  std::swap(out.origin[1], out.origin[2]);
  for (std::size_t y = 0; y < out.shape[1]; ++y)
    for (std::size_t x = 0; x < out.shape[2]; ++x) out.at(0, y, x) = g.at(0, x, y);
  return out;
}

/// Scans on the union of their places; NaN where a scan has no detector.
[[nodiscard]] inline DoseGrid union_of_scans(const std::map<double, MccScan>& scans, const TextFile& file) {
  std::vector<double> x;
  for (const auto& [offset, scan] : scans) x.insert(x.end(), scan.places.begin(), scan.places.end());
  std::sort(x.begin(), x.end());
  x.erase(std::unique(x.begin(), x.end(), [](double u, double v) { return v - u < 0.01; }), x.end());
  const double pitch = pitch_of(x, file, "x");
  if (pitch < 0.1)
    throw FileError(message("file.443", file.where(), "expected detectors 0.1 mm apart or more, got ", pitch));
  std::size_t detectors = 0;
  for (const auto& [offset, scan] : scans) detectors += scan.places.size();
  if (x.size() * scans.size() > 16 * detectors)  // arrays have every place, or every second or fourth
    throw FileError(message("file.443", file.where(), "expected scans with detectors at the same places, got ",
                            detectors, " detectors at ", x.size(), " x ", scans.size(), " places"));
  std::vector<std::pair<double, std::vector<double>>> rows;
  for (const auto& [offset, scan] : scans) {
    std::vector<double> row(x.size(), std::numeric_limits<double>::quiet_NaN());
    for (std::size_t i = 0; i < scan.places.size(); ++i)
      row[static_cast<std::size_t>(std::lround((scan.places[i] - x[0]) / pitch))] = scan.values[i];
    rows.emplace_back(offset, std::move(row));
  }
  return grid_of(std::move(rows), x, file);
}

}  // namespace detail

/// PTW mcc: scans across the array with their in-plane offsets, or along it with cross-plane ones; in the directions
/// that the header's lines say; Gy, or relative where the unit is %. Scans may have detectors at different places: the
/// plane has all of them, and NaN between.
/// \throws FileError that names the file, and the line where one is wrong.
[[nodiscard]] inline DoseGrid read_mcc(const std::filesystem::path& path) {
  const detail::TextFile file(path);
  std::map<double, detail::MccScan> scans;
  detail::MccScan scan;
  detail::MccHeader header;
  bool in_data = false, along_inplane = false;
  DoseUnit unit;
  for (std::size_t i = 0; i < file.lines().size(); ++i) {
    const std::string_view line = detail::trimmed(file.lines()[i]);
    if (line.starts_with("BEGIN_SCAN ")) {
      header = {};
    } else if (line == "BEGIN_DATA") {
      if (scans.empty()) along_inplane = header.along_inplane, unit = header.unit;
      if (along_inplane != header.along_inplane)
        file.fail(i, "expected scans along one axis, got SCAN_CURVETYPE of both");
      if (unit.units != header.unit.units) file.fail(i, "expected scans of one MEAS_UNIT, got several");
      in_data = true, scan = {};
    } else if (line == "END_DATA") {
      in_data = false;
      const double offset =
          along_inplane ? header.crossplane_sign * header.crossplane : header.inplane_sign * header.inplane;
      if (!scans.emplace(offset + 0.0, std::move(scan)).second)
        file.fail(i, "expected scans at different places, got offset " + std::to_string(offset) + " twice");
      scan = {};
    } else if (in_data) {
      const std::vector<std::string_view> cells = detail::cells_of(line, '\t');
      std::vector<std::string_view> full;
      for (const std::string_view c : cells)
        if (!detail::trimmed(c).empty()) full.push_back(c);
      if (full.size() < 2) file.fail(i, "expected a place and a dose");
      scan.places.push_back((along_inplane ? header.inplane_sign : header.crossplane_sign) * file.number(i, full[0]));
      scan.values.push_back(header.unit.factor * file.number(i, full[1]));
    } else {
      header.read(file, i);
    }
  }
  if (in_data || scans.empty())
    throw FileError(message("file.443", file.where(), "expected whole scans, got ", scans.size(),
                            in_data ? " and a part of one" : ""));
  DoseGrid g = detail::union_of_scans(scans, file);
  if (along_inplane) g = detail::transposed(g);
  g.units = unit.units, g.unit = unit.text;
  return g;
}

/// PTW mcc as a reader of the list.
struct MccReader {
  static constexpr std::string_view id = "mcc";
  static constexpr std::string_view name = "PTW mcc plane";
  static constexpr std::array descriptions{
      FileDescription{"PTW mcc", "plane",
                      "NaN where the array has no detector; the evaluated plane is interpolated bilinearly between the "
                      "detectors"}};
  static constexpr bool of_detector = true;

  [[nodiscard]] static bool recognises(std::string_view head) {
    return head.find("BEGIN_SCAN_DATA") != std::string_view::npos;
  }
  [[nodiscard]] static DoseGrid read_dose(const std::filesystem::path& path, const DoseFileOptions& options) {
    return options.interpolated ? between_elements(read_mcc(path)) : read_mcc(path);
  }
  /// A small file of this kind, for tests.
  [[nodiscard]] static std::string example() {
    std::string out = "BEGIN_SCAN_DATA\n";
    for (const char* offset : {"0", "10", "20"})
      out += std::string("BEGIN_SCAN 1\nSCAN_OFFAXIS_INPLANE=") + offset +
             "\nMEAS_UNIT=GY\nBEGIN_DATA\n\t-10\t1\t#1\n\t0\t2\t#2\nEND_DATA\nEND_SCAN\n";
    return out + "END_SCAN_DATA\n";
  }
};
static_assert(CheckReader<MccReader>::ok);

}  // namespace equipoise::psqa
