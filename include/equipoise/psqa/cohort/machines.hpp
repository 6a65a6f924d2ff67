// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `machines.csv`: what monthly quality assurance measured of the machines of a cohort, one line a
/// machine.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/text_stream.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <equipoise/psqa/machine_qa.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

inline constexpr const char* kMachinesFile = "machines.csv";

/// The machines of a file, and which of its columns are ignored, in words.
struct MachineTable {
  std::vector<MachineQa> machines;
  std::vector<std::string> warnings{};

  /// A machine by its name; null where the table lacks it.
  [[nodiscard]] const MachineQa* find(std::string_view name) const {
    const auto found =
        std::find_if(machines.begin(), machines.end(), [&](const MachineQa& m) { return m.machine == name; });
    return found == machines.end() ? nullptr : &*found;
  }
};

namespace detail {

/// Reads `machines.csv`: the header, and what a line says.
class MachineLines {
 public:
  /// \throws FileError when a column is missing
  explicit MachineLines(const std::filesystem::path& path) : file_(path) {
    while (header_ < file_.lines().size() && trimmed(file_.lines()[header_]).empty()) ++header_;
    if (header_ == file_.lines().size())
      throw FileError(message("file.432", file_.where(), "expected a column machine, got an empty file"));
    separator_ = table_separator(file_.lines()[header_]);
    find_columns(cells(header_));
  }

  [[nodiscard]] MachineTable table() const {
    MachineTable out{{}, warnings_};
    std::set<std::string> names;
    for (std::size_t i = header_ + 1; i < file_.lines().size(); ++i) {
      if (trimmed(file_.lines()[i]).empty()) continue;
      out.machines.push_back(machine(i));
      const std::string& name = out.machines.back().machine;
      if (!names.insert(name).second)
        file_.fail(i, "column machine: expected machines that differ, got \"" + name + "\" twice");
    }
    if (out.machines.empty()) throw FileError(message("file.433", file_.where(), "expected machines, got none"));
    return out;
  }

 private:
  /// The cells of a line; after a separator at its end there is an empty one.
  [[nodiscard]] std::vector<std::string_view> cells(std::size_t line) const {
    const std::string_view text = file_.lines()[line];
    std::vector<std::string_view> out = cells_of(text, separator_);
    if (!text.empty() && text.back() == separator_) out.emplace_back();
    for (std::string_view& cell : out) cell = unquoted(cell);
    return out;
  }

  void find_columns(const std::vector<std::string_view>& header) {
    columns_ = header.size();
    const auto names = names_of(MachineFigure{});
    std::vector<std::string> known = {"machine", "clinic"};
    known.insert(known.end(), names.begin(), names.end());
    std::set<std::string_view> seen;
    for (std::size_t c = 0; c < header.size(); ++c) {
      if (!header[c].empty() && !seen.insert(header[c]).second)
        file_.fail(header_, "expected columns that differ, got \"" + std::string(header[c]) + "\" twice");
      const auto figure = std::find(names.begin(), names.end(), header[c]);
      if (header[c] == "machine")
        machine_ = c;
      else if (header[c] == "clinic")
        clinic_ = c;
      else if (figure != names.end())
        figures_[static_cast<std::size_t>(figure - names.begin())] = c;
      else if (!header[c].empty())
        warnings_.push_back("column \"" + std::string(header[c]) + "\" is ignored; " + nearest_name(header[c], known));
    }
    if (!machine_) throw FileError(message("file.432", file_.where(), "expected a column machine, got none"));
    if (std::none_of(figures_.begin(), figures_.end(), [](const auto& column) { return column.has_value(); }))
      throw FileError(message("file.432", file_.where(), "expected a column of figures (", names[0], ", ", names[1],
                              ", …), got none"));
  }

  [[nodiscard]] MachineQa machine(std::size_t line) const {
    const std::vector<std::string_view> row = cells(line);
    if (row.size() != columns_)
      file_.fail(line, "expected " + std::to_string(columns_) + " columns, got " + std::to_string(row.size()));
    MachineQa out;
    out.machine = std::string(row[*machine_]);
    if (out.machine.empty()) file_.fail(line, "column machine: expected a name, got none");
    if (clinic_) out.clinic = std::string(row[*clinic_]);
    for (std::size_t f = 0; f < kMachineFigures; ++f)
      if (figures_[f] && !row[*figures_[f]].empty()) out.figures[f] = figure(line, f, row[*figures_[f]]);
    return out;
  }

  [[nodiscard]] double figure(std::size_t line, std::size_t f, std::string_view cell) const {
    const std::string column = "column " + std::string(names_of(MachineFigure{})[f]) + ": ";
    const std::optional<double> value = parse_number(cell);
    if (!value) file_.fail(line, column + "expected a number, got \"" + std::string(cell.substr(0, 40)) + "\"");
    const auto [low, high] = kFigureRanges[f];
    if (*value >= low && *value <= high) return *value;
    TextWriter what;
    what << column << "expected " << low << " .. " << high << ", got " << *value;
    file_.fail(line, std::move(what).str());
  }

  TextFile file_;
  std::size_t header_ = 0, columns_ = 0;
  char separator_ = ',';
  std::optional<std::size_t> machine_, clinic_;
  std::array<std::optional<std::size_t>, kMachineFigures> figures_;
  std::vector<std::string> warnings_;
};

}  // namespace detail

/// Reads a table of machines: a column `machine`, `clinic` if there is one, and figures of
/// `MachineFigure` by their names. Commas, semicolons or tabs separate; empty cells are figures
/// that were not measured.
/// \throws FileError that names file, line and column
[[nodiscard]] inline MachineTable read_machines(const std::filesystem::path& path) {
  return detail::MachineLines(path).table();
}

/// The text of `machines.csv`. \pre names without commas, quotes and line ends
[[nodiscard]] inline std::string machines_csv(const std::vector<MachineQa>& machines) {
  TextWriter out;
  out.precision(10);
  out << "machine,clinic";
  for (const std::string_view name : names_of(MachineFigure{})) out << ',' << name;
  out << '\n';
  for (const MachineQa& m : machines) {
    out << m.machine << ',' << m.clinic;
    for (const double f : m.figures) {
      out << ',';
      if (!std::isnan(f)) out << f;
    }
    out << '\n';
  }
  return std::move(out).str();
}

}  // namespace equipoise::psqa
