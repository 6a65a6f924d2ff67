// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Planes that detector arrays and planning systems export as text: Sun Nuclear MapCHECK, PTW mcc, IBA opg, XiO. Doses
/// in Gy where the file says its unit, else in the file's own numbers; NaN where the array has no detector. Rows are
/// those of ascending y.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/text_file.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// Which of a MapCHECK file's planes is meant.
enum class MapcheckPlane : std::uint8_t { measured, interpolated };

namespace detail {

/// Places in ascending order with one pitch. \throws FileError
[[nodiscard]] inline double pitch_of(const std::vector<double>& places, const TextFile& file, const char* axis) {
  if (places.size() < 2)
    throw FileError(
        message("file.443", file.where(), "expected at least 2 places along ", axis, ", got ", places.size()));
  const double pitch = (places.back() - places.front()) / static_cast<double>(places.size() - 1);
  for (std::size_t i = 1; i < places.size(); ++i)
    if (!(pitch > 0) || std::abs(places[i] - places[i - 1] - pitch) > 0.02 * pitch)
      throw FileError(message("file.443", file.where(), "expected evenly spaced places along ", axis, ", got ",
                              places[i - 1], " and ", places[i]));
  return pitch;
}

/// Rows of (y, values) and the columns' x, all mm, into a grid; rows may come in either order.
[[nodiscard]] inline DoseGrid grid_of(std::vector<std::pair<double, std::vector<double>>> rows,
                                      const std::vector<double>& x, const TextFile& file) {
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<double> y;
  DoseGrid g;
  for (auto& [place, values] : rows) {
    if (values.size() != x.size())
      throw FileError(message("file.443", file.where(), "row y = ", place, ": expected ", x.size(), " values, got ",
                              values.size()));
    y.push_back(place);
    g.values.insert(g.values.end(), values.begin(), values.end());
  }
  g.shape = {1, rows.size(), x.size()};
  g.spacing = {1, pitch_of(y, file, "y"), pitch_of(x, file, "x")};
  g.origin = {0, y.front(), x.front()};
  return g;
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

/// Sun Nuclear MapCHECK text. `measured`: the diodes' doses, NaN between them; `interpolated`: the program's own plane.
/// cGy become Gy.
[[nodiscard]] inline DoseGrid read_mapcheck(const std::filesystem::path& path,
                                            MapcheckPlane plane = MapcheckPlane::measured) {
  const detail::TextFile file(path);
  const bool measured = plane == MapcheckPlane::measured;
  DoseGrid dose = detail::mapcheck_table(file, measured ? "Dose Counts" : "Dose Interpolated");
  const DoseGrid factors = measured ? detail::mapcheck_table(file, "Calibration Factors") : DoseGrid{};
  if (measured && factors.values.size() != dose.values.size())
    throw FileError(message("file.443", file.where(), "expected as many calibration factors as doses"));
  for (std::size_t i = 0; i < dose.values.size(); ++i)
    dose.values[i] =
        measured && factors.values[i] == 0 ? std::numeric_limits<double>::quiet_NaN() : dose.values[i] / 100;
  return dose;
}

/// PTW mcc: scans across the array, each with its in-plane offset; Gy.
[[nodiscard]] inline DoseGrid read_mcc(const std::filesystem::path& path) {
  const detail::TextFile file(path);
  std::map<double, std::vector<double>> scans;
  std::vector<double> x, places, values;
  double offset = 0, factor = 1;
  bool in_data = false;
  for (std::size_t i = 0; i < file.lines().size(); ++i) {
    const std::string_view line = detail::trimmed(file.lines()[i]);
    if (line.starts_with("SCAN_OFFAXIS_INPLANE=")) offset = file.number(i, line.substr(21));
    if (line.starts_with("MEAS_UNIT=")) factor = line.substr(10) == "CGY" || line.substr(10) == "cGy" ? 0.01 : 1;
    if (line == "BEGIN_DATA") {
      in_data = true, places.clear(), values.clear();
    } else if (line == "END_DATA") {
      in_data = false;
      if (scans.empty()) x = places;
      if (places != x) file.fail(i, "expected the places of the first scan");
      if (!scans.emplace(offset, values).second)
        file.fail(i, "expected scans at different places, got offset " + std::to_string(offset) + " twice");
    } else if (in_data) {
      const std::vector<std::string_view> cells = detail::cells_of(line, '\t');
      std::vector<std::string_view> full;
      for (const std::string_view c : cells)
        if (!detail::trimmed(c).empty()) full.push_back(c);
      if (full.size() < 2) file.fail(i, "expected a place and a dose");
      places.push_back(file.number(i, full[0])), values.push_back(factor * file.number(i, full[1]));
    }
  }
  if (in_data || scans.empty())
    throw FileError(message("file.443", file.where(), "expected whole scans, got ", scans.size(),
                            in_data ? " and a part of one" : ""));
  return detail::grid_of({scans.begin(), scans.end()}, x, file);
}

/// IBA opg (OmniPro I'mRT ASCII): a table with places in mm or cm; times its data factor, cGy and mGy become Gy.
[[nodiscard]] inline DoseGrid read_opg(const std::filesystem::path& path) {
  const detail::TextFile file(path);
  double factor = file.value_of("Data Factor:").value_or(1);
  const std::string_view unit = file.text_of("Data Unit:").value_or("");
  if (unit == "cGy") factor *= 0.01;
  if (unit == "mGy") factor *= 0.001;
  const double mm = file.text_of("Length Unit:").value_or("mm") == "cm" ? 10 : 1;
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
    for (const std::string_view c : detail::cells_of(line, '\t'))
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
  return detail::grid_of(std::move(rows), x, file);
}

/// Elekta XiO plane: a header `key,values…`, then rows of doses from the upper left; Gy (cGy become Gy).
[[nodiscard]] inline DoseGrid read_xio_plane(const std::filesystem::path& path) {
  const detail::TextFile file(path);
  const auto& lines = file.lines();
  std::size_t at = 0, columns = 0, rows = 0;
  double pitch = 0, left = 0, top = 0, factor = 1;
  for (; at < lines.size() && pitch == 0; ++at) {
    const std::vector<std::string_view> cells = detail::cells_of(lines[at], ',');
    const std::string_view key = cells.empty() ? std::string_view{} : detail::trimmed(cells[0]);
    const auto cell = [&](std::size_t i) {
      if (cells.size() <= i) file.fail(at, "expected " + std::to_string(i) + " values after " + std::string(key));
      return cells[i];
    };
    if (key == "DoseUnits") factor = detail::trimmed(cell(1)) == "cGy" ? 0.01 : 1;
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
  DoseGrid g;
  g.shape = {1, rows, columns};
  g.spacing = {1, pitch, pitch};
  g.origin = {0, top - pitch * static_cast<double>(rows - 1), left};
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
