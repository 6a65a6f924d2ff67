// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Baselines of every comparison. The constant is the training records' median rates with a map of
/// zeros; it does not look at the plan. Ridge, forest and boosted are a linear model, a random
/// forest and gradient-boosted trees of the table, with the training records' mean map.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/data/split.hpp>
#include <equipoise/evaluation/boosting.hpp>
#include <equipoise/evaluation/forest.hpp>
#include <equipoise/evaluation/ridge.hpp>
#include <equipoise/psqa/criteria.hpp>
#include <equipoise/psqa/learning/data.hpp>
#include <equipoise/psqa/learning/map_metrics.hpp>
#include <equipoise/psqa/learning/method_predictions.hpp>

#include <Eigen/Dense>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// The baselines by name, in the order of tables.
inline const std::vector<std::string> kBaselines = {"ridge", "forest", "boosted", "constant"};

namespace detail {

inline constexpr auto kRateColumns = static_cast<Eigen::Index>(kCriteria.size());

[[nodiscard]] inline Rates rates_of_records(const Cohort& cohort, std::span<const std::int64_t> records) {
  Rates out;
  for (const std::int64_t i : records) out.push_back(cohort.records[static_cast<std::size_t>(i)].gpr);
  return out;
}

/// The standardised table of some records, then what is known of their machines where models are shown it. [N, F]
[[nodiscard]] inline Eigen::MatrixXd table_of(const Cohort& cohort, std::span<const std::int64_t> records,
                                              const Scales& s) {
  std::vector<std::vector<double>> rows;
  for (const std::int64_t i : records) rows.push_back(cohort.records[static_cast<std::size_t>(i)].metrics);
  at::Tensor t = metric_tensor(rows, cohort.metric_names, s);
  if (s.delivery.has_machine && !records.empty()) {
    std::vector<std::vector<float>> of_machines;
    for (const std::int64_t i : records) {
      const CohortRecord& r = cohort.records[static_cast<std::size_t>(i)];
      of_machines.push_back(machine_row(r.machine, r.site, s.delivery));
    }
    t = torch::cat({t, tensor_of_rows(of_machines)}, 1);
  }
  using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const Rows>(t.const_data_ptr<float>(), t.size(0), t.size(1)).cast<double>();
}

/// Rates as a model's targets. [N, C]
[[nodiscard]] inline Eigen::MatrixXd scaled_rates(const Rates& rates, const Scales& s) {
  Eigen::MatrixXd y(static_cast<Eigen::Index>(rates.size()), kRateColumns);
  for (std::size_t i = 0; i < rates.size(); ++i)
    for (std::size_t c = 0; c < kCriteria.size(); ++c)
      y(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c)) = scaled_rate(rates[i][c], c, s);
  return y;
}

[[nodiscard]] inline Rates unscaled_rates(const Eigen::MatrixXd& y, const Scales& s) {
  at::Tensor t = torch::empty({y.rows(), kRateColumns}, torch::kDouble);
  Eigen::Map<Eigen::Matrix<double, Eigen::Dynamic, kRateColumns, Eigen::RowMajor>>(t.mutable_data_ptr<double>(),
                                                                                   y.rows(), kRateColumns) = y;
  return to_rates(t, s);
}

/// Predicts one criterion's scaled rates of the validation and test records with the setting that
/// has the smallest validation error. Writes nothing if no training record's rate is known.
/// \param fit called as `fit(x, y, validation, setting)`, x [N, F] and y [N, 1], `validation` such a
/// pair of the validation records whose rate is known; its result predicts
template <class Fit, class Settings>
void fit_criterion(const Cohort& cohort, const DataSplit& split, const Scales& s, Eigen::Index criterion, Fit&& fit,
                   const Settings& settings, Eigen::MatrixXd& at_validation, Eigen::MatrixXd& at_test) {
  const auto c = static_cast<std::size_t>(criterion);
  std::vector<std::int64_t> train;
  for (const std::int64_t i : split.train)
    if (std::isfinite(cohort.records[static_cast<std::size_t>(i)].gpr[c])) train.push_back(i);
  if (train.empty()) return;
  const Eigen::MatrixXd x = table_of(cohort, train, s), x_validation = table_of(cohort, split.validation, s),
                        x_test = table_of(cohort, split.test, s),
                        y = scaled_rates(rates_of_records(cohort, train), s).col(criterion),
                        known = scaled_rates(rates_of_records(cohort, split.validation), s).col(criterion);
  std::vector<Eigen::Index> with_rate;
  for (Eigen::Index i = 0; i < known.rows(); ++i)
    if (std::isfinite(known(i, 0))) with_rate.push_back(i);
  const std::pair<Eigen::MatrixXd, Eigen::MatrixXd> validation = {x_validation(with_rate, Eigen::all),
                                                                  known(with_rate, Eigen::all)};
  double minimum = std::numeric_limits<double>::infinity();
  for (const auto& setting : settings) {  // the first where no validation rate is known
    const auto model = fit(x, y, validation, setting);
    const Eigen::MatrixXd guess = model.predict(x_validation);
    double error = 0;
    for (const Eigen::Index i : with_rate) error += std::abs(guess(i, 0) - known(i, 0));
    if (!(error < minimum)) continue;
    minimum = error;
    at_validation.col(criterion) = guess, at_test.col(criterion) = model.predict(x_test);
  }
}

