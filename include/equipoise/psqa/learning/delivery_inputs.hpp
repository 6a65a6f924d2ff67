// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a clinic knows of a delivery beside the dose plane and the metrics, as inputs of a model.
/// The scales are fitted on the training records and saved with the run.
///
///   maps     delivery maps, pooled as the planes, each channel over its root mean square [N, C, h, w]
///   machine  figures of monthly quality assurance, standardised; then one column for each machine
///            and for each site of the training records, 1 where the record is of it    [N, F]
///
/// A figure that was not measured counts as the mean. A machine or site that training never saw has
/// zeros in all columns of its kind.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/cohort/delivery_maps.hpp>
#include <equipoise/psqa/cohort/machines.hpp>
#include <equipoise/psqa/learning/scaling.hpp>

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// The delivery maps and the machines of a cohort, as far as a model is shown them.
struct DeliveryRecords {
  std::optional<CohortMaps> maps;
  std::optional<MachineTable> machines;
};

/// Opens what the modalities `maps` and `machine` need. A cohort without `machines.csv` still has
/// its machines' names. \throws FileError when the cohort holds no maps and they are asked for
[[nodiscard]] inline DeliveryRecords delivery_records(const std::filesystem::path& folder, const Cohort& cohort,
                                                      bool maps, bool machine) {
  DeliveryRecords out;
  if (maps) out.maps.emplace(folder, cohort);
  if (machine)
    out.machines =
        std::filesystem::exists(folder / kMachinesFile) ? read_machines(folder / kMachinesFile) : MachineTable{};
  return out;
}

/// Scales of the inputs `maps` and `machine`. Without channels there is no input `maps`.
struct DeliveryScales {
  std::vector<std::string> channels;  ///< of the maps
  std::vector<double> channel_norm;   ///< [C] root mean square of the training records
  bool has_machine = false;
  std::vector<MachineQa> qa;                 ///< all lines of machines.csv
  std::vector<double> qa_mean, qa_sd;        ///< [kMachineFigures] over the training records
  std::vector<std::string> machines, sites;  ///< of the training records, in the columns' order

  /// Columns of the input `machine`.
  [[nodiscard]] std::int64_t columns() const {
    return has_machine ? static_cast<std::int64_t>(kMachineFigures + machines.size() + sites.size()) : 0;
  }

  [[nodiscard]] nlohmann::ordered_json to_json() const {
    nlohmann::ordered_json lines = nlohmann::ordered_json::array();
    for (const MachineQa& m : qa) {
      nlohmann::ordered_json figures = nlohmann::ordered_json::array();
      for (const double f : m.figures)
        figures.push_back(std::isnan(f) ? nlohmann::ordered_json() : nlohmann::ordered_json(f));
      lines.push_back({{"machine", m.machine}, {"clinic", m.clinic}, {"figures", figures}});
    }
    return {{"channels", channels},       {"channel_norm", channel_norm},
            {"has_machine", has_machine}, {"qa", lines},
            {"qa_mean", qa_mean},         {"qa_sd", qa_sd},
            {"machines", machines},       {"sites", sites}};
  }
  [[nodiscard]] static DeliveryScales from_json(const nlohmann::ordered_json& j) {
    DeliveryScales s;
    j.at("channels").get_to(s.channels), j.at("channel_norm").get_to(s.channel_norm);
    j.at("has_machine").get_to(s.has_machine);
    j.at("qa_mean").get_to(s.qa_mean), j.at("qa_sd").get_to(s.qa_sd);
    j.at("machines").get_to(s.machines), j.at("sites").get_to(s.sites);
    for (const nlohmann::ordered_json& line : j.at("qa")) {
      MachineQa& m = s.qa.emplace_back();
      line.at("machine").get_to(m.machine), line.at("clinic").get_to(m.clinic);
      for (std::size_t f = 0; f < kMachineFigures; ++f)
        if (const auto& value = line.at("figures").at(f); !value.is_null()) m.figures[f] = value;
    }
    return s;
  }
};

