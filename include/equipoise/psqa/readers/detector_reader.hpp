// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Planes that detector arrays and planning systems export as text: PTW mcc, IBA opg, XiO, and MapCHECK from a header of
/// its own. Doses in Gy where the file says its unit, else in the file's own numbers; NaN where the array has no
/// detector. Rows are those of ascending y.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <equipoise/psqa/readers/detector_table.hpp>
#include <equipoise/psqa/readers/mapcheck_reader.hpp>

#include <algorithm>
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

namespace detail {

/// What stands between the cells of an opg file: a tab, unless its line `Separator:` says otherwise, as `";"` or `[TAB]`.
[[nodiscard]] inline char opg_separator(const TextFile& file) {
  std::string_view text = file.text_of("Separator:").value_or("");
  if (text.size() > 2 && (text.front() == '"' || text.front() == '[')) text = text.substr(1, text.size() - 2);
  return text.empty() || text == "TAB" || text == "Tab" || text == "\\t" ? '\t' : text.front();
}

}  // namespace detail

/// IBA opg (OmniPro I'mRT ASCII): a table with places in mm or cm; times its data factor, cGy and mGy become Gy.
/// \throws FileError that names the file, and the line where one is wrong.
[[nodiscard]] inline DoseGrid read_opg(const std::filesystem::path& path) {
  const detail::TextFile file(path);
  double factor = file.value_of("Data Factor:").value_or(1);
  const std::string_view unit = file.text_of("Data Unit:").value_or("");
  if (unit == "cGy") factor *= 0.01;
  if (unit == "mGy") factor *= 0.001;
  const double mm = file.text_of("Length Unit:").value_or("mm") == "cm" ? 10 : 1;
  const char separator = detail::opg_separator(file);
  std::vector<double> x;
  std::vector<std::pair<double, std::vector<double>>> rows;
  bool in_body = false;
  for (std::size_t i = 0; i < file.lines().size(); ++i) {
    const std::string_view line = detail::trimmed(file.lines()[i]);
    if (line == "<asciibody>") in_body = true;
    if (line == "</asciibody>") break;
    if (!in_body || line.empty() || line.starts_with("<") || line.starts_with("Plane") || line.starts_with("Y["))
      continue;
    std::vector<std::string_view> cells;
    for (const std::string_view c : detail::cells_of(line, separator))
      if (!detail::trimmed(c).empty()) cells.push_back(c);
    if (cells.size() < 2) continue;
    std::vector<double> numbers;
    for (std::size_t c = 1; c < cells.size(); ++c) numbers.push_back(file.number(i, cells[c]));
    if (line.starts_with("X[")) {
      if (!x.empty()) break;  // a second body: the first one is meant
      for (const double v : numbers) x.push_back(mm * v);
    } else {
      for (double& v : numbers) v *= factor;
      rows.emplace_back(mm * file.number(i, cells[0]), std::move(numbers));
    }
  }
  if (x.empty() || rows.empty())
    throw FileError(message("file.443", file.where(), "expected a body with a line X[mm], got none"));
  DoseGrid g = detail::grid_of(std::move(rows), x, file);
  if (unit == "cGy" || unit == "mGy" || unit == "Gy") g.units = DoseUnits::gray;
  return g;
}

/// Elekta XiO plane: a header `key,values…`, then rows of doses from the upper left; Gy (cGy become Gy).
/// \throws FileError that names the file, and the line where one is wrong.
[[nodiscard]] inline DoseGrid read_xio_plane(const std::filesystem::path& path) {
  const detail::TextFile file(path);
  const auto& lines = file.lines();
  std::size_t at = 0, columns = 0, rows = 0;
  double pitch = 0, left = 0, top = 0, factor = 1;
  DoseGrid g;
  for (; at < lines.size() && pitch == 0; ++at) {
    const std::vector<std::string_view> cells = detail::cells_of(lines[at], ',');
    const std::string_view key = cells.empty() ? std::string_view{} : detail::trimmed(cells[0]);
    const auto cell = [&](std::size_t i) {
      if (cells.size() <= i) file.fail(at, "expected " + std::to_string(i) + " values after " + std::string(key));
      return cells[i];
    };
    if (key == "DoseUnits") {
      const std::string_view unit = detail::trimmed(cell(1));
      factor = unit == "cGy" ? 0.01 : 1, g.units = unit == "cGy" || unit == "Gy" ? DoseUnits::gray : DoseUnits::unknown;
    }
    if (key == "Upperleft") left = file.number(at, cell(1)), top = file.number(at, cell(2));
    if (key == "DosePtsxy") {
      const double n = file.number(at, cell(1)), m = file.number(at, cell(2));
      if (!(n >= 2 && m >= 2 && n <= 100000 && m <= 100000)) file.fail(at, "expected 2 .. 100000 points an axis");
      columns = static_cast<std::size_t>(n), rows = static_cast<std::size_t>(m);
    }
    if (key == "DoseResmm") pitch = file.number(at, cell(1));
  }
  if (!(pitch > 0) || columns == 0 || lines.size() - at < rows)
    throw FileError(message("file.443", file.where(), "expected DosePtsxy, DoseResmm and ", rows,
                            " rows of doses, got ", lines.size() - at));
  g.shape = {1, rows, columns};
  g.spacing = {1, pitch, pitch};
  g.origin = {0, top - pitch * static_cast<double>(rows - 1), left};
  if (!std::isfinite(g.origin[1]) || !std::isfinite(left + pitch * static_cast<double>(columns - 1)))
    throw FileError(message("file.443", file.where(), "expected a resolution in mm, got ", pitch));
  std::vector<std::vector<double>> table(rows);
  for (std::size_t r = 0; r < rows; ++r, ++at) {
    for (const std::string_view c : detail::cells_of(lines[at], ','))
      if (!detail::trimmed(c).empty()) table[rows - 1 - r].push_back(factor * file.number(at, c));
    if (table[rows - 1 - r].size() != columns)
      file.fail(at,
                "expected " + std::to_string(columns) + " doses, got " + std::to_string(table[rows - 1 - r].size()));
  }
  for (const std::vector<double>& row : table) g.values.insert(g.values.end(), row.begin(), row.end());
  return g;
}

}  // namespace equipoise::psqa
