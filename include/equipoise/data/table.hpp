// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A table of a CSV file as inputs, targets and groups of a data set.
/// \code
/// const eq::Table table = eq::read_csv("plans.csv");
/// const auto data = eq::batch(eq::input<"table">(table.numbers({"age", "mu"})), eq::target<"gpr">(table.values({"gpr"})))
///                       .with_groups(table.group_numbers("patient"));
/// \endcode
/// A column holds numbers where every cell that is not missing is one, else texts. Either kind can be categories or groups.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/batch/target.hpp>
#include <equipoise/data/table_column.hpp>
#include <equipoise/io/csv.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

/// What becomes of a cell whose category is not among the given ones.
enum class UnknownCategory : std::uint8_t { refuse, as_missing };

/// What the first line of a file is.
enum class CsvHeader : std::uint8_t {
  names,    ///< the columns' names
  ignored,  ///< names that are not used; the columns are called 1, 2, …
  none      ///< a row; the columns are called 1, 2, …
};

struct CsvOptions {
  char delimiter = ',';                                         ///< between cells: `,`, `;`, a tab …
  char decimal = '.';                                           ///< sign of decimals: `.` or `,`
  std::vector<std::string> missing = {"", "NA", "NaN", "nan"};  ///< texts of cells without a value
  std::vector<std::pair<std::string, ColumnType>> types = {};   ///< of columns, instead of what their cells look like
  CsvHeader header = CsvHeader::names;                          ///< what the first line is
};

