// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A cohort is a folder: `cohort.json` (schema, units, provenance, seed), `records.csv` (id, patient, site, machine,
/// fault, passing rates, metrics), `planned.npy` and `measured.npy` (float32 [N, H, W], Gy). It is written under a
/// temporary name and renamed when it is whole.

#include <equipoise/core/errors.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/io/npy.hpp>
#include <equipoise/psqa/complexity.hpp>
#include <equipoise/psqa/simulate.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace equipoise::psqa {

inline constexpr std::string_view kCohortSchema = "equipoise.psqa.cohort/1";

/// The metrics that a cohort's table holds and a model sees.
[[nodiscard]] inline const std::vector<std::string>& table_metrics() {
  static const std::vector<std::string> names = {"MU",
                                                 "MUCA",
                                                 "AAV",
                                                 "LSV",
                                                 "MCS",
                                                 "MCSv",
                                                 "LT_mm",
                                                 "LTMCS",
                                                 "SAS2",
                                                 "SAS5",
                                                 "SAS10",
                                                 "SAS20",
                                                 "MAD_mm",
                                                 "CLS",
                                                 "CAS",
                                                 "ALG_mm",
                                                 "SDGAP_mm",
                                                 "AFW_mm",
                                                 "EFS_mm",
                                                 "FSMALL4",
                                                 "TGI",
                                                 "EAM",
                                                 "CAM",
                                                 "EM_mm-1",
                                                 "PERIM_mm",
                                                 "PM",
                                                 "PI",
                                                 "PA_mm2",
                                                 "WMI",
                                                 "FD",
                                                 "FMAX",
                                                 "FCOV",
                                                 "FENT_bit",
                                                 "FGRAD_mm-1",
                                                 "FGRAD99_mm-1",
                                                 "LTSUM_mm",
                                                 "LTMU_mm_per_MU",
                                                 "NBEAM",
                                                 "NCP",
                                                 "NSEG",
                                                 "MUSEG_MU"};
  return names;
}

/// The table's row for a plan. A map without contrast has Webb's index 0 and dimension 2.
/// \throws ValueError for a plan without leaves or MU, or with a metric that is not finite.
[[nodiscard]] inline std::vector<double> table_row(const Plan& plan) {
  const Complexity c = complexity(plan);
  std::vector<double> row;
  for (const std::string& name : table_metrics()) {
    double value = metric(c.plan, name);
    if (std::isnan(value) && (name == "WMI" || name == "FD")) value = name == "FD" ? 2 : 0;
    if (!std::isfinite(value))
      throw ValueError(message("value.302", plan.id, "expected apertures that define ", name, ", got none"));
    row.push_back(value);
  }
  return row;
}

/// One line of records.csv.
struct CohortRecord {
  std::string id, patient, site, machine, fault;
  std::array<double, 3> gpr{};  ///< %, NaN where it is not known
  std::vector<double> metrics;  ///< in the order of `Cohort::metric_names`
};

struct Cohort {
  nlohmann::ordered_json about;  ///< cohort.json
  std::vector<std::string> metric_names;
  std::vector<CohortRecord> records;
  std::size_t height = 0, width = 0;
  double spacing_mm = 0;
  std::vector<float> planned, measured;  ///< [N * H * W] Gy

  [[nodiscard]] std::span<const float> plane(const std::vector<float>& planes, std::size_t i) const {
    return std::span(planes).subspan(i * height * width, height * width);
  }
};

namespace detail {

[[nodiscard]] inline nlohmann::ordered_json cohort_about(const CohortSettings& s, std::int64_t records) {
  nlohmann::ordered_json mismatch;
  for (const auto& [key, value] : options(s.mismatch)) mismatch[key] = std::strtod(value.c_str(), nullptr);
  return {{"schema", kCohortSchema},
          {"provenance", "simulated"},
          {"records", records},
          {"seed", s.seed},
          {"machines", s.machines},
          {"planes",
           {{"height", s.pixels},
            {"width", s.pixels},
            {"spacing_mm", s.spacing_mm},
            {"unit", "Gy per fraction"},
            {"geometry", "composite, all fields at one angle"},
            {"depth_mm", s.depth_mm}}},
          {"linac_model", names_of(s.model)[static_cast<std::size_t>(s.model)]},
          {"outlines", s.outlines.empty() ? "random" : "real"},
          {"detector", names_of(s.detector)[static_cast<std::size_t>(s.detector)]},
          {"techniques",
           {{"sliding_window", s.techniques[0]}, {"step_and_shoot", s.techniques[1]}, {"arc", s.techniques[2]}}},
          {"gamma",
           {{"reference", "measured"},
            {"evaluated", "planned"},
            {"norm", "maximum of planned"},
            {"cutoff_percent", 10},
            {"search", "exact minimum"}}},
          {"mismatch", mismatch}};
}

[[nodiscard]] inline std::vector<std::string> split_line(const std::string& line) {
  std::vector<std::string> out;
  std::istringstream in(line);
  for (std::string cell; std::getline(in, cell, ',');) out.push_back(cell);
  if (!line.empty() && line.back() == ',') out.emplace_back();
  return out;
}

[[nodiscard]] inline std::string csv_line(const CohortRecord& r) {
  std::ostringstream out;
  out.precision(10);
  out << r.id << ',' << r.patient << ',' << r.site << ',' << r.machine << ',' << r.fault;
  for (const double g : r.gpr)
    out << ',' << (std::isnan(g) ? "" : (std::ostringstream{} << std::setprecision(10) << g).str());
  for (const double m : r.metrics) out << ',' << m;
  out << '\n';
  return std::move(out).str();
}

}  // namespace detail

