// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `TensorFusion` is the tensor fusion network. The outer product of all modalities' features, each
/// with a 1 appended, holds the products of every set of modalities; a linear layer reads them.
///
/// - In: features [B, D_m] of B records, presence [C, B, M] in C coalitions of M modalities
/// - Out: joint feature [C, B, width]
///
///   joint = GELU(W vec([u_1; 1] ⊗ … ⊗ [u_M; 1])), u_m = V_m h_m
///
/// From Zadeh, Chen, Poria, Cambria, Morency, "Tensor Fusion Network for Multimodal Sentiment
/// Analysis", EMNLP 2017, arXiv:1707.07250. The projections to `rank` features are ours: they bound
/// the tensor's size.
///
/// What stands for u_m of an absent modality is the option `absent`. With `zero` the products of
/// the present modalities remain. W is stored as one block for each set of modalities, so each block
/// is applied once for all coalitions.
///
/// When: There are two to four modalities, and their combinations matter.
/// Cost: width · (rank + 1)^M parameters. All coalitions cost one forward pass and additions.
/// Limits: The tensor grows exponentially with M; more than 10^8 entries of W are refused.
/// `LowRankTensor` has no such limit.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::TensorFusion{.width = 32, .rank = 4}, eq::Regression{.outputs = 3}));
/// at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
/// at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/fusion/interactions.hpp>
#include <equipoise/fusion/stand_in.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace equipoise {

class TensorFusionModule : public detail::InteractionsModule {
 public:
  TensorFusionModule(std::span<const FeatureSpec> features, std::int64_t width, std::int64_t rank, StandIn absent)
      : InteractionsModule("TensorFusion", features, width, rank, features.size(), absent) {}
};

/// `TensorFusion{.width = 128}`.
struct TensorFusion {
  static constexpr std::string_view id = "tensor";

  std::int64_t width = 128;        ///< size of the joint feature; > 0
  std::int64_t rank = 8;           ///< size of each modality's projected feature; > 0
  StandIn absent = StandIn::zero;  ///< what stands for the projected feature of an absent modality

  /// Small options for many modalities.
  [[nodiscard]] static TensorFusion example() { return {.width = 8, .rank = 2}; }

  [[nodiscard]] std::shared_ptr<TensorFusionModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "TensorFusion.width", "> 0", width);
    check_option(rank > 0, "TensorFusion.rank", "> 0", rank);
    double entries = static_cast<double>(width);
    for (std::size_t m = 0; m < features.size(); ++m) entries *= static_cast<double>(rank + 1);
    check_option(entries <= 1e8, "TensorFusion", "at most 1e8 weights, width * (rank + 1)^M", entries);
    return std::make_shared<TensorFusionModule>(features, width, rank, absent);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::TensorFusion, width, rank, absent);
