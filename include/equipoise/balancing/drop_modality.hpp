// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `DropModality` is modality dropout. In each step it hides each modality of each record with a
/// probability. A record that would lose all of its modalities keeps one, drawn at random.
///
/// A hidden modality is an absent one, so each fusion treats it as such. Nothing is hidden in
/// validation, evaluation and inference.
///
/// The model then learns predictions from every coalition of modalities. Losses of coalitions, and
/// Shapley values made of them, are otherwise extrapolations where training seldom shows the coalition.
///
/// From Neverova, Wolf, Taylor, Nebout, "ModDrop: Adaptive Multi-Modal Gesture Recognition", TPAMI
/// 2016. Ours: a record never loses all modalities.
///
/// When: Records lack modalities at inference, or contributions are to be measured.
/// Cost: None.
/// Limits: With all modalities it may predict worse than a model that always saw them all.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
/// eq::Trainer trainer(model, eq::DropModality{.probability = 0.3}, {.epochs = 20});
/// eq::History history = trainer.fit(train, validation);
/// const auto phi = eq::shapley(*model, validation);  // losses of coalitions that training has shown
/// \endcode

#include <equipoise/core/policy/policy.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

struct DropModality {
  static constexpr std::string_view id = "drop_modality";
  static constexpr Hooks hooks = Hook::features;
  static constexpr Needs needs{};

  double probability = 0.2;  ///< of hiding a modality of a record in a step, in [0, 1]

  struct State {};

  /// Options that hide nothing, for tests.
  [[nodiscard]] static DropModality deterministic() { return {.probability = 0}; }

  void check() const {
    check_option(probability >= 0 && probability <= 1, "DropModality.probability", "in [0, 1]", probability);
  }

  void on_features(State&, Step& step, Features& features) const {
    const auto before = features.presence.masks();
    std::vector<std::uint64_t> masks(before.begin(), before.end());
    for (std::size_t i = 0; i < masks.size(); ++i) {
      const Coalition present(masks[i]);
      const auto row = static_cast<std::int64_t>(i);
      Coalition seen = present;
      for (const std::size_t m : present.members())
        if (step.uniform("drop_modality", row, m) < probability) seen = seen.without(m);
      if (seen.empty() && !present.empty()) seen = one_of(present, step.uniform("drop_modality/kept", row, 0));
      masks[i] = seen.bits();
    }
    features.presence = Presence(std::move(masks), 1, step.modalities());
  }

 private:
  /// \param place in [0, 1)
  [[nodiscard]] static Coalition one_of(Coalition present, double place) {
    auto left = static_cast<std::size_t>(place * static_cast<double>(present.size()));
    for (const std::size_t m : present.members())
      if (left-- == 0) return Coalition::single(m);
    return present;
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::DropModality, probability);
static_assert(equipoise::CheckPolicy<equipoise::DropModality>::ok);
