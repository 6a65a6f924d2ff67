// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The `Epoch` of the training loop: what policies may look at and change before the first batch.

#include <equipoise/contribution/table.hpp>
#include <equipoise/core/base/random.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/training/loop.hpp>
#include <equipoise/training/snapshot.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::detail {

/// The losses of a branch, and of no modality, of the records that have something of it.
[[nodiscard]] inline CoalitionTable branch_table(ModelBase& model, const Records& data, Coalition branch) {
  std::vector<std::int64_t> rows;
  for (const auto& [i, mask] : views::enumerate(data.about().presence.masks()))
    if (!(Coalition(mask) & branch).empty()) rows.push_back(static_cast<std::int64_t>(i));
  return coalition_table(model, data.part(rows), std::array{branch, Coalition::none()});
}

/// What each task's mean losses are multiplied by before they are summed [K]: one over l(∅) of the training records,
/// or no task's unit would leave the others a say; 0 for a task that a split has no label of, as its losses could not be
/// compared.
[[nodiscard]] inline std::vector<double> probe_units(const CoalitionTable& train, const CoalitionTable& holdout) {
  std::vector<double> units(train.losses.size(), 0.0);
  for (std::size_t k = 0; k < units.size(); ++k)
    if (train.mean_loss(k) && holdout.mean_loss(k)) units[k] = 1 / std::max(*train.mean_loss(k, 1), 1e-12);
  return units;
}

/// The branch's mean losses in these units, summed over tasks.
[[nodiscard]] inline double sum_of_losses(const CoalitionTable& table, std::span<const double> units) {
  double sum = 0;
  for (std::size_t k = 0; k < units.size(); ++k)
    if (units[k] > 0) sum += units[k] * *table.mean_loss(k);
  return sum;
}

class EpochStart final : public Epoch {
 public:
  EpochStart(ModelBase& model, const Records& train, const Records& holdout, const TrainerOptions& options,
             std::int64_t index, Averages& log, std::function<bool()> should_stop)
      : model_(model),
        train_(train),
        holdout_(holdout),
        options_(options),
        index_(index),
        log_(log),
        should_stop_(std::move(should_stop)),
        plan_(EpochPlan::joint(train.size(), model.modality_count())) {}

  [[nodiscard]] const Schema& schema() const override { return model_.schema(); }
  [[nodiscard]] std::int64_t index() const override { return index_; }
  [[nodiscard]] std::int64_t records() const override { return train_.size(); }
  [[nodiscard]] std::span<const std::int64_t> ids() const override { return train_.about().ids; }
  [[nodiscard]] const Presence& presence() const override { return train_.about().presence; }
  [[nodiscard]] std::int64_t batch_size() const override { return options_.batch_size; }
  [[nodiscard]] std::int64_t batches() const override {
    return (static_cast<std::int64_t>(plan_.items.size()) + options_.batch_size - 1) / options_.batch_size;
  }
  [[nodiscard]] EpochPlan& plan() override { return plan_; }
  [[nodiscard]] ModelBase& model() override { return model_; }

  [[nodiscard]] CoalitionTable evaluate(Split split, std::span<const Coalition> coalitions) override {
    return coalition_table(model_, data(split), coalitions);
  }

  [[nodiscard]] ProbeLosses probe(Coalition branch, std::int64_t epochs) override {
    const Restore restore(model_.module());
    const CoalitionTable train = branch_table(model_, train_, branch),
                         holdout = branch_table(model_, data(Split::holdout), branch);
    const std::vector<double> units = probe_units(train, holdout);
    ProbeLosses out{.train_before = sum_of_losses(train, units), .holdout_before = sum_of_losses(holdout, units)};
    TrainerOptions probing = options_;  // a few epochs from here, whatever the run's schedule says of its own
    probing.schedule = Schedule::constant, probing.warmup_epochs = 0;
    RateState state;
    const RatePlan rates(probing, state);
    GroupedOptimizer optimizer(model_.parameter_groups(), {}, probing, group_names(model_.schema()));
    Loop loop(model_, optimizer, probing);
    loop.should_stop = should_stop_;
    EpochPlan plan = EpochPlan::joint(train_.size(), model_.modality_count());
    plan.passes[0].active = branch;
    Averages unlogged;
    std::int64_t step = 0;
    for (std::int64_t e = 0; e < epochs; ++e) loop.epoch(train_, plan, {}, index_ + e, step, rates, unlogged);
    out.train_after = sum_of_losses(branch_table(model_, train_, branch), units);
    out.holdout_after = sum_of_losses(branch_table(model_, data(Split::holdout), branch), units);
    return out;
  }

  [[nodiscard]] double uniform(std::string_view purpose, std::int64_t row, std::uint64_t column) const override {
    return to_uniform(hash_of({options_.seed, hash_of("epoch"), static_cast<std::uint64_t>(index_), hash_of(purpose),
                               static_cast<std::uint64_t>(row), column}));
  }
  void log(std::string_view name, double value) override { log_.add(name, value); }

 private:
  [[nodiscard]] const Records& data(Split split) const {
    if (split == Split::train) return train_;
    if (holdout_.size() == 0)
      throw ValueError(message("value.204", "evaluate", "expected a hold-out: declare Needs::holdout in the policy"));
    return holdout_;
  }

  ModelBase& model_;
  const Records& train_;
  const Records& holdout_;
  const TrainerOptions& options_;
  std::int64_t index_;
  Averages& log_;
  std::function<bool()> should_stop_;
  EpochPlan plan_;
};

}  // namespace equipoise::detail
