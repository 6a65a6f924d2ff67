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
      : schema_(schema),
        records_(records),
        targets_(schema.tasks.size()),
        weights_(schema.tasks.size()),
        seen_(schema.tasks.size(), 0) {}

  void add(const ModelBatch& part) {
    counted_ = counted_ && counts_its_records(part);
    own_groups_ = own_groups_ && part.groups == part.ids;
    about_.incomplete |= part.incomplete;
    masks_.insert(masks_.end(), part.presence.masks().begin(), part.presence.masks().end());
    const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    append(about_.labelled, part.labelled);
    append(about_.ids, part.ids);
    append(about_.groups, part.groups);
    append(about_.weights, part.weights);
    for (std::size_t k = 0; k < targets_.size(); ++k) add_targets(k, part);
  }

  [[nodiscard]] Records take(ModelBatch example, Records::Fetch fetch) {
    if (!about_.weights.empty() && about_.weights.size() != about_.ids.size())
      throw ShapeError(message("shape.104", "weights",
                               "expected a weight for every record of a data set or for none, got ",
                               about_.weights.size(), " of ", about_.ids.size(), " records"));
    if (counted_) {  // without ids a record's is its position
      std::iota(about_.ids.begin(), about_.ids.end(), 0);
      if (own_groups_) about_.groups = about_.ids;
    }
    about_.presence = Presence(std::move(masks_), 1, schema_.modalities.size());
    about_.inputs.resize(schema_.modalities.size());
    about_.targets.resize(schema_.tasks.size());
    std::vector<PriorTargets> targets(targets_.size());
    for (std::size_t k = 0; k < targets_.size(); ++k)
      if (!targets_[k].empty()) targets[k] = {at::cat(targets_[k]), std::move(weights_[k])};
    return Records(std::move(about_), std::move(example), std::move(targets), std::move(fetch));
  }

 private:
  void add_targets(std::size_t k, const ModelBatch& part) {
    const at::Tensor& y = part.targets[k];
    if (!y.defined()) return;
    const std::vector<std::int64_t> rows = schema_.tasks[k].traits.dense
                                               ? prior_rows(y, part.labelled, k, records_, seen_[k])
                                               : rows_between(0, y.size(0));
    if (!rows.empty() || targets_[k].empty()) targets_[k].push_back(select_records(y, rows));
    const std::vector<double> weights = select_records(part.weights, rows);
    weights_[k].insert(weights_[k].end(), weights.begin(), weights.end());
  }

  const Schema& schema_;
  std::int64_t records_;
  ModelBatch about_;
  std::vector<std::uint64_t> masks_;
  std::vector<std::vector<at::Tensor>> targets_;  ///< [K] parts
  std::vector<std::vector<double>> weights_;      ///< [K] of the records in `targets_`; empty without weights
  std::vector<std::int64_t> seen_;                ///< [K] labelled records so far
  bool counted_ = true, own_groups_ = true;       ///< no part has ids, or groups, of its own
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
    const std::vector<std::int64_t> rows = detail::rows_between(begin, std::min(begin + at_once, n));
    const ModelBatch some = model.to_model_batch(detail::targets_of_records(data, rows));
    detail::check_selected(some.size(), static_cast<std::int64_t>(rows.size()));
    index.add(some);
  }
  const std::int64_t first = 0;
  return index.take(model.to_model_batch(data.select(std::span(&first, 1))),
                    [&model, &data](std::span<const std::int64_t> rows, std::uint64_t seed) {
                      ModelBatch out = model.to_model_batch(seed == 0 ? data.select(rows)
                                                                      : detail::records_for_training(data, rows, seed));
                      detail::check_selected(out.size(), static_cast<std::int64_t>(rows.size()));
                      return out;
                    });
}

}  // namespace equipoise
