// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the fusions over tokens share: features as tokens, means over tokens, and scores of heads.

#include <equipoise/core/batch/feature.hpp>

#include <ATen/ops/matmul.h>

#include <cmath>
#include <cstdint>
#include <vector>

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

}  // namespace equipoise::detail
