// SPDX-License-Identifier: MIT
/// \file
/// train: a run from a TOML file and the command line.

#include <ATen/Context.h>
#include <torch/cuda.h>
#include <iostream>
#include <memory>
#include <optional>
#include <tuple>

#include "command_line.hpp"
#include "run.hpp"
#include "toml_options.hpp"

namespace psqa_program {

namespace {

bool is_cuda(const std::string& device) {
  return device == "cuda" || device.starts_with("cuda:");
}

eq::ValueError no_cuda() {
  return eq::ValueError(
      eq::message("value.212", "--device", "expected cpu: this machine has no CUDA device, or LibTorch no CUDA"));
}

}  // namespace

c10::Device device_named(const std::string& text) {
  if (text != "cpu" && !is_cuda(text))
    throw eq::ValueError(eq::message("value.212", "--device", "expected cpu, cuda or cuda:N, got \"", text, "\""));
  if (is_cuda(text) && !at::globalContext().hasCUDART()) throw no_cuda();
  return c10::Device(text);
}

c10::Device device_of(const std::string& text) {
  const c10::Device out = device_named(text);
  if (is_cuda(text) && !torch::cuda::is_available()) throw no_cuda();
  return out;
}

namespace {

struct TrainArguments {
  std::optional<std::string> cohort, method, fusion, machine, start_from;
  std::optional<std::int64_t> epochs;
  std::optional<std::uint64_t> seed, split_seed;
  std::string out, file, device = "cpu";
  std::vector<std::string> modalities, fusion_options, policies, policy_options, settings, sizes;
  bool resume = false, json = false;
};

/// `k=v` belongs to the only policy, `name.k=v` to the one of that name.
void add_policy_option(RunConfig& config, const std::string& text) {
  auto [key, value] = key_and_value(text, "--policy-option");
  std::vector<std::string> names;
  for (PolicyChoice& p : config.policies) {
    names.push_back(p.name);
    if (key.starts_with(p.name + ".")) return void(p.options.emplace_back(key.substr(p.name.size() + 1), value));
  }
  if (config.policies.size() == 1) return void(config.policies[0].options.emplace_back(key, value));
  throw eq::NameError(eq::message("name.309", "--policy-option", "expected <policy>.<option>=<value>, got \"", text,
                                  "\"; ", eq::nearest_name(key, names)));
}

/// method, cohort, fusion, start_from, [trainer], [model] and [policy.<name>] of a TOML file.
void read_toml(const std::string& file, RunConfig& config) {
  try {
    const toml::table table = toml::parse_file(file);
    if (const toml::node* start = table.get("start_from"); start && !config.start) start_from(config, text_of(*start));
    if (const toml::node* method = table.get("method")) set_method(config, text_of(*method));  // the others change it
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      const std::string where = file + ": " + name;
      if (name == "method" || name == "start_from") continue;
      if (name == "cohort")
        config.cohort = text_of(node);
      else if (name == "fusion")
        config.fusion = text_of(node);
      else if (name == "fusion_options")
        config.fusion_options = entries_of(node, where);
      else if (name == "trainer")
        eq::set_options(config.trainer, entries_of(node, where), where);
      else if (name == "model")
        eq::set_options(config.sizes, entries_of(node, where), where);
      else if (name == "policy") {
        config.policies.clear();
        (void)entries_of(node, where);
        for (const auto& [k, v] : *node.as_table())
          config.policies.push_back({std::string(k.str()), entries_of(v, where + "." + std::string(k.str()))});
      } else {
        throw eq::NameError(eq::message("name.302", file, "no option \"", name, "\"; ",
                                        eq::nearest_name(name, {"method", "cohort", "fusion", "fusion_options",
                                                                "start_from", "trainer", "model", "policy"})));
      }
    }
  } catch (const toml::parse_error& e) {
    throw eq::FileError(eq::message("file.439", file, "line ", e.source().begin.line, ": ", e.description()));
  }
}

/// The defaults of a new run.
RunConfig new_config() {
  RunConfig c;
  set_method(c, c.method);
  return c;
}

/// The settings `c` with what the file says, then with what the command line says.
RunConfig config_of(const TrainArguments& a, RunConfig c = new_config()) {
  const psqa::PsqaSizes before = c.sizes;
  if (a.start_from) start_from(c, *a.start_from);
  if (!a.file.empty()) read_toml(a.file, c);
  if (a.method) understood([&] { set_method(c, *a.method); });
  if (a.cohort) c.cohort = *a.cohort;
  if (a.fusion) c.fusion = *a.fusion;
  if (!a.modalities.empty())
    understood([&] { c.modalities = modalities_named(listed(a.modalities, ",", ","), "--modalities"); });
  if (a.machine) c.split.machine = *a.machine;
  if (!a.policies.empty()) {
    c.policies.clear();
    for (const std::string& name : a.policies)
      if (name != "none") c.policies.push_back({name, {}});
  }
  for (const std::string& text : a.fusion_options) c.fusion_options.push_back(key_and_value(text, "--fusion-option"));
  understood([&] {
    for (const std::string& text : a.policy_options) add_policy_option(c, text);
    if (a.method || a.fusion || !a.fusion_options.empty() || !a.policies.empty() || !a.policy_options.empty())
      check_config(c);  // names and values of parts exist
  });
  set_options(c.trainer, a.settings, "--set");
  set_options(c.sizes, a.sizes, "--model");
  const auto of_cohort = [](const psqa::PsqaSizes& s) { return std::tuple(s.metrics, s.channels, s.machine); };
  if (of_cohort(c.sizes) != of_cohort(before))
    throw eq::ValueError(
        eq::message("value.212", "--model", "expected no metrics, channels or machine: the cohort ", "decides them"));
  if (a.epochs) c.trainer.epochs = *a.epochs;
  if (a.seed) c.trainer.seed = *a.seed;
  if (a.split_seed) c.split.seed = *a.split_seed;
  return c;
}

/// What the command line asks of a run that has saved an epoch. \throws ValueError with all options that differ, where
/// they may not
RunConfig config_to_resume(const TrainArguments& a) {
  const RunConfig before = read_run(a.out).config;
  RunConfig now = config_of(a, before);
  std::vector<std::string> differing;
  for (const Difference& d : differences(before, now))
    if (d.option != "--epochs") differing.push_back(d.option + " " + d.now + " (before: " + d.before + ")");
  if (!differing.empty())
    throw eq::ValueError(eq::message("value.212", "train --resume", "expected the options that ", a.out,
                                     " was started with, got ", listed(differing)));
  return now;
}

Run train_or_resume(const TrainArguments& a) {
  const auto with_device = [&](RunConfig c) {
    if (c.cohort.empty()) throw eq::ValueError(eq::message("value.212", "train", "expected --cohort"));
    c.trainer.device = device_of(a.device);
    return c;
  };
  if (!a.resume) return train_run(with_device(config_of(a)), a.out, false);
  if (has_model(a.out)) return train_run(with_device(config_to_resume(a)), a.out, true);
  if (!fs::exists(a.out)) {
    step("there is no " + a.out + " yet: training from the start");
    return train_run(with_device(config_of(a)), a.out, false);
  }
  const bool begun = !fs::is_directory(a.out) || !fs::is_empty(a.out);
  const RunConfig c = begun ? config_of(a, read_run(a.out).config) : config_of(a);  // or the folder is no run
  step("nothing was saved in " + a.out + " yet: training from the start");
  return train_run(with_device(c), a.out, false);
}

void train(const TrainArguments& a) {
  // Where a run goes on, or a file may say it, the cohort need not be given.
  std::vector<std::string> missing;
  if (!a.cohort && a.file.empty() && !(a.resume && fs::exists(fs::path(a.out) / "run.json")))
    missing.emplace_back("--cohort");
  if (a.out.empty()) missing.emplace_back("--out");
  if (!missing.empty())
    throw CLI::RequiredError(
        "expected " + listed(missing, " and ") + ", which " + (missing.size() == 1 ? "is" : "are") + " required",
        CLI::ExitCodes::RequiredError);
  catch_interrupts();
  const Run run = train_or_resume(a);
  const std::int64_t best = run.history.best_epoch;
  if (!a.json) {
    std::cout << "trained " << run.name << " for " << run.history.epochs.size() << " epochs ("
              << eq::to_string(run.history.stop) << "), "
              << (best < 0 ? "without validation" : "best epoch " + std::to_string(best + 1)) << "\nrun: " << a.out
              << "\n";
    return;
  }
  Json validation = Json::object();
  if (best >= 0)
    for (const auto& [name, value] : run.history.epochs.at(static_cast<std::size_t>(best)).values)
      if (name.starts_with("val/")) validation[name.substr(4)] = value;
  print_json({{"run", a.out},
              {"method", run.name},
              {"epochs", run.history.epochs.size()},
              {"stop", eq::to_string(run.history.stop)},
              {"best_epoch", best < 0 ? Json() : Json(best + 1)},
              {"validation", validation}});
}

}  // namespace

