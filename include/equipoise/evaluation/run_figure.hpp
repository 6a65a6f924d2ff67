// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A figure of whole runs, such as a rank correlation or an area under a curve, with its interval by
/// bootstrap over groups. Two methods' figures are compared on the same resamples.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/statistics.hpp>
#include <equipoise/data/groups.hpp>
#include <equipoise/evaluation/bootstrap.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace equipoise {

/// Fewer groups have no interval: of one or two, resamples say nothing.
inline constexpr std::size_t kFewestForInterval = 5;

/// The figure on all records, and on each of the bootstrap's resamples.
class RunFigure {
 public:
  struct Record {
    std::string id, group;
    bool operator==(const Record&) const = default;
  };

  /// \param counted how many groups have a record that the statistic uses
  /// \param statistic called with a list of record positions (with repeats), as by `bootstrap`
  template <class Statistic>
  RunFigure(std::vector<Record> records, std::size_t counted, Statistic&& statistic)
      : records_(std::move(records)), counted_(counted) {
    std::vector<std::string> groups;
    for (const Record& r : records_) groups.push_back(r.group);
    (void)bootstrap(group_numbers(groups), [&](const std::vector<std::size_t>& rows) {
      values_.push_back(statistic(rows));
      return values_.back();
    });
  }

  /// The value with its 95 % interval. It has no interval (NaN) where the statistic is not finite, or
  /// fewer than `kFewestForInterval` groups count.
  [[nodiscard]] Interval interval() const { return interval_of(values_, counted_); }

  /// This figure less the other's, with its 95 % interval. \throws ValueError where they are of other records
  [[nodiscard]] Interval minus(const RunFigure& other) const {
    if (records_ != other.records_)
      throw ValueError(message("value.215", "RunFigure", "expected figures of the same records, got ", records_.size(),
                               " and ", other.records_.size(), " records"));
    std::vector<double> differences;
    for (std::size_t r = 0; r < values_.size(); ++r)  // a figure that is not finite has no resamples
      differences.push_back(r < other.values_.size() ? values_[r] - other.values_[r] : detail::kNotANumber);
    return interval_of(differences, std::min(counted_, other.counted_));
  }

 private:
  /// \param values of all records, then of the resamples
  [[nodiscard]] static Interval interval_of(const std::vector<double>& values, std::size_t counted) {
    std::vector<double> finite;
    for (std::size_t r = 1; r < values.size(); ++r)
      if (std::isfinite(values[r])) finite.push_back(values[r]);
    if (!std::isfinite(values[0]) || counted < kFewestForInterval) finite.clear();
    return {values[0], quantile(finite, 0.025), quantile(finite, 0.975)};
  }

  std::vector<Record> records_;
  std::size_t counted_;
  std::vector<double> values_;
};

}  // namespace equipoise
