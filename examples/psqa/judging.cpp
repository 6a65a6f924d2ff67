// SPDX-License-Identifier: MIT
/// \file
/// What runs say of their test records, and how far off that is.

#include <algorithm>
#include <equipoise/psqa/learning/baselines.hpp>
#include <limits>

#include "run.hpp"

namespace psqa_program {

psqa::PsqaBatch data_of(const Run& run, const psqa::Cohort& cohort) {
  return shown(psqa::learning_batch(cohort, run.scales), run.config.modalities);
}

psqa::Judged judge(Run& run, const psqa::Cohort& cohort, bool rates_from_maps) {
  check_cohort(run, cohort);
  const psqa::PsqaBatch all = data_of(run, cohort);
  const auto test = all.select(run.split.test);
  const psqa::PsqaOutput out = run.learner->predict(test);
  const std::vector<double> mcs = psqa::metric_column(cohort, "MCS");
  psqa::Judged judged;
  judged.method = run.config.method;
  for (const std::int64_t i : run.split.test) {
    const psqa::CohortRecord& r = cohort.records[static_cast<std::size_t>(i)];
    judged.patients.push_back(r.patient), judged.sites.push_back(r.site), judged.machines.push_back(r.machine);
    judged.mcs.push_back(mcs[static_cast<std::size_t>(i)]);
    judged.truth.push_back(r.gpr);
  }
  judged.predicted = psqa::to_rates(out.gpr, run.scales);
  for (const std::int64_t i : run.split.validation)
    judged.calibration_truth.push_back(cohort.records[static_cast<std::size_t>(i)].gpr);
  judged.calibration_predicted = psqa::to_rates(run.learner->predict(all.select(run.split.validation)).gpr, run.scales);
  judged.dd_truth = test.targets[eq::name_value<"dd">{}].tensor * run.scales.dd_sd;
  judged.dd_predicted = out.dd * run.scales.dd_sd;
  if (judged.dd_predicted.size(2) == 1)  // without the dose plane a map is one number everywhere
    judged.dd_predicted = judged.dd_predicted.expand_as(judged.dd_truth).contiguous();
  if (rates_from_maps) judged.map_rates = psqa::rates_of_maps(cohort, run.split.test, judged.dd_predicted);
  return judged;
}

std::vector<ShownError> errors_without_modalities(const Run& run, const psqa::Cohort& cohort) {
  const psqa::PsqaBatch test = psqa::learning_batch(cohort, run.scales).select(run.split.test);
  psqa::Judged judged;
  for (const std::int64_t i : run.split.test) {
    const psqa::CohortRecord& r = cohort.records[static_cast<std::size_t>(i)];
    judged.patients.push_back(r.patient), judged.truth.push_back(r.gpr);
  }
  const auto trained = [&](const std::string& modality) {
    const auto& with = run.config.modalities;
    return std::find(with.begin(), with.end(), modality) != with.end();
  };
  std::vector<ShownError> out;
  for (const std::vector<std::string>& modalities :
       {std::vector<std::string>{"dose", "metrics"}, std::vector<std::string>{"dose"},
        std::vector<std::string>{"metrics"}}) {
    ShownError& e = out.emplace_back();
    e.shown = modalities.size() == 2 ? "both" : modalities[0] + " alone";
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    e.mae = {nan, nan, nan};
    if (!std::all_of(modalities.begin(), modalities.end(), trained)) continue;
    judged.predicted = psqa::to_rates(run.learner->predict(shown(test, modalities)).gpr, run.scales);
    e.mae = psqa::mean_rate_error(judged, 2);
  }
  return out;
}

std::vector<psqa::Figures> compare(std::vector<Run>& runs, const psqa::Cohort& cohort,
                                   std::vector<psqa::Judged>& judged) {
  std::vector<psqa::Figures> out;
  for (Run& run : runs) {
    if (run.split.test != runs[0].split.test)
      throw eq::ValueError(eq::message("value.215", run.folder.string(), "expected the same test records as in ",
                                       runs[0].folder.string()));
    judged.push_back(judge(run, cohort));
    out.push_back(psqa::figures(judged.back()));
  }
  const Run& first = runs[0];
  out.push_back(psqa::figures(psqa::ridge_baseline(judged[0], cohort, first.split, first.scales)));
  out.push_back(psqa::figures(psqa::forest_baseline(judged[0], cohort, first.split, first.scales)));
  out.push_back(psqa::figures(psqa::constant_baseline(judged[0], cohort, first.split)));
  return out;
}

}  // namespace psqa_program
