// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How well a method predicts passing rates: errors in points with intervals over patients, by
/// stratum; the detection of failing plans; and the calibration of its intervals and probabilities.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/data/groups.hpp>
#include <equipoise/evaluation/bootstrap.hpp>
#include <equipoise/evaluation/conformal.hpp>
#include <equipoise/evaluation/detection.hpp>
#include <equipoise/evaluation/metrics.hpp>
#include <equipoise/psqa/learning/method_predictions.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace equipoise::psqa {

/// TG-218's universal action and tolerance limits, %: a plan below one of them is failing.
inline constexpr std::array<double, 2> kFailingLimits = {90, 95};
/// Cost of a missed failing plan, in unnecessary measurements. It sets the predicted rate below
/// which a plan is flagged.
inline constexpr double kMissCost = 5;
inline constexpr std::array<double, 3> kConfidenceLevels = {0.8, 0.9, 0.95};

/// Failing plans at one limit. The flag and the probabilities are set on the validation records.
struct FailureMetrics {
  double limit = 90;        ///< %
  std::size_t failing = 0;  ///< test records below it
  double flag_below = 0;    ///< predicted rate, % (`kMissCost`)
  Interval sensitivity, specificity, precision, auc, average_precision;
  Interval brier, brier_of_share;  ///< of P(failing), and of predicting the validation records' share for all
  std::vector<ReliabilityBin> reliability;
};

/// Conformal intervals of one level: what they cover, and how wide they are.
struct CoverageMetrics {
  double level = 0.9;
  double half_width = 0;               ///< points
  Interval covered;                    ///< share of the test records; NaN where `half_width` is infinite
  std::array<double, 3> by_stratum{};  ///< below 90, 90-95, above; NaN where there are none
};

/// A group of test records of one site, machine, or quarter of complexity.
struct GroupError {
  std::string of, name;
  std::size_t n = 0;
  double mae = 0;  ///< points
};

/// One criterion's figures.
struct RateMetrics {
  Interval mae, mae_failing, rmse, bias, p90;  ///< points; failing: true rate below 90 %; p90 of the absolute error
  Interval r2, spearman, within3;              ///< within3: share of errors of at most 3 points
  std::array<double, 3> mae_stratum{};         ///< below 90, 90-95, above
  std::array<std::size_t, 3> n_stratum{};
  std::array<FailureMetrics, 2> failure;
  std::array<CoverageMetrics, 3> coverage;
  std::vector<GroupError> groups;
};

namespace detail {

[[nodiscard]] inline std::size_t stratum(double rate) {
  return rate < 90 ? 0 : rate < 95 ? 1 : 2;
}

/// One criterion's true and predicted rates, of the records whose rate is known.
struct KnownRates {
  std::vector<double> truth, predicted, error;
  std::vector<std::size_t> record;  ///< where they stand among all

  KnownRates() = default;
  KnownRates(const Rates& true_rates, const Rates& predicted_rates, std::size_t criterion) {
    for (std::size_t i = 0; i < true_rates.size(); ++i) {
      if (!std::isfinite(true_rates[i][criterion])) continue;
      truth.push_back(true_rates[i][criterion]), predicted.push_back(predicted_rates[i][criterion]);
      error.push_back(std::abs(predicted.back() - truth.back()));
      record.push_back(i);
    }
  }

