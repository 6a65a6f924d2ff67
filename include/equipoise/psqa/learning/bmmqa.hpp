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

#include <cstdint>

namespace equipoise::psqa {

/// Dose plane and metrics to passing rates through `fusion`, and to the dose-difference map through the spatial
/// cascade.
template <class GprFusion>
[[nodiscard]] auto psqa_model(const PsqaSizes& s, GprFusion fusion) {
  return compose(modality<"dose">(Cnn{.in_channels = 1, .widths = s.encoder}),
                 modality<"metrics">(Mlp{.in_features = s.metrics, .widths = {s.width, s.width}}),
                 task<"gpr">(fusion, Regression{.outputs = std::int64_t{kCriteria.size()}, .loss = PointLoss::huber}),
                 task<"dd">(SpatialCascade{.widths = s.decoder}, DenseRegression{.channels = 1}));
}

/// Softmax attention for the passing rates.
[[nodiscard]] inline auto bmmqa(const PsqaSizes& sizes) {
  return psqa_model(sizes, AttentionFusion{.width = sizes.width});
}

/// Shapley loss factors and contribution task weights.
[[nodiscard]] inline PolicyStack bmmqa_policies() {
  return stack(ShapleyLossFactors{}, ContributionWeighting{});
}

}  // namespace equipoise::psqa
