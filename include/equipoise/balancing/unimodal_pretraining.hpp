// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `UnimodalPretraining` trains each modality alone before all are trained together. In the policy's
/// first epochs a batch makes one pass for each modality. The pass shows that modality alone, and
/// trains its parameters and the shared ones. Then training is joint.
///
/// A modality that learns fast cannot starve the encoders of the others in these epochs, because no
/// prediction has two modalities. The heads and the shared parameters follow all of them in turn.
///
/// Du et al., ICML 2023, arXiv:2305.01233, find that encoders of a joint model are worse than ones
/// that are trained alone, and distil these or average their predictions. Ours: the joint training
/// starts from them, in the same run. Fusion and heads are those of the joint model.
///
/// When: Encoders that are trained alone are better than those of the joint model.
/// Cost: A step for each modality in these epochs, with one decoding each.
/// Limits: The fusion learns what to do with several modalities only afterwards. `patience` judges
/// the model with all modalities, so it must be longer than `epochs`. A run that is not longer has no
/// joint training. It cannot stand beside `Mla` or `ReconBoost`, which set the passes, too.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
/// eq::Trainer trainer(model, eq::UnimodalPretraining{.epochs = 5}, {.epochs = 20});
/// eq::History history = trainer.fit(train, validation);
/// \endcode

#include <equipoise/core/policy/policy.hpp>

#include <cstdint>
#include <string_view>

namespace equipoise {

struct UnimodalPretraining {
  static constexpr std::string_view id = "unimodal_pretraining";
  static constexpr Hooks hooks = Hook::epoch;
  static constexpr Needs needs{};
  static constexpr bool sets_passes = true;
  static constexpr OrderDependence order_dependence = OrderDependence::steps;

  std::int64_t epochs = 5;  ///< epochs in which each modality is trained alone, the policy's first ones; >= 0

  struct State {
    std::int64_t done = 0;  ///< such epochs so far
  };

  /// Options that train alone in the first of three epochs, for tests.
  [[nodiscard]] static UnimodalPretraining example() { return {.epochs = 1}; }

  void check() const { check_option(epochs >= 0, "UnimodalPretraining.epochs", ">= 0", epochs); }

  void begin_epoch(State& state, Epoch& epoch) const {
    if (state.done >= epochs) return;
    ++state.done;
    epoch.plan().show_modalities_alone(epoch.schema().modalities.size());
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::UnimodalPretraining, epochs);
EQUIPOISE_REFLECT(equipoise::UnimodalPretraining::State, done);
static_assert(equipoise::CheckPolicy<equipoise::UnimodalPretraining>::ok);
