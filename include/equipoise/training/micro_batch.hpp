// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// One micro-batch: its features and what has been decoded of them, each coalition at most once. It is the `Objectives`
/// that a policy sees.

#include <equipoise/contribution/table.hpp>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/batch/model_batch.hpp>
#include <equipoise/core/model/mode.hpp>
#include <equipoise/core/policy/step.hpp>
#include <equipoise/training/effective_batch.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace equipoise::detail {

/// Coalitions that are decoded together, because some policy will want them.
struct Prefetch {
  std::vector<Coalition> outputs;     ///< without gradient
  std::vector<Coalition> objectives;  ///< with gradient, for tasks whose decoding is cheap
};

/// What a policy asks of a step or its objectives. \throws ValueError
inline void check_asked(const Schema& schema, const ModelBatch& batch, std::size_t task) {
  check_index(task, schema.tasks.size(), "step, task");
  if (!batch.targets[task].defined())
    throw ValueError(message("value.220", "step", "expected a batch with targets of task ", schema.tasks[task].name,
                             ", got none; ask Step::labelled first"));
}
inline void check_asked(const Schema& schema, const ModelBatch& batch, std::size_t task,
                        std::span<const Coalition> coalitions) {
  check_asked(schema, batch, task);
  if (coalitions.empty()) throw ValueError(message("value.220", "step", "expected a coalition at least, got none"));
}

class MicroBatch final : public Objectives {
 public:
  /// Records [begin, end) of the whole batch.
  MicroBatch(ModelBase& model, const EffectiveBatch& whole, const Prefetch& prefetch, std::int64_t begin,
             std::int64_t end)
      : model_(model), whole_(whole), prefetch_(prefetch), begin_(begin) {
    if (begin == 0 && end == whole.size()) {
      batch_ = whole.records();
    } else {
      batch_ = whole.records().select(rows_between(begin, end));
    }
  }

  [[nodiscard]] std::int64_t begin() const { return begin_; }
  [[nodiscard]] const ModelBatch& batch() const { return batch_; }
  /// For a policy that drops or scales features: what it makes of them is what the objectives see, while statistics
  /// stay with what the encoders gave.
  [[nodiscard]] Features& features_to_change() {
    if (!statistics_) statistics_ = features_.detach();
    changed_ = true;
    return features_;
  }

  /// Encodes with gradient.
  void encode() {
    statistics_.reset();
    changed_ = false;
    features_ = model_.encode(batch_, model_.full());
  }

  /// Forgets everything that the parameters before the optimiser's step gave.
  void forget() {
    finish();
    blocks_.clear();
    statistics_.reset();
  }

  /// Frees the graph; features, losses and outputs stay, detached, for the hooks after backward.
  void finish() {
    for (Block& block : blocks_) block.detach();
    if (!features_.items.empty() && !statistics_) statistics_ = features_.detach();
    features_ = {};
    list().clear();
  }

  /// The mean loss of one coalition over the whole batch, 0-dim; see `mean_losses`.
  [[nodiscard]] at::Tensor mean_loss(std::size_t task, Coalition coalition) {
    check_asked(model_.schema(), batch_, task);
    const Slice slice = find_or_decode(task, coalition, {&coalition, 1}, 1, true);
    return mean_over(task, slice.block->losses_of(slice.row), coalition, 1, local_rows(1));
  }

  [[nodiscard]] at::Tensor mean_losses(std::size_t task, std::span<const Coalition> coalitions, double share) override {
    check_asked(model_.schema(), batch_, task, coalitions);
    std::vector<at::Tensor> means;
    const std::vector<std::int64_t> rows = local_rows(share);
    for (const Coalition s : coalitions) {
      const Slice slice = find_or_decode(task, s, coalitions, share, true);
      means.push_back(mean_over(task, slice.block->losses_of(slice.row), s, share, rows));
    }
    return means.size() == 1 ? means[0].unsqueeze(0) : at::stack(means);
  }

  [[nodiscard]] at::Tensor outputs(std::size_t task, std::span<const Coalition> coalitions) override {
    return collect(task, coalitions, 1, true, [](const Block& b) { return b.predictions; });
  }

  [[nodiscard]] at::Tensor loss_of(std::size_t task, const at::Tensor& predictions) override {
    check_asked(model_.schema(), batch_, task);
    return model_.loss(task, predictions, batch_.targets[task], (batch_.incomplete >> task) & 1U);
  }

  [[nodiscard]] at::Tensor score_of(std::size_t task, const at::Tensor& predictions) override {
    check_asked(model_.schema(), batch_, task);
    return model_.score(task, predictions, batch_.targets[task]);
  }
  [[nodiscard]] at::Tensor probabilities_of(std::size_t task, const at::Tensor& predictions) override {
    return model_.probabilities(task, predictions);
  }
  [[nodiscard]] at::Tensor residual_loss_of(std::size_t task, const at::Tensor& predictions,
                                            const at::Tensor& others) override {
    check_asked(model_.schema(), batch_, task);
    return model_.residual_loss(task, predictions, others, batch_.targets[task], (batch_.incomplete >> task) & 1U);
  }