void add_train_command(CLI::App& app) {
  auto a = std::make_shared<TrainArguments>();
  CLI::App* c = app.add_subcommand("train", "Train BMMQA or a baseline on a cohort");
  c->add_option("--cohort", a->cohort, "folder made by simulate or import; required for a new run");
  c->add_option("--out", a->out, "the run's folder; required");
  c->add_option("--method", a->method,
                "bmmqa; a fusion without policies: " + listed(known_fusions()) +
                    "; dose_only or metrics_only; bmmqa_delivery, which is shown delivery maps and the machine too; "
                    "other modalities after @, as "
                    "concat@dose,maps [bmmqa]");
  c->add_option("--fusion", a->fusion, "fusion for the passing rates, instead of the method's");
  c->add_option("--modalities", a->modalities,
                "what the model is shown: " + listed(psqa::kModalities) +
                    ", or all; maps needs a cohort with delivery maps [dose metrics]");
  c->add_option("--fusion-option", a->fusion_options, "any option of the fusion as key=value, e.g. hidden=64");
  c->add_option("--policy", a->policies,
                "balancing policies instead of the method's: none, or " + listed(known_policies()) + "; " +
                    listed(policies_for_linear_heads()) +
                    " only where every task has a linear head, so not beside dose-difference maps");
  c->add_option("--policy-option", a->policy_options,
                "key=value, or policy.key=value with several policies; from and to set its window of epochs");
  c->add_option("--epochs", a->epochs, "passes over the training records [40]")->check(CLI::Range(1, 100000));
  c->add_option("--device", a->device, "cpu, or cuda with a CUDA build of LibTorch")->capture_default_str();
  c->add_option("--seed", a->seed, "of weights, order and policies [1]")->check(not_negative());
  c->add_option("--split-seed", a->split_seed, "of the split by patient [1]");
  c->add_option("--leave-out-machine", a->machine, "test on the plans of this machine, train on those of the others");
  c->add_option("--start-from", a->start_from,
                "folder of a run, as of one on simulated plans: its weights are the first ones; method, modalities and "
                "sizes are that run's");
  c->add_option("--set", a->settings, "any option of the trainer as key=value, e.g. learning_rate=0.001");
  c->add_option("--model", a->sizes, "any size of the model as key=value, e.g. width=32 or encoder=8,16,32,64");
  c->add_option(
      "--config", a->file,
      "TOML file: method, cohort, fusion, start_from, [fusion_options], [trainer], [model], [policy.<name>]; the "
      "command line overrides it");
  c->add_flag("--resume", a->resume,
              "go on with the run in --out, with the same options; only --epochs and --device may "
              "differ. Without a saved epoch it starts anew");
  c->add_flag("--json", a->json, "print JSON");
  c->callback([=] { train(*a); });
}

}  // namespace psqa_program
