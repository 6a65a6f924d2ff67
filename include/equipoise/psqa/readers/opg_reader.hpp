// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// IBA opg files (OmniPro I'mRT ASCII): the planes of detector arrays.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <equipoise/psqa/readers/detector_table.hpp>
#include <equipoise/psqa/readers/reader.hpp>

#include <array>
#include <cstddef>
#include <filesystem>
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

/// IBA opg as a reader of the list.
struct OpgReader {
  static constexpr std::string_view id = "opg";
  static constexpr std::string_view name = "IBA opg plane";
  static constexpr std::array descriptions{
      FileDescription{"IBA opg", "plane", "positions in mm or cm; cGy and mGy are converted to Gy"}};

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
