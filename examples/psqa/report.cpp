// SPDX-License-Identifier: MIT
/// \file
/// The report and the table of methods.

#include <algorithm>
#include <equipoise/io/png.hpp>
#include <equipoise/psqa/cohort/reader.hpp>
#include <equipoise/report/html.hpp>
#include <equipoise/version.hpp>
#include <iomanip>
#include <iostream>

#include "report_sections.hpp"

namespace psqa_program {

namespace {

using eq::report::fixed;

std::vector<std::string> header() {
  std::vector<std::string> out = {"method"};
  for (const psqa::NamedCriteria& c : psqa::kCriteria) out.emplace_back(c.label);
  out.insert(out.end(), {"2%/2 mm failing", "rank corr.", "AUC", "map MAE", "map SSIM"});
  return out;
}

/// The error of failing records; of fewer than five their number instead of an interval.
std::string failing_error(const psqa::RateMetrics& m) {
  const auto n = m.failure[0].failing;  // below 90 %
  if (n >= 5) return with_interval(m.mae_failing, 2);
  return (n > 0 ? fixed(m.mae_failing.value, 2) : "–") + (" (n " + std::to_string(n) + ")");
}

std::vector<std::string> row_of(const psqa::MethodMetrics& f) {
  std::vector<std::string> out = {f.method};
  for (const psqa::RateMetrics& r : f.rates) out.push_back(with_interval(r.mae, 2));
  const psqa::RateMetrics& strictest = f.rates[psqa::kStrictest];
  out.insert(out.end(),
             {failing_error(strictest), fixed(strictest.spearman.value, 2), fixed(strictest.failure[0].auc.value, 2),
              with_interval(f.maps.mae, 3), with_interval(f.maps.ssim, 3)});
  return out;
}

void cohort_section(eq::report::Page& page, const psqa::Cohort& cohort, const Run& run) {
  page.heading("Cohort");
  page.paragraph(
      "Provenance: " + cohort.about.value("provenance", "unknown") + ". " + std::to_string(cohort.records.size()) +
      " records (each a " + (cohort.about.value("records_of", "plans") == "fields" ? "field" : "plan") + "), split " +
      (run.config.split.machine.empty() ? "by patient" : "by patient, " + run.config.split.machine + " left out") +
      ": " + std::to_string(run.split.train.size()) + " for training, " + std::to_string(run.split.validation.size()) +
      " for validation, " + std::to_string(run.split.test.size()) +
      " for test. A simulated cohort stands for no clinic: it shows what methods can do, not what patients will get.");
  std::vector<std::vector<std::string>> rows;
  std::map<std::string, std::vector<std::size_t>> sites;
  for (std::size_t i = 0; i < cohort.records.size(); ++i)
    sites[cohort.records[i].site].push_back(i), sites["all"].push_back(i);
  for (const auto& [site, members] : sites) {
    std::vector<std::string> row = {site, std::to_string(members.size())};
    for (std::size_t c = 0; c < psqa::kCriteria.size(); ++c) {
      std::vector<double> x;
      double failing = 0;
      for (const std::size_t i : members)
        if (const double g = cohort.records[i].gpr[c]; std::isfinite(g)) x.push_back(g), failing += g < 90;
      row.push_back(x.size() < 2 ? "–" : fixed(eq::mean(x), 1) + " ± " + fixed(eq::standard_deviation(x), 1));
      if (c == psqa::kStrictest)
        row.push_back(x.empty() ? "–" : fixed(100 * failing / static_cast<double>(x.size()), 1));
    }
    rows.push_back(row);
  }
  std::vector<std::string> columns = {"site", "records"};
  for (const psqa::NamedCriteria& c : psqa::kCriteria) columns.push_back("GPR " + std::string(c.label) + ", %");
  columns.emplace_back("below 90 %, %");
  page.table(columns, rows);
}

eq::report::Series series_of(const eq::History& history, const std::string& key, const std::string& name) {
  eq::report::Series s;
  s.name = name;
  for (const eq::EpochRecord& e : history.epochs)
    if (const double* v = e.find(key)) s.x.push_back(static_cast<double>(e.epoch + 1)), s.y.push_back(*v);
  return s;
}

void curves_section(eq::report::Page& page, const std::vector<Run>& runs) {
  page.heading("Learning curves");
  std::vector<eq::report::Chart> charts;
  for (const auto& [key, title] : {std::pair{"gpr", "Passing rates"}, std::pair{"dd", "Dose-difference map"}}) {
    eq::report::Chart c{.title = std::string(title) + ": loss of training and validation records",
                        .x_label = "epoch",
                        .y_label = "loss",
                        .series = {}};
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const Run& run = runs[i];
      eq::report::Series train = series_of(run.history, std::string("train/") + key, run.name + ", training"),
                         validation = series_of(run.history, std::string("val/") + key, run.name + ", validation");
      train.colour = validation.colour = i, validation.dashed = true;
      if (run.history.best_epoch >= 0) validation.marked_x = static_cast<double>(run.history.best_epoch + 1);
      c.series.push_back(train), c.series.push_back(validation);
    }
    charts.push_back(c);
  }
  page.row(charts);
  page.paragraph(
      "Solid: training records. Dashed: validation records. A ring marks the best epoch, whose parameters are the "
      "model.");
}

void rates_section(eq::report::Page& page, const std::vector<psqa::MethodPredictions>& predictions,
                   const std::vector<psqa::MethodMetrics>& metrics) {
  page.heading("Passing rates at 2%/2 mm");
  std::vector<eq::report::Chart> charts;
  for (const psqa::MethodPredictions& j : predictions) {
    eq::report::Chart c{.title = j.method + ": predicted against true",
                        .x_label = "true GPR, %",
                        .y_label = "predicted GPR, %",
                        .series = {{j.method, {}, {}, {}, {}}},
                        .identity = true,
                        .points = true};
    for (std::size_t i = 0; i < j.truth.size(); ++i)
      c.series[0].x.push_back(j.truth[i][psqa::kStrictest]), c.series[0].y.push_back(j.predicted[i][psqa::kStrictest]);
    charts.push_back(c);
  }
  page.row(charts);
  eq::report::Chart strata{
      .title = "Mean absolute error by stratum of the true rate",
      .x_label = "true GPR at 2%/2 mm",
      .y_label = "MAE, points",
      .series = {},
      .from_zero = true,
      .categories = {"< 90 % (n " + std::to_string(metrics[0].rates[psqa::kStrictest].n_stratum[0]) + ")",
                     "90-95 % (n " + std::to_string(metrics[0].rates[psqa::kStrictest].n_stratum[1]) + ")",
                     ">= 95 % (n " + std::to_string(metrics[0].rates[psqa::kStrictest].n_stratum[2]) + ")"}};
  for (const psqa::MethodMetrics& f : metrics) {
    const auto& of = f.rates[psqa::kStrictest].mae_stratum;
    strata.series.push_back({f.method, {0, 1, 2}, {of.begin(), of.end()}, {}, {}});
  }
  page.chart(strata);
}

/// A map as an image: doses from 0 to `top`, or differences from -`top` to `top`. Its bar is in % of the planned maximum.
eq::report::Image picture(const at::Tensor& map, const std::string& caption, double top, bool diverging) {
  const at::Tensor t = map.to(torch::kFloat).contiguous();
  const auto h = static_cast<std::size_t>(t.size(0)), w = static_cast<std::size_t>(t.size(1));
  const auto colour = [&](double v) { return diverging ? eq::io::diverging_colour(v) : eq::io::sequential_colour(v); };
  constexpr std::size_t kSteps = 64;
  std::vector<float> bar(kSteps);
  for (std::size_t i = 0; i < kSteps; ++i) {
    const float share = static_cast<float>(i) / static_cast<float>(kSteps - 1);
    bar[i] = diverging ? 2 * share - 1 : share;
  }
  return {eq::io::map_png<float>(
              {t.const_data_ptr<float>(), h * w}, w, h, [&](double v) { return colour(v / top); }, 4),
          caption,
          eq::report::ColourBar{eq::io::map_png<float>(bar, kSteps, 1, colour), diverging ? "-10 %" : "0 %",
                                diverging ? "+10 %" : "100 %"}};
}

void maps_section(eq::report::Page& page, Run& run, const psqa::Cohort& cohort,
                  const psqa::MethodPredictions& predictions) {
  page.heading("Maps of " + predictions.method);
  page.paragraph(
      "Records with the smallest, the median and the largest mean error of the predicted map. All colour bars are in % "
      "of the record's planned maximum. A positive difference (red) means that more was measured than planned; grey: "
      "dose below 10 %.");
  const at::Tensor valid = predictions.dd_truth.isfinite();
  const at::Tensor error = ((predictions.dd_predicted - predictions.dd_truth.nan_to_num(0))
                                .abs()
                                .masked_fill(valid.logical_not(), 0)
                                .flatten(1)
                                .sum(1) /
                            valid.flatten(1).sum(1).clamp_min(1))
                               .contiguous();
  const at::Tensor order = error.argsort();
  const std::int64_t n = order.size(0);
  for (const auto& [place, name] :
       {std::pair<std::int64_t, const char*>{0, "best"}, {n / 2, "median"}, {n - 1, "worst"}}) {
    const std::int64_t i = order[place].item<std::int64_t>();
    const auto record = static_cast<std::size_t>(run.split.test[static_cast<std::size_t>(i)]);
    const auto h = static_cast<std::int64_t>(cohort.height), w = static_cast<std::int64_t>(cohort.width);
    const at::Tensor planned = psqa::pooled_planes(cohort.plane(cohort.planned, record), 1, h, w, 1)[0][0],
                     measured = psqa::pooled_planes(cohort.plane(cohort.measured, record), 1, h, w, 1)[0][0];
    const double maximum = planned.max().item<double>();
    const std::string id = cohort.records[record].id + " (" + name + ", " + fixed(error[i].item<double>(), 2) + " %)";
    page.row({picture(planned, id + ": planned", maximum, false), picture(measured, "measured", maximum, false),
              picture(predictions.dd_truth[i][0], "true difference", 10, true),
              picture(predictions.dd_predicted[i][0].masked_fill(predictions.dd_truth[i][0].isnan(),
                                                                 std::numeric_limits<float>::quiet_NaN()),
                      "predicted difference", 10, true)});
  }
}

void contributions_section(eq::report::Page& page, const std::vector<Run>& runs, const psqa::Cohort& cohort) {
  page.heading("Contributions of the modalities");
  page.paragraph(
      "Shapley values of v(S) = (l(none) - l(S)) / l(none) on the test records: the part of the loss without any "
      "modality that each one takes away.");
  std::vector<std::string> columns = {"method, task"};
  for (const std::string& modality : psqa::kModalities)
    if (std::any_of(runs.begin(), runs.end(), [&](const Run& run) { return is_shown(run.config, modality); }))
      columns.push_back(modality);
  std::vector<std::vector<std::string>> rows;
  for (const Run& run : runs) {
    const eq::Contributions phi = run.learner->contributions_on(data_of(run, cohort).select(run.split.test));
    const std::vector<std::string>& names = phi.schema.modalities;
    for (const eq::TaskContributions& t : phi.tasks) {
      std::vector<std::string>& row = rows.emplace_back(1, run.name + ", " + t.task);
      for (std::size_t c = 1; c < columns.size(); ++c) {
        const auto m = static_cast<std::size_t>(std::find(names.begin(), names.end(), columns[c]) - names.begin());
        row.push_back(m < names.size() ? fixed(t.mean[m], 3) : "–");
      }
      row.push_back(fixed(1 - t.losses.back() / t.losses.front(), 3));
    }
  }
  columns.push_back("together");
  page.table(columns, rows);
  for (const Run& run : runs) {
    std::vector<eq::report::Chart> charts;
    for (const char* task : {"gpr", "dd"}) {
      eq::report::Chart c{.title = run.name + ": shares of the contributions to " + task + " over training",
                          .x_label = "epoch",
                          .y_label = "share",
                          .series = {},
                          .from_zero = true};
      for (const std::string& modality : run.config.modalities)
        c.series.push_back(series_of(run.history, std::string("share/") + task + "/" + modality, modality));
      if (!c.series[0].x.empty()) charts.push_back(c);
    }
    if (!charts.empty()) page.row(charts);
  }
}

/// The program's version, the date, the command, and each run's folder.
std::vector<std::pair<std::string, std::string>> head(const std::vector<Run>& runs) {
  std::vector<std::pair<std::string, std::string>> out = {{"Version", "psqa " + std::string(eq::version)},
                                                          {"Date", date_now()},
                                                          {"Command", command_line()},
                                                          {"Cohort", runs[0].config.cohort}};
  for (const Run& run : runs) out.emplace_back("Run " + run.name, run.folder.string());
  return out;
}

}  // namespace

