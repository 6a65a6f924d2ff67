// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the fusions over tokens share: features as tokens, means over tokens, heads, and a transformer layer.

#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/model/norm.hpp>

#include <ATen/ops/gelu.h>
#include <ATen/ops/matmul.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <cstdint>
#include <memory>

namespace equipoise::detail {

/// A feature as tokens [B, T, D]: a vector is one token, a map has one for each position.
[[nodiscard]] inline at::Tensor tokens_of(const Feature& h) {
  if (h.kind == FeatureKind::vector) return h.value.unsqueeze(1);
  return h.kind == FeatureKind::map ? h.value.flatten(2).transpose(1, 2) : h.value;
}

/// The mean over dimension `dim` of tokens without padding (bool, [B, T], undefined for none); zero where all are padding.
/// `values` has B at dimension `batch` and T at `dim`, later than it.
[[nodiscard]] inline at::Tensor mean_over_tokens(const at::Tensor& values, const at::Tensor& padding,
                                                 std::int64_t batch, std::int64_t dim) {
  if (!padding.defined()) return values.mean(dim);
  std::vector<std::int64_t> shape(static_cast<std::size_t>(values.dim()), 1);
  shape[static_cast<std::size_t>(batch)] = padding.size(0), shape[static_cast<std::size_t>(dim)] = padding.size(1);
  const at::Tensor mask = padding.view(shape);
  return values.masked_fill(mask, 0).sum(dim).div(mask.logical_not().sum(dim).clamp_min(1).to(values.scalar_type()));
}

/// Stands for the score of a padded token. Finite, so that a sequence of padding alone has no NaN.
inline constexpr double kPaddedScore = -1e30;

/// Scores [B, heads, T, T'] of queries and keys [B, heads, T, d], scaled by 1 / sqrt(d), padded keys masked.
[[nodiscard]] inline at::Tensor attention_scores(const at::Tensor& query, const at::Tensor& key,
                                                 const at::Tensor& padding) {
  const at::Tensor scores =
      at::matmul(query, key.transpose(2, 3)).mul(1 / std::sqrt(static_cast<double>(query.size(3))));
  return padding.defined() ? scores.masked_fill(padding.unsqueeze(1).unsqueeze(2), kPaddedScore) : scores;
}

/// A pre-norm transformer layer: self-attention, then a perceptron of twice the width, each added to its input.
class BottleneckLayer : public torch::nn::Module {
 public:
  BottleneckLayer(std::int64_t width, std::int64_t heads, std::int64_t head_width)
      : torch::nn::Module("BottleneckLayer"), heads_(heads), head_width_(head_width) {
    norm1_ = register_module("norm1", std::make_shared<LayerNormModule>(width));
    qkv_ = register_module("qkv", torch::nn::Linear(width, 3 * heads * head_width));
    out_ = register_module("out", torch::nn::Linear(heads * head_width, width));
    norm2_ = register_module("norm2", std::make_shared<LayerNormModule>(width));
    hidden_ = register_module("hidden", torch::nn::Linear(width, 2 * width));
    last_ = register_module("last", torch::nn::Linear(2 * width, width));
  }

  /// \param x [R, T, width]  \param padding bool [R, T] or undefined  \return [R, T, width]
  [[nodiscard]] at::Tensor forward(const at::Tensor& x, const at::Tensor& padding) {
    const at::Tensor qkv =  // [3, R, heads, T, d]
        qkv_->forward(norm1_->forward(x)).unflatten(2, {3, heads_, head_width_}).permute({2, 0, 3, 1, 4});
    const at::Tensor weights = attention_scores(qkv.select(0, 0), qkv.select(0, 1), padding).softmax(3);
    const at::Tensor y = x.add(out_->forward(at::matmul(weights, qkv.select(0, 2)).transpose(1, 2).flatten(2)));
    return y.add(last_->forward(at::gelu(hidden_->forward(norm2_->forward(y)))));
  }

 private:
  std::int64_t heads_, head_width_;
  std::shared_ptr<LayerNormModule> norm1_, norm2_;
  torch::nn::Linear qkv_{nullptr}, out_{nullptr}, hidden_{nullptr}, last_{nullptr};
};

}  // namespace equipoise::detail
