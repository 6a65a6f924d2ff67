// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How much of the error that can be removed at all a method has removed.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/evaluation/bootstrap.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace equipoise {

/// The share of the reachable error: (constant - method) / (constant - floor) of mean absolute errors,
/// with its percentile interval over resamples of groups. 0 is as good as the constant, 1 is as good as
/// any predictor can be with what the floor takes as known. The share is NaN where the constant is not
/// worse than the floor; resamples in which this is so do not count. All spans are [N]; a record with a
/// NaN does not count. \param groups e.g. patients  \param constant, method absolute errors of records
/// \param floor the expected absolute error of the best predictor \throws ShapeError for other lengths
[[nodiscard]] inline Interval share_of_reachable_error(std::span<const std::int64_t> groups,
                                                       std::span<const double> constant, std::span<const double> method,
                                                       std::span<const double> floor, double level = 0.95,
                                                       int resamples = 2000, std::uint64_t seed = 1) {
  for (const std::size_t n : {constant.size(), method.size(), floor.size()})
    check_same_length(n, groups.size(), "share_of_reachable_error");
  std::vector<std::int64_t> known;
  std::vector<double> removed, reachable;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (std::isnan(constant[i] + method[i] + floor[i])) continue;
    known.push_back(groups[i]);
    removed.push_back(constant[i] - method[i]), reachable.push_back(constant[i] - floor[i]);
  }
  return bootstrap(
      known,
      [&](const std::vector<std::size_t>& rows) {
        double above = 0, below = 0;
        for (const std::size_t i : rows) above += removed[i], below += reachable[i];
        return below > 0 ? above / below : std::numeric_limits<double>::quiet_NaN();
      },
      level, resamples, seed);
}

}  // namespace equipoise
