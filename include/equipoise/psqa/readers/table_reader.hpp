// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Tables of doses as text, of film scans and planning systems.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/file_head.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <equipoise/psqa/readers/detector_table.hpp>
#include <equipoise/psqa/readers/dose_unit.hpp>
#include <equipoise/psqa/readers/profile.hpp>
#include <equipoise/psqa/readers/reader.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <set>
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
  bool open_end;                        ///< ends with a separator: its last value is that of an empty cell, or of none
  std::optional<std::string> corner{};  ///< the first line's first cell, where it is empty or no number
};

/// The heads of a profile's two columns: two texts in the first line.
struct ProfileHeads {
  std::size_t line;
  std::string place, dose;
};

[[nodiscard]] inline bool holds_no_cells(std::string_view line) {
  return line.empty() || line.front() == '#';
}

[[nodiscard]] inline std::optional<ProfileHeads> profile_heads(const TextFile& file) {
  for (std::size_t i = 0; i < file.lines().size(); ++i) {
    const std::string_view text = trimmed(file.lines()[i]);
    if (holds_no_cells(text)) continue;
    const std::vector<std::string_view> cells = table_cells(text);
    const bool blanks = table_separator(text) == ' ';  // which may stand within a head, as in `x [mm] dose [Gy]`
    if (cells.size() < 2 || (cells.size() > 2 && !blanks) ||
        std::any_of(cells.begin(), cells.end(), [](std::string_view c) { return table_number(c).has_value(); }))
      return std::nullopt;
    if (blanks) return ProfileHeads{i, std::string(text), std::string(text)};
    return ProfileHeads{i, std::string(unquoted(cells[0])), std::string(unquoted(cells[1]))};
  }
  return std::nullopt;
}

/// \param heads of a profile, which are no row
[[nodiscard]] inline std::vector<TableRow> table_rows(const TextFile& file, const std::optional<ProfileHeads>& heads) {
  std::vector<TableRow> rows;
  for (std::size_t i = heads ? heads->line + 1 : 0; i < file.lines().size(); ++i) {
    const std::string_view text = trimmed(file.lines()[i]);
    if (holds_no_cells(text)) continue;
    const char separator = table_separator(text);
    // A tab at either end separates an empty cell: it is no blank.
    const std::string_view line = separator == '\t' ? file.lines()[i] : text;
    TableRow row{i, {}, separator != ' ' && line.back() == separator};
    const std::vector<std::string_view> cells = table_cells(line);
    for (const std::string_view cell : cells) {
      std::optional<double> value = table_number(cell);
      if (rows.empty() && row.values.empty() && cells.size() > 2 && (!value || unquoted(cell).empty())) {
        row.corner = std::string(unquoted(cell));
        value = std::numeric_limits<double>::quiet_NaN();
      }
      if (!value)
        file.fail(
            i, "expected a number, got \"" + std::string(trimmed(cell).substr(0, 40)) + "\"" +
                   (rows.empty() && row.corner ? ": names of columns, as above a list of points, cannot be read" : ""));
      row.values.push_back(*value);
    }
    if (row.open_end) row.values.push_back(std::numeric_limits<double>::quiet_NaN());
    rows.push_back(std::move(row));
  }
  return rows;
}

/// Brings a table's doses to the unit that a comment above it or its corner names.
/// \param corner the first line's first cell, or the head of a profile's doses
inline void apply_unit(DoseGrid& g, const TextFile& file, const std::optional<std::string>& corner) {
  DoseUnit unit;
  for (const std::string_view line : file.lines())
    if (const std::string_view text = trimmed(line); unit.units == DoseUnits::unknown && text.starts_with('#'))
      unit = unit_in(text.substr(1), false);
  if (corner && unit.units == DoseUnits::unknown) unit = unit_in(*corner, true);
  if (unit.units == DoseUnits::unknown) return;
  for (double& v : g.values) v *= unit.factor;
  g.units = unit.units, g.unit = unit.text;
}

