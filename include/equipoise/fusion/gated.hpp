// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Gated` weights the projected feature of each present modality by a gate. The gate depends on
/// all present modalities.
///
/// - In: features [B, D_m] of B records, presence [C, B, M] in C coalitions of M modalities
/// - Out: joint feature [C, B, width]
///
///   u_m = tanh(V_m h_m)
///   g_m = softmax over present m of (Σ_n present W_mn h_n + b_m), per channel
///   joint = Σ_m g_m u_m
///
/// After Arevalo et al., "Gated Multimodal Units", 2017, arXiv:1702.01992, where M = 2 and the
/// gates are z and 1 - z. The softmax extends it to any M and to absent modalities (ours). With two
/// modalities it is the same function, with z = sigmoid of the difference.
///
/// When: The modality to believe depends on the record and on the channel.
/// Cost: M gates per modality: the number of parameters grows with M squared.
/// Limits: The gates of a channel sum to one, so two features cannot both be strong.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::Gated{.width = 32}, eq::Regression{.outputs = 3}));
/// // Columns: image, table. The second of three records has no table, the third no image.
/// at::Tensor has = torch::tensor({{true, true}, {true, false}, {false, true}});
/// at::Tensor rates = model->predict(test.with_presence(has))["rate"_n];  // [3, 3]
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
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace equipoise {

class GatedModule : public torch::nn::Module {
 public:
  struct Projected {
    at::Tensor value;  ///< [B, width]
    at::Tensor gates;  ///< [B, M * width]: this modality's term of every gate
  };

  GatedModule(std::span<const FeatureSpec> features, std::int64_t width) : torch::nn::Module("Gated"), width_(width) {
    const auto modalities = static_cast<std::int64_t>(features.size());
    values_ = register_module("values", torch::nn::ModuleList());
    gates_ = register_module("gates", torch::nn::ModuleList());
    for (const FeatureSpec& f : features) {
      values_->push_back(torch::nn::Linear(f.width, width));
      gates_->push_back(torch::nn::Linear(torch::nn::LinearOptions(f.width, modalities * width).bias(false)));
      biases_.push_back(register_parameter("bias" + std::to_string(biases_.size()), torch::zeros({width})));
    }
  }

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const {
    std::vector<at::Tensor> out = values_->ptr(m)->parameters();
    out.push_back(gates_->ptr<torch::nn::LinearImpl>(m)->weight);
    out.push_back(biases_[m]);
    return out;
  }

  /// Reorders each modality's terms of the gates, for a model that declares its modalities in
  /// another order: the modality that is now the i-th was the `order[i]`-th. It does not exchange
  /// the parameters of `parameters_of`.
  void reorder_others(const std::vector<std::int64_t>& order) {
    const torch::NoGradGuard no_grad;
    const auto modalities = static_cast<std::int64_t>(order.size());
    for (std::size_t m = 0; m < gates_->size(); ++m) {
      const at::Tensor& w = gates_->ptr<torch::nn::LinearImpl>(m)->weight;  // [M * W, D_m]
      w.copy_(w.view({modalities, width_, -1}).index_select(0, torch::tensor(order)).reshape(w.sizes()));
    }
  }

  [[nodiscard]] Projected project(std::size_t m, const Feature& h) {
    const at::Tensor v = h.vector();
    return {torch::tanh(values_[m]->as<torch::nn::Linear>()->forward(v)),
            gates_[m]->as<torch::nn::Linear>()->forward(v)};
  }

  [[nodiscard]] at::Tensor combine(const std::vector<Projected>& parts, const Presence& presence) const {
    std::vector<at::Tensor> votes, values;
    for (const Projected& part : parts) {
      votes.push_back(part.gates);
      values.push_back(part.value);
    }
    const auto modalities = static_cast<std::int64_t>(parts.size());
    at::Tensor gate =  // [C, B, M, W]
        detail::masked_sum(votes, presence).unflatten(2, {modalities, width_}) + torch::stack(biases_);
    if (!presence.complete()) {
      const at::Tensor present = presence.tensor(gate).unsqueeze(3);
      gate = gate.masked_fill(present.eq(false).logical_and(present.any(2, true)),
                              -std::numeric_limits<float>::infinity());
      gate = gate.softmax(2).masked_fill(present.eq(false), 0);
    } else {
      gate = gate.softmax(2);
    }
    return detail::masked_sum(values, presence, [&](std::size_t m, const at::Tensor& value) {
      return gate.select(2, static_cast<std::int64_t>(m)) * value;
    });
  }

 private:
  std::int64_t width_;
  torch::nn::ModuleList values_{nullptr}, gates_{nullptr};
  std::vector<at::Tensor> biases_;
};

/// `Gated{.width = 128}`.
struct Gated {
  static constexpr std::string_view id = "gated";

  std::int64_t width = 128;  ///< size of the joint feature; > 0

  [[nodiscard]] std::shared_ptr<GatedModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "Gated.width", "> 0", width);
    return std::make_shared<GatedModule>(features, width);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Gated, width);
