// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Late` is late fusion. Each modality has its own predictor of two layers; the outputs p_m of the
/// present modalities are averaged, with equal weights or others.
///
/// - In: features [B, D_m] of B records, presence [C, B, M] in C coalitions of M modalities
/// - Out: joint feature [C, B, width]
///
///   joint = Σ_m a_m p_m / Σ_m a_m over the present m
///   a_m = 1 (mean), exp(w_m) (learned), exp(precision_m(h_m)) per channel (product)
///
/// The task's head is linear. Averaging joint features therefore equals averaging the predictions
/// of the modalities. For classification the mean of logits is the (normalised) product of experts.
///
/// With `product` each predictor is a Gaussian expert with a mean and a precision for each channel,
/// and the joint feature is the mean of their product. From Hinton, "Training Products of Experts by
/// Minimizing Contrastive Divergence", Neural Computation 14(8), 2002, for Gaussians as in Wu and
/// Goodman, "Multimodal Generative Models for Scalable Weakly-Supervised Learning", NeurIPS 2018,
/// arXiv:1802.05335, without their prior expert (ours): one modality gives its own prediction.
///
/// When: Each modality should predict on its own, or you need a baseline without interaction.
/// Cost: Two layers per modality, shared by all coalitions.
/// Limits: The mean gives a weak modality the same weight as a strong one; learned weights are the
/// same for every record.
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
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/fusion/masked.hpp>

#include <ATen/ops/stack.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise {

/// How `Late` weights the predictions of the present modalities.
enum class LateRule : std::uint8_t {
  mean,     ///< equally
  learned,  ///< by a softmax over one learned number per modality, equal at first
  product,  ///< by the precision that each modality's predictor gives for the record and channel
};

[[nodiscard]] constexpr std::array<std::string_view, 3> names_of(LateRule) {
  return {"mean", "learned", "product"};
}

class LateModule : public torch::nn::Module {
 public:
  /// One modality's prediction and its score: the logarithm of its weight. Undefined where the whole
  /// batch lacks the modality.
  struct Projected {
    at::Tensor value;  ///< [B, width]
    at::Tensor score;  ///< [1, 1] (learned) or [B, width] (product); undefined for the mean
  };

  LateModule(std::span<const FeatureSpec> features, std::int64_t width, LateRule rule)
      : torch::nn::Module("Late"), width_(width), rule_(rule) {
    predictors_ = register_module("predictors", torch::nn::ModuleList());
    for (const FeatureSpec& f : features)
      predictors_->push_back(torch::nn::ModuleList(torch::nn::Linear(f.width, width), torch::nn::Linear(width, width)));
    if (rule == LateRule::learned)
      for (std::size_t m = 0; m < features.size(); ++m)
        weights_.push_back(register_parameter("weight" + std::to_string(m), torch::zeros({1, 1})));
    if (rule == LateRule::product) {
      precisions_ = register_module("precisions", torch::nn::ModuleList());
      for (std::size_t m = 0; m < features.size(); ++m) precisions_->push_back(torch::nn::Linear(width, width));
    }
  }

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const {
    std::vector<at::Tensor> out = predictors_->ptr(m)->parameters();
    if (rule_ == LateRule::learned) out.push_back(weights_[m]);
    if (rule_ == LateRule::product)
      for (const at::Tensor& p : precisions_->ptr(m)->parameters()) out.push_back(p);
    return out;
  }

  [[nodiscard]] Projected project(std::size_t m, const Feature& h) {
    auto& layers = *predictors_[m]->as<torch::nn::ModuleList>();
    const at::Tensor hidden = torch::gelu(layers[0]->as<torch::nn::Linear>()->forward(h.vector()));
    Projected out{layers[1]->as<torch::nn::Linear>()->forward(hidden), {}};
    if (rule_ == LateRule::learned) out.score = weights_[m];
    if (rule_ == LateRule::product) out.score = precisions_[m]->as<torch::nn::Linear>()->forward(hidden);
    return out;
  }

  [[nodiscard]] at::Tensor combine(const std::vector<Projected>& parts, const Presence& presence) const {
    std::vector<at::Tensor> values, scores;
    std::vector<std::int64_t> columns;
    for (const auto& [m, part] : views::enumerate(parts)) {
      values.push_back(part.value);
      if (!part.value.defined()) continue;
      scores.push_back(part.score);
      columns.push_back(static_cast<std::int64_t>(m));
    }
    if (rule_ == LateRule::mean) {
      const at::Tensor sum = detail::masked_sum(values, presence);
      if (presence.complete()) return sum / static_cast<double>(presence.modalities());
      return sum / presence.tensor(sum).sum(2, true).clamp_min(1).to(sum.scalar_type());
    }
    const at::Tensor weights =  // [C or 1, B or 1, P, width or 1]
        detail::softmax_of_present(torch::stack(scores, 1).unsqueeze(0), columns, presence);
    std::int64_t p = 0;
    return detail::masked_sum(values, presence,
                              [&](std::size_t, const at::Tensor& value) { return weights.select(2, p++) * value; });
  }

 private:
  std::int64_t width_;
  LateRule rule_;
  torch::nn::ModuleList predictors_{nullptr}, precisions_{nullptr};
  std::vector<at::Tensor> weights_;
};

/// `Late{.width = 128}`.
struct Late {
  static constexpr std::string_view id = "late";

  std::int64_t width = 128;        ///< size of each predictor and of the joint feature; > 0
  LateRule rule = LateRule::mean;  ///< how the predictions are weighted

  [[nodiscard]] std::shared_ptr<LateModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "Late.width", "> 0", width);
    return std::make_shared<LateModule>(features, width, rule);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Late, width, rule);
