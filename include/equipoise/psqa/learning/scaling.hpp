// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How the planes of a cohort are pooled and its columns standardised before a model sees them.

#include <equipoise/core/base/statistics.hpp>

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

namespace equipoise::psqa {

/// Planes pooled by means, [N, 1, H / pool, W / pool]. \param planes [N * H * W]
[[nodiscard]] inline at::Tensor pooled_planes(std::span<const float> planes, std::int64_t n, std::int64_t h,
                                              std::int64_t w, std::int64_t pool) {
  const at::Tensor t = torch::from_blob(const_cast<float*>(planes.data()), {n, 1, h, w},
                                        torch::kFloat);  // NOLINT(cppcoreguidelines-pro-type-const-cast): read only
  return pool == 1 ? t.clone() : torch::avg_pool2d(t, {pool, pool});
}

namespace detail {

struct MeanAndSd {
  double mean, sd;
};
/// What standardises a column; nothing is divided where there are no values, or all are equal.
[[nodiscard]] inline MeanAndSd mean_and_sd(const std::vector<double>& x) {
  if (x.empty()) return {0, 1};
  const double sd = standard_deviation(x);
  return {mean(x), sd > 1e-6 ? sd : 1};
}

}  // namespace detail

}  // namespace equipoise::psqa
