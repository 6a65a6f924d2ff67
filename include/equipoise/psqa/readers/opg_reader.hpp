// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// IBA opg files (OmniPro I'mRT ASCII): the planes of detector arrays.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <equipoise/psqa/readers/detector_table.hpp>
#include <equipoise/psqa/readers/dose_unit.hpp>
#include <equipoise/psqa/readers/reader.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

namespace detail {

/// What stands between the cells of an opg file: a tab, unless its line `Separator:` says otherwise, as `";"` or `[TAB]`.
[[nodiscard]] inline char opg_separator(const TextFile& file) {
  std::string_view text = file.text_of("Separator:").value_or("");
  if (text.size() > 2 && (text.front() == '"' || text.front() == '[')) text = text.substr(1, text.size() - 2);
  return text.empty() || text == "TAB" || text == "Tab" || text == "\\t" ? '\t' : text.front();
}

/// The unit of an opg file's numbers. The type of its data counts where that says more.
[[nodiscard]] inline DoseUnit opg_unit(const TextFile& file) {
  DoseUnit out = parse_dose_unit(file.text_of("Data Unit:").value_or(""));
  const std::string_view type = unquoted(file.text_of("Data Type:").value_or(""));
  if (type == "Relative" && out.units != DoseUnits::relative)
    out = {1, DoseUnits::relative, out.text.empty() ? "%" : "Relative " + out.text};
  if (type == "Counts" && out.units != DoseUnits::other) out = {1, DoseUnits::other, "Counts"};
  return out;
}

/// How many mm the unit of lengths is, from a text like `cm`, or `X[cm]` with its brackets.
[[nodiscard]] inline std::optional<double> opg_mm(std::string_view text) {
  if (const std::size_t open = text.find('['); open != std::string_view::npos)
    text = text.substr(open + 1, std::min(text.find(']'), text.size()) - open - 1);
  text = trimmed(text);
  if (text == "mm") return 1;
  if (text == "cm") return 10;
  return std::nullopt;
}

/// Whether a line begins with the head of an axis: `X[cm]`, or `X [cm]`.
[[nodiscard]] inline bool is_opg_head(std::string_view line, char axis) {
  return line.starts_with(axis) && trimmed(line.substr(1)).starts_with('[');
}

/// A warning where the header says another number of rows or columns than the body has.
inline void compare_with_header(DoseGrid& g, const TextFile& file) {
  const auto compare = [&](const char* key, std::size_t has, const char* what) {
    if (const std::optional<double> says = file.value_of(key); says && *says != static_cast<double>(has))
      g.warnings.push_back("the header says " + std::to_string(std::lround(*says)) + " " + what + ", the body has " +
                           std::to_string(has));
  };
  compare("No. of Rows:", g.shape[1], "rows"), compare("No. of Columns:", g.shape[2], "columns");
}

}  // namespace detail

/// IBA opg (OmniPro I'mRT ASCII): the table of the first body, with places in the unit of the table's heads (`X[cm]`);
/// times its data factor. cGy and mGy become Gy; relative doses are in %. A warning names the body where there are more.
/// \throws FileError that names the file, and the line where one is wrong.
[[nodiscard]] inline DoseGrid read_opg(const std::filesystem::path& path) {
  const detail::TextFile file(path);
  const DoseUnit unit = detail::opg_unit(file);
  const double factor = unit.factor * file.value_of("Data Factor:").value_or(1);
  const char separator = detail::opg_separator(file);
  std::vector<double> x;
  std::vector<std::pair<double, std::vector<double>>> rows;
  std::string_view position;  // of the first body
  double y_mm = 1;
  std::size_t bodies = 0;
  bool in_body = false;
  for (std::size_t i = 0; i < file.lines().size(); ++i) {
    const std::string_view line = detail::trimmed(file.lines()[i]);
    if (line == "<asciibody>") in_body = true;
    if (line == "</asciibody>") in_body = false;
    if (!in_body || line.empty() || line.starts_with("<")) continue;
    const auto unit_of_head = [&] {
      const std::optional<double> mm = detail::opg_mm(line);
      if (!mm) file.fail(i, "expected places in mm or cm, got \"" + std::string(line.substr(0, 20)) + "\"");
      return *mm;
    };
    if (detail::is_opg_head(line, 'X') && ++bodies == 1) y_mm = unit_of_head();
    if (line.starts_with("Plane Position:") && bodies == 0) position = detail::trimmed(line.substr(15));
    if (detail::is_opg_head(line, 'Y') && bodies == 1) y_mm = unit_of_head();
    if (bodies > 1 || line.starts_with("Plane") || detail::is_opg_head(line, 'Y')) continue;
    std::vector<std::string_view> cells;
    for (const std::string_view c : detail::cells_of(line, separator))
      if (!detail::trimmed(c).empty()) cells.push_back(c);
    if (cells.size() < 2) continue;
    std::vector<double> numbers;
    for (std::size_t c = 1; c < cells.size(); ++c) numbers.push_back(file.number(i, cells[c]));
    if (detail::is_opg_head(line, 'X')) {
      for (const double v : numbers) x.push_back(y_mm * v);
    } else {
      for (double& v : numbers) v *= factor;
      rows.emplace_back(y_mm * file.number(i, cells[0]), std::move(numbers));
    }
  }
  if (x.empty() || rows.empty())
    throw FileError(message("file.443", file.where(), "expected a body with a line X[mm], got none"));
  DoseGrid g = detail::grid_of(std::move(rows), x, file);
  g.units = unit.units, g.unit = unit.text;
  detail::compare_with_header(g, file);
  if (bodies > 1)
    g.warnings.push_back(std::to_string(bodies) + " bodies: the first one is taken" +
                         (position.empty() ? std::string() : ", at plane position " + std::string(position)));
  return g;
}

/// IBA opg as a reader of the list.
struct OpgReader {
  static constexpr std::string_view id = "opg";
  static constexpr std::string_view name = "IBA opg plane";
  static constexpr std::array descriptions{FileDescription{
      "IBA opg", "plane",
      "positions in mm or cm, as the heads of the table say; cGy and mGy are converted to Gy; the first "
      "body is taken, with a warning where there are more"}};
  static constexpr bool of_detector = true;

  [[nodiscard]] static bool recognises(std::string_view head) {
    return head.find("<opimrtascii>") != std::string_view::npos;
  }
  [[nodiscard]] static DoseGrid read_dose(const std::filesystem::path& path, const DoseFileOptions&) {
    return read_opg(path);
  }
  /// A small file of this kind, for tests.
  [[nodiscard]] static std::string example() {
    return "<opimrtascii>\nData Factor: 1.0\nData Unit: cGy\nLength Unit: mm\n<asciibody>\nPlane Position: 0 mm\n"
           "X[mm]\t-1\t0\t1\nY[mm]\n-1\t1\t2\t3\n0\t4\t5\t6\n</asciibody>\n";
  }
};
static_assert(CheckReader<OpgReader>::ok);

}  // namespace equipoise::psqa
