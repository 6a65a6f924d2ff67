// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Sun Nuclear MapCHECK text files: the diodes' doses, or the plane between them.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <equipoise/psqa/readers/chequerboard.hpp>
#include <equipoise/psqa/readers/detector_table.hpp>
#include <equipoise/psqa/readers/reader.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// Which of a MapCHECK file's planes is meant.
enum class MapcheckPlane : std::uint8_t { measured, interpolated };

namespace detail {

[[nodiscard]] inline bool has_line(const TextFile& file, std::string_view text) {
  return std::any_of(file.lines().begin(), file.lines().end(),
                     [&](std::string_view line) { return trimmed(line) == text; });
}

/// One table of a MapCHECK file: rows `y cm, row number, values…` under a title, with a last line of x in cm.
[[nodiscard]] inline DoseGrid mapcheck_table(const TextFile& file, std::string_view title) {
  const auto& lines = file.lines();
  std::size_t at = 0;
  while (at < lines.size() && trimmed(lines[at]) != title) ++at;
  if (at == lines.size())
    throw FileError(message("file.443", file.where(), "expected a table \"", title, "\", got none"));
  std::vector<std::pair<double, std::vector<double>>> rows;
  for (at += 1; at < lines.size(); ++at) {
    const std::vector<std::string_view> cells = cells_of(lines[at], '\t');
    if (cells.size() < 3) continue;
    const std::string_view first = trimmed(cells[0]), second = trimmed(cells[1]);
    if (first == "Ycm" || second == "COL") continue;
    if (second == "Xcm") {
      std::vector<double> x;
      for (std::size_t i = 2; i < cells.size(); ++i)
        if (!trimmed(cells[i]).empty()) x.push_back(10 * file.number(at, cells[i]));
      return grid_of(std::move(rows), x, file);
    }
    std::vector<double> values;
    for (std::size_t i = 2; i < cells.size(); ++i)
      if (!trimmed(cells[i]).empty()) values.push_back(file.number(at, cells[i]));
    rows.emplace_back(10 * file.number(at, first), std::move(values));
  }
  throw FileError(message("file.443", file.where(), "expected a line of Xcm after \"", title, "\", got none"));
}

}  // namespace detail

/// Sun Nuclear MapCHECK text. `measured`: the diodes' doses, NaN between them; `interpolated`: the program's own plane
/// where it agrees with every diode to 0.5 % of the largest dose, else one made of the diodes (some exports clip or
/// normalise theirs). cGy become Gy.
/// \throws FileError that names the file, and the line where one is wrong.
[[nodiscard]] inline DoseGrid read_mapcheck(const std::filesystem::path& path,
                                            MapcheckPlane plane = MapcheckPlane::measured) {
  const detail::TextFile file(path);
  const auto uncalibrated = [&](const std::string& got) {
    return FileError(message("file.443", file.where(), "the file has no dose calibration: expected doses, got ", got));
  };
  if (!detail::has_line(file, "Dose Counts") && detail::has_line(file, "Corrected Counts"))
    throw uncalibrated("counts only");
  DoseGrid diodes = detail::mapcheck_table(file, "Dose Counts");
  const DoseGrid factors = detail::mapcheck_table(file, "Calibration Factors");
  if (factors.shape != diodes.shape)
    throw FileError(message("file.443", file.where(), "expected as many calibration factors as doses"));
  // Without a dose calibration a MapCHECK writes a dose of 0 for every diode.
  if (std::none_of(diodes.values.begin(), diodes.values.end(), [](double v) { return v != 0; }))
    throw uncalibrated("0 at each of " + std::to_string(diodes.size()) + " places");
  diodes.units = DoseUnits::gray;
  double maximum = 0;
  for (std::size_t i = 0; i < diodes.values.size(); ++i) {
    diodes.values[i] = factors.values[i] == 0 ? std::numeric_limits<double>::quiet_NaN() : diodes.values[i] / 100;
    if (diodes.values[i] > maximum) maximum = diodes.values[i];
  }
  if (plane == MapcheckPlane::measured) return diodes;
  if (!detail::has_line(file, "Dose Interpolated")) return between_elements(diodes);
  DoseGrid table = detail::mapcheck_table(file, "Dose Interpolated");
  table.units = DoseUnits::gray;
  for (double& v : table.values) v /= 100;
  bool agrees = table.shape == diodes.shape;
  if (agrees)
    for (const auto& [shown, diode] : views::zip(table.values, diodes.values))
      agrees = agrees && (std::isnan(diode) || std::abs(shown - diode) <= 0.005 * maximum);
  return agrees ? table : between_elements(diodes);
}

/// MapCHECK as a reader of the list.
struct MapcheckReader {
  static constexpr std::string_view id = "mapcheck";
  static constexpr std::string_view name = "MapCHECK plane";
  static constexpr std::array descriptions{FileDescription{
      "MapCHECK", "plane",
      "NaN where the array has no detector; the evaluated plane is the export's own interpolation if it "
      "agrees with every detector to 0.5 % of the largest dose, otherwise it is interpolated "
      "bilinearly between the detectors"}};
  static constexpr bool of_detector = true;

  [[nodiscard]] static bool recognises(std::string_view head) {
    const auto has = [&](std::string_view text) { return head.find(text) != std::string_view::npos; };
    return has("Ycm") && (has("MapCHECK") || has("SNC Patient"));
  }
  [[nodiscard]] static DoseGrid read_dose(const std::filesystem::path& path, const DoseFileOptions& options) {
    return read_mapcheck(path, options.interpolated ? MapcheckPlane::interpolated : MapcheckPlane::measured);
  }
  /// A small file of this kind, for tests.
  [[nodiscard]] static std::string example() {
    std::string out = "** MapCHECK\n";
    for (const char* title : {"Calibration Factors", "Dose Counts", "Dose Interpolated"})
      out += std::string(title) +
             "\nYcm\tROW\t\n0.5\t0\t1\t0\t2\n0\t1\t0\t3\t0\n-0.5\t2\t4\t0\t5\n"
             "\tCOL\t1\t2\t3\n\tXcm\t-0.5\t0\t0.5\n";
    return out;
  }
};
static_assert(CheckReader<MapcheckReader>::ok);

}  // namespace equipoise::psqa
