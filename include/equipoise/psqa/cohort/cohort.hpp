// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A cohort is a folder: `cohort.json` (schema, units, provenance, seed), `records.csv` (id,
/// patient, site, machine, fault, passing rates, metrics), `planned.npy` and `measured.npy`
/// (float32 [N, H, W], Gy). Optional are delivery maps (delivery_maps.hpp) and `machines.csv`
/// (machines.hpp). It is written under a temporary name and renamed when it is whole (writer.hpp),
/// and checked when it is read (reader.hpp).

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/random.hpp>

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
#include <vector>

namespace equipoise::psqa {

inline constexpr std::string_view kCohortSchema = "equipoise.psqa.cohort/3";

/// The key under which an imported cohort holds the settings of its simulated deliveries. A
/// simulated cohort holds them at the top level.
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

/// Whether a plan may lack a metric: without a prescription there is no dose per fraction, without
/// jaws no jaw area.
[[nodiscard]] inline bool may_be_undefined(std::string_view metric) {
  return metric == "PMU" || metric == "MF_MU_per_cGy" || metric == "BAR";
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

/// One metric of all records. \throws NameError when the table does not have it
[[nodiscard]] inline std::vector<double> metric_column(const Cohort& cohort, std::string_view name) {
  const auto found = std::find(cohort.metric_names.begin(), cohort.metric_names.end(), name);
  if (found == cohort.metric_names.end()) throw NameError(message("name.307", "cohort", "no metric \"", name, "\""));
  std::vector<double> out;
  for (const CohortRecord& r : cohort.records)
    out.push_back(r.metrics[static_cast<std::size_t>(found - cohort.metric_names.begin())]);
  return out;
}

/// A hash of the records' ids, rates and metrics, to recognise a cohort.
[[nodiscard]] inline std::uint64_t fingerprint(const Cohort& cohort) {
  std::uint64_t h = cohort.records.size();
  for (const CohortRecord& r : cohort.records) {
    h = hash_of({h, hash_of(r.id), hash_of(r.patient)});
    for (const double g : r.gpr) h = hash_of({h, std::isnan(g) ? 0 : std::bit_cast<std::uint64_t>(g)});
    for (const double m : r.metrics) h = hash_of({h, std::isnan(m) ? 0 : std::bit_cast<std::uint64_t>(m)});
  }
  return h;
}

}  // namespace equipoise::psqa
