// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How sure a run's predictions are, and for which plans: `calibration.json` in the run's folder.

#include <equipoise/evaluation/conformal.hpp>
#include <equipoise/psqa/cohort/training_range.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "run.hpp"

namespace psqa_program {

struct Calibration {
  std::vector<eq::ConformalResiduals> rates;  ///< of the validation records, in the order of `kCriteria`
  psqa::TrainingRange range;                  ///< of the training records; the validation records are held out
};

/// Saves what a run's validation and training records say.
void write_calibration(Run& run, const psqa::Cohort& cohort);
/// None where the file is missing. \throws FileError for one that is damaged
[[nodiscard]] std::optional<Calibration> read_calibration(const Run& run);

/// A passing rate's 90 % interval, within 0 .. 100 %, and the chance that it is below 90 %. \param criterion in `kCriteria`
struct Uncertainty {
  double low, high, failing;
};
/// Whether there are enough validation records for a 90 % interval: nine.
[[nodiscard]] bool enough_records(const Calibration& c, std::size_t criterion);
/// \pre `enough_records`
[[nodiscard]] Uncertainty uncertainty_of(const Calibration& c, std::size_t criterion, double predicted);

/// The metrics of a plan that lie further outside of what training plans had than a quarter of their range, as sentences.
/// \param row `table_row` of the plan
[[nodiscard]] std::vector<std::string> metrics_outside_training(const psqa::TrainingRange& range,
                                                                const std::vector<double>& row);

}  // namespace psqa_program
