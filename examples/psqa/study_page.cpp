// SPDX-License-Identifier: MIT
/// \file
/// A page of a study: what was found in sentences, then pictures and tables.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <equipoise/report/html.hpp>
#include <equipoise/version.hpp>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "study_results.hpp"

namespace psqa_program {

namespace {

using eq::report::DotPlot;
using eq::report::fixed;
using eq::report::Series;

void add_interval(Series& series, double x, const Json& interval) {
  series.x.push_back(x), series.y.push_back(interval["value"]);
  series.low.push_back(interval["low"]), series.high.push_back(interval["high"]);
}

/// Rows of a summary's table by a figure, the smallest first; those without it last.
std::vector<const Json*> sorted_by(const Json& methods, const std::string& metric, bool largest_first = false) {
  std::vector<const Json*> out;
  for (const Json& row : methods) out.push_back(&row);
  const auto key = [&](const Json* row) {
    const double value = (*row)[metric]["value"].get<double>();
    return std::isfinite(value) ? (largest_first ? -value : value) : std::numeric_limits<double>::infinity();
  };
  std::stable_sort(out.begin(), out.end(), [&](const Json* a, const Json* b) { return key(a) < key(b); });
  return out;
}

DotPlot plot_of(const Json& methods, const std::string& metric) {
  DotPlot plot{
      .title = words_of_metric(metric) + ", by method", .x_label = words_of_metric(metric), .rows = {}, .series = {{}}};
  for (const Json* row : sorted_by(methods, metric)) {
    add_interval(plot.series[0], static_cast<double>(plot.rows.size()), (*row)[metric]);
    plot.rows.push_back((*row)["method"]);
  }
  return plot;
}

void errors_section(eq::report::Page& page, const Json& summary) {
  page.heading("Errors");
  std::vector<DotPlot> plots;
  for (const std::string& metric : condition_metrics()) plots.push_back(plot_of(summary["methods"], metric));
  page.row(plots);
  page.paragraph("Dots: means over the tested records. Lines: 95 % intervals by bootstrap over patients.");
}

void ranks_section(eq::report::Page& page, const Json& ranks) {
  if (ranks.is_null()) return;
  page.heading("Ranks");
  DotPlot plot{.title = "Average rank over patients by the error at 2%/2 mm, 1 is the best",
               .x_label = "average rank",
               .rows = {},
               .series = {{}},
               .scale = ranks["critical_difference"],
               .scale_label = "critical difference " + fixed(ranks["critical_difference"], 2)};
  for (const Json& method : ranks["order"]) {
    plot.series[0].x.push_back(static_cast<double>(plot.rows.size()));
    plot.series[0].y.push_back(method["rank"]);
    plot.rows.push_back(method["method"].get<std::string>() + " (" + fixed(method["rank"], 2) + ")");
  }
  for (const Json& group : ranks["not_separated"])
    plot.spans.emplace_back(group[0].get<std::size_t>(), group[1].get<std::size_t>());
  page.chart(plot);
  page.paragraph(
      "Methods that a bar at the right joins do not differ at 5 %: their average ranks lie no farther apart "
      "than Nemenyi's critical difference. Friedman's test of all methods being alike over " +
      ranks["blocks"].dump() + " patients: p " + p_of(ranks["friedman_p"], "= ") +
      ". Ranks count in how many patients a method is better, not by how much.");
}

void shares_section(eq::report::Page& page, const Json& methods) {
  if (!methods[0].contains("reachable_machine")) return;
  page.heading("Share of the reachable error");
  DotPlot plot{.title = "Share of the error at 2%/2 mm that was removed, of what can be removed",
               .x_label = "(constant - MAE) / (constant - floor)",
               .rows = {},
               .series = {{"of what can be removed where the plan and its machine are known", {}, {}, {}, {}},
                          {"where the plan alone is known", {}, {}, {}, {}}}};
  for (const Json* row : sorted_by(methods, "reachable_machine", true)) {
    add_interval(plot.series[0], static_cast<double>(plot.rows.size()), (*row)["reachable_machine"]);
    add_interval(plot.series[1], static_cast<double>(plot.rows.size()), (*row)["reachable_plan"]);
    plot.rows.push_back((*row)["method"]);
  }
  page.chart(plot);
  page.paragraph(
      "0 is the constant. 1 is the best that any predictor can reach with what it knows: the floor, by repeated "
      "deliveries of the plan. A model that knows the machine may exceed 1 of the share of the plan alone.");
}

void conditions_section(eq::report::Page& page, const StudySettings& a, const Json& summary) {
  if (!summary.contains("conditions")) return;
  page.heading("Modalities missing and noise at test");
  constexpr std::size_t colours = 8;
  DotPlot plot{.title = "Trained models that are shown a part of their modalities, or noise: " +
                        words_of_metric(strictest_metric()),
               .x_label = words_of_metric(strictest_metric()),
               .rows = {},
               .series = {}};
  for (std::size_t m = 0; m < std::min(a.methods.size(), colours); ++m)
    plot.series.push_back({a.methods[m], {}, {}, {}, {}});
  for (const Json& condition : summary["conditions"]) {
    for (const Json& row : condition["methods"])
      for (Series& s : plot.series)
        if (row["method"] == s.name) add_interval(s, static_cast<double>(plot.rows.size()), row[strictest_metric()]);
    plot.rows.push_back(condition["condition"]);
  }
  page.chart(plot);
  if (a.methods.size() > colours) page.paragraph("The picture has the first eight methods, the tables have all.");
  page.paragraph(noise_notes());
  const auto table = [&](const std::vector<std::string>& methods, const char* part, const std::string& metric) {
    const auto rows = condition_rows(methods, summary["conditions"], part, metric);
    page.table(rows[0], {rows.begin() + 1, rows.end()});
  };
  for (const std::string& metric : condition_metrics()) {
    page.paragraph(words_of_metric(metric) + ":");
    table(a.methods, "methods", metric);
  }
  if (a.methods.size() < 2) return;
  for (const std::string& metric : condition_metrics()) {
    page.paragraph("Differences of " + a.methods.front() + " to the other methods, " + words_of_metric(metric) + ":");
    table({a.methods.begin() + 1, a.methods.end()}, "differences", metric);
  }
}

void records_section(eq::report::Page& page, const StudySettings& a, const std::vector<Json>& summaries) {
  if (a.records.size() < 2) return;
  page.heading("Number of training records");
  std::vector<eq::report::Chart> charts;
  for (const std::string& metric : condition_metrics()) {
    eq::report::Chart chart{.title = words_of_metric(metric) + ", by the number of training records",
                            .x_label = "training records",
                            .y_label = words_of_metric(metric),
                            .series = {}};
    for (const Json& row : summaries.back()["methods"])
      chart.series.push_back({row["method"].get<std::string>(), {}, {}, {}, {}});
    // Methods stand a little apart, or their intervals would cover each other.
    const double apart = 0.008 * std::log10(static_cast<double>(a.records.back()) / static_cast<double>(a.records[0]));
    for (const Json& summary : summaries) {
      const double n = summary["training_records"].get<double>();
      chart.x_ticks.emplace_back(std::log10(n), fixed(n, 0));
      for (std::size_t m = 0; m < chart.series.size(); ++m)
        add_interval(chart.series[m], std::log10(n) + apart * static_cast<double>(m), summary["methods"][m][metric]);
    }
    for (std::size_t m = a.methods.size(); m < chart.series.size(); ++m) chart.series[m].dashed = true;
    charts.push_back(chart);
  }
  page.row(charts);
  page.paragraph(
      "Solid: trained methods. Dashed: baselines of the table, and the constant. The training records are drawn at "
      "random from each split's training part, and more of them hold the fewer; validation and test records stay the "
      "same.");
}

void tables_section(eq::report::Page& page, const StudySettings& a, const std::vector<Json>& summaries) {
  page.heading("Tables");
  std::vector<std::string> columns = {"method"};
  for (const std::string& metric : compared_metrics()) columns.push_back(words_of_metric(metric));
  const auto cells = [&](const Json& row, const std::string& name) {
    std::vector<std::string> out = {name};
    for (const std::string& metric : compared_metrics()) out.push_back(interval_of(row[metric], decimals_of(metric)));
    return out;
  };
  for (const Json& summary : summaries) {
    if (!a.records.empty()) page.paragraph(summary["training_records"].dump() + " training records:");
    std::vector<std::vector<std::string>> rows;
    for (const Json& row : summary["methods"]) rows.push_back(cells(row, row["method"]));
    page.table(columns, rows);
    std::vector<std::string> of_differences = columns;
    of_differences[0] = "difference", of_differences.emplace_back("p (2%/2 mm)");
    rows.clear();
    for (const Json& d : summary["differences"]) {
      rows.push_back(cells(d, d["method"].get<std::string>() + " - " + d["against"].get<std::string>()));
      rows.back().push_back(p_of(d["mae_2_2_p_holm"]));
    }
    page.table(of_differences, rows);
  }
  page.paragraph(
      "Failing records: true rate below 90 % at 2%/2 mm. Maps in % of the norm, within the pixels from 10 % of it. p: "
      "Wilcoxon's signed ranks over patients, corrected by Holm. Interval and p-value may disagree: the interval is of "
      "the mean difference, in which large differences of few patients weigh much, the test is of ranks, in which they "
      "weigh little.");
}

void further_section(eq::report::Page& page, const Json& summary) {
  page.heading("Further figures");
  for (const char* part : {"methods", "differences"})
    for (const FurtherTable& table : further_tables(summary, part)) {
      page.paragraph(table.title + (part == std::string_view("methods") ? ":" : ", differences:"));
      page.table(table.rows[0], {table.rows.begin() + 1, table.rows.end()});
    }
  page.paragraph(further_notes());
}

void settings_section(eq::report::Page& page, const StudySettings& a) {
  page.heading("How it was made");
  page.paragraph(
      "ridge, forest, boosted: a linear model, a random forest and gradient-boosted trees of the table, with the "
      "training records' mean map. constant: the training records' median rates, with a map of zeros.");
  // What says how the cohort is divided stands in the sentence of `study_notes`.
  const auto of_split = [&](const std::string& key) {
    return key == "--seed" || key == "--split-seed" || key == "--folds" || key == "fold" ||
           key == "--leave-out-machine" || (key == "share of test" && (a.folds > 0 || a.machines));
  };
  for (const std::string& method : a.methods) {
    std::string text;
    for (const auto& [key, value] : settings_of(config_of(a, method_config(a, method), {}, {})))
      if (!of_split(key)) text += key + " = " + value + "\n";
    page.details(method + ": options", text);
  }
  if (a.trials < 2) return;
  std::string text;
  for (const eq::SearchRange& range : a.search) {
    text += range.option + ": ";
    if (range.choices.empty())
      text += eq::option_text(range.low) + " to " + eq::option_text(range.high) +
              (range.logarithmic ? ", logarithmic" : "");
    else
      text += listed(range.choices);
    text += "\n";
  }
  page.details("What " + std::to_string(a.trials) + " trials a run draw", text);
}

}  // namespace

void write_study_page(const StudySettings& a, const std::vector<Json>& summaries, const psqa::Cohort& cohort) {
  const Json& summary = summaries.back();
  eq::report::Page page("A study of methods that predict passing rates and dose differences");
  page.heading("Verdict");
  for (const std::string& sentence : study_verdict(a, summary)) page.paragraph(sentence);
  page.paragraph("Provenance of the cohort: " + cohort.about.value("provenance", "unknown") + ", " +
                 counted(cohort.records.size(), "record") +
                 ". A simulated cohort stands for no clinic: ranks and errors can differ there.");
  page.facts({{"Version", "psqa " + std::string(eq::version)},
              {"Date", date_now()},
              {"Command", command_line()},
              {"Cohort", a.cohort},
              {"Runs", a.out}});
  errors_section(page, summary);
  records_section(page, a, summaries);
  ranks_section(page, summary["ranks"]);
  shares_section(page, summary["methods"]);
  conditions_section(page, a, summary);
  tables_section(page, a, summaries);
  further_section(page, summary);
  settings_section(page, a);
  page.write(a.html);
}

}  // namespace psqa_program
