// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The noise ceiling: how far repeated deliveries of one plan differ. No model can predict better.

#include <equipoise/core/base/parallel.hpp>
#include <equipoise/core/base/statistics.hpp>
#include <equipoise/psqa/simulator/settings.hpp>
#include <equipoise/psqa/simulator/simulator.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace equipoise::psqa {

/// How well the rates of one delivery predict those of another: mean absolute difference from the record's mean over
/// repeated deliveries, in points. \param plans how many of the cohort's, \param deliveries of each
[[nodiscard]] inline std::array<double, 3> noise_ceiling(const CohortSettings& settings, std::int64_t plans,
                                                         std::uint64_t deliveries, unsigned threads = 1) {
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  std::vector<Simulator> simulators(threads, Simulator(settings));
  struct Sums {
    std::array<double, 3> differences{};
    double records = 0;
  };
  std::vector<Sums> of_plan(static_cast<std::size_t>(plans));
  parallel_for(threads, threads, [&](std::size_t t) {
    for (std::size_t i = t; i < of_plan.size(); i += threads) {
      std::vector<std::vector<std::array<double, 3>>> rates;  // [record][delivery]
      for (std::uint64_t d = 0; d < deliveries; ++d) {
        const std::vector<Record> records = simulators[t].records(static_cast<std::int64_t>(i), d);
        rates.resize(records.size());
        for (std::size_t r = 0; r < records.size(); ++r) rates[r].push_back(records[r].gpr);
      }
      of_plan[i].records = static_cast<double>(rates.size());
      for (const auto& of_record : rates)
        for (std::size_t c = 0; c < 3; ++c) {
          std::vector<double> x;
          for (const auto& r : of_record) x.push_back(r[c]);
          const double centre = mean(x);
          for (double& v : x) v = std::abs(v - centre);
          of_plan[i].differences[c] += mean(x);
        }
    }
  });
  std::array<double, 3> out{};
  double records = 0;
  for (const Sums& p : of_plan) records += p.records;
  for (const Sums& p : of_plan)
    for (std::size_t c = 0; c < 3; ++c) out[c] += p.differences[c] / records;
  return out;
}

}  // namespace equipoise::psqa
