// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Means, quantiles and counts of the targets that are known, a record by its weight: what a task predicts without any
/// modality.

#include <torch/types.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

namespace equipoise::detail {

/// Sets `prior` to `fitted`, but for the entries of outputs that no training record has: they are NaN there, and stay as
/// they were.
inline void set_known(const at::Tensor& prior, const at::Tensor& fitted) {
  prior.copy_(at::where(fitted.isnan(), prior.to(fitted.options()), fitted));
}

/// The weight of each entry of `targets` [N, …], in a shape that broadcasts with it: that of its record.
[[nodiscard]] inline at::Tensor entry_weights(const at::Tensor& weights, const at::Tensor& targets) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(targets.dim()), 1);
  shape[0] = -1;
  const at::ScalarType type = targets.is_floating_point() ? targets.scalar_type() : at::kDouble;
  return weights.to(targets.device(), type).view(shape);
}

/// The mean of each output's known entries, [O]; NaN of one without any. \param rows [R, O]  \param weights [R] or undefined
[[nodiscard]] inline at::Tensor known_mean(const at::Tensor& rows, const at::Tensor& weights) {
  if (!weights.defined()) return rows.nanmean(0);
  const at::Tensor counted = rows.isnan().logical_not() * entry_weights(weights, rows);
  return (rows.nan_to_num() * counted).sum(0) / counted.sum(0);
}

/// The least entry of each output up to which there is each share of the weight, [Q, O]; NaN of an output without any.
/// \param rows [R, O]  \param levels [Q], double, on the host  \param weights [R], not all 0
[[nodiscard]] inline at::Tensor weighted_quantiles(const at::Tensor& rows, const at::Tensor& levels,
                                                   const at::Tensor& weights) {
  const at::Tensor there = rows.to(at::kCPU),
                   all = entry_weights(weights, there).flatten();  // a GPU adds in no fixed order
  std::vector<at::Tensor> out;
  for (const at::Tensor& column : there.unbind(1)) {
    const at::Tensor known = column.isnan().logical_not().logical_and(all.gt(0));
    const auto [sorted, order] = column.masked_select(known).sort();
    if (sorted.numel() == 0) {
      out.push_back(at::full(levels.sizes(), std::numeric_limits<double>::quiet_NaN(), there.options()));
      continue;
    }
    const at::Tensor sums = all.masked_select(known).to(at::kDouble).index_select(0, order).cumsum(0);
    const at::Tensor places = at::searchsorted(sums, sums[-1] * levels * (1 - 1e-12)).clamp_max(sorted.numel() - 1);
    out.push_back(sorted.index_select(0, places));
  }
  return at::stack(out, 1).to(rows.device());
}

/// The median of each output's known entries, [O]; of two, the lower. \param rows [R, O]  \param weights [R] or undefined
[[nodiscard]] inline at::Tensor known_median(const at::Tensor& rows, const at::Tensor& weights) {
  if (!weights.defined()) return std::get<0>(rows.nanmedian(0));
  return weighted_quantiles(rows, at::full({1}, 0.5, at::kDouble), weights)[0];
}

/// In how many records each column is true, a record by its weight, [K]. \param which bool [N, K]
/// \param weights [N] or undefined
[[nodiscard]] inline at::Tensor weighted_count(const at::Tensor& which, const at::Tensor& weights) {
  return (weights.defined() ? which * entry_weights(weights, which) : which).sum(0);
}

/// How many entries have each class, a record's by its weight, [classes]; a missing label, below 0, has none.
[[nodiscard]] inline at::Tensor class_counts(const at::Tensor& targets, const at::Tensor& weights,
                                             std::int64_t classes) {
  const at::Tensor there = targets.to(at::kCPU), known = there.ge(0);  // a GPU adds in no fixed order
  std::optional<at::Tensor> of_entries;
  if (weights.defined()) of_entries = entry_weights(weights, there).expand_as(there).masked_select(known);
  return there.masked_select(known).bincount(of_entries, classes);
}

}  // namespace equipoise::detail
