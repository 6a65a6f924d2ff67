// SPDX-License-Identifier: MIT
/// \file
/// compare: methods on one cohort over several seeds. Each seed has its own split by patient and its own weights, the
/// same for every method; every method has the same budget. A seed's split is one at random, or all of its folds, or one
/// for each machine that is left out. A record's error is the mean over the runs that test it.

#include <equipoise/data/groups.hpp>
#include <equipoise/evaluation/paired_tests.hpp>
#include <equipoise/psqa/cohort/reader.hpp>
#include <equipoise/psqa/learning/baselines.hpp>
#include <equipoise/report/numbers.hpp>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "run.hpp"

namespace psqa_program {

namespace {

using eq::report::fixed;

struct CompareArguments {
  std::string cohort, out = "runs/compare";
  std::vector<std::string> methods = [] {  // BMMQA, and every fusion without policies
    std::vector<std::string> all = known_fusions();
    all.insert(all.begin(), "bmmqa");
    return all;
  }();
  std::int64_t seeds = 5, epochs = 30, folds = 0;
  bool machines = false, json = false;
};

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

/// A method's figures of one record, summed over the runs that test it; NaN where a figure does not count the record.
struct Entry {
  std::string patient;
  std::vector<double> sums = std::vector<double>(kComparedMetrics.size(), 0.0);
  double runs = 0;
};
using Entries = std::map<std::string, Entry>;  ///< by record id

void add(Entries& entries, const psqa::MethodPredictions& predictions, const psqa::Cohort& cohort,
         const std::vector<std::int64_t>& test) {
  const psqa::MapErrors maps = psqa::map_errors(predictions);
  for (std::size_t i = 0; i < test.size(); ++i) {
    const psqa::CohortRecord& r = cohort.records[static_cast<std::size_t>(test[i])];
    Entry& e = entries[r.id];
    e.patient = r.patient, e.runs += 1;
    constexpr std::size_t n = psqa::kCriteria.size();
    const auto error = [&](std::size_t c) { return std::abs(predictions.predicted[i][c] - r.gpr[c]); };
    for (std::size_t c = 0; c < n; ++c) e.sums[c] += error(c);
    e.sums[n] += r.gpr[psqa::kStrictest] < 90 ? error(psqa::kStrictest) : std::nan("");
    e.sums[n + 1] += maps.absolute[i], e.sums[n + 2] += maps.ssim[i];
  }
}

/// One figure of one method, less that of another where there is one, over the records that it counts.
struct Column {
  std::vector<std::string> patients;
  std::vector<double> values;
};
Column column_of(const Entries& a, const Entries* minus, std::size_t figure) {
  Column out;
  for (const auto& [id, e] : a) {
    double v = e.sums[figure] / e.runs;
    if (minus) v -= minus->at(id).sums[figure] / minus->at(id).runs;
    if (std::isfinite(v)) out.patients.push_back(e.patient), out.values.push_back(v);
  }
  return out;
}

eq::Interval interval_of(const Column& c) {
  return eq::bootstrap(eq::group_numbers(c.patients), eq::mean_over_records(c.values));
}

/// A way to divide the cohort, and what it is called among the runs' folders.
struct NamedSplit {
  std::string name;
  SplitChoice choice;
};

std::vector<NamedSplit> splits_of(const CompareArguments& a, const psqa::Cohort& cohort) {
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

std::map<std::string, Entries> train_all(const CompareArguments& a, const psqa::Cohort& cohort) {
  for (const std::string& method : a.methods) check_config(comparison_config(method, a.cohort, a.epochs, 1));
  const std::vector<NamedSplit> splits = splits_of(a, cohort);
  for (const NamedSplit& s : splits) (void)split_of(cohort, s.choice);  // before anything is trained
  std::map<std::string, Entries> out;
  for (const auto& [name, choice] : splits)
    for (const std::string& method : a.methods) {
      RunConfig config = comparison_config(method, a.cohort, a.epochs, choice.seed);
      config.split = choice;
      Run run = ensure_run(config, fs::path(a.out) / method / name, cohort);
      const psqa::MethodPredictions predictions = predict_test_records(run, cohort, false);
      add(out[method], predictions, cohort, run.split.test);
      if (method != a.methods.front()) continue;
      add(out["ridge"], psqa::ridge_baseline(predictions, cohort, run.split, run.scales), cohort, run.split.test);
      add(out["forest"], psqa::forest_baseline(predictions, cohort, run.split, run.scales), cohort, run.split.test);
      add(out["constant"], psqa::constant_baseline(predictions, cohort, run.split), cohort, run.split.test);
    }
  return out;
}

/// Every method against the first: differences with intervals, p-values over patients' means, corrected by Holm.
Json differences_of(const std::vector<std::string>& methods, const std::map<std::string, Entries>& entries) {
  std::vector<double> p;
  Json out = Json::array();
  for (std::size_t k = 1; k < methods.size(); ++k) {
    Json d{{"method", methods[0]}, {"against", methods[k]}};
    for (std::size_t f = 0; f < kComparedMetrics.size(); ++f) {
      const Column c = column_of(entries.at(methods[0]), &entries.at(methods[k]), f);
      const eq::Interval i = interval_of(c);
      d[kComparedMetrics[f]] = {{"value", i.value}, {"low", i.low}, {"high", i.high}};
      if (f != psqa::kStrictest) continue;
      std::map<std::string, std::pair<double, double>> patients;
      for (std::size_t r = 0; r < c.values.size(); ++r)
        patients[c.patients[r]].first += c.values[r], patients[c.patients[r]].second += 1;
      std::vector<double> means;
      for (const auto& [patient, sum] : patients) means.push_back(sum.first / sum.second);
      p.push_back(eq::wilcoxon_signed_rank(means));
    }
    out.push_back(std::move(d));
  }
  const std::vector<double> corrected = eq::holm(p);
  for (std::size_t k = 0; k < corrected.size(); ++k) out[k]["mae_2_2_p_holm"] = corrected[k];
  return out;
}

void compare_methods(const CompareArguments& a) {
  catch_interrupts();
  const psqa::Cohort cohort = psqa::read_cohort(a.cohort);
  const std::map<std::string, Entries> entries = train_all(a, cohort);
  std::vector<std::string> methods = a.methods;
  methods.insert(methods.end(), {"ridge", "forest", "constant"});
  Json table = Json::array();
  for (const std::string& method : methods) {
    Json row{{"method", method}};
    for (std::size_t f = 0; f < kComparedMetrics.size(); ++f) {
      const eq::Interval i = interval_of(column_of(entries.at(method), nullptr, f));
      row[kComparedMetrics[f]] = {{"value", i.value}, {"low", i.low}, {"high", i.high}};
    }
    table.push_back(std::move(row));
  }
  const Json differences = differences_of(methods, entries);
  if (a.json)
    return print_json({{"cohort", a.cohort},
                       {"seeds", a.seeds},
                       {"folds", a.folds},
                       {"machines_left_out", a.machines},
                       {"epochs", a.epochs},
                       {"records_tested", entries.at(methods[0]).size()},
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
  std::cout << "| method" << compared_columns();
  line(1 + kComparedMetrics.size());
  for (const Json& row : table) print(row, row["method"]), std::cout << " |\n";
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
            << "; " << entries.at(methods[0]).size()
            << " records tested. [95 % interval by bootstrap over patients]; p: Wilcoxon over patients, Holm.\n";
}

}  // namespace

void add_compare_command(CLI::App& app) {
  auto a = std::make_shared<CompareArguments>();
  CLI::App* c = app.add_subcommand("compare", "Train methods over several seeds and compare them, with intervals");
  c->add_option("--cohort", a->cohort, "folder made by simulate or import")->required();
  c->add_option(
       "--methods", a->methods,
       "bmmqa, a fusion, a fusion with policies and their options as concat+ogm:application=update, dose_only or "
       "metrics_only; the first is compared")
      ->capture_default_str();
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
  c->add_flag("--json", a->json, "print JSON");
  c->callback([=] { compare_methods(*a); });
}

}  // namespace psqa_program