/// Whether numbers rise, or fall, all the way. Fewer than two do not.
[[nodiscard]] inline bool strictly_ordered(const std::vector<double>& v) {
  bool out = v.size() > 1;
  for (std::size_t i = 1; i < v.size(); ++i)
    out = out && (v[1] > v[0] ? v[i] > v[i - 1] : v[i] < v[i - 1]);  // false with NaN
  return out;
}
/// Whether numbers are at least four, and follow one another in equal steps other than 0, to the rounding of a text.
[[nodiscard]] inline bool equal_steps(const std::vector<double>& v) {
  bool out = v.size() > 3 && strictly_ordered(v);
  const double step = out ? (v.back() - v.front()) / static_cast<double>(v.size() - 1) : 0;
  for (std::size_t i = 1; i < v.size(); ++i)
    out = out && std::abs(v[i] - v.front() - static_cast<double>(i) * step) <= 0.02 * std::abs(step);
  return out;
}
/// Whether two lines of a table rise evenly and alike, as doses do side by side: one's step is less than four times the
/// other's.
[[nodiscard]] inline bool alike_steps(const std::vector<double>& a, const std::vector<double>& b) {
  if (!equal_steps(a) || !equal_steps(b)) return false;
  const double ratio = (a.back() - a.front()) / (b.back() - b.front());
  return ratio > 0.25 && ratio < 4;
}
/// Whether numbers count 0, 1, 2 … or 1, 2, 3 …
[[nodiscard]] inline bool counts_up(const std::vector<double>& v) {
  bool out = !v.empty() && (v.front() == 0 || v.front() == 1);
  for (std::size_t i = 1; i < v.size(); ++i) out = out && v[i] == v[i - 1] + 1;
  return out;
}

/// The places, or numbers, of a table's columns and rows that stand in its first line and column.
struct TablePlaces {
  std::vector<double> x, y;
  bool both = false;  ///< they are no doses
};

/// What a table of two columns or two lines is: doses, or places and doses along one line. A few points may be either.
enum class TwoLines : std::uint8_t { plane, profile, either };

/// Places rise or fall. They are told from doses by their heads, by a negative number, or by their number: at least five.
[[nodiscard]] inline TwoLines two_lines(const std::vector<TableRow>& rows, std::size_t columns, bool heads) {
  std::vector<double> places;
  if (columns == 2)
    for (const TableRow& r : rows) places.push_back(r.values[0]);
  else if (rows.size() == 2)
    places.assign(rows[0].values.begin(), rows[0].values.begin() + static_cast<std::ptrdiff_t>(columns));
  if (!strictly_ordered(places)) return TwoLines::plane;
  const bool negative = std::any_of(places.begin(), places.end(), [](double v) { return v < 0; });
  return heads || negative || places.size() > 4 ? TwoLines::profile : TwoLines::either;
}

/// Tells the places of rows and columns from doses: they follow one another, under a corner that is empty or text, or in
/// equal steps where the doses do not.
/// \throws FileError for what is neither a plane nor one with its places
[[nodiscard]] inline TablePlaces table_places(const std::vector<TableRow>& rows, std::size_t columns,
                                              const TextFile& file) {
  const auto line = [&](std::size_t r, std::size_t from) {
    const auto& v = rows[r].values;
    return std::vector<double>(v.begin() + static_cast<std::ptrdiff_t>(from),
                               v.begin() + static_cast<std::ptrdiff_t>(columns));
  };
  const auto column = [&](std::size_t c, std::size_t from) {
    std::vector<double> out;
    for (std::size_t r = from; r < rows.size(); ++r) out.push_back(rows[r].values[c]);
    return out;
  };
  const auto refusal = [&](const char* got) {
    return FileError(message("file.443", file.where(), "expected a table of doses, got ", got));
  };
  if (two_lines(rows, columns, false) == TwoLines::profile)
    throw refusal("a profile: places and doses along one line, which is no plane");
  if (columns == 3 && rows.size() > 8) {
    std::set<std::pair<double, double>> points;
    std::set<double> x, y;
    for (const TableRow& r : rows)
      if (!std::isnan(r.values[0]) && !std::isnan(r.values[1]))
        x.insert(r.values[0]), y.insert(r.values[1]), points.emplace(r.values[0], r.values[1]);
    if (points.size() == rows.size() && x.size() * y.size() == rows.size())
      throw refusal("a list of points, each with two places and a dose: expected one line for each row of the plane");
  }
  TablePlaces out{line(0, 1), column(0, 1)};
  const TableRow& first = rows.front();
  if (first.corner && strictly_ordered(out.x) && strictly_ordered(out.y)) {
    out.both = true;
    return out;
  }
  if (first.corner && !first.corner->empty())
    file.fail(first.line, "expected a number, or places of columns and rows in order beside it, got \"" +
                              first.corner->substr(0, 40) + "\"");
  // A plane whose doses rise evenly and alike everywhere has no places in its first line and column.
  const bool even_x = equal_steps(out.x) && !alike_steps(out.x, line(1, 1)),
             even_y = equal_steps(out.y) && !alike_steps(out.y, column(1, 1));
  out.both = even_x && even_y;
  if (!out.both && even_y && equal_steps(column(0, 0)))
    throw refusal("a first column in equal steps, as places or row numbers have them, without such a first line");
  if (!out.both && even_x && equal_steps(line(0, 0)))
    throw refusal("a first line in equal steps, as places or column numbers have them, without such a first column");
  return out;
}

