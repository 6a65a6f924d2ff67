// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The noise ceiling: how far repeated deliveries of one plan differ. No model can predict better.

#include <equipoise/core/base/statistics.hpp>
#include <equipoise/psqa/criteria.hpp>
#include <equipoise/psqa/simulator/plan_loop.hpp>
#include <equipoise/psqa/simulator/settings.hpp>
#include <equipoise/psqa/simulator/simulator.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace equipoise::psqa {

/// How well the rates of one delivery predict those of another: mean absolute difference from the record's mean over
/// repeated deliveries, in points. \param plans how many of the cohort's, \param deliveries of each
[[nodiscard]] inline RateNumbers noise_ceiling(const CohortSettings& settings, std::int64_t plans,
                                               std::uint64_t deliveries, unsigned threads = 1) {
  struct Sums {
    RateNumbers differences{};
    double records = 0;
  };
  const auto sums_of = [&](Simulator& simulator, std::int64_t plan) {
    std::vector<std::vector<RateNumbers>> rates;  // [record][delivery]
    for (std::uint64_t d = 0; d < deliveries; ++d) {
      const std::vector<Record> records = simulator.records(plan, d);
      rates.resize(records.size());
      for (std::size_t r = 0; r < records.size(); ++r) rates[r].push_back(records[r].gpr);
    }
    Sums out;
    out.records = static_cast<double>(rates.size());
    for (const auto& of_record : rates)
      for (std::size_t c = 0; c < kCriteria.size(); ++c) {
        std::vector<double> x;
        for (const auto& r : of_record) x.push_back(r[c]);
        const double centre = mean(x);
        for (double& v : x) v = std::abs(v - centre);
        out.differences[c] += mean(x);
      }
    return out;
  };
  std::vector<Sums> of_plan;
  for_each_plan(settings, plans, threads, 2, sums_of, [&](std::int64_t, const Sums& sums) { of_plan.push_back(sums); });
  RateNumbers out{};
  double records = 0;
  for (const Sums& p : of_plan) records += p.records;
  for (const Sums& p : of_plan)
    for (std::size_t c = 0; c < kCriteria.size(); ++c) out[c] += p.differences[c] / records;
  return out;
}

}  // namespace equipoise::psqa
