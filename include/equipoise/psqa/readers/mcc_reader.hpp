// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// PTW mcc files: the planes of detector arrays.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <equipoise/psqa/readers/chequerboard.hpp>
#include <equipoise/psqa/readers/detector_table.hpp>
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

/// PTW mcc: scans across the array, each with its in-plane offset; Gy. Scans may have detectors at different places: the
/// plane has all of them, and NaN between.
/// \throws FileError that names the file, and the line where one is wrong.
[[nodiscard]] inline DoseGrid read_mcc(const std::filesystem::path& path) {
  const detail::TextFile file(path);
  std::map<double, detail::MccScan> scans;
  detail::MccScan scan;
  double offset = 0, factor = 1;
  bool in_data = false;
  DoseUnits units = DoseUnits::unknown;
  for (std::size_t i = 0; i < file.lines().size(); ++i) {
    const std::string_view line = detail::trimmed(file.lines()[i]);
    if (line.starts_with("SCAN_OFFAXIS_INPLANE=")) offset = file.number(i, line.substr(21));
    if (line.starts_with("MEAS_UNIT=")) {
      const std::string_view unit = line.substr(10);
      const bool centi = unit == "CGY" || unit == "cGy";
      factor = centi ? 0.01 : 1, units = centi || unit == "GY" || unit == "Gy" ? DoseUnits::gray : DoseUnits::unknown;
    }
    if (line == "BEGIN_DATA") {
      in_data = true, scan = {};
    } else if (line == "END_DATA") {
      in_data = false;
      if (!scans.emplace(offset, std::move(scan)).second)
        file.fail(i, "expected scans at different places, got offset " + std::to_string(offset) + " twice");
      scan = {};
    } else if (in_data) {
      const std::vector<std::string_view> cells = detail::cells_of(line, '\t');
      std::vector<std::string_view> full;
      for (const std::string_view c : cells)
        if (!detail::trimmed(c).empty()) full.push_back(c);
      if (full.size() < 2) file.fail(i, "expected a place and a dose");
      scan.places.push_back(file.number(i, full[0])), scan.values.push_back(factor * file.number(i, full[1]));
    }
  }
  if (in_data || scans.empty())
    throw FileError(message("file.443", file.where(), "expected whole scans, got ", scans.size(),
                            in_data ? " and a part of one" : ""));
  DoseGrid g = detail::union_of_scans(scans, file);
  g.units = units;
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
