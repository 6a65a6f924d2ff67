// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Sum of projected features: each modality has its own linear layer and GELU, the present ones are added.
/// In   features [B, D_m], presence [C, B, M].   Out   joint [C, B, width].
/// With a linear head the prediction is the sum of the modalities' predictions (up to the head's bias); its
/// single-modality joint feature is that modality's projection, which is what MLA's shared head wants.
///
/// When: For MLA and for comparisons in which no modality should see another before the head.
/// Cost: One projection a modality.
/// Limits: No interaction between modalities.

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

  std::int64_t width = 128;  ///< joint feature's size; > 0

  [[nodiscard]] std::shared_ptr<SumModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "Sum.width", "> 0", width);
    return std::make_shared<SumModule>(features, width);
  }
};

}  // namespace equipoise

BOOST_HANA_ADAPT_STRUCT(equipoise::Sum, width);
