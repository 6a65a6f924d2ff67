// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Writing a cohort: record by record, so that memory does not grow with it, and whole or not at all.

#include <equipoise/core/base/enumeration.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/io/npy.hpp>
#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/files/text_file.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <locale>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace equipoise::psqa {

namespace detail {

[[nodiscard]] inline nlohmann::ordered_json cohort_about(const CohortSettings& s) {
  nlohmann::ordered_json mismatch;
  for (const auto& [key, value] : options(s.mismatch)) mismatch[key] = to_number(value).value_or(0);
  return {{"schema", kCohortSchema},
          {"provenance", "simulated"},
          {"records", 0},
          {"plans", s.plans},
          {"records_of", name_of(s.records)},
          {"seed", s.seed},
          {"machines", s.machines},
          {"planes",
           {{"height", s.pixels},
            {"width", s.pixels},
            {"spacing_mm", s.spacing_mm},
            {"unit", "Gy per fraction"},
            {"geometry", s.records == RecordsOf::fields ? "one field" : "composite, all fields at one angle"},
            {"kind", name_of(s.plane.kind)},
            {"depth_mm", s.plane.depth_mm}}},
          {"linac_model", name_of(s.model)},
          {"outlines", s.outlines.empty() ? "random" : "real"},
          {"plans_from_files", s.real_plans.size()},
          {"detector", name_of(s.detector)},
          {"techniques",
           {{"sliding_window", s.techniques[0]}, {"step_and_shoot", s.techniques[1]}, {"arc", s.techniques[2]}}},
          {"gamma",
           {{"rates", s.records == RecordsOf::fields ? "of the record's field" : name_of(s.rates)},
            {"reference", "measured"},
            {"evaluated", "planned"},
            {"norm", "maximum of planned"},
            {"cutoff_percent", 10},
            {"search", "exact minimum"}}},
          {"mismatch", mismatch}};
}

/// What `cohort.json` says of how deliveries are simulated and planes computed, also that of an imported cohort.
[[nodiscard]] inline nlohmann::ordered_json delivery_about(const CohortSettings& s) {
  nlohmann::ordered_json out, about = cohort_about(s);
  for (const char* key : {"seed", "machines", "planes", "linac_model", "detector", "mismatch"}) out[key] = about[key];
  return out;
}

[[nodiscard]] inline std::string csv_line(const CohortRecord& r) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out.precision(10);
  out << r.id << ',' << r.patient << ',' << r.site << ',' << r.machine << ',' << r.fault;
  const auto cell = [&](double v) {
    out << ',';
    if (!std::isnan(v)) out << v;
  };
  for (const double g : r.gpr) cell(g);
  for (const double m : r.metrics) cell(m);
  out << '\n';
  return std::move(out).str();
}

}  // namespace detail

/// Writes a cohort record by record, so that memory does not grow with it. Nothing appears under `folder` before
/// `commit`.
class CohortWriter {
 public:
  /// \throws FileError when the folder exists or cannot be made.
  /// \param about its "records" is their number, set at the end
  CohortWriter(std::filesystem::path folder, nlohmann::ordered_json about, std::size_t height, std::size_t width,
               std::vector<std::string> metrics)
      : folder_((std::move(folder) / "").parent_path()),  // the same with a slash at its end
        temporary_(folder_.string() + ".part"),
        about_(std::move(about)) {
    if (std::filesystem::exists(folder_))
      throw FileError(message("file.431", folder_.string(), "expected a new folder, got one that exists"));
    std::error_code error;
    std::filesystem::remove_all(temporary_, error);
    if (!std::filesystem::create_directories(temporary_, error))
      throw FileError(message("file.403", folder_.string(), "cannot be created: ", error.message()));
    planned_.emplace(temporary_ / "planned.npy", std::vector{height, width});
    measured_.emplace(temporary_ / "measured.npy", std::vector{height, width});
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

  /// \param planned, measured [H, W] Gy per fraction  \throws FileError when they cannot be written
  void append(const CohortRecord& record, const DoseGrid& planned, const DoseGrid& measured) {
    planned_->append(std::vector<float>(planned.values.begin(), planned.values.end()));
    measured_->append(std::vector<float>(measured.values.begin(), measured.values.end()));
    table_->write(detail::csv_line(record));
    ++records_;
  }

  /// Gives the folder its name. \throws FileError
  void commit() {
    planned_->commit(), measured_->commit(), table_->commit();
    about_["records"] = records_;
    io::AtomicFile json(temporary_ / "cohort.json");
    json.write(about_.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
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
  std::size_t records_ = 0;
};

/// Makes a cohort folder. `on_record(plan, all, record)` is called after each record, in order, with how many plans there are
/// now and will be; it may throw to stop, and nothing is left then. \param threads 0: as many as the machine has; the
/// records do not depend on it
template <class OnRecord>
void simulate_cohort(const CohortSettings& settings, const std::filesystem::path& folder, OnRecord&& on_record,
                     unsigned threads = 1) {
  CohortWriter writer(folder, detail::cohort_about(settings), settings.pixels, settings.pixels, table_metrics());
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  // Each thread has a simulator of its own: the transforms keep state.
  std::vector<Simulator> simulators(threads, Simulator(settings));
  struct Made {
    Record record;
    std::vector<double> row;
  };
  std::vector<std::vector<Made>> made(8 * threads);  // of each plan
  for (std::int64_t first = 0; first < settings.plans; first += static_cast<std::int64_t>(made.size())) {
    const auto n = static_cast<std::size_t>(
        std::min<std::int64_t>(settings.plans - first, static_cast<std::int64_t>(made.size())));
    detail::parallel_for(threads, threads, [&](std::size_t t) {
      for (std::size_t i = t; i < n; i += threads) {
        made[i].clear();
        for (Record& r : simulators[t].records(first + static_cast<std::int64_t>(i))) {
          std::vector<double> row = table_row(r.plan);
          made[i].push_back({std::move(r), std::move(row)});
        }
      }
    });
    for (std::size_t i = 0; i < n; ++i)
      for (const auto& [r, row] : made[i]) {
        writer.append({r.plan.id, r.plan.patient, r.plan.site, r.machine, r.fault, r.gpr, row}, r.planned, r.measured);
        on_record(first + static_cast<std::int64_t>(i) + 1, settings.plans, r);
      }
  }
  writer.commit();
}

}  // namespace equipoise::psqa
