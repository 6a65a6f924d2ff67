// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How well each modality does now, and one modality against the others: what OGM, OPM and their kin compare.
/// Classification: mean true-class probability. Regression: exp(-l / τ) with τ a running mean of the unimodal losses;
/// with cross-entropy and τ = 1 the two are the same number.

#include <equipoise/core/step.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

namespace equipoise {

enum class Ratio : std::uint8_t { mean_of_others, min, sum_of_others };
[[nodiscard]] constexpr std::array<std::string_view, 3> names_of(Ratio) {
  return {"mean_of_others", "min", "sum_of_others"};
}

enum class Score : std::uint8_t {
  exp_loss,      ///< mean of exp(-l / τ); τ = 1 for classifications
  inverse_loss,  ///< 1 / mean l
};
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(Score) {
  return {"exp_loss", "inverse_loss"};
}

/// ρ_m: a modality's score against the others'. Equal to the two-modality formula of the papers for M = 2
/// (mean_of_others; any M is ours).
[[nodiscard]] inline std::vector<double> ratios(std::span<const double> scores, Ratio ratio) {
  std::vector<double> rho(scores.size(), 1.0);
  if (scores.size() < 2) return rho;
  const double sum = std::accumulate(scores.begin(), scores.end(), 0.0),
               least = *std::min_element(scores.begin(), scores.end());
  for (std::size_t m = 0; m < scores.size(); ++m) {
    const double others = sum - scores[m];
    const double against = ratio == Ratio::min             ? least
                           : ratio == Ratio::sum_of_others ? others
                                                           : others / static_cast<double>(scores.size() - 1);
    rho[m] = scores[m] / (against + 1e-12);
  }
  return rho;
}

/// τ per task: an exponential moving average of the mean unimodal loss, begun at the first batch's.
[[nodiscard]] inline double updated_tau(double tau, double mean_loss) {
  return tau <= 0 ? std::max(mean_loss, 1e-12) : std::max(0.99 * tau + 0.01 * mean_loss, 1e-12);
}

/// The part of the records on which dense tasks are scored: decoding their maps for every modality would cost more than
/// what the score is for.
[[nodiscard]] inline double score_share(TaskKind kind) {
  return kind == TaskKind::dense_regression ? 0.25 : 1;
}

/// Scores [M] of the step's active modalities, averaged over tasks; inactive ones are NaN. `tau` [K] is the policy's
/// memory; a hook that runs for every micro-batch follows it once a step.
[[nodiscard]] inline std::vector<double> modality_scores(Step& step, Score kind, std::vector<double>& tau,
                                                         bool follow = true) {
  const std::size_t modalities = step.modalities();
  std::vector<double> scores(modalities, 0.0);
  std::vector<Coalition> active;
  for (std::size_t m = 0; m < modalities; ++m)
    if (step.active().contains(m))
      active.push_back(Coalition::single(m));
    else
      scores[m] = std::numeric_limits<double>::quiet_NaN();
  tau.resize(step.tasks(), 0.0);
  for (std::size_t k = 0; k < step.tasks(); ++k) {
    const double share = score_share(step.schema().tasks[k].kind);
    const at::Tensor losses = step.losses(k, active, share);  // [A, B]
    std::vector<double> mean(active.size());
    for (std::size_t a = 0; a < active.size(); ++a)
      mean[a] = step.mean(k, losses.select(0, static_cast<std::int64_t>(a)), active[a], share).item<double>();
    const bool classes = step.schema().tasks[k].kind == TaskKind::classification;
    if (follow)
      tau[k] = classes ? 1.0
                       : updated_tau(tau[k],
                                     std::accumulate(mean.begin(), mean.end(), 0.0) / static_cast<double>(mean.size()));
    std::size_t a = 0;
    for (std::size_t m = 0; m < modalities; ++m) {
      if (!step.active().contains(m)) continue;
      const double score =
          kind == Score::inverse_loss
              ? 1 / (mean[a] + 1e-12)
              : step.mean(k, losses.select(0, static_cast<std::int64_t>(a)).div(-tau[k]).exp(), active[a], share)
                    .item<double>();
      scores[m] += score / static_cast<double>(step.tasks());
      ++a;
    }
  }
  return scores;
}

}  // namespace equipoise