  [[nodiscard]] KnownRates select(const std::vector<std::size_t>& rows) const {
    KnownRates out;
    for (const std::size_t i : rows) {
      out.truth.push_back(truth[i]), out.predicted.push_back(predicted[i]);
      out.error.push_back(error[i]), out.record.push_back(record[i]);
    }
    return out;
  }
  [[nodiscard]] std::vector<bool> below(double limit) const {
    std::vector<bool> out;
    for (const double t : truth) out.push_back(t < limit);
    return out;
  }
  /// Larger where a failing plan is more likely.
  [[nodiscard]] std::vector<double> alarm() const {
    std::vector<double> out;
    for (const double p : predicted) out.push_back(-p);
    return out;
  }
};

/// The patients' numbers, as groups.
[[nodiscard]] inline std::vector<std::int64_t> patients_of(const MethodPredictions& j, const KnownRates& rates) {
  std::vector<std::string> names;
  for (const std::size_t i : rates.record) names.push_back(j.patients[i]);
  return group_numbers(names);
}

/// A statistic of rates with its interval over patients.
template <class Statistic>
[[nodiscard]] Interval over_patients(const MethodPredictions& j, const KnownRates& rates, Statistic&& statistic) {
  return bootstrap(patients_of(j, rates),
                   [&](const std::vector<std::size_t>& rows) { return statistic(rates.select(rows)); });
}

/// Counts and means by stratum of the true rate. \param value of each record
[[nodiscard]] inline std::array<double, 3> stratum_means(const KnownRates& rates, const std::vector<double>& value,
                                                         std::array<std::size_t, 3>& n) {
  std::array<double, 3> sum{};
  n = {};
  for (const auto& [truth, v] : views::zip(rates.truth, value)) ++n[stratum(truth)], sum[stratum(truth)] += v;
  for (std::size_t s = 0; s < 3; ++s)
    sum[s] = n[s] ? sum[s] / static_cast<double>(n[s]) : std::numeric_limits<double>::quiet_NaN();
  return sum;
}

/// The residuals of the records that a method predicts: none where no training record has the criterion's rate.
[[nodiscard]] inline ConformalResiduals residuals_of(const KnownRates& calibration) {
  std::vector<double> truth, predicted;
  for (const auto& [y, z] : views::zip(calibration.truth, calibration.predicted))
    if (!std::isnan(z)) truth.push_back(y), predicted.push_back(z);
  return {truth, predicted};
}

[[nodiscard]] inline FailureMetrics failure_metrics(const MethodPredictions& j, const KnownRates& test,
                                                    const KnownRates& calibration, const ConformalResiduals& residuals,
                                                    double limit) {
  const std::vector<bool> failing = test.below(limit), known = calibration.below(limit);
  const double threshold = cheapest_threshold(calibration.alarm(), known, kMissCost);
  const double share = static_cast<double>(std::count(known.begin(), known.end(), true)) /
                       std::max(1.0, static_cast<double>(known.size()));
  const auto chances = [&](const KnownRates& r) {
    std::vector<double> out;
    for (const double p : r.predicted) out.push_back(residuals.probability_below(limit, p));  // NaN of NaN
    return out;
  };
  const auto interval = [&](auto&& statistic) { return over_patients(j, test, statistic); };
  const auto confusion = [&](const KnownRates& r) { return confusion_at(threshold, r.alarm(), r.below(limit)); };
  FailureMetrics f;
  f.limit = limit, f.flag_below = -threshold;
  f.failing = static_cast<std::size_t>(std::count(failing.begin(), failing.end(), true));
  f.sensitivity = interval([&](const KnownRates& r) { return confusion(r).sensitivity(); });
  f.specificity = interval([&](const KnownRates& r) { return confusion(r).specificity(); });
  f.precision = interval([&](const KnownRates& r) { return confusion(r).precision(); });
  f.auc = interval([&](const KnownRates& r) { return area_under_curve(r.alarm(), r.below(limit)); });
  f.average_precision = interval([&](const KnownRates& r) { return average_precision(r.alarm(), r.below(limit)); });
  f.brier = interval([&](const KnownRates& r) { return brier_score(chances(r), r.below(limit)); });
  f.brier_of_share = interval(
      [&](const KnownRates& r) { return brier_score(std::vector<double>(r.truth.size(), share), r.below(limit)); });
  const std::vector<double> said = chances(test);
  if (!equipoise::detail::any_nan(said)) f.reliability = reliability(said, failing);
  return f;
}

[[nodiscard]] inline CoverageMetrics coverage_metrics(const MethodPredictions& j, const KnownRates& test,
                                                      const ConformalResiduals& residuals, double level) {
  CoverageMetrics out{level, residuals.half_width(level), {}, {}};
  std::vector<double> covered;
  for (const double e : test.error)  // an interval that too few validation records give covers nothing
    covered.push_back(!std::isfinite(out.half_width) ? std::numeric_limits<double>::quiet_NaN()
                      : e <= out.half_width          ? 1
                                                     : 0);
  out.covered = bootstrap(patients_of(j, test), mean_over_records(covered));
  std::array<std::size_t, 3> n{};
  out.by_stratum = stratum_means(test, covered, n);
  return out;
}

/// Quarters of the test records by their complexity score, the most complex (lowest score) first.
[[nodiscard]] inline std::vector<std::string> quarters_of(const std::vector<double>& mcs) {
  std::vector<std::string> out;
  const double q1 = quantile(mcs, 0.25), q2 = quantile(mcs, 0.5), q3 = quantile(mcs, 0.75);
  for (const double m : mcs) out.emplace_back(m <= q1 ? "1 (complex)" : m <= q2 ? "2" : m <= q3 ? "3" : "4 (simple)");
  return out;
}

[[nodiscard]] inline std::vector<GroupError> group_errors(const MethodPredictions& j, const KnownRates& rates) {
  std::vector<GroupError> out;
  const auto add = [&](const char* of, const std::vector<std::string>& name) {
    std::map<std::string, GroupError> groups;
    for (std::size_t i = 0; i < rates.error.size(); ++i) {
      GroupError& g = groups[name[rates.record[i]]];
      g.mae += rates.error[i], ++g.n;
    }
    for (const auto& [key, g] : groups) out.push_back({of, key, g.n, g.mae / static_cast<double>(g.n)});
  };
  add("site", j.sites), add("machine", j.machines), add("mcs_quarter", quarters_of(j.mcs));
  return out;
}

}  // namespace detail

