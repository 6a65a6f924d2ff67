// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Concat` concatenates the features and applies one linear layer. GELU follows where `activate`
/// is true; without it a linear head stays linear in the features.
///
/// - In: features [B, D_m] of B records, presence [C, B, M] in C coalitions of M modalities
/// - Out: joint feature [C, B, width]
///
///   W [h_1 … h_M] = Σ_m W_m h_m
///
/// The layer is stored as one block of columns per modality, so each block is applied once for all
/// coalitions. An absent modality adds nothing, as if its feature were zero.
///
/// When: You need the usual baseline.
/// Cost: One linear block per modality, shared by all coalitions.
/// Limits: An absent modality counts as a zero feature; only the bias can stand for what is
/// missing.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::Concat{.width = 32}, eq::Regression{.outputs = 3}));
/// at::Tensor rates = model->predict(test)["rate"_n];                             // [B, 3]
/// std::vector<eq::Coalition> asked = {eq::Coalition::single(0), model->full()};
/// at::Tensor of_each = model->predict(test, asked)["rate"_n];  // [2, B, 3]: the image alone, both
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/fusion/masked.hpp>

#include <torch/nn/init.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace equipoise {

class ConcatModule : public torch::nn::Module {
 public:
  ConcatModule(std::span<const FeatureSpec> features, std::int64_t width, bool activate)
      : torch::nn::Module("Concat"), width_(width), activate_(activate) {
    std::int64_t total = 0;
    for (const FeatureSpec& f : features) total += f.width;
    // The bound of one torch::nn::Linear over all columns.
    const double bound = 1 / std::sqrt(static_cast<double>(total));
    blocks_ = register_module("blocks", torch::nn::ModuleList());
    for (const FeatureSpec& f : features) {
      torch::nn::Linear block(torch::nn::LinearOptions(f.width, width).bias(false));
      torch::nn::init::uniform_(block->weight, -bound, bound);
      blocks_->push_back(block);
    }
    bias_ = register_parameter("bias", torch::empty({width}).uniform_(-bound, bound));
  }

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const { return blocks_->ptr(m)->parameters(); }

  [[nodiscard]] at::Tensor project(std::size_t m, const Feature& h) {
    return blocks_[m]->as<torch::nn::Linear>()->forward(h.vector());
  }

  [[nodiscard]] at::Tensor combine(const std::vector<at::Tensor>& projected, const Presence& presence) {
    const at::Tensor sum = detail::masked_sum(projected, presence) + bias_;
    return activate_ ? torch::gelu(sum) : sum;
  }

 private:
  std::int64_t width_;
  bool activate_;
  torch::nn::ModuleList blocks_{nullptr};
  at::Tensor bias_;
};

/// `Concat{.width = 128}`.
struct Concat {
  static constexpr std::string_view id = "concat";

  std::int64_t width = 128;  ///< size of the joint feature; > 0
  bool activate = true;      ///< whether GELU follows the layer

  [[nodiscard]] std::shared_ptr<ConcatModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "Concat.width", "> 0", width);
    return std::make_shared<ConcatModule>(features, width, activate);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Concat, width, activate);