std::vector<std::string> paired_sentences(const std::vector<psqa::MethodPredictions>& predictions) {
  std::vector<std::string> out;
  for (std::size_t i = 1; i < predictions.size(); ++i) {
    const eq::Interval d = psqa::paired_difference(predictions[0], predictions[i], psqa::kStrictest);
    out.push_back("MAE at 2%/2 mm of " + predictions[0].method + " minus " + predictions[i].method +
                  ", paired: " + with_interval(d, 2) + " points" +
                  (std::isnan(d.low) ? ": too few patients for an interval."
                   : d.high < 0      ? "."
                   : d.low > 0       ? ": " + predictions[i].method + " is better."
                                     : ": not separated."));
  }
  return out;
}

void print_rows(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> wide(rows[0].size(), 0);
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) wide[i] = std::max(wide[i], row[i].size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i)
      std::cout << (i == 0 ? std::left : std::right) << std::setw(static_cast<int>(wide[i]) + 2) << row[i];
    std::cout << "\n";
  }
}

void print_table(const Comparison& comparison) {
  std::vector<std::vector<std::string>> rows = {header()};
  for (const psqa::MethodMetrics& f : comparison.metrics) rows.push_back(row_of(f));
  print_rows(rows);
  std::cout << "MAE of passing rates in points, of maps in % of the norm; [95 % interval over patients]; constant: "
               "training median and zero map; ridge, forest, boosted: a linear model, a random forest and "
               "gradient-boosted trees of the table, with the mean map.\n";
  for (const std::string& sentence : paired_sentences(comparison.predictions)) std::cout << sentence << "\n";
  for (const std::string& sentence : verdict(comparison)) std::cout << sentence << "\n";
}

