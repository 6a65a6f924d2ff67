// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Passing rates from a text file: one a line, or a column of a table with a header.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/psqa/files/text_file.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise::psqa {

/// Rates in the order of the file, %.
struct RateList {
  std::vector<double> rates;
  std::string column;  ///< where they stood; empty for a list without header
};

namespace detail {

/// What to say of a table without the column: those that hold rates, or all of them.
[[nodiscard]] inline ErrorMessage no_column(const std::string& where, const std::string& column,
                                            const std::vector<std::string_view>& header) {
  std::vector<std::string> rates, all;
  for (const std::string_view cell : header) {
    all.emplace_back(unquoted(cell));
    if (all.back().find("gpr") != std::string::npos) rates.push_back(all.back());
  }
  return message("name.310", where, "no column \"", column, "\"; ", nearest_name(column, rates.empty() ? all : rates),
                 " (--column)");
}

/// A list has one number a line. With several numbers it would be unclear which is meant, or
/// whether a comma is a decimal sign.
[[nodiscard]] inline double lone_rate(const TextFile& file, std::size_t line, std::string_view text) {
  const std::vector<std::string_view> cells = table_cells(text);
  if (cells.size() > 1)
    file.fail(line,
              "expected one rate a line, with a point as decimal sign, or a first line that names the columns, "
              "got \"" +
                  std::string(text.substr(0, 40)) + "\"");
  return file.number(line, text);
}

}  // namespace detail

/// Reads a list of rates, or the column of a table whose first line names its columns (comma, semicolon or tab between
/// them). Empty lines and those that begin with # are left out. \throws FileError for a line that does not fit,
/// NameError when there is no such column.
[[nodiscard]] inline RateList read_rates(const std::filesystem::path& path, const std::string& column) {
  const detail::TextFile file(path);
  RateList out;
  std::optional<std::size_t> at;
  std::size_t columns = 0, seen = 0;
  char separator = ',';
  for (std::size_t i = 0; i < file.lines().size(); ++i) {
    const std::string_view text = detail::trimmed(file.lines()[i]);
    if (text.empty() || text.front() == '#') continue;
    if (seen++ == 0) {
      const std::vector<std::string_view> cells = detail::table_cells(text);
      const bool numbers =
          std::any_of(cells.begin(), cells.end(), [](std::string_view c) { return parse_number(c).has_value(); });
      if (!numbers) {
        separator = detail::table_separator(text);
        const std::vector<std::string_view> header = detail::cells_of(text, separator);
        columns = header.size();
        for (std::size_t c = 0; c < columns; ++c)
          if (detail::unquoted(header[c]) == column) at = c;
        if (!at) throw NameError(detail::no_column(file.where(), column, header));
        out.column = column;
        continue;
      }
    }
    if (!at) {
      out.rates.push_back(detail::lone_rate(file, i, text));
      continue;
    }
    const std::vector<std::string_view> cells = detail::cells_of(separator == ' ' ? text : file.lines()[i], separator);
    if (cells.size() != columns && !(cells.size() + 1 == columns && *at + 1 < columns))  // the last cell may be empty
      file.fail(i, "expected " + std::to_string(columns) + " columns, got " + std::to_string(cells.size()));
    out.rates.push_back(file.number(i, cells[*at]));
  }
  return out;
}

}  // namespace equipoise::psqa
