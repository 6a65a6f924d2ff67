// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `ContributionWeighting` gives the task weights of BMMQA, from modality contributions. A task
/// that relies on an underused modality weighs more.
///
///   underused: w_t ∝ Σ_m c_tm / (M C_m)^γ, C_m the mean share over tasks
///   imbalance: w = K softmax(η I / T), I_t = 1 - entropy(c_t) / log M
///
/// The mean of the weights is 1. From Zeng, Ahmed, Tunio, Diagnostics 2025, 15(20), 2555, which
/// names the idea; the equations are our reading.
///
/// When: A model has several tasks that use the modalities differently. It is the task weighting of
/// the flagship BMMQA.
/// Cost: None beside `ShapleyLossFactors`, whose decodings it shares. Alone, all coalitions without
/// gradient.
/// Limits: With one task the weight is one. The equations are our reading.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}),
///     eq::task<"rate">(eq::Concat{.width = 16}, eq::Regression{.outputs = 2}));
/// eq::ContributionWeighting weighting{.gamma = 1};
/// eq::Trainer trainer(model, eq::ShapleyLossFactors{}, weighting, {.epochs = 10});
/// const eq::EpochRecord last = trainer.fit(train, validation).epochs.back();
/// double of_label = *last.find("weight/label"), of_rate = *last.find("weight/rate");
/// \endcode

#include <equipoise/balancing/step_contributions.hpp>
#include <equipoise/contribution/imbalance.hpp>
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

/// Which tasks weigh more: those that rely on underused modalities, or those of unequal shares.
enum class TaskWeightForm : std::uint8_t { underused, imbalance };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(TaskWeightForm) {
  return {"underused", "imbalance"};
}

struct ContributionWeighting {
  static constexpr std::string_view id = "contribution_weighting";
  static constexpr Hooks hooks = Hook::objectives | Hook::gradients;
  static constexpr Needs needs{};
  static constexpr bool acts_on_one_task = false;  // the weight of a single task is one

  TaskWeightForm form = TaskWeightForm::underused;  ///< equation of the weights
  double gamma = 1;           ///< γ of `underused`; η of `imbalance`, < 0 favours balanced tasks
  double temperature = 1;     ///< T > 0 of `imbalance`
  double momentum = 0.95;     ///< of the running contributions, in [0, 1)
  double dense_share = 0.25;  ///< share of records for coalitions of dense tasks, in (0, 1]

  struct State {
    std::vector<double> contributions;  ///< [K * M] running φ
  };

  /// Options whose contributions follow each step quickly, for tests. Those of a new model are
  /// negative, and all shares are then equal.
  [[nodiscard]] static ContributionWeighting example() { return {.momentum = 0.5}; }

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
    const std::vector<double> w = weights_of(state, step);
    for (const auto& [k, task] : views::enumerate(step.schema().tasks)) {
      step.log("weight/" + task.name, w[k]);
      for (Objective& o : objectives.list())
        if (o.key.task == k) o.weight *= w[k];
    }
  }

  void on_gradients(State& state, Step& step, Gradients&) const {
    if (step.active() == step.full()) detail::follow_contributions(step, state.contributions, momentum, dense_share);
  }

 private:
  /// Weights [K]: of mean 1 over the tasks whose contributions are known, 1 for the others.
  [[nodiscard]] std::vector<double> weights_of(const State& state, Step& step) const {
    std::vector<std::size_t> known;
    std::vector<std::vector<double>> share;
    for (std::size_t k = 0; k < step.tasks(); ++k)
      if (detail::knows_task(state.contributions, k, step.modalities())) {
        known.push_back(k);
        share.push_back(detail::task_shares(state.contributions, k, step.modalities()));
      }
    std::vector<double> out(step.tasks(), 1.0);
    if (known.empty()) return out;
    const std::vector<double> w = weights(share);
    for (std::size_t i = 0; i < known.size(); ++i) out[known[i]] = w[i];
    return out;
  }

  [[nodiscard]] static std::vector<double> of_mean_one(std::vector<double> w) {
    const double mean = std::accumulate(w.begin(), w.end(), 0.0) / static_cast<double>(w.size());
    for (double& x : w) x /= mean;
    return w;
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::ContributionWeighting, form, gamma, temperature, momentum, dense_share);
EQUIPOISE_REFLECT(equipoise::ContributionWeighting::State, contributions);
static_assert(equipoise::CheckPolicy<equipoise::ContributionWeighting>::ok);
