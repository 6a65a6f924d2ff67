// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Planes that Elekta XiO exports as text.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <equipoise/psqa/readers/dose_unit.hpp>
#include <equipoise/psqa/readers/reader.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise::psqa {

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
      const DoseUnit unit = parse_dose_unit(cell(1));
      factor = unit.factor, g.units = unit.units, g.unit = unit.text;
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

/// XiO planes as a reader of the list.
struct XioReader {
  static constexpr std::string_view id = "xio";
  static constexpr std::string_view name = "XiO plane";
  static constexpr std::array descriptions{
      FileDescription{"XiO", "plane", "rows start at the upper left; cGy are converted to Gy"}};

  [[nodiscard]] static bool recognises(std::string_view head) {
    return head.find("DosePtsxy") != std::string_view::npos;
  }
  [[nodiscard]] static DoseGrid read_dose(const std::filesystem::path& path, const DoseFileOptions&) {
    return read_xio_plane(path);
  }
  /// A small file of this kind, for tests.
  [[nodiscard]] static std::string example() {
    return "0001108e\nDoseUnits, Gy\nUpperleft,-1.0,5.0\nDosePtsxy,3,2\nDoseResmm,1.0\n1,2,3,\n4,5,6,\n";
  }
};
static_assert(CheckReader<XioReader>::ok);

}  // namespace equipoise::psqa
