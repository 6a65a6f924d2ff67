// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A virtual cohort, simulated and written.

#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/cohort/description.hpp>
#include <equipoise/psqa/cohort/table_row.hpp>
#include <equipoise/psqa/cohort/writer.hpp>
#include <equipoise/psqa/simulator/plan_loop.hpp>
#include <equipoise/psqa/simulator/settings.hpp>
#include <equipoise/psqa/simulator/simulator.hpp>

#include <cstdint>
#include <filesystem>
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
  struct Made {
    Record record;
    std::vector<double> row;
  };
  for_each_plan(
      settings, settings.plans, threads, 8,
      [](Simulator& simulator, std::int64_t plan) {
        std::vector<Made> made;
        for (Record& r : simulator.records(plan)) {
          std::vector<double> row = table_row(r.plan);
          made.push_back({std::move(r), std::move(row)});
        }
        return made;
      },
      [&](std::int64_t plan, const std::vector<Made>& made) {
        for (const auto& [r, row] : made) {
          writer.append({r.plan.id, r.plan.patient, r.plan.site, r.machine, r.fault, r.gpr, row}, r.planned,
                        r.measured);
          on_record(plan + 1, settings.plans, r);
        }
      });
  writer.commit();
}

}  // namespace equipoise::psqa
