// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A virtual cohort, simulated and written.

#include <equipoise/core/base/parallel.hpp>
#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/cohort/description.hpp>
#include <equipoise/psqa/cohort/table_row.hpp>
#include <equipoise/psqa/cohort/writer.hpp>
#include <equipoise/psqa/simulator/settings.hpp>
#include <equipoise/psqa/simulator/simulator.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <thread>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// Makes a cohort folder. `on_record(plan, all, record)` is called after each record, in order,
/// with the number of plans done and of all plans. It may throw to stop; the folder is then not
/// created. \param threads 0: as many as the machine has; the
/// records do not depend on it
template <class OnRecord>
void simulate_cohort(const CohortSettings& settings, const std::filesystem::path& folder, OnRecord&& on_record,
                     unsigned threads = 1) {
  CohortWriter writer(folder, cohort_description(settings), settings.pixels, settings.pixels, table_metrics());
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
    parallel_for(threads, threads, [&](std::size_t t) {
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
