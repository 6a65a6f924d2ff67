// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A virtual cohort, simulated and written.

#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/cohort/description.hpp>
#include <equipoise/psqa/cohort/extras.hpp>
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
/// records do not depend on it \param extras what the cohort holds beside its records
template <class OnRecord>
void simulate_cohort(const CohortSettings& settings, const std::filesystem::path& folder, OnRecord&& on_record,
                     unsigned threads = 1, const CohortExtras& extras = {}) {
  CohortWriter writer(folder, cohort_description(settings), settings.pixels, settings.pixels, table_metrics());
  if (extras.delivery_maps) keep_delivery_maps(writer, settings);
  struct Made {
    Record record;
    std::vector<double> row;
    DeliveryMaps maps;
  };
  std::vector<MachineQa> machines;
  for_each_plan(
      settings, settings.plans, threads, 8,
      [&](Simulator& simulator, std::int64_t plan) {
        if (plan == 0) machines = monthly_qa(simulator.linacs(), settings.seed, settings.mismatch, extras.qa_noise);
        std::vector<Made> made;
        for (Record& r : simulator.records(plan)) {
          std::vector<double> row = table_row(r.plan);
          DeliveryMaps maps = extras.delivery_maps ? delivery_maps(r.plan, maps_plane(settings)) : DeliveryMaps{};
          made.push_back({std::move(r), std::move(row), std::move(maps)});
        }
        return made;
      },
      [&](std::int64_t plan, const std::vector<Made>& made) {
        for (const auto& [r, row, maps] : made) {
          writer.append({r.plan.id, r.plan.patient, r.plan.site, r.machine, r.fault, r.gpr, row}, r.planned,
                        r.measured);
          if (extras.delivery_maps) writer.append_maps(maps.values);
          on_record(plan + 1, settings.plans, r);
        }
      });
  add_machines(writer, machines, extras.qa_noise);
  writer.commit();
}

}  // namespace equipoise::psqa
