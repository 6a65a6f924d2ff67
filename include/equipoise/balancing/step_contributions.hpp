// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Contributions from the coalition losses of the step, smoothed over steps, for the loss factors
/// and the task weights of BMMQA. Losses that were decoded as objectives are not decoded again.

#include <equipoise/contribution/shapley.hpp>
#include <equipoise/contribution/shares.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/policy/step.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace equipoise::detail {

/// φ [M] of v(S) = l(∅) - l(S) for one task, from the mean losses of the batch. They have the unit
/// of the loss: only shares within a task use them, and a batch with a small l(∅) then has a small
/// weight. The value of a modality is a mean over the records that have it, because absence is not
/// a contribution of zero. It is NaN where no record has the modality.
[[nodiscard]] inline std::vector<double> step_contributions(Step& step, std::size_t task, double dense_share) {
  const double share = decoded_share(step.schema().tasks[task], dense_share);
  const std::vector<Coalition> all = all_coalitions(step.modalities());
  const at::Tensor losses = step.losses(task, all, share);  // [2^M, B']
  std::vector<double> reduction;                            // [2^M] l(∅) - l(S)
  for (std::int64_t s = 0; s < losses.size(0); ++s)
    reduction.push_back(host_value(step.mean(task, losses.select(0, s), step.full(), share)));
  const double empty = reduction.front();
  for (double& loss : reduction) loss = empty - loss;
  std::vector<double> phi = shapley(std::span<const double>(reduction));
  const double records = step.total_weight(task, step.full(), share);
  // A record adds zero to a modality that it lacks.
  for (std::size_t m = 0; m < step.modalities(); ++m) {
    const double n = step.total_weight(task, Coalition::single(m), share);
    phi[m] *= n > 0 ? records / n : std::numeric_limits<double>::quiet_NaN();
  }
  return phi;
}

/// Moves the running contributions `phi` [K * M] towards those of this step: φ ← β φ + (1 - β)
/// φ_step, at first φ ← φ_step. They are NaN before that. Values that are not finite are skipped.
inline void follow_contributions(Step& step, std::vector<double>& phi, double momentum, double dense_share) {
  const std::size_t modalities = step.modalities();
  if (phi.empty()) phi.assign(step.tasks() * modalities, std::numeric_limits<double>::quiet_NaN());
  for (std::size_t k = 0; k < step.tasks(); ++k) {
    if (step.total_weight(k, step.full(), decoded_share(step.schema().tasks[k], dense_share)) == 0) continue;
    const std::vector<double> now = step_contributions(step, k, dense_share);
    for (std::size_t m = 0; m < modalities; ++m) {
      double& running = phi[k * modalities + m];
      if (std::isfinite(now[m])) running = std::isnan(running) ? now[m] : momentum * running + (1 - momentum) * now[m];
    }
  }
}

/// Whether the running contributions [K * M] know one of a task: none before the first step, nor of a
/// task without targets.
[[nodiscard]] inline bool knows_task(std::span<const double> phi, std::size_t task, std::size_t modalities) {
  return !phi.empty() &&
         std::ranges::any_of(phi.subspan(task * modalities, modalities), [](double x) { return !std::isnan(x); });
}

/// The shares [M] of one task from the running contributions [K * M]. They are equal before the
/// first step. A modality without a contribution yet counts as the mean of the others: its share is
/// 1 / M.
[[nodiscard]] inline std::vector<double> task_shares(std::span<const double> phi, std::size_t task,
                                                     std::size_t modalities) {
  if (phi.empty()) return std::vector<double>(modalities, 1 / static_cast<double>(modalities));
  const std::span<const double> known = phi.subspan(task * modalities, modalities);
  double sum = 0, n = 0;
  for (const double x : known)
    if (!std::isnan(x)) sum += std::max(x, 0.0), n += 1;
  std::vector<double> all(known.begin(), known.end());
  for (double& x : all)
    if (std::isnan(x)) x = n > 0 ? sum / n : 0;
  return shares(all);
}

}  // namespace equipoise::detail
