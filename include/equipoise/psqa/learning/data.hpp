// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A cohort as a model sees it, and a model's output as a physicist reads it. Scales are fitted on the training records
/// alone and saved with the run.
///   dose     planned plane, pooled, divided by its own maximum                         [N, 1, h, w]
///   maps     delivery maps, and
///   machine  what is known of the machine: delivery_inputs.hpp
///   metrics  standardised, the skewed ones as logarithms; what is not known is the mean [N, F]
///   gpr      log(1 + 100 - GPR), standardised: the rates crowd below 100               [N, C], C of `kCriteria`
///   dd       (measured - planned) / max planned in %, over its standard deviation;
///            pixels below 10 % of the maximum are not valid                            [N, 1, h, w]

#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/criteria.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/learning/delivery_inputs.hpp>
#include <equipoise/psqa/learning/scaling.hpp>

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise::psqa {

namespace detail {

[[nodiscard]] constexpr RateNumbers ones() {
  RateNumbers out{};
  out.fill(1);
  return out;
}

}  // namespace detail

/// Means and deviations of the training records.
struct Scales {
  std::vector<std::string> metric_names;            ///< [F] none in runs of an older version
  std::vector<double> metric_mean, metric_sd;       ///< [F] after the logarithms, of the values that are known
  RateNumbers gpr_mean{}, gpr_sd = detail::ones();  ///< of log(1 + 100 - GPR); the mean is NaN where no rate is known
  double dd_sd = 1;                                 ///< %
  std::int64_t pool = 2;    ///< pixels of the cohort's planes that make one of the model's, per side
  DeliveryScales delivery;  ///< of the maps and of the machine

  [[nodiscard]] nlohmann::ordered_json to_json() const {
    nlohmann::ordered_json means = nlohmann::ordered_json::array();
    for (const double m : gpr_mean)
      means.push_back(std::isnan(m) ? nlohmann::ordered_json() : nlohmann::ordered_json(m));
    return {{"metric_names", metric_names},
            {"metric_mean", metric_mean},
            {"metric_sd", metric_sd},
            {"gpr_mean", means},
            {"gpr_sd", gpr_sd},
            {"dd_sd", dd_sd},
            {"pool", pool},
            {"delivery", delivery.to_json()}};
  }
  [[nodiscard]] static Scales from_json(const nlohmann::ordered_json& j) {
    Scales s;
    if (j.contains("metric_names")) j.at("metric_names").get_to(s.metric_names);
    j.at("metric_mean").get_to(s.metric_mean), j.at("metric_sd").get_to(s.metric_sd);
    for (std::size_t c = 0; c < kCriteria.size(); ++c) {
      const nlohmann::ordered_json& m = j.at("gpr_mean").at(c);
      s.gpr_mean[c] = m.is_null() ? std::numeric_limits<double>::quiet_NaN() : m.get<double>();
    }
    j.at("gpr_sd").get_to(s.gpr_sd);
    s.dd_sd = j.at("dd_sd"), s.pool = j.at("pool");
    s.delivery = DeliveryScales::from_json(j.at("delivery"));
    return s;
  }
};

namespace detail {

/// Metrics whose logarithm is nearer to normal.
[[nodiscard]] inline bool is_skewed(std::string_view name) {
  for (const std::string_view skewed :
       {"MU", "PMU", "MF_MU_per_cGy", "MUCA", "PA_mm2", "LTSUM_mm", "PI", "LT_mm", "PERIM_mm"})
    if (name == skewed) return true;
  return false;
}

[[nodiscard]] inline double transformed(std::string_view name, double value) {
  return is_skewed(name) ? std::log1p(std::max(value, 0.0)) : value;
}

[[nodiscard]] inline at::Tensor metric_tensor(const std::vector<std::vector<double>>& rows,
                                              const std::vector<std::string>& names, const Scales& s) {
  at::Tensor out = torch::empty({static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(names.size())});
  float* at = out.mutable_data_ptr<float>();
  for (const auto& row : rows)
    for (std::size_t f = 0; f < names.size(); ++f) {
      const double value = (transformed(names[f], row[f]) - s.metric_mean[f]) / s.metric_sd[f];
      *at++ = static_cast<float>(std::isnan(value) ? 0 : value);
    }
  return out;
}

/// A passing rate as the model's target; NaN stays NaN.
[[nodiscard]] inline double scaled_rate(double rate, std::size_t criterion, const Scales& s) {
  return (std::log1p(100 - rate) - s.gpr_mean[criterion]) / s.gpr_sd[criterion];
}

[[nodiscard]] inline at::Tensor normalised_dose(const at::Tensor& planned) {
  return planned / planned.amax({2, 3}, true).clamp_min(1e-6);
}

/// DD in % of the planned maximum, NaN below 10 % of it.
[[nodiscard]] inline at::Tensor dd_map(const at::Tensor& planned, const at::Tensor& measured) {
  const at::Tensor maximum = planned.amax({2, 3}, true).clamp_min(1e-6);
  return ((measured - planned) / maximum * 100)
      .masked_fill(planned < 0.1 * maximum, std::numeric_limits<float>::quiet_NaN());
}

/// One record's map, [1, 1, h, w].
[[nodiscard]] inline at::Tensor dd_of_record(const Cohort& cohort, std::int64_t record, std::int64_t pool) {
  const auto plane = [&](const std::vector<float>& planes) {
    return pooled_planes(cohort.plane(planes, static_cast<std::size_t>(record)), 1,
                         static_cast<std::int64_t>(cohort.height), static_cast<std::int64_t>(cohort.width), pool);
  };
  return dd_map(plane(cohort.planned), plane(cohort.measured));
}

}  // namespace detail

/// The modalities of a batch, in its order.
inline const std::vector<std::string> kModalities = {"dose", "maps", "metrics", "machine"};

namespace detail {

/// Which modalities records of a model with these scales have. [N, 4]
[[nodiscard]] inline at::Tensor presence_of(std::int64_t n, bool maps, bool machine) {
  at::Tensor entries = torch::ones({n, static_cast<std::int64_t>(kModalities.size())}, torch::kBool);
  entries.select(1, 1).fill_(maps), entries.select(1, 3).fill_(machine);
  return entries;
}

}  // namespace detail

/// Fits the scales on some records. \param pool as `PsqaSizes.pool`
/// \param delivery what a model is shown beside the dose plane and the metrics
/// \throws ValueError for a pool that is no part of the planes
[[nodiscard]] inline Scales fit_scales(const Cohort& cohort, std::span<const std::int64_t> records, std::int64_t pool,
                                       const DeliveryRecords& delivery = {}) {
  const auto side = static_cast<std::int64_t>(std::min(cohort.height, cohort.width));
  check_option(pool >= 1 && pool <= side, "PsqaSizes.pool",
               "within 1.." + std::to_string(side) + ", the planes' pixels", pool);
  Scales s;
  s.pool = pool, s.metric_names = cohort.metric_names;
  for (std::size_t f = 0; f < cohort.metric_names.size(); ++f) {
    std::vector<double> x;
    for (const std::int64_t i : records)
      if (const double v = cohort.records[static_cast<std::size_t>(i)].metrics[f]; !std::isnan(v))
        x.push_back(detail::transformed(cohort.metric_names[f], v));
    const auto [mean, sd] = detail::mean_and_sd(x);
    // A metric that no training record has must say nothing of others either.
    s.metric_mean.push_back(mean), s.metric_sd.push_back(x.empty() ? std::numeric_limits<double>::max() : sd);
  }
  for (std::size_t c = 0; c < kCriteria.size(); ++c) {
    std::vector<double> x;
    for (const std::int64_t i : records)
      if (const double g = cohort.records[static_cast<std::size_t>(i)].gpr[c]; !std::isnan(g))
        x.push_back(std::log1p(100 - g));
    const auto [mean, sd] = detail::mean_and_sd(x);
    s.gpr_mean[c] = x.empty() ? std::numeric_limits<double>::quiet_NaN() : mean, s.gpr_sd[c] = sd;
  }
  double squares = 0, n = 0;
  for (const std::int64_t i : records) {
    const at::Tensor dd = detail::dd_of_record(cohort, i, pool);
    squares += dd.square().nansum().item<double>(), n += static_cast<double>(dd.isfinite().sum().item<std::int64_t>());
  }
  s.dd_sd = n > 0 ? std::max(std::sqrt(squares / n), 1e-6) : 1;
  s.delivery = fit_delivery_scales(delivery, cohort, records, pool);
  return s;
}

/// The whole cohort as a named batch; records keep their order, patients are groups. The modalities that the scales were
/// not fitted for are absent.
[[nodiscard]] inline auto learning_batch(const Cohort& cohort, const Scales& s, const DeliveryRecords& delivery = {}) {
  const auto n = static_cast<std::int64_t>(cohort.records.size()), h = static_cast<std::int64_t>(cohort.height),
             w = static_cast<std::int64_t>(cohort.width);
  const at::Tensor planned = pooled_planes(cohort.planned, n, h, w, s.pool),
                   measured = pooled_planes(cohort.measured, n, h, w, s.pool);
  std::vector<std::vector<double>> rows;
  constexpr auto rates = static_cast<std::int64_t>(kCriteria.size());
  at::Tensor gpr = torch::empty({n, rates});
  std::map<std::string, std::int64_t> patients;
  std::vector<std::int64_t> groups;
  for (std::int64_t i = 0; i < n; ++i) {
    const CohortRecord& r = cohort.records[static_cast<std::size_t>(i)];
    rows.push_back(r.metrics);
    for (std::size_t c = 0; c < kCriteria.size(); ++c)
      gpr.mutable_data_ptr<float>()[i * rates + static_cast<std::int64_t>(c)] =
          static_cast<float>(detail::scaled_rate(r.gpr[c], c, s));
    groups.push_back(patients.emplace(r.patient, static_cast<std::int64_t>(patients.size())).first->second);
  }
  return batch(input<"dose">(detail::normalised_dose(planned)),
               input<"maps">(detail::map_input(cohort, delivery, s.delivery, s.pool)),
               input<"metrics">(detail::metric_tensor(rows, cohort.metric_names, s)),
               input<"machine">(detail::machine_input(cohort, s.delivery)), target<"gpr">(Values{gpr}),
               target<"dd">(Maps{detail::dd_map(planned, measured) / s.dd_sd}))
      .with_groups(groups)
      .with_presence(detail::presence_of(n, delivery.maps && !s.delivery.channels.empty(), s.delivery.has_machine));
}

/// A plan's inputs alone: its planned plane (Gy), its metrics and, where they are known, its delivery maps, machine and
/// site. A plan without a machine's name has the modality `machine` as one that training never saw.
[[nodiscard]] inline auto plan_batch(const DoseGrid& planned, const std::vector<double>& metrics, const Scales& s,
                                     const PlanDelivery& delivery = {}) {
  const std::vector<float> plane(planned.values.begin(), planned.values.end());
  const std::size_t h = planned.shape[1], w = planned.shape[2], channels = s.delivery.channels.size();
  const at::Tensor dose = pooled_planes(plane, 1, static_cast<std::int64_t>(h), static_cast<std::int64_t>(w), s.pool);
  const bool maps = channels > 0 && delivery.maps.size() == channels * h * w;
  const at::Tensor norm = torch::tensor(s.delivery.channel_norm, torch::kFloat).view({1, -1, 1, 1});
  return batch(input<"dose">(detail::normalised_dose(dose)),
               input<"maps">(maps ? detail::pooled_maps(delivery.maps, channels, h, w, s.pool) / norm
                                  : torch::zeros({1, 1, 1, 1})),
               input<"metrics">(detail::metric_tensor({metrics}, table_metrics(), s)),
               input<"machine">(s.delivery.has_machine ? detail::tensor_of_rows({detail::machine_row(
                                                             delivery.machine, delivery.site, s.delivery)})
                                                       : torch::zeros({1, 1})))
      .with_presence(detail::presence_of(1, maps, s.delivery.has_machine));
}

/// Passing rates in % from the model's output [N, C]: within [0, 100], and a looser criterion never passes less. NaN
/// where no training record has a rate.
[[nodiscard]] inline std::vector<RateNumbers> to_rates(const at::Tensor& output, const Scales& s) {
  const at::Tensor host = host_copy(output).to(torch::kDouble);
  std::vector<RateNumbers> out;
  for (std::int64_t i = 0; i < host.size(0); ++i) {
    RateNumbers g{};
    for (std::size_t c = 0; c < kCriteria.size(); ++c)
      g[c] = std::clamp(
          101 - std::exp(host.const_data_ptr<double>()[i * host.size(1) + static_cast<std::int64_t>(c)] * s.gpr_sd[c] +
                         s.gpr_mean[c]),
          0.0, 100.0);
    for (std::size_t c = 1; c < kCriteria.size(); ++c)
      for (std::size_t looser = 0; looser < c; ++looser)
        if (is_looser(kCriteria[looser], kCriteria[c])) g[c] = std::min(g[c], g[looser]);
    out.push_back(g);
  }
  return out;
}

}  // namespace equipoise::psqa
