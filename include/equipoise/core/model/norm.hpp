// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Layer norm (vectors) and group norm (maps) with a learned scale and shift per channel. LibTorch's own modules stand in
/// a header that also defines cross-map normalisation on its custom autograd functions, which costs every file that
/// builds a model more than two seconds.

#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

namespace equipoise {

/// Over all channels of a vector.   In, out [B, width].
class LayerNormModule : public torch::nn::Module {
 public:
  explicit LayerNormModule(std::int64_t width) : torch::nn::Module("LayerNorm") {
    weight_ = register_parameter("weight", at::ones({width}));
    bias_ = register_parameter("bias", at::zeros({width}));
  }
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) const {
    return at::layer_norm(x, weight_.sizes(), weight_, bias_);
  }

 private:
  at::Tensor weight_, bias_;
};

/// Over the pixels and channels of each group, which must divide the width.   In, out [B, width, H, W].
class GroupNormModule : public torch::nn::Module {
 public:
  GroupNormModule(std::int64_t groups, std::int64_t width) : torch::nn::Module("GroupNorm"), groups_(groups) {
    weight_ = register_parameter("weight", at::ones({width}));
    bias_ = register_parameter("bias", at::zeros({width}));
  }
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) const { return at::group_norm(x, groups_, weight_, bias_); }

 private:
  std::int64_t groups_;
  at::Tensor weight_, bias_;
};

}  // namespace equipoise
