// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Tables of doses as text, of film scans and planning systems.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/file_head.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <equipoise/psqa/readers/reader.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

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

/// Tables of doses as a reader of the list; of any text that begins with numbers, so it stands behind those of other texts.
struct TableReader {
  static constexpr std::string_view id = "csv";
  static constexpr std::string_view name = "table of numbers";
  static constexpr std::array descriptions{FileDescription{
      "CSV", "plane",
      "and other tables: separated by semicolons, tabs, commas or blanks; a decimal comma is read where "
      "the separator is not a comma; options `--spacing MM` and `--rows-from`"}};
  static constexpr bool needs_spacing = true;

  [[nodiscard]] static bool recognises(std::string_view head) {
    return detail::looks_like_text(head) && detail::begins_with_numbers(head);
  }
  [[nodiscard]] static DoseGrid read_dose(const std::filesystem::path& path, const DoseFileOptions& options) {
    return read_csv_plane(path, options.spacing_mm, options.rows_from);
  }
  /// A small file of this kind, for tests.
  [[nodiscard]] static std::string example() { return "1,2,3\n4,5,6\n"; }
};
static_assert(CheckReader<TableReader>::ok);

}  // namespace equipoise::psqa
