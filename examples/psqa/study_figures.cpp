// SPDX-License-Identifier: MIT
/// \file
/// The figures of a study by record, and those of a run as a whole: RMSE, R², rank correlation, and how well failing
/// records are found.

#include <cmath>
#include <cstddef>
#include <equipoise/core/base/statistics.hpp>
#include <equipoise/evaluation/metrics.hpp>
#include <equipoise/psqa/learning/map_metrics.hpp>
#include <equipoise/psqa/learning/rate_metrics.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "study_results.hpp"

namespace psqa_program {

namespace {

using Lists = const std::vector<double>&;

/// `3_3` of `gpr_3_3`.
std::string digits_of(const psqa::NamedCriteria& c) {
  return std::string(c.name).substr(4);
}

/// A statistic of the true and predicted rates.
FurtherFigure of_rates(std::string name, std::string words, std::string table, int decimals, const std::string& digits,
                       std::function<double(Lists, Lists)> statistic) {
  return {std::move(name),  std::move(words),      std::move(table),    decimals,
          "true_" + digits, "predicted_" + digits, std::move(statistic)};
}

/// The mean of a column of records.csv.
FurtherFigure mean_of(const std::string& column, std::string words, std::string table, int decimals) {
  return {
      column, std::move(words), std::move(table), decimals, column, column, [](Lists x, Lists) { return eq::mean(x); }};
}

/// The area under the ROC curve: passing records should have the higher predicted rate.
double area_under_curve(Lists truth, Lists predicted, double limit) {
  std::vector<bool> passing;
  for (const double rate : truth) passing.push_back(rate >= limit);
  return eq::area_under_curve(predicted, passing);
}

/// The share of the records with a true rate below the limit whose predicted rate is below it, too; NaN without any.
double sensitivity(Lists truth, Lists predicted, double limit) {
  double failing = 0, found = 0;
  for (std::size_t i = 0; i < truth.size(); ++i)
    if (truth[i] < limit) failing += 1, found += predicted[i] < limit ? 1 : 0;
  return found / failing;
}

/// The share of the records with a true rate from the limit on whose predicted rate is not below it; NaN without any.
double specificity(Lists truth, Lists predicted, double limit) {
  double passing = 0, found = 0;
  for (std::size_t i = 0; i < truth.size(); ++i)
    if (truth[i] >= limit) passing += 1, found += predicted[i] >= limit ? 1 : 0;
  return found / passing;
}

double peak_signal_to_noise(Lists squared, Lists) {
  return 10 * std::log10(psqa::kDdRange * psqa::kDdRange / eq::mean(squared));
}

/// A statistic at each of the criteria.
void add_at_criteria(std::vector<FurtherFigure>& out, const std::string& name, const std::string& table,
                     const std::function<double(Lists, Lists)>& statistic) {
  for (const psqa::NamedCriteria& c : psqa::kCriteria)
    out.push_back(of_rates(name + "_" + digits_of(c), c.label, table, 2, digits_of(c), statistic));
}

void add_failing(std::vector<FurtherFigure>& out) {
  const std::string digits = digits_of(psqa::kCriteria[psqa::kStrictest]), table = "Failing records and maps";
  for (const double limit : psqa::kFailingLimits) {
    const std::string of = eq::report::fixed(limit, 0);
    out.push_back(of_rates("auc_" + of, "AUC, rate below " + of + " %", table, 3, digits,
                           [limit](Lists t, Lists p) { return area_under_curve(t, p, limit); }));
    out.push_back(of_rates("sensitivity_" + of, "sensitivity, rate below " + of + " %", table, 2, digits,
                           [limit](Lists t, Lists p) { return sensitivity(t, p, limit); }));
    out.push_back(of_rates("specificity_" + of, "specificity, rate below " + of + " %", table, 2, digits,
                           [limit](Lists t, Lists p) { return specificity(t, p, limit); }));
  }
  out.push_back(mean_of("mae_2_2_90_95", "MAE, rate of 90 to 95 %, points", table, 2));
  out.push_back(mean_of("mae_2_2_above_95", "MAE, rate above 95 %, points", table, 2));
  out.push_back({"dd_psnr", "PSNR of the maps, dB", table, 1, "dd_squared", "dd_squared", peak_signal_to_noise});
  out.push_back(mean_of("dose_ssim", "SSIM of the dose", table, 4));
}

/// Of the passing rates that the planned dose and the predicted map give.
void add_from_maps(std::vector<FurtherFigure>& out) {
  const auto add = [&](const psqa::NamedCriteria& c, const std::string& name, const std::string& words,
                       const std::function<double(Lists, Lists)>& statistic) {
    const std::string digits = digits_of(c);
    out.push_back({"from_map_" + name + "_" + digits, words + ", " + c.label, "Rates recomputed from the maps", 2,
                   "true_" + digits, "from_map_" + digits, statistic});
  };
  for (const psqa::NamedCriteria& c : psqa::kCriteria)
    add(c, "mae", "MAE in points", [](Lists t, Lists p) { return eq::mean_absolute_error(t, p); });
  add(psqa::kCriteria[psqa::kStrictest], "spearman", "rank correlation",
      [](Lists t, Lists p) { return eq::spearman(t, p); });
}

}  // namespace

const std::vector<std::string>& compared_metrics() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;  // mae_3_3, …
    for (const psqa::NamedCriteria& c : psqa::kCriteria) out.push_back("mae_" + digits_of(c));
    out.insert(out.end(), {"mae_2_2_failing", "dd_mae", "dd_ssim"});
    return out;
  }();
  return names;
}

