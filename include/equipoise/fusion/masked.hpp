// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Values of the present modalities and their sums, for all coalitions at once. Absent values are
/// replaced by zero, not multiplied by it. A NaN in a modality therefore does not affect coalitions
/// that exclude it.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/batch/presence.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <unordered_map>
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

/// Σ over the members of each coalition, [C, B, W], where every record of a coalition has the same modalities. Each sum
/// adds one value to the sum of the coalition without its last member, in the order of the modalities.
[[nodiscard]] inline at::Tensor subset_sums(const std::vector<at::Tensor>& values, const Presence& presence) {
  const auto like = std::find_if(values.begin(), values.end(), [](const at::Tensor& v) { return v.defined(); });
  std::unordered_map<std::uint64_t, at::Tensor> sums;
  std::vector<at::Tensor> rows;
  const auto b = static_cast<std::size_t>(presence.records());
  for (std::size_t c = 0; c < static_cast<std::size_t>(presence.coalitions()); ++c) {
    Coalition members;
    at::Tensor sum;
    for (const std::size_t m : presence.of_row(c * b).members()) {
      if (!values[m].defined()) continue;
      members = members.with(m);
      at::Tensor& known = sums[members.bits()];
      if (!known.defined()) known = sum.defined() ? sum.add(values[m]) : values[m];
      sum = known;
    }
    rows.push_back(sum.defined() ? sum : at::zeros_like(*like));
  }
  return at::stack(rows);
}

[[nodiscard]] inline at::Tensor masked_sum(const std::vector<at::Tensor>& values, const Presence& presence) {
  if (std::none_of(values.begin(), values.end(), [](const at::Tensor& v) { return v.defined(); })) return {};
  if (presence.coalitions() > 1 && presence.same_within_coalitions()) return subset_sums(values, presence);
  return masked_sum(values, presence, [](std::size_t, const at::Tensor& value) { return value; });
}

/// Softmax over the present modalities, of scores [1, B or 1, P, …] of the P modalities `columns`: weights [C, B, P, …] (or
/// as wide as the scores, where all are present). Absent modalities have weight 0, rows without any have no other.
[[nodiscard]] inline at::Tensor softmax_of_present(const at::Tensor& score, const std::vector<std::int64_t>& columns,
                                                   const Presence& presence) {
  if (std::all_of(columns.begin(), columns.end(),
                  [&](std::int64_t m) { return presence.everywhere(static_cast<std::size_t>(m)); }))
    return score.softmax(2);
  at::Tensor present = presence.tensor(score);  // [C, B, P, 1 …]
  if (columns.size() < presence.modalities()) present = present.index_select(2, index_tensor(columns, score));
  while (present.dim() < score.dim()) present = present.unsqueeze(-1);
  const at::Tensor absent = present.logical_not(), any = present.any(2, true);
  // Without a present modality the softmax would be 0 / 0: equal scores here, zero weights afterwards.
  return score.masked_fill(absent.logical_and(any.logical_not()), 0)
      .masked_fill(absent.logical_and(any), -std::numeric_limits<float>::infinity())
      .softmax(2)
      .masked_fill(absent, 0);
}

}  // namespace equipoise::detail
