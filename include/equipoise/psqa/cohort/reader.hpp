// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Reading a cohort, and checking it: schema, columns, ids, numbers, shapes.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/io/npy.hpp>
#include <equipoise/io/regular_file.hpp>
#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/criteria.hpp>
#include <equipoise/psqa/files/text_file.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

namespace detail {

/// The cells of a line; after a comma at the very end there is an empty one.
[[nodiscard]] inline std::vector<std::string_view> comma_cells(std::string_view line) {
  std::vector<std::string_view> out = cells_of(line, ',');
  if (line.ends_with(',')) out.emplace_back();
  for (std::string_view& cell : out) cell = unquoted(cell);
  return out;
}

/// The table of a cohort: its header, and what a line says.
class CohortTable {
 public:
  /// \throws FileError when a column is missing
  explicit CohortTable(const std::filesystem::path& path) : file_(path), metric_names_(table_metrics()) {
    if (!file_.lines().empty()) header_ = comma_cells(file_.lines()[0]);
    id_ = column("id"), patient_ = column("patient"), site_ = column("site"), machine_ = column("machine"),
    fault_ = column("fault");
    find_rates();
    for (const std::string& name : metric_names_) metrics_.push_back(column(name));
  }

  [[nodiscard]] const std::vector<std::string>& metric_names() const { return metric_names_; }

  /// \throws FileError that names record and column
  [[nodiscard]] std::vector<CohortRecord> records() const {
    std::vector<CohortRecord> out;
    std::set<std::string> ids;
    for (std::size_t i = 1; i < file_.lines().size(); ++i) {
      if (trimmed(file_.lines()[i]).empty()) continue;
      out.push_back(record(comma_cells(file_.lines()[i])));
      if (!ids.insert(out.back().id).second)
        throw FileError(
            message("file.434", file_.where(), "record ", out.back().id, ": expected ids that differ, got it twice"));
    }
    return out;
  }

 private:
  [[nodiscard]] std::size_t column(std::string_view name) const {
    const auto found = std::find(header_.begin(), header_.end(), name);
    if (found == header_.end())
      throw FileError(message("file.432", file_.where(), "expected a column ", name, ", got none"));
    return static_cast<std::size_t>(found - header_.begin());
  }

  /// A table may lack criteria that its clinic does not measure, but not all.
  void find_rates() {
    std::string names;
    for (std::size_t c = 0; c < kCriteria.size(); ++c) {
      const auto found = std::find(header_.begin(), header_.end(), kCriteria[c].name);
      if (found != header_.end()) rates_[c] = static_cast<std::size_t>(found - header_.begin());
      names += std::string(c == 0 ? "" : ", ") + kCriteria[c].name;
    }
    if (std::none_of(rates_.begin(), rates_.end(), [](const auto& column) { return column.has_value(); }))
      throw FileError(message("file.432", file_.where(), "expected a column of passing rates (", names, "), got none"));
  }

  [[nodiscard]] CohortRecord record(const std::vector<std::string_view>& cells) const {
    if (cells.size() != header_.size())
      throw FileError(message("file.433", file_.where(), "record ", cells[0], ": expected ", header_.size(),
                              " columns, got ", cells.size()));
    const auto text = [&](std::size_t c) { return std::string(cells[c]); };
    CohortRecord r{text(id_), text(patient_), text(site_), text(machine_), text(fault_), {}, {}};
    for (std::size_t c = 0; c < kCriteria.size(); ++c) {
      r.gpr[c] = rates_[c] ? number(r.id, *rates_[c], cells, true) : std::numeric_limits<double>::quiet_NaN();
      if (r.gpr[c] < 0 || r.gpr[c] > 100)
        throw FileError(message("file.433", file_.where(), "record ", r.id, ", column ", kCriteria[c].name,
                                ": expected a passing rate within 0 .. 100 %, got ", r.gpr[c]));
    }
    for (std::size_t m = 0; m < metrics_.size(); ++m)
      r.metrics.push_back(number(r.id, metrics_[m], cells, may_be_undefined(metric_names_[m])));
    return r;
  }

  [[nodiscard]] double number(const std::string& id, std::size_t column, const std::vector<std::string_view>& cells,
                              bool may_miss) const {
    if (cells[column].empty() && may_miss) return std::numeric_limits<double>::quiet_NaN();
    const std::optional<double> value = parse_number(cells[column]);
    if (!value)
      throw FileError(message("file.433", file_.where(), "record ", id, ", column ", header_[column],
                              ": expected a finite number, got \"", cells[column], "\""));
    return *value;
  }

  TextFile file_;
  std::vector<std::string_view> header_;
  std::vector<std::string> metric_names_;
  std::size_t id_ = 0, patient_ = 0, site_ = 0, machine_ = 0, fault_ = 0;
  PerCriterion<std::optional<std::size_t>> rates_;  ///< columns
  std::vector<std::size_t> metrics_;                ///< columns
};

inline void read_planes(const std::filesystem::path& path, const Cohort& cohort, std::vector<float>& planes,
                        std::vector<std::size_t>& shape) {
  io::NpyArray<float> array = io::read_npy<float>(path);
  if (array.shape.size() != 3 || array.shape[0] != cohort.records.size() || (!shape.empty() && shape != array.shape))
    throw FileError(message("file.435", path.string(), "expected planes [", cohort.records.size(),
                            ", H, W] as in the other files, got ", io::detail::shape_text(array.shape)));
  shape = array.shape;
  const std::size_t size = shape[1] * shape[2];
  for (std::size_t i = 0; i < array.values.size(); ++i)
    if (!std::isfinite(array.values[i]) || array.values[i] < 0)
      throw FileError(message("file.436", path.string(), "record ", cohort.records[i / size].id,
                              ": expected doses >= 0 Gy, got ", array.values[i]));
  planes = std::move(array.values);
}

/// What an error adds for a cohort of an older schema.
[[nodiscard]] inline std::string older_planes(const nlohmann::ordered_json& schema) {
  const std::string given = schema.is_string() ? schema.get<std::string>() : "";
  if (!given.starts_with("equipoise.psqa.cohort/") || given >= kCohortSchema) return {};
  return "; composite planes of older cohorts leave out the collimator's angle: make the cohort again with psqa "
         "simulate or psqa import";
}

}  // namespace detail

/// A cohort without its planes. \throws FileError that names file, record and column.
[[nodiscard]] inline Cohort read_cohort_table(const std::filesystem::path& folder) {
  Cohort cohort;
  const std::filesystem::path json = folder / "cohort.json";
  std::ifstream in = io::open_regular(json);
  if (!in)
    throw FileError(message("file.401", json.string(), "expected a readable file: is ", folder.string(), " a cohort?"));
  try {
    cohort.about = nlohmann::ordered_json::parse(in);
    if (cohort.about.at("schema") != kCohortSchema)
      throw FileError(message("file.437", json.string(), "expected schema ", kCohortSchema, ", got ",
                              cohort.about.at("schema").dump(), detail::older_planes(cohort.about.at("schema"))));
    cohort.spacing_mm = cohort.about.at("planes").at("spacing_mm");
  } catch (const nlohmann::json::exception& e) {
    throw FileError(message("file.437", json.string(), "expected a cohort's description: ", e.what()));
  }
  const detail::CohortTable table(folder / "records.csv");
  cohort.metric_names = table.metric_names(), cohort.records = table.records();
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
