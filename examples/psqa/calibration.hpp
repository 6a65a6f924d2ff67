// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How sure a run's predictions are, and for which plans: `calibration.json` in the run's folder.

#include <equipoise/evaluation/conformal.hpp>
#include <equipoise/psqa/judged.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "run.hpp"

namespace psqa_program {

struct Calibration {
  psqa::Rates truth, predicted;      ///< of the validation records
  std::vector<std::string> metrics;  ///< the table's columns
  std::vector<std::pair<double, double>>
      trained;  ///< least and largest of each, of the training records; NaN: none has it
};

/// Saves what a run's validation and training records say.
void write_calibration(Run& run, const psqa::Cohort& cohort);
/// None for a run of before there were any. \throws FileError for one that is damaged
[[nodiscard]] std::optional<Calibration> read_calibration(const Run& run);

/// A passing rate's 90 % interval, within 0 .. 100 %, and the chance that it is below 90 %. \param criterion in `kCriteria`
struct Sureness {
  double low, high, failing;
};
[[nodiscard]] Sureness sureness_of(const Calibration& c, std::size_t criterion, double predicted);

/// The metrics of a plan that lie further outside of what training plans had than a quarter of their range, as sentences.
/// \param row `table_row` of the plan
[[nodiscard]] std::vector<std::string> foreign_metrics(const Calibration& c, const std::vector<double>& row);

}  // namespace psqa_program
