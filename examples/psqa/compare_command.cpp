// SPDX-License-Identifier: MIT
/// \file
/// compare: methods on one cohort over several seeds. Each seed has its own split by patient and its own weights, the
/// same for every method; every method has the same budget. A seed's split is one at random, or all of its folds, or one
/// for each machine that is left out. A record's error is the mean over the runs that test it.

#include <ATen/Parallel.h>

#include <equipoise/evaluation/record_figures.hpp>
#include <equipoise/evaluation/study.hpp>
#include <equipoise/io/csv.hpp>
#include <equipoise/psqa/cohort/reader.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <equipoise/psqa/learning/baselines.hpp>
#include <equipoise/report/numbers.hpp>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "study_settings.hpp"

namespace psqa_program {

namespace {

using eq::report::fixed;

/// What is averaged over records: the figures' names, and how many there are.
const std::vector<std::string> kComparedMetrics = [] {
  std::vector<std::string> out;  // mae_3_3, …
  for (const psqa::NamedCriteria& c : psqa::kCriteria) out.push_back("mae" + std::string(c.name).substr(3));
  out.insert(out.end(), {"mae_2_2_failing", "dd_mae", "dd_ssim"});
  return out;
}();
/// The heads of their columns.
std::string compared_columns() {
  std::string out;
  for (const psqa::NamedCriteria& c : psqa::kCriteria) out += std::string(" | MAE ") + c.label;
  return out + " | of failing records | map MAE, % | map SSIM |";
}

/// What a method says of the records that a run tests.
std::vector<eq::TestedRecord> tested_records(const psqa::MethodPredictions& predictions, const psqa::Cohort& cohort,
                                             const std::vector<std::int64_t>& test) {
  const psqa::MapErrors maps = psqa::map_errors(predictions);
  std::vector<eq::TestedRecord> out;
  for (std::size_t i = 0; i < test.size(); ++i) {
    const psqa::CohortRecord& r = cohort.records[static_cast<std::size_t>(test[i])];
    std::vector<double> figures;
    for (std::size_t c = 0; c < psqa::kCriteria.size(); ++c)
      figures.push_back(std::abs(predictions.predicted[i][c] - r.gpr[c]));
    figures.push_back(r.gpr[psqa::kStrictest] < 90 ? figures[psqa::kStrictest] : std::nan(""));
    figures.insert(figures.end(), {maps.absolute[i], maps.ssim[i]});
    out.push_back({r.id, r.patient, std::move(figures)});
  }
  return out;
}

/// A way to divide the cohort, and what it is called among the runs' folders.
struct NamedSplit {
  std::string name;
  SplitChoice choice;
};

std::vector<NamedSplit> splits_of(const StudySettings& a, const psqa::Cohort& cohort) {
  std::set<std::string> machines;
  for (const psqa::CohortRecord& r : cohort.records) machines.insert(r.machine);
  std::vector<NamedSplit> out;
  for (std::int64_t seed = 1; seed <= a.seeds; ++seed) {
    const std::string name = "seed" + std::to_string(seed);
    SplitChoice choice;
    choice.seed = static_cast<std::uint64_t>(seed);
    if (a.machines) {
      std::size_t number = 0;  // a machine's name may be no folder's
      for (const std::string& machine : machines) {
        choice.machine = machine;
        out.push_back({name + "-machine" + std::to_string(++number), choice});
      }
    } else if (a.folds > 0) {
      choice.folds = a.folds, choice.test = 1 / static_cast<double>(a.folds);
      for (choice.fold = 0; choice.fold < a.folds; ++choice.fold)
        out.push_back({name + "-fold" + std::to_string(choice.fold + 1), choice});
    } else {
      out.push_back({name, choice});
    }
  }
  return out;
}

const std::vector<std::string> kBaselines = {"ridge", "forest", "constant"};

/// A cell is a method on a split, with all of its trials; `baselines` are those of the table, with the first method's
/// scales and split.
struct Cells {
  std::vector<eq::StudyCell> methods, baselines;
  std::map<std::string, std::vector<RunConfig>>
      trials;  ///< by the cell's name; a baseline's is that of the first method
};

/// What a baseline depends on, of the settings of a cell: cohort and split, and how planes are pooled.
eq::OptionList baseline_settings(const eq::OptionList& of_method) {
  eq::OptionList out;
  for (const auto& [key, value] : of_method)
    for (const std::string_view begin :
         {"--model pool", "--split-seed", "--leave-out-machine", "--folds", "fold", "share of", "the cohort's"})
      if (key.starts_with(begin)) out.emplace_back(key, value);
  return out;
}

Cells cells_of(const StudySettings& a, const psqa::Cohort& cohort) {
  Cells out;
  const std::string fingerprint = std::to_string(psqa::fingerprint(cohort));
  for (const auto& [name, choice] : splits_of(a, cohort)) {
    (void)split_of(cohort, choice);  // refused before anything is trained
    for (const std::string& method : a.methods) {
      std::vector<RunConfig>& trials = out.trials[method + "/" + name];
      eq::StudyCell cell{method + "/" + name, {}};
      for (const eq::OptionList& drawn : eq::draw_trials(a.search, a.trials, choice.seed)) {
        trials.push_back(config_of(a, method, choice, drawn));
        if (trials.size() == 1) cell.settings = settings_of(trials.front());
        for (const auto& [key, value] : drawn)
          cell.settings.emplace_back("trial " + std::to_string(trials.size()) + ", " + key, value);
      }
      cell.settings.emplace_back("trials", std::to_string(a.trials));
      cell.settings.emplace_back("the cohort's fingerprint", fingerprint);
      if (method == a.methods.front()) out.baselines.push_back({"baselines/" + name, baseline_settings(cell.settings)});
      out.methods.push_back(std::move(cell));
    }
  }
  return out;
}

/// The objective of a run on its validation records at its best epoch; NaN where it has none.
double validation_objective(const Run& run) {
  if (run.history.best_epoch < 0) return std::nan("");
  const auto figure = run.history.epochs[static_cast<std::size_t>(run.history.best_epoch)].find("val/objective");
  return figure ? *figure : std::nan("");
}

/// Trains a cell's trials in `folder`/run, run2 …, and returns the one with the smallest objective on the validation records.
Run best_run(const std::vector<RunConfig>& trials, const fs::path& folder, const psqa::Cohort& cohort) {
  std::vector<double> figures;
  const auto path = [&](std::size_t t) { return folder / (t == 0 ? "run" : "run" + std::to_string(t + 1)); };
  for (std::size_t t = 0; t < trials.size(); ++t) {
    Run run = ensure_run(trials[t], path(t), cohort);
    if (trials.size() == 1) return run;
    figures.push_back(validation_objective(run));
  }
  return ensure_run(trials[eq::best_trial(figures)], path(eq::best_trial(figures)), cohort);
}

/// Computes cells and says how far they are. \throws where one fails, or the study is interrupted
template <class Compute>
void run_cells(const StudySettings& a, const std::vector<eq::StudyCell>& cells, const Compute& compute) {
  const auto say = [&](const eq::StudyProgress& p) {
    step(std::to_string(p.finished) + " of " + std::to_string(p.cells) + " runs: " + p.last.name +
         (p.last.error.empty() ? "" : " failed: " + p.last.error));
  };
  const std::vector<eq::CellResult> results = eq::run_study(
      a.out, cells, compute, {.jobs = a.jobs, .on_cell = say, .should_stop = [] { return interrupted(); }});
  if (interrupted()) throw Interrupted("interrupted: the same command goes on with what is in " + a.out);
  for (const eq::CellResult& r : results)
    if (r.state == eq::CellState::failed) throw std::runtime_error(a.out + "/" + r.name + ": " + r.error);
}

/// Trains what is not trained yet. \returns each method's figures, then the baselines'
std::vector<std::pair<std::string, eq::RecordFigures>> train_all(const StudySettings& a, const psqa::Cohort& cohort) {
  for (const std::string& method : a.methods) check_config(comparison_config(method, a.cohort, a.epochs, 1));
  const Cells cells = cells_of(a, cohort);
  at::set_num_threads(1);  // a cell is a copy of this process, in which LibTorch's threads would be missing
  const auto use_share_of_cores = [&] {
    at::set_num_threads(static_cast<int>(std::max<std::size_t>(std::thread::hardware_concurrency() / a.jobs, 1)));
  };
  run_cells(a, cells.methods, [&](const eq::StudyCell& cell, const fs::path& folder) {
    use_share_of_cores();
    Run run = best_run(cells.trials.at(cell.name), folder, cohort);
    const psqa::MethodPredictions predictions = predict_test_records(run, cohort, false);
    eq::write_tested_records(folder / "records.csv", kComparedMetrics,
                             tested_records(predictions, cohort, run.split.test));
  });
  run_cells(a, cells.baselines, [&](const eq::StudyCell& cell, const fs::path& folder) {
    use_share_of_cores();
    const std::string of_first = a.methods.front() + cell.name.substr(cell.name.find('/'));
    Run run = ensure_run(cells.trials.at(of_first).front(), fs::path(a.out) / of_first / "run", cohort);
    const psqa::MethodPredictions like = predict_test_records(run, cohort, false);
    const auto write = [&](const psqa::MethodPredictions& of_baseline) {
      eq::write_tested_records(folder / (of_baseline.method + ".csv"), kComparedMetrics,
                               tested_records(of_baseline, cohort, run.split.test));
    };
    write(psqa::ridge_baseline(like, cohort, run.split, run.scales));
    write(psqa::forest_baseline(like, cohort, run.split, run.scales));
    write(psqa::constant_baseline(like, cohort, run.split));
  });
  std::vector<std::pair<std::string, eq::RecordFigures>> out;
  const auto collect = [&](const std::string& method, const auto& file_of) {
    eq::RecordFigures figures(kComparedMetrics);
    for (const NamedSplit& s : splits_of(a, cohort))
      figures.add(eq::read_tested_records(file_of(s.name), kComparedMetrics));
    out.emplace_back(method, std::move(figures));
  };
  for (const std::string& method : a.methods)
    collect(method, [&](const std::string& split) { return fs::path(a.out) / method / split / "records.csv"; });
  for (const std::string& method : kBaselines)
    collect(method,
            [&](const std::string& split) { return fs::path(a.out) / "baselines" / split / (method + ".csv"); });
  return out;
}

Json json_of(const eq::Interval& i) {
  return {{"value", i.value}, {"low", i.low}, {"high", i.high}};
}

/// The floors of records by id, of a predictor that knows the plan, or the plan and its machine. \throws FileError for
/// another table
std::map<std::string, double> floors_of(const std::string& path, std::string_view known) {
  const std::string column = std::string(known) + "_" + psqa::kCriteria[psqa::kStrictest].name + "_floor";
  std::map<std::string, double> out;
  const eq::io::CsvFile file(path, ',');
  std::optional<std::size_t> id, floor;
  for (const eq::io::CsvRow& row : file.rows()) {
    if (&row == &file.rows().front()) {
      for (std::size_t c = 0; c < row.cells.size(); ++c) {
        if (row.cells[c] == "id") id = c;
        if (row.cells[c] == column) floor = c;
      }
      if (!id || !floor)
        throw eq::FileError(
            eq::message("file.432", path, "expected columns id and ", column, ", as psqa floor --csv writes them"));
    } else if (row.cells.size() > std::max(*id, *floor) && !row.cells[*floor].empty()) {
      const std::optional<double> value = psqa::parse_number(row.cells[*floor]);
      if (!value)
        throw eq::FileError(eq::message("file.433", path, "line ", row.line, ": column ", column,
                                        ": expected a number, got \"", row.cells[*floor], "\""));
      out.emplace(row.cells[*id], *value);
    }
  }
  return out;
}

/// The share of the error at 2%/2 mm that each method has removed, of what can be removed where the plan and its machine
/// are known, and where the plan alone is.
void add_shares(const StudySettings& a, const std::vector<std::pair<std::string, eq::RecordFigures>>& methods,
                Json& table) {
  const eq::RecordFigures& constant = methods.back().second;
  for (const char* known : {"machine", "plan"}) {
    const std::map<std::string, double> floors = floors_of(a.floors, known);
    for (std::size_t k = 0; k < methods.size(); ++k)
      table[k][std::string("reachable_") + known] =
          json_of(methods[k].second.share_of_reachable(constant, kComparedMetrics[psqa::kStrictest], floors));
  }
}

/// Every method against the first: differences with intervals, p-values over patients' means, corrected by Holm.
Json differences_of(const std::vector<std::pair<std::string, eq::RecordFigures>>& methods) {
  Json out = Json::array();
  for (const eq::MethodDifference& found : eq::differences_from_first(methods, kComparedMetrics[psqa::kStrictest])) {
    Json d{{"method", found.method}, {"against", found.against}};
    const auto other =
        std::find_if(methods.begin(), methods.end(), [&](const auto& m) { return m.first == found.against; });
    for (const std::string& figure : kComparedMetrics)
      d[figure] = json_of(methods.front().second.difference(other->second, figure));
    d["mae_2_2_p_holm"] = found.p_corrected;
    out.push_back(std::move(d));
  }
  return out;
}

void compare_methods(const StudySettings& a) {
  catch_interrupts();
  const psqa::Cohort cohort = psqa::read_cohort(a.cohort);
  const std::vector<std::pair<std::string, eq::RecordFigures>> methods = train_all(a, cohort);
  const std::size_t tested = methods.front().second.records();
  Json table = Json::array();
  for (const auto& [method, figures] : methods) {
    Json row{{"method", method}};
    for (const std::string& figure : kComparedMetrics) row[figure] = json_of(figures.mean(figure));
    table.push_back(std::move(row));
  }
  if (!a.floors.empty()) add_shares(a, methods, table);
  const Json differences = differences_of(methods);
  if (a.json)
    return print_json({{"cohort", a.cohort},
                       {"seeds", a.seeds},
                       {"folds", a.folds},
                       {"machines_left_out", a.machines},
                       {"epochs", a.epochs},
                       {"trials", a.trials},
                       {"records_tested", tested},
                       {"methods", table},
                       {"differences", differences}});
  const auto cell = [](const Json& j, int decimals) {
    return with_interval({j["value"], j["low"], j["high"]}, decimals);
  };
  const auto print = [&](const Json& row, const std::string& name) {
    std::cout << "| " << name;
    for (const std::string& f : kComparedMetrics)
      std::cout << " | " << cell(row[f], f == "dd_ssim" ? 4 : f == "dd_mae" ? 3 : 2);
  };
  const auto line = [](std::size_t columns) {
    std::cout << "\n|";
    for (std::size_t i = 0; i < columns; ++i) std::cout << "---|";
    std::cout << "\n";
  };
  const std::size_t shares = a.floors.empty() ? 0 : 2;
  std::cout << "| method" << compared_columns() << (shares ? " share reached, plan and machine | plan |" : "");
  line(1 + kComparedMetrics.size() + shares);
  for (const Json& row : table) {
    print(row, row["method"]);
    if (shares) std::cout << " | " << cell(row["reachable_machine"], 2) << " | " << cell(row["reachable_plan"], 2);
    std::cout << " |\n";
  }
  std::cout << "\n| difference" << compared_columns() << " p (2%/2 mm) |";
  line(2 + kComparedMetrics.size());
  for (const Json& d : differences) {
    print(d, d["method"].get<std::string>() + " - " + d["against"].get<std::string>());
    std::cout << " | " << fixed(d["mae_2_2_p_holm"], 3) << " |\n";
  }
  std::cout << "\n"
            << a.seeds << " seeds, each with "
            << (a.machines    ? "every machine left out once"
                : a.folds > 0 ? std::to_string(a.folds) + " folds by patient"
                              : "its own split by patient")
            << "; " << tested << " records tested"
            << (a.trials > 1 ? "; each run is the best of " + std::to_string(a.trials) + " trials on validation records"
                             : "")
            << ". [95 % interval by bootstrap over patients]; p: Wilcoxon over patients, Holm.\n"
            << (shares
                    ? "Share reached: (constant - MAE) / (constant - floor) at 2%/2 mm, the floor of psqa floor where "
                      "the plan and its machine, or the plan alone, are known.\n"
                    : "");
}

}  // namespace

void add_compare_command(CLI::App& app) {
  auto a = std::make_shared<StudySettings>();
  CLI::App* c = app.add_subcommand("compare", "Train methods over several seeds and compare them, with intervals");
  c->add_option("--cohort", a->cohort, "folder made by simulate or import");
  auto file = std::make_shared<std::string>();
  c->add_option("--config", *file, "TOML file with these options, and tables trainer, model and search; options win");
  c->add_option("--methods", a->methods,
                "bmmqa, a fusion, a fusion with policies and their options as concat+ogm:application=update, "
                "dose_only, metrics_only "
                "or bmmqa_delivery; other inputs after @, as concat@maps,metrics; the first is compared")
      ->capture_default_str();
  c->add_option("--inputs", a->inputs,
                "what each method is shown, in turn: names of " + listed(psqa::kModalities) +
                    " with commas between, or all [dose,metrics]");
  c->add_option(
       "--floors", a->floors,
       "table of psqa floor --csv: adds the share of the error that can be removed which each method has removed")
      ->check(CLI::ExistingFile);
  c->add_option("--seeds", a->seeds, "runs of each method")->check(CLI::Range(1, 1000))->capture_default_str();
  CLI::Option* folds = c->add_option("--folds", a->folds,
                                     "parts by patient, each of which is tested once in every seed; without: a "
                                     "quarter of the patients")
                           ->check(CLI::Range(3, 100));
  c->add_flag("--leave-out-machines", a->machines, "test each machine on a model of the others")->excludes(folds);
  c->add_option("--epochs", a->epochs, "of each run")->check(CLI::Range(1, 100000))->capture_default_str();
  c->add_option("--out", a->out,
                "folder of the runs; those of the same cohort, method and budget are reused, others refused")
      ->capture_default_str();
  c->add_option("--jobs", a->jobs, "runs at once, each a process with its share of the cores")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  c->add_option(
       "--trials", a->trials,
       "trials of each run: the method's defaults, then learning rate, weight decay and width drawn at random, "
       "or what the table search of --config says; the best on validation records is judged")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  c->add_option("--set", a->trainer, "trainer options of every method, as batch_size=64 weight_decay=0.01");
  c->add_option("--model", a->model, "sizes of every method, as width=32");
  c->add_option("--device", a->device, "cpu, cuda or cuda:N")->capture_default_str();
  c->add_flag("--json", a->json, "print JSON");
  c->callback([=] {
    if (!file->empty())
      read_study(
          *file, [&](const char* option) { return c->get_option(option)->count() > 0; }, *a);
    if (a->cohort.empty())
      throw CLI::RequiredError("expected --cohort, which is required", CLI::ExitCodes::RequiredError);
    a->methods = methods_with_inputs(*a);
    compare_methods(*a);
  });
}

}  // namespace psqa_program
