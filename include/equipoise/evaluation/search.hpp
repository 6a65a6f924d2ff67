// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Random search of options: the same number of trials for every method. A value depends on the seed, the trial and the
/// option's name alone, so two methods try the same values of the options that they share. Bergstra, Bengio, Journal of
/// Machine Learning Research 2012, 13, 281.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/random.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace equipoise {

/// How the values of one option are drawn: from a range, or one of a list.
struct SearchRange {
  std::string option;
  double low = 0, high = 0;            ///< inclusive
  bool logarithmic = false;            ///< the logarithm is uniform
  bool whole = false;                  ///< whole numbers
  std::vector<std::string> choices{};  ///< where there are any, one of them, and no range
};

/// The settings of some trials. The first trial has none: it is the method with its defaults.
/// \throws ValueError for an empty range or list, or a logarithmic range that is not positive
[[nodiscard]] inline std::vector<OptionList> draw_trials(std::span<const SearchRange> space, std::size_t trials,
                                                         std::uint64_t seed) {
  for (const SearchRange& r : space) {
    const bool range = std::isfinite(r.low) && std::isfinite(r.high) && r.low <= r.high &&
                       (!r.logarithmic || r.low > 0) && (!r.whole || std::ceil(r.low) <= std::floor(r.high));
    if (r.choices.empty() && !range)
      throw ValueError(message("value.246", "search of " + r.option, "expected choices, or low <= high",
                               r.logarithmic ? " above 0" : "", r.whole ? " with a whole number between" : "", ", got ",
                               r.low, " and ", r.high));
  }
  const auto value_of = [&](const SearchRange& r, std::size_t trial) -> std::string {
    const double u = to_uniform(hash_of({seed, trial, hash_of(r.option)}));
    if (!r.choices.empty()) return r.choices[static_cast<std::size_t>(u * static_cast<double>(r.choices.size()))];
    const double low = r.whole ? std::ceil(r.low) : r.low, high = r.whole ? std::floor(r.high) + 1 : r.high;
    const double x = r.logarithmic ? low * std::pow(high / low, u) : low + (high - low) * u;
    return r.whole ? option_text(static_cast<std::int64_t>(std::min(std::floor(x), high - 1))) : option_text(x);
  };
  std::vector<OptionList> out(trials);
  for (std::size_t t = 1; t < trials; ++t)
    for (const SearchRange& r : space) out[t].emplace_back(r.option, value_of(r, t));
  return out;
}

/// The trial with the smallest figure on validation records, the first of equal ones. A trial without a figure (NaN, it
/// failed) is not chosen. \throws ValueError where none has one
[[nodiscard]] inline std::size_t best_trial(std::span<const double> figures) {
  std::size_t best = figures.size();
  for (std::size_t t = 0; t < figures.size(); ++t)
    if (!std::isnan(figures[t]) && (best == figures.size() || figures[t] < figures[best])) best = t;
  if (best == figures.size()) throw ValueError(message("value.246", "best_trial", "no trial has a figure"));
  return best;
}

}  // namespace equipoise
