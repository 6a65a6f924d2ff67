// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Reading a cohort, and checking it: schema, columns, ids, numbers, shapes.

#include <equipoise/core/errors.hpp>
#include <equipoise/io/npy.hpp>
#include <equipoise/psqa/cohort.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

namespace detail {

[[nodiscard]] inline std::vector<std::string> split_line(const std::string& line) {
  std::vector<std::string> out;
  const std::string text = line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;  // a spreadsheet's line ends
  std::istringstream in(text);
  for (std::string cell; std::getline(in, cell, ',');) out.push_back(cell);
  if (text.ends_with(',')) out.emplace_back();
  return out;
}

inline void read_table(const std::filesystem::path& path, Cohort& cohort) {
  const std::string where = path.string();
  std::ifstream in(path);
  if (!in) throw FileError(message("file.401", where, "expected a readable file"));
  std::string line;
  std::getline(in, line);
  const std::vector<std::string> header = split_line(line);
  std::vector<std::string> wanted = {"id", "patient", "site", "machine", "fault"};
  for (const NamedCriteria& c : kCriteria) wanted.emplace_back(c.name);
  for (const std::string& name : wanted)
    if (std::find(header.begin(), header.end(), name) == header.end())
      throw FileError(message("file.432", where, "expected a column ", name, ", got none"));
  const auto column = [&](const std::string& name) {
    return static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
  };
  for (const std::string& name : table_metrics())
    if (column(name) == header.size())
      throw FileError(message("file.432", where, "expected a column ", name, ", got none"));
  cohort.metric_names = table_metrics();
  std::set<std::string> ids;
  while (std::getline(in, line)) {
    if (line.empty() || line == "\r") continue;
    const std::vector<std::string> cells = split_line(line);
    if (cells.size() != header.size())
      throw FileError(message("file.433", where, "record ", cells.empty() ? "?" : cells[0], ": expected ",
                              header.size(), " columns, got ", cells.size()));
    CohortRecord r{cells[column("id")],
                   cells[column("patient")],
                   cells[column("site")],
                   cells[column("machine")],
                   cells[column("fault")],
                   {},
                   {}};
    if (!ids.insert(r.id).second)
      throw FileError(message("file.434", where, "record ", r.id, ": expected ids that differ, got it twice"));
    const auto number = [&](const std::string& name, bool may_miss) {
      const std::string& cell = cells[column(name)];
      if (cell.empty() && may_miss) return std::numeric_limits<double>::quiet_NaN();
      char* end = nullptr;
      const double value = std::strtod(cell.c_str(), &end);
      if (cell.empty() || *end != 0 || !std::isfinite(value))
        throw FileError(message("file.433", where, "record ", r.id, ", column ", name,
                                ": expected a finite number, got \"", cell, "\""));
      return value;
    };
    for (std::size_t c = 0; c < kCriteria.size(); ++c) {
      r.gpr[c] = number(kCriteria[c].name, true);
      if (r.gpr[c] < 0 || r.gpr[c] > 100)
        throw FileError(message("file.433", where, "record ", r.id, ", column ", kCriteria[c].name,
                                ": expected a passing rate within 0 .. 100 %, got ", r.gpr[c]));
    }
    for (const std::string& name : cohort.metric_names) r.metrics.push_back(number(name, may_be_undefined(name)));
    cohort.records.push_back(std::move(r));
  }
}

inline void read_planes(const std::filesystem::path& path, const Cohort& cohort, std::vector<float>& planes,
                        std::vector<std::size_t>& shape) {
  io::NpyArray<float> array = io::read_npy<float>(path);
  if (array.shape.size() != 3 || array.shape[0] != cohort.records.size() || (!shape.empty() && shape != array.shape)) {
    std::string got;
    for (const std::size_t n : array.shape) got += (got.empty() ? "" : ", ") + std::to_string(n);
    throw FileError(message("file.435", path.string(), "expected planes [", cohort.records.size(),
                            ", H, W] as in the other files, got [", got, "]"));
  }
  shape = array.shape;
  const std::size_t size = shape[1] * shape[2];
  for (std::size_t i = 0; i < array.values.size(); ++i)
    if (!std::isfinite(array.values[i]) || array.values[i] < 0)
      throw FileError(message("file.436", path.string(), "record ", cohort.records[i / size].id,
                              ": expected doses >= 0 Gy, got ", array.values[i]));
  planes = std::move(array.values);
}

}  // namespace detail

/// A cohort without its planes. \throws FileError that names file, record and column.
[[nodiscard]] inline Cohort read_cohort_table(const std::filesystem::path& folder) {
  Cohort cohort;
  const std::filesystem::path json = folder / "cohort.json";
  std::ifstream in(json);
  if (!in)
    throw FileError(message("file.401", json.string(), "expected a readable file: is ", folder.string(), " a cohort?"));
  try {
    cohort.about = nlohmann::ordered_json::parse(in);
    if (cohort.about.at("schema") != kCohortSchema)
      throw FileError(message("file.437", json.string(), "expected schema ", kCohortSchema, ", got ",
                              cohort.about.at("schema").dump()));
    cohort.spacing_mm = cohort.about.at("planes").at("spacing_mm");
  } catch (const nlohmann::json::exception& e) {
    throw FileError(message("file.437", json.string(), "expected a cohort's description: ", e.what()));
  }
  detail::read_table(folder / "records.csv", cohort);
  if (cohort.records.empty())
    throw FileError(message("file.433", (folder / "records.csv").string(), "expected records, got none"));
  return cohort;
}

/// Reads a cohort folder and checks it: schema, columns, ids, finite numbers, shapes.
/// \throws FileError that names file, record and column.
[[nodiscard]] inline Cohort read_cohort(const std::filesystem::path& folder) {
  Cohort cohort = read_cohort_table(folder);
  std::vector<std::size_t> shape;
  detail::read_planes(folder / "planned.npy", cohort, cohort.planned, shape);
  detail::read_planes(folder / "measured.npy", cohort, cohort.measured, shape);
  cohort.height = shape[1], cohort.width = shape[2];
  return cohort;
}

}  // namespace equipoise::psqa
