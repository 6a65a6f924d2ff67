// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Text files of detectors, planning systems and linacs: lines, cells and numbers, with errors that name the line. The
/// decimal sign is a point whatever the locale.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/io/regular_file.hpp>
#include <equipoise/psqa/files/no_file.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace equipoise::psqa {

namespace detail {

[[nodiscard]] inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n\v\f";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// A cell without its blanks, and without the double quotes around the whole of it.
[[nodiscard]] inline std::string_view unquoted(std::string_view text) {
  text = trimmed(text);
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return text;
  return trimmed(text.substr(1, text.size() - 2));
}

}  // namespace detail

/// A text, in quotes or not, that is a finite number as a whole, or nothing. A lone comma is a decimal sign.
[[nodiscard]] inline std::optional<double> parse_number(std::string_view text) {
  text = detail::unquoted(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  if (const std::size_t comma = text.find(','); comma != std::string_view::npos && text.size() < 40) {
    std::string with_point(text);
    with_point[comma] = '.';
    return with_point.find('.') == comma ? parse_number(with_point) : std::nullopt;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

namespace detail {

/// The cells of a line; text in double quotes may hold the separator. A separator at the very end opens no cell.
[[nodiscard]] inline std::vector<std::string_view> cells_of(std::string_view line, char separator) {
  std::vector<std::string_view> out;
  std::size_t begin = 0;
  bool quoted = false;
  for (std::size_t i = 0; i <= line.size(); ++i) {
    if (i < line.size() && line[i] == '"') quoted = !quoted;
    if (i < line.size() && (quoted || line[i] != separator)) continue;
    if (i < line.size() || i > begin) out.push_back(line.substr(begin, i - begin));
    begin = i + 1;
  }
  return out;
}

/// A number of a table of doses: NaN for an empty cell and for `nan` in any case; nothing for what is no number.
[[nodiscard]] inline std::optional<double> table_number(std::string_view text) {
  text = unquoted(text);
  const auto is = [](char c, char lower) { return c == lower || c == lower - 'a' + 'A'; };
  if (text.empty() || (text.size() == 3 && is(text[0], 'n') && is(text[1], 'a') && is(text[2], 'n')))
    return std::numeric_limits<double>::quiet_NaN();
  return parse_number(text);
}

/// The cells of a table's line: semicolon, tab, comma or blanks between them. A semicolon or tab leaves commas to be
/// decimal signs.
[[nodiscard]] inline char table_separator(std::string_view line) {
  if (line.find(';') != std::string_view::npos) return ';';
  if (line.find('\t') != std::string_view::npos && line.find(",\t") == std::string_view::npos) return '\t';
  return line.find(',') != std::string_view::npos ? ',' : ' ';
}
[[nodiscard]] inline std::vector<std::string_view> table_cells(std::string_view line) {
  const char separator = table_separator(line);
  std::vector<std::string_view> cells = cells_of(line, separator);
  if (separator == ' ')
    cells.erase(std::remove_if(cells.begin(), cells.end(), [](std::string_view c) { return trimmed(c).empty(); }),
                cells.end());
  return cells;
}

/// A text file in memory, line by line.
class TextFile {
 public:
  /// \throws FileError when it is missing or larger than 512 MiB.
  explicit TextFile(const std::filesystem::path& path) : where_(path.string()) {
    std::error_code error;
    std::ifstream in = io::open_regular(path);
    const std::uintmax_t size = in ? std::filesystem::file_size(path, error) : 0;
    if (!in || error) throw no_file(path);
    if (size > (std::uintmax_t{512} << 20))
      throw FileError(message("file.441", where_, "expected at most 512 MiB of text, got ", size >> 20, " MiB"));
    text_.resize(static_cast<std::size_t>(size));
    in.read(text_.data(), static_cast<std::streamsize>(size));
    text_.resize(static_cast<std::size_t>(in.gcount()));
    const std::size_t first = text_.starts_with("\xef\xbb\xbf") ? 3 : 0;  // a byte order mark is no text
    for (std::size_t begin = first; begin < text_.size();) {
      std::size_t end = text_.find('\n', begin);
      if (end == std::string::npos) end = text_.size();
      std::string_view line(text_.data() + begin, end - begin);
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      lines_.push_back(line);
      begin = end + 1;
    }
  }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;

  [[nodiscard]] const std::string& where() const { return where_; }
  [[nodiscard]] const std::vector<std::string_view>& lines() const { return lines_; }

  /// \throws FileError
  [[noreturn]] void fail(std::size_t line, const std::string& what) const {
    throw FileError(message("file.442", where_, "line ", line + 1, ": ", what));
  }
  [[nodiscard]] double number(std::size_t line, std::string_view cell) const {
    const std::optional<double> value = parse_number(cell);
    if (!value) fail(line, "expected a number, got \"" + std::string(cell.substr(0, 40)) + "\"");
    return *value;
  }
  /// The number after `key` and a separator, on the first line that begins with it.
  [[nodiscard]] std::optional<double> value_of(std::string_view key) const {
    const std::optional<std::string_view> text = text_of(key);
    return text ? parse_number(text->substr(0, text->find_first_of(" \t", 0))) : std::nullopt;
  }
  [[nodiscard]] std::optional<std::string_view> text_of(std::string_view key) const {
    for (const std::string_view line : lines_)
      if (const std::string_view t = trimmed(line); t.starts_with(key)) return trimmed(t.substr(key.size()));
    return std::nullopt;
  }

 private:
  std::string where_, text_;
  std::vector<std::string_view> lines_;
};

}  // namespace detail

}  // namespace equipoise::psqa
