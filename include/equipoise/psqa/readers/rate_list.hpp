// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Passing rates from a text file: one a line, or a column of a table with a header.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/psqa/files/file_head.hpp>
#include <equipoise/psqa/files/text_file.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise::psqa {

/// Rates in the order of the file, %.
struct RateList {
  std::vector<double> rates;
  std::vector<std::string> names;  ///< of the plans: from a column id, plan or reference; empty without one
  std::string column;              ///< where the rates stood; empty for a list without header
  std::string criterion;           ///< of a table with a column of that name, such as "3 %/2 mm"
  bool universal = false;          ///< the table says of every rate how TG-218's universal limits see it
  std::size_t left_out = 0;        ///< lines of pairs that could not be compared: they have a text under `error`
};

/// Which rates of a table to take.
struct RateChoice {
  std::string column = "gpr_3_2";  ///< where a table lacks it, `pass_rate_percent` of `psqa gamma`
  std::string criterion{};         ///< of a table that holds several, such as "3 %/2 mm"; blanks do not count
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

/// Which columns of a table of rates matter.
struct RateColumns {
  char separator = ',';
  std::size_t count = 0, rate = 0;
  std::optional<std::size_t> criterion{}, error{}, tg218{}, name{};

  /// \throws NameError where there is no column of rates
  RateColumns(const TextFile& file, std::string_view header, RateList& out, const RateChoice& choice)
      : separator(table_separator(header)) {
    const std::vector<std::string_view> cells = cells_of(header, separator);
    count = cells.size();
    const auto column = [&](std::initializer_list<std::string_view> names) {
      std::optional<std::size_t> at;
      for (const std::string_view wanted : names)
        for (std::size_t c = 0; c < count; ++c)
          if (!at && unquoted(cells[c]) == wanted) at = c;
      return at;
    };
    std::optional<std::size_t> rates = column({choice.column});
    if (!rates && choice.column == RateChoice{}.column) rates = column({"pass_rate_percent"});
    if (!rates) throw NameError(no_column(file.where(), choice.column, cells));
    rate = *rates, out.column = unquoted(cells[rate]);
    criterion = column({"criterion"}), error = column({"error"}), tg218 = column({"tg218"});
    name = column({"id", "plan", "reference"});
    if (!choice.criterion.empty() && !criterion)
      throw NameError(message("name.310", file.where(), "no column \"criterion\", from which --criterion chooses"));
  }
};

[[nodiscard]] inline std::string without_spaces(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  return text;
}

/// Takes the rate of one line of a table, if it is of the criterion that is asked for.
inline void add_rate(const TextFile& file, std::size_t line, const RateColumns& columns, const RateChoice& choice,
                     RateList& out) {
  const std::string_view whole = file.lines()[line];
  const std::vector<std::string_view> cells =
      cells_of(columns.separator == ' ' ? trimmed(whole) : whole, columns.separator);
  // The last cell may be empty.
  if (cells.size() != columns.count && !(cells.size() + 1 == columns.count && columns.rate + 1 < columns.count))
    file.fail(line, "expected " + std::to_string(columns.count) + " columns, got " + std::to_string(cells.size()));
  const auto text = [&](const std::optional<std::size_t>& at) {
    return std::string(at && *at < cells.size() ? unquoted(cells[*at]) : std::string_view{});
  };
  if (columns.criterion) {
    const std::string of = text(columns.criterion);
    if (!choice.criterion.empty() && without_spaces(of) != without_spaces(choice.criterion)) return;
    if (!out.criterion.empty() && of != out.criterion)
      file.fail(line,
                "expected rates of one criterion, got " + out.criterion + " and " + of + " (--criterion chooses one)");
    out.criterion = of;
  }
  if (!text(columns.error).empty()) {
    ++out.left_out;
    return;
  }
  out.universal = columns.tg218 && (out.rates.empty() || out.universal) && !text(columns.tg218).empty();
  out.rates.push_back(file.number(line, cells[columns.rate]));
  if (columns.name) out.names.push_back(text(columns.name));
}

}  // namespace detail

/// Reads a list of rates, or the column of a table whose first line names its columns (comma, semicolon or tab between
/// them). Empty lines and those that begin with # are left out, and so are lines with a text under `error`.
/// \throws FileError for a file without text, a line that does not fit, or rates of several criteria where none is chosen;
/// NameError when there is no such column.
[[nodiscard]] inline RateList read_rates(const std::filesystem::path& path, const RateChoice& choice) {
  const detail::TextFile file(path);
  if (const std::string head = detail::head_of(path); !head.empty() && !detail::looks_like_text(head))
    throw FileError(message("file.442", file.where(), "expected a text file, a table or a list of rates, got bytes"));
  RateList out;
  std::optional<detail::RateColumns> columns;
  bool first = true;
  for (std::size_t i = 0; i < file.lines().size(); ++i) {
    const std::string_view text = detail::trimmed(file.lines()[i]);
    if (text.empty() || text.front() == '#') continue;
    const std::vector<std::string_view> cells = detail::table_cells(text);
    if (first &&
        std::none_of(cells.begin(), cells.end(), [](std::string_view c) { return parse_number(c).has_value(); })) {
      columns.emplace(file, text, out, choice);
    } else if (columns) {
      detail::add_rate(file, i, *columns, choice, out);
    } else {
      out.rates.push_back(detail::lone_rate(file, i, text));
    }
    first = false;
  }
  return out;
}

/// The same of a column.
[[nodiscard]] inline RateList read_rates(const std::filesystem::path& path, const std::string& column) {
  return read_rates(path, RateChoice{.column = column, .criterion = {}});
}

}  // namespace equipoise::psqa
