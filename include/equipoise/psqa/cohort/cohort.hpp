// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A cohort is a folder: `cohort.json` (schema, units, provenance, seed), `records.csv` (id, patient, site, machine,
/// fault, passing rates, metrics), `planned.npy` and `measured.npy` (float32 [N, H, W], Gy). It is written under a
/// temporary name and renamed when it is whole (cohort_writer.hpp), and checked when it is read (cohort_reader.hpp).

#include <equipoise/core/base/enumeration.hpp>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/random.hpp>
#include <equipoise/core/base/utf8.hpp>
#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/simulator/simulate.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

inline constexpr std::string_view kCohortSchema = "equipoise.psqa.cohort/2";

/// Where an imported cohort says what its simulated deliveries are made with; a simulated cohort says it at the top.
inline constexpr const char* kSimulatedDeliveries = "simulated_deliveries";

/// The metrics that a cohort's table holds and a model sees.
[[nodiscard]] inline const std::vector<std::string>& table_metrics() {
  static const std::vector<std::string> names = {
      "MU",    "PMU",     "MF_MU_per_cGy", "MUCA",     "AAV",        "LSV",          "MCS",      "MCSv",
      "LT_mm", "LTMCS",   "SAS2",          "SAS5",     "SAS10",      "SAS20",        "MAD_mm",   "CLS",
      "CAS",   "ALG_mm",  "SDGAP_mm",      "AFW_mm",   "EFS_mm",     "FSMALL4",      "TGI",      "EAM",
      "CAM",   "EM_mm-1", "PERIM_mm",      "PM",       "PI",         "PA_mm2",       "BAR",      "WMI",
      "FD",    "FMAX",    "FCOV",          "FENT_bit", "FGRAD_mm-1", "FGRAD99_mm-1", "LTSUM_mm", "LTMU_mm_per_MU",
      "NBEAM", "NCP",     "NSEG",          "MUSEG_MU"};
  return names;
}

/// Whether a plan may lack a metric: without a prescription there is no dose per fraction, without jaws no jaw area.
[[nodiscard]] inline bool may_be_undefined(std::string_view metric) {
  return metric == "PMU" || metric == "MF_MU_per_cGy" || metric == "BAR";
}

/// The table's row for a plan; NaN where it lacks a metric. A map without contrast has Webb's index 0 and dimension 2.
/// \throws ValueError for a plan without leaves or MU, or with a metric that is not finite.
[[nodiscard]] inline std::vector<double> table_row(const Plan& plan) {
  const Complexity c = complexity(plan);
  std::vector<double> row;
  for (const std::string& name : table_metrics()) {
    double value = metric(c.plan, name);
    if (std::isnan(value) && (name == "WMI" || name == "FD")) value = name == "FD" ? 2 : 0;
    if (!std::isfinite(value) && !(std::isnan(value) && may_be_undefined(name)))
      throw ValueError(message("value.302", plan.id, "expected apertures that define ", name, ", got none"));
    row.push_back(value);
  }
  return row;
}

/// A name from a file as a cell of records.csv.
[[nodiscard]] inline std::string table_text(const std::string& text) {
  std::string out = as_utf8(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == ',' || c == '"' || c == '\n' || c == '\r'; }, '_');
  return out;
}

/// One line of records.csv.
struct CohortRecord {
  std::string id, patient, site, machine, fault;
  std::array<double, 3> gpr{};  ///< %, NaN where it is not known
  std::vector<double> metrics;  ///< in the order of `Cohort::metric_names`; NaN where the plan lacks one
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

/// What a cohort's table says of one metric, record by record. \throws NameError for one that it does not have
[[nodiscard]] inline std::vector<double> metric_column(const Cohort& cohort, std::string_view name) {
  const auto found = std::find(cohort.metric_names.begin(), cohort.metric_names.end(), name);
  if (found == cohort.metric_names.end()) throw NameError(message("name.307", "cohort", "no metric \"", name, "\""));
  std::vector<double> out;
  for (const CohortRecord& r : cohort.records)
    out.push_back(r.metrics[static_cast<std::size_t>(found - cohort.metric_names.begin())]);
  return out;
}

/// A number that tells cohorts apart: of their records' ids, rates and metrics.
[[nodiscard]] inline std::uint64_t fingerprint(const Cohort& cohort) {
  std::uint64_t h = cohort.records.size();
  for (const CohortRecord& r : cohort.records) {
    h = hash_of({h, hash_of(r.id), hash_of(r.patient)});
    for (const double g : r.gpr) h = hash_of({h, std::isnan(g) ? 0 : std::bit_cast<std::uint64_t>(g)});
    for (const double m : r.metrics) h = hash_of({h, std::isnan(m) ? 0 : std::bit_cast<std::uint64_t>(m)});
  }
  return h;
}

namespace detail {

/// Reads the value of an enumeration that an object of `cohort.json` names under `key`, where it does.
/// \throws ValueError for a name that is none of the enumeration's
template <class E>
void read_choice(const nlohmann::ordered_json& object, const char* key, E& value) {
  const std::string name = object.value(key, std::string(name_of(value)));
  if (equipoise::detail::from_text(name, value)) return;
  const auto names = names_of(value);
  throw ValueError(message("value.331", std::string("cohort.json ") + key, "got \"", name, "\"; ",
                           nearest_name(name, {names.begin(), names.end()})));
}

}  // namespace detail

/// What the records of a cohort's kind are, and what their planned planes are computed with, from its `cohort.json`; what
/// it does not say keeps its default. \throws ValueError for planes that are not square, and for names that are not known
[[nodiscard]] inline CohortSettings plane_settings(const nlohmann::ordered_json& about) {
  CohortSettings s;
  const nlohmann::ordered_json planes = about.value("planes", nlohmann::ordered_json::object()),
                               made = about.value(kSimulatedDeliveries, about);
  s.seed = made.value("seed", s.seed), s.machines = made.value("machines", s.machines);
  s.pixels = planes.value("height", s.pixels);
  if (const std::size_t width = planes.value("width", s.pixels); width != s.pixels)
    throw ValueError(
        message("value.331", "cohort.json planes", "expected square planes, got ", s.pixels, " x ", width));
  s.spacing_mm = planes.value("spacing_mm", s.spacing_mm);
  s.plane.depth_mm = planes.value("depth_mm", s.plane.depth_mm);
  detail::read_choice(planes, "kind", s.plane.kind);
  detail::read_choice(about, "records_of", s.records);
  detail::read_choice(made, "linac_model", s.model);
  // The planning system is tuned to machines that differ from it by the mismatches.
  const nlohmann::ordered_json mismatch = made.value("mismatch", nlohmann::ordered_json::object());
  for (const auto& [key, value] : mismatch.items()) set_option(s.mismatch, key, value.dump(), "cohort.json mismatch");
  return s;
}

}  // namespace equipoise::psqa
