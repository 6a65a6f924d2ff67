// SPDX-License-Identifier: MIT
/// \file
/// Commands on models: train, evaluate, predict, explain, report, demo.

#include <toml++/toml.h>

#include <equipoise/io/npy.hpp>
#include <equipoise/io/png.hpp>
#include <equipoise/psqa/rtplan_reader.hpp>
#include <equipoise/psqa/rtplan_writer.hpp>
#include <equipoise/report/svg.hpp>
#include <iostream>

#include "run.hpp"

namespace psqa_program {

namespace {

namespace eq = equipoise;
namespace psqa = equipoise::psqa;
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// ---- train

struct TrainArguments {
  RunConfig config;
  std::string out, file, fusion, device = "cpu";
  std::vector<std::string> policies, policy_options, settings;
  bool resume = false;
};

std::pair<std::string, std::string> key_and_value(const std::string& text, const char* where) {
  const std::size_t at = text.find('=');
  if (at == std::string::npos)
    throw eq::ValueError(eq::message("value.212", where, "expected key=value, got \"", text, "\""));
  return {text.substr(0, at), text.substr(at + 1)};
}

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

/// method, cohort, fusion, [trainer] and [policy.<name>] of a TOML file.
void read_toml(const std::string& file, RunConfig& config) {
  try {
    const toml::table table = toml::parse_file(file);
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (name == "method")
        config.method = text_of(node), config.fusion = fusion_of_method(config.method),
        config.policies = policies_of_method(config.method);
      else if (name == "cohort")
        config.cohort = text_of(node);
      else if (name == "fusion")
        config.fusion = text_of(node);
      else if (name == "trainer" && node.is_table())
        for (const auto& [k, v] : *node.as_table())
          eq::set_option(config.trainer, k.str(), text_of(v), file + ": trainer");
      else if (name == "policy" && node.is_table()) {
        config.policies.clear();
        for (const auto& [k, v] : *node.as_table()) {
          PolicyChoice& p = config.policies.emplace_back(PolicyChoice{std::string(k.str()), {}});
          for (const auto& [option, value] : *v.as_table()) p.options.emplace_back(option.str(), text_of(value));
        }
      } else
        throw eq::NameError(eq::message("name.302", file, "no option \"", name, "\"; ",
                                        eq::nearest_name(name, {"method", "cohort", "fusion", "trainer", "policy"})));
    }
  } catch (const toml::parse_error& e) {
    throw eq::FileError(eq::message("file.439", file, "line ", e.source().begin.line, ": ", e.description()));
  }
}

void train(TrainArguments a) {
  RunConfig& c = a.config;
  c.fusion = fusion_of_method(c.method);
  c.policies = policies_of_method(c.method);
  if (!a.file.empty()) read_toml(a.file, c);
  if (!a.fusion.empty()) c.fusion = a.fusion;
  if (!a.policies.empty()) {
    c.policies.clear();
    for (const std::string& name : a.policies)
      if (name != "none") c.policies.push_back({name, {}});
  }
  for (const std::string& text : a.policy_options) add_policy_option(c, text);
  for (const std::string& text : a.settings) {
    const auto [key, value] = key_and_value(text, "--set");
    eq::set_option(c.trainer, key, value, "--set");
  }
  c.trainer.device = c10::Device(a.device);
  if (!a.resume && c.cohort.empty()) throw eq::ValueError(eq::message("value.212", "train", "expected --cohort"));
  const Run run = train_run(c, a.out, a.resume);
  std::cout << "trained " << run.config.method << " for " << run.history.epochs.size() << " epochs ("
            << eq::to_string(run.history.stop) << "), best epoch " << run.history.best_epoch + 1 << "\nrun: " << a.out
            << "\n";
}

// ---- evaluate, explain, report

void evaluate(const std::vector<std::string>& folders, bool json) {
  std::vector<Run> runs;
  for (const std::string& f : folders) runs.push_back(open_run(f));
  std::vector<psqa::Judged> judged;
  const std::vector<psqa::Figures> figures = compare(runs, psqa::read_cohort(runs[0].config.cohort), judged);
  if (!json) return print_table(figures, judged);
  Json out = Json::array();
  for (const psqa::Figures& f : figures) out.push_back(psqa::to_json(f));
  print_json({{"cohort", runs[0].config.cohort}, {"test_records", runs[0].split.test.size()}, {"methods", out}});
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

void report(const std::vector<std::string>& folders, const std::string& out) {
  std::vector<Run> runs;
  for (const std::string& f : folders) runs.push_back(open_run(f));
  write_report(runs, out);
  std::cout << "report: " << out << "\n";
}

// ---- predict

Json predict_one(Run& run, psqa::Simulator& simulator, const fs::path& file, const fs::path& out) {
  const psqa::Plan plan = psqa::read_rtplan(file);
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
  Json j{{"plan", file.filename().string()}};
  for (std::size_t c = 0; c < 3; ++c) j[psqa::kCriteria[c].name] = rates[c];
  j["dd_npy"] = (out / (stem + "_dd.npy")).string();
  j["dd_png"] = (out / (stem + "_dd.png")).string();
  return j;
}

void predict(const std::string& folder, const std::vector<std::string>& files, const std::string& out, bool json) {
  Run run = open_run(folder);
  psqa::Simulator simulator{psqa::CohortSettings{}};
  Json plans = Json::array();
  for (const std::string& file : files) {
    plans.push_back(predict_one(run, simulator, file, out));
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
  bool fresh = false;
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

Run ensure_run(const DemoArguments& a, const std::string& method, const fs::path& cohort, const fs::path& folder) {
  RunConfig config;
  config.cohort = cohort.string(), config.method = method;
  config.fusion = fusion_of_method(method), config.policies = policies_of_method(method);
  config.trainer.epochs = a.epochs, config.trainer.batch_size = 32, config.trainer.seed = a.seed;
  config.trainer.schedule = eq::Schedule::cosine, config.trainer.learning_rate = 2e-3;
  const bool begun = fs::exists(folder / "run.json");
  if (begun) {
    Run run = open_run(folder);
    if (static_cast<std::int64_t>(run.history.epochs.size()) >= a.epochs) {
      step(method + ": reusing " + folder.string());
      return run;
    }
  }
  step(method + (begun ? ": going on with " : ": training into ") + folder.string());
  return train_run(config, folder, begun);
}

void demo(const DemoArguments& a) {
  const fs::path root = a.out, cohort = root / "cohort";
  if (a.fresh) fs::remove_all(root);
  ensure_cohort(a, cohort);
  std::vector<Run> runs;
  for (const std::string& method : a.methods) runs.push_back(ensure_run(a, method, cohort, root / method));
  step("evaluating, and writing the report");
  write_report(runs, root / "report.html");
  step("predicting a plan from its DICOM file");
  psqa::CohortSettings settings;
  settings.seed = a.seed + 1;
  const psqa::Record unseen = psqa::Simulator(settings).record(0);
  psqa::write_rtplan(unseen.plan, root / "unseen_plan.dcm");
  predict((root / a.methods[0]).string(), {(root / "unseen_plan.dcm").string()}, (root / "prediction").string(), false);
  std::vector<psqa::Judged> judged;
  std::cout << "\n";
  const std::vector<psqa::Figures> figures = compare(runs, psqa::read_cohort(cohort), judged);
  print_table(figures, judged);
  std::cout << "report: " << fs::absolute(root / "report.html").string() << "\n";
}

void add_train(CLI::App& app) {
  auto a = std::make_shared<TrainArguments>();
  CLI::App* c = app.add_subcommand("train", "Train BMMQA or a baseline on a cohort");
  c->add_option("--cohort", a->config.cohort, "folder made by simulate or import");
  c->add_option("--out", a->out, "the run's folder")->required();
  c->add_option("--method", a->config.method,
                "bmmqa, or a fusion without policies: concat, sum, gated, film, late, attention")
      ->capture_default_str();
  c->add_option("--fusion", a->fusion, "fusion for the passing rates, instead of the method's");
  c->add_option(
      "--policy", a->policies, "balancing policies instead of the method's: none, or " + [] {
        std::string all;
        for (const std::string& n : eq::policy_names()) all += (all.empty() ? "" : ", ") + n;
        return all;
      }());
  c->add_option("--policy-option", a->policy_options,
                "key=value, or policy.key=value with several policies; from and to set its window of epochs");
  c->add_option("--epochs", a->config.trainer.epochs, "passes over the training records")->capture_default_str();
  c->add_option("--device", a->device, "cpu, or cuda with a CUDA build of LibTorch")->capture_default_str();
  c->add_option("--seed", a->config.trainer.seed, "of weights, order and policies")->capture_default_str();
  c->add_option("--split-seed", a->config.split_seed, "of the split by patient")->capture_default_str();
  c->add_option("--set", a->settings, "any option of the trainer as key=value, e.g. learning_rate=0.001");
  c->add_option("--config", a->file, "TOML file: method, cohort, fusion, [trainer], [policy.<name>]");
  c->add_flag("--resume", a->resume, "go on with the run that is there");
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
    CLI::App* c = app.add_subcommand("predict", "Passing rates and the dose-difference map of RTPLAN files");
    c->add_option("--run", *run, "folder of a run")->required();
    c->add_option("plans", *files, "RTPLAN files")->required();
    c->add_option("--out", *out, "folder for the maps (PNG and NPY)")->capture_default_str();
    c->add_flag("--json", *json, "print JSON");
    c->callback([=] { predict(*run, *files, *out, *json); });
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
    CLI::App* c = app.add_subcommand("report", "One self-contained HTML page about runs on one cohort");
    c->add_option("--run", *runs, "folders of runs")->required();
    c->add_option("--out", *out, "file")->capture_default_str();
    c->callback([=] { report(*runs, *out); });
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
  c->callback([=] { demo(*a); });
}

}  // namespace psqa_program
