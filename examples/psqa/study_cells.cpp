// SPDX-License-Identifier: MIT
#include "study_cells.hpp"

#include <cstdint>
#include <equipoise/psqa/learning/baselines.hpp>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace psqa_program {

namespace {

/// What a baseline depends on, of the settings of a cell: cohort and split, and how planes are pooled.
eq::OptionList baseline_settings(const eq::OptionList& of_method) {
  eq::OptionList out;
  for (const auto& [key, value] : of_method)
    for (const std::string_view begin : {"--model pool", "--split-seed", "--leave-out-machine", "--folds", "fold",
                                         "--records", "share of", "the cohort's"})
      if (key.starts_with(begin)) out.emplace_back(key, value);
  return out;
}

}  // namespace

std::vector<NamedSplit> splits_of(const StudySettings& a, const psqa::Cohort& cohort) {
  std::set<std::string> machines;
  for (const psqa::CohortRecord& r : cohort.records) machines.insert(r.machine);
  std::vector<NamedSplit> out;
  for (std::int64_t seed = 1; seed <= a.seeds; ++seed) {
    const std::string name = "seed" + std::to_string(seed);
    SplitChoice choice;
    choice.seed = static_cast<std::uint64_t>(seed);
    if (a.machines) {
      std::size_t number = 0;  // a machine's name may be no folder's
      for (const std::string& machine : machines) {
        choice.machine = machine;
        out.push_back({name + "-machine" + std::to_string(++number), choice});
      }
    } else if (a.folds > 0) {
      choice.folds = a.folds, choice.test = 1 / static_cast<double>(a.folds);
      for (choice.fold = 0; choice.fold < a.folds; ++choice.fold)
        out.push_back({name + "-fold" + std::to_string(choice.fold + 1), choice});
    } else {
      out.push_back({name, choice});
    }
  }
  if (a.records.empty()) return out;
  std::vector<NamedSplit> limited;
  for (const std::int64_t n : a.records)
    for (NamedSplit split : out) {
      split.choice.records = n, split.name += "-records" + std::to_string(n);
      limited.push_back(std::move(split));
    }
  return limited;
}

std::vector<eq::TestCondition> conditions_of(const RunConfig& config) {
  return eq::test_conditions(config.modalities, test_noise());
}

Cells cells_of(const StudySettings& a, const psqa::Cohort& cohort) {
  Cells out;
  const std::string fingerprint = std::to_string(psqa::fingerprint(cohort));
  std::map<std::string, RunConfig> configs;  // the same on each split
  for (const std::string& method : a.methods) configs.emplace(method, method_config(a, method));
  for (const auto& [name, choice] : splits_of(a, cohort)) {
    (void)split_of(cohort, choice);  // refused before anything is trained
    for (const std::string& method : a.methods) {
      std::vector<RunConfig>& trials = out.trials[method + "/" + name];
      eq::StudyCell cell{method + "/" + name, {}};
      for (const eq::OptionList& drawn : eq::draw_trials(a.search, a.trials, choice.seed)) {
        trials.push_back(config_of(a, configs.at(method), choice, drawn));
        if (trials.size() == 1) cell.settings = settings_of(trials.front());
        for (const auto& [key, value] : drawn)
          cell.settings.emplace_back("trial " + std::to_string(trials.size()) + ", " + key, value);
      }
      cell.settings.emplace_back("trials", std::to_string(a.trials));
      cell.settings.emplace_back("the cohort's fingerprint", fingerprint);
      if (method == a.methods.front()) {
        eq::OptionList settings = baseline_settings(cell.settings);
        settings.emplace_back("the machine", is_shown(trials.front(), "machine") ? "shown" : "not shown");
        for (const std::string& baseline : psqa::kBaselines)
          out.baselines.push_back({"baselines/" + name + "/" + baseline, settings});
      }
      eq::StudyCell conditions{cell.name + "/conditions", cell.settings};
      for (auto& setting : eq::condition_settings(conditions_of(trials.front())))
        conditions.settings.push_back(std::move(setting));
      out.conditions.push_back(std::move(conditions));
      out.methods.push_back(std::move(cell));
    }
  }
  return out;
}

}  // namespace psqa_program
