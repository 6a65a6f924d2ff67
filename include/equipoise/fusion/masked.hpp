// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Values of the present modalities and their sums, for all coalitions at once. Absent values are
/// replaced by zero, not multiplied by it. A NaN in a modality therefore does not affect coalitions
/// that exclude it.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/batch/presence.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace equipoise::detail {

/// [C, B, W] from [B, W], with zero where modality `m` is absent. No mask is applied where it is
/// present everywhere.
[[nodiscard]] inline at::Tensor masked(const at::Tensor& value, std::size_t m, const Presence& presence,
                                       const at::Tensor& mask) {
  const at::Tensor wide = value.unsqueeze(0);
  if (presence.everywhere(m) && presence.coalitions() == 1) return wide;
  if (presence.everywhere(m)) return wide.expand({presence.coalitions(), value.size(0), value.size(1)});
  return at::where(mask.narrow(2, static_cast<std::int64_t>(m), 1), wide, 0);
}

/// Σ over present m of `weight(m, values[m])` [C, B, W], from values [B, W]. Undefined values count
/// as absent.
/// \pre at least one is defined.
template <class Weight>
[[nodiscard]] at::Tensor masked_sum(const std::vector<at::Tensor>& values, const Presence& presence, Weight&& weight) {
  at::Tensor sum, mask;
  for (const auto& [m, value] : views::enumerate(values)) {
    if (!value.defined()) continue;
    if (!mask.defined() && !presence.everywhere(m)) mask = presence.tensor(value);
    const at::Tensor term = weight(m, masked(value, m, presence, mask));
    sum = sum.defined() ? sum.add(term) : term;
  }
  return sum;
}

/// The sums where each coalition has at most one modality, the same for every record: a sum is then
/// that modality's value.
[[nodiscard]] inline at::Tensor sums_of_one(const std::vector<at::Tensor>& values, const Presence& presence) {
  const auto like = std::find_if(values.begin(), values.end(), [](const at::Tensor& v) { return v.defined(); });
  std::vector<at::Tensor> rows;
  const auto b = static_cast<std::size_t>(presence.records());
  for (std::size_t c = 0; c < static_cast<std::size_t>(presence.coalitions()); ++c) {
    const Coalition s = presence.of_row(c * b);
    const auto m = static_cast<std::size_t>(std::countr_zero(s.bits()));
    rows.push_back(s.empty() || !values[m].defined() ? at::zeros_like(*like) : values[m]);
  }
  return at::stack(rows);
}

[[nodiscard]] inline at::Tensor masked_sum(const std::vector<at::Tensor>& values, const Presence& presence) {
  if (presence.coalitions() > 1 && presence.one_a_coalition()) return sums_of_one(values, presence);
  return masked_sum(values, presence, [](std::size_t, const at::Tensor& value) { return value; });
}

}  // namespace equipoise::detail
