// SPDX-License-Identifier: MIT
/// \file
/// Runs: train, save, open, judge.

#include "run.hpp"

#include <algorithm>
#include <equipoise/core/base/text_stream.hpp>
#include <equipoise/data/groups.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/io/folder_lock.hpp>
#include <equipoise/io/new_folder.hpp>
#include <equipoise/psqa/cohort/reader.hpp>
#include <equipoise/psqa/learning/methods.hpp>
#include <equipoise/training/policies.hpp>
#include <fstream>
#include <optional>
#include <set>

#include "calibration.hpp"

namespace psqa_program {

namespace {

constexpr std::string_view kRunSchema = "equipoise.psqa.run/6";

/// What an error adds for a run of an older schema.
std::string older_run(const Json& schema) {
  const std::string given = schema.is_string() ? schema.get<std::string>() : "";
  if (!given.starts_with("equipoise.psqa.run/") || given >= kRunSchema) return {};
  if (given == "equipoise.psqa.run/5") return "; an older psqa made it: train again";
  return "; an older run predicts no rate at 3%/2 mm and was trained on planes without the collimator's angle: make "
         "its cohort again with psqa simulate or psqa import, and train again";
}

Json options_json(const eq::OptionList& list) {
  Json out = Json::object();
  for (const auto& [key, text] : list) out[key] = text;
  return out;
}

/// How a cohort is divided; the number of training records only where it is limited.
Json division_json(const SplitChoice& c) {
  Json out{{"seed", c.seed}, {"validation", c.validation}, {"test", c.test}, {"folds", c.folds},
           {"fold", c.fold}, {"machine", c.machine}};
  if (c.records > 0) out["records"] = c.records;
  return out;
}

eq::OptionList options_from(const Json& j) {
  eq::OptionList out;
  for (const auto& [key, text] : j.items()) out.emplace_back(key, text.get<std::string>());
  return out;
}

/// What defines a run apart from where it is.
Json description_of(const RunConfig& c) {
  Json policies = Json::array();
  for (const PolicyChoice& p : c.policies) policies.push_back({{"name", p.name}, {"options", options_json(p.options)}});
  Json trainer = options_json(eq::options(c.trainer)), model = options_json(eq::options(c.sizes));
  trainer.erase("checkpoint"), trainer.erase("device");
  for (const auto& [size, value] : eq::options(c.sizes))
    if (psqa::is_of_cohort(size)) model.erase(size);
  return {{"method", c.method},
          {"fusion", c.fusion},
          {"fusion_options", options_json(c.fusion_options)},
          {"policies", policies},
          {"trainer", trainer},
          {"model", model},
          {"modalities", c.modalities},
          {"split_by", division_json(c.split)}};
}

Json to_json(const Run& run) {
  Json out{{"schema", kRunSchema},
           {"cohort", fs::relative(run.config.cohort, run.folder).string()},  // a folder of both may move
           {"cohort_fingerprint", run.fingerprint},
           {"cohort_about", run.cohort_about}};
  if (const std::optional<StartOfRun>& start = run.config.start)
    out["start_from"] = {{"run", fs::relative(fs::absolute(start->folder), run.folder).string()},
                         {"weights", start->weights},
                         {"cohort_fingerprints", start->cohorts}};
  out.update(description_of(run.config));
  for (const auto& [size, value] : eq::options(run.config.sizes))
    if (psqa::is_of_cohort(size)) out["of_cohort"][size] = value;
  out["scales"] = run.scales.to_json();
  out["split"] = {{"train", run.split.train}, {"validation", run.split.validation}, {"test", run.split.test}};
  if (run.history.best_epoch >= 0) out["best_epoch"] = run.history.best_epoch;
  if (!run.ended.empty()) out["ended"] = run.ended;
  return out;
}

eq::PolicyStack stack_of(const std::vector<PolicyChoice>& choices) {
  eq::PolicyStack out;
  for (const PolicyChoice& c : choices) out.push_back(eq::make_policy(c.name, c.options));
  return out;
}

Json history_line(const eq::EpochRecord& record) {
  Json line{{"epoch", record.epoch}};
  for (const auto& [name, value] : record.values) line[name] = number_or_null(value);
  return line;
}

void append_history(const fs::path& file, const eq::EpochRecord& record) {
  std::ofstream out(file, std::ios::app);
  out << history_line(record).dump() << "\n";
  if (!out.flush()) throw eq::FileError(eq::message("file.403", file.string(), "cannot be written"));
}

eq::History read_history(const fs::path& file) {
  eq::History history;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const Json j = Json::parse(line, nullptr, false);
    if (j.is_discarded()) break;  // the last line of a run that was cut off
    eq::EpochRecord& r = history.epochs.emplace_back();
    for (const auto& [key, value] : j.items())
      if (key == "epoch")
        r.epoch = value;
      else if (value.is_number())
        r.values.emplace_back(key, value);
  }
  return history;
}

/// The log of a run as a whole: it may have been cut off in a line.
void write_history(const fs::path& file, const eq::History& history) {
  eq::io::AtomicFile out(file);
  for (const eq::EpochRecord& r : history.epochs) out.write(history_line(r).dump() + "\n");
  out.commit();
}

/// Whether a model is shown more than the dose plane and the metrics.
bool needs_delivery_model(const RunConfig& c) {
  return is_shown(c, "maps") || is_shown(c, "machine");
}

/// A model with its policies, untrained. \throws before anything is written where the two do not go together
std::unique_ptr<psqa::Learner> new_learner(const RunConfig& c) {
  torch::manual_seed(c.trainer.seed);
  std::unique_ptr<psqa::Learner> learner = needs_delivery_model(c)
                                               ? psqa::make_delivery_learner(c.fusion, c.sizes, c.fusion_options)
                                               : psqa::make_learner(c.fusion, c.sizes, c.fusion_options);
  eq::TrainerOptions trainer = c.trainer;
  trainer.progress = nullptr;  // the program has its own
  learner->prepare(stack_of(c.policies), trainer);
  return learner;
}

void write_description(const Run& run) {
  eq::io::AtomicFile file(run.folder / "run.json");
  file.write(to_json(run).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  file.commit();
}

std::vector<std::string> column_of(const psqa::Cohort& cohort, std::string psqa::CohortRecord::*column) {
  std::vector<std::string> out;
  for (const psqa::CohortRecord& r : cohort.records) out.push_back(r.*column);
  return out;
}

std::vector<std::string> distinct(const std::vector<std::string>& names) {
  const std::set<std::string> all(names.begin(), names.end());
  return {all.begin(), all.end()};
}

/// The policies of BMMQA on that many modalities.
std::vector<PolicyChoice> policies_of_bmmqa(std::size_t modalities) {
  std::vector<PolicyChoice> out;
  for (const eq::AnyPolicy& p : psqa::bmmqa_policies(modalities)) out.push_back({std::string(p.id()), p.options()});
  return out;
}

/// The parts of `concat+ogm:alpha=0.5`, with their options: the fusion, then policies.
std::vector<PolicyChoice> parts_of_method(const std::string& method) {
  std::vector<PolicyChoice> out;
  eq::TextReader parts(method);
  std::string part, option;
  while (std::getline(parts, part, '+')) {
    eq::TextReader words(part);
    PolicyChoice& choice = out.emplace_back();
    std::getline(words, choice.name, ':');
    while (std::getline(words, option, ':')) choice.options.push_back(key_and_value(option, "--methods"));
  }
  if (out.empty()) out.emplace_back();
  return out;
}

}  // namespace

namespace {

eq::DataSplit whole_split_of(const psqa::Cohort& cohort, const SplitChoice& c) {
  const std::vector<std::int64_t> patients = eq::group_numbers(column_of(cohort, &psqa::CohortRecord::patient));
  if (c.machine.empty()) return eq::split_by_group(patients, c.validation, c.test, c.seed, c.fold);
  const std::vector<std::string> machines = column_of(cohort, &psqa::CohortRecord::machine);
  if (std::find(machines.begin(), machines.end(), c.machine) == machines.end())
    throw eq::NameError(eq::message("name.311", "machine", "no machine \"", c.machine, "\" in the cohort; ",
                                    eq::nearest_name(c.machine, distinct(machines))));
  return eq::split_leaving_out(patients, machines, c.machine, c.validation, c.seed);
}

}  // namespace

eq::DataSplit split_of(const psqa::Cohort& cohort, const SplitChoice& c) {
  eq::DataSplit out = whole_split_of(cohort, c);
  if (c.records > 0) out.train = eq::drawn_records(out.train, c.records, c.seed);
  return out;
}

namespace {

/// A run that goes on, with the cohort, device and epochs of `config`.
Run resumed_run(const RunConfig& config, const fs::path& folder) {
  Run run = open_run(folder, config.trainer.device);
  if (!has_model(folder)) run.history = {};
  run.history.best_epoch = -1, run.ended = {};  // not known until the run has ended
  const auto done = static_cast<std::int64_t>(run.history.epochs.size());
  run.config.trainer.epochs = config.trainer.epochs;
  if (run.config.trainer.epochs < done)
    throw eq::ValueError(eq::message("value.212", folder.string(), "expected at least the ", done,
                                     " epochs that the run has, got ", run.config.trainer.epochs));
  return run;
}

/// \throws ValueError where the run goes on with another cohort than it was started with
void take_cohort(Run& run, const std::string& path, const psqa::Cohort& cohort) {
  const std::string before = std::exchange(run.config.cohort, path);
  if (fs::weakly_canonical(before) == fs::weakly_canonical(path)) return check_cohort(run, cohort);
  if (psqa::fingerprint(cohort) != run.fingerprint)
    throw eq::ValueError(eq::message("value.212", run.folder.string(), "expected --cohort ", before,
                                     ", with which the run was started, got ", path, ", whose records differ"));
}

/// What a new run takes of its cohort. \param start the run whose weights it starts from
void describe(Run& run, const psqa::Cohort& cohort, const std::optional<Run>& start) {
  run.fingerprint = psqa::fingerprint(cohort), run.cohort_about = cohort.about;
  run.cohort_about.erase("sources"), run.cohort_about.erase("skipped");  // of an import; long
  if (start) check_cohort_of_start(run, *start);
  run.split = split_of(cohort, run.config.split);
  psqa::PsqaSizes& sizes = run.config.sizes;
  run.scales = psqa::fit_scales(cohort, run.split.train, sizes.pool, delivery_of(run.config, cohort));
  if (start) run.scales = scales_of_start(*start, run.scales);
  sizes.metrics = static_cast<std::int64_t>(cohort.metric_names.size());
  sizes.channels = static_cast<std::int64_t>(run.scales.delivery.channels.size());
  sizes.machine = run.scales.delivery.columns();
}

}  // namespace

Run train_run(const RunConfig& config, const fs::path& folder, bool resume, const psqa::Cohort* given) {
  Run run;
  if (resume) {
    run = resumed_run(config, folder);
  } else {
    const bool saved_nothing = fs::exists(folder / "run.json") && !has_model(folder);
    if (!saved_nothing && !(fs::is_directory(folder) && fs::is_empty(folder)))
      eq::io::check_new_folder(folder, " (go on with --resume)");
    run.config = config, run.folder = folder, run.name = label_of(config);
  }
  run.config.trainer.checkpoint = (folder / "checkpoint.pt").string();
  std::optional<psqa::Cohort> from_folder;
  const psqa::Cohort& cohort = given ? *given : from_folder.emplace(psqa::read_cohort(config.cohort));
  std::optional<Run> start;  // where the first epoch is still to come
  if (run.config.start && !has_model(folder)) start = opened_start(run.config);
  if (resume) {
    take_cohort(run, config.cohort, cohort);
  } else {
    describe(run, cohort, start);
  }
  run.learner = new_learner(run.config);
  if (start) copy_weights(start->learner->module(), run.learner->module());
  make_folder(folder);
  const eq::io::FolderLock lock(folder);
  write_description(run);
  const auto all = data_of(run, cohort);
  const fs::path log = folder / "history.jsonl";
  write_history(log, run.history);
  Progress progress(run.name + ": epoch");
  psqa::Watch watch;
  watch.on_epoch = [&](const eq::EpochRecord& r) {
    append_history(log, r);
    const double* objective = r.find("val/objective");
    progress.show(r.epoch + 1, run.config.trainer.epochs,
                  objective ? "val " + std::to_string(*objective).substr(0, 6) : "");
  };
  watch.should_stop = [] { return interrupted(); };
  const fs::path checkpoint = run.config.trainer.checkpoint;
  try {
    run.history = run.learner->fit(all.select(run.split.train), all.select(run.split.validation), watch,
                                   resume && fs::exists(checkpoint) ? checkpoint : fs::path());
  } catch (const eq::NumericError& e) {
    std::string ids;
    for (const std::int64_t i : e.records) ids += " " + cohort.records.at(static_cast<std::size_t>(i)).id;
    throw eq::NumericError({e.id(), e.what() + (ids.empty() ? "" : "; in the cohort:" + ids)});
  }
  write_history(log, run.history);
  if (run.history.stop == eq::StopReason::requested) {
    write_description(run);  // now with the best epoch
    throw Interrupted("interrupted after " + std::to_string(run.history.epochs.size()) +
                      " epochs; go on with: psqa train --resume --out " + folder.string());
  }
  write_calibration(run, cohort);
  run.ended = eq::to_string(run.history.stop);
  write_description(run);  // the last file of a run: with the best epoch, and that it has ended
  return run;
}

bool has_model(const fs::path& folder) {
  return fs::exists(folder / "checkpoint.pt");
}

namespace {

/// What a path relative to a run's folder names; without `..` where that says the same, which it does not beyond a link.
std::string path_from(const fs::path& folder, const std::string& relative) {
  const fs::path given = folder / relative, shorter = given.lexically_normal();
  std::error_code error;
  const bool other = fs::exists(given, error) && !fs::equivalent(given, shorter, error);
  return (other ? fs::weakly_canonical(given) : shorter).string();
}

/// Whether nothing of a run is left to be done. An older version did not write why it ended.
bool has_ended(const Run& run) {
  const bool trained = static_cast<std::int64_t>(run.history.epochs.size()) >= run.config.trainer.epochs;
  return !run.ended.empty() || (trained && fs::exists(run.folder / "calibration.json"));
}

}  // namespace

Run read_run(const fs::path& folder) {
  std::ifstream in(folder / "run.json");
  if (!in)
    throw eq::FileError(eq::message("file.401", (folder / "run.json").string(), "expected a readable file: is ",
                                    folder.string(), " a run?"));
  Run run;
  run.folder = folder;
  try {
    const Json j = Json::parse(in);
    if (j.at("schema") != kRunSchema)
      throw eq::FileError(eq::message("file.438", (folder / "run.json").string(), "expected schema ", kRunSchema,
                                      ", got ", j.at("schema").dump(), older_run(j.at("schema"))));
    RunConfig& c = run.config;
    c.cohort = path_from(folder, j.at("cohort"));
    if (j.contains("start_from")) {
      const Json& start = j.at("start_from");
      c.start = {path_from(folder, start.at("run")), start.at("weights"), start.at("cohort_fingerprints")};
    }
    c.method = j.at("method"), c.fusion = j.at("fusion");
    c.fusion_options = options_from(j.at("fusion_options"));
    run.fingerprint = j.at("cohort_fingerprint"), run.cohort_about = j.at("cohort_about");
    for (const Json& p : j.at("policies")) c.policies.push_back({p.at("name"), options_from(p.at("options"))});
    eq::set_options(c.trainer, options_from(j.at("trainer")), "run.json");
    eq::set_options(c.sizes, options_from(j.at("model")), "run.json");
    eq::set_options(c.sizes, options_from(j.at("of_cohort")), "run.json");
    run.scales = psqa::Scales::from_json(j.at("scales"));
    j.at("modalities").get_to(c.modalities);
    const Json& by = j.at("split_by");
    c.split = {by.at("seed"),
               by.at("validation"),
               by.at("test"),
               by.at("folds"),
               by.at("fold"),
               by.at("machine"),
               by.value("records", std::int64_t{0})};
    j.at("split").at("train").get_to(run.split.train);
    j.at("split").at("validation").get_to(run.split.validation);
    j.at("split").at("test").get_to(run.split.test);
    run.history = read_history(folder / "history.jsonl");
    run.history.best_epoch = j.value("best_epoch", std::int64_t{-1});
    run.ended = j.value("ended", "");
  } catch (const nlohmann::json::exception& e) {
    throw eq::FileError(
        eq::message("file.438", (folder / "run.json").string(), "expected a run's description: ", e.what()));
  }
  run.name = label_of(run.config);
  return run;
}

Run open_run(const fs::path& folder, c10::Device device) {
  Run run = read_run(folder);
  run.config.trainer.device = device;
  run.learner = new_learner(run.config);
  if (has_model(folder)) run.learner->restore(folder / "checkpoint.pt");
  return run;
}

Run open_trained(const fs::path& folder, c10::Device device) {
  Run run = open_run(folder, device);
  if (!has_model(folder))
    throw eq::FileError(
        eq::message("file.401", (folder / "checkpoint.pt").string(), "expected a trained model, got none"));
  return run;
}

void check_cohort(const Run& run, const psqa::Cohort& cohort) {
  if (psqa::fingerprint(cohort) != run.fingerprint)
    throw eq::FileError(eq::message("file.449", run.folder.string(),
                                    "expected the cohort that the run was trained on (", run.config.cohort,
                                    "), got another, or it has changed since"));
}

void check_config(const RunConfig& config) {
  (void)new_learner(config);
}

eq::OptionList options_of(const PolicyChoice& choice) {
  return eq::make_policy(choice.name, choice.options).options();
}

std::vector<std::string> known_policies() {
  return eq::policy_names();
}

std::vector<std::string> policies_for_linear_heads() {
  std::vector<std::string> names;
  eq::for_each_type<eq::EveryPolicy>([&]<class P>() {
    if (P::needs.linear_head) names.emplace_back(P::id);
  });
  return names;
}

const std::vector<std::string>& known_fusions() {
  return psqa::fusion_names();
}

bool is_shown(const RunConfig& config, std::string_view modality) {
  return std::find(config.modalities.begin(), config.modalities.end(), modality) != config.modalities.end();
}

psqa::Scales scales_of_baselines(const Run& run, const psqa::Cohort& cohort) {
  if (!run.config.start) return run.scales;
  return psqa::fit_scales(cohort, run.split.train, run.scales.pool, delivery_of(run.config, cohort));
}

psqa::DeliveryRecords delivery_of(const RunConfig& config, const psqa::Cohort& cohort) {
  return psqa::delivery_records(config.cohort, cohort, is_shown(config, "maps"), is_shown(config, "machine"));
}

std::vector<std::string> modalities_named(const std::string& list, const std::string& where) {
  if (list == "all") return psqa::kModalities;
  std::vector<std::string> chosen;
  eq::TextReader names(list);
  for (std::string name; std::getline(names, name, ',');) {
    if (std::find(psqa::kModalities.begin(), psqa::kModalities.end(), name) == psqa::kModalities.end())
      throw eq::NameError(
          eq::message("name.308", where, "no modality \"", name, "\"; ", eq::nearest_name(name, psqa::kModalities)));
    chosen.push_back(name);
  }
  std::vector<std::string> in_order;
  for (const std::string& name : psqa::kModalities)
    if (std::find(chosen.begin(), chosen.end(), name) != chosen.end()) in_order.push_back(name);
  if (in_order.empty())
    throw eq::ValueError(eq::message("value.212", where, "expected modalities as dose,metrics or all, got none"));
  return in_order;
}

namespace {

/// A method whose name says more than a fusion and policies.
struct NamedMethod {
  std::string name, fusion;
  std::vector<std::string> modalities;  ///< that the name says; none: those of a run by default
  bool bmmqa;                           ///< whether it has BMMQA's policies
};

const std::vector<NamedMethod>& named_methods() {
  static const std::vector<NamedMethod> all = {{"bmmqa", "attention", {}, true},
                                               {"bmmqa_delivery", "concat", psqa::kModalities, true},
                                               {"dose_only", "concat", {"dose"}, false},
                                               {"metrics_only", "concat", {"metrics"}, false}};
  return all;
}

const NamedMethod* named_method(const std::string& name) {
  const auto at = std::ranges::find(named_methods(), name, &NamedMethod::name);
  return at == named_methods().end() ? nullptr : &*at;
}

/// \throws NameError for an unknown name; ValueError for more than the name of a named method
void check_method(const std::string& name, const std::string& made) {
  if (name != made && named_method(name))
    throw eq::ValueError(eq::message("value.212", "--method", "expected no options and policies after ", name,
                                     ", whose name says them, got ", made));
  std::vector<std::string> names;
  for (const NamedMethod& method : named_methods()) names.push_back(method.name);
  names.insert(names.end(), known_fusions().begin(), known_fusions().end());
  if (std::ranges::find(names, name) == names.end())
    throw eq::NameError(
        eq::message("name.308", "--method", "no method \"", name, "\"; ", eq::nearest_name(name, names)));
}

}  // namespace

bool names_its_inputs(const std::string& method) {
  const NamedMethod* named = named_method(method);
  return named && !named->modalities.empty();
}

void set_method(RunConfig& config, const std::string& method) {
  const std::size_t at = method.find('@');
  const std::string made = method.substr(0, at);  // of a fusion and policies
  std::vector<PolicyChoice> parts = parts_of_method(made);
  const PolicyChoice fusion = parts.front();
  parts.erase(parts.begin());
  check_method(fusion.name, made);
  if (at != std::string::npos && names_its_inputs(made))
    throw eq::ValueError(eq::message("value.212", "--method", "expected no inputs after ", made,
                                     ", whose name says them, got ", method, "; other inputs are those of a fusion"));
  const NamedMethod* named = named_method(made);
  config.method = method;
  config.fusion = named ? named->fusion : fusion.name;
  config.fusion_options = fusion.options;
  config.modalities = names_its_inputs(made) ? named->modalities : RunConfig{}.modalities;
  if (at != std::string::npos) config.modalities = modalities_named(method.substr(at + 1), "--method");
  config.policies = !named         ? parts
                    : named->bmmqa ? policies_of_bmmqa(config.modalities.size())
                                   : std::vector<PolicyChoice>{};
}

RunConfig comparison_config(const std::string& method, const std::string& cohort, std::int64_t epochs,
                            std::uint64_t seed) {
  RunConfig config;
  understood([&] { set_method(config, method); });
  config.cohort = cohort;
  config.trainer.epochs = epochs, config.trainer.batch_size = 32, config.trainer.seed = seed;
  config.trainer.schedule = eq::Schedule::cosine, config.trainer.learning_rate = 2e-3;
  return config;
}

Run ensure_run(const RunConfig& config, const fs::path& folder, const psqa::Cohort& cohort) {
  const bool begun = fs::exists(folder / "run.json");
  if (begun) {
    Run run = open_run(folder, config.trainer.device);
    check_cohort(run, cohort);
    if (const std::vector<Difference> other = differences(run.config, config); !other.empty())
      throw eq::FileError(eq::message("file.448", folder.string(), "expected a run with ", other[0].option, " ",
                                      other[0].now, ", got ", other[0].before, "; choose another folder"));
    if (has_ended(run)) {
      step(config.method + ": reusing " + folder.string());
      return run;
    }
  }
  step(config.method + (begun ? ": going on with " : ": training into ") + folder.string());
  return train_run(config, folder, begun, &cohort);
}

}  // namespace psqa_program
