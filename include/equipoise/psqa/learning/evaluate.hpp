// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// All figures of a method, as a struct and as JSON; and the difference of two methods on the same records.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/psqa/criteria.hpp>
#include <equipoise/psqa/learning/map_metrics.hpp>
#include <equipoise/psqa/learning/rate_metrics.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace equipoise::psqa {

struct MethodMetrics {
  std::string method;
  PerCriterion<RateMetrics> rates;
  MapMetrics maps;
};

[[nodiscard]] inline MethodMetrics method_metrics(const MethodPredictions& predictions) {
  MethodMetrics out{predictions.method, {}, map_metrics(predictions)};
  for (std::size_t c = 0; c < kCriteria.size(); ++c) out.rates[c] = rate_metrics(predictions, c);
  return out;
}

namespace detail {

using OrderedJson = nlohmann::ordered_json;

[[nodiscard]] inline OrderedJson json_number(double v) {
  return std::isfinite(v) ? OrderedJson(v) : OrderedJson(nullptr);
}
[[nodiscard]] inline OrderedJson json_interval(const Interval& i) {
  return {{"value", json_number(i.value)}, {"low", json_number(i.low)}, {"high", json_number(i.high)}};
}

[[nodiscard]] inline OrderedJson to_json(const FailureMetrics& f) {
  OrderedJson bins = OrderedJson::array();
  for (const ReliabilityBin& b : f.reliability)
    bins.push_back({{"said", b.probability}, {"came", b.frequency}, {"n", b.n}});
  return {{"limit_percent", f.limit},
          {"n_failing", f.failing},
          {"flag_below_percent", json_number(f.flag_below)},
          {"sensitivity", json_interval(f.sensitivity)},
          {"specificity", json_interval(f.specificity)},
          {"precision", json_interval(f.precision)},
          {"auc", json_interval(f.auc)},
          {"average_precision", json_interval(f.average_precision)},
          {"brier", json_interval(f.brier)},
          {"brier_of_share", json_interval(f.brier_of_share)},
          {"reliability", bins}};
}

[[nodiscard]] inline OrderedJson to_json(const CoverageMetrics& f) {
  return {{"level", f.level},
          {"half_width_points", json_number(f.half_width)},
          {"covered", json_interval(f.covered)},
          {"covered_below_90", json_number(f.by_stratum[0])},
          {"covered_90_95", json_number(f.by_stratum[1])},
          {"covered_above_95", json_number(f.by_stratum[2])}};
}

[[nodiscard]] inline OrderedJson to_json(const RateMetrics& r) {
  OrderedJson out{{"mae_points", json_interval(r.mae)},    {"mae_failing_points", json_interval(r.mae_failing)},
                  {"rmse_points", json_interval(r.rmse)},  {"r2", json_interval(r.r2)},
                  {"spearman", json_interval(r.spearman)}, {"bias_points", json_interval(r.bias)},
                  {"p90_points", json_interval(r.p90)},    {"within_3_points", json_interval(r.within3)},
                  {"n_below_90", r.n_stratum[0]},          {"n_90_95", r.n_stratum[1]},
                  {"n_above_95", r.n_stratum[2]}};
  for (const FailureMetrics& f : r.failure) out["failing"].push_back(to_json(f));
  for (const CoverageMetrics& c : r.coverage) out["intervals"].push_back(to_json(c));
  for (const GroupError& g : r.groups) out["groups"][g.of][g.name] = {{"n", g.n}, {"mae_points", json_number(g.mae)}};
  return out;
}

[[nodiscard]] inline OrderedJson to_json(const MapMetrics& m) {
  OrderedJson out{{"mae_percent", json_interval(m.mae)},
                  {"ssim", json_interval(m.ssim)},
                  {"rmse_percent", json_interval(m.rmse)},
                  {"psnr_dB", json_interval(m.psnr)},
                  {"dice_beyond_3_percent", json_interval(m.dice)}};
  for (std::size_t c = 0; c < kCriteria.size(); ++c)
    out["rates_from_maps"][kCriteria[c].name] = {{"mae_points", json_interval(m.rate_mae[c])},
                                                 {"spearman", json_interval(m.rate_spearman[c])}};
  return out;
}

}  // namespace detail

/// The figures as JSON, with their units in the names; null where a figure has no value.
[[nodiscard]] inline nlohmann::ordered_json to_json(const MethodMetrics& f) {
  nlohmann::ordered_json out{{"method", f.method}};
  for (std::size_t c = 0; c < kCriteria.size(); ++c) out[kCriteria[c].name] = detail::to_json(f.rates[c]);
  out["dd"] = detail::to_json(f.maps);
  return out;
}

/// Mean absolute error of `a` minus that of `b` on the same records, in points, with its interval over patients: what two
/// methods' own intervals cannot tell.
[[nodiscard]] inline Interval paired_difference(const MethodPredictions& a, const MethodPredictions& b,
                                                std::size_t criterion) {
  const detail::KnownRates of_a(a.truth, a.predicted, criterion), of_b(b.truth, b.predicted, criterion);
  std::vector<double> difference;
  for (const auto& [error_a, error_b] : views::zip(of_a.error, of_b.error)) difference.push_back(error_a - error_b);
  return bootstrap(detail::patients_of(a, of_a), mean_over_records(difference));
}

}  // namespace equipoise::psqa
