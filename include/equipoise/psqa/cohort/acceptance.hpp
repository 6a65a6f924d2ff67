// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Compares a simulated cohort with bands from the literature: its passing rates, their relation to
/// complexity, and its dose-difference maps (docs/simulator.md).

#include <equipoise/core/base/statistics.hpp>

#include <equipoise/evaluation/metrics.hpp>
#include <equipoise/psqa/cohort/cohort.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// One property of a cohort and where it should lie.
struct AcceptanceRow {
  std::string name, unit;
  double value = 0, low = 0, high = 0;

  [[nodiscard]] bool accepted() const { return value >= low && value <= high; }
};

/// Dose differences in % of the maximum where the plan gives at least 10 % of it, over a whole cohort.
struct DoseDifferences {
  double sd = 0, p99 = 0, with_gradient = 0;  ///< the last: mean over records of the correlation of |DD| with |grad D|
};

/// Gathers a cohort's dose differences record by record: memory does not grow with the cohort.
class DoseDifferenceStatistics {
 public:
  /// Planes [height * width] of one record, Gy.
  template <class T>
  void add(std::span<const T> planned, std::span<const T> measured, std::size_t width) {
    const auto dose = [](std::span<const T> plane, std::size_t i) { return static_cast<double>(plane[i]); };
    const double maximum = static_cast<double>(*std::max_element(planned.begin(), planned.end()));
    size_.clear(), slope_.clear();
    for (std::size_t y = 1; (y + 1) * width < planned.size(); ++y)
      for (std::size_t x = 1; x + 1 < width; ++x) {
        const std::size_t i = y * width + x;
        if (dose(planned, i) < 0.1 * maximum) continue;
        const double d = 100 * (dose(measured, i) - dose(planned, i)) / maximum;
        n_ += 1, sum_ += d, squares_ += d * d;
        bins_[std::min<std::size_t>(bins_.size() - 1, static_cast<std::size_t>(100 * std::abs(d)))] += 1;
        size_.push_back(std::abs(d));
        slope_.push_back(std::hypot(dose(planned, i + 1) - dose(planned, i - 1),
                                    dose(planned, i + width) - dose(planned, i - width)));
      }
    const double correlation = pearson(size_, slope_);
    gradients_ += std::isnan(correlation) ? 0 : correlation, records_ += 1;
  }

  [[nodiscard]] DoseDifferences result() const {
    DoseDifferences out;
    out.sd = std::sqrt(std::max(0.0, squares_ / n_ - sum_ / n_ * sum_ / n_));
    out.with_gradient = gradients_ / records_;
    double below = 0;
    for (std::size_t b = 0; b < bins_.size() && below < 0.99 * n_; ++b)
      below += bins_[b], out.p99 = static_cast<double>(b + 1) / 100;
    return out;
  }

 private:
  std::vector<double> bins_ = std::vector<double>(4001, 0.0);  ///< |DD| in steps of 0.01 %
  double n_ = 0, sum_ = 0, squares_ = 0, gradients_ = 0, records_ = 0;
  std::vector<double> size_, slope_;
};

