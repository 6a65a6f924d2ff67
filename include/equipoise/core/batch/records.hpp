// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The records of a data set in a model's order, in memory or fetched when they are needed: what training and evaluation
/// go through.

#include <equipoise/core/batch/batch.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

/// The records of maps `y` to which a prior is fitted: all, or of a data set of `records` that is beyond 256 MB evenly spaced
/// ones with a label. \param seen labelled records before these, and after them on return
[[nodiscard]] inline std::vector<std::int64_t> prior_rows(const at::Tensor& y, std::span<const std::uint64_t> labelled,
                                                          std::size_t task, std::int64_t records, std::int64_t& seen) {
  constexpr std::int64_t budget = 256 << 20;
  const auto bytes = y.numel() / std::max<std::int64_t>(y.size(0), 1) * static_cast<std::int64_t>(y.element_size());
  const std::int64_t every = std::max<std::int64_t>((bytes * records + budget - 1) / budget, 1);
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < y.size(0); ++i)
    if (every == 1 || (((labelled[static_cast<std::size_t>(i)] >> task) & 1U) && seen++ % every == 0))
      rows.push_back(i);
  return rows;
}

}  // namespace detail

/// Targets of a task, from which it fits what it predicts without any modality.
struct PriorTargets {
  at::Tensor values;            ///< [N, …]; undefined where the data set has none
  std::vector<double> weights;  ///< [N], of the records; empty where all count alike
};

/// A data set in a model's order; made by `records_of`. Copies share what they hold.
class Records {
 public:
  /// Gives the records `rows`, in that order; `seed` is of the random changes that are made in training, 0 for none.
  using Fetch = std::function<ModelBatch(std::span<const std::int64_t> rows, std::uint64_t seed)>;

  Records() : Records(ModelBatch{}) {}
  /// Records in memory.
  Records(ModelBatch data)  // NOLINT(google-explicit-constructor): a batch is a data set
      : about_(std::make_shared<const ModelBatch>(std::move(data))) {
    for (const at::Tensor& y : about_->targets) has_target_.push_back(y.defined());
  }
  /// Records that are fetched. \param about what is known of all of them, without inputs and targets
  /// \param example one record, for the shapes  \param targets [K] from which priors are fitted
  Records(ModelBatch about, ModelBatch example, std::vector<PriorTargets> targets, Fetch fetch)
      : about_(std::make_shared<const ModelBatch>(std::move(about))),
        example_(std::make_shared<const ModelBatch>(std::move(example))),
        prior_targets_(std::move(targets)),
        fetch_(std::move(fetch)) {
    for (const PriorTargets& y : prior_targets_) has_target_.push_back(y.values.defined());
  }

  [[nodiscard]] std::int64_t size() const { return about_->size(); }
  /// Presence, labels, ids, groups and weights of all records; tensors only of records in memory.
  [[nodiscard]] const ModelBatch& about() const { return *about_; }
  /// A record or more, for the shapes of the inputs.
  [[nodiscard]] const ModelBatch& example() const { return fetch_ ? *example_ : *about_; }
  [[nodiscard]] bool has_target(std::size_t task) const { return task < has_target_.size() && has_target_[task]; }
  /// Targets of a task, for what it predicts without any modality: all of them, or of a large data set of maps a part.
  [[nodiscard]] PriorTargets prior_targets(std::size_t task, bool maps) const {
    if (fetch_) return prior_targets_[task];
    const at::Tensor& all = about_->targets[task];
    if (!maps || all.is_meta()) return {all, about_->weights};
    std::int64_t seen = 0;
    const std::vector<std::int64_t> rows = detail::prior_rows(all, about_->labelled, task, size(), seen);
    if (static_cast<std::int64_t>(rows.size()) == size()) return {all, about_->weights};
    return {detail::select_records(all, rows), detail::select_records(about_->weights, rows)};
  }

  /// The given records, in that order. \throws ValueError for a row that there is not
  [[nodiscard]] ModelBatch select(std::span<const std::int64_t> rows, std::uint64_t seed = 0) const {
    if (!fetch_) return about_->select(rows);
    detail::check_rows(rows, size());
    ModelBatch out = fetch_(rows, seed);
    out.incomplete |= about_->incomplete;
    out.presence = about_->presence.select(rows);
    for (std::size_t j = 0; j < rows.size(); ++j) {
      out.ids[j] = about_->ids[static_cast<std::size_t>(rows[j])];
      out.groups[j] = about_->groups[static_cast<std::size_t>(rows[j])];
    }
    return out;
  }
  /// The records [begin, end); those in memory without a copy of their tensors.
  [[nodiscard]] ModelBatch slice(std::int64_t begin, std::int64_t end) const {
    if (!fetch_) return about_->slice(begin, end);
    detail::check_range(begin, end, size());
    return select(detail::rows_between(begin, end));
  }
  /// A part of the records as a data set of its own, which takes the tensors of its records out of this one's when they are
  /// asked for.
  [[nodiscard]] Records part(std::span<const std::int64_t> rows) const {
    ModelBatch about = *about_;
    about.inputs.assign(about.inputs.size(), at::Tensor());
    about.targets.assign(about.targets.size(), at::Tensor());
    about.paddings.clear();
    std::vector<PriorTargets> targets = prior_targets_;
    if (!fetch_)
      for (const at::Tensor& y : about_->targets) targets.push_back({y, about_->weights});
    return Records(about.select(rows), example(), std::move(targets),
                   [from = *this, of_data = std::vector(rows.begin(), rows.end())](std::span<const std::int64_t> wanted,
                                                                                   std::uint64_t seed) {
                     std::vector<std::int64_t> inner;
                     for (const std::int64_t i : wanted) inner.push_back(of_data[static_cast<std::size_t>(i)]);
                     return from.select(inner, seed);
                   });
  }
  /// The same records, each with the modalities of the coalition alone.
  [[nodiscard]] Records restricted_to(Coalition coalition) const {
    Records out = *this;
    ModelBatch about = *about_;
    about.presence = about_->presence.restricted_to({&coalition, 1});
    out.about_ = std::make_shared<const ModelBatch>(std::move(about));
    return out;
  }

 private:
  std::shared_ptr<const ModelBatch> about_, example_;
  std::vector<bool> has_target_;
  std::vector<PriorTargets> prior_targets_;  ///< [K] of records that are fetched
  Fetch fetch_;
};

namespace detail {
/// \throws ValueError where there is nothing to train on or to judge by.
inline void check_any_record(const Records& data, std::string_view where, std::string_view what) {
  if (data.size() == 0) throw ValueError(message("value.205", where, "expected ", what, ", got none"));
}
}  // namespace detail

}  // namespace equipoise
