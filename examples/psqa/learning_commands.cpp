// SPDX-License-Identifier: MIT
/// \file
/// Commands on models: train, evaluate, predict, explain, report, demo.

#include <toml++/toml.h>

#include <torch/cuda.h>
#include <equipoise/io/npy.hpp>
#include <equipoise/io/png.hpp>
#include <equipoise/psqa/rtplan_reader.hpp>
#include <equipoise/psqa/rtplan_writer.hpp>
#include <equipoise/report/svg.hpp>
#include <iostream>
#include <optional>

#include "run.hpp"

namespace psqa_program {

namespace {

namespace eq = equipoise;
namespace psqa = equipoise::psqa;
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// ---- train

struct TrainArguments {
  std::optional<std::string> cohort, method, fusion;
  std::optional<std::int64_t> epochs;
  std::optional<std::uint64_t> seed, split_seed;
  std::string out, file, device = "cpu";
  std::vector<std::string> policies, policy_options, settings, sizes;
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
      out = eq::detail::to_text(*v);
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
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      const std::string where = file + ": " + name;
      if (name == "method")
        set_method(config, text_of(node));
      else if (name == "cohort")
        config.cohort = text_of(node);
      else if (name == "fusion")
        config.fusion = text_of(node);
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
        throw eq::NameError(
            eq::message("name.302", file, "no option \"", name, "\"; ",
                        eq::nearest_name(name, {"method", "cohort", "fusion", "trainer", "model", "policy"})));
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
  c.fusion = fusion_of_method(c.method), c.policies = policies_of_method(c.method);
  if (!a.file.empty()) read_toml(a.file, c);
  if (a.method) set_method(c, *a.method);
  if (a.cohort) c.cohort = *a.cohort;
  if (a.fusion) c.fusion = *a.fusion;
  if (!a.policies.empty()) {
    c.policies.clear();
    for (const std::string& name : a.policies)
      if (name != "none") c.policies.push_back({name, {}});
  }
  for (const std::string& text : a.policy_options) add_policy_option(c, text);
  set_options(c.trainer, a.settings, "--set");
  set_options(c.sizes, a.sizes, "--model");
  if (a.epochs) c.trainer.epochs = *a.epochs;
  if (a.seed) c.trainer.seed = *a.seed;
  if (a.split_seed) c.split_seed = *a.split_seed;
  return c;
}

void train(const TrainArguments& a) {
  catch_interrupts();
  RunConfig c;
  if (a.resume) {
    if (a.cohort || a.method || a.fusion || a.seed || a.split_seed || !a.file.empty() || !a.policies.empty() ||
        !a.policy_options.empty() || !a.settings.empty() || !a.sizes.empty())
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
              << eq::to_string(run.history.stop) << "), best epoch " << best + 1 << "\nrun: " << a.out << "\n";
    return;
  }
  Json validation;
  for (const auto& [name, value] : run.history.epochs.at(static_cast<std::size_t>(best)).values)
    if (name.starts_with("val/")) validation[name.substr(4)] = value;
  print_json({{"run", a.out},
              {"method", run.config.method},
              {"epochs", run.history.epochs.size()},
              {"stop", eq::to_string(run.history.stop)},
              {"best_epoch", best + 1},
              {"validation", validation}});
}

// ---- evaluate, explain, report

std::vector<Run> open_runs(const std::vector<std::string>& folders) {
  std::vector<Run> runs;
  for (const std::string& f : folders) runs.push_back(open_run(f));
  return runs;
}

Json evaluation(const std::vector<std::string>& folders) {
  std::vector<Run> runs = open_runs(folders);
  std::vector<psqa::Judged> judged;
  const std::vector<psqa::Figures> figures = compare(runs, psqa::read_cohort(runs[0].config.cohort), judged);
  Json out = Json::array(), differences = Json::array();
  for (const psqa::Figures& f : figures) out.push_back(psqa::to_json(f));
  for (std::size_t j = 1; j < judged.size(); ++j) {
    Json d{{"method", judged[0].method}, {"against", judged[j].method}};
    for (std::size_t c = 0; c < 3; ++c) {
      const eq::Interval i = psqa::paired_difference(judged[0], judged[j], c);
      d[psqa::kCriteria[c].name] = {{"mae_difference_points", i.value}, {"low", i.low}, {"high", i.high}};
    }
    differences.push_back(std::move(d));
  }
  return {{"cohort", runs[0].config.cohort},
          {"test_records", runs[0].split.test.size()},
          {"methods", out},
          {"differences", differences}};
}

void evaluate(const std::vector<std::string>& folders, bool json) {
  if (json) return print_json(evaluation(folders));
  std::vector<Run> runs = open_runs(folders);
  std::vector<psqa::Judged> judged;
  const std::vector<psqa::Figures> figures = compare(runs, psqa::read_cohort(runs[0].config.cohort), judged);
  print_table(figures, judged);
}

void explain(const std::string& folder, bool json) {
  Run run = open_run(folder);
  const psqa::Cohort cohort = psqa::read_cohort(run.config.cohort);
  const eq::Contributions phi =
      run.learner->contributions_on(psqa::learning_batch(cohort, run.scales).select(run.split.test));
  Json out;
  for (const eq::TaskContributions& t : phi.tasks) {
    const std::vector<double> share = eq::shares(t.mean);
    Json task{{"value", "(l(none) - l(S)) / l(none)"},
              {"together", 1 - t.losses.back() / t.losses.front()},
              {"imbalance", eq::imbalance_degree(share)}};
    for (std::size_t m = 0; m < phi.schema.modalities.size(); ++m)
      task[phi.schema.modalities[m]] = {{"contribution", t.mean[m]}, {"share", share[m]}};
    out[t.task] = task;
  }
  if (json) return print_json({{"run", folder}, {"tasks", out}});
  for (const eq::TaskContributions& t : phi.tasks) {
    std::cout << t.task << ": the modalities together take away "
              << eq::report::fixed(100 * (1 - t.losses.back() / t.losses.front()), 1)
              << " % of the loss without them\n";
    for (std::size_t m = 0; m < phi.schema.modalities.size(); ++m)
      std::cout << "  " << phi.schema.modalities[m] << "  " << eq::report::fixed(100 * t.mean[m], 1) << " % (share "
                << eq::report::fixed(eq::shares(t.mean)[m], 2) << ")\n";
  }
}

void report(const std::vector<std::string>& folders, const std::string& out, bool json) {
  std::vector<Run> runs = open_runs(folders);
  write_report(runs, out);
  if (json) return print_json({{"report", out}, {"runs", folders}});
  std::cout << "report: " << out << "\n";
}

// ---- predict

Json predict_one(Run& run, psqa::Simulator& simulator, const fs::path& file, const fs::path& out,
                 const psqa::RtplanOptions& options) {
  const psqa::Plan plan = psqa::read_rtplan(file, options);
  for (const std::string& w : plan.warnings) std::cerr << "warning: " << file.string() << ": " << w << "\n";
  const std::vector<double> metrics = psqa::table_row(plan);
  const psqa::DoseGrid planned = simulator.planned_plane(plan);
  const psqa::PsqaOutput output = run.learner->predict(psqa::plan_batch(planned, metrics, run.scales));
  const std::array<double, 3> rates = psqa::to_rates(output.gpr, run.scales)[0];
  const at::Tensor dd = (output.dd[0][0] * run.scales.dd_sd).to(torch::kFloat).contiguous();
  const std::span<const float> values(dd.const_data_ptr<float>(), static_cast<std::size_t>(dd.numel()));
  const std::size_t shape[] = {static_cast<std::size_t>(dd.size(0)), static_cast<std::size_t>(dd.size(1))};
  fs::create_directories(out);
  const std::string stem = file.stem().string();
  eq::io::write_npy<float>(out / (stem + "_dd.npy"), shape, values);
  eq::io::write_bytes(out / (stem + "_dd.png"),
                      eq::io::map_png<float>(
                          values, shape[1], shape[0], [](double v) { return eq::io::diverging_colour(v / 10); }, 6));
  Json j{{"plan", file.filename().string()}, {"fraction_group", plan.fraction_group}};
  for (std::size_t c = 0; c < 3; ++c) j[psqa::kCriteria[c].name] = rates[c];
  j["dd_npy"] = (out / (stem + "_dd.npy")).string();
  j["dd_png"] = (out / (stem + "_dd.png")).string();
  return j;
}

void predict(const std::string& folder, const std::vector<std::string>& files, const std::string& out, bool json,
             const psqa::RtplanOptions& options = {}) {
  Run run = open_run(folder);
  psqa::Simulator simulator{psqa::CohortSettings{}};
  Json plans = Json::array();
  for (const std::string& file : files) {
    plans.push_back(predict_one(run, simulator, file, out, options));
    if (json) continue;
    const Json& p = plans.back();
    std::cout << p["plan"].get<std::string>() << "\n";
    for (const auto& [name, criterion] :
         {std::pair{"gpr_3_3", "3%/3 mm"}, {"gpr_2_3", "2%/3 mm"}, {"gpr_2_2", "2%/2 mm"}})
      std::cout << "  GPR " << criterion << "  " << eq::report::fixed(p[name], 1) << " %\n";
    std::cout << "  dose-difference map  " << p["dd_png"].get<std::string>() << ", " << p["dd_npy"].get<std::string>()
              << " (% of the maximum)\n";
  }
  if (json) print_json({{"run", folder}, {"predictions", plans}});
}

// ---- demo

struct DemoArguments {
  std::string out = "runs/demo";
  std::int64_t plans = 800, epochs = 30;
  std::uint64_t seed = 1;
  std::vector<std::string> methods = {"bmmqa", "concat"};
  bool fresh = false, json = false;
};

void ensure_cohort(const DemoArguments& a, const fs::path& folder) {
  if (fs::exists(folder)) return step("cohort: reusing " + folder.string());
  step("cohort: simulating " + std::to_string(a.plans) + " plans");
  psqa::CohortSettings settings;
  settings.plans = a.plans, settings.seed = a.seed;
  fs::create_directories(folder.parent_path());
  Progress progress("simulated");
  psqa::simulate_cohort(
      settings, folder,
      [&](std::int64_t done, std::int64_t all) {
        if (interrupted()) throw Interrupted("interrupted: nothing was written to " + folder.string());
        progress.show(done, all);
      },
      0);
}

void demo(const DemoArguments& a) {
  catch_interrupts();
  const fs::path root = a.out, cohort = root / "cohort";
  if (a.fresh) fs::remove_all(root);
  ensure_cohort(a, cohort);
  std::vector<Run> runs;
  for (const std::string& method : a.methods)
    runs.push_back(ensure_run(comparison_config(method, cohort.string(), a.epochs, a.seed), root / method));
  step("evaluating, and writing the report");
  write_report(runs, root / "report.html");
  step("predicting a plan from its DICOM file");
  psqa::CohortSettings settings;
  settings.seed = a.seed + 1;
  const psqa::Record unseen = psqa::Simulator(settings).record(0);
  psqa::write_rtplan(unseen.plan, root / "unseen_plan.dcm");
  std::vector<std::string> folders;
  for (const std::string& method : a.methods) folders.push_back((root / method).string());
  const std::string report = fs::absolute(root / "report.html").string();
  if (!a.json) {
    predict(folders[0], {(root / "unseen_plan.dcm").string()}, (root / "prediction").string(), false);
    std::cout << "\n";
    evaluate(folders, false);
    std::cout << "report: " << report << "\n";
    return;
  }
  psqa::Simulator simulator{psqa::CohortSettings{}};
  print_json({{"report", report},
              {"evaluation", evaluation(folders)},
              {"prediction", predict_one(runs[0], simulator, root / "unseen_plan.dcm", root / "prediction", {})}});
}

void add_train(CLI::App& app) {
  auto a = std::make_shared<TrainArguments>();
  CLI::App* c = app.add_subcommand("train", "Train BMMQA or a baseline on a cohort");
  c->add_option("--cohort", a->cohort, "folder made by simulate or import");
  c->add_option("--out", a->out, "the run's folder")->required();
  c->add_option("--method", a->method,
                "bmmqa, or a fusion without policies: concat, sum, gated, film, late, attention [bmmqa]");
  c->add_option("--fusion", a->fusion, "fusion for the passing rates, instead of the method's");
  c->add_option(
      "--policy", a->policies, "balancing policies instead of the method's: none, or " + [] {
        std::string all;
        for (const std::string& n : eq::policy_names()) all += (all.empty() ? "" : ", ") + n;
        return all;
      }());
  c->add_option("--policy-option", a->policy_options,
                "key=value, or policy.key=value with several policies; from and to set its window of epochs");
  c->add_option("--epochs", a->epochs, "passes over the training records [40]");
  c->add_option("--device", a->device, "cpu, or cuda with a CUDA build of LibTorch")->capture_default_str();
  c->add_option("--seed", a->seed, "of weights, order and policies [1]");
  c->add_option("--split-seed", a->split_seed, "of the split by patient [1]");
  c->add_option("--set", a->settings, "any option of the trainer as key=value, e.g. learning_rate=0.001");
  c->add_option("--model", a->sizes, "any size of the model as key=value, e.g. width=32 or encoder=8,16,32,64");
  c->add_option(
      "--config", a->file,
      "TOML file: method, cohort, fusion, [trainer], [model], [policy.<name>]; the command line overrides it");
  c->add_flag("--resume", a->resume, "go on with the run that is there");
  c->add_flag("--json", a->json, "print JSON");
  c->callback([=] { train(*a); });
}

void add_use(CLI::App& app) {
  {
    auto runs = std::make_shared<std::vector<std::string>>();
    auto json = std::make_shared<bool>(false);
    CLI::App* c =
        app.add_subcommand("evaluate", "Figures on the test records, with intervals and the constant baseline");
    c->add_option("--run", *runs, "folders of runs on one cohort")->required();
    c->add_flag("--json", *json, "print JSON");
    c->callback([=] { evaluate(*runs, *json); });
  }
  {
    auto run = std::make_shared<std::string>(), out = std::make_shared<std::string>("prediction");
    auto files = std::make_shared<std::vector<std::string>>();
    auto json = std::make_shared<bool>(false);
    auto options = std::make_shared<psqa::RtplanOptions>();
    CLI::App* c = app.add_subcommand("predict", "Passing rates and the dose-difference map of RTPLAN files");
    c->add_option("--run", *run, "folder of a run")->required();
    c->add_option("plans", *files, "RTPLAN files")->required();
    c->add_option("--out", *out, "folder for the maps (PNG and NPY)")->capture_default_str();
    c->add_flag("--json", *json, "print JSON");
    c->add_option("--fraction-group", options->fraction_group, "which of a plan's fraction groups, from 0")
        ->capture_default_str();
    c->callback([=] { predict(*run, *files, *out, *json, *options); });
  }
  {
    auto run = std::make_shared<std::string>();
    auto json = std::make_shared<bool>(false);
    CLI::App* c = app.add_subcommand(
        "explain", "Contributions of the modalities to each task: exact Shapley values on the test records");
    c->add_option("--run", *run, "folder of a run")->required();
    c->add_flag("--json", *json, "print JSON");
    c->callback([=] { explain(*run, *json); });
  }
  {
    auto runs = std::make_shared<std::vector<std::string>>();
    auto out = std::make_shared<std::string>("report.html");
    auto json = std::make_shared<bool>(false);
    CLI::App* c = app.add_subcommand("report", "One self-contained HTML page about runs on one cohort");
    c->add_option("--run", *runs, "folders of runs")->required();
    c->add_option("--out", *out, "file")->capture_default_str();
    c->add_flag("--json", *json, "print where it is as JSON");
    c->callback([=] { report(*runs, *out, *json); });
  }
}

}  // namespace

void add_learning_commands(CLI::App& app) {
  add_train(app);
  add_use(app);
  auto a = std::make_shared<DemoArguments>();
  CLI::App* c = app.add_subcommand(
      "demo", "Simulate a cohort, train BMMQA and a baseline, evaluate, predict a DICOM plan, report");
  c->add_option("--out", a->out, "folder; what is there already is reused")->capture_default_str();
  c->add_option("--plans", a->plans, "of the cohort")->check(CLI::Range(20, 1000000))->capture_default_str();
  c->add_option("--epochs", a->epochs, "for every method")->check(CLI::Range(1, 100000))->capture_default_str();
  c->add_option("--seed", a->seed, "of everything")->capture_default_str();
  c->add_option("--methods", a->methods, "methods to compare")->capture_default_str();
  c->add_flag("--fresh", a->fresh, "begin anew");
  c->add_flag("--json", a->json, "print JSON");
  c->callback([=] { demo(*a); });
}

}  // namespace psqa_program
