// SPDX-License-Identifier: MIT
/// \file
/// compare: methods on one cohort over several seeds (study_runs.cpp), as tables, JSON and a page.

#include <algorithm>
#include <equipoise/psqa/cohort/reader.hpp>
#include <equipoise/report/numbers.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "study_results.hpp"

namespace psqa_program {

namespace {

using eq::report::fixed;

/// The heads of the figures' columns.
std::string compared_columns() {
  std::string out;
  for (const psqa::NamedCriteria& c : psqa::kCriteria) out += std::string(" | MAE ") + c.label;
  return out + " | of failing records | map MAE, % | map SSIM |";
}

void print_line(std::size_t columns) {
  std::cout << "\n|";
  for (std::size_t i = 0; i < columns; ++i) std::cout << "---|";
  std::cout << "\n";
}

void print_figures(const Json& row, const std::string& name) {
  std::cout << "| " << name;
  for (const std::string& f : compared_metrics()) std::cout << " | " << interval_of(row[f], decimals_of(f));
}

void print_methods(const StudySettings& a, const Json& summary) {
  const std::size_t shares = a.floors.empty() ? 0 : 2;
  std::cout << "| method" << compared_columns() << (shares ? " share reached, plan and machine | plan |" : "");
  print_line(1 + compared_metrics().size() + shares);
  for (const Json& row : summary["methods"]) {
    print_figures(row, row["method"]);
    if (shares)
      std::cout << " | " << interval_of(row["reachable_machine"], 2) << " | " << interval_of(row["reachable_plan"], 2);
    std::cout << " |\n";
  }
  std::cout << "\n| difference" << compared_columns() << " p (2%/2 mm) |";
  print_line(2 + compared_metrics().size());
  for (const Json& d : summary["differences"]) {
    print_figures(d, d["method"].get<std::string>() + " - " + d["against"].get<std::string>());
    std::cout << " | " << p_of(d["mae_2_2_p_holm"]) << " |\n";
  }
}

/// Rows as Markdown, the first the head.
void print_markdown(const std::vector<std::vector<std::string>>& rows) {
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::cout << "|";
    for (const std::string& cell : rows[r]) std::cout << " " << cell << " |";
    if (r == 0)
      print_line(rows[0].size());
    else
      std::cout << "\n";
  }
}

void print_conditions(const StudySettings& a, const Json& conditions) {
  for (const std::string& metric : condition_metrics()) {
    std::cout << "\n" << words_of_metric(metric) << ", of trained models that are shown a part of their modalities\n\n";
    print_markdown(condition_rows(a.methods, conditions, "methods", metric));
  }
  if (a.methods.size() > 1)
    for (const std::string& metric : condition_metrics()) {
      std::cout << "\nDifferences of " << a.methods.front() << " to the other methods, " << words_of_metric(metric)
                << "\n\n";
      print_markdown(condition_rows({a.methods.begin() + 1, a.methods.end()}, conditions, "differences", metric));
    }
  std::cout << "\n" << noise_notes() << "\n";
}

void print_study(const StudySettings& a, const Json& summary) {
  if (summary.contains("training_records"))
    std::cout << "## " << summary["training_records"] << " training records\n\n";
  print_methods(a, summary);
  for (const FurtherTable& table : further_tables(summary, "methods")) {
    std::cout << "\n" << table.title << "\n\n";
    print_markdown(table.rows);
  }
  std::cout << "\n" << further_notes() << "\n";
  if (summary.contains("conditions")) print_conditions(a, summary["conditions"]);
  std::cout << "\n"
            << study_notes(a, summary)
            << " [95 % interval by bootstrap over patients]; p: Wilcoxon over patients, Holm.\n"
            << (a.floors.empty()
                    ? ""
                    : "Share reached: (constant - MAE) / (constant - floor) at 2%/2 mm, the floor of psqa floor where "
                      "the plan and its machine, or the plan alone, are known.\n");
}

/// The study as JSON: at the top what was found with the most training records.
Json json_of(const StudySettings& a, const std::vector<Json>& summaries) {
  Json out{{"cohort", a.cohort}, {"seeds", a.seeds},  {"folds", a.folds}, {"machines_left_out", a.machines},
           {"epochs", a.epochs}, {"trials", a.trials}};
  out.update(summaries.back());
  if (!a.records.empty()) out["by_training_records"] = summaries;
  return out;
}

void compare_methods(const StudySettings& a) {
  catch_interrupts();
  const psqa::Cohort cohort = psqa::read_cohort(a.cohort);
  std::vector<Json> summaries;
  for (const StudyResults& results : computed_study(a, cohort)) summaries.push_back(summary_of(a, results));
  if (!a.html.empty()) {
    write_study_page(a, summaries, cohort);
    step("page: " + a.html);
  }
  if (a.json) return print_json(json_of(a, summaries));
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    if (i > 0) std::cout << "\n";
    print_study(a, summaries[i]);
  }
}

}  // namespace

void add_compare_command(CLI::App& app) {
  auto a = std::make_shared<StudySettings>();
  CLI::App* c = app.add_subcommand("compare", "Train methods over several seeds and compare them, with intervals");
  c->add_option("--cohort", a->cohort, "folder made by simulate or import");
  auto file = std::make_shared<std::string>();
  c->add_option("--config", *file, "TOML file with these options, and tables trainer, model and search; options win");
  c->add_option(
       "--methods", a->methods,
       "bmmqa, a fusion, a fusion with policies, each with options, as concat:width=32+ogm:application=update, "
       "dose_only, metrics_only or bmmqa_delivery; other inputs after @, as concat@maps,metrics; the first is compared")
      ->capture_default_str();
  c->add_option("--inputs", a->inputs,
                "what each method is shown, in turn: names of " + listed(psqa::kModalities) +
                    " with commas between, or all [dose,metrics]");
  c->add_option("--records", a->records,
                "training records, in turn: so many are drawn at random from each split's training part, and more of "
                "them hold the fewer [all]")
      ->check(CLI::PositiveNumber);
  c->add_flag("--conditions", a->conditions,
              "compare the trained methods also with modalities missing at test, and with noise on one of them");
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
  c->add_option("--start-from", a->start_from,
                "folder with a run of each method in a folder of its name, as of runs on simulated plans: their "
                "weights are the first ones, and the sizes theirs");
  c->add_option("--set", a->trainer, "trainer options of every method, as batch_size=64 weight_decay=0.01");
  c->add_option("--model", a->model, "sizes of every method, as width=32");
  c->add_option("--device", a->device, "cpu, cuda or cuda:N")->capture_default_str();
  c->add_option("--html", a->html, "write a page of the study with pictures to this file");
  c->add_flag("--json", a->json, "print JSON");
  c->callback([=] {
    if (!file->empty())
      read_study(
          *file, [&](const char* option) { return c->get_option(option)->count() > 0; }, *a);
    if (a->cohort.empty())
      throw CLI::RequiredError("expected --cohort, which is required", CLI::ExitCodes::RequiredError);
    a->methods = methods_with_inputs(*a);
    if (!a->start_from.empty())  // which says the sizes
      std::erase_if(a->search, [](const eq::SearchRange& r) { return r.option.starts_with("model."); });
    std::sort(a->records.begin(), a->records.end());
    a->records.erase(std::unique(a->records.begin(), a->records.end()), a->records.end());
    compare_methods(*a);
  });
}

}  // namespace psqa_program
