// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How well a method predicts: passing rates in points and dose-difference maps in % of the norm, each with an interval
/// over patients, by stratum, and beside the baselines that know nothing (the training median, the zero map).

#include <equipoise/evaluation/bootstrap.hpp>
#include <equipoise/evaluation/metrics.hpp>
#include <equipoise/evaluation/ssim.hpp>
#include <equipoise/psqa/learning_data.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace equipoise::psqa {

/// The truth of some records, and what a method says of them.
struct Judged {
  std::string method;
  std::vector<std::string> patients;                    ///< [N]
  std::vector<std::array<double, 3>> truth, predicted;  ///< [N] %
  at::Tensor dd_truth, dd_predicted;  ///< [N, 1, h, w] in % of the norm; NaN in the truth where a pixel is not valid
};

/// One criterion's figures.
struct RateFigures {
  Interval mae, mae_failing;  ///< points; failing: true rate below 90 %
  double rmse = 0, r2 = 0, spearman = 0, bias = 0, p90 = 0, within3 = 0, auc_failing = 0;
  std::array<double, 3> mae_stratum{};  ///< below 90, 90-95, above
  std::array<std::size_t, 3> n_stratum{};
};

struct MapFigures {
  Interval mae, ssim;  ///< MAE in % of the norm, within the valid pixels; SSIM with range 20 %
  double rmse = 0, psnr = 0;
};

struct Figures {
  std::string method;
  std::array<RateFigures, 3> rates;
  MapFigures maps;
};

inline constexpr double kDdRange = 20;  ///< % of the norm: the fixed data range of SSIM and PSNR

namespace detail {

[[nodiscard]] inline std::size_t stratum(double rate) {
  return rate < 90 ? 0 : rate < 95 ? 1 : 2;
}

[[nodiscard]] inline RateFigures rate_figures(const Judged& j, std::size_t criterion) {
  std::vector<double> truth, predicted, fail_score, error;
  std::vector<bool> failing;
  std::vector<std::string> patients;
  for (std::size_t i = 0; i < j.truth.size(); ++i) {
    if (!std::isfinite(j.truth[i][criterion])) continue;  // a record whose rate nobody measured
    patients.push_back(j.patients[i]);
    truth.push_back(j.truth[i][criterion]), predicted.push_back(j.predicted[i][criterion]);
    error.push_back(std::abs(predicted.back() - truth.back()));
    fail_score.push_back(-predicted.back()), failing.push_back(truth.back() < 90);
  }
  RateFigures f;
  const auto mean_error = [&](const std::vector<std::size_t>& rows, auto&& counts) {
    double sum = 0, n = 0;
    for (const std::size_t i : rows)
      if (counts(i)) sum += error[i], n += 1;
    return n > 0 ? sum / n : std::numeric_limits<double>::quiet_NaN();
  };
  f.mae = bootstrap(patients, [&](const auto& rows) { return mean_error(rows, [](std::size_t) { return true; }); });
  f.mae_failing = bootstrap(patients, [&](const auto& rows) {
    return mean_error(rows, [&](std::size_t i) { return static_cast<bool>(failing[i]); });
  });
  f.rmse = root_mean_squared_error(truth, predicted);
  f.r2 = r_squared(truth, predicted);
  f.spearman = equipoise::spearman(truth, predicted);
  f.bias = equipoise::bias(truth, predicted);
  f.p90 = quantile(error, 0.9);
  f.auc_failing = area_under_curve(fail_score, failing);
  std::array<double, 3> sum{};
  for (std::size_t i = 0; i < error.size(); ++i) {
    f.within3 += (error[i] <= 3) / static_cast<double>(error.size());
    ++f.n_stratum[stratum(truth[i])], sum[stratum(truth[i])] += error[i];
  }
  for (std::size_t s = 0; s < 3; ++s)
    f.mae_stratum[s] =
        f.n_stratum[s] ? sum[s] / static_cast<double>(f.n_stratum[s]) : std::numeric_limits<double>::quiet_NaN();
  return f;
}

/// Each record's errors of the map, within its valid pixels.
struct MapErrors {
  std::vector<double> absolute, squared, ssim;  ///< [N] means: % of the norm, its square, and no unit
};

[[nodiscard]] inline MapErrors map_errors(const Judged& j) {
  const at::Tensor valid = j.dd_truth.isfinite(), truth = j.dd_truth.nan_to_num(0),
                   predicted = j.dd_predicted.masked_fill(valid.eq(false), 0);
  const at::Tensor n = valid.flatten(1).sum(1).clamp_min(1), error = predicted - truth;
  const at::Tensor mae = (error.abs().flatten(1).sum(1) / n).to(torch::kDouble).contiguous(),
                   mse = (error.square().flatten(1).sum(1) / n).to(torch::kDouble).contiguous();
  const auto h = static_cast<std::size_t>(truth.size(2)), w = static_cast<std::size_t>(truth.size(3));
  const at::Tensor t = truth.to(torch::kFloat).contiguous(), p = predicted.to(torch::kFloat).contiguous();
  MapErrors out;
  for (std::size_t i = 0; i < j.patients.size(); ++i) {
    out.absolute.push_back(mae.const_data_ptr<double>()[i]), out.squared.push_back(mse.const_data_ptr<double>()[i]);
    out.ssim.push_back(equipoise::ssim({t.const_data_ptr<float>() + i * h * w, h * w},
                                       {p.const_data_ptr<float>() + i * h * w, h * w}, h, w, kDdRange));
  }
  return out;
}

/// The mean over drawn records.
[[nodiscard]] inline auto mean_of(const std::vector<double>& values) {
  return [&values](const std::vector<std::size_t>& rows) {
    double sum = 0;
    for (const std::size_t i : rows) sum += values[i];
    return sum / static_cast<double>(rows.size());
  };
}

[[nodiscard]] inline MapFigures map_figures(const Judged& j) {
  const MapErrors e = map_errors(j);
  const double mse = std::accumulate(e.squared.begin(), e.squared.end(), 0.0) / static_cast<double>(e.squared.size());
  return {bootstrap(j.patients, mean_of(e.absolute)), bootstrap(j.patients, mean_of(e.ssim)), std::sqrt(mse),
          10 * std::log10(kDdRange * kDdRange / mse)};
}

}  // namespace detail

