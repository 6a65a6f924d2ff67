// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The rows and cells of a CSV file as RFC 4180 has them: cells in double quotes may hold delimiters, line breaks and, twice,
/// quotes. Blanks around a cell are not part of it, but those within quotes are.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/io/regular_file.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <ios>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace equipoise::io {

/// A cell as it is written: in quotes where it holds a comma, a quote, a line break, or a blank at an end.
[[nodiscard]] inline std::string csv_cell(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  const bool ends = !text.empty() && (is_blank(text.front()) || is_blank(text.back()));
  if (!ends && text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

/// One row of a CSV file.
struct CsvRow {
  std::size_t line = 0;                   ///< of the file, from 1, where the row begins
  std::vector<std::string_view> cells{};  ///< without their quotes
  bool blank = false;                     ///< no text and no quotes on the line
};

/// A CSV file in memory. Lines end with LF or CRLF; a byte order mark at the start is skipped. Blank lines are skipped, but
/// between the lines of a file of one column, where they are empty cells.
class CsvFile {
 public:
  /// \throws FileError for a file that is missing, of UTF-16, or whose quotes are misplaced; it names line and cell.
  explicit CsvFile(const std::filesystem::path& path, char delimiter = ',')
      : where_(path.string()), delimiter_(delimiter) {
    read(path);
    if (text_.starts_with("\xff\xfe") || text_.starts_with("\xfe\xff"))
      throw FileError(message("file.433", where_, "expected text of UTF-8, got UTF-16; save it as CSV UTF-8"));
    at_ = text_.starts_with("\xef\xbb\xbf") ? 3 : 0;
    while (at_ < text_.size()) rows_.push_back(row());
    while (!rows_.empty() && rows_.back().blank) rows_.pop_back();
    const auto first = std::find_if(rows_.begin(), rows_.end(), [](const CsvRow& r) { return !r.blank; });
    const bool one_column = first != rows_.end() && first->cells.size() == 1;
    rows_.erase(rows_.begin(), first);
    if (!one_column) std::erase_if(rows_, [](const CsvRow& r) { return r.blank; });
  }
  CsvFile(const CsvFile&) = delete;
  CsvFile& operator=(const CsvFile&) = delete;

  [[nodiscard]] const std::string& where() const { return where_; }
  [[nodiscard]] const std::vector<CsvRow>& rows() const { return rows_; }

 private:
  void read(const std::filesystem::path& path) {
    std::ifstream in = open_regular(path);
    std::error_code error;
    const auto size = in ? std::filesystem::file_size(path, error) : 0;
    if (!in || error) throw FileError(message("file.401", where_, "expected a readable file"));
    text_.resize(static_cast<std::size_t>(size));
    in.read(text_.data(), static_cast<std::streamsize>(size));
    text_.resize(static_cast<std::size_t>(in.gcount()));
  }

  [[nodiscard]] CsvRow row() {
    CsvRow out{.line = line_};
    for (bool ends = false; !ends;) {
      skip_blanks();
      const bool quoted = at_ < text_.size() && text_[at_] == '"';
      out.cells.push_back(quoted ? quoted_cell(out) : plain_cell(out));
      ends = at_ == text_.size() || text_[at_] != delimiter_;
      out.blank = ends && !quoted && out.cells.size() == 1 && out.cells[0].empty();
      ++at_;  // the delimiter or the LF
    }
    ++line_;
    return out;
  }

  /// Up to the delimiter or the end of the line.
  [[nodiscard]] std::string_view plain_cell(const CsvRow& row) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != delimiter_ && text_[at_] != '\n') {
      if (text_[at_] == '"') fail(row, "expected quotes around the whole cell, got one within it");
      ++at_;
    }
    std::size_t end = at_;
    while (end > begin && (is_blank(text_[end - 1]) || (text_[end - 1] == '\r' && ends_line(end)))) --end;
    return std::string_view(text_).substr(begin, end - begin);
  }

  /// Is written over its own text, without quotes.
  [[nodiscard]] std::string_view quoted_cell(const CsvRow& row) {
    const std::size_t begin = ++at_;
    std::size_t end = begin;
    for (;; ++at_) {
      if (at_ == text_.size()) fail(row, "expected a closing quote, got the end of the file");
      if (text_[at_] == '"' && (++at_ == text_.size() || text_[at_] != '"')) break;
      if (text_[at_] == '\n') ++line_;
      text_[end++] = text_[at_];
    }
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '\r' && ends_line(at_ + 1)) ++at_;
    if (at_ < text_.size() && text_[at_] != delimiter_ && text_[at_] != '\n')
      fail(row, "expected the end of the cell after its closing quote, got more text");
    return std::string_view(text_).substr(begin, end - begin);
  }

  [[nodiscard]] bool is_blank(char c) const { return (c == ' ' || c == '\t') && c != delimiter_; }
  [[nodiscard]] bool ends_line(std::size_t at) const { return at == text_.size() || text_[at] == '\n'; }
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  [[noreturn]] void fail(const CsvRow& row, std::string_view what) const {
    throw FileError(message("file.433", where_, "line ", row.line, ", cell ", row.cells.size() + 1, ": ", what));
  }

  std::string where_, text_;
  char delimiter_;
  std::size_t at_ = 0, line_ = 1;
  std::vector<CsvRow> rows_;
};

}  // namespace equipoise::io
