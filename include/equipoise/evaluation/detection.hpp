// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How well cases that matter (failing plans) are told from the others by a score that should be larger for them, or by
/// a probability: at one threshold, over all thresholds, and as a statement about chances. A NaN score makes a figure NaN.
/// Lists of different lengths are refused (ShapeError).

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/statistics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <range/v3/view/zip.hpp>
#include <span>
#include <vector>

namespace equipoise {

/// Cases counted by what they are and what was said of them.
struct Confusion {
  double true_positives = 0, false_negatives = 0, false_positives = 0, true_negatives = 0;

  /// The share of positives that were flagged; NaN without any.
  [[nodiscard]] double sensitivity() const { return ratio(true_positives, false_negatives); }
  /// The share of negatives that were not flagged; NaN without any.
  [[nodiscard]] double specificity() const { return ratio(true_negatives, false_positives); }
  /// The share of flagged cases that are positive; NaN where nothing was flagged.
  [[nodiscard]] double precision() const { return ratio(true_positives, false_positives); }

 private:
  [[nodiscard]] static double ratio(double part, double rest) {
    return part + rest > 0 ? part / (part + rest) : std::numeric_limits<double>::quiet_NaN();
  }
};

/// What a threshold makes of the cases: flagged are those whose score reaches it. All counts are NaN where a score is NaN.
[[nodiscard]] inline Confusion confusion_at(double threshold, std::span<const double> score,
                                            const std::vector<bool>& positive) {
  check_same_length(score.size(), positive.size(), "confusion_at");
  Confusion c;
  if (detail::any_nan(score))
    return {detail::kNotANumber, detail::kNotANumber, detail::kNotANumber, detail::kNotANumber};
  for (const auto [s, is_positive] : ranges::views::zip(score, positive)) {
    const bool flagged = s >= threshold;
    (is_positive ? (flagged ? c.true_positives : c.false_negatives)
                 : (flagged ? c.false_positives : c.true_negatives)) += 1;
  }
  return c;
}

namespace detail {

/// Calls `visit(confusion, threshold)` for each threshold at which something changes, from the highest score down; cases
/// of one score come together. \pre no score is NaN
template <class Visit>
void walk_thresholds(std::span<const double> score, const std::vector<bool>& positive, Visit&& visit) {
  std::vector<std::size_t> order(score.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return score[a] > score[b]; });
  Confusion c;
  for (const bool p : positive) (p ? c.false_negatives : c.true_negatives) += 1;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const bool is_positive = positive[order[k]];
    (is_positive ? c.true_positives : c.false_positives) += 1,
        (is_positive ? c.false_negatives : c.true_negatives) -= 1;
    if (k + 1 == order.size() || score[order[k + 1]] < score[order[k]]) visit(c, score[order[k]]);
  }
}

}  // namespace detail

/// Area under the precision-recall curve as the sum of precision times what recall gains; the share of positives where
/// the score says nothing. NaN without positives.
[[nodiscard]] inline double average_precision(std::span<const double> score, const std::vector<bool>& positive) {
  double sum = 0, recall = 0;
  check_same_length(score.size(), positive.size(), "average_precision");
  if (positive.empty() || detail::any_nan(score)) return detail::kNotANumber;
  detail::walk_thresholds(score, positive, [&](const Confusion& c, double) {
    sum += c.precision() * (c.sensitivity() - recall);
    recall = c.sensitivity();
  });
  return sum;
}

/// The threshold whose false alarms, and misses at `miss_cost` false alarms each, cost least; the highest of several.
/// Half way to the next score, so that a case near it is not decided by a hair. Infinite where flagging none is cheapest;
/// NaN where a score is NaN.
[[nodiscard]] inline double cheapest_threshold(std::span<const double> score, const std::vector<bool>& positive,
                                               double miss_cost) {
  check_same_length(score.size(), positive.size(), "cheapest_threshold");
  if (detail::any_nan(score)) return detail::kNotANumber;
  const auto cost = [&](const Confusion& c) { return c.false_positives + miss_cost * c.false_negatives; };
  const double infinite = std::numeric_limits<double>::infinity();
  double lowest_cost = cost(confusion_at(infinite, score, positive)), best = infinite;
  bool between = false;
  detail::walk_thresholds(score, positive, [&](const Confusion& c, double threshold) {
    if (between) best = 0.5 * (best + threshold), between = false;
    if (cost(c) < lowest_cost) lowest_cost = cost(c), best = threshold, between = true;
  });
  return best;
}

/// Mean squared error of probabilities. [0, 1], 0 is perfect
[[nodiscard]] inline double brier_score(std::span<const double> probability, const std::vector<bool>& positive) {
  check_same_length(probability.size(), positive.size(), "brier_score");
  double sum = 0;
  for (const auto [p, is_positive] : ranges::views::zip(probability, positive)) {
    const double error = p - (is_positive ? 1 : 0);
    sum += error * error;
  }
  return sum / static_cast<double>(probability.size());
}

/// Cases whose probability lies in one part of [0, 1].
struct ReliabilityBin {
  double probability = 0, frequency = 0;  ///< mean of what was said, and share of what came
  std::size_t n = 0;
};

/// What came against what was said, in bins of equal width; empty bins are left out. \throws ValueError for a probability
/// outside [0, 1], or NaN
[[nodiscard]] inline std::vector<ReliabilityBin> reliability(std::span<const double> probability,
                                                             const std::vector<bool>& positive, std::size_t bins = 5) {
  check_same_length(probability.size(), positive.size(), "reliability");
  check_option(bins > 0, "reliability", "bins > 0", bins);
  std::vector<ReliabilityBin> all(bins);
  for (const auto [p, is_positive] : ranges::views::zip(probability, positive)) {
    check_option(p >= 0 && p <= 1, "reliability", "probabilities in [0, 1]", p);
    ReliabilityBin& bin = all[std::min(static_cast<std::size_t>(p * static_cast<double>(bins)), bins - 1)];
    bin.probability += p, bin.frequency += is_positive ? 1 : 0, ++bin.n;
  }
  std::erase_if(all, [](const ReliabilityBin& b) { return b.n == 0; });
  for (ReliabilityBin& b : all) b.probability /= static_cast<double>(b.n), b.frequency /= static_cast<double>(b.n);
  return all;
}

}  // namespace equipoise