/// All figures of a method.
[[nodiscard]] inline Figures figures(const Judged& judged) {
  Figures f{judged.method, {}, detail::map_figures(judged)};
  for (std::size_t c = 0; c < 3; ++c) f.rates[c] = detail::rate_figures(judged, c);
  return f;
}

/// The figures as JSON, with their units in the names.
[[nodiscard]] inline nlohmann::ordered_json to_json(const Figures& f) {
  const auto number = [](double v) {
    return std::isfinite(v) ? nlohmann::ordered_json(v) : nlohmann::ordered_json(nullptr);
  };
  const auto interval = [&](const Interval& i) {
    return nlohmann::ordered_json{{"value", number(i.value)}, {"low", number(i.low)}, {"high", number(i.high)}};
  };
  nlohmann::ordered_json out{{"method", f.method}};
  for (std::size_t c = 0; c < 3; ++c) {
    const RateFigures& r = f.rates[c];
    out[kCriteria[c].name] = {{"mae_points", interval(r.mae)},
                              {"mae_failing_points", interval(r.mae_failing)},
                              {"rmse_points", number(r.rmse)},
                              {"r2", number(r.r2)},
                              {"spearman", number(r.spearman)},
                              {"bias_points", number(r.bias)},
                              {"p90_points", number(r.p90)},
                              {"within_3_points", r.within3},
                              {"auc_failing", number(r.auc_failing)},
                              {"n_below_90", r.n_stratum[0]},
                              {"n_90_95", r.n_stratum[1]},
                              {"n_above_95", r.n_stratum[2]}};
  }
  out["dd"] = {{"mae_percent", interval(f.maps.mae)},
               {"ssim", interval(f.maps.ssim)},
               {"rmse_percent", number(f.maps.rmse)},
               {"psnr_dB", number(f.maps.psnr)}};
  return out;
}

/// Mean absolute error of `a` minus that of `b` on the same records, in points, with its interval over patients: what two
/// methods' own intervals cannot tell.
[[nodiscard]] inline Interval paired_difference(const Judged& a, const Judged& b, std::size_t criterion) {
  std::vector<std::string> patients;
  std::vector<double> difference;
  for (std::size_t i = 0; i < a.truth.size(); ++i) {
    const double truth = a.truth[i][criterion];
    if (!std::isfinite(truth)) continue;
    patients.push_back(a.patients[i]);
    difference.push_back(std::abs(a.predicted[i][criterion] - truth) - std::abs(b.predicted[i][criterion] - truth));
  }
  return bootstrap(patients, detail::mean_of(difference));
}

/// What the method that knows nothing says: the training records' median rates, and the zero map.
[[nodiscard]] inline Judged constant_baseline(const Judged& like,
                                              const std::vector<std::array<double, 3>>& training_rates) {
  Judged out = like;
  out.method = "constant";
  std::array<double, 3> median{};
  for (std::size_t c = 0; c < 3; ++c) {
    std::vector<double> x;
    for (const auto& g : training_rates)
      if (std::isfinite(g[c])) x.push_back(g[c]);
    median[c] = quantile(x, 0.5);
  }
  for (auto& g : out.predicted) g = median;
  out.dd_predicted = at::zeros_like(like.dd_truth);
  return out;
}

}  // namespace equipoise::psqa
