// SPDX-License-Identifier: MIT
/// \file
/// What runs say of their test records, and how far off that is.

#include <algorithm>
#include <cmath>
#include <equipoise/psqa/learning/baselines.hpp>
#include <equipoise/psqa/machine_qa.hpp>
#include <limits>

#include "run.hpp"

namespace psqa_program {

psqa::PsqaBatch data_of(const Run& run, const psqa::Cohort& cohort) {
  return shown(psqa::learning_batch(cohort, run.scales, delivery_of(run.config, cohort)), run.config.modalities);
}

psqa::MethodPredictions truth_of(const Run& run, const psqa::Cohort& cohort, const psqa::PsqaBatch& test) {
  const std::vector<double> mcs = psqa::metric_column(cohort, "MCS");
  psqa::MethodPredictions out;
  out.method = run.name;
  for (const std::int64_t i : run.split.test) {
    const psqa::CohortRecord& r = cohort.records[static_cast<std::size_t>(i)];
    out.patients.push_back(r.patient), out.sites.push_back(r.site), out.machines.push_back(r.machine);
    out.mcs.push_back(mcs[static_cast<std::size_t>(i)]);
    out.truth.push_back(r.gpr);
  }
  out.dd_truth = test.targets[eq::name_value<"dd">{}].tensor * run.scales.dd_sd;
  return out;
}

void take_output(psqa::MethodPredictions& predictions, const psqa::PsqaOutput& output, const Run& run) {
  predictions.predicted = psqa::to_rates(output.gpr, run.scales);
  predictions.dd_predicted = output.dd * run.scales.dd_sd;
  if (predictions.dd_predicted.size(2) == 1)  // without the dose plane a map is one number everywhere
    predictions.dd_predicted = predictions.dd_predicted.expand_as(predictions.dd_truth).contiguous();
}

psqa::MethodPredictions predict_test_records(Run& run, const psqa::Cohort& cohort) {
  check_cohort(run, cohort);
  const psqa::PsqaBatch all = data_of(run, cohort);
  const auto test = all.select(run.split.test);
  psqa::MethodPredictions predictions = truth_of(run, cohort, test);
  take_output(predictions, run.learner->predict(test), run);
  for (const std::int64_t i : run.split.validation)
    predictions.calibration_truth.push_back(cohort.records[static_cast<std::size_t>(i)].gpr);
  predictions.calibration_predicted =
      psqa::to_rates(run.learner->predict(all.select(run.split.validation)).gpr, run.scales);
  predictions.map_rates = psqa::rates_of_maps(cohort, run.split.test, predictions.dd_predicted);
  return predictions;
}

const std::vector<eq::ModalityNoise>& test_noise() {
  static const std::vector<eq::ModalityNoise> noise = {
      {"dose", 0.02, "2 %"}, {"maps", 0.1, "10 %"}, {"metrics", 0.5, "0.5 SD"}, {"machine", 0.5, "0.5 SD"}};
  return noise;
}

namespace {

/// Noise on each record's input. \param first entries of a record that have it
at::Tensor noisy(const at::Tensor& input, const std::vector<std::int64_t>& records, std::size_t first,
                 const eq::TestCondition& condition) {
  at::Tensor out = input.clone().contiguous();
  const auto each = static_cast<std::size_t>(out.numel() / out.size(0));
  auto* at = out.mutable_data_ptr<float>();
  for (const std::int64_t record : records) {
    eq::add_noise({at, std::min(each, first)}, condition.strength, condition.noisy, static_cast<std::uint64_t>(record));
    at += each;
  }
  return out;
}

}  // namespace

psqa::PsqaOutput predict_under(const Run& run, const psqa::PsqaBatch& records, const eq::TestCondition& condition) {
  psqa::PsqaBatch data = shown(records, condition.shown);
  const auto add = [&](auto name, const char* modality, std::size_t first) {
    if (condition.noisy == modality) data.inputs[name] = noisy(data.inputs[name], data.ids, first, condition);
  };
  constexpr std::size_t all = std::numeric_limits<std::size_t>::max();
  add(eq::name_value<"dose">{}, "dose", all), add(eq::name_value<"maps">{}, "maps", all);
  add(eq::name_value<"metrics">{}, "metrics", all);
  add(eq::name_value<"machine">{}, "machine", psqa::kMachineFigures);  // which machine it is stays known
  return run.learner->predict(data);
}

std::vector<ShownError> errors_without_modalities(const Run& run, const psqa::Cohort& cohort,
                                                  const psqa::PsqaBatch& test) {
  psqa::MethodPredictions predictions = truth_of(run, cohort, test);
  std::vector<ShownError> out;
  const std::vector<std::string>& all = run.config.modalities;
  for (const eq::TestCondition& condition : eq::test_conditions(all)) {
    take_output(predictions, predict_under(run, test, condition), run);
    out.push_back({condition.name, psqa::mean_rate_error(predictions, psqa::kStrictest)});
  }
  if (all.size() < 3) out.front().shown = all.size() == 1 ? all[0] + " alone" : "both";
  return out;
}

std::vector<std::vector<std::string>> errors_without_modalities(const std::vector<Run>& runs,
                                                                const psqa::Cohort& cohort) {
  std::vector<std::vector<std::string>> rows = {{"method"}};
  for (const Run& run : runs) {
    rows.push_back({run.name});
    for (const ShownError& e : errors_without_modalities(run, cohort, data_of(run, cohort).select(run.split.test))) {
      const auto column = std::find(rows[0].begin(), rows[0].end(), e.shown) - rows[0].begin();
      if (column == std::ssize(rows[0])) rows[0].push_back(e.shown);
      rows.back().resize(std::max<std::size_t>(rows.back().size(), static_cast<std::size_t>(column) + 1));
      rows.back()[static_cast<std::size_t>(column)] = with_interval(e.mae, 2);
    }
  }
  for (std::vector<std::string>& row : rows) {
    row.resize(rows[0].size());
    for (std::string& cell : row)
      if (cell.empty()) cell = "–";
  }
  return rows;
}

Comparison compare(std::vector<Run>& runs, const psqa::Cohort& cohort) {
  name_runs(runs);
  Comparison out;
  for (Run& run : runs) {
    if (run.split.test != runs[0].split.test)
      throw eq::ValueError(eq::message("value.215", run.folder.string(), "expected the same test records as in ",
                                       runs[0].folder.string()));
    out.predictions.push_back(predict_test_records(run, cohort));
  }
  const Run& first = runs[0];
  const psqa::MethodPredictions& records = out.predictions[0];
  const psqa::Scales scales = scales_of_baselines(first, cohort);
  for (const std::string& name : psqa::kBaselines)
    out.baselines.push_back(psqa::baseline_named(name, records, cohort, first.split, scales));
  for (const auto* group : {&out.predictions, &out.baselines})
    for (const psqa::MethodPredictions& p : *group) out.metrics.push_back(psqa::method_metrics(p));
  return out;
}

std::vector<std::string> verdict(const Comparison& comparison) {
  std::vector<const psqa::MethodPredictions*> methods;
  for (const auto* group : {&comparison.predictions, &comparison.baselines})
    for (const psqa::MethodPredictions& p : *group) methods.push_back(&p);
  std::vector<std::size_t> order;  // of the methods, by error
  for (std::size_t i = 0; i < methods.size(); ++i)
    if (std::isfinite(comparison.metrics[i].rates[psqa::kStrictest].mae.value)) order.push_back(i);
  if (order.empty()) return {"No test record has a known passing rate at 2%/2 mm: the methods cannot be compared."};
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return comparison.metrics[a].rates[psqa::kStrictest].mae.value <
           comparison.metrics[b].rates[psqa::kStrictest].mae.value;
  });
  const auto name = [&](std::size_t i) {
    return (i < comparison.predictions.size() ? "" : "the baseline ") + methods[i]->method;
  };
  const std::size_t best = order[0];
  std::string first = name(best);
  if (best >= comparison.predictions.size()) first[0] = 'T';
  const psqa::Rates& truth = methods[best]->truth;
  const auto known = std::count_if(truth.begin(), truth.end(),
                                   [](const auto& rates) { return std::isfinite(rates[psqa::kStrictest]); });
  std::vector<std::string> out = {first + " has the lowest mean absolute error of passing rates at 2%/2 mm: " +
                                  with_interval(comparison.metrics[best].rates[psqa::kStrictest].mae, 2) +
                                  " points on " + std::to_string(known) +
                                  " test records (95 % interval over patients)."};
  const auto against = [&](std::size_t other) {
    const eq::Interval d = psqa::paired_difference(*methods[other], *methods[best], psqa::kStrictest);
    const std::string text = "its error is " + with_interval(d, 2) + " points higher on the same records; ";
    if (std::isnan(d.low)) return text + "there are too few patients for an interval, so the two are not separated.";
    return text + "the interval " +
           (d.low > 0 ? "excludes 0, so the two are separated." : "includes 0, so the two are not separated.");
  };
  const auto is_run = [&](std::size_t i) { return i < comparison.predictions.size(); };
  const auto best_run = std::find_if(order.begin(), order.end(), is_run);
  for (auto i = order.begin() + 1; i != order.end(); ++i) {
    if (i == order.begin() + 1)
      out.push_back("Next is " + name(*i) + ": " + against(*i));
    else if (i == best_run)
      out.push_back("The best of the runs is " + name(*i) + ": " + against(*i));
    else if (!is_run(*i) && methods[*i]->method != "constant")
      out.push_back("Against " + name(*i) + ": " + against(*i));
  }
  return out;
}

}  // namespace psqa_program
