// SPDX-License-Identifier: MIT
/// \file
/// train: a run from a TOML file and the command line.

#include <toml++/toml.h>

#include <torch/cuda.h>
#include <iostream>
#include <memory>
#include <optional>

#include "run.hpp"

namespace psqa_program {

namespace {

struct TrainArguments {
  std::optional<std::string> cohort, method, fusion, machine;
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

std::string text_of(const toml::node& node) {
  std::string out;
  if (const toml::array* list = node.as_array()) {
    for (const toml::node& item : *list) out += (out.empty() ? "" : ",") + text_of(item);
    return out;
  }
  node.visit([&](const auto& v) {
    using V = std::decay_t<decltype(v)>;
    if constexpr (std::is_same_v<V, toml::value<bool>>)
      out = *v ? "true" : "false";
    else if constexpr (std::is_same_v<V, toml::value<std::string>>)
      out = *v;
    else if constexpr (std::is_same_v<V, toml::value<std::int64_t>>)
      out = std::to_string(*v);
    else if constexpr (std::is_same_v<V, toml::value<double>>)
      out = eq::option_text(*v);
  });
  return out;
}

/// The entries of a table as options. \throws FileError where it is none
eq::OptionList entries_of(const toml::node& node, const std::string& where) {
  const toml::table* table = node.as_table();
  if (!table)
    throw eq::FileError(eq::message("file.439", where, "line ", node.source().begin.line, ": expected a table"));
  eq::OptionList out;
  for (const auto& [key, value] : *table) out.emplace_back(key.str(), text_of(value));
  return out;
}

/// method, cohort, fusion, [trainer], [model] and [policy.<name>] of a TOML file.
void read_toml(const std::string& file, RunConfig& config) {
  try {
    const toml::table table = toml::parse_file(file);
    if (const toml::node* method = table.get("method")) set_method(config, text_of(*method));  // the others change it
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      const std::string where = file + ": " + name;
      if (name == "method") continue;
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
        throw eq::NameError(eq::message(
            "name.302", file, "no option \"", name, "\"; ",
            eq::nearest_name(name, {"method", "cohort", "fusion", "fusion_options", "trainer", "model", "policy"})));
      }
    }
  } catch (const toml::parse_error& e) {
    throw eq::FileError(eq::message("file.439", file, "line ", e.source().begin.line, ": ", e.description()));
  }
}

c10::Device device_of(const std::string& text) {
  const bool cuda = text == "cuda" || text.starts_with("cuda:");
  if (text != "cpu" && !cuda)
    throw eq::ValueError(eq::message("value.212", "--device", "expected cpu, cuda or cuda:N, got \"", text, "\""));
  if (cuda && !torch::cuda::is_available())
    throw eq::ValueError(
        eq::message("value.212", "--device", "expected cpu: this machine has no CUDA device, or LibTorch no CUDA"));
  return c10::Device(text);
}

/// Of everything that can be said the last word counts: the file's, then the command line's.
RunConfig config_of(const TrainArguments& a) {
  RunConfig c;
  set_method(c, c.method);
  if (!a.file.empty()) read_toml(a.file, c);
  if (a.method) set_method(c, *a.method);
  if (a.cohort) c.cohort = *a.cohort;
  if (a.fusion) c.fusion = *a.fusion;
  if (!a.modalities.empty()) c.modalities = a.modalities;
  if (a.machine) c.split.machine = *a.machine;
  if (!a.policies.empty()) {
    c.policies.clear();
    for (const std::string& name : a.policies)
      if (name != "none") c.policies.push_back({name, {}});
  }
  for (const std::string& text : a.fusion_options) c.fusion_options.push_back(key_and_value(text, "--fusion-option"));
  for (const std::string& text : a.policy_options) add_policy_option(c, text);
  set_options(c.trainer, a.settings, "--set");
  set_options(c.sizes, a.sizes, "--model");
  if (c.sizes.metrics != psqa::PsqaSizes{}.metrics)
    throw eq::ValueError(eq::message("value.212", "--model metrics", "expected none: the cohort has its metrics"));
  if (a.epochs) c.trainer.epochs = *a.epochs;
  if (a.seed) c.trainer.seed = *a.seed;
  if (a.split_seed) c.split.seed = *a.split_seed;
  return c;
}

void train(const TrainArguments& a) {
  catch_interrupts();
  RunConfig c;
  if (a.resume) {
    if (a.cohort || a.method || a.fusion || a.seed || a.split_seed || a.machine || !a.file.empty() ||
        !a.policies.empty() || !a.modalities.empty() || !a.fusion_options.empty() || !a.policy_options.empty() ||
        !a.settings.empty() || !a.sizes.empty())
      throw eq::ValueError(eq::message("value.212", "train --resume",
                                       "expected only --out, --epochs and --device: the run has the rest"));
    c.trainer.epochs = a.epochs.value_or(0);
  } else {
    c = config_of(a);
    if (c.cohort.empty()) throw eq::ValueError(eq::message("value.212", "train", "expected --cohort"));
  }
  c.trainer.device = device_of(a.device);
  const Run run = train_run(c, a.out, a.resume);
  const std::int64_t best = run.history.best_epoch;
  if (!a.json) {
    std::cout << "trained " << run.config.method << " for " << run.history.epochs.size() << " epochs ("
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
              {"method", run.config.method},
              {"epochs", run.history.epochs.size()},
              {"stop", eq::to_string(run.history.stop)},
              {"best_epoch", best < 0 ? Json() : Json(best + 1)},
              {"validation", validation}});
}

}  // namespace

