// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How an encoder reduces its positions (pixels, steps, tokens) to one vector, without padding.

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>

namespace equipoise {

/// What an encoder makes of its positions.
enum class Pool : std::uint8_t {
  none,       ///< all of them are kept, and a fusion of vectors takes their mean
  mean,       ///< their mean
  max,        ///< the largest value of each channel
  attention,  ///< a mean with learned weights: a softmax over the positions of a linear score
};

[[nodiscard]] constexpr std::array<std::string_view, 4> names_of(Pool) {
  return {"none", "mean", "max", "attention"};
}

namespace detail {

class PoolModule : public torch::nn::Module {
 public:
  PoolModule(Pool pool, std::int64_t width) : torch::nn::Module("Pool"), pool_(pool) {
    // A bias would add the same to every score, which the softmax takes away.
    if (pool == Pool::attention)
      score_ = register_module("score", torch::nn::Linear(torch::nn::LinearOptions(width, 1).bias(false)));
  }

  /// \param x [B, P, D] of P positions; what it holds at padding is not used
  /// \param padding bool [B, P], true at padding; undefined for none
  /// \return [B, D]; zero where all is padding
  [[nodiscard]] at::Tensor forward(const at::Tensor& x, const at::Tensor& padding) {
    const at::Tensor hidden = padding.defined() ? padding.unsqueeze(2) : at::Tensor();  // [B, P, 1]
    const at::Tensor kept = hidden.defined() ? x.masked_fill(hidden, 0) : x;
    if (pool_ == Pool::max) {
      if (!hidden.defined()) return x.amax(1);
      const at::Tensor largest = x.masked_fill(hidden, -std::numeric_limits<double>::infinity()).amax(1);
      return largest.masked_fill(padding.all(1, /*keepdim=*/true), 0);
    }
    if (pool_ == Pool::attention) {
      at::Tensor score = score_->forward(kept);  // [B, P, 1]
      if (hidden.defined()) score = score.masked_fill(hidden, -1e30);
      return (score.softmax(1) * kept).sum(1);
    }
    if (!hidden.defined()) return x.mean(1);
    return kept.sum(1) / padding.logical_not().sum(1, /*keepdim=*/true).clamp_min(1);
  }

 private:
  Pool pool_;
  torch::nn::Linear score_{nullptr};
};

}  // namespace detail
}  // namespace equipoise