/// Writes a cohort record by record, so that memory does not grow with it. Nothing appears under `folder` before
/// `commit`.
class CohortWriter {
 public:
  /// \throws FileError when the folder exists or cannot be made.
  CohortWriter(std::filesystem::path folder, nlohmann::ordered_json about, std::size_t records, std::size_t height,
               std::size_t width, std::vector<std::string> metrics)
      : folder_(std::move(folder)), temporary_(folder_.string() + ".part"), about_(std::move(about)) {
    if (std::filesystem::exists(folder_))
      throw FileError(message("file.431", folder_.string(), "expected a new folder, got one that exists"));
    std::error_code error;
    std::filesystem::remove_all(temporary_, error);
    if (!std::filesystem::create_directories(temporary_, error))
      throw FileError(message("file.403", folder_.string(), "cannot be created: ", error.message()));
    planned_.emplace(temporary_ / "planned.npy", std::vector{records, height, width});
    measured_.emplace(temporary_ / "measured.npy", std::vector{records, height, width});
    table_.emplace(temporary_ / "records.csv");
    std::string header = "id,patient,site,machine,fault";
    for (const NamedCriteria& c : kCriteria) header += std::string(",") + c.name;
    for (const std::string& m : metrics) header += "," + m;
    table_->write(header + "\n");
  }
  CohortWriter(const CohortWriter&) = delete;
  CohortWriter& operator=(const CohortWriter&) = delete;
  ~CohortWriter() {
    planned_.reset(), measured_.reset(), table_.reset();
    std::error_code error;
    std::filesystem::remove_all(temporary_, error);
  }

  void append(const CohortRecord& record, const DoseGrid& planned, const DoseGrid& measured) {
    planned_->append(std::vector<float>(planned.values.begin(), planned.values.end()));
    measured_->append(std::vector<float>(measured.values.begin(), measured.values.end()));
    table_->write(detail::csv_line(record));
  }

  void commit() {
    planned_->commit(), measured_->commit(), table_->commit();
    io::AtomicFile json(temporary_ / "cohort.json");
    json.write(about_.dump(2) + "\n");
    json.commit();
    std::error_code error;
    std::filesystem::rename(temporary_, folder_, error);
    if (error) throw FileError(message("file.403", folder_.string(), "cannot be renamed: ", error.message()));
  }

 private:
  std::filesystem::path folder_, temporary_;
  nlohmann::ordered_json about_;
  std::optional<io::NpyWriter<float>> planned_, measured_;
  std::optional<io::AtomicFile> table_;
};

/// Makes a cohort folder. `told(done, all)` is called after each record, in order, and may throw to stop; nothing is left
/// then. \param threads 0: as many as the machine has; the records do not depend on it
template <class Told>
void simulate_cohort(const CohortSettings& settings, const std::filesystem::path& folder, Told&& told,
                     unsigned threads = 1) {
  CohortWriter writer(folder, detail::cohort_about(settings, settings.plans), static_cast<std::size_t>(settings.plans),
                      settings.pixels, settings.pixels, table_metrics());
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  // Each thread has a simulator of its own: the transforms keep state.
  std::vector<Simulator> simulators(threads, Simulator(settings));
  struct Made {
    Record record;
    std::vector<double> row;
  };
  std::vector<Made> made(8 * threads);
  for (std::int64_t first = 0; first < settings.plans; first += static_cast<std::int64_t>(made.size())) {
    const auto n = static_cast<std::size_t>(
        std::min<std::int64_t>(settings.plans - first, static_cast<std::int64_t>(made.size())));
    detail::parallel_for(threads, threads, [&](std::size_t t) {
      for (std::size_t i = t; i < n; i += threads) {
        made[i].record = simulators[t].record(first + static_cast<std::int64_t>(i));
        made[i].row = table_row(made[i].record.plan);
      }
    });
    for (std::size_t i = 0; i < n; ++i) {
      const Record& r = made[i].record;
      writer.append({r.plan.id, r.plan.patient, r.plan.site, r.machine, r.fault, r.gpr, made[i].row}, r.planned,
                    r.measured);
      told(first + static_cast<std::int64_t>(i) + 1, settings.plans);
    }
  }
  writer.commit();
}

namespace detail {

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
    for (std::size_t c = 0; c < kCriteria.size(); ++c) r.gpr[c] = number(kCriteria[c].name, true);
    for (const std::string& name : cohort.metric_names) r.metrics.push_back(number(name, false));
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

/// Reads a cohort folder and checks it: schema, columns, ids, finite numbers, shapes.
/// \throws FileError that names file, record and column.
[[nodiscard]] inline Cohort read_cohort(const std::filesystem::path& folder) {
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
  std::vector<std::size_t> shape;
  detail::read_planes(folder / "planned.npy", cohort, cohort.planned, shape);
  detail::read_planes(folder / "measured.npy", cohort, cohort.measured, shape);
  cohort.height = shape[1], cohort.width = shape[2];
  return cohort;
}

}  // namespace equipoise::psqa