void write_report(std::vector<Run>& runs, const fs::path& file) {
  const psqa::Cohort cohort = psqa::read_cohort(runs.at(0).config.cohort);
  const Comparison comparison = compare(runs, cohort);
  const std::vector<psqa::MethodPredictions>& predictions = comparison.predictions;
  const std::vector<psqa::MethodMetrics>& metrics = comparison.metrics;
  eq::report::Page page("Patient-specific QA: predicted passing rates and dose differences");
  page.facts(head(runs));
  page.heading("Verdict");
  for (const std::string& sentence : verdict(comparison)) page.paragraph(sentence);
  page.paragraph(
      "Each run has one seed. The intervals do not cover what another seed would change; psqa compare trains several.");
  page.heading("Methods");
  std::vector<std::vector<std::string>> rows;
  for (const psqa::MethodMetrics& f : metrics) rows.push_back(row_of(f));
  page.table(header(), rows);
  page.paragraph(
      "Test records, each opened once. Mean absolute errors of passing rates in points (failing: true rate below 90 "
      "%), of maps in % of the norm within 10 % of it; 95 % "
      "intervals by bootstrap over patients. Rank correlation and AUC of failing at 2%/2 mm. SSIM with a range of 20 "
      "%. constant: the training records' median rates and the "
      "zero map. ridge, forest, boosted: a linear model, a random forest and gradient-boosted trees of the table, with "
      "the training records' mean map.");
  for (const std::string& sentence : paired_sentences(predictions)) page.paragraph(sentence);
  cohort_section(page, cohort, runs[0]);
  curves_section(page, runs);
  rates_section(page, predictions, metrics);
  failing_section(page, metrics);
  intervals_section(page, metrics);
  groups_section(page, metrics);
  map_metrics_section(page, metrics);
  maps_section(page, runs[0], cohort, predictions[0]);
  contributions_section(page, runs, cohort);
  missing_section(page, runs, cohort);
  page.heading("How it was made");
  for (const Run& run : runs) {
    std::string text = "fusion " + run.config.fusion + "\n";
    if (run.config.start) text += "first weights: those of " + run.config.start->folder + "\n";
    for (const PolicyChoice& p : run.config.policies)
      for (const auto& [key, value] : options_of(p)) text += p.name + "." + key + " = " + value + "\n";
    for (const auto& [key, value] : eq::options(run.config.trainer)) text += "trainer." + key + " = " + value + "\n";
    page.details(run.name + ": options", text);
  }
  page.details("cohort.json", cohort.about.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  page.write(file);
}

}  // namespace psqa_program
