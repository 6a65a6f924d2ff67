// SPDX-License-Identifier: MIT
/// \file
/// What a study computes: runs of each method on each split, the baselines, and the methods with modalities missing or
/// noisy at test. Each seed has its own split by patient and its own weights, the same for every method; every method has
/// the same budget. A seed's split is one at random, or all of its folds, or one for each machine that is left out. A
/// record's error is the mean over the runs that test it.

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <equipoise/evaluation/study.hpp>
#include <equipoise/psqa/learning/baselines.hpp>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "study_cells.hpp"
#include "study_results.hpp"

namespace psqa_program {

namespace {

/// Of such records the figures that conditions are compared by.
std::vector<eq::TestedRecord> with_condition_metrics(std::vector<eq::TestedRecord> records) {
  for (eq::TestedRecord& r : records) {
    std::vector<double> figures;
    for (const std::string& metric : condition_metrics()) {
      const auto at = std::find(record_columns().begin(), record_columns().end(), metric);
      figures.push_back(r.figures[static_cast<std::size_t>(at - record_columns().begin())]);
    }
    r.figures = std::move(figures);
  }
  return records;
}

/// The objective of a run on its validation records at its best epoch; NaN where it has none.
double validation_objective(const Run& run) {
  if (run.history.best_epoch < 0) return std::nan("");
  const auto figure = run.history.epochs[static_cast<std::size_t>(run.history.best_epoch)].find("val/objective");
  return figure ? *figure : std::nan("");
}

/// Trains a cell's trials in `folder`/run, run2 …, and returns the one with the smallest objective on the validation records.
Run best_run(const std::vector<RunConfig>& trials, const fs::path& folder, const psqa::Cohort& cohort) {
  std::vector<double> figures;
  const auto path = [&](std::size_t t) { return folder / (t == 0 ? "run" : "run" + std::to_string(t + 1)); };
  for (std::size_t t = 0; t < trials.size(); ++t) {
    Run run = ensure_run(trials[t], path(t), cohort);
    if (trials.size() == 1) return run;
    figures.push_back(validation_objective(run));
  }
  return ensure_run(trials[eq::best_trial(figures)], path(eq::best_trial(figures)), cohort);
}

/// Whether a cell's table has today's columns. That of an earlier version is made again, from its trained runs.
bool has_record_columns(const eq::StudyCell&, const fs::path& folder) {
  return eq::has_figures(folder / "records.csv", record_columns());
}

/// Computes cells and says how far they are. \throws where one fails, or the study is interrupted
template <class Compute>
void run_cells(const StudySettings& a, const std::vector<eq::StudyCell>& cells, const Compute& compute,
               eq::StudyOptions options = {}) {
  const auto say = [&](const eq::StudyProgress& p) {
    step(std::to_string(p.finished) + " of " + std::to_string(p.cells) + " runs: " + p.last.name +
         (p.last.error.empty() ? "" : " failed: " + p.last.error));
  };
  options.jobs = a.jobs, options.on_cell = say, options.should_stop = [] { return interrupted(); };
  const std::vector<eq::CellResult> results = eq::run_study(a.out, cells, compute, options);
  if (interrupted()) throw Interrupted("interrupted: the same command goes on with what is in " + a.out);
  for (const eq::CellResult& r : results)
    if (r.state == eq::CellState::failed) throw std::runtime_error(a.out + "/" + r.name + ": " + r.error);
}

/// The part of a cell's name before the last slash: the cell or split that it belongs to.
std::string parent_of(const std::string& name) {
  return name.substr(0, name.rfind('/'));
}

void compute_baseline(const StudySettings& a, const Cells& cells, const eq::StudyCell& cell, const fs::path& folder,
                      const psqa::Cohort& cohort) {
  const std::string split = parent_of(cell.name), name = cell.name.substr(split.size() + 1),
                    of_first = a.methods.front() + split.substr(split.find('/'));
  Run run = ensure_run(cells.trials.at(of_first).front(), fs::path(a.out) / of_first / "run", cohort);
  const psqa::MethodPredictions like = predict_test_records(run, cohort);
  eq::write_tested_records(
      folder / "records.csv", record_columns(),
      tested_records(psqa::baseline_named(name, like, cohort, run.split, scales_of_baselines(run, cohort)), cohort,
                     run.split.test));
}

/// Shows a cell's trained model the test records under each condition, and writes each record's errors.
void compute_conditions(const StudySettings& a, const Cells& cells, const eq::StudyCell& cell, const fs::path& folder,
                        const psqa::Cohort& cohort) {
  const std::string method = parent_of(cell.name);
  const Run run = best_run(cells.trials.at(method), fs::path(a.out) / method, cohort);
  const psqa::PsqaBatch test = data_of(run, cohort).select(run.split.test);
  psqa::MethodPredictions predictions = truth_of(run, cohort, test);
  const std::vector<eq::TestCondition> conditions = conditions_of(run.config);
  std::vector<eq::TestedRecord> all;
  for (const eq::TestCondition& condition : conditions) {
    take_output(predictions, predict_under(run, test, condition), run);
    const auto records = with_condition_metrics(tested_records(predictions, cohort, run.split.test));
    if (all.empty())
      all = records;
    else
      for (std::size_t i = 0; i < all.size(); ++i)
        all[i].figures.insert(all[i].figures.end(), records[i].figures.begin(), records[i].figures.end());
  }
  eq::write_tested_records(folder / "records.csv", eq::condition_columns(conditions, condition_metrics()), all);
}

/// Each method's figures under each condition that it has.
std::vector<eq::ConditionFigures> condition_figures(const StudySettings& a, const Cells& cells,
                                                    const std::vector<NamedSplit>& splits) {
  std::vector<std::vector<eq::TestCondition>> lists;
  for (const std::string& method : a.methods)
    lists.push_back(conditions_of(cells.trials.at(method + "/" + splits.front().name).front()));
  std::vector<eq::ConditionFigures> out;
  for (const std::string& name : eq::condition_names(lists)) out.push_back({name, {}});
  for (std::size_t m = 0; m < a.methods.size(); ++m) {
    const std::vector<std::string> columns = eq::condition_columns(lists[m], condition_metrics());
    std::vector<eq::RecordFigures> figures(lists[m].size(), eq::RecordFigures(condition_metrics()));
    for (const NamedSplit& s : splits) {
      const auto records =
          eq::read_tested_records(fs::path(a.out) / a.methods[m] / s.name / "conditions" / "records.csv", columns);
      for (std::size_t c = 0; c < figures.size(); ++c)
        figures[c].add(eq::under_condition(records, c, condition_metrics().size()));
    }
    for (std::size_t c = 0; c < figures.size(); ++c)
      std::find_if(out.begin(), out.end(), [&](const auto& o) {
        return o.condition == lists[m][c].name;
      })->methods.emplace_back(a.methods[m], std::move(figures[c]));
  }
  return out;
}

/// What the cells have found, of the splits with one number of training records.
StudyResults results_of(const StudySettings& a, const Cells& cells, std::int64_t records,
                        const std::vector<NamedSplit>& all) {
  std::vector<NamedSplit> splits;
  std::copy_if(all.begin(), all.end(), std::back_inserter(splits),
               [&](const NamedSplit& s) { return s.choice.records == records; });
  StudyResults out{records, {}, {}};
  const auto collect = [&](const std::string& method, const auto& folder_of) {
    eq::RecordFigures figures(record_columns());
    for (const NamedSplit& s : splits)
      figures.add(eq::read_tested_records(fs::path(a.out) / folder_of(s.name) / "records.csv", record_columns()));
    out.methods.emplace_back(method, std::move(figures));
  };
  for (const std::string& method : a.methods)
    collect(method, [&](const std::string& split) { return method + "/" + split; });
  for (const std::string& method : psqa::kBaselines)
    collect(method, [&](const std::string& split) { return "baselines/" + split + "/" + method; });
  if (a.conditions) out.conditions = condition_figures(a, cells, splits);
  return out;
}

}  // namespace

std::vector<StudyResults> computed_study(const StudySettings& a, const psqa::Cohort& cohort) {
  // A cell is a copy of this process, in which LibTorch's threads would be missing, and a GPU that was touched before could
  // not be used.
  const std::size_t threads =
      static_cast<std::size_t>(at::get_num_threads());  // what OMP_NUM_THREADS says, or all cores
  at::set_num_threads(1);
  if (!a.floors.empty()) check_floors(a.floors, cohort);
  for (const std::string& method : a.methods) {
    RunConfig config = config_of(a, method_config(a, method), {}, {});
    config.trainer.device = c10::DeviceType::CPU;
    understood([&] { check_config(config); });
    if (config.start) (void)opened_start(config);
  }
  const Cells cells = cells_of(a, cohort);
  const auto use_share_of_cores = [&] {
    at::set_num_threads(static_cast<int>(std::max<std::size_t>(threads / a.jobs, 1)));
    (void)device_of(a.device);  // is there
  };
  run_cells(a, cells.methods,
            [&](const eq::StudyCell& cell, const fs::path& folder) {
              use_share_of_cores();
              Run run = best_run(cells.trials.at(cell.name), folder, cohort);
              const psqa::MethodPredictions predictions = predict_test_records(run, cohort);
              eq::write_tested_records(folder / "records.csv", record_columns(),
                                       tested_records(predictions, cohort, run.split.test));
            },
            {.is_current = has_record_columns});
  run_cells(a, cells.baselines,
            [&](const eq::StudyCell& cell, const fs::path& folder) {
              use_share_of_cores();
              compute_baseline(a, cells, cell, folder, cohort);
            },
            {.is_current = has_record_columns});
  if (a.conditions)
    run_cells(a, cells.conditions, [&](const eq::StudyCell& cell, const fs::path& folder) {
      use_share_of_cores();
      compute_conditions(a, cells, cell, folder, cohort);
    });
  const std::vector<NamedSplit> splits = splits_of(a, cohort);
  std::vector<StudyResults> out;
  for (const std::int64_t records : a.records.empty() ? std::vector<std::int64_t>{0} : a.records)
    out.push_back(results_of(a, cells, records, splits));
  return out;
}

}  // namespace psqa_program