/// Mean absolute error in points, with its interval over patients. \param criterion position in `kCriteria`
[[nodiscard]] inline Interval mean_rate_error(const MethodPredictions& j, std::size_t criterion) {
  const detail::KnownRates rates(j.truth, j.predicted, criterion);
  return bootstrap(detail::patients_of(j, rates), mean_over_records(rates.error));
}

/// One criterion's figures of a method. \param criterion position in `kCriteria`
[[nodiscard]] inline RateMetrics rate_metrics(const MethodPredictions& j, std::size_t criterion) {
  const detail::KnownRates test(j.truth, j.predicted, criterion),
      calibration(j.calibration_truth, j.calibration_predicted, criterion);
  const auto interval = [&](auto&& statistic) { return detail::over_patients(j, test, statistic); };
  using Known = detail::KnownRates;
  RateMetrics f;
  f.mae = mean_rate_error(j, criterion);
  f.mae_failing = interval([](const Known& r) {
    double sum = 0, n = 0;
    for (const auto& [truth, error] : views::zip(r.truth, r.error))
      if (truth < 90) sum += error, n += 1;
    return n > 0 ? sum / n : std::numeric_limits<double>::quiet_NaN();
  });
  f.rmse = interval([](const Known& r) { return root_mean_squared_error(r.truth, r.predicted); });
  f.r2 = interval([](const Known& r) { return r_squared(r.truth, r.predicted); });
  f.spearman = interval([](const Known& r) { return equipoise::spearman(r.truth, r.predicted); });
  f.bias = interval([](const Known& r) { return equipoise::bias(r.truth, r.predicted); });
  f.p90 = interval([](const Known& r) { return quantile(r.error, 0.9); });
  f.within3 = interval([](const Known& r) {
    return static_cast<double>(std::count_if(r.error.begin(), r.error.end(), [](double e) { return e <= 3; })) /
           static_cast<double>(r.error.size());
  });
  f.mae_stratum = detail::stratum_means(test, test.error, f.n_stratum);
  const ConformalResiduals residuals = detail::residuals_of(calibration);
  for (std::size_t l = 0; l < kFailingLimits.size(); ++l)
    f.failure[l] = detail::failure_metrics(j, test, calibration, residuals, kFailingLimits[l]);
  for (std::size_t l = 0; l < kConfidenceLevels.size(); ++l)
    f.coverage[l] = detail::coverage_metrics(j, test, residuals, kConfidenceLevels[l]);
  f.groups = detail::group_errors(j, test);
  return f;
}

}  // namespace equipoise::psqa
