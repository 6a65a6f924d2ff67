// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `ShapleyLossFactors` gives the modality loss factors of BMMQA. Each task also minimises its
/// unimodal losses. A modality that contributes less gets a larger factor.
///
///   Σ_t w_t [ l_t(all) + Σ_m a_tm l_t({m}) ]
///   a_tm ∝ c_tm^-γ (or exp(β (1/M - c))), clipped, mean a_0
///   c = shares of the running Shapley values
///
/// With `complements` the sum also has ā_tm l_t(all but m), ā_tm the mean factor of the modalities
/// in it. The model then learns to do without each modality. For two modalities these are the
/// unimodal losses.
///
/// From Zeng, Ahmed, Tunio, Diagnostics 2025, 15(20), 2555, which names the idea; the equations are
/// our reading. The contributions come from the features of the step, so no encoder runs twice and
/// there is no second backward pass. The factors of a step use the contributions of the steps
/// before it, so they do not depend on how a batch is cut.
///
/// When: Every modality should learn, without a second backward pass. It is the balancing of the
/// flagship BMMQA.
/// Cost: Unimodal decodings with gradient, for dense tasks on a quarter of the records. See the
/// benchmark `bmmqa.step_vs_plain`.
/// Limits: The paper's equations are not public; these are our reading.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
/// eq::Trainer trainer(model, eq::ShapleyLossFactors{.mean = 0.5, .gamma = 1}, {.epochs = 20});
/// eq::History history = trainer.fit(train, validation);
/// const eq::EpochRecord& last = history.epochs.back();
/// double image = *last.find("factor/label/image"), table = *last.find("factor/label/table");
/// \endcode

#include <equipoise/balancing/loss_factors.hpp>
#include <equipoise/balancing/step_contributions.hpp>
#include <equipoise/core/policy/policy.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

enum class FactorForm : std::uint8_t { power, exponential, linear };
[[nodiscard]] constexpr std::array<std::string_view, 3> names_of(FactorForm) {
  return {"power", "exponential", "linear"};
}

struct ShapleyLossFactors {
  static constexpr std::string_view id = "shapley_loss_factors";
  static constexpr Hooks hooks = Hook::objectives | Hook::gradients;
  static constexpr Needs needs{.objectives = Coverage::singletons};

  double mean = 0.5;                         ///< a_0 > 0: mean factor of the unimodal losses
  FactorForm form = FactorForm::power;       ///< c^-γ, exp(β (1/M - c)) or 1 + λ (1/M - c)
  double gamma = 1;                          ///< γ, β or λ >= 0; 0 gives equal factors
  double min_factor = 0.25, max_factor = 4;  ///< limits of a factor, before it is scaled by a_0
  double momentum = 0.95;                    ///< of the running contributions, in [0, 1)
  double dense_share = 0.25;                 ///< share of records for coalitions of dense tasks
  bool complements = false;                  ///< for M > 2 also the losses of all modalities but one

  struct State {
    std::vector<double> contributions;  ///< [K * M] running φ
  };

  /// Options whose contributions follow each step quickly, for tests. Those of a new model are
  /// negative, and all shares are then equal.
  [[nodiscard]] static ShapleyLossFactors example() { return {.momentum = 0.5}; }

  void check() const {
    check_option(mean > 0, "ShapleyLossFactors.mean", "> 0", mean);
    check_option(gamma >= 0, "ShapleyLossFactors.gamma", ">= 0", gamma);
    check_option(min_factor > 0 && min_factor <= 1, "ShapleyLossFactors.min_factor", "in (0, 1]", min_factor);
    check_option(max_factor >= 1, "ShapleyLossFactors.max_factor", ">= 1", max_factor);
    check_option(momentum >= 0 && momentum < 1, "ShapleyLossFactors.momentum", "in [0, 1)", momentum);
    check_option(dense_share > 0 && dense_share <= 1, "ShapleyLossFactors.dense_share", "in (0, 1]", dense_share);
  }

  /// Factors [M] of mean 1 within [min_factor, max_factor], from shares [M]. In the power form a
  /// share counts as at least min_factor / M. A modality without contribution then does not take
  /// all of the weight, and the factors of the others still differ.
  [[nodiscard]] static std::vector<double> factors(std::span<const double> share, FactorForm form, double gamma,
                                                   double min_factor, double max_factor) {
    const double m = static_cast<double>(share.size());
    const double floor = min_factor / m, weakest = *std::min_element(share.begin(), share.end());
    std::vector<double> a;
    for (const double c : share)  // relative to the weakest, against overflow
      a.push_back(form == FactorForm::power         ? std::pow(std::max(c, floor) / std::max(weakest, floor), -gamma)
                  : form == FactorForm::exponential ? std::exp(gamma * (weakest - c))
                                                    : std::max(1 + gamma * (1 / m - c), 0.0));
    return detail::limited_factors(std::move(a), min_factor, max_factor);
  }

  void on_objectives(State& state, Step& step, Objectives& objectives) const {
    if (step.active().size() < 2) return;
    detail::add_with_factors(*this, step, objectives, [&](std::size_t k) {
      const std::vector<double> share = detail::task_shares(state.contributions, k, step.modalities());
      for (std::size_t m = 0; m < share.size(); ++m)
        step.log("share/" + step.schema().tasks[k].name + "/" + step.schema().modalities[m], share[m]);
      return factors(share, form, gamma, min_factor, max_factor);
    });
  }

  void on_gradients(State& state, Step& step, Gradients&) const {
    if (step.active() == step.full()) detail::follow_contributions(step, state.contributions, momentum, dense_share);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::ShapleyLossFactors, mean, form, gamma, min_factor, max_factor, momentum, dense_share,
                  complements);
EQUIPOISE_REFLECT(equipoise::ShapleyLossFactors::State, contributions);
static_assert(equipoise::CheckPolicy<equipoise::ShapleyLossFactors>::ok);
