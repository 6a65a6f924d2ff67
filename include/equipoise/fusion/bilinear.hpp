// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Bilinear` is bilinear pooling. Every pair of present modalities gives all products of two
/// projected features; a linear layer reads the features and the products.
///
/// - In: features [B, D_m] of B records, presence [C, B, M] in C coalitions of M modalities
/// - Out: joint feature [C, B, width]
///
///   u_m = V_m h_m
///   joint = GELU(b + Σ_m W_m u_m + Σ_{m<n} W_mn (u_m ⊗ u_n))
///
/// After Tenenbaum and Freeman, "Separating Style and Content with Bilinear Models", Neural
/// Computation 12(6), 2000, and Lin, RoyChowdhury, Maji, "Bilinear CNN Models", ICCV 2015,
/// arXiv:1504.07889, for two modalities. Pairs of any M modalities and the linear terms are ours.
///
/// What stands for u_m of an absent modality is the option `absent`. With `zero` its pairs are left
/// out, and a single modality gives a linear layer with GELU.
///
/// When: The meaning of one modality depends on the value of another.
/// Cost: Every pair's products once, shared by all coalitions; width · rank² parameters per pair.
/// Limits: Products of three modalities are not modelled: `TensorFusion` has them.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::Bilinear{.width = 32, .rank = 4}, eq::Regression{.outputs = 3}));
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

class BilinearModule : public detail::InteractionsModule {
 public:
  BilinearModule(std::span<const FeatureSpec> features, std::int64_t width, std::int64_t rank, StandIn absent)
      : InteractionsModule("Bilinear", features, width, rank, 2, absent) {}
};

/// `Bilinear{.width = 128}`.
struct Bilinear {
  static constexpr std::string_view id = "bilinear";

  std::int64_t width = 128;        ///< size of the joint feature; > 0
  std::int64_t rank = 16;          ///< size of each modality's projected feature; > 0
  StandIn absent = StandIn::zero;  ///< what stands for the projected feature of an absent modality

  [[nodiscard]] std::shared_ptr<BilinearModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "Bilinear.width", "> 0", width);
    check_option(rank > 0, "Bilinear.rank", "> 0", rank);
    check_option(features.size() <= 16, "Bilinear", "at most 16 modalities", features.size());
    return std::make_shared<BilinearModule>(features, width, rank, absent);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Bilinear, width, rank, absent);
