// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// BMMQA, the flagship: from a plan's dose plane and its complexity metrics to gamma passing rates at the criteria of
/// `kCriteria`, and to the map of dose differences, without a measurement. Zeng, Ahmed, Tunio,
/// Diagnostics 2025,
/// 15(20), 2555. Its baselines differ in the fusion for the passing rates alone.

#include <equipoise/balancing/any_policy.hpp>
#include <equipoise/balancing/shapley_loss_factors.hpp>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/cnn.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/all.hpp>
#include <equipoise/psqa/criteria.hpp>
#include <equipoise/psqa/learning/sizes.hpp>
#include <equipoise/tasks/all.hpp>
#include <equipoise/weighting/contribution_weighting.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace equipoise::psqa {

namespace detail {

[[nodiscard]] inline auto dose_modality(const PsqaSizes& s) {
  return modality<"dose">(Cnn{.in_channels = 1, .widths = s.encoder});
}
[[nodiscard]] inline auto metrics_modality(const PsqaSizes& s) {
  return modality<"metrics">(Mlp{.in_features = s.metrics, .widths = {s.width, s.width}});
}
/// Modalities to passing rates through `fusion`, and to the dose-difference map through the spatial cascade.
template <class GprFusion, class... Modalities>
[[nodiscard]] auto with_tasks(const PsqaSizes& s, GprFusion fusion, Modalities... modalities) {
  return compose(std::move(modalities)...,
                 task<"gpr">(fusion, Regression{.outputs = std::int64_t{kCriteria.size()}, .loss = PointLoss::huber}),
                 task<"dd">(SpatialCascade{.widths = s.decoder, .cascade = s.cascade}, DenseRegression{.channels = 1}));
}

}  // namespace detail

/// Dose plane and metrics to passing rates through `fusion`, and to the dose-difference map through the spatial
/// cascade.
template <class GprFusion>
[[nodiscard]] auto psqa_model(const PsqaSizes& s, GprFusion fusion) {
  return detail::with_tasks(s, std::move(fusion), detail::dose_modality(s), detail::metrics_modality(s));
}

/// The same with what else a clinic knows: delivery maps of the plan, and figures of the machine. A record may lack each.
template <class GprFusion>
[[nodiscard]] auto delivery_model(const PsqaSizes& s, GprFusion fusion) {
  return detail::with_tasks(
      s, std::move(fusion), detail::dose_modality(s),
      modality<"maps">(Cnn{.in_channels = std::max<std::int64_t>(s.channels, 1), .widths = s.encoder}),
      detail::metrics_modality(s),
      modality<"machine">(Mlp{.in_features = std::max<std::int64_t>(s.machine, 1), .widths = {s.width}}));
}

/// Softmax attention for the passing rates.
[[nodiscard]] inline auto bmmqa(const PsqaSizes& sizes) {
  return psqa_model(sizes, AttentionFusion{.width = sizes.width});
}

/// BMMQA with the delivery maps and the machine beside the paper's inputs. Concatenation takes the place of attention: with
/// four modalities and the same policies its error of the passing rates is smaller (docs/results.md).
[[nodiscard]] inline auto bmmqa_delivery(const PsqaSizes& sizes) {
  return delivery_model(sizes, Concat{.width = sizes.width});
}

/// Shapley loss factors and contribution task weights. With more than two modalities the model also learns to do without
/// each of them; with two these are its unimodal losses. \param modalities of the model
[[nodiscard]] inline PolicyStack bmmqa_policies(std::size_t modalities = 2) {
  return stack(ShapleyLossFactors{.complements = modalities > 2}, ContributionWeighting{});
}

}  // namespace equipoise::psqa
