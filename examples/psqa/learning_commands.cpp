// SPDX-License-Identifier: MIT
/// \file
/// Commands on trained models: evaluate, predict, explain, report; and demo, which does everything.

#include <algorithm>
#include <cmath>
#include <equipoise/contribution/imbalance.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/io/npy.hpp>
#include <equipoise/io/png.hpp>
#include <equipoise/psqa/cohort/description.hpp>
#include <equipoise/psqa/cohort/extras.hpp>
#include <equipoise/psqa/cohort/reader.hpp>
#include <equipoise/psqa/cohort/simulate.hpp>
#include <equipoise/psqa/cohort/table_row.hpp>
#include <equipoise/psqa/criteria.hpp>
#include <equipoise/psqa/dicom/rtplan_writer.hpp>
#include <equipoise/psqa/fields.hpp>
#include <equipoise/psqa/readers/plan_reader.hpp>
#include <equipoise/psqa/simulator/planning_system.hpp>
#include <equipoise/report/numbers.hpp>
#include <iostream>
#include <optional>
#include <set>

#include "calibration.hpp"
#include "command_line.hpp"
#include "delivery_options.hpp"
#include "number_options.hpp"
#include "run.hpp"

namespace psqa_program {

namespace {

// ---- evaluate, explain, report

std::vector<Run> open_runs(const std::vector<std::string>& folders) {
  std::vector<Run> runs;
  for (const std::string& f : folders) runs.push_back(open_trained(f));
  return runs;
}

Json evaluation(std::vector<Run>& runs) {
  const Comparison comparison = compare(runs, psqa::read_cohort(runs[0].config.cohort));
  const std::vector<psqa::MethodPredictions>& predictions = comparison.predictions;
  Json out = Json::array(), differences = Json::array();
  for (const psqa::MethodMetrics& f : comparison.metrics) out.push_back(psqa::to_json(f));
  for (std::size_t j = 1; j < predictions.size(); ++j) {
    Json d{{"method", predictions[0].method}, {"against", predictions[j].method}};
    for (std::size_t c = 0; c < psqa::kCriteria.size(); ++c) {
      const eq::Interval i = psqa::paired_difference(predictions[0], predictions[j], c);
      d[psqa::kCriteria[c].name] = {{"mae_difference_points", i.value}, {"low", i.low}, {"high", i.high}};
    }
    differences.push_back(std::move(d));
  }
  return {{"cohort", runs[0].config.cohort},
          {"test_records", runs[0].split.test.size()},
          {"methods", out},
          {"differences", differences},
          {"verdict", verdict(comparison)}};
}

void evaluate(std::vector<Run> runs, bool json) {
  if (json) return print_json(evaluation(runs));
  const psqa::Cohort cohort = psqa::read_cohort(runs[0].config.cohort);
  print_table(compare(runs, cohort));
  std::cout << "\nMAE at 2%/2 mm of a trained model that is shown a part of its modalities, in points\n";
  print_rows(errors_without_modalities(runs, cohort));
}

/// The shares of the modalities in a task's loss; NaN where none takes anything away.
std::vector<double> known_shares(const eq::TaskContributions& t) {
  if (std::any_of(t.mean.begin(), t.mean.end(), [](double phi) { return phi > 0; })) return eq::shares(t.mean);
  return std::vector<double>(t.mean.size(), std::nan(""));
}

void explain(const std::string& folder, bool json) {
  Run run = open_trained(folder);
  const psqa::Cohort cohort = psqa::read_cohort(run.config.cohort);
  check_cohort(run, cohort);
  const psqa::PsqaBatch test = data_of(run, cohort).select(run.split.test);
  const eq::Contributions phi = run.learner->contributions_on(test);
  Json out;
  for (const eq::TaskContributions& t : phi.tasks) {
    const std::vector<double> share = known_shares(t);
    Json task{{"value", "(l(none) - l(S)) / l(none)"},
              {"together", 1 - t.losses.back() / t.losses.front()},
              {"imbalance", std::isnan(share[0]) ? Json(nullptr) : Json(eq::imbalance_degree(share))}};
    for (std::size_t m = 0; m < phi.schema.modalities.size(); ++m)
      task[phi.schema.modalities[m]] = {{"contribution", t.mean[m]}, {"share", number_or_null(share[m])}};
    out[t.task] = task;
  }
  const std::vector<ShownError> alone = errors_without_modalities(run, cohort, test);
  if (json) {
    Json errors;
    for (const ShownError& e : alone)
      errors[e.shown] = {{"mae_2_2_points", number_or_null(e.mae.value)},
                         {"low", number_or_null(e.mae.low)},
                         {"high", number_or_null(e.mae.high)}};
    return print_json({{"run", folder}, {"tasks", out}, {"shown", errors}});
  }
  for (const eq::TaskContributions& t : phi.tasks) {
    std::cout << t.task << ": the modalities together take away "
              << eq::report::fixed(100 * (1 - t.losses.back() / t.losses.front()), 1)
              << " % of the loss without them\n";
    const std::vector<double> share = known_shares(t);
    for (std::size_t m = 0; m < phi.schema.modalities.size(); ++m)
      std::cout << "  " << phi.schema.modalities[m] << "  " << eq::report::fixed(100 * t.mean[m], 1) << " % (share "
                << (std::isnan(share[m]) ? "–" : eq::report::fixed(share[m], 2)) << ")\n";
  }
  std::cout << "MAE at 2%/2 mm of the model when it is shown\n";
  for (const ShownError& e : alone)
    if (std::isfinite(e.mae.value)) std::cout << "  " << e.shown << "  " << with_interval(e.mae, 2) << " points\n";
}

void report(const std::vector<std::string>& folders, const std::string& out, bool json) {
  std::vector<Run> runs = open_runs(folders);
  write_report(runs, out);
  if (json) return print_json({{"report", out}, {"runs", folders}});
  std::cout << "report: " << out << "\n";
}

// ---- predict

/// How many of a plan's metrics lie outside of training, and whether that is more than a held-out record has.
Json outside_training(const psqa::TrainingRange& range, const std::vector<double>& metrics) {
  const std::size_t outside = range.outside(metrics).size();
  return {{"out_of_range", outside > range.limit()},
          {"metrics", outside},
          {"of", range.metrics.size()},
          {"held_out_at_most", range.limit()}};
}

/// `30 of 44 metrics outside of training (held-out plans: at most 3)`
std::string text_of(const Json& outside) {
  return outside["metrics"].dump() + " of " + outside["of"].dump() +
         " metrics outside of training (held-out plans: at most " + outside["held_out_at_most"].dump() + ")";
}

bool is_out_of_range(const Json& prediction) {
  return prediction.contains("outside_training") && prediction["outside_training"]["out_of_range"].get<bool>();
}

/// How far off rates may be; null for a plan out of range, for a rate that is not known, and where too few validation
/// records tell.
void add_uncertainty(const Calibration& calibration, const psqa::RateNumbers& rates, Json& j) {
  const bool none = is_out_of_range(j);
  for (std::size_t c = 0; c < rates.size(); ++c) {
    const bool known = !none && std::isfinite(rates[c]) && enough_records(calibration, c);
    j["validation_records"][psqa::kCriteria[c].name] = calibration.rates[c].size();
    const Uncertainty s = known ? uncertainty_of(calibration, c, rates[c]) : Uncertainty{};
    j["interval_90"][psqa::kCriteria[c].name] =
        known ? Json{number_or_null(s.low), number_or_null(s.high)} : Json(nullptr);
    j["probability_below_90"][psqa::kCriteria[c].name] = known ? Json(s.failing) : Json(nullptr);
  }
}

/// A run with what its predictions need of the cohort that it was trained on.
struct Predictor {
  Run& run;
  std::optional<Calibration> calibration;
  psqa::CohortSettings settings;  ///< of the planes
  psqa::PlanningSystem planning;
};

/// What the model is shown of a plan beside its dose plane and metrics. No plan says its site.
psqa::PlanDelivery delivery_of(const Predictor& predictor, const psqa::Plan& plan) {
  psqa::PlanDelivery out;
  if (!plan.beams.empty()) out.machine = plan.beams.front().machine;
  if (is_shown(predictor.run.config, "maps"))
    out.maps = psqa::delivery_maps(plan, psqa::maps_plane(predictor.settings)).values;
  return out;
}

/// \param stem of the names of the map's files
Json predict_one(Predictor& predictor, const psqa::Plan& plan, const fs::path& out, const std::string& stem) {
  Run& run = predictor.run;
  const std::vector<double> metrics = psqa::table_row(plan);
  const psqa::DoseGrid planned = predictor.planning.planned_plane(plan);
  psqa::PsqaOutput output = run.learner->predict(
      shown(psqa::plan_batch(planned, metrics, run.scales, delivery_of(predictor, plan)), run.config.modalities));
  const auto side = [&](std::size_t axis) { return static_cast<std::int64_t>(planned.shape[axis]) / run.scales.pool; };
  output.dd = output.dd.expand({1, 1, side(1), side(2)});  // without the dose plane a map is one number everywhere
  const psqa::RateNumbers rates = psqa::to_rates(output.gpr, run.scales)[0];
  const at::Tensor dd = (output.dd[0][0] * run.scales.dd_sd).to(torch::kFloat).contiguous();
  const std::span<const float> values(dd.const_data_ptr<float>(), static_cast<std::size_t>(dd.numel()));
  const std::size_t shape[] = {static_cast<std::size_t>(dd.size(0)), static_cast<std::size_t>(dd.size(1))};
  make_folder(out);
  eq::io::write_npy<float>(out / (stem + "_dd.npy"), shape, values);
  eq::io::write_bytes(out / (stem + "_dd.png"),
                      eq::io::map_png<float>(
                          values, shape[1], shape[0], [](double v) { return eq::io::diverging_colour(v / 10); }, 6));
  Json j;
  if (predictor.calibration) j["outside_training"] = outside_training(predictor.calibration->range, metrics);
  for (std::size_t c = 0; c < rates.size(); ++c) j[psqa::kCriteria[c].name] = number_or_null(rates[c]);
  if (predictor.calibration) {
    add_uncertainty(*predictor.calibration, rates, j);
    j["unlike_training"] = metrics_outside_training(predictor.calibration->range, metrics);
  }
  j["dd_npy"] = (out / (stem + "_dd.npy")).string();
  j["dd_png"] = (out / (stem + "_dd.png")).string();
  return j;
}

/// What of a plan no training plan had, on standard error.
void warn_of_range(const Json& prediction, const fs::path& file) {
  const Json unlike = prediction.value("unlike_training", Json::array());
  const bool out_of_range = is_out_of_range(prediction);
  if (!out_of_range && unlike.empty()) return;
  std::cerr << "warning: " << file.string() << ": ";
  if (out_of_range) std::cerr << text_of(prediction["outside_training"]) << ", so that no interval is given";
  if (!unlike.empty())
    std::cerr << (out_of_range ? "; " : "") << "unlike the plans of training in " << counted(unlike.size(), "metric");
  for (std::size_t i = 0; i < std::min<std::size_t>(unlike.size(), 5); ++i)
    std::cerr << (i == 0 ? ": " : ", ") << unlike[i].get<std::string>();
  std::cerr << (unlike.size() > 5 ? ", …\n" : "\n");
}

/// What is predicted of a file: one entry, or one a field where the run's records are fields.
void predict_file(Predictor& predictor, const fs::path& file, const fs::path& out, const psqa::RtplanOptions& options,
                  Json& predictions) {
  const psqa::Plan plan = psqa::read_plan(file, options);
  std::vector<std::string> warnings = plan.warnings;
  if (std::string w = psqa::couch_warning(plan); predictor.settings.records == psqa::RecordsOf::plans && !w.empty())
    warnings.push_back(std::move(w));
  for (const std::string& w : warnings) std::cerr << "warning: " << file.string() << ": " << w << "\n";
  const std::string stem = file.stem().string();
  const auto add = [&](const psqa::Plan& of, Json j, const std::string& name) {
    j.update(predict_one(predictor, of, out, name));
    j["fraction_group"] = plan.fraction_group;
    warn_of_range(j, file);
    predictions.push_back(std::move(j));
  };
  const Json about{{"plan", file.filename().string()}};
  if (predictor.settings.records == psqa::RecordsOf::plans) return add(plan, about, stem);
  for (const auto& [beam, field] : psqa::fields_of(plan)) {
    Json of_field = about;
    of_field["field"] = field.beams[0].name;
    add(field, of_field, stem + "_field" + std::to_string(beam + 1));
  }
}

/// Every file is tried; what is wrong with one is reported, and in `errors` by the file's name.
Json predict(Run& run, const std::vector<std::string>& files, const std::string& out, Json& errors,
             const psqa::RtplanOptions& options = {}) {
  std::set<std::string> stems;
  for (const std::string& file : files)
    if (!stems.insert(fs::path(file).stem().string()).second)
      throw eq::ValueError(eq::message("value.212", "predict", "expected plans whose files have different names, got ",
                                       fs::path(file).filename().string(), " twice: their maps would be one file"));
  if (run.cohort_about.value("provenance", "simulated") != "simulated")
    std::cerr << "warning: " << run.folder.string()
              << ": its cohort was imported; planes for the prediction are computed with the "
              << "built-in dose model, as those of imported plans without planes\n";
  const psqa::CohortSettings settings = psqa::plane_settings(run.cohort_about);
  Predictor predictor{run, read_calibration(run), settings, psqa::PlanningSystem(settings)};
  Json predictions = Json::array();
  for (const std::string& file : files)
    attempt(errors, eq::as_utf8(fs::path(file).filename().string()),
            [&] { predict_file(predictor, file, out, options, predictions); });
  return predictions;
}

/// The rate of one criterion with what is known of its error.
void print_rate(const Json& p, const psqa::NamedCriteria& criterion) {
  const char* name = criterion.name;
  std::cout << "  GPR " << criterion.label << "  ";
  if (p[name].is_null()) return void(std::cout << "not known: no training record has it\n");
  std::cout << eq::report::fixed(p[name], 1) << " %";
  if (is_out_of_range(p))
    std::cout << "  no interval";
  else if (p.contains("interval_90") && p["interval_90"][name].is_null())
    std::cout << "  no interval: " << counted(p["validation_records"][name].get<std::size_t>(), "validation record")
              << (p["validation_records"][name] == 1 ? " is" : " are") << " too few";
  else if (p.contains("interval_90"))
    std::cout << "  90 % interval [" << eq::report::fixed(p["interval_90"][name][0], 1) << ", "
              << eq::report::fixed(p["interval_90"][name][1], 1) << "], below 90 % with a probability of "
              << eq::report::fixed(p["probability_below_90"][name], 2);
  std::cout << "\n";
}

void print_predictions(const Json& plans) {
  for (const Json& p : plans) {
    std::cout << p["plan"].get<std::string>();
    if (p.contains("field")) std::cout << ", " << p["field"].get<std::string>();
    if (is_out_of_range(p))
      std::cout << ": OUT OF RANGE: " << text_of(p["outside_training"]) << "; the rates are extrapolated";
    std::cout << "\n";
    for (const psqa::NamedCriteria& c : psqa::kCriteria) print_rate(p, c);
    std::cout << "  dose-difference map  " << p["dd_png"].get<std::string>() << ", " << p["dd_npy"].get<std::string>()
              << " (% of the maximum; red: more is measured than planned, blue: less, full at 10 %)\n";
  }
}

/// A row for each prediction; an empty cell for what is not known.
void write_predictions(const Json& plans, const fs::path& path) {
  eq::io::AtomicFile file(path);
  std::string header = "plan,field,out_of_range,metrics_outside,held_out_at_most";
  for (const psqa::NamedCriteria& c : psqa::kCriteria)
    for (const char* part : {"", "_low_90", "_high_90", "_probability_below_90"})
      header += "," + (c.name + std::string(part));
  file.write(header + "\n");
  for (const Json& p : plans) {
    std::string line = psqa::table_text(p["plan"]) + "," + psqa::table_text(p.value("field", ""));
    const auto cell = [&](const Json& v) { line += "," + (v.is_null() ? std::string() : v.dump()); };
    const Json outside = p.value("outside_training", Json::object());
    for (const char* key : {"out_of_range", "metrics", "held_out_at_most"}) cell(outside.value(key, Json()));
    for (const psqa::NamedCriteria& c : psqa::kCriteria) {
      const Json interval = p.value("interval_90", Json::object()).value(c.name, Json());
      cell(p[c.name]);
      cell(interval.is_null() ? Json() : interval[0]), cell(interval.is_null() ? Json() : interval[1]);
      cell(p.value("probability_below_90", Json::object()).value(c.name, Json()));
    }
    file.write(line + "\n");
  }
  file.commit();
}

// ---- demo

struct DemoArguments {
  std::string out = "runs/demo";
  psqa::RecordsOf records = psqa::RecordsOf::plans;
  std::optional<std::int64_t> plans;  ///< none: so many that training takes two minutes
  std::int64_t epochs = 30;
  std::uint64_t seed = 1;
  std::vector<std::string> methods = {"bmmqa", "concat"};
  bool fresh = false, json = false;
};

psqa::CohortSettings cohort_settings(const DemoArguments& a) {
  psqa::CohortSettings s;
  s.records = a.records, s.mismatch = psqa::usual_mismatch(a.records);
  s.plans = a.plans.value_or(a.records == psqa::RecordsOf::fields ? 130 : 800), s.seed = a.seed;
  return s;
}

void ensure_cohort(const psqa::CohortSettings& settings, const fs::path& folder) {
  const std::string records(eq::name_of(settings.records));
  if (fs::exists(folder)) {
    const Json about = psqa::read_cohort_table(folder).about;
    const Json plans = about.value("plans", about.at("records")), of = about.value("records_of", Json("plans"));
    if (plans != settings.plans || about.at("seed") != settings.seed || of != records)
      throw eq::FileError(eq::message("file.448", folder.string(), "expected a cohort of ", records, " of ",
                                      settings.plans, " plans and seed ", settings.seed, ", got ", of.dump(), " of ",
                                      plans.dump(), " and ", about.at("seed").dump(),
                                      "; choose another --out, or --fresh"));
    return step("cohort: reusing " + folder.string());
  }
  step("cohort: simulating " + std::to_string(settings.plans) + " plans" +
       (settings.records == psqa::RecordsOf::fields ? ", each field of which is a record" : ""));
  make_folder(folder.parent_path());
  Progress progress("simulated");
  psqa::simulate_cohort(
      settings, folder,
      [&](std::int64_t done, std::int64_t all, const psqa::Record&) {
        if (interrupted()) throw Interrupted("interrupted: nothing was written to " + folder.string());
        progress.show(done, all);
      },
      0);
}

/// Makes the folder, with a file that says what it is; with `fresh` what is there is deleted first.
/// \throws FileError for a folder that something else has made: a later `fresh` must not delete it
void begin_anew(const fs::path& root, bool fresh) {
  const fs::path mark = root / "demo.json";
  if (fs::exists(root) && !fs::exists(mark) && !(fs::is_directory(root) && fs::is_empty(root)))
    throw eq::FileError(eq::message("file.448", root.string(),
                                    "expected no folder, an empty one or one that psqa demo ", "has made, with ",
                                    mark.filename().string(), " in it; nothing was changed. Choose another --out"));
  if (fresh) fs::remove_all(root);
  make_folder(root);
  if (!fs::exists(mark)) std::ofstream(mark) << Json{{"schema", "equipoise.psqa.demo/1"}}.dump(2) << "\n";
}

std::vector<Run> runs_of_demo(const DemoArguments& a) {
  const fs::path root = a.out, cohort = root / "cohort";
  std::vector<Run> runs;
  try {
    ensure_cohort(cohort_settings(a), cohort);
    const psqa::Cohort data = psqa::read_cohort(cohort);  // once for all methods
    for (const std::string& method : a.methods)
      runs.push_back(ensure_run(comparison_config(method, cohort.string(), a.epochs, a.seed), root / method, data));
  } catch (const Interrupted&) {  // which knows the command that makes a part
    throw Interrupted("interrupted: the same command goes on with what is in " + a.out);
  }
  return runs;
}

void demo(const DemoArguments& a) {
  catch_interrupts();
  const fs::path root = a.out;
  begin_anew(root, a.fresh);
  std::vector<Run> runs = runs_of_demo(a);
  step("evaluating, and writing the report");
  write_report(runs, root / "report.html");
  step("predicting a plan from its DICOM file");
  psqa::CohortSettings settings;
  settings.seed = a.seed + 1;
  const psqa::Record unseen = psqa::Simulator(settings).record(0);
  psqa::write_rtplan(unseen.plan, root / "unseen_plan.dcm");
  Json errors = Json::object();
  const Json predicted =
      predict(runs[0], {(root / "unseen_plan.dcm").string()}, (root / "prediction").string(), errors);
  if (!errors.empty()) throw Failed{};
  const std::string report = fs::absolute(root / "report.html").string();
  if (a.json)
    return print_json({{"report", report},
                       {"evaluation", evaluation(runs)},
                       {"prediction", predicted.size() == 1 ? predicted[0] : predicted}});
  print_predictions(predicted);
  std::cout << "\n";
  evaluate(std::move(runs), false);
  std::cout << "report: " << report << "\n";
}

void add_use(CLI::App& app) {
  {
    auto runs = std::make_shared<std::vector<std::string>>();
    auto json = std::make_shared<bool>(false);
    CLI::App* c = app.add_subcommand(
        "evaluate",
        "Figures on the test records, with intervals, and the baselines ridge, forest, boosted and constant");
    c->add_option("--run", *runs, "folders of runs on one cohort")->required();
    c->add_flag("--json", *json, "print JSON");
    c->callback([=] { evaluate(open_runs(*runs), *json); });
  }
  {
    auto run = std::make_shared<std::string>(), out = std::make_shared<std::string>("prediction"),
         csv = std::make_shared<std::string>();
    auto files = std::make_shared<std::vector<std::string>>();
    auto json = std::make_shared<bool>(false);
    auto options = std::make_shared<psqa::RtplanOptions>();
    CLI::App* c = app.add_subcommand("predict", "Passing rates and the dose-difference map of plans");
    c->add_option("--run", *run, "folder of a run")->required();
    c->add_option("plans", *files, "files of plans: " + listed(psqa::plan_file_names()))->required()->check(a_file());
    c->add_option("--out", *out, "folder for the maps (PNG and NPY)")->capture_default_str();
    c->add_option("--csv", *csv, "also write the rates into this CSV file, a row for each plan, or each field of it");
    c->add_flag("--json", *json, "print JSON");
    c->add_option("--fraction-group", options->fraction_group, "which of a plan's fraction groups, from 0")
        ->check(not_negative())
        ->capture_default_str();
    c->callback([=] {
      Run opened = open_trained(*run);
      Json errors = Json::object();
      const Json plans = predict(opened, *files, *out, errors, *options);
      if (!csv->empty() && !plans.empty()) write_predictions(plans, *csv);
      if (*json) {
        Json all{{"run", *run}, {"predictions", plans}};
        if (!errors.empty()) all["errors"] = errors;
        print_json(all);
      } else {
        print_predictions(plans);
      }
      if (!errors.empty()) throw Failed{};
    });
  }
  {
    auto run = std::make_shared<std::string>();
    auto json = std::make_shared<bool>(false);
    CLI::App* c = app.add_subcommand("explain",
                                     "Contributions of the modalities to each task on the test records (exact Shapley "
                                     "values), and the error without one");
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
  add_use(app);
  auto a = std::make_shared<DemoArguments>();
  CLI::App* c = app.add_subcommand(
      "demo", "Simulate a cohort, train BMMQA and a baseline, evaluate, predict a DICOM plan, report");
  c->add_option("--out", a->out, "folder; what is there already is reused")->capture_default_str();
  add_choice(*c, "--records", a->records, "what a record is: a plan, or each of a plan's fields");
  c->add_option("--plans", a->plans, "of the cohort [800; 130 where each field is a record]")
      ->check(CLI::Range(20, 1000000));
  c->add_option("--epochs", a->epochs, "for every method")->check(CLI::Range(1, 100000))->capture_default_str();
  c->add_option("--seed", a->seed, "of everything")->check(not_negative())->capture_default_str();
  c->add_option("--methods", a->methods, "methods to compare")->capture_default_str();
  c->add_flag("--fresh", a->fresh, "begin anew");
  c->add_flag("--json", a->json, "print JSON");
  c->callback([=] { demo(*a); });
}

}  // namespace psqa_program