const std::vector<std::string>& condition_metrics() {
  static const std::vector<std::string> names = {strictest_metric(), "mae_2_2_failing", "dd_mae"};
  return names;
}

const std::string& strictest_metric() {
  return compared_metrics()[psqa::kStrictest];
}

const std::vector<std::string>& record_columns() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out = compared_metrics();
    out.insert(out.end(), {"mae_2_2_90_95", "mae_2_2_above_95", "dd_squared", "dose_ssim"});
    for (const char* which : {"true_", "predicted_", "from_map_"})
      for (const psqa::NamedCriteria& c : psqa::kCriteria) out.push_back(which + digits_of(c));
    return out;
  }();
  return names;
}

std::vector<eq::TestedRecord> tested_records(const psqa::MethodPredictions& predictions, const psqa::Cohort& cohort,
                                             const std::vector<std::int64_t>& test) {
  const psqa::MapErrors maps = psqa::map_errors(predictions);
  const std::vector<double> dose = psqa::dose_ssim(cohort, test, predictions);
  psqa::RateNumbers unknown;
  unknown.fill(std::nan(""));
  std::vector<eq::TestedRecord> out;
  for (std::size_t i = 0; i < test.size(); ++i) {
    const psqa::CohortRecord& r = cohort.records[static_cast<std::size_t>(test[i])];
    std::vector<double> figures;
    for (std::size_t c = 0; c < psqa::kCriteria.size(); ++c)
      figures.push_back(std::abs(predictions.predicted[i][c] - r.gpr[c]));
    const double rate = r.gpr[psqa::kStrictest], error = figures[psqa::kStrictest], none = std::nan("");
    figures.push_back(rate < 90 ? error : none);
    figures.insert(figures.end(), {maps.absolute[i], maps.ssim[i]});
    figures.insert(figures.end(),
                   {rate >= 90 && rate < 95 ? error : none, rate >= 95 ? error : none, maps.squared[i], dose[i]});
    figures.insert(figures.end(), r.gpr.begin(), r.gpr.end());
    const psqa::RateNumbers& from_map = predictions.map_rates.empty() ? unknown : predictions.map_rates[i];
    for (const psqa::RateNumbers* rates : {&predictions.predicted[i], &from_map})
      figures.insert(figures.end(), rates->begin(), rates->end());
    out.push_back({r.id, r.patient, std::move(figures)});
  }
  return out;
}

const std::vector<FurtherFigure>& further_figures() {
  static const std::vector<FurtherFigure> all = [] {
    std::vector<FurtherFigure> out;
    add_at_criteria(out, "rmse", "RMSE, points", [](Lists t, Lists p) { return eq::root_mean_squared_error(t, p); });
    add_at_criteria(out, "r2", "R²", [](Lists t, Lists p) { return eq::r_squared(t, p); });
    add_at_criteria(out, "spearman", "Spearman's rank correlation",
                    [](Lists t, Lists p) { return eq::spearman(t, p); });
    add_failing(out);
    add_from_maps(out);
    return out;
  }();
  return all;
}

}  // namespace psqa_program
