// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a balancing policy sees of training: `Step` (one optimiser step, the whole effective batch, without gradient),
/// `Objectives` (what is minimised, with gradient) and `Epoch`. All of it is computed on demand and at most once; a
/// policy never drives the model.
///
/// A batch may be cut into micro-batches. `Step` always speaks of the whole batch, `Objectives` of the micro-batch at
/// hand with means over the whole one, so that k accumulated micro-batches equal one batch.

#include <equipoise/core/batch/coalition.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/batch/schema.hpp>
#include <equipoise/core/model/model_base.hpp>
#include <equipoise/core/policy/epoch_plan.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/eye.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

/// One optimiser step. After the optimiser has moved (hook `end_step`) losses and outputs are computed anew.
class Step {
 public:
  virtual ~Step() = default;

  [[nodiscard]] virtual const Schema& schema() const = 0;
  [[nodiscard]] virtual std::int64_t epoch() const = 0;
  /// Optimiser steps done before this one, over all epochs.
  [[nodiscard]] virtual std::int64_t index() const = 0;
  /// Which of the plan's passes this is, and what it trains.
  [[nodiscard]] virtual std::size_t pass_index() const = 0;
  [[nodiscard]] virtual const Pass& pass() const = 0;

  /// Losses of coalitions, [C, B], for the whole batch and without gradient; unlabelled records hold zeros.
  /// They are decoded from the step's own features, which the encoders made in training mode (in evaluation mode where
  /// asked for before a micro-batch's turn, or in `end_step`); fusion and head are in evaluation mode, unless the
  /// coalitions are objectives anyway. `share` < 1 takes that part of the records (see
  /// `Objectives::mean_losses`).
  [[nodiscard]] virtual at::Tensor losses(std::size_t task, std::span<const Coalition> coalitions,
                                          double share = 1) = 0;
  /// Predictions of coalitions, [C, B, …], for the whole batch and without gradient.
  [[nodiscard]] virtual at::Tensor outputs(std::size_t task, std::span<const Coalition> coalitions) = 0;
  /// Per-record losses [C, B] of other predictions [C, B, …] for the whole batch.
  [[nodiscard]] virtual at::Tensor loss_of(std::size_t task, const at::Tensor& predictions) = 0;
  /// Scores [C, B] in [0, 1] of predictions [C, B, …] for the whole batch; undefined where the task has no score
  /// (`TaskTraits::score`).
  [[nodiscard]] virtual at::Tensor score_of(std::size_t task, const at::Tensor& predictions) = 0;
  /// The target [B, …] of the whole batch.
  [[nodiscard]] virtual const at::Tensor& target(std::size_t task) = 0;
  /// The input of the task's head, [B, W], without gradient; zeros for records that have no modality of the coalition.
  /// Undefined for dense heads, and where no record has one.
  [[nodiscard]] virtual at::Tensor joint(std::size_t task, Coalition coalition) = 0;
  /// The weight [O, W] of a linear head, the parameter itself; undefined where the head is not linear.
  [[nodiscard]] virtual at::Tensor head_weight(std::size_t task) = 0;
  /// The mean of per-record `values` [B, …] over the batch's records that have a label of the task and at least one
  /// modality of `coalition`: the one service by which policies sum over a batch, whatever it is cut into. […], 0-dim for
  /// a number a record; zero if there is no such record.
  [[nodiscard]] virtual at::Tensor mean(std::size_t task, const at::Tensor& values, Coalition coalition,
                                        double share = 1) = 0;

  /// The weight of each record in such a mean, on the host: the mean of `values` is their sum times these. Zero for a
  /// record that does not count.
  [[nodiscard]] virtual std::vector<double> record_weights(std::size_t task, Coalition coalition, std::int64_t records,
                                                           double share = 1) {
    const at::Tensor each = host_copy(mean(task, at::eye(records, at::kDouble), coalition, share));
    return {each.const_data_ptr<double>(), each.const_data_ptr<double>() + each.numel()};
  }

  /// How many records of the whole batch such a mean runs over. Zero where the batch has no label of the task, or nobody
  /// has a modality of the coalition: there is then nothing to compare.
  [[nodiscard]] virtual std::int64_t count(std::size_t task, Coalition coalition, double share = 1) const = 0;
  /// The sum of these records' weights; their number where records have no weights.
  [[nodiscard]] virtual double total_weight(std::size_t task, Coalition coalition, double share = 1) const {
    return static_cast<double>(count(task, coalition, share));
  }

