// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A convolution of signals, images or volumes without a bias: one class for any number of directions. LibTorch's own
/// modules are a class for each number, and a file that names two of them compiles both.

#include <ATen/ops/convolution.h>
#include <ATen/ops/empty.h>
#include <torch/nn/init.h>
#include <torch/nn/module.h>

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace equipoise {

/// Weights are drawn as PyTorch's are (Kaiming uniform, a = √5).   In [B, in, …], out [B, out, …].
class ConvolutionModule : public torch::nn::Module {
 public:
  /// \param kernel, stride a number for each direction  \param padding zeros at each side
  ConvolutionModule(std::int64_t in, std::int64_t out, const std::vector<std::int64_t>& kernel,
                    std::vector<std::int64_t> stride, std::vector<std::int64_t> padding)
      : torch::nn::Module("Convolution"), stride_(std::move(stride)), padding_(std::move(padding)) {
    std::vector<std::int64_t> shape = {out, in};
    shape.insert(shape.end(), kernel.begin(), kernel.end());
    weight_ = register_parameter("weight", at::empty(shape));
    torch::nn::init::kaiming_uniform_(weight_, std::sqrt(5));
  }
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) const {
    const std::vector<std::int64_t> one(stride_.size(), 1), none(stride_.size(), 0);
    return at::convolution(x, weight_, {}, stride_, padding_, one, /*transposed=*/false, none, /*groups=*/1);
  }

 private:
  std::vector<std::int64_t> stride_, padding_;
  at::Tensor weight_;
};

}  // namespace equipoise
