// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What every method is measured against: the training records' median rates with a map of zeros, which know nothing of
/// the plan; and a linear model of the table with the training records' mean map.

#include <equipoise/data/split.hpp>
#include <equipoise/evaluation/ridge.hpp>
#include <equipoise/psqa/judged.hpp>
#include <equipoise/psqa/learning_data.hpp>
#include <equipoise/psqa/map_figures.hpp>

#include <Eigen/Dense>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace equipoise::psqa {

namespace detail {

[[nodiscard]] inline Rates rates_of_records(const Cohort& cohort, std::span<const std::int64_t> records) {
  Rates out;
  for (const std::int64_t i : records) out.push_back(cohort.records[static_cast<std::size_t>(i)].gpr);
  return out;
}

/// The standardised table of some records. [N, F]
[[nodiscard]] inline Eigen::MatrixXd table_of(const Cohort& cohort, std::span<const std::int64_t> records,
                                              const Scales& s) {
  std::vector<std::vector<double>> rows;
  for (const std::int64_t i : records) rows.push_back(cohort.records[static_cast<std::size_t>(i)].metrics);
  const at::Tensor t = metric_tensor(rows, cohort.metric_names, s);
  using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const Rows>(t.const_data_ptr<float>(), t.size(0), t.size(1)).cast<double>();
}

/// Rates as a model's targets. [N, 3]
[[nodiscard]] inline Eigen::MatrixXd scaled_rates(const Rates& rates, const Scales& s) {
  Eigen::MatrixXd y(static_cast<Eigen::Index>(rates.size()), 3);
  for (std::size_t i = 0; i < rates.size(); ++i)
    for (std::size_t c = 0; c < 3; ++c)
      y(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c)) = scaled_rate(rates[i][c], c, s);
  return y;
}

[[nodiscard]] inline Rates unscaled_rates(const Eigen::MatrixXd& y, const Scales& s) {
  at::Tensor t = torch::empty({y.rows(), 3}, torch::kDouble);
  Eigen::Map<Eigen::Matrix<double, Eigen::Dynamic, 3, Eigen::RowMajor>>(t.mutable_data_ptr<double>(), y.rows(), 3) = y;
  return to_rates(t, s);
}

/// Mean absolute error over all criteria.
[[nodiscard]] inline double error_of_rates(const Rates& truth, const Rates& predicted) {
  double sum = 0, n = 0;
  for (std::size_t i = 0; i < truth.size(); ++i)
    for (std::size_t c = 0; c < 3; ++c)
      if (std::isfinite(truth[i][c])) sum += std::abs(predicted[i][c] - truth[i][c]), n += 1;
  return sum / n;
}

/// The mean of the training records' maps, where they are valid; 0 where none is. % of the norm, [1, 1, h, w]
[[nodiscard]] inline at::Tensor mean_map(const Cohort& cohort, std::span<const std::int64_t> records, const Scales& s) {
  const auto h = static_cast<std::int64_t>(cohort.height), w = static_cast<std::int64_t>(cohort.width);
  at::Tensor sum, n;
  for (const std::int64_t i : records) {
    const auto r = static_cast<std::size_t>(i);
    const at::Tensor dd = dd_map(pooled(cohort.plane(cohort.planned, r), 1, h, w, s.pool),
                                 pooled(cohort.plane(cohort.measured, r), 1, h, w, s.pool));
    const at::Tensor valid = dd.isfinite();
    sum = sum.defined() ? sum + dd.nan_to_num(0) : dd.nan_to_num(0);
    n = n.defined() ? n + valid : valid.to(torch::kFloat);
  }
  return sum / n.clamp_min(1);
}

}  // namespace detail

/// The training records' median rates, and the zero map. \param like whose records are judged
[[nodiscard]] inline Judged constant_baseline(const Judged& like, const Cohort& cohort, const DataSplit& split) {
  Judged out = like;
  out.method = "constant";
  std::array<double, 3> median{};
  for (std::size_t c = 0; c < 3; ++c) {
    std::vector<double> x;
    for (const std::array<double, 3>& g : detail::rates_of_records(cohort, split.train))
      if (std::isfinite(g[c])) x.push_back(g[c]);
    median[c] = quantile(x, 0.5);
  }
  out.predicted.assign(like.size(), median);
  out.calibration_predicted.assign(like.calibration_truth.size(), median);
  out.dd_predicted = at::zeros_like(like.dd_truth);
  out.map_rates.assign(like.map_rates.size(), {100, 100, 100});  // of a measurement that is the plan
  return out;
}

/// Ridge regression of the rates on the table, its penalty chosen by the validation records' error, and the training
/// records' mean map. \pre training records whose three rates are known
[[nodiscard]] inline Judged ridge_baseline(const Judged& like, const Cohort& cohort, const DataSplit& split,
                                           const Scales& s) {
  Judged out = like;
  out.method = "ridge";
  std::vector<std::int64_t> train;
  for (const std::int64_t i : split.train) {
    const std::array<double, 3>& g = cohort.records[static_cast<std::size_t>(i)].gpr;
    if (std::isfinite(g[0] + g[1] + g[2])) train.push_back(i);
  }
  const Eigen::MatrixXd x = detail::table_of(cohort, train, s),
                        of_validation = detail::table_of(cohort, split.validation, s),
                        y = detail::scaled_rates(detail::rates_of_records(cohort, train), s);
  double least = std::numeric_limits<double>::infinity();
  for (const double penalty : {1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0}) {
    const Ridge model(x, y, penalty);
    const Rates guess = detail::unscaled_rates(model.predict(of_validation), s);
    const double error = detail::error_of_rates(like.calibration_truth, guess);
    if (!(error < least)) continue;
    least = error;
    out.calibration_predicted = guess;
    out.predicted = detail::unscaled_rates(model.predict(detail::table_of(cohort, split.test, s)), s);
  }
  out.dd_predicted = detail::mean_map(cohort, split.train, s).expand_as(like.dd_truth);
  if (!like.map_rates.empty()) out.map_rates = rates_of_maps(cohort, split.test, out.dd_predicted);
  return out;
}

}  // namespace equipoise::psqa
