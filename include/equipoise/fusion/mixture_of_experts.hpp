// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `MixtureOfExperts` has several experts, each a perceptron of two layers over all present
/// modalities. A gate, which depends on them too, weights the few best experts of a record.
///
/// - In: features [B, D_m] of B records, presence [C, B, M] in C coalitions of M modalities
/// - Out: joint feature [C, B, width]
///
///   g = softmax over the `top` largest of (Σ_m G_m h_m + b), zero for the other experts
///   joint = Σ_e g_e (W_e GELU(Σ_m V_me h_m + b_e) + c_e), sums over the present m
///
/// From Jacobs, Jordan, Nowlan, Hinton, "Adaptive Mixtures of Local Experts", Neural Computation
/// 3(1), 1991, with the gate of Shazeer et al., "Outrageously Large Neural Networks", ICLR 2017,
/// arXiv:1701.06538, without its noise (ours): the gate is the same in training and evaluation.
///
/// When: Records are of different kinds, or lack different modalities, and need different functions.
/// Cost: One projection per modality, shared by all coalitions; all experts' second layers once per
/// coalition.
/// Limits: All experts are computed, so a small `top` does not save time. No loss balances the use
/// of the experts.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::MixtureOfExperts{.width = 32, .experts = 3}, eq::Regression{.outputs = 3}));
/// at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
/// at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/fusion/masked.hpp>

#include <ATen/ops/gelu.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>

namespace equipoise {

class MixtureOfExpertsModule : public torch::nn::Module {
 public:
  MixtureOfExpertsModule(std::span<const FeatureSpec> features, std::int64_t width, std::int64_t experts,
                         std::int64_t hidden, std::int64_t top)
      : torch::nn::Module("MixtureOfExperts"), width_(width), experts_(experts), hidden_(hidden), top_(top) {
    inputs_ = register_module("inputs", torch::nn::ModuleList());
    for (const FeatureSpec& f : features)
      inputs_->push_back(torch::nn::Linear(torch::nn::LinearOptions(f.width, experts * (hidden + 1)).bias(false)));
    bias_ = register_parameter("bias", at::zeros({experts * (hidden + 1)}));
    outputs_ =
        register_module("outputs", torch::nn::Linear(torch::nn::LinearOptions(experts * hidden, width).bias(false)));
    output_bias_ = register_parameter("output_bias", at::zeros({experts, width}));
  }

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const { return inputs_->ptr(m)->parameters(); }

  /// \return [B, experts * (hidden + 1)]: the modality's terms of all experts' hidden units, then of the gate
  [[nodiscard]] at::Tensor project(std::size_t m, const Feature& h) {
    return inputs_[m]->as<torch::nn::Linear>()->forward(h.vector());
  }

  [[nodiscard]] at::Tensor combine(const std::vector<at::Tensor>& projected, const Presence& presence) {
    const at::Tensor sum = detail::masked_sum(projected, presence).add(bias_);
    const at::Tensor gate = gates(sum.narrow(2, experts_ * hidden_, experts_));  // [C, B, E]
    const at::Tensor units = at::gelu(sum.narrow(2, 0, experts_ * hidden_)).unflatten(2, {experts_, hidden_});
    // A gate scales an expert's units, since its second layer is linear.
    return outputs_->forward(units.mul(gate.unsqueeze(3)).flatten(2)).add(at::matmul(gate, output_bias_));
  }

 private:
  [[nodiscard]] at::Tensor gates(const at::Tensor& scores) const {
    if (top_ == experts_) return scores.softmax(2);
    const at::Tensor least = std::get<0>(scores.topk(top_, 2)).narrow(2, top_ - 1, 1);
    return scores.masked_fill(scores.lt(least), -std::numeric_limits<float>::infinity()).softmax(2);
  }

  std::int64_t width_, experts_, hidden_, top_;
  torch::nn::ModuleList inputs_{nullptr};
  torch::nn::Linear outputs_{nullptr};
  at::Tensor bias_, output_bias_;
};

/// `MixtureOfExperts{.width = 128}`.
struct MixtureOfExperts {
  static constexpr std::string_view id = "mixture_of_experts";

  std::int64_t width = 128;  ///< size of the joint feature; > 0
  std::int64_t experts = 4;  ///< E, number of experts; > 0
  std::int64_t hidden = 64;  ///< hidden units of each expert; > 0
  std::int64_t top = 2;      ///< number of experts that a record uses; 1 … experts

  [[nodiscard]] std::shared_ptr<MixtureOfExpertsModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "MixtureOfExperts.width", "> 0", width);
    check_option(experts > 0, "MixtureOfExperts.experts", "> 0", experts);
    check_option(hidden > 0, "MixtureOfExperts.hidden", "> 0", hidden);
    check_option(top > 0 && top <= experts, "MixtureOfExperts.top", "1 … experts", top);
    return std::make_shared<MixtureOfExpertsModule>(features, width, experts, hidden, top);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::MixtureOfExperts, width, experts, hidden, top);
