// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What `psqa compare` computes, from the command line and a TOML file.

#include <equipoise/evaluation/search.hpp>

#include <functional>
#include <string>
#include <vector>

#include "run.hpp"

namespace psqa_program {

struct StudySettings {
  std::string cohort, out = "runs/compare", device = "cpu";
  std::string floors;      ///< the table of `psqa floor --csv`; may be empty
  std::string html;        ///< where a page of the study goes; may be empty
  std::string start_from;  ///< folder with a run of each method, by its name, whose weights are the first; may be empty
  std::vector<std::string>
      inputs;  ///< what each method is shown, in turn: `dose,metrics`, `all`; none: what it is made for
  std::vector<std::string> methods = [] {  // BMMQA, and every fusion without policies
    std::vector<std::string> all = known_fusions();
    all.insert(all.begin(), "bmmqa");
    return all;
  }();
  std::int64_t seeds = 5, epochs = 30, folds = 0;
  std::size_t jobs = 1, trials = 1;
  std::vector<std::int64_t> records;  ///< of training, in turn, ascending; none: the whole training part
  bool machines = false, json = false;
  bool conditions = false;  ///< whether methods are also compared with modalities missing or noisy at test
  std::vector<std::string> trainer, model;  ///< `key=value`, for every method
  /// What trials draw: `trainer.<option>` and `model.<option>`.
  std::vector<eq::SearchRange> search = {
      {.option = "trainer.learning_rate", .low = 5e-4, .high = 8e-3, .logarithmic = true},
      {.option = "trainer.weight_decay", .low = 1e-5, .high = 1e-1, .logarithmic = true},
      {.option = "model.width", .choices = {"32", "64", "128"}}};
};

/// Takes from a TOML file what the command line does not say: cohort, methods, inputs, floors, seeds, folds,
/// leave_out_machines, conditions, records, epochs, jobs, trials, start_from, device, out, html, and the tables trainer,
/// model and search.
/// \param is_given whether an option stands on the command line \throws FileError, NameError that name file and line
void read_study(const std::string& file, const std::function<bool(const char*)>& is_given, StudySettings& settings);

/// The methods of a study, each with each of the inputs: `concat@dose,metrics`. \throws NameError for an unknown modality
[[nodiscard]] std::vector<std::string> methods_with_inputs(const StudySettings& settings);

/// A method of a study, and the run that it starts from, whose weights are read.
[[nodiscard]] RunConfig method_config(const StudySettings& settings, const std::string& method);
/// A method with the settings of a study, those of a trial and a split. \param config of `method_config`
[[nodiscard]] RunConfig config_of(const StudySettings& settings, RunConfig config, const SplitChoice& split,
                                  const eq::OptionList& trial);

}  // namespace psqa_program
