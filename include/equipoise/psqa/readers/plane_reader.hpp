// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A dose distribution from any file that can hold one: DICOM RTDOSE, NPY, CSV, detector exports. The kind is told from
/// the content, not from the name.

#include <equipoise/core/base/enumeration.hpp>
#include <equipoise/io/npy.hpp>
#include <equipoise/psqa/dicom/rtdose_reader.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/file_kind.hpp>
#include <equipoise/psqa/readers/detector_reader.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// Which end of y a table's first row lies at, which its file does not say. All grids have y rising from row to row.
enum class RowsFrom : std::uint8_t { bottom, top };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(RowsFrom) {
  return {"bottom", "top"};
}

namespace detail {

/// A line of a table of doses.
struct TableRow {
  std::size_t line;
  std::vector<double> values;
  bool open_end;  ///< ends with a separator: its last value is that of an empty cell, or of none
};

[[nodiscard]] inline std::vector<TableRow> table_rows(const TextFile& file) {
  std::vector<TableRow> rows;
  for (std::size_t i = 0; i < file.lines().size(); ++i) {
    const std::string_view text = trimmed(file.lines()[i]);
    if (text.empty() || text.front() == '#') continue;
    const char separator = table_separator(text);
    // A tab at either end separates an empty cell: it is no blank.
    const std::string_view line = separator == '\t' ? file.lines()[i] : text;
    TableRow row{i, {}, separator != ' ' && line.back() == separator};
    for (const std::string_view cell : table_cells(line)) {
      const std::optional<double> value = table_number(cell);
      if (!value) file.fail(i, "expected a number, got \"" + std::string(trimmed(cell).substr(0, 40)) + "\"");
      row.values.push_back(*value);
    }
    if (row.open_end) row.values.push_back(std::numeric_limits<double>::quiet_NaN());
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace detail

/// A table of doses, one line a row (film scans, planning systems): semicolon, tab, comma or blanks between them, a
/// decimal comma where these are no commas. The plane's centre is the origin. Empty cells and `nan` are NaN.
/// \param spacing_mm of a pixel, which the file does not say
/// \throws FileError that names the file, and the line where one is wrong.
[[nodiscard]] inline DoseGrid read_csv_plane(const std::filesystem::path& path, double spacing_mm,
                                             RowsFrom rows_from = RowsFrom::bottom) {
  const detail::TextFile file(path);
  const std::vector<detail::TableRow> rows = detail::table_rows(file);
  // A separator at a row's end opens a cell only where a column stands there in some row.
  std::size_t columns = 0;
  for (const detail::TableRow& r : rows) columns = std::max(columns, r.values.size() - (r.open_end ? 1 : 0));
  if (rows.size() < 2 || columns < 2)
    throw FileError(message("file.443", file.where(), "expected a table of doses, got ", rows.size(), " rows and ",
                            columns, " columns"));
  DoseGrid g = DoseGrid::plane(rows.size(), columns, spacing_mm);
  g.values.clear();
  for (const detail::TableRow& r : rows) {
    if (r.values.size() < columns)
      file.fail(r.line, "expected " + std::to_string(columns) + " columns, got " + std::to_string(r.values.size()));
    g.values.insert(g.values.end(), r.values.begin(), r.values.begin() + static_cast<std::ptrdiff_t>(columns));
  }
  if (rows_from == RowsFrom::top) g.mirror(1);
  return g;
}

/// NPY [H, W] or [D, H, W] of real numbers, NaN where there is no dose; the centre is the origin.
/// \throws FileError for another shape or type, or an infinite dose.
[[nodiscard]] inline DoseGrid read_npy_dose(const std::filesystem::path& path, double spacing_mm,
                                            RowsFrom rows_from = RowsFrom::bottom) {
  DoseGrid g;
  io::NpyArray<double> array = io::read_npy_as_doubles(path);
  if (array.shape.size() != 2 && array.shape.size() != 3)
    throw FileError(
        message("file.435", path.string(), "expected [H, W] or [D, H, W], got ", array.shape.size(), " dimensions"));
  const bool volume = array.shape.size() == 3;
  g.shape = {volume ? array.shape[0] : 1, array.shape[volume ? 1 : 0], array.shape[volume ? 2 : 1]};
  g.spacing = {spacing_mm, spacing_mm, spacing_mm};
  g.centre();
  g.values = std::move(array.values);
  if (g.size() == 0) throw FileError(message("file.435", path.string(), "expected doses, got an empty array"));
  if (std::any_of(g.values.begin(), g.values.end(), [](double v) { return std::isinf(v); }))
    throw FileError(message("file.436", path.string(), "expected finite doses, and NaN where there is none, got inf"));
  if (rows_from == RowsFrom::top) g.mirror(1);
  return g;
}

/// Whether files of a kind leave it to their reader how far apart points are.
[[nodiscard]] constexpr bool needs_spacing(FileKind kind) {
  return kind == FileKind::npy || kind == FileKind::table;
}

/// A plane or volume from a file of any known kind.
/// \param spacing_mm of a pixel, for NPY and CSV, which do not say it
/// \param rows_from where the first row of NPY and CSV lies, which they do not say either
/// \param interpolated of an array's file take the plane between its elements, not the elements alone
/// \throws FileError that names the file and what is wrong with it.
[[nodiscard]] inline DoseGrid read_dose(const std::filesystem::path& path, double spacing_mm = 1,
                                        bool interpolated = false, RowsFrom rows_from = RowsFrom::bottom) {
  switch (const FileKind kind = file_kind(path); kind) {
    case FileKind::npy:
      return read_npy_dose(path, spacing_mm, rows_from);
    case FileKind::dicom:
      return read_rtdose(path);
    case FileKind::mapcheck:
      return read_mapcheck(path, interpolated ? MapcheckPlane::interpolated : MapcheckPlane::measured);
    case FileKind::mcc:
      return interpolated ? between_elements(read_mcc(path)) : read_mcc(path);
    case FileKind::opg:
      return read_opg(path);
    case FileKind::xio:
      return read_xio_plane(path);
    case FileKind::elekta_log:
    case FileKind::openkbp_table:
      throw FileError(
          message("file.443", path.string(), "expected a plane or volume of doses, got an ", name_of(kind)));
    case FileKind::table:
    case FileKind::other:
      break;
  }
  return detail::looks_like_text(detail::head_of(path, 4096)) ? read_csv_plane(path, spacing_mm, rows_from)
                                                              : read_rtdose(path);
}

}  // namespace equipoise::psqa
