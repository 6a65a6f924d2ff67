// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The score of each modality alone, and its ratio to the other modalities' scores, for OGM, OPM
/// and similar policies. Classification: the mean probability of the true class; label smoothing
/// does not change it. Regression: exp(-l / τ), with τ a running mean of the unimodal losses. With
/// cross-entropy and τ = 1 both give the same number.

#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/policy/step.hpp>

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

namespace equipoise {

/// What a modality's score is divided by: the mean of the others, the minimum of all, or the sum of
/// the others.
enum class Ratio : std::uint8_t { mean_of_others, min, sum_of_others };
[[nodiscard]] constexpr std::array<std::string_view, 3> names_of(Ratio) {
  return {"mean_of_others", "min", "sum_of_others"};
}

/// The score of a modality in a regression, or in any task without a score of its own.
enum class Score : std::uint8_t {
  exp_loss,      ///< mean of exp(-l / τ); τ = 1 for classifications
  inverse_loss,  ///< 1 / mean l, divided by its mean over the modalities
  skill,         ///< 1 - mean l / mean l(∅); for squared error the explained variance
};
[[nodiscard]] constexpr std::array<std::string_view, 3> names_of(Score) {
  return {"exp_loss", "inverse_loss", "skill"};
}

/// A score from mean losses and, for `exp_loss`, the mean of exp(-l / τ).
[[nodiscard]] inline double score_of(Score kind, double mean_loss, double mean_exp, double prior_loss) {
  constexpr double epsilon = 1e-12;
  return kind == Score::exp_loss       ? mean_exp
         : kind == Score::inverse_loss ? 1 / (mean_loss + epsilon)
                                       : std::max(epsilon, 1 - mean_loss / std::max(prior_loss, epsilon));
}

/// ρ_m: the score of a modality over the others' score. With two modalities `mean_of_others` is the
/// formula of the papers; any M is ours. A score that is not finite, as of a modality that no
/// record has, is left out. With fewer than two scores every ρ is 1.
[[nodiscard]] inline std::vector<double> ratios(std::span<const double> scores, Ratio ratio) {
  std::vector<double> rho(scores.size(), 1.0);
  double sum = 0, minimum = std::numeric_limits<double>::infinity(), n = 0;
  for (const double s : scores)
    if (std::isfinite(s)) sum += s, minimum = std::min(minimum, s), n += 1;
  for (std::size_t m = 0; n > 1 && m < scores.size(); ++m) {
    if (!std::isfinite(scores[m])) continue;
    const double others = sum - scores[m];
    const double against = ratio == Ratio::min ? minimum : ratio == Ratio::sum_of_others ? others : others / (n - 1);
    rho[m] = scores[m] / (against + 1e-12);
  }
  return rho;
}

/// τ of a task: an exponential moving average of the mean unimodal loss, which starts at the first
/// batch's loss. It is 0 before that. A loss that is not finite does not change it.
[[nodiscard]] inline double updated_tau(double tau, double mean_loss) {
  if (!std::isfinite(mean_loss)) return tau;
  return tau <= 0 ? std::max(mean_loss, 1e-12) : std::max(0.99 * tau + 0.01 * mean_loss, 1e-12);
}

/// The share of the records on which dense tasks are scored.
inline constexpr double kScoreShare = 0.25;

namespace detail {

/// Divides scores by the mean of the finite ones, so that scores of tasks with different units can
/// be averaged.
inline void over_their_mean(std::vector<double>& scores) {
  double sum = 0, n = 0;
  for (const double s : scores)
    if (std::isfinite(s)) sum += s, n += 1;
  for (double& s : scores) s *= n / sum;
}

/// A coalition for each modality that at least one labelled record of the step has, of a weight that is not 0.
[[nodiscard]] inline std::vector<Coalition> seen_alone(const Step& step, std::size_t k, double share) {
  std::vector<Coalition> seen;
  for (const std::size_t m : step.active().members())
    if (step.total_weight(k, Coalition::single(m), share) > 0) seen.push_back(Coalition::single(m));
  return seen;
}

/// Per-record values [A, B] for `host_means`: float or double, in host memory.
[[nodiscard]] inline at::Tensor on_host(const at::Tensor& values) {
  const at::Tensor host = host_copy(values);
  return host.scalar_type() == at::kFloat ? host : host.to(at::kDouble);
}

/// The weights [A][B] of `records` records in the mean over those that count for each coalition.
[[nodiscard]] inline std::vector<std::vector<double>> record_weights(Step& step, std::size_t k,
                                                                     std::span<const Coalition> coalitions,
                                                                     std::int64_t records, double share = 1) {
  std::vector<std::vector<double>> out;
  for (const Coalition coalition : coalitions) out.push_back(step.record_weights(k, coalition, records, share));
  return out;
}

/// Means [A] of `f(value)` over per-record values [A, B] of `on_host`, with such weights. The host
/// sums them: a batch has few, and one operation of LibTorch costs more than the whole sum.
template <class F = std::identity>
[[nodiscard]] std::vector<double> host_means(const at::Tensor& host, const std::vector<std::vector<double>>& weights,
                                             F&& f = {}) {
  const auto means = [&](const auto* x) {
    std::vector<double> out;
    for (const std::vector<double>& of_coalition : weights) {
      double sum = 0;
      for (const double w : of_coalition) {
        if (w != 0) sum += w * f(static_cast<double>(*x));
        ++x;
      }
      out.push_back(sum);
    }
    return out;
  };
  return host.scalar_type() == at::kFloat ? means(host.const_data_ptr<float>()) : means(host.const_data_ptr<double>());
}

/// Mean scores of a task that has a score, in the order of `seen`.
[[nodiscard]] inline std::vector<double> own_scores(Step& step, std::size_t k, std::span<const Coalition> seen) {
  const at::Tensor scores = on_host(step.score_of(k, step.outputs(k, seen)));  // [A, B]
  return host_means(scores, record_weights(step, k, seen, scores.size(1)));
}

/// Mean scores of a task that has only a loss, in the order of `seen`. A score is NaN where the
/// loss is not finite. All are NaN without a reference: τ for `exp_loss`, the prior's loss for
/// `skill`. `tau` is that of this task.
[[nodiscard]] inline std::vector<double> loss_scores(Step& step, std::size_t k, Score kind, double share, double& tau,
                                                     bool follow, std::span<const Coalition> seen) {
  std::vector<Coalition> coalitions(seen.begin(), seen.end());
  if (kind == Score::skill) coalitions.push_back(Coalition::none());
  const at::Tensor losses = on_host(step.losses(k, coalitions, share));  // [A, B]
  const auto weights = record_weights(step, k, coalitions, losses.size(1), share);
  const std::vector<double> means = host_means(losses, weights);
  if (follow)
    tau =
        updated_tau(tau, std::accumulate(means.begin(), means.begin() + static_cast<std::ptrdiff_t>(seen.size()), 0.0) /
                             static_cast<double>(seen.size()));
  std::vector<double> scores(seen.size(), std::numeric_limits<double>::quiet_NaN());
  const bool measured = kind == Score::exp_loss ? tau > 0 : kind != Score::skill || std::isfinite(means.back());
  std::vector<double> exps(coalitions.size(), 0.0);
  if (measured && kind == Score::exp_loss)
    exps = host_means(losses, weights, [&](double loss) { return std::exp(-loss / tau); });
  for (std::size_t a = 0; measured && a < seen.size(); ++a)
    if (std::isfinite(means[a])) scores[a] = score_of(kind, means[a], exps[a], means.back());
  if (kind == Score::inverse_loss) over_their_mean(scores);
  return scores;
}

/// Adds the scores of one task to `sums` [M], and 1 to `tasks` [M] for each modality that has one.
/// `tau` is that of this task.
inline void add_task_scores(Step& step, std::size_t k, Score kind, double& tau, bool follow, std::vector<double>& sums,
                            std::vector<double>& tasks) {
  const Schema::Task& task = step.schema().tasks[k];
  const double share = task.traits.score ? 1 : decoded_share(task, kScoreShare);
  const std::vector<Coalition> seen = seen_alone(step, k, share);
  if (seen.empty()) return;
  if (task.traits.score && follow) tau = 1;
  const std::vector<double> scores =
      task.traits.score ? own_scores(step, k, seen) : loss_scores(step, k, kind, share, tau, follow, seen);
  for (std::size_t a = 0; a < seen.size(); ++a) {
    if (!std::isfinite(scores[a])) continue;
    const auto m = static_cast<std::size_t>(std::countr_zero(seen[a].bits()));
    sums[m] += scores[a], tasks[m] += 1;
  }
}

}  // namespace detail

/// Scores [M] of the active modalities of the step: means over the tasks in which they have a
/// score. A score is NaN for a modality that is not active, that no labelled record has, or whose
/// mean loss is not finite. `tau` [K] is the policy's memory; `follow` updates it. A hook that runs
/// for every micro-batch updates it once per step.
[[nodiscard]] inline std::vector<double> modality_scores(Step& step, Score kind, std::vector<double>& tau,
                                                         bool follow = true) {
  std::vector<double> scores(step.modalities(), 0.0), tasks(step.modalities(), 0.0);
  tau.resize(step.tasks(), 0.0);
  for (std::size_t k = 0; k < step.tasks(); ++k)
    if (step.labelled(k)) detail::add_task_scores(step, k, kind, tau[k], follow, scores, tasks);
  std::ranges::transform(scores, tasks, scores.begin(), [](double sum, double n) {
    return n > 0 ? sum / n : std::numeric_limits<double>::quiet_NaN();
  });
  return scores;
}

}  // namespace equipoise
