// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The `Step` of the training loop: the whole batch seen through its micro-batches.

#include <equipoise/core/base/random.hpp>
#include <equipoise/core/policy/step.hpp>
#include <equipoise/training/history.hpp>
#include <equipoise/training/micro_batch.hpp>

#include <ATen/ops/cat.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::detail {

class TrainingStep final : public Step {
 public:
  struct Position {
    std::int64_t epoch = 0, index = 0;
    std::size_t pass = 0;
    std::uint64_t seed = 0;  ///< of this step
  };

  TrainingStep(ModelBase& model, const EffectiveBatch& whole, const Prefetch& prefetch, const Pass& pass,
               Position position, std::int64_t micro_batches, Averages& log)
      : model_(model), whole_(whole), pass_(pass), position_(position), log_(log) {
    const std::int64_t size = (whole.size() + micro_batches - 1) / micro_batches;
    for (std::int64_t begin = 0; begin < whole.size(); begin += size)
      parts_.push_back(
          std::make_unique<MicroBatch>(model, whole, prefetch, begin, std::min(begin + size, whole.size())));
  }

  [[nodiscard]] std::vector<std::unique_ptr<MicroBatch>>& parts() { return parts_; }
  /// The micro-batch whose hooks are running.
  void enter(const MicroBatch& part) { row_offset_ = part.begin(); }
  /// The optimiser has moved: what was computed before no longer holds.
  void forget() {
    for (const auto& part : parts_) part->forget();
  }

  [[nodiscard]] const Schema& schema() const override { return model_.schema(); }
  [[nodiscard]] std::int64_t epoch() const override { return position_.epoch; }
  [[nodiscard]] std::int64_t index() const override { return position_.index; }
  [[nodiscard]] std::size_t pass_index() const override { return position_.pass; }
  [[nodiscard]] const Pass& pass() const override { return pass_; }

  [[nodiscard]] at::Tensor losses(std::size_t task, std::span<const Coalition> coalitions, double share) override {
    return joined(1, [&](MicroBatch& part) { return part.detached_losses(task, coalitions, share); });
  }
  [[nodiscard]] at::Tensor outputs(std::size_t task, std::span<const Coalition> coalitions) override {
    return joined(1, [&](MicroBatch& part) { return part.detached_outputs(task, coalitions); });
  }
  [[nodiscard]] at::Tensor loss_of(std::size_t task, const at::Tensor& predictions) override {
    check_asked(schema(), whole_.records(), task);
    const at::NoGradGuard no_grad;
    return model_.loss(task, predictions, whole_.records().targets[task], (whole_.records().incomplete >> task) & 1U);
  }
  [[nodiscard]] at::Tensor score_of(std::size_t task, const at::Tensor& predictions) override {
    check_asked(schema(), whole_.records(), task);
    const at::NoGradGuard no_grad;
    return model_.score(task, predictions, whole_.records().targets[task]);
  }
  [[nodiscard]] const at::Tensor& target(std::size_t task) override { return whole_.records().targets[task]; }
  [[nodiscard]] at::Tensor joint(std::size_t task, Coalition coalition) override {
    const at::Tensor seen = joined(0, [&](MicroBatch& part) { return part.detached_joint(task, coalition); });
    if (!seen.defined() || seen.size(0) == whole_.size()) return seen;
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0; i < whole_.size(); ++i)
      if (!(whole_.records().presence.of_row(static_cast<std::size_t>(i)) & coalition).empty()) rows.push_back(i);
    return seen.new_zeros({whole_.size(), seen.size(1)}).index_copy(0, index_tensor(rows, seen), seen);
  }

  [[nodiscard]] at::Tensor head_weight(std::size_t task) override { return model_.head_weight(task); }

  [[nodiscard]] at::Tensor mean(std::size_t task, const at::Tensor& values, Coalition coalition,
                                double share) override {
    check_index(task, tasks(), "step, task");
    const std::vector<std::int64_t> rows = whole_.rows_of(share);
    std::vector<std::int64_t> out;
    for (std::int64_t j = 0; j < values.size(0); ++j) {
      const std::int64_t i = rows[static_cast<std::size_t>(j)];
      if (!whole_.counts(task, static_cast<std::size_t>(i), coalition)) out.push_back(j);
    }
    at::Tensor counted = out.empty() ? values : values.index_fill(0, index_tensor(out, values), 0);
    if (!whole_.weighted())
      return counted.sum(0).div(
          static_cast<double>(std::max<std::int64_t>(values.size(0) - static_cast<std::int64_t>(out.size()), 1)));
    const double total = whole_.total_weight(task, coalition, share);
    return whole_.times_weights(counted, rows, 0).sum(0).div(total > 0 ? total : 1.0);
  }

  [[nodiscard]] std::vector<double> record_weights(std::size_t task, Coalition coalition, std::int64_t,
                                                   double share) override {
    check_index(task, tasks(), "step, task");
    return whole_.record_weights(task, coalition, share);
  }

  [[nodiscard]] std::int64_t count(std::size_t task, Coalition coalition, double share) const override {
    check_index(task, tasks(), "step, task");
    return whole_.count(task, coalition, share);
  }
  [[nodiscard]] double total_weight(std::size_t task, Coalition coalition, double share) const override {
    check_index(task, tasks(), "step, task");
    return whole_.total_weight(task, coalition, share);
  }

  [[nodiscard]] double uniform(std::string_view purpose, std::int64_t row, std::uint64_t column) const override {
    return to_uniform(
        hash_of({position_.seed, hash_of(purpose), static_cast<std::uint64_t>(row_offset_ + row), column}));
  }
  [[nodiscard]] std::uint64_t seed(std::string_view purpose) const override {
    return hash_of({position_.seed, hash_of(purpose)});
  }

  void log(std::string_view name, double value) override { log_.add(name, value); }

 private:
  template <class Get>
  [[nodiscard]] at::Tensor joined(std::int64_t dim, Get&& get) {
    if (parts_.size() == 1) return get(*parts_[0]);
    std::vector<at::Tensor> all;
    for (const auto& part : parts_)
      if (at::Tensor t = get(*part); t.defined()) all.push_back(std::move(t));
    return all.empty() ? at::Tensor() : at::cat(all, dim);
  }

  ModelBase& model_;
  const EffectiveBatch& whole_;
  const Pass& pass_;
  Position position_;
  Averages& log_;
  std::vector<std::unique_ptr<MicroBatch>> parts_;
  std::int64_t row_offset_ = 0;
};

}  // namespace equipoise::detail
