// SPDX-License-Identifier: MIT
/// \file
/// The report's sections on what predictions are worth: failing plans, intervals and probabilities, where the errors are,
/// what is left without a modality, maps.

#include <cmath>

#include "report_sections.hpp"

namespace psqa_program {

namespace {

using eq::report::fixed;

/// A number, or a dash where it has no value.
std::string or_dash(double v, int decimals) {
  return std::isfinite(v) ? fixed(v, decimals) : "–";
}
std::string or_dash(const eq::Interval& i) {
  return std::isfinite(i.value) ? with_interval(i, 2) : "–";
}

}  // namespace

void failing_section(eq::report::Page& page, const std::vector<psqa::MethodMetrics>& metrics) {
  page.heading("Failing records at 2%/2 mm");
  std::vector<std::vector<std::string>> rows;
  for (std::size_t l = 0; l < psqa::kFailingLimits.size(); ++l)
    for (const psqa::MethodMetrics& f : metrics) {
      const psqa::FailureMetrics& d = f.rates[psqa::kStrictest].failure[l];
      rows.push_back({f.method, "< " + fixed(d.limit, 0) + " % (n " + std::to_string(d.failing) + ")",
                      or_dash(d.flag_below, 1), or_dash(d.sensitivity), or_dash(d.specificity), or_dash(d.precision),
                      or_dash(d.auc), or_dash(d.average_precision)});
    }
  page.table(
      {"method", "true GPR", "flagged up to, %", "sensitivity", "specificity", "precision", "AUC", "average precision"},
      rows);
  page.paragraph(
      "A record is flagged where its predicted rate is not above a limit that was chosen on the validation records: a "
      "failing one that nobody measures counts as " +
      fixed(psqa::kMissCost, 0) + " needless measurements.");
}

void intervals_section(eq::report::Page& page, const std::vector<psqa::MethodMetrics>& metrics) {
  page.heading("How sure the predictions are");
  std::vector<std::vector<std::string>> rows;
  for (const psqa::MethodMetrics& f : metrics)
    for (const psqa::CoverageMetrics& c : f.rates[psqa::kStrictest].coverage)
      rows.push_back({f.method, fixed(100 * c.level, 0) + " %",
                      std::isfinite(c.half_width) ? "± " + fixed(c.half_width, 1) : "–",
                      or_dash(100 * c.covered.value, 0), or_dash(100 * c.by_stratum[0], 0),
                      or_dash(100 * c.by_stratum[1], 0), or_dash(100 * c.by_stratum[2], 0)});
  page.table({"method", "promised", "points", "covered, %", "below 90 %, %", "90-95 %, %", "above 95 %, %"}, rows);
  page.paragraph(
      "Split conformal intervals at 2%/2 mm, their width from the validation records, what they hold from the test "
      "records. One width for all: failing records, whose errors are larger, are covered less often. The validation "
      "records also chose the epoch, and records of one patient are alike: the promise is a little too good, and holds "
      "for no machine that was left out.");
  rows.clear();
  for (const psqa::MethodMetrics& f : metrics) {
    std::vector<std::string> row = {f.method};
    for (const psqa::FailureMetrics& d : f.rates[psqa::kStrictest].failure)
      for (const eq::Interval& i : {d.brier, d.brier_of_share}) row.push_back(with_interval(i, 3));
    rows.push_back(row);
  }
  page.table({"method", "Brier, below 90 %", "of the share", "Brier, below 95 %", "of the share"}, rows);
  page.paragraph(
      "Squared error of the probability of failing that the validation records' residuals give, beside that of their "
      "share of failing ones said of every record.");
  eq::report::Chart c{.title = "Probability of a rate below 90 % at 2%/2 mm: what came against what was said",
                      .x_label = "said",
                      .y_label = "came",
                      .series = {},
                      .identity = true,
                      .points = true};
  for (const psqa::MethodMetrics& f : metrics) {
    eq::report::Series s;
    s.name = f.method;
    for (const eq::ReliabilityBin& b : f.rates[psqa::kStrictest].failure[0].reliability)
      s.x.push_back(b.probability), s.y.push_back(b.frequency);
    c.series.push_back(s);
  }
  page.chart(c);
}

void groups_section(eq::report::Page& page, const std::vector<psqa::MethodMetrics>& metrics) {
  page.heading("Where the errors are");
  std::vector<std::string> columns = {"test records of", "n"};
  for (const psqa::MethodMetrics& f : metrics) columns.push_back(f.method);
  std::vector<std::vector<std::string>> rows;
  for (std::size_t g = 0; g < metrics[0].rates[psqa::kStrictest].groups.size(); ++g) {
    const psqa::GroupError& of = metrics[0].rates[psqa::kStrictest].groups[g];
    std::vector<std::string> row = {(of.of == "mcs_quarter" ? "MCS quarter" : of.of) + " " + of.name,
                                    std::to_string(of.n)};
    for (const psqa::MethodMetrics& f : metrics) row.push_back(fixed(f.rates[psqa::kStrictest].groups[g].mae, 2));
    rows.push_back(row);
  }
  page.table(columns, rows);
  page.paragraph("Mean absolute error at 2%/2 mm in points.");
}

void missing_section(eq::report::Page& page, const std::vector<Run>& runs, const psqa::Cohort& cohort) {
  page.heading("Without a modality");
  const std::vector<std::vector<std::string>> rows = errors_without_modalities(runs, cohort);
  page.table(rows[0], {rows.begin() + 1, rows.end()});
  page.paragraph("Mean absolute error at 2%/2 mm in points when the trained model is shown a part of its modalities.");
}

void map_metrics_section(eq::report::Page& page, const std::vector<psqa::MethodMetrics>& metrics) {
  page.heading("Dose-difference maps");
  std::vector<std::vector<std::string>> rows;
  for (const psqa::MethodMetrics& f : metrics) {
    const psqa::MapMetrics& m = f.maps;
    rows.push_back({f.method, with_interval(m.mae, 3), fixed(m.rmse.value, 3), with_interval(m.ssim, 3),
                    fixed(m.psnr.value, 1), with_interval(m.dice, 2), or_dash(m.rate_mae[psqa::kStrictest]),
                    or_dash(m.rate_spearman[psqa::kStrictest])});
  }
  page.table(
      {"method", "MAE, %", "RMSE, %", "SSIM", "PSNR, dB", "Dice beyond 3 %", "GPR from the map, MAE", "rank corr."},
      rows);
  page.paragraph(
      "Dice: overlap of the pixels that differ by more than 3 % of the norm. GPR from the map: the passing rate at "
      "2%/2 "
      "mm of the planned dose plus the predicted difference, against the true one. A predicted map is smoother than a "
      "measurement, so that such rates tend to be too high.");
}

}  // namespace psqa_program
