// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Sum` adds the projected features of the present modalities. Each modality has its own linear
/// layer with GELU.
///
/// - In: features [B, D_m] of B records, presence [C, B, M] in C coalitions of M modalities
/// - Out: joint feature [C, B, width]
///
/// With a linear head the prediction is the sum of the modalities' predictions, up to the head's
/// bias. The joint feature of a single modality is that modality's projection, as MLA's shared head
/// needs.
///
/// When: You train with `Mla`, or no modality should affect another before the head.
/// Cost: One projection per modality, shared by all coalitions.
/// Limits: The modalities do not interact.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::Sum{.width = 32}, eq::Regression{.outputs = 3}));
/// at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
/// at::Tensor bias = all[1] + all[2] - all[3];  // of the head: the same for every record
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/fusion/masked.hpp>
#include <equipoise/fusion/projections.hpp>

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace equipoise {

class SumModule : public detail::Projections {
 public:
  SumModule(std::span<const FeatureSpec> features, std::int64_t width) : Projections("Sum", features, width) {}

  [[nodiscard]] at::Tensor combine(const std::vector<at::Tensor>& projected, const Presence& presence) const {
    return detail::masked_sum(projected, presence);
  }
};

/// `Sum{.width = 128}`.
struct Sum {
  static constexpr std::string_view id = "sum";

  std::int64_t width = 128;  ///< size of the joint feature; > 0

  [[nodiscard]] std::shared_ptr<SumModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "Sum.width", "> 0", width);
    return std::make_shared<SumModule>(features, width);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Sum, width);
