// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A data set in a model's order. One that is not in memory is gone through once, for what is known of every record.

#include <equipoise/core/batch/dataset.hpp>
#include <equipoise/core/batch/records.hpp>
#include <equipoise/core/model/model.hpp>

#include <ATen/ops/cat.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

/// Presence, labels, ids, groups, weights and targets of all records of a data set, a part of them at a time.
class DataSetIndex {
 public:
  explicit DataSetIndex(const Schema& schema, std::int64_t records)
      : schema_(schema), records_(records), targets_(schema.tasks.size()) {}

  void add(const ModelBatch& part) {
    about_.incomplete |= part.incomplete;
    masks_.insert(masks_.end(), part.presence.masks().begin(), part.presence.masks().end());
    const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    append(about_.labelled, part.labelled);
    append(about_.ids, part.ids);
    append(about_.groups, part.groups);
    append(about_.weights, part.weights);
    for (std::size_t k = 0; k < targets_.size(); ++k) add_targets(k, part.targets[k]);
  }

  [[nodiscard]] Records take(ModelBatch example, Records::Fetch fetch) {
    if (!about_.weights.empty() && about_.weights.size() != about_.ids.size())
      throw ShapeError(message("shape.104", "weights",
                               "expected a weight for every record of a data set or for none, got ",
                               about_.weights.size(), " of ", about_.ids.size(), " records"));
    about_.presence = Presence(std::move(masks_), 1, schema_.modalities.size());
    about_.inputs.resize(schema_.modalities.size());
    about_.targets.resize(schema_.tasks.size());
    std::vector<at::Tensor> targets(targets_.size());
    for (std::size_t k = 0; k < targets_.size(); ++k)
      if (!targets_[k].empty()) targets[k] = at::cat(targets_[k]);
    return Records(std::move(about_), std::move(example), std::move(targets), std::move(fetch));
  }

 private:
  /// Of maps, which may not fit in memory, records evenly spaced over the data set that are 256 MB together.
  void add_targets(std::size_t k, const at::Tensor& y) {
    if (!y.defined()) return;
    constexpr std::int64_t budget = 256 << 20;
    const auto bytes = y.numel() * static_cast<std::int64_t>(y.element_size()) / std::max<std::int64_t>(y.size(0), 1);
    const std::int64_t every = schema_.tasks[k].traits.dense ? (bytes * records_ + budget - 1) / budget : 1;
    if (every <= 1) return targets_[k].push_back(y.clone());
    for (std::int64_t i = (every - next_of(k) % every) % every; i < y.size(0); i += every)
      targets_[k].push_back(y.narrow(0, i, 1).clone());
    seen_[k] += y.size(0);
  }
  [[nodiscard]] std::int64_t next_of(std::size_t k) {
    seen_.resize(targets_.size(), 0);
    return seen_[k];
  }

  const Schema& schema_;
  std::int64_t records_;
  ModelBatch about_;
  std::vector<std::uint64_t> masks_;
  std::vector<std::vector<at::Tensor>> targets_;  ///< [K] parts
  std::vector<std::int64_t> seen_;                ///< [K] records so far
};

}  // namespace detail

/// A batch in the model's order.
template <class E, class T, class In, class Out>
[[nodiscard]] Records records_of(const Model<E, T>& model, const Batch<In, Out>& data) {
  return model.to_model_batch(data);
}

/// The records of any data set in the model's order. \param data must outlive what is returned
template <class E, class T, Dataset D>
[[nodiscard]] Records records_of(const Model<E, T>& model, const D& data) {
  const auto n = static_cast<std::int64_t>(data.size());
  if (n == 0) return {};
  detail::DataSetIndex index(model.schema(), n);
  constexpr std::int64_t at_once = 256;
  for (std::int64_t begin = 0; begin < n; begin += at_once) {
    std::vector<std::int64_t> rows(static_cast<std::size_t>(std::min(at_once, n - begin)));
    std::iota(rows.begin(), rows.end(), begin);
    ModelBatch part = [&] {
      if constexpr (detail::selects_targets<D>)
        return model.to_model_batch(data.select_targets(rows));
      else
        return model.to_model_batch(data.select(rows));
    }();
    detail::number_by_position(part, begin);
    index.add(part);
  }
  const std::int64_t first = 0;
  return index.take(model.to_model_batch(data.select(std::span(&first, 1))),
                    [&model, &data](std::span<const std::int64_t> rows, [[maybe_unused]] std::uint64_t seed) {
                      if constexpr (detail::selects_by_seed<D>)
                        if (seed != 0) return model.to_model_batch(data.select(rows, seed));
                      return model.to_model_batch(data.select(rows));
                    });
}

}  // namespace equipoise
