// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// BMMQA's task weights from modality contributions: a task that lives on an underused modality weighs more.
///   underused: w_t ∝ Σ_m c_tm / (M C_m)^γ, C_m the mean share over tasks;   imbalance: w = K softmax(η I / T), I_t = 1
///   - entropy(c_t) / log M.   Mean 1.
/// From Zeng, Ahmed, Tunio, Diagnostics 2025, 15(20), 2555, which names the idea; the equations are our reading.

#include <equipoise/balancing/step_contributions.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/policy/policy.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

enum class TaskWeightForm : std::uint8_t { underused, imbalance };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(TaskWeightForm) {
  return {"underused", "imbalance"};
}

struct ContributionWeighting {
  static constexpr std::string_view id = "contribution_weighting";
  static constexpr Hooks hooks = Hook::objectives | Hook::gradients;
  static constexpr Needs needs{};

  TaskWeightForm form = TaskWeightForm::underused;  ///< favour tasks that live on underused modalities, or imbalance
  double gamma = 1;           ///< γ of underused, η of imbalance (negative favours balanced tasks)
  double temperature = 1;     ///< T > 0 of imbalance
  double momentum = 0.95;     ///< of the running contributions, in [0, 1)
  double dense_share = 0.25;  ///< part of the records on which dense tasks decode coalitions

  struct State {
    std::vector<double> contributions;  ///< [K * M] running φ
  };

  void check() const {
    check_option(temperature > 0, "ContributionWeighting.temperature", "> 0", temperature);
    check_option(momentum >= 0 && momentum < 1, "ContributionWeighting.momentum", "in [0, 1)", momentum);
    check_option(dense_share > 0 && dense_share <= 1, "ContributionWeighting.dense_share", "in (0, 1]", dense_share);
  }

  /// Weights [K] of mean 1 from shares [K][M].
  [[nodiscard]] std::vector<double> weights(const std::vector<std::vector<double>>& share) const {
    std::vector<double> w;
    if (form == TaskWeightForm::imbalance) {
      for (const std::vector<double>& c : share) w.push_back(imbalance_degree(c));
      return from_imbalance(w);
    }
    const auto tasks = static_cast<double>(share.size()), modalities = static_cast<double>(share.front().size());
    std::vector<double> mean(share.front().size(), 0.0);  // C_m
    for (const std::vector<double>& c : share)
      std::ranges::transform(mean, c, mean.begin(), [tasks](double sum, double x) { return sum + x / tasks; });
    for (const std::vector<double>& c : share) {
      double sum = 0;
      for (const auto& [x, of_all] : views::zip(c, mean))
        if (x > 0) sum += x / std::pow(modalities * of_all, gamma);
      w.push_back(sum);
    }
    return of_mean_one(std::move(w));
  }
  /// K softmax(η I / T) from the tasks' imbalance degrees.
  [[nodiscard]] std::vector<double> from_imbalance(std::vector<double> imbalance) const {
    for (double& i : imbalance) i *= gamma / temperature;
    const double maximum = *std::max_element(imbalance.begin(), imbalance.end());
    for (double& i : imbalance) i = std::exp(i - maximum);
    return of_mean_one(std::move(imbalance));
  }

  void on_objectives(State& state, Step& step, Objectives& objectives) const {
    if (step.active().size() < 2) return;
    std::vector<std::vector<double>> share;
    for (std::size_t k = 0; k < step.tasks(); ++k)
      share.push_back(detail::task_shares(state.contributions, k, step.modalities()));
    const std::vector<double> w = weights(share);
    for (const auto& [k, task] : views::enumerate(step.schema().tasks)) {
      step.log("weight/" + task.name, w[k]);
      for (Objective& o : objectives.list())
        if (o.name == task.name || o.name.starts_with(task.name + "/")) o.weight *= w[k];
    }
  }

  void on_gradients(State& state, Step& step, Gradients&) const {
    if (step.active() == step.full()) detail::follow_contributions(step, state.contributions, momentum, dense_share);
  }

 private:
  [[nodiscard]] static std::vector<double> of_mean_one(std::vector<double> w) {
    const double mean = std::accumulate(w.begin(), w.end(), 0.0) / static_cast<double>(w.size());
    for (double& x : w) x /= mean;
    return w;
  }
};

}  // namespace equipoise

BOOST_HANA_ADAPT_STRUCT(equipoise::ContributionWeighting, form, gamma, temperature, momentum, dense_share);
BOOST_HANA_ADAPT_STRUCT(equipoise::ContributionWeighting::State, contributions);
static_assert(equipoise::CheckPolicy<equipoise::ContributionWeighting>::ok);
