// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A column of a table: numbers, or the places of texts in a sorted list. Either kind can be seen as categories.

#include <equipoise/core/base/options.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace equipoise {

enum class ColumnType : std::uint8_t { number, text };

namespace detail {

/// The finite number that a whole text is, or nothing; whatever the locale. \param decimal the sign of decimals
[[nodiscard]] inline std::optional<double> number_of_cell(std::string_view text, char decimal) {
  std::string with_point;
  if (decimal != '.') {
    if (text.find('.') != std::string_view::npos) return std::nullopt;
    with_point = text;
    if (const std::size_t at = with_point.find(decimal); at != std::string::npos) with_point[at] = '.';
    text = with_point;
  }
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// The categories of a column in sorted order, and the place of each row's; -1 where a cell is missing.
struct Categories {
  std::vector<std::string> names;
  std::vector<std::int64_t> codes;  ///< [N]
};

struct Column {
  ColumnType type = ColumnType::number;
  std::vector<double> numbers{};                       ///< [N] of a column of numbers; NaN where missing
  std::vector<std::int64_t> codes{};                   ///< [N] of a column of texts; -1 where missing
  std::vector<std::string> texts{};                    ///< sorted
  std::pair<std::size_t, std::string> not_a_number{};  ///< of a column of texts: line and text of the file's first cell
                                                       ///< that is no number; line 0 where texts were asked for

  [[nodiscard]] bool is_missing(std::size_t i) const {
    return type == ColumnType::number ? std::isnan(numbers[i]) : codes[i] < 0;
  }

  [[nodiscard]] Column select(std::span<const std::int64_t> rows) const {
    Column out{.type = type, .texts = texts, .not_a_number = not_a_number};
    for (const std::int64_t i : rows)
      if (type == ColumnType::number)
        out.numbers.push_back(numbers[static_cast<std::size_t>(i)]);
      else
        out.codes.push_back(codes[static_cast<std::size_t>(i)]);
    return out;
  }

  [[nodiscard]] Categories categories() const { return type == ColumnType::number ? of_numbers() : of_texts(); }

 private:
  [[nodiscard]] Categories of_numbers() const {
    std::vector<double> distinct;
    for (const double x : numbers)
      if (!std::isnan(x)) distinct.push_back(x);
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    Categories out;
    for (const double x : distinct) out.names.push_back(option_text(x + 0.0));  // -0 is 0
    for (const double x : numbers)
      out.codes.push_back(std::isnan(x) ? -1
                                        : std::lower_bound(distinct.begin(), distinct.end(), x) - distinct.begin());
    return out;
  }

  /// Without texts of rows that were not selected.
  [[nodiscard]] Categories of_texts() const {
    std::vector<std::int64_t> place(texts.size(), -1);
    for (const std::int64_t code : codes)
      if (code >= 0) place[static_cast<std::size_t>(code)] = 0;
    Categories out;
    for (std::size_t k = 0; k < place.size(); ++k) {
      if (place[k] < 0) continue;
      place[k] = static_cast<std::int64_t>(out.names.size());
      out.names.push_back(texts[k]);
    }
    for (const std::int64_t code : codes) out.codes.push_back(code < 0 ? -1 : place[static_cast<std::size_t>(code)]);
    return out;
  }
};

/// Whether a cell of digits is rather a name: as a number it would lose a leading zero, or digits beyond 2^53.
[[nodiscard]] inline bool is_a_numeral_name(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  const auto digits = static_cast<std::size_t>(
      std::find_if(text.begin(), text.end(), [](char c) { return c < '0' || c > '9'; }) - text.begin());
  if (digits > 1 && text[0] == '0') return true;
  if (digits != text.size()) return false;
  return digits > 16 || (digits == 16 && text > "9007199254740992");
}

/// The first cell that is no number and not missing, or none.
/// \param names whether numerals that are rather names are no numbers
template <class Cell, class IsMissing>
[[nodiscard]] std::optional<std::size_t> numbers_of(std::size_t rows, const Cell& cell, const IsMissing& is_missing,
                                                    char decimal, bool names, std::vector<double>& out) {
  for (std::size_t i = 0; i < rows; ++i) {
    if (names && !is_missing(cell(i)) && is_a_numeral_name(cell(i))) return i;
    const std::optional<double> value =
        is_missing(cell(i)) ? std::numeric_limits<double>::quiet_NaN() : number_of_cell(cell(i), decimal);
    if (!value) return i;
    out.push_back(*value);
  }
  return std::nullopt;
}

template <class Cell, class IsMissing>
[[nodiscard]] Column column_of_texts(std::size_t rows, const Cell& cell, const IsMissing& is_missing) {
  Column out{.type = ColumnType::text};
  for (std::size_t i = 0; i < rows; ++i)
    if (!is_missing(cell(i))) out.texts.emplace_back(cell(i));
  std::sort(out.texts.begin(), out.texts.end());
  out.texts.erase(std::unique(out.texts.begin(), out.texts.end()), out.texts.end());
  for (std::size_t i = 0; i < rows; ++i)
    out.codes.push_back(
        is_missing(cell(i)) ? -1 : std::lower_bound(out.texts.begin(), out.texts.end(), cell(i)) - out.texts.begin());
  return out;
}

}  // namespace detail

}  // namespace equipoise
