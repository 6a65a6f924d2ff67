// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A training run as a folder: `run.json` (method, options, scales, split), `checkpoint.pt`, `history.jsonl`.

#include <algorithm>
#include <equipoise/data/split.hpp>
#include <equipoise/evaluation/conditions.hpp>
#include <equipoise/psqa/learning/evaluate.hpp>
#include <equipoise/psqa/learning/learner.hpp>
#include <equipoise/psqa/learning/sizes.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common.hpp"
#include "interval_text.hpp"

namespace psqa_program {

struct PolicyChoice {
  std::string name;
  eq::OptionList options;
};

/// All options of a policy: its defaults, but for those that are chosen.
[[nodiscard]] eq::OptionList options_of(const PolicyChoice& choice);
/// The names that a choice may have.
[[nodiscard]] std::vector<std::string> known_policies();
/// Those of them that need every task to have a linear head.
[[nodiscard]] std::vector<std::string> policies_for_linear_heads();
/// Whether a method's name says what it is shown, as `metrics_only` does.
[[nodiscard]] bool names_its_inputs(const std::string& method);
/// Modalities by their names, `dose,metrics`, or `all`; in the order of `psqa::kModalities`. \param where for messages
/// \throws NameError for an unknown modality
[[nodiscard]] std::vector<std::string> modalities_named(const std::string& list, const std::string& where);
/// The fusions that a method may have for the passing rates.
[[nodiscard]] const std::vector<std::string>& known_fusions();

/// Which records train, choose and judge: by patient, at random; the `fold`-th of `folds` parts is the test part where
/// there are folds; all plans of a machine are where one is left out.
struct SplitChoice {
  std::uint64_t seed = 1;
  double validation = 0.15, test = 0.25;  ///< shares of the patients
  std::int64_t folds = 0, fold = 0;
  std::string machine;
  std::int64_t records = 0;  ///< drawn at random from the training part, more of them hold the fewer; 0: all of it
};

/// A run whose weights are the first ones of another.
struct StartOfRun {
  std::string folder;
  std::string weights;                 ///< the first 16 digits of its checkpoint's SHA-256
  std::vector<std::uint64_t> cohorts;  ///< fingerprints of all cohorts that these weights were trained on
};

/// What defines a run; saved as run.json.
struct RunConfig {
  std::string cohort;
  std::string method = "bmmqa";  ///< how the run is called in tables
  std::string fusion = "attention";
  eq::OptionList fusion_options;
  std::vector<PolicyChoice> policies;
  std::vector<std::string> modalities = {"dose", "metrics"};  ///< what the model is shown, of `psqa::kModalities`
  eq::TrainerOptions trainer;
  psqa::PsqaSizes sizes;
  SplitChoice split;                ///< the same for all methods of a comparison
  std::optional<StartOfRun> start;  ///< none: the first weights are drawn
};

/// A trained model with all that is needed to use it.
struct Run {
  RunConfig config;
  std::string name;  ///< in tables: `label_of` its settings, or what `name_runs` gives it
  psqa::Scales scales;
  eq::DataSplit split;
  std::unique_ptr<psqa::Learner> learner;
  eq::History history;
  std::string ended;  ///< why it ended, once its last file was written; empty before, and in runs of an older version
  fs::path folder;
  std::uint64_t fingerprint = 0;  ///< of the cohort that it was trained on
  Json cohort_about;              ///< that cohort's description: how planned planes are computed
};

/// Makes a run one of a method: its name, fusion, policies and modalities. \throws NameError for an unknown method
/// `bmmqa` is attention with its two policies, `bmmqa_delivery` concatenation with them that is shown all modalities;
/// `concat:width=32+ogm:alpha=0.5+opm` is a fusion of that width with OGM, which has that option, and OPM; `dose_only` and
/// `metrics_only` are concatenation that is shown one modality. A method is shown other modalities by their names after `@`:
/// `concat@maps,metrics`, `bmmqa@all`.
void set_method(RunConfig& config, const std::string& method);

/// The settings of a run as options of `psqa train`, with defaults: `{{"--method", "concat"}, {"--seed", "1"}, …}`.
[[nodiscard]] eq::OptionList settings_of(const RunConfig& config);
/// An option that two runs do not share.
struct Difference {
  std::string option, before, now;
};
[[nodiscard]] std::vector<Difference> differences(const RunConfig& before, const RunConfig& now);
/// Of these, the options that decide which weights a model has: fusion, modalities and sizes.
[[nodiscard]] std::vector<Difference> model_differences(const RunConfig& before, const RunConfig& now);
/// A run's method; its fusion and policies (`concat+ogm`) where they are not the method's, and likewise its modalities.
[[nodiscard]] std::string label_of(const RunConfig& config);
/// Names the runs of one call: the label, and the fewest settings that tell each from the others (`concat, seed 2`).
void name_runs(std::vector<Run>& runs);

/// Trains into a new or empty folder, or anew over a run that saved nothing; or goes on with the run that is there, with
/// `config`'s cohort, device and epochs.
/// \param cohort the run's, with its planes; read from its folder where none is given
Run train_run(const RunConfig& config, const fs::path& folder, bool resume, const psqa::Cohort* cohort = nullptr);
/// \throws where fusion, options and policies do not go together
void check_config(const RunConfig& config);
/// `cpu`, `cuda` or `cuda:N`. \throws ValueError for another text, or where there is no such device
[[nodiscard]] c10::Device device_of(const std::string& text);
/// The same without touching a GPU. \throws ValueError for another text, or where LibTorch has no CUDA
[[nodiscard]] c10::Device device_named(const std::string& text);
/// A method with the budget that all methods of a comparison have.
[[nodiscard]] RunConfig comparison_config(const std::string& method, const std::string& cohort, std::int64_t epochs,
                                          std::uint64_t seed);

/// Makes a run one that starts from the weights of another: with that one's method, fusion, policies, modalities and
/// sizes. Does nothing where it starts there already. \throws FileError when the folder is no trained run
void start_from(RunConfig& config, const std::string& folder);
/// The run that another starts from. \throws ValueError where it is of another model; FileError where it is no run, or was
/// trained on since
[[nodiscard]] Run opened_start(const RunConfig& config);
/// The scales that the weights of `start` were trained with, and the machines of the run's own cohort. A passing rate that
/// one of the cohorts lacks has the scale of the run's own. \throws ValueError for a cohort with other metrics
[[nodiscard]] psqa::Scales scales_of_start(const Run& start, const psqa::Scales& own);
/// \throws ValueError where the weights were trained on this cohort, whose test records they may know. Warns where the
/// cohorts are of different kinds.
void check_cohort_of_start(const Run& run, const Run& start);
/// Parameters and buffers by their names, which both modules have.
void copy_weights(const torch::nn::Module& from, torch::nn::Module& to);

/// The run in a folder if it is finished; otherwise begins or goes on with it. \param cohort with its planes
/// \throws FileError when the run there is another: of another method, budget or cohort.
[[nodiscard]] Run ensure_run(const RunConfig& config, const fs::path& folder, const psqa::Cohort& cohort);
/// A trained run. \throws FileError when the folder is no run, or has no model yet.
[[nodiscard]] Run open_trained(const fs::path& folder, c10::Device device = c10::DeviceType::CPU);
/// \throws FileError when a run was trained on another cohort than this one, or on this one before it changed.
void check_cohort(const Run& run, const psqa::Cohort& cohort);
/// A run's description and history, without its model. \throws FileError when the folder is no run.
[[nodiscard]] Run read_run(const fs::path& folder);
/// Whether a run has saved an epoch.
[[nodiscard]] bool has_model(const fs::path& folder);
/// \throws FileError when the folder is no run.
[[nodiscard]] Run open_run(const fs::path& folder, c10::Device device = c10::DeviceType::CPU);

/// Whether a model is shown a modality.
[[nodiscard]] bool is_shown(const RunConfig& config, std::string_view modality);

/// The records with the given modalities alone; the others are absent, as are those that a record lacks.
template <class B>
[[nodiscard]] B shown(B data, const std::vector<std::string>& modalities) {
  std::uint64_t kept = 0;
  for (std::size_t m = 0; m < psqa::kModalities.size(); ++m)
    if (std::find(modalities.begin(), modalities.end(), psqa::kModalities[m]) != modalities.end())
      kept |= std::uint64_t{1} << m;
  std::vector<std::uint64_t> masks(data.presence.masks().begin(), data.presence.masks().end());
  for (std::uint64_t& mask : masks) mask &= kept;
  data.presence = eq::Presence(std::move(masks), 1, psqa::kModalities.size());
  return data;
}
/// What a cohort holds for the modalities beside dose plane and metrics that a run's model is shown.
[[nodiscard]] psqa::DeliveryRecords delivery_of(const RunConfig& config, const psqa::Cohort& cohort);
/// The cohort's records as the run's model is shown them.
[[nodiscard]] psqa::PsqaBatch data_of(const Run& run, const psqa::Cohort& cohort);
/// The scales that the baselines are fitted with: those of the run's own cohort, also where the run starts from another.
[[nodiscard]] psqa::Scales scales_of_baselines(const Run& run, const psqa::Cohort& cohort);
/// How a cohort is divided. \throws ValueError where a part would be empty
[[nodiscard]] eq::DataSplit split_of(const psqa::Cohort& cohort, const SplitChoice& choice);
/// The test records as the run's model sees and says them, with the passing rates that its maps give.
[[nodiscard]] psqa::MethodPredictions predict_test_records(Run& run, const psqa::Cohort& cohort);
/// The test records as they are, with nothing predicted. \param test those records, of `data_of`
[[nodiscard]] psqa::MethodPredictions truth_of(const Run& run, const psqa::Cohort& cohort, const psqa::PsqaBatch& test);
/// Puts what the run's model says of them into the predictions.
void take_output(psqa::MethodPredictions& predictions, const psqa::PsqaOutput& output, const Run& run);
/// A model's noisy inputs: what a clinic may see, for each modality of `psqa::kModalities`.
[[nodiscard]] const std::vector<eq::ModalityNoise>& test_noise();
/// What the model says of the records under a condition: which modalities it is shown, and how noisy one of them is.
[[nodiscard]] psqa::PsqaOutput predict_under(const Run& run, const psqa::PsqaBatch& records,
                                             const eq::TestCondition& condition);
/// The model's error at 2%/2 mm on the test records when it is shown all of its modalities, each alone, and all but one;
/// points.
struct ShownError {
  std::string shown;
  eq::Interval mae;
};
/// \param test the test records, of `data_of`
[[nodiscard]] std::vector<ShownError> errors_without_modalities(const Run& run, const psqa::Cohort& cohort,
                                                                const psqa::PsqaBatch& test);
/// The same of several runs as the rows of a table, the first its head.
[[nodiscard]] std::vector<std::vector<std::string>> errors_without_modalities(const std::vector<Run>& runs,
                                                                              const psqa::Cohort& cohort);

/// One self-contained HTML page about runs on one cohort.
void write_report(std::vector<Run>& runs, const fs::path& file);
/// Runs and the baselines of `psqa::kBaselines` on the test records of one cohort.
struct Comparison {
  std::vector<psqa::MethodMetrics> metrics;          ///< of the runs, then of the baselines
  std::vector<psqa::MethodPredictions> predictions;  ///< of the runs
  std::vector<psqa::MethodPredictions> baselines;
};
/// Names the runs and judges them.
[[nodiscard]] Comparison compare(std::vector<Run>& runs, const psqa::Cohort& cohort);
/// Rows of equal length in aligned columns on standard output, the first the head.
void print_rows(const std::vector<std::vector<std::string>>& rows);
/// The table of methods on standard output.
void print_table(const Comparison& comparison);
/// In sentences: the method with the lowest error at 2%/2 mm, by how much, and whether the paired interval separates it
/// from the next one, and from the baselines that see the table.
[[nodiscard]] std::vector<std::string> verdict(const Comparison& comparison);
/// The first method against each other one, in a sentence.
[[nodiscard]] std::vector<std::string> paired_sentences(const std::vector<psqa::MethodPredictions>& predictions);

}  // namespace psqa_program
