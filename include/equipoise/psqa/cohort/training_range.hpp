// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Whether a plan is one of those that a model was trained for, judged by its metrics alone.
///
/// A metric is outside of training where it lies below the least or above the largest value of the training records.
/// Records that were held out of training show how many metrics a plan of the same kind has outside. A plan with more
/// than any of them is out of range: errors on held-out records then say nothing of it, so that it gets no interval.
/// A plan that is drawn as the n held-out records were is out of range with a probability of at most 1 / (n + 1),
/// whatever the distribution (a conformal test: each of the n + 1 is as likely to have the most metrics outside).

#include <equipoise/psqa/cohort/cohort.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// A metric's least and largest value in the training records; NaN where none of them has it.
struct MetricRange {
  std::string name;
  double smallest = std::numeric_limits<double>::quiet_NaN(), largest = smallest;

  /// Whether a value lies outside. A value that rounding of the table (10 digits) moved lies inside. A metric that the
  /// training records have and a plan lacks, or the other way round, is outside.
  /// \param margin widens the range on both sides, in parts of its width
  [[nodiscard]] bool excludes(double value, double margin = 0) const {
    if (std::isnan(smallest) || std::isnan(value)) return std::isnan(smallest) != std::isnan(value);
    const double slack =
        std::max(margin * (largest - smallest), 1e-8 * std::max(std::abs(smallest), std::abs(largest)));
    return value < smallest - slack || value > largest + slack;
  }
};

/// The training records' metrics, and how far outside of them held-out records lie.
struct TrainingRange {
  std::vector<MetricRange> metrics;
  std::vector<std::size_t> held_out;  ///< of each held-out record: how many of its metrics are outside

  /// Which metrics of a plan are outside. \param row its metrics, in the same order
  [[nodiscard]] std::vector<std::size_t> outside(std::span<const double> row, double margin = 0) const {
    std::vector<std::size_t> out;
    for (std::size_t m = 0; m < std::min(row.size(), metrics.size()); ++m)
      if (metrics[m].excludes(row[m], margin)) out.push_back(m);
    return out;
  }

  /// The most metrics outside that a held-out record has. Without held-out records nothing is known, and nothing refused.
  [[nodiscard]] std::size_t limit() const {
    return held_out.empty() ? metrics.size() : *std::max_element(held_out.begin(), held_out.end());
  }
};

/// \param train, held_out records of the cohort
[[nodiscard]] inline TrainingRange training_range(const Cohort& cohort, std::span<const std::int64_t> train,
                                                  std::span<const std::int64_t> held_out) {
  TrainingRange out;
  const auto row = [&](std::int64_t i) -> const std::vector<double>& {
    return cohort.records[static_cast<std::size_t>(i)].metrics;
  };
  for (std::size_t m = 0; m < cohort.metric_names.size(); ++m) {
    MetricRange range{cohort.metric_names[m]};
    for (const std::int64_t i : train)  // fmin and fmax pass over NaN
      range.smallest = std::fmin(range.smallest, row(i)[m]), range.largest = std::fmax(range.largest, row(i)[m]);
    out.metrics.push_back(std::move(range));
  }
  for (const std::int64_t i : held_out) out.held_out.push_back(out.outside(row(i)).size());
  return out;
}

}  // namespace equipoise::psqa
