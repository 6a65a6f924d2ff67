// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Losses of real-valued targets: L1, L2 and Huber. The loss of a record is the mean over its valid
/// entries.

#include <torch/types.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace equipoise {

enum class PointLoss : std::uint8_t { l1, l2, huber };

/// The names of the losses as options in text.
[[nodiscard]] constexpr std::array<std::string_view, 3> names_of(PointLoss) {
  return {"l1", "l2", "huber"};
}

namespace detail {

/// The mean of a record's valid entries, [C, B]; 0 without any.
/// \param each [C, B, …]  \param valid bool [1, B, …]
[[nodiscard]] inline at::Tensor mean_of_valid(const at::Tensor& each, const at::Tensor& valid) {
  return each.masked_fill(valid.eq(false), 0).flatten(2).sum(2) / valid.flatten(2).sum(2).clamp_min(1);
}

/// A layer of 1x1 convolution on maps [R, W, H, W'] or volumes [R, W, Z, H, W'].
template <class Conv>
[[nodiscard]] at::Tensor of_each_pixel(Conv& layer, const at::Tensor& joint) {
  return joint.dim() == 5 ? at::conv3d(joint, layer->weight.unsqueeze(4), layer->bias) : layer->forward(joint);
}

/// [C, B] from prediction [C, B, …] and target [B, …]. With `has_missing`, the mean leaves out NaN
/// targets; it is 0 where all are NaN.
[[nodiscard]] inline at::Tensor record_loss(const at::Tensor& prediction, const at::Tensor& target, bool has_missing,
                                            PointLoss loss, double delta) {
  at::Tensor valid, wanted = target.unsqueeze(0);
  if (has_missing) {
    valid = wanted.isnan().logical_not();
    wanted = wanted.masked_fill(valid.eq(false), 0);
  }
  const at::Tensor error = prediction - wanted;
  const at::Tensor each = loss == PointLoss::l1 ? error.abs()
                          : loss == PointLoss::l2
                              ? error.square()
                              : torch::huber_loss(error, torch::zeros_like(error), at::Reduction::None, delta);
  if (!has_missing) return each.flatten(2).mean(2);
  return mean_of_valid(each, valid);
}

}  // namespace detail
}  // namespace equipoise
