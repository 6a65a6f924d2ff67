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

psqa::MethodPredictions predict_test_records(Run& run, const psqa::Cohort& cohort, bool rates_from_maps) {
  check_cohort(run, cohort);
  const psqa::PsqaBatch all = data_of(run, cohort);
  const auto test = all.select(run.split.test);
  const psqa::PsqaOutput out = run.learner->predict(test);
  const std::vector<double> mcs = psqa::metric_column(cohort, "MCS");
  psqa::MethodPredictions predictions;
  predictions.method = run.config.method;
  for (const std::int64_t i : run.split.test) {
    const psqa::CohortRecord& r = cohort.records[static_cast<std::size_t>(i)];
    predictions.patients.push_back(r.patient), predictions.sites.push_back(r.site),
        predictions.machines.push_back(r.machine);
    predictions.mcs.push_back(mcs[static_cast<std::size_t>(i)]);
    predictions.truth.push_back(r.gpr);
  }
  predictions.predicted = psqa::to_rates(out.gpr, run.scales);
  for (const std::int64_t i : run.split.validation)
    predictions.calibration_truth.push_back(cohort.records[static_cast<std::size_t>(i)].gpr);
  predictions.calibration_predicted =
      psqa::to_rates(run.learner->predict(all.select(run.split.validation)).gpr, run.scales);
  predictions.dd_truth = test.targets[eq::name_value<"dd">{}].tensor * run.scales.dd_sd;
  predictions.dd_predicted = out.dd * run.scales.dd_sd;
  if (predictions.dd_predicted.size(2) == 1)  // without the dose plane a map is one number everywhere
    predictions.dd_predicted = predictions.dd_predicted.expand_as(predictions.dd_truth).contiguous();
  if (rates_from_maps) predictions.map_rates = psqa::rates_of_maps(cohort, run.split.test, predictions.dd_predicted);
  return predictions;
}

std::vector<ShownError> errors_without_modalities(const Run& run, const psqa::Cohort& cohort) {
  const psqa::PsqaBatch test = psqa::learning_batch(cohort, run.scales).select(run.split.test);
  psqa::MethodPredictions predictions;
  for (const std::int64_t i : run.split.test) {
    const psqa::CohortRecord& r = cohort.records[static_cast<std::size_t>(i)];
    predictions.patients.push_back(r.patient), predictions.truth.push_back(r.gpr);
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
    predictions.predicted = psqa::to_rates(run.learner->predict(shown(test, modalities)).gpr, run.scales);
    e.mae = psqa::mean_rate_error(predictions, 2);
  }
  return out;
}

std::vector<psqa::MethodMetrics> compare(std::vector<Run>& runs, const psqa::Cohort& cohort,
                                         std::vector<psqa::MethodPredictions>& predictions) {
  std::vector<psqa::MethodMetrics> out;
  for (Run& run : runs) {
    if (run.split.test != runs[0].split.test)
      throw eq::ValueError(eq::message("value.215", run.folder.string(), "expected the same test records as in ",
                                       runs[0].folder.string()));
    predictions.push_back(predict_test_records(run, cohort));
    out.push_back(psqa::method_metrics(predictions.back()));
  }
  const Run& first = runs[0];
  out.push_back(psqa::method_metrics(psqa::ridge_baseline(predictions[0], cohort, first.split, first.scales)));
  out.push_back(psqa::method_metrics(psqa::forest_baseline(predictions[0], cohort, first.split, first.scales)));
  out.push_back(psqa::method_metrics(psqa::constant_baseline(predictions[0], cohort, first.split)));
  return out;
}

}  // namespace psqa_program
