// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The splits of a study and its cells: what is computed, each with all that it depends on.

#include <equipoise/evaluation/conditions.hpp>
#include <equipoise/evaluation/study.hpp>
#include <map>
#include <string>
#include <vector>

#include "study_results.hpp"

namespace psqa_program {

/// A way to divide the cohort, and what it is called among the runs' folders.
struct NamedSplit {
  std::string name;
  SplitChoice choice;
};

/// A seed's split is one at random, or all of its folds, or one for each machine that is left out; for each number of
/// training records.
[[nodiscard]] std::vector<NamedSplit> splits_of(const StudySettings& a, const psqa::Cohort& cohort);

/// A cell is a method on a split, with all of its trials; `baselines` are those of the table, with the first method's
/// scales and split; `conditions` are the methods' with modalities missing or noisy at test.
struct Cells {
  std::vector<eq::StudyCell> methods, baselines, conditions;
  std::map<std::string, std::vector<RunConfig>>
      trials;  ///< by the cell's name; a baseline's is that of the first method
};

/// What a run's trained model is shown on the test records.
[[nodiscard]] std::vector<eq::TestCondition> conditions_of(const RunConfig& config);

/// \throws where a split of the cohort is not possible, before anything is trained
[[nodiscard]] Cells cells_of(const StudySettings& a, const psqa::Cohort& cohort);

}  // namespace psqa_program