namespace detail {

/// A record's maps at the model's resolution, [1, C, h, w].
[[nodiscard]] inline at::Tensor pooled_maps(std::span<const float> maps, std::size_t channels, std::size_t h,
                                            std::size_t w, std::int64_t pool) {
  const at::Tensor planes = pooled_planes(maps, static_cast<std::int64_t>(channels), static_cast<std::int64_t>(h),
                                          static_cast<std::int64_t>(w), pool);
  return planes.transpose(0, 1).contiguous();
}

/// The names that records have in a column, sorted.
template <class Column>
[[nodiscard]] std::vector<std::string> names_in(const Cohort& cohort, std::span<const std::int64_t> records,
                                                Column column) {
  std::set<std::string> names;
  for (const std::int64_t i : records) names.insert(cohort.records[static_cast<std::size_t>(i)].*column);
  names.erase("");  // not known
  return {names.begin(), names.end()};
}

inline void fit_maps(const CohortMaps& maps, const Cohort& cohort, std::span<const std::int64_t> records,
                     std::int64_t pool, DeliveryScales& s) {
  for (const NamedChannel& channel : maps.channels()) s.channels.push_back(channel.name);
  at::Tensor squares = torch::zeros({static_cast<std::int64_t>(s.channels.size())}, torch::kDouble);
  for (const std::int64_t i : records)
    squares +=
        pooled_maps(maps.record(static_cast<std::size_t>(i)), s.channels.size(), cohort.height, cohort.width, pool)
            .to(torch::kDouble)
            .square()
            .mean({0, 2, 3});
  const at::Tensor norm = (squares / static_cast<double>(std::max<std::size_t>(records.size(), 1))).sqrt();
  for (std::int64_t c = 0; c < norm.size(0); ++c) s.channel_norm.push_back(std::max(norm[c].item<double>(), 1e-6));
}

inline void fit_machines(const MachineTable& table, const Cohort& cohort, std::span<const std::int64_t> records,
                         DeliveryScales& s) {
  s.has_machine = true, s.qa = table.machines;
  s.machines = names_in(cohort, records, &CohortRecord::machine);
  s.sites = names_in(cohort, records, &CohortRecord::site);
  for (std::size_t f = 0; f < kMachineFigures; ++f) {
    std::vector<double> x;
    for (const std::int64_t i : records)
      if (const MachineQa* m = table.find(cohort.records[static_cast<std::size_t>(i)].machine);
          m && !std::isnan(m->figures[f]))
        x.push_back(m->figures[f]);
    const auto [mean, sd] = mean_and_sd(x);
    s.qa_mean.push_back(mean), s.qa_sd.push_back(sd);
  }
}

/// A row of the input `machine`.
[[nodiscard]] inline std::vector<float> machine_row(std::string_view machine, std::string_view site,
                                                    const DeliveryScales& s) {
  const auto known = std::find_if(s.qa.begin(), s.qa.end(), [&](const MachineQa& m) { return m.machine == machine; });
  std::vector<float> row;
  for (std::size_t f = 0; f < kMachineFigures; ++f) {
    const double value = known == s.qa.end() ? std::numeric_limits<double>::quiet_NaN()
                                             : (known->figures[f] - s.qa_mean[f]) / s.qa_sd[f];
    row.push_back(static_cast<float>(std::isnan(value) ? 0 : value));
  }
  for (const std::string& name : s.machines) row.push_back(name == machine ? 1 : 0);
  for (const std::string& name : s.sites) row.push_back(name == site ? 1 : 0);
  return row;
}

[[nodiscard]] inline at::Tensor tensor_of_rows(const std::vector<std::vector<float>>& rows) {
  at::Tensor out = torch::empty({static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(rows.at(0).size())});
  float* at = out.mutable_data_ptr<float>();
  for (const std::vector<float>& row : rows) at = std::copy(row.begin(), row.end(), at);
  return out;
}

/// The input `maps` of all records; of none, one pixel of zeros without memory of its own.
[[nodiscard]] inline at::Tensor map_input(const Cohort& cohort, const DeliveryRecords& from, const DeliveryScales& s,
                                          std::int64_t pool) {
  const auto n = static_cast<std::int64_t>(cohort.records.size());
  if (!from.maps || s.channels.empty()) return torch::zeros({1, 1, 1, 1}).expand({n, 1, 1, 1});
  const auto same = [](const NamedChannel& channel, const std::string& name) { return channel.name == name; };
  if (!std::ranges::equal(from.maps->channels(), s.channels, same))
    throw FileError(message("file.437", kDeliveryMapsFile, "expected the ", s.channels.size(),
                            " channels of the maps that the model was trained with, got others"));
  const at::Tensor norm = torch::tensor(s.channel_norm, torch::kFloat).view({1, -1, 1, 1});
  at::Tensor out;
  for (std::int64_t i = 0; i < n; ++i) {
    const at::Tensor one = pooled_maps(from.maps->record(static_cast<std::size_t>(i)), s.channels.size(), cohort.height,
                                       cohort.width, pool);
    if (!out.defined()) out = torch::empty({n, one.size(1), one.size(2), one.size(3)});
    out[i] = (one / norm)[0];
  }
  return out;
}

/// The input `machine` of all records; of a model without, one column of zeros.
[[nodiscard]] inline at::Tensor machine_input(const Cohort& cohort, const DeliveryScales& s) {
  if (!s.has_machine) return torch::zeros({1, 1}).expand({static_cast<std::int64_t>(cohort.records.size()), 1});
  std::vector<std::vector<float>> rows;
  for (const CohortRecord& r : cohort.records) rows.push_back(machine_row(r.machine, r.site, s));
  return tensor_of_rows(rows);
}

}  // namespace detail

/// Fits the scales on some records. \param pool as `PsqaSizes.pool`
[[nodiscard]] inline DeliveryScales fit_delivery_scales(const DeliveryRecords& from, const Cohort& cohort,
                                                        std::span<const std::int64_t> records, std::int64_t pool) {
  DeliveryScales s;
  if (from.maps) detail::fit_maps(*from.maps, cohort, records, pool, s);
  if (from.machines) detail::fit_machines(*from.machines, cohort, records, s);
  return s;
}

/// What is known of one plan's delivery.
struct PlanDelivery {
  std::vector<float> maps;    ///< [C * H * W]; empty where they are not known
  std::string machine, site;  ///< empty where they are not known
};

}  // namespace equipoise::psqa
