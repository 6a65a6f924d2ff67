// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Terms of the loss of maps that look at neighbouring pixels: structural dissimilarity and the
/// difference of gradients. Predictions are [C, B, O, H, W], targets [1, B, O, H, W]; pixels that
/// are missing are not valid, and 0 in both.

#include <equipoise/tasks/pointwise.hpp>

#include <torch/types.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace equipoise::detail {

/// Means of maps [N, …, H, W] under Wang's window, 11 x 11 Gaussian with sigma 1.5.
/// \return [N, …, H - 10, W - 10]
[[nodiscard]] inline at::Tensor gaussian_window_mean(const at::Tensor& maps) {
  std::vector<double> g(11);
  double sum = 0;
  for (std::size_t i = 0; i < g.size(); ++i)
    sum += g[i] = std::exp(-0.5 * std::pow((static_cast<double>(i) - 5) / 1.5, 2));
  const at::Tensor window = (torch::tensor(g, torch::kDouble) / sum).to(maps.options());
  const at::Tensor planes = maps.reshape({-1, 1, maps.size(-2), maps.size(-1)});
  const at::Tensor means = torch::conv2d(torch::conv2d(planes, window.view({1, 1, 11, 1})), window.view({1, 1, 1, 11}));
  std::vector<std::int64_t> shape = maps.sizes().vec();
  shape[shape.size() - 2] = means.size(2), shape.back() = means.size(3);
  return means.view(shape);
}

/// 1 - SSIM, the mean over the windows whose centre is valid, [C, B].
/// \param range L > 0: the largest difference that the data can have
/// From Wang, Bovik, Sheikh, Simoncelli, 2004, eq. 13.
[[nodiscard]] inline at::Tensor dissimilarity(const at::Tensor& z, const at::Tensor& y, const at::Tensor& valid,
                                              double range) {
  const double c1 = std::pow(0.01 * range, 2), c2 = std::pow(0.03 * range, 2);
  const at::Tensor mz = gaussian_window_mean(z), my = gaussian_window_mean(y);
  const at::Tensor vz = gaussian_window_mean(z * z) - mz * mz, vy = gaussian_window_mean(y * y) - my * my,
                   vzy = gaussian_window_mean(z * y) - mz * my;
  const at::Tensor ssim = ((2 * mz * my + c1) * (2 * vzy + c2)) / ((mz * mz + my * my + c1) * (vz + vy + c2));
  return mean_of_valid(1 - ssim, valid.narrow(-2, 5, mz.size(-2)).narrow(-1, 5, mz.size(-1)));
}

/// The mean absolute difference of the gradients of prediction and target, between neighbouring
/// pixels that are both valid, [C, B].
[[nodiscard]] inline at::Tensor gradient_error(const at::Tensor& z, const at::Tensor& y, const at::Tensor& valid) {
  const at::Tensor error = z - y;
  at::Tensor sum, count;
  for (std::int64_t d = 3; d < error.dim(); ++d) {
    const std::int64_t n = error.size(d) - 1;
    const at::Tensor both = valid.narrow(d, 0, n).logical_and(valid.narrow(d, 1, n));
    const at::Tensor step = (error.narrow(d, 1, n) - error.narrow(d, 0, n)).abs();
    const at::Tensor of_steps = step.masked_fill(both.eq(false), 0).flatten(2).sum(2), pairs = both.flatten(2).sum(2);
    sum = sum.defined() ? sum + of_steps : of_steps, count = count.defined() ? count + pairs : pairs;
  }
  return sum / count.clamp_min(1);
}

}  // namespace equipoise::detail