namespace detail {

[[nodiscard]] inline double share_within(const std::vector<double>& x, double low, double high) {
  return 100 * static_cast<double>(std::count_if(x.begin(), x.end(), [&](double v) { return v >= low && v <= high; })) /
         static_cast<double>(x.size());
}

/// Whether all plans are sliding windows, for which the bands of the plans are meant.
[[nodiscard]] inline bool only_sliding_windows(const Cohort& cohort) {
  const auto techniques = cohort.about.find("techniques");
  return techniques != cohort.about.end() && techniques->value("step_and_shoot", 1.0) == 0 &&
         techniques->value("arc", 1.0) == 0;
}

/// Correlations of the rates at 2%/2 mm with complexity, and MU and gaps of the plans.
inline void add_plan_rows(const Cohort& cohort, const std::vector<double>& rates, std::vector<AcceptanceRow>& out) {
  std::vector<double> per_field = metric_column(cohort, "MU");
  const std::vector<double> factor = metric_column(cohort, "MF_MU_per_cGy"), fields = metric_column(cohort, "NBEAM"),
                            gap = metric_column(cohort, "ALG_mm");
  for (std::size_t i = 0; i < fields.size(); ++i) per_field[i] /= fields[i];
  const auto add = [&](const char* name, const std::vector<double>& values, double low, double high) {
    out.push_back({std::string("Spearman of 2%/2 mm with ") + name, "", spearman(rates, values), low, high});
  };
  for (const char* name : {"PM", "PI", "EM_mm-1"}) add(name, metric_column(cohort, name), -0.7, -0.3);
  add("MF", factor, -0.7, -0.3);
  add("MCS", metric_column(cohort, "MCS"), 0.3, 0.7);
  add("ALG", gap, 1e-9, 0.7);
  if (!only_sliding_windows(cohort)) return;
  out.push_back({"records with 60-250 MU a field", "%", share_within(per_field, 60, 250), 90, 100});
  out.push_back({"records with 3-9 MU a cGy", "%", share_within(factor, 3, 9), 90, 100});
  out.push_back({"mean leaf gap", "mm", mean(gap), 16, 27});
  out.push_back({"records with a mean leaf gap of 16-27 mm", "%", share_within(gap, 16, 27), 50, 100});
}

}  // namespace detail

/// The acceptance table of a simulated cohort. The cohort's planes need not be loaded. The bands
/// are meant for at least 300 plans with default settings; the sampling error of a standard deviation can exceed its
/// distance from the band's end (docs/simulator.md). \param dd of the same cohort
[[nodiscard]] inline std::vector<AcceptanceRow> acceptance(const Cohort& cohort, const DoseDifferences& dd) {
  std::vector<AcceptanceRow> out;
  constexpr double none = std::numeric_limits<double>::infinity();
  static constexpr std::array<std::array<double, 4>, 3> bands = {{{97, 99.5, 1, 3}, {95, 98.5, 2, 5}, {90, 96, 4, 7}}};
  std::array<std::vector<double>, 3> rates;
  double ordered = 0, failing = 0;
  std::map<std::string, std::pair<double, double>> by_site;
  for (const CohortRecord& r : cohort.records) {
    for (std::size_t c = 0; c < 3; ++c) rates[c].push_back(r.gpr[c]);
    ordered += r.gpr[0] >= r.gpr[1] && r.gpr[1] >= r.gpr[2];
    failing += r.gpr[2] < 90;
    by_site[r.site].first += r.gpr[2], by_site[r.site].second += 1;
  }
  const double n = static_cast<double>(cohort.records.size());
  static constexpr std::array<const char*, 3> names = {"3%/3 mm", "2%/3 mm", "2%/2 mm"};
  for (std::size_t c = 0; c < 3; ++c) {
    out.push_back({std::string("mean ") + names[c], "%", mean(rates[c]), bands[c][0], bands[c][1]});
    out.push_back({std::string("SD ") + names[c], "%", standard_deviation(rates[c]), bands[c][2], bands[c][3]});
    out.push_back({std::string("skewness ") + names[c], "", skewness(rates[c]), -none, -1e-9});
  }
  out.push_back({"records below 90 % at 2%/2 mm", "%", 100 * failing / n, 5, 25});
  out.push_back({"records with 3/3 >= 2/3 >= 2/2", "%", 100 * ordered / n, 100, 100});
  detail::add_plan_rows(cohort, rates[2], out);
  double lowest = none, head_and_neck = none;
  for (const auto& [site, sums] : by_site) {
    const double of_site = sums.first / sums.second;
    if (site == "head_and_neck")
      head_and_neck = of_site;
    else
      lowest = std::min(lowest, of_site);
  }
  if (lowest < none && head_and_neck < none)
    out.push_back({"mean 2%/2 mm of other sites above head and neck", "%", lowest - head_and_neck, 1e-9, none});
  out.push_back({"SD of dose differences", "% of max", dd.sd, 2, 3});
  out.push_back({"99th percentile of |dose difference|", "% of max", dd.p99, 8, 10});
  out.push_back({"correlation of |dose difference| with |gradient|", "", dd.with_gradient, 0.3, 1});
  return out;
}

}  // namespace equipoise::psqa
