// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Opm` is OPM, on-the-fly prediction modulation. It drops the dominant modality's feature, record
/// by record. The probability grows with its dominance.
///
///   q_m = clip(q (1 + λ tanh(ρ_m - 1)), 0, 1) if ρ_m > 1 else 0
///   h_m ← b_m h_m / (1 - θ), b_m ~ Bernoulli(1 - q_m), θ = Σ d_m q_m / Σ d_m
///
/// h_m is the feature of modality m and d_m its width. ρ_m is the score of modality m over the
/// score of the others (balancing/score.hpp).
///
/// From Wei, Hu, Du, Wen, "On-the-fly Modulation for Balanced Multimodal Learning", TPAMI 2024.
/// Ours:
///
/// - Any number of modalities, and regression.
/// - A dropped feature is an absent modality, so each fusion treats it as such.
/// - A record that loses all modalities adds nothing to the loss.
///
/// When: The other modalities should learn without the dominant one from time to time.
/// Cost: Unimodal decodings without gradient.
/// Limits: It draws at random, so runs with different seeds differ more than without it.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
/// eq::Trainer trainer(model, eq::Opm{.base = 0.5, .lambda = 0.5}, {.epochs = 20});
/// eq::History history = trainer.fit(train, validation);
/// double dropped = *history.epochs.back().find("opm/q/image");  // mean probability
/// \endcode

#include <equipoise/balancing/score.hpp>
#include <equipoise/core/base/random.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/policy/policy.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

struct Opm {
  static constexpr std::string_view id = "opm";
  static constexpr Hooks hooks = Hook::features;
  static constexpr Needs needs{.outputs = Coverage::singletons};

  double base = 0.5;                    ///< q in [0, 1]: drop probability at balance
  double lambda = 0.5;                  ///< λ >= 0: how much dominance adds to q
  double probability = 0.7;             ///< of acting in a step, in [0, 1]
  Score score = Score::exp_loss;        ///< score of a regression
  Ratio ratio = Ratio::mean_of_others;  ///< how ρ compares a score with the others

  struct State {
    std::vector<double> tau;  ///< [K] running mean losses
    std::int64_t step = -1;   ///< the last step that updated tau
  };

  /// Options that drop the dominant modality from every record, for tests.
  [[nodiscard]] static Opm deterministic() { return {.base = 1, .probability = 1}; }

  void check() const {
    check_option(base >= 0 && base <= 1, "Opm.base", "in [0, 1]", base);
    check_option(lambda >= 0, "Opm.lambda", ">= 0", lambda);
    check_option(probability >= 0 && probability <= 1, "Opm.probability", "in [0, 1]", probability);
  }

  /// q_m from ρ_m.
  [[nodiscard]] static double drop_probability(double rho, double base, double lambda) {
    return rho > 1 && std::isfinite(rho) ? std::clamp(base * (1 + lambda * std::tanh(rho - 1)), 0.0, 1.0) : 0;
  }

  /// θ: the expected share of feature channels that are dropped.
  [[nodiscard]] static double dropped_share(std::span<const double> q, std::span<const double> widths) {
    double dropped = 0, total = 0;
    for (const auto& [drop, width] : views::zip(q, widths)) dropped += drop * width, total += width;
    return total > 0 ? dropped / total : 0;
  }

  void on_features(State& state, Step& step, Features& features) const {
    if (step.active().size() < 2) return;
    const bool follow = std::exchange(state.step, step.index()) != step.index();
    const std::vector<double> scores = modality_scores(step, score, state.tau, follow), rho = ratios(scores, ratio);
    for (const std::size_t m : step.active().members())
      step.log("opm/skipped/" + step.schema().modalities[m], std::isfinite(scores[m]) ? 0 : 1);
    if (to_uniform(step.seed("opm")) >= probability) return;
    std::vector<double> q(rho.size()), widths(rho.size(), 0);
    for (std::size_t m = 0; m < rho.size(); ++m) {
      q[m] = drop_probability(rho[m], base, lambda);
      if (std::isfinite(scores[m])) widths[m] = static_cast<double>(step.schema().widths[m]);
      step.log("opm/q/" + step.schema().modalities[m], q[m]);
    }
    const double scale = 1 / (1 - dropped_share(q, widths));
    if (scale == 1) return;
    for (Feature& feature : features.items)
      feature = feature.map_tensors([&](const at::Tensor& t) { return t.mul(scale); });
    std::vector<std::uint64_t> masks(features.presence.masks().begin(), features.presence.masks().end());
    for (std::size_t i = 0; i < masks.size(); ++i)
      for (std::size_t m = 0; m < q.size(); ++m)
        if (step.uniform("opm", static_cast<std::int64_t>(i), m) < q[m]) masks[i] &= ~(std::uint64_t{1} << m);
    features.presence = Presence(std::move(masks), 1, q.size());
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Opm, base, lambda, probability, score, ratio);
EQUIPOISE_REFLECT(equipoise::Opm::State, tau, step);
static_assert(equipoise::CheckPolicy<equipoise::Opm>::ok);