/// Rows under named columns; made by `read_csv`.
class Table {
 public:
  /// \throws FileError that names the line and column of a cell; NameError for an option that names no column.
  Table(const io::CsvFile& file, const CsvOptions& options) : where_(file.where()), decimal_(options.decimal) {
    if (file.rows().empty()) throw FileError(message("file.460", where_, "expected a line of column names, got none"));
    const std::vector<std::string_view>& first = file.rows().front().cells;
    for (std::size_t c = 0; c < first.size(); ++c)
      names_.push_back(options.header == CsvHeader::names ? std::string(first[c]) : std::to_string(c + 1));
    for (std::size_t c = 0; c < names_.size(); ++c)
      if (std::find(names_.begin(), names_.begin() + static_cast<std::ptrdiff_t>(c), names_[c]) !=
          names_.begin() + static_cast<std::ptrdiff_t>(c))
        throw FileError(message("file.460", where_, "expected column names that differ, got \"", names_[c],
                                "\" twice; CsvOptions.header = CsvHeader::ignored numbers the columns"));
    const std::size_t first_row = options.header == CsvHeader::none ? 0 : 1;
    for (const io::CsvRow& row : std::span(file.rows()).subspan(first_row)) {
      if (row.cells.size() != names_.size())
        throw FileError(message("file.433", where_, "line ", row.line, ": expected ", names_.size(), " cells, got ",
                                row.cells.size()));
      lines_.push_back(row.line);
    }
    std::vector<std::optional<ColumnType>> types(names_.size());
    for (const auto& [name, type] : options.types) types[index_of(name)] = type;
    for (std::size_t c = 0; c < names_.size(); ++c)
      columns_.push_back(column(file, first_row, c, types[c], options.missing));
  }

  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(lines_.size()); }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] ColumnType type(std::string_view name) const { return of(name).type; }

  /// Columns of numbers, float32 [N, F]; NaN where a cell is missing.
  /// \throws NameError for a name that no column has; FileError for a cell that is no number, or beyond float32.
  [[nodiscard]] at::Tensor numbers(const std::vector<std::string>& names) const {
    const auto width = static_cast<std::int64_t>(names.size());
    at::Tensor out = at::empty({rows(), width}, at::kFloat);
    float* const to = out.mutable_data_ptr<float>();
    for (std::size_t f = 0; f < names.size(); ++f) {
      const detail::Column& from = of(names[f]);
      if (from.type == ColumnType::text) refuse_text(names[f], from);
      for (std::size_t i = 0; i < lines_.size(); ++i) {
        if (std::abs(from.numbers[i]) > static_cast<double>(std::numeric_limits<float>::max()))
          fail(i, names[f], "expected a number within single precision, got ", option_text(from.numbers[i]));
        to[i * names.size() + f] = static_cast<float>(from.numbers[i]);
      }
    }
    return out;
  }

  /// The same as the target of a regression.
  [[nodiscard]] Values values(const std::vector<std::string>& names) const { return {numbers(names)}; }

  /// The categories of a column in sorted order, numbers by their value.
  [[nodiscard]] std::vector<std::string> categories(std::string_view name) const { return of(name).categories().names; }

  /// The number of each row's category, int64 [N]; -1 where the cell is missing.
  [[nodiscard]] Labels labels(std::string_view name) const { return to_labels(of(name).categories().codes); }

  /// The same with given categories, in their order: so that a test table is numbered as the training table was.
  /// \throws ValueError for a cell of another category, unless `unknown` says that it counts as missing.
  [[nodiscard]] Labels labels(std::string_view name, const std::vector<std::string>& categories,
                              UnknownCategory unknown = UnknownCategory::refuse) const {
    return to_labels(given_codes(name, categories, unknown));
  }

  /// One column of 0 and 1 a category, float32 [N, C]; zeros where the cell is missing.
  [[nodiscard]] at::Tensor one_hot(std::string_view name) const {
    const detail::Categories own = of(name).categories();
    return to_one_hot(own.codes, own.names.size());
  }
  [[nodiscard]] at::Tensor one_hot(std::string_view name, const std::vector<std::string>& categories,
                                   UnknownCategory unknown = UnknownCategory::refuse) const {
    return to_one_hot(given_codes(name, categories, unknown), categories.size());
  }

  /// The number of each row's group, from 0 in the sorted order of the categories. \throws FileError for a missing cell
  [[nodiscard]] std::vector<std::int64_t> group_numbers(std::string_view name) const {
    std::vector<std::int64_t> codes = of(name).categories().codes;
    for (std::size_t i = 0; i < codes.size(); ++i)
      if (codes[i] < 0) fail(i, name, "expected a group, got a missing cell");
    return codes;
  }

  /// The cells as text, empty where one is missing.
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const {
    const detail::Categories own = of(name).categories();
    std::vector<std::string> out;
    for (const std::int64_t code : own.codes)
      out.push_back(code < 0 ? std::string() : own.names[static_cast<std::size_t>(code)]);
    return out;
  }

  /// The row of each text in a column: brings another table, or files, into this one's order.
  /// \code
  /// const auto images = image_table.select(image_table.rows_of("plan", plans.texts("plan")));
  /// \endcode
  /// \throws ValueError for a text that no row has, or several have
  [[nodiscard]] std::vector<std::int64_t> rows_of(std::string_view name, const std::vector<std::string>& texts) const {
    const std::vector<std::string> own = this->texts(name);
    std::map<std::string_view, std::vector<std::int64_t>> rows;
    for (std::size_t i = 0; i < own.size(); ++i) rows[own[i]].push_back(static_cast<std::int64_t>(i));
    std::vector<std::int64_t> out;
    for (const std::string& text : texts) {
      const auto found = rows.find(text);
      const std::size_t count = found == rows.end() || text.empty() ? 0 : found->second.size();
      if (count != 1)
        throw ValueError(
            message("value.244", where_, "column \"", name, "\": expected one row with \"", text, "\", got ", count));
      out.push_back(found->second.front());
    }
    return out;
  }

  /// Which rows have a value in any of the columns, bool [N].
  [[nodiscard]] at::Tensor present(const std::vector<std::string>& names) const {
    at::Tensor out = at::zeros({rows()}, at::kBool);
    for (const std::string& name : names) {
      const detail::Column& from = of(name);
      for (std::size_t i = 0; i < lines_.size(); ++i)
        if (!from.is_missing(i)) out.mutable_data_ptr<bool>()[i] = true;
    }
    return out;
  }

  /// The given rows, in that order. \throws ValueError for a row that there is not
  [[nodiscard]] Table select(std::span<const std::int64_t> rows) const {
    detail::check_rows(rows, this->rows());
    Table out = *this;
    out.lines_.clear();
    for (const std::int64_t i : rows) out.lines_.push_back(lines_[static_cast<std::size_t>(i)]);
    for (detail::Column& c : out.columns_) c = c.select(rows);
    return out;
  }

 private:
  [[nodiscard]] detail::Column column(const io::CsvFile& file, std::size_t first_row, std::size_t c,
                                      std::optional<ColumnType> wanted, const std::vector<std::string>& missing) const {
    const auto cell = [&](std::size_t i) { return file.rows()[i + first_row].cells[c]; };
    const auto is_missing = [&](std::string_view text) {
      return std::find(missing.begin(), missing.end(), text) != missing.end();
    };
    if (wanted != ColumnType::text) {
      detail::Column out;
      const auto other = detail::numbers_of(lines_.size(), cell, is_missing, decimal_, !wanted, out.numbers);
      if (!other) return out;
      if (wanted) refuse_cell(*other, names_[c], cell(*other));
      detail::Column texts = detail::column_of_texts(lines_.size(), cell, is_missing);
      texts.not_a_number = {lines_[*other], std::string(cell(*other).substr(0, 40))};
      return texts;
    }
    return detail::column_of_texts(lines_.size(), cell, is_missing);
  }

  [[nodiscard]] std::vector<std::int64_t> given_codes(std::string_view name, const std::vector<std::string>& given,
                                                      UnknownCategory unknown) const {
    detail::Categories own = of(name).categories();
    std::vector<std::int64_t> place;  // of each own category among the given ones
    for (const std::string& category : own.names) {
      const auto found = std::find(given.begin(), given.end(), category);
      place.push_back(found == given.end() ? -1 : found - given.begin());
    }
    for (std::size_t i = 0; i < own.codes.size(); ++i) {
      std::int64_t& code = own.codes[i];
      if (code < 0) continue;
      const std::string& category = own.names[static_cast<std::size_t>(code)];
      code = place[static_cast<std::size_t>(code)];
      if (code < 0 && unknown == UnknownCategory::refuse)
        throw ValueError(message("value.240", where_, "line ", lines_[i], ", column \"", name, "\": no category \"",
                                 category, "\"; ", nearest_name(category, given)));
    }
    return std::move(own.codes);
  }

  [[nodiscard]] static Labels to_labels(const std::vector<std::int64_t>& codes) {
    at::Tensor out = at::empty({static_cast<std::int64_t>(codes.size())}, at::kLong);
    std::copy(codes.begin(), codes.end(), out.mutable_data_ptr<std::int64_t>());
    return {out};
  }
  [[nodiscard]] static at::Tensor to_one_hot(const std::vector<std::int64_t>& codes, std::size_t categories) {
    at::Tensor out =
        at::zeros({static_cast<std::int64_t>(codes.size()), static_cast<std::int64_t>(categories)}, at::kFloat);
    float* const to = out.mutable_data_ptr<float>();
    for (std::size_t i = 0; i < codes.size(); ++i)
      if (codes[i] >= 0) to[i * categories + static_cast<std::size_t>(codes[i])] = 1;
    return out;
  }

  [[nodiscard]] std::size_t index_of(std::string_view name) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end())
      throw NameError(message("name.310", where_, "no column \"", name, "\"; ", nearest_name(name, names_)));
    return static_cast<std::size_t>(found - names_.begin());
  }
  [[nodiscard]] const detail::Column& of(std::string_view name) const { return columns_[index_of(name)]; }

  template <class... Parts>
  [[noreturn]] void fail(std::size_t row, std::string_view column, const Parts&... parts) const {
    throw FileError(message("file.433", where_, "line ", lines_[row], ", column \"", column, "\": ", parts...));
  }
  [[noreturn]] void refuse_cell(std::size_t row, std::string_view column, std::string_view cell) const {
    fail(row, column, "expected a finite number, got \"", cell.substr(0, 40), "\"");
  }
  /// Names the first cell of the file that keeps a column of texts from being one of numbers.
  void refuse_text(std::string_view name, const detail::Column& column) const {
    const auto& [line, cell] = column.not_a_number;
    if (line > 0 && !detail::number_of_cell(cell, decimal_))
      throw FileError(message("file.433", where_, "line ", line, ", column \"", name,
                              "\": expected a finite number, got \"", cell, "\""));
    const std::string why =
        line > 0 ? "\"" + cell + "\" of line " + std::to_string(line) + " is read as a name" : "it is read as text";
    throw ValueError(message("value.241", where_, "column \"", name, "\": expected a column of numbers, but ", why,
                             "; ColumnType::number in CsvOptions.types reads it as numbers"));
  }

  std::string where_;
  char decimal_;
  std::vector<std::string> names_;
  std::vector<std::size_t> lines_;  ///< [N] of the file
  std::vector<detail::Column> columns_;
};

/// Reads a CSV file (RFC 4180) whose first line names the columns.
/// \throws FileError that names file, line and column; NameError for a type of a column that there is not; ValueError for
/// delimiters that cannot be.
[[nodiscard]] inline Table read_csv(const std::filesystem::path& path, const CsvOptions& options = {}) {
  check_option(options.delimiter != '"' && options.delimiter != '\n' && options.delimiter != '\r',
               "CsvOptions.delimiter", "no quote and no line break", options.delimiter);
  check_option(options.decimal == '.' || options.decimal == ',', "CsvOptions.decimal", "a point or a comma",
               options.decimal);
  return {io::CsvFile(path, options.delimiter), options};
}

}  // namespace equipoise