  /// A random number in [0, 1) that depends on seed, step, purpose, the record's place in the whole batch (`row` counts
  /// in the micro-batch at hand) and the column.
  [[nodiscard]] virtual double uniform(std::string_view purpose, std::int64_t row, std::uint64_t column) const = 0;
  /// A seed for a generator of this step's own.
  [[nodiscard]] virtual std::uint64_t seed(std::string_view purpose) const = 0;

  /// Records a number for the history; averaged over the epoch.
  virtual void log(std::string_view name, double value) = 0;

  /// Mean loss of one coalition over the whole batch, 0-dim.
  /// \throws ValueError for a task that there is not, or of which the batch has no target.
  [[nodiscard]] at::Tensor mean_loss(std::size_t task, Coalition coalition) {
    return mean(task, losses(task, {&coalition, 1}).squeeze(0), coalition);
  }

  [[nodiscard]] std::size_t modalities() const { return schema().modalities.size(); }
  [[nodiscard]] std::size_t tasks() const { return schema().tasks.size(); }
  [[nodiscard]] Coalition full() const { return Coalition::full(modalities()); }
  /// The modalities of this pass.
  [[nodiscard]] Coalition active() const { return pass().active; }
  /// Whether some record of the batch has a label of the task; without one its losses and outputs are not to be had.
  [[nodiscard]] bool labelled(std::size_t task) const { return count(task, Coalition::none()) > 0; }
};

/// What an objective is of its task.
enum class ObjectiveKind : std::uint8_t {
  joint,       ///< the loss of all present modalities
  unimodal,    ///< losses of modalities alone, beside the joint one: of one modality, or a sum over them
  regulariser  ///< anything else that a policy adds
};

/// Which objective it is: the task, the modality where it is of one alone, and the kind. Two objectives of one key are one.
struct ObjectiveKey {
  std::size_t task = 0;
  std::optional<std::size_t> modality{};
  ObjectiveKind kind = ObjectiveKind::joint;

  friend bool operator==(const ObjectiveKey&, const ObjectiveKey&) = default;
};

/// A scalar to be minimised.
struct Objective {
  ObjectiveKey key;
  at::Tensor value;   ///< 0-dim, with its graph
  double weight = 1;  ///< a learned weight is part of `value` instead
};

/// What an objective is called in logs and messages: `gpr`, `gpr/unimodal`, `gpr/unimodal/dose`, `gpr/regulariser`.
[[nodiscard]] inline std::string name_of(const ObjectiveKey& key, const Schema& schema) {
  std::string out = schema.tasks.at(key.task).name;
  if (key.kind != ObjectiveKind::joint) out += key.kind == ObjectiveKind::unimodal ? "/unimodal" : "/regulariser";
  return key.modality ? out + "/" + schema.modalities.at(*key.modality) : out;
}

/// What the step minimises: at first the joint objective of each task that the batch has labels of.
class Objectives {
 public:
  virtual ~Objectives() = default;

  /// Mean losses [C] of coalitions over the whole batch, with this micro-batch's part of the graph. With `share` < 1
  /// they are taken on that part of the records, chosen at random by record: an estimate for dense tasks, whose decoding
  /// is expensive; unbiased where every record is labelled and has the modality.
  [[nodiscard]] virtual at::Tensor mean_losses(std::size_t task, std::span<const Coalition> coalitions,
                                               double share = 1) = 0;
  /// Predictions [C, b, …] of coalitions for this micro-batch, with graph.
  [[nodiscard]] virtual at::Tensor outputs(std::size_t task, std::span<const Coalition> coalitions) = 0;
  /// Per-record losses [C, b] of any predictions [C, b, …] for this micro-batch.
  [[nodiscard]] virtual at::Tensor loss_of(std::size_t task, const at::Tensor& predictions) = 0;
  /// What the task may say of predictions [C, b, …] for this micro-batch; undefined where it does not (`TaskTraits`):
  /// scores [C, b], probabilities [C, b, classes], and losses [C, b] given what the other modalities predict together.
  [[nodiscard]] virtual at::Tensor score_of(std::size_t task, const at::Tensor& predictions) = 0;
  [[nodiscard]] virtual at::Tensor probabilities_of(std::size_t task, const at::Tensor& predictions) = 0;
  [[nodiscard]] virtual at::Tensor residual_loss_of(std::size_t task, const at::Tensor& predictions,
                                                    const at::Tensor& others) = 0;
  /// The target [b, …] of this micro-batch.
  [[nodiscard]] virtual const at::Tensor& target(std::size_t task) const = 0;
  /// Mean over the whole batch of per-record values [b] of this micro-batch (this micro-batch's share of it), for
  /// records that have a label and a modality of `coalition`.
  [[nodiscard]] virtual at::Tensor mean(std::size_t task, const at::Tensor& values, Coalition coalition) = 0;

