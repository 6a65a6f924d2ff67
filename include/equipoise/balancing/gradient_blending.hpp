// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `GradientBlending` weights the unimodal losses and the joint loss. A loss weighs more the more
/// it generalises and the less it overfits. Both are measured by training a copy of the model on
/// each branch alone: on each modality, and on all together.
///
///   G = L_V(before) - L_V(after)
///   ΔO = (L_V - L_T)(after) - (L_V - L_T)(before)
///   w ∝ max(G, 0) / max(ΔO², ε),  Σ w = 1
///
/// From Wang, Tran, Feiszli, CVPR 2020, arXiv:1905.12681 (online variant). Ours:
///
/// - The floors: a branch that got worse has weight zero.
/// - The default of one epoch per probe. The paper's probes are as long as a super-epoch, and train
///   M + 1 more models for as long as the run.
/// - L_V is measured on a hold-out of the training data, never on validation data. The hold-out is
///   kept out of the whole run, also of epochs outside the policy's window.
/// - Losses of several tasks are summed in units of the loss of each task's prior, so that no
///   task's unit decides.
///
/// When: Modalities overfit at very different speeds.
/// Cost: M + 1 probe runs every `super_epoch` epochs.
/// Limits: A part of the training records is held out for the whole run.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
/// eq::GradientBlending blending{.super_epoch = 5};  // measures in the epochs 0, 5, 10, …
/// eq::Trainer trainer(model, blending, {.epochs = 10, .holdout = 0.2});
/// eq::History history = trainer.fit(train, validation);
/// double weight = *history.epochs[5].find("gradient_blending/w/image");
/// \endcode

#include <equipoise/balancing/unimodal.hpp>
#include <equipoise/core/policy/policy.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise {

struct GradientBlending {
  static constexpr std::string_view id = "gradient_blending";
  static constexpr Hooks hooks = Hook::epoch | Hook::objectives;
  static constexpr Needs needs{.objectives = Coverage::singletons, .holdout = true};

  std::int64_t super_epoch = 10;  ///< epochs between two measurements; > 0
  std::int64_t probe_epochs = 1;  ///< n > 0: epochs of a probe; the paper: `super_epoch`
  double dense_share = 0.25;      ///< share of records for unimodal losses of dense tasks

  struct State {
    std::vector<double> weights;  ///< [M + 1] of the modalities and the joint branch
  };

  /// Options that measure again in the third epoch, for tests.
  [[nodiscard]] static GradientBlending example() { return {.super_epoch = 2}; }

  void check() const {
    check_option(super_epoch > 0, "GradientBlending.super_epoch", "> 0", super_epoch);
    check_option(probe_epochs > 0, "GradientBlending.probe_epochs", "> 0", probe_epochs);
    check_option(dense_share > 0 && dense_share <= 1, "GradientBlending.dense_share", "in (0, 1]", dense_share);
  }

  /// The weights w from the losses of each branch.
  [[nodiscard]] static std::vector<double> blend(std::span<const ProbeLosses> branches) {
    std::vector<double> w;
    for (const ProbeLosses& b : branches) {
      const double gain = std::max(b.holdout_before - b.holdout_after, 0.0);
      const double overfit = (b.holdout_after - b.train_after) - (b.holdout_before - b.train_before);
      w.push_back(gain / std::max(overfit * overfit, 1e-8));
    }
    const double sum = std::accumulate(w.begin(), w.end(), 0.0);
    for (double& x : w) x = sum > 0 ? x / sum : 1 / static_cast<double>(w.size());
    return w;
  }

  void begin_epoch(State& state, Epoch& epoch) const {
    if (!state.weights.empty() && epoch.index() % super_epoch != 0) return;
    std::vector<Coalition> branches = singletons(epoch.schema().modalities.size());
    branches.push_back(Coalition::full(branches.size()));
    std::vector<ProbeLosses> losses;
    for (const Coalition branch : branches) losses.push_back(epoch.probe(branch, probe_epochs));
    state.weights = blend(losses);
    for (std::size_t m = 0; m + 1 < branches.size(); ++m)
      epoch.log("gradient_blending/w/" + epoch.schema().modalities[m], state.weights[m]);
    epoch.log("gradient_blending/w/joint", state.weights.back());
  }

  void on_objectives(State& state, Step& step, Objectives& objectives) const {
    if (step.active().size() < 2) return;
    detail::add_unimodal(step, objectives, dense_share, [&](std::size_t, Objective& joint) {
      joint.weight *= state.weights.back();
      return std::vector<double>(state.weights.begin(), state.weights.end() - 1);
    });
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::GradientBlending, super_epoch, probe_epochs, dense_share);
EQUIPOISE_REFLECT(equipoise::GradientBlending::State, weights);
static_assert(equipoise::CheckPolicy<equipoise::GradientBlending>::ok);