/// A plane about the origin, of points that a file holds without their places.
[[nodiscard]] inline DoseGrid empty_plane(std::size_t rows, std::size_t columns, const PointSpacing& spacing_mm) {
  DoseGrid g;
  g.shape = {1, rows, columns};
  g.spacing = {1, spacing_mm.y, spacing_mm.x};
  g.spacing_assumed = true;
  g.centre();
  return g;
}

/// Whether places in steps of `step` are in cm: a text of the table says so, or the spacing asked for is ten times theirs.
[[nodiscard]] inline bool in_cm(const std::string& text, double step, double spacing_mm) {
  const auto is_spacing = [&](double mm) { return std::abs(mm - spacing_mm) <= 0.01 * spacing_mm; };
  return text.find("cm") != std::string::npos || text.find("CM") != std::string::npos ||
         (spacing_mm != 1 && !is_spacing(step) && is_spacing(10 * step));
}

/// A profile along x, from two columns or two lines of places and doses.
[[nodiscard]] inline DoseGrid profile_of(const std::vector<TableRow>& rows, const std::optional<ProfileHeads>& heads,
                                         const TextFile& file, const DoseFileOptions& options) {
  std::vector<double> x, dose;
  if (rows.size() == 2 && rows[0].values.size() > 2)
    x = rows[0].values, dose = rows[1].values;
  else
    for (const TableRow& r : rows) x.push_back(r.values[0]), dose.push_back(r.values[1]);
  const double step = std::abs(x[1] - x[0]);
  const bool cm = in_cm(heads ? heads->place : "", step, options.spacing_mm.x);
  for (double& place : x) place *= cm ? 10 : 1;
  DoseGrid g = profile_grid(std::move(x), std::move(dose), options.interpolated, file);
  apply_unit(g, file, heads ? std::optional(heads->dose) : std::nullopt);
  g.warnings.push_back("taken as a profile along x: places in " + std::string(cm ? "cm" : "mm") + " and doses");
  return g;
}

/// A plane with the places of its table, in mm or in cm. Numbers of rows and columns are dropped.
[[nodiscard]] inline DoseGrid plane_with_places(const std::vector<TableRow>& rows, const TablePlaces& places,
                                                const TextFile& file, const PointSpacing& spacing_mm,
                                                RowsFrom rows_from) {
  const std::size_t columns = places.x.size();
  const auto doses = [&](const TableRow& r) {
    return std::vector<double>(r.values.begin() + 1, r.values.begin() + 1 + static_cast<std::ptrdiff_t>(columns));
  };
  if (counts_up(places.x) && counts_up(places.y)) {
    DoseGrid g = empty_plane(places.y.size(), columns, spacing_mm);
    for (std::size_t r = 1; r < rows.size(); ++r) {
      const std::vector<double> row = doses(rows[r]);
      g.values.insert(g.values.end(), row.begin(), row.end());
    }
    if (rows_from == RowsFrom::top) g.mirror(1);
    g.warnings.push_back("the first line and column are taken as numbers of columns and rows, not as places");
    return g;
  }
  const double step = std::abs(places.x[1] - places.x[0]), row_step = std::abs(places.y[1] - places.y[0]);
  if (step != row_step && (counts_up(places.x) || counts_up(places.y)))
    throw FileError(message("file.443", file.where(), "expected places of columns and of rows, got numbers of ",
                            counts_up(places.x) ? "columns" : "rows", " beside places of ",
                            counts_up(places.x) ? "rows" : "columns"));
  const bool cm = in_cm(rows.front().corner.value_or(""), step, spacing_mm.x);
  std::vector<std::pair<double, std::vector<double>>> out;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    out.emplace_back((cm ? 10 : 1) * places.y[r - 1], doses(rows[r]));
    if (places.x.back() < places.x.front()) std::reverse(out.back().second.begin(), out.back().second.end());
  }
  std::vector<double> x;
  for (const double v : places.x) x.push_back((cm ? 10 : 1) * v);
  std::sort(x.begin(), x.end());
  DoseGrid g = grid_of(std::move(out), x, file);
  g.warnings.push_back("the first line and column are taken as places in " + std::string(cm ? "cm" : "mm"));
  return g;
}

}  // namespace detail

