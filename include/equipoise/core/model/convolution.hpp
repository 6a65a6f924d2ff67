// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A convolution of signals, images or volumes: one class for any number of directions. LibTorch's own
/// modules are a class for each number, and a file that names two of them compiles both.

#include <ATen/ops/convolution.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_trilinear3d.h>
#include <torch/nn/init.h>
#include <torch/nn/module.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace equipoise {

/// Weights are drawn as PyTorch's are (Kaiming uniform, a = √5), and so is a bias.   In [B, in, …], out [B, out, …].
class ConvolutionModule : public torch::nn::Module {
 public:
  /// \param kernel, stride a number for each direction  \param padding zeros at each side
  ConvolutionModule(std::int64_t in, std::int64_t out, const std::vector<std::int64_t>& kernel,
                    std::vector<std::int64_t> stride, std::vector<std::int64_t> padding, bool bias = false)
      : torch::nn::Module("Convolution"), stride_(std::move(stride)), padding_(std::move(padding)) {
    std::vector<std::int64_t> shape = {out, in};
    shape.insert(shape.end(), kernel.begin(), kernel.end());
    weight_ = register_parameter("weight", at::empty(shape));
    torch::nn::init::kaiming_uniform_(weight_, std::sqrt(5));
    if (!bias) return;
    const double bound = 1 / std::sqrt(static_cast<double>(weight_[0].numel()));
    bias_ = register_parameter("bias", torch::nn::init::uniform_(at::empty({out}), -bound, bound));
  }
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) const {
    const std::vector<std::int64_t> one(stride_.size(), 1), none(stride_.size(), 0);
    return at::convolution(x, weight_, bias_, stride_, padding_, one, /*transposed=*/false, none, /*groups=*/1);
  }

 private:
  std::vector<std::int64_t> stride_, padding_;
  at::Tensor weight_, bias_;  ///< the bias is undefined without one
};

/// A convolution that is the same in all directions and keeps sizes at stride 1. \param kernel odd
[[nodiscard]] inline std::shared_ptr<ConvolutionModule> convolution(std::int64_t dimensions, std::int64_t in,
                                                                    std::int64_t out, std::int64_t kernel,
                                                                    std::int64_t stride = 1, bool bias = false) {
  const auto all = [&](std::int64_t n) { return std::vector<std::int64_t>(static_cast<std::size_t>(dimensions), n); };
  return std::make_shared<ConvolutionModule>(in, out, all(kernel), all(stride), all(kernel / 2), bias);
}

/// A map [B, C, …], an image or a volume, with other positions: interpolated linearly where it does not have them already.
[[nodiscard]] inline at::Tensor resized(const at::Tensor& map, at::IntArrayRef positions) {
  if (map.sizes().slice(2) == positions) return map;
  return map.dim() == 5 ? at::upsample_trilinear3d(map, positions, /*align_corners=*/false)
                        : at::upsample_bilinear2d(map, positions, /*align_corners=*/false);
}

}  // namespace equipoise
