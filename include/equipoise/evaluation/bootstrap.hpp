// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Confidence intervals by bootstrap over groups: whole patients are drawn, since the records of one are not
/// independent. Groups are numbers, as those of a `Batch`; `eq::group_numbers` makes them from names.

#include <equipoise/core/base/random.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/base/statistics.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <vector>

namespace equipoise {

struct Interval {
  double value = 0, low = 0, high = 0;
};

/// The statistic on all records and its percentile interval over resamples of groups. A statistic that is not finite, and
/// records of a single group, have no interval (NaN). \param groups of each record
/// \param statistic called with a list of record positions (with repeats)  \param level e.g. 0.95
template <class Statistic>
[[nodiscard]] Interval bootstrap(std::span<const std::int64_t> groups, Statistic&& statistic, double level = 0.95,
                                 int resamples = 2000, std::uint64_t seed = 1) {
  std::map<std::int64_t, std::vector<std::size_t>> members;
  std::vector<std::size_t> all;
  for (const auto& [i, group] : views::enumerate(groups)) members[group].push_back(i), all.push_back(i);
  std::vector<const std::vector<std::size_t>*> list;
  for (const auto& [group, records] : members) list.push_back(&records);
  const double value = statistic(all);
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  if (!std::isfinite(value) || list.size() < 2) return {value, nan, nan};
  std::vector<double> values;
  for (int r = 0; r < resamples; ++r) {
    std::vector<std::size_t> drawn;
    for (std::size_t k = 0; k < list.size(); ++k) {
      const auto pick = static_cast<std::size_t>(to_uniform(hash_of({seed, static_cast<std::uint64_t>(r), k})) *
                                                 static_cast<double>(list.size()));
      drawn.insert(drawn.end(), list[pick]->begin(), list[pick]->end());
    }
    if (const double v = statistic(drawn); std::isfinite(v)) values.push_back(v);
  }
  return {value, quantile(values, (1 - level) / 2), quantile(values, (1 + level) / 2)};
}

/// A statistic for `bootstrap`: the mean of the values of the drawn records, without those that are NaN.
/// \pre `values` outlives it
[[nodiscard]] inline auto mean_over_records(const std::vector<double>& values) {
  return [&values](const std::vector<std::size_t>& rows) {
    double sum = 0, n = 0;
    for (const std::size_t i : rows)
      if (!std::isnan(values[i])) sum += values[i], n += 1;
    return sum / n;
  };
}

}  // namespace equipoise