  /// [1, b, M]: what this micro-batch's records have, as the hooks before left it.
  [[nodiscard]] virtual const Presence& presence() const = 0;

  /// This micro-batch's part of the whole batch, in (0, 1]: weigh by it what is not a mean over records, a regulariser
  /// for instance.
  [[nodiscard]] virtual double part_of_batch() const = 0;

  [[nodiscard]] std::vector<Objective>& list() { return list_; }
  /// The objective of that key, or null.
  [[nodiscard]] Objective* find(const ObjectiveKey& key) {
    for (Objective& o : list_)
      if (o.key == key) return &o;
    return nullptr;
  }
  void add(const ObjectiveKey& key, at::Tensor value, double weight = 1) {
    list_.push_back({key, std::move(value), weight});
  }

 private:
  std::vector<Objective> list_;
};

/// Which records an evaluation looks at.
enum class Split : std::uint8_t { train, holdout };

/// Per-record results of coalitions for every record of a split, in evaluation mode.
struct CoalitionTable {
  std::vector<at::Tensor> losses;   ///< [K], each [C, N] double on the host
  std::vector<at::Tensor> correct;  ///< [K], each bool [C, N] where the task says what is correct, else undefined
  std::vector<std::vector<bool>> labelled;                       ///< [K][N]
  std::vector<std::vector<std::vector<MetricValue>>> metrics{};  ///< [K][C] the task's own, where they were asked for

  /// The mean loss of one coalition over the records that have a label of the task; nothing where none has.
  [[nodiscard]] std::optional<double> mean_loss(std::size_t task, std::int64_t coalition = 0) const {
    check_index(task, losses.size(), "losses of a task");
    return mean<double>(losses[task], task, coalition);
  }
  /// The share of right answers, likewise; nothing where the task does not say what is right.
  [[nodiscard]] std::optional<double> accuracy(std::size_t task, std::int64_t coalition = 0) const {
    check_index(task, correct.size(), "accuracy of a task");
    return mean<bool>(correct[task], task, coalition);
  }

 private:
  template <class T>
  [[nodiscard]] std::optional<double> mean(const at::Tensor& table, std::size_t task, std::int64_t coalition) const {
    if (!table.defined()) return {};
    check_index(static_cast<std::size_t>(coalition), static_cast<std::size_t>(table.size(0)), "row of a coalition");
    const T* row = table.const_data_ptr<T>() + coalition * table.size(1);
    double sum = 0, n = 0;
    for (std::size_t i = 0; i < labelled[task].size(); ++i)
      if (labelled[task][i]) sum += static_cast<double>(row[i]), n += 1;
    return n > 0 ? std::optional(sum / n) : std::nullopt;
  }
};

/// Mean losses of a branch before and after a probe run, in evaluation mode.
struct ProbeLosses {
  double train_before = 0, holdout_before = 0, train_after = 0, holdout_after = 0;
};

/// The start of an epoch.
class Epoch {
 public:
  virtual ~Epoch() = default;

  [[nodiscard]] virtual const Schema& schema() const = 0;
  [[nodiscard]] virtual std::int64_t index() const = 0;
  /// Number of training records.
  [[nodiscard]] virtual std::int64_t records() const = 0;
  /// [N] their stable ids.
  [[nodiscard]] virtual std::span<const std::int64_t> ids() const = 0;
  /// [1, N, M]: which modalities they have.
  [[nodiscard]] virtual const Presence& presence() const = 0;
  /// Records a batch; the last one may have fewer.
  [[nodiscard]] virtual std::int64_t batch_size() const = 0;
  /// Batches that the plan, as it is now, makes.
  [[nodiscard]] virtual std::int64_t batches() const = 0;
  /// Edit it to change what the epoch does.
  [[nodiscard]] virtual EpochPlan& plan() = 0;
  [[nodiscard]] virtual ModelBase& model() = 0;
  /// Losses of coalitions over a split. `Split::holdout` needs `Needs::holdout`.
  [[nodiscard]] virtual CoalitionTable evaluate(Split split, std::span<const Coalition> coalitions) = 0;
  /// Trains a copy of the model with the losses of one coalition alone for some epochs and throws it away. Losses are
  /// sums over the tasks of which both splits have labels, each in units of what its prior loses on the training records.
  [[nodiscard]] virtual ProbeLosses probe(Coalition branch, std::int64_t epochs) = 0;
  /// A random number in [0, 1) that depends on seed, epoch, purpose, row and column.
  [[nodiscard]] virtual double uniform(std::string_view purpose, std::int64_t row, std::uint64_t column) const = 0;
  virtual void log(std::string_view name, double value) = 0;
};

}  // namespace equipoise