void add_train_command(CLI::App& app) {
  auto a = std::make_shared<TrainArguments>();
  CLI::App* c = app.add_subcommand("train", "Train BMMQA or a baseline on a cohort");
  c->add_option("--cohort", a->cohort, "folder made by simulate or import");
  c->add_option("--out", a->out, "the run's folder")->required();
  c->add_option(
      "--method", a->method,
      "bmmqa; a fusion without policies: concat, sum, gated, film, late, attention; dose_only or metrics_only [bmmqa]");
  c->add_option("--fusion", a->fusion, "fusion for the passing rates, instead of the method's");
  c->add_option("--modalities", a->modalities, "what the model is shown: dose, metrics or both [both]")
      ->check(CLI::IsMember({"dose", "metrics"}));
  c->add_option("--fusion-option", a->fusion_options, "any option of the fusion as key=value, e.g. hidden=64");
  c->add_option(
      "--policy", a->policies, "balancing policies instead of the method's: none, or " + [] {
        std::string all;
        for (const std::string& n : known_policies()) all += (all.empty() ? "" : ", ") + n;
        return all + "; mla only where every task has a linear head, so not beside dose-difference maps";
      }());
  c->add_option("--policy-option", a->policy_options,
                "key=value, or policy.key=value with several policies; from and to set its window of epochs");
  c->add_option("--epochs", a->epochs, "passes over the training records [40]")->check(CLI::Range(1, 100000));
  c->add_option("--device", a->device, "cpu, or cuda with a CUDA build of LibTorch")->capture_default_str();
  c->add_option("--seed", a->seed, "of weights, order and policies [1]")->check(not_negative());
  c->add_option("--split-seed", a->split_seed, "of the split by patient [1]");
  c->add_option("--leave-out-machine", a->machine, "test on the plans of this machine, train on those of the others");
  c->add_option("--set", a->settings, "any option of the trainer as key=value, e.g. learning_rate=0.001");
  c->add_option("--model", a->sizes, "any size of the model as key=value, e.g. width=32 or encoder=8,16,32,64");
  c->add_option(
      "--config", a->file,
      "TOML file: method, cohort, fusion, [fusion_options], [trainer], [model], [policy.<name>]; the command line "
      "overrides it");
  c->add_flag("--resume", a->resume, "go on with the run that is there");
  c->add_flag("--json", a->json, "print JSON");
  c->callback([=] { train(*a); });
}

}  // namespace psqa_program