  [[nodiscard]] const at::Tensor& target(std::size_t task) const override {
    check_index(task, batch_.targets.size(), "step, task");
    return batch_.targets[task];
  }

  [[nodiscard]] at::Tensor mean(std::size_t task, const at::Tensor& values, Coalition coalition) override {
    return mean_over(task, values, coalition, 1, local_rows(1));
  }

  [[nodiscard]] const Presence& presence() const override { return features_.presence; }

  [[nodiscard]] double part_of_batch() const override {
    return static_cast<double>(batch_.size()) / static_cast<double>(whole_.size());
  }

  /// Detached losses [C, b'] or outputs [C, b, …]; decoded without gradient if they were not objectives.
  [[nodiscard]] at::Tensor detached_losses(std::size_t task, std::span<const Coalition> coalitions, double share) {
    return collect(task, coalitions, share, false, [](const Block& b) { return b.losses; }).detach();
  }
  [[nodiscard]] at::Tensor detached_outputs(std::size_t task, std::span<const Coalition> coalitions) {
    return collect(task, coalitions, 1, false, [](const Block& b) { return b.predictions; }).detach();
  }
  /// The head's input of the records that have a modality of the coalition, [b', W].
  [[nodiscard]] at::Tensor detached_joint(std::size_t task, Coalition coalition) {
    const at::NoGradGuard no_grad;
    const EvaluationMode evaluation(model_.module());
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0; i < batch_.size(); ++i)
      if (!(batch_.presence.of_row(static_cast<std::size_t>(i)) & coalition).empty()) rows.push_back(i);
    if (rows.empty()) return {};
    const Features features = statistics_features().select(rows);
    const at::Tensor joint = model_.joint(task, features, features.presence.restricted_to({&coalition, 1}));
    return joint.defined() ? joint.squeeze(0) : joint;
  }

  /// This micro-batch's records of the share, as positions in it.
  [[nodiscard]] std::vector<std::int64_t> local_rows(double share) const {
    if (share >= 1) return rows_between(0, batch_.size());
    std::vector<std::int64_t> rows;
    for (const std::int64_t i : whole_.drawn(share))
      if (i >= begin_ && i < begin_ + batch_.size()) rows.push_back(i - begin_);
    return rows;
  }

 private:
  struct Block {
    std::size_t task;
    double share;
    bool graph;
    bool changed;  ///< decoded from features that a policy has changed: of no use for statistics
    std::vector<Coalition> coalitions;
    at::Tensor predictions, losses;  ///< [C, b', …], [C, b']

    /// [b'] of one coalition; of the only one as a view whose gradient costs no copy.
    [[nodiscard]] at::Tensor losses_of(std::int64_t row) const {
      return coalitions.size() == 1 ? losses.squeeze(0) : losses.select(0, row);
    }
    void detach() {
      graph = false;
      predictions = predictions.detach();
      losses = losses.detach();
    }
  };
  struct Slice {
    const Block* block;
    std::int64_t row;
  };

  [[nodiscard]] Slice find(std::size_t task, Coalition s, double share, bool graph) const {
    for (const Block& block : blocks_) {
      if (block.task != task || block.share != share || (graph ? !block.graph : block.changed)) continue;
      const auto at = std::find(block.coalitions.begin(), block.coalitions.end(), s);
      if (at != block.coalitions.end()) return {&block, at - block.coalitions.begin()};
    }
    return {nullptr, 0};
  }

  /// Decodes what is asked for, and with it what will be asked for.
  [[nodiscard]] Slice find_or_decode(std::size_t task, Coalition s, std::span<const Coalition> requested, double share,
                                     bool graph) {
    if (const Slice slice = find(task, s, share, graph); slice.block) return slice;
    std::vector<Coalition> wanted(requested.begin(), requested.end());
    const bool dense = model_.schema().tasks[task].traits.dense;
    if (share >= 1 && !(graph && dense)) {
      const auto& more = graph ? prefetch_.objectives : prefetch_.outputs;
      wanted.insert(wanted.end(), more.begin(), more.end());
    }
    if (share < 1) reuse_whole(task, wanted, share, graph);
    std::vector<Coalition> missing;
    for (const Coalition c : wanted)
      if (!find(task, c, share, graph).block && std::find(missing.begin(), missing.end(), c) == missing.end())
        missing.push_back(c);
    if (!missing.empty()) graph ? decode_with_graph(task, missing, share) : decode_for_statistics(task, missing, share);
    return find(task, s, share, graph);
  }

  /// What has been decoded for every record need not be decoded again for a share of them.
  void reuse_whole(std::size_t task, const std::vector<Coalition>& wanted, double share, bool graph) {
    for (const Coalition c : wanted) {
      if (find(task, c, share, graph).block) continue;
      const Slice whole = find(task, c, 1, graph);
      if (!whole.block) continue;
      const std::vector<std::int64_t> rows = local_rows(share);
      Block block{task, share, whole.block->graph, whole.block->changed, {c}, {}, {}};
      block.predictions = select_records(whole.block->predictions.select(0, whole.row), rows).unsqueeze(0);
      block.losses = select_records(whole.block->losses.select(0, whole.row), rows).unsqueeze(0);
      blocks_.push_back(std::move(block));
    }
  }

  void decode_with_graph(std::size_t task, const std::vector<Coalition>& coalitions, double share) {
    if (share >= 1) return add_block(task, coalitions, share, true, features_, batch_.targets[task]);
    const std::vector<std::int64_t> rows = local_rows(share);
    add_block(task, coalitions, share, true, features_.select(rows), select_records(batch_.targets[task], rows));
  }

  void decode_for_statistics(std::size_t task, const std::vector<Coalition>& coalitions, double share) {
    const at::NoGradGuard no_grad;
    const EvaluationMode evaluation(model_.module());
    const Features features = statistics_features();
    if (share >= 1) return add_block(task, coalitions, share, false, features, batch_.targets[task]);
    const std::vector<std::int64_t> rows = local_rows(share);
    add_block(task, coalitions, share, false, features.select(rows), select_records(batch_.targets[task], rows));
  }

  /// The features of this micro-batch's turn; encoded for a hook that asks before it, or after the optimiser's step.
  [[nodiscard]] Features statistics_features() {
    if (statistics_) return *statistics_;
    if (!features_.items.empty()) return features_.detach();
    statistics_ = model_.encode(batch_, model_.full());
    return *statistics_;
  }

  void add_block(std::size_t task, std::vector<Coalition> coalitions, double share, bool graph,
                 const Features& features, const at::Tensor& target) {
    Block block{task, share, graph, graph && changed_, std::move(coalitions), {}, {}};
    const bool whole = block.coalitions.size() == 1 && block.coalitions[0] == model_.full();
    block.predictions =
        model_.outputs(task, features, whole ? features.presence : features.presence.restricted_to(block.coalitions));
    block.predictions = on_all_pixels(block.predictions, target);
    block.losses = model_.loss(task, block.predictions, target, (batch_.incomplete >> task) & 1U);
    blocks_.push_back(std::move(block));
  }

  template <class Get>
  [[nodiscard]] at::Tensor collect(std::size_t task, std::span<const Coalition> coalitions, double share, bool graph,
                                   Get&& get) {
    check_asked(model_.schema(), batch_, task, coalitions);
    const Slice first = find_or_decode(task, coalitions[0], coalitions, share, graph);
    if (std::equal(coalitions.begin(), coalitions.end(), first.block->coalitions.begin(),
                   first.block->coalitions.end()))
      return get(*first.block);
    std::vector<at::Tensor> parts;
    for (const Coalition s : coalitions) {
      const Slice slice = find_or_decode(task, s, coalitions, share, graph);
      parts.push_back(get(*slice.block).select(0, slice.row));
    }
    return parts.size() == 1 ? parts[0].unsqueeze(0) : at::stack(parts);
  }

  /// Sum over this micro-batch's counted records, divided by their number in the whole batch. A record that a policy
  /// has emptied adds nothing.
  [[nodiscard]] at::Tensor mean_over(std::size_t task, const at::Tensor& values, Coalition coalition, double share,
                                     const std::vector<std::int64_t>& rows) {
    check_index(task, batch_.targets.size(), "step, task");
    const double total = whole_.total_weight(task, coalition, share);
    std::vector<std::int64_t> out;
    for (std::size_t j = 0; j < rows.size(); ++j) {
      const auto i = static_cast<std::size_t>(rows[j]);
      const bool emptied =
          !features_.items.empty() && !coalition.empty() && (features_.presence.of_row(i) & coalition).empty();
      if (emptied || !whole_.counts(task, static_cast<std::size_t>(begin_) + i, coalition))
        out.push_back(static_cast<std::int64_t>(j));
    }
    at::Tensor counted = out.empty() ? values : values.index_fill(0, index_tensor(out, values), 0);
    if (whole_.weighted()) counted = whole_.times_weights(counted, rows, begin_);
    return counted.sum().div(total > 0 ? total : 1.0);
  }

  ModelBase& model_;
  const EffectiveBatch& whole_;
  const Prefetch& prefetch_;
  std::int64_t begin_;
  ModelBatch batch_;
  Features features_;
  bool changed_ = false;  ///< by a policy, since they were encoded
  /// Without gradient: as they were encoded, or for what is asked for outside of this one's turn.
  std::optional<Features> statistics_;
  std::vector<Block> blocks_;
};

}  // namespace equipoise::detail
