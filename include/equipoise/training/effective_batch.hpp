// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The whole batch of one optimiser step, however it is cut: which records count for which mean, and which are drawn
/// for a share.

#include <equipoise/core/base/random.hpp>
#include <equipoise/core/model/model_base.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace equipoise::detail {

class EffectiveBatch {
 public:
  /// `seed` is this step's own; the batch's presence is already cut down to the plan's and the pass's modalities.
  EffectiveBatch(ModelBatch batch, std::uint64_t seed) : batch_(std::move(batch)), seed_(seed) {}

  [[nodiscard]] const ModelBatch& records() const { return batch_; }
  [[nodiscard]] std::int64_t size() const { return batch_.size(); }

  /// Whether record `i` counts in a mean of task `k` over `coalition`: it has a label and something of the coalition.
  [[nodiscard]] bool counts(std::size_t k, std::size_t i, Coalition coalition) const {
    return ((batch_.labelled[i] >> k) & 1U) && (coalition.empty() || !(batch_.presence.of_row(i) & coalition).empty());
  }

  /// Records drawn for a share: ⌈share · B⌉ of them, the same for every coalition and task of the step. Ascending.
  [[nodiscard]] std::vector<std::int64_t> drawn(double share) const {
    std::vector<std::int64_t> rows = permutation(size(), hash_of({seed_, hash_of("share")}));
    rows.resize(static_cast<std::size_t>(std::clamp<std::int64_t>(
        static_cast<std::int64_t>(std::ceil(share * static_cast<double>(size()))), 1, size())));
    std::sort(rows.begin(), rows.end());
    return rows;
  }

  /// The records of a share, all of them for 1. Ascending.
  [[nodiscard]] std::vector<std::int64_t> rows_of(double share) const {
    return share < 1 ? drawn(share) : rows_between(0, size());
  }

  [[nodiscard]] bool weighted() const { return !batch_.weights.empty(); }
  /// The sum of the weights of the records that a mean runs over; their number where records have none.
  [[nodiscard]] double total_weight(std::size_t k, Coalition coalition, double share) const {
    if (!weighted()) return static_cast<double>(count(k, coalition, share));
    double sum = 0;
    for (const std::int64_t i : rows_of(share))
      if (counts(k, static_cast<std::size_t>(i), coalition)) sum += batch_.weights[static_cast<std::size_t>(i)];
    return sum;
  }
  /// Each record's weight in a mean over the records of a share: they sum to 1, or to 0 where none counts.
  [[nodiscard]] std::vector<double> record_weights(std::size_t k, Coalition coalition, double share) const {
    const std::vector<std::int64_t> rows = rows_of(share);
    std::vector<double> out(rows.size());
    double total = 0;
    for (std::size_t j = 0; j < rows.size(); ++j) {
      const auto i = static_cast<std::size_t>(rows[j]);
      if (counts(k, i, coalition)) total += out[j] = weighted() ? batch_.weights[i] : 1.0;
    }
    for (double& w : out) w /= total > 0 ? total : 1.0;
    return out;
  }
  /// Per-record values [n, …] of the records `begin + rows[j]`, times their weights. \pre weighted()
  [[nodiscard]] at::Tensor times_weights(const at::Tensor& values, const std::vector<std::int64_t>& rows,
                                         std::int64_t begin) const {
    at::Tensor w = at::empty({static_cast<std::int64_t>(rows.size())}, at::kDouble);
    for (std::size_t j = 0; j < rows.size(); ++j)
      w.mutable_data_ptr<double>()[j] = batch_.weights[static_cast<std::size_t>(begin + rows[j])];
    std::vector<std::int64_t> shape(static_cast<std::size_t>(values.dim()), 1);
    shape[0] = w.size(0);
    return values.mul(
        w.to(values.device(), values.is_floating_point() ? values.scalar_type() : at::kDouble).view(shape));
  }

  /// How many records a mean runs over. With no coalition: all that have a label.
  [[nodiscard]] std::int64_t count(std::size_t k, Coalition coalition, double share) const {
    std::int64_t n = 0;
    if (share >= 1) {
      for (std::size_t i = 0; i < static_cast<std::size_t>(size()); ++i) n += counts(k, i, coalition);
    } else {
      for (const std::int64_t i : drawn(share)) n += counts(k, static_cast<std::size_t>(i), coalition);
    }
    return n;
  }

 private:
  ModelBatch batch_;
  std::uint64_t seed_;
};

}  // namespace equipoise::detail
