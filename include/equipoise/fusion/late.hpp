// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Late` is late fusion. Each modality has its own predictor of two layers; the outputs of the
/// present modalities are averaged.
///
/// - In: features [B, D_m] of B records, presence [C, B, M] in C coalitions of M modalities
/// - Out: joint feature [C, B, width]
///
/// The task's head is linear. Averaging joint features therefore equals averaging the predictions
/// of the modalities. For classification the mean of logits is the (normalised) product of experts.
///
/// When: Each modality should predict on its own, or you need a baseline without interaction.
/// Cost: Two layers per modality, shared by all coalitions.
/// Limits: The mean gives a weak modality the same weight as a strong one.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Late{.width = 16}, eq::Classification{.classes = 3}));
/// at::Tensor all = model->predict(test, eq::all_coalitions(2))["label"_n];  // logits [4, B, 3]
/// at::Tensor mean = (all[1] + all[2]) / 2;                                  // equals all[3]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/fusion/masked.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace equipoise {

class LateModule : public torch::nn::Module {
 public:
  LateModule(std::span<const FeatureSpec> features, std::int64_t width) : torch::nn::Module("Late"), width_(width) {
    predictors_ = register_module("predictors", torch::nn::ModuleList());
    for (const FeatureSpec& f : features)
      predictors_->push_back(torch::nn::ModuleList(torch::nn::Linear(f.width, width), torch::nn::Linear(width, width)));
  }

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const { return predictors_->ptr(m)->parameters(); }

  [[nodiscard]] at::Tensor project(std::size_t m, const Feature& h) {
    auto& layers = *predictors_[m]->as<torch::nn::ModuleList>();
    const at::Tensor hidden = torch::gelu(layers[0]->as<torch::nn::Linear>()->forward(h.vector()));
    return layers[1]->as<torch::nn::Linear>()->forward(hidden);
  }

  [[nodiscard]] at::Tensor combine(const std::vector<at::Tensor>& projected, const Presence& presence) const {
    const at::Tensor sum = detail::masked_sum(projected, presence);
    if (presence.complete()) return sum / static_cast<double>(presence.modalities());
    return sum / presence.tensor(sum).sum(2, true).clamp_min(1).to(sum.scalar_type());
  }

 private:
  std::int64_t width_;
  torch::nn::ModuleList predictors_{nullptr};
};

/// `Late{.width = 128}`.
struct Late {
  static constexpr std::string_view id = "late";

  std::int64_t width = 128;  ///< size of each predictor and of the joint feature; > 0

  [[nodiscard]] std::shared_ptr<LateModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "Late.width", "> 0", width);
    return std::make_shared<LateModule>(features, width);
  }
};

}  // namespace equipoise

BOOST_HANA_ADAPT_STRUCT(equipoise::Late, width);