/// The mean of the training records' maps, where they are valid; 0 where none is. % of the norm, [1, 1, h, w]
[[nodiscard]] inline at::Tensor mean_map(const Cohort& cohort, std::span<const std::int64_t> records, const Scales& s) {
  at::Tensor sum, n;
  for (const std::int64_t i : records) {
    const at::Tensor dd = dd_of_record(cohort, i, s.pool);
    const at::Tensor valid = dd.isfinite();
    sum = sum.defined() ? sum + dd.nan_to_num(0) : dd.nan_to_num(0);
    n = n.defined() ? n + valid : valid.to(torch::kFloat);
  }
  return sum / n.clamp_min(1);
}

}  // namespace detail

/// The training records' median rates, and the zero map. \param like whose records are judged
[[nodiscard]] inline MethodPredictions constant_baseline(const MethodPredictions& like, const Cohort& cohort,
                                                         const DataSplit& split) {
  MethodPredictions out = like;
  out.method = "constant";
  RateNumbers median{};
  for (std::size_t c = 0; c < kCriteria.size(); ++c) {
    std::vector<double> x;
    for (const RateNumbers& g : detail::rates_of_records(cohort, split.train))
      if (std::isfinite(g[c])) x.push_back(g[c]);
    median[c] = quantile(x, 0.5);
  }
  out.predicted.assign(like.size(), median);
  out.calibration_predicted.assign(like.calibration_truth.size(), median);
  out.dd_predicted = at::zeros_like(like.dd_truth);
  RateNumbers all_pass;
  all_pass.fill(100);  // of a measurement that is the plan
  out.map_rates.assign(like.map_rates.size(), all_pass);
  return out;
}

namespace detail {

/// A model of the table for each rate, and the training records' mean map. \param like whose records are judged
template <class Fit, class Settings>
[[nodiscard]] MethodPredictions table_baseline(const char* name, Fit&& fit, const Settings& settings,
                                               const MethodPredictions& like, const Cohort& cohort,
                                               const DataSplit& split, const Scales& s) {
  MethodPredictions out = like;
  out.method = name;
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const auto rows = [](const std::vector<std::int64_t>& part) { return static_cast<Eigen::Index>(part.size()); };
  Eigen::MatrixXd at_validation = Eigen::MatrixXd::Constant(rows(split.validation), kRateColumns, nan),
                  at_test = Eigen::MatrixXd::Constant(rows(split.test), kRateColumns, nan);
  for (Eigen::Index c = 0; c < kRateColumns; ++c)
    fit_criterion(cohort, split, s, c, fit, settings, at_validation, at_test);
  out.calibration_predicted = unscaled_rates(at_validation, s);
  out.predicted = unscaled_rates(at_test, s);
  out.dd_predicted = mean_map(cohort, split.train, s).expand_as(like.dd_truth);
  if (!like.map_rates.empty()) out.map_rates = rates_of_maps(cohort, split.test, out.dd_predicted);
  return out;
}

}  // namespace detail

/// Ridge regression of each rate on the table, its penalty chosen by the validation records' error, and the training
/// records' mean map. \param like whose records are judged
[[nodiscard]] inline MethodPredictions ridge_baseline(const MethodPredictions& like, const Cohort& cohort,
                                                      const DataSplit& split, const Scales& s) {
  const auto fit = [](const Eigen::MatrixXd& x, const Eigen::MatrixXd& y, const auto&, double penalty) {
    return Ridge(x, y, penalty);
  };
  return detail::table_baseline("ridge", fit, std::array{1e-1, 1e-4, 1e-3, 1e-2, 1.0, 10.0}, like, cohort, split, s);
}

/// A random forest of each rate on the table, the share of the features that a split sees (a third, a tenth, all) chosen
/// by the validation records' error, and the training records' mean map. \param like whose records are judged
[[nodiscard]] inline MethodPredictions forest_baseline(const MethodPredictions& like, const Cohort& cohort,
                                                       const DataSplit& split, const Scales& s) {
  const auto fit = [](const Eigen::MatrixXd& x, const Eigen::MatrixXd& y, const auto&, Eigen::Index part) {
    return RegressionForest(x, y, {.features = static_cast<std::size_t>(std::max<Eigen::Index>(1, x.cols() / part))});
  };
  return detail::table_baseline("forest", fit, std::array<Eigen::Index, 3>{3, 10, 1}, like, cohort, split, s);
}

/// Gradient-boosted trees of each rate on the table, with the options of `BoostingOptions`. Their number is that with the
/// smallest error of the validation records, their depth (4, 2 or 6) is chosen by it too. The map is the training records'
/// mean. \param like whose records are judged
[[nodiscard]] inline MethodPredictions boosted_baseline(const MethodPredictions& like, const Cohort& cohort,
                                                        const DataSplit& split, const Scales& s) {
  const auto fit = [](const Eigen::MatrixXd& x, const Eigen::MatrixXd& y, const auto& validation, std::size_t depth) {
    return BoostedTrees(x, y, validation.first, validation.second, {.depth = depth});
  };
  return detail::table_baseline("boosted", fit, std::array<std::size_t, 3>{4, 2, 6}, like, cohort, split, s);
}

/// The baseline of that name. \param name of `kBaselines` \throws NameError for another
[[nodiscard]] inline MethodPredictions baseline_named(const std::string& name, const MethodPredictions& like,
                                                      const Cohort& cohort, const DataSplit& split, const Scales& s) {
  if (name == "ridge") return ridge_baseline(like, cohort, split, s);
  if (name == "forest") return forest_baseline(like, cohort, split, s);
  if (name == "boosted") return boosted_baseline(like, cohort, split, s);
  if (name == "constant") return constant_baseline(like, cohort, split);
  throw NameError(message("name.308", "baseline", "no method \"", name, "\"; ", nearest_name(name, kBaselines)));
}

}  // namespace equipoise::psqa