/// A table of doses, one line a row (film scans, planning systems): semicolon, tab, comma or blanks between them, a
/// decimal comma where these are no commas. Empty cells and `nan` are NaN. Where the first line and column are places of
/// columns and rows, the plane lies there, with a warning; else its centre is the origin.
/// \throws FileError that names the file, and the line where one is wrong; also for lists of points, and for profiles
/// unless the options ask for them.
[[nodiscard]] inline DoseGrid read_csv_plane(const std::filesystem::path& path, const DoseFileOptions& options) {
  const detail::TextFile file(path);
  const auto heads = options.profiles ? detail::profile_heads(file) : std::nullopt;
  std::vector<detail::TableRow> rows = detail::table_rows(file, heads);
  // A separator at a row's end opens a cell only where a column stands there in some row.
  std::size_t columns = 0;
  for (const detail::TableRow& r : rows) columns = std::max(columns, r.values.size() - (r.open_end ? 1 : 0));
  if (rows.size() < 2 || columns < 2)
    throw FileError(message("file.443", file.where(), "expected a table of doses, got ", rows.size(), " rows and ",
                            columns, " columns"));
  // Blanks leave no empty cell above a column of places.
  if (detail::TableRow& first = rows.front(); rows.size() > 2 && !first.corner && !first.open_end &&
                                              first.values.size() + 1 == columns &&
                                              detail::strictly_ordered(first.values)) {
    first.values.insert(first.values.begin(), std::numeric_limits<double>::quiet_NaN());
    first.corner = "";
  }
  for (const detail::TableRow& r : rows)
    if (r.values.size() < columns)
      file.fail(r.line, "expected " + std::to_string(columns) + " columns, got " + std::to_string(r.values.size()));
  const detail::TwoLines lines = detail::two_lines(rows, columns, heads.has_value());
  if (heads && !(columns == 2 && lines == detail::TwoLines::profile))
    file.fail(heads->line, "expected numbers, or places in order and doses below two heads, got \"" +
                               heads->place.substr(0, 40) + "\"");
  if (options.profiles && lines == detail::TwoLines::profile) return detail::profile_of(rows, heads, file, options);
  if (options.profiles && lines == detail::TwoLines::either)
    throw FileError(message("file.443", file.where(), "expected a plane or a profile, got ", rows.size(), " rows of ",
                            columns,
                            " numbers, which may be either: write a profile as two columns below two heads, as x "
                            "[mm],dose [Gy], a plane with the places of its columns and rows"));
  const detail::TablePlaces places = detail::table_places(rows, columns, file);
  if (places.both) {
    DoseGrid g = detail::plane_with_places(rows, places, file, options.spacing_mm, options.rows_from);
    detail::apply_unit(g, file, rows.front().corner);
    return g;
  }
  DoseGrid g = detail::empty_plane(rows.size(), columns, options.spacing_mm);
  for (const detail::TableRow& r : rows)
    g.values.insert(g.values.end(), r.values.begin(), r.values.begin() + static_cast<std::ptrdiff_t>(columns));
  if (options.rows_from == RowsFrom::top) g.mirror(1);
  detail::apply_unit(g, file, rows.front().corner);
  return g;
}

/// The same. \param spacing_mm of its points \param rows_from where the first row lies; where the file does not say it
[[nodiscard]] inline DoseGrid read_csv_plane(const std::filesystem::path& path, const PointSpacing& spacing_mm,
                                             RowsFrom rows_from = RowsFrom::bottom) {
  return read_csv_plane(path, DoseFileOptions{.spacing_mm = spacing_mm, .rows_from = rows_from});
}

/// Tables of doses as a reader of the list; of any text that begins with numbers, so it stands behind those of other texts.
struct TableReader {
  static constexpr std::string_view id = "csv";
  static constexpr std::string_view name = "table of numbers";
  static constexpr std::array descriptions{FileDescription{
      "CSV", "plane",
      "and other tables: separated by semicolons, tabs, commas or blanks; a decimal comma is read where "
      "the separator is not a comma; options `--spacing MM` and `--rows-from`; places of "
      "columns and rows in the first line and column are used; Gy unless the corner or a comment (#) names "
      "another unit; `psqa gamma` also reads profiles (two columns: places and doses)"}};
  static constexpr bool needs_spacing = true;

  [[nodiscard]] static bool recognises(std::string_view head) {
    return detail::looks_like_text(head) && detail::begins_with_numbers(head);
  }
  [[nodiscard]] static DoseGrid read_dose(const std::filesystem::path& path, const DoseFileOptions& options) {
    return read_csv_plane(path, options);
  }
  /// A small file of this kind, for tests.
  [[nodiscard]] static std::string example() { return "1,2,3\n4,5,6\n"; }
};
static_assert(CheckReader<TableReader>::ok);

}  // namespace equipoise::psqa
