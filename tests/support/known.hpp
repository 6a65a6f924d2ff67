// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A step, its objectives and an epoch whose numbers are given, so that a policy's hooks can be held against worked
/// numbers without a model.

#include <equipoise/core/base/random.hpp>
#include <equipoise/core/policy/policy.hpp>
#include <map>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "support/catch.hpp"

namespace support {

namespace eq = equipoise;

/// What a known task is like.
enum class KnownKind { regression, classification };

[[nodiscard]] inline eq::TaskTraits traits_of(KnownKind kind) {
  if (kind == KnownKind::regression) return {};
  return {.score = true, .certainty = true, .probabilities = true, .correctness = true, .likelihood_scale = 1};
}

/// The probability of the true class, [C, B].
[[nodiscard]] inline at::Tensor true_class(const at::Tensor& logits, const at::Tensor& labels) {
  const at::Tensor wanted = labels.clamp_min(0).view({1, -1, 1}).expand({logits.size(0), -1, 1});
  return logits.log_softmax(2).gather(2, wanted).squeeze(2).exp();
}

/// The certainty of logits [C, B, classes]: [C, B].
[[nodiscard]] inline at::Tensor negative_entropy(const at::Tensor& logits) {
  const at::Tensor log_p = logits.log_softmax(2);
  return log_p.exp().mul(log_p).sum(2);
}

/// What a fake step knows. Losses, outputs and joint features may have a graph: `GivenObjectives` hands it on.
struct Known {
  using Table = std::map<eq::Coalition, at::Tensor>;

  eq::Schema schema;
  eq::Presence presence;             ///< [1, B, M]
  std::vector<Table> losses;         ///< [K], each [B]
  std::vector<Table> outputs;        ///< [K], each [B, …]
  std::vector<at::Tensor> targets;   ///< [K], each [B, …]
  Table joint;                       ///< [B, W]
  at::Tensor head_weight;            ///< [O, W]
  std::vector<std::uint64_t> label;  ///< [B], bit k: the record has a label of task k
  double smoothing = 0;              ///< of the classifications' losses

  /// Modalities "a", "b", … with four features each, and tasks "y", "z", … of three outputs, all there.
  Known(std::size_t modalities, std::int64_t records, const std::vector<KnownKind>& kinds)
      : presence(records, modalities),
        losses(kinds.size()),
        outputs(kinds.size()),
        targets(kinds.size()),
        label(static_cast<std::size_t>(records), ~std::uint64_t{0}) {
    for (std::size_t m = 0; m < modalities; ++m)
      schema.modalities.emplace_back(1, static_cast<char>('a' + m)), schema.widths.push_back(4);
    for (std::size_t k = 0; k < kinds.size(); ++k)
      schema.tasks.push_back({std::string(1, static_cast<char>('y' + k)), 3, traits_of(kinds[k])});
  }

  [[nodiscard]] bool counts(std::size_t k, std::size_t i, eq::Coalition s) const {
    return ((label[i] >> k) & 1U) && (s.empty() || !(presence.of_row(i) & s).empty());
  }
  [[nodiscard]] std::int64_t count(std::size_t k, eq::Coalition s) const {
    std::int64_t n = 0;
    for (std::size_t i = 0; i < label.size(); ++i) n += counts(k, i, s);
    return n;
  }
  [[nodiscard]] at::Tensor mean(std::size_t k, const at::Tensor& values, eq::Coalition s) const {
    at::Tensor sum = torch::zeros({}, values.options().requires_grad(false));
    for (std::size_t i = 0; i < label.size(); ++i)
      if (counts(k, i, s)) sum = sum + values[static_cast<std::int64_t>(i)];
    return sum / static_cast<double>(std::max<std::int64_t>(count(k, s), 1));
  }
  /// Cross-entropy or mean squared error of predictions [C, B, …].
  [[nodiscard]] at::Tensor loss(std::size_t k, const at::Tensor& predictions) const {
    std::vector<at::Tensor> rows;
    for (std::int64_t c = 0; c < predictions.size(0); ++c)
      rows.push_back(schema.tasks[k].traits.score ? torch::cross_entropy_loss(predictions[c], targets[k], {},
                                                                              at::Reduction::None, -100, smoothing)
                                                  : (predictions[c] - targets[k]).square().flatten(1).mean(1));
    return torch::stack(rows);
  }
  [[nodiscard]] static at::Tensor rows_of(const Table& table, std::span<const eq::Coalition> coalitions) {
    std::vector<at::Tensor> rows;
    for (const eq::Coalition s : coalitions) rows.push_back(table.at(s));
    return torch::stack(rows);
  }
};

class KnownStep final : public eq::Step {
 public:
  explicit KnownStep(Known numbers) : known(std::move(numbers)), now{full(), ~std::uint64_t{0}} {}

  const eq::Schema& schema() const override { return known.schema; }
  std::int64_t epoch() const override { return 0; }
  std::int64_t index() const override { return before; }
  std::size_t pass_index() const override { return number; }
  const eq::Pass& pass() const override { return now; }
  at::Tensor losses(std::size_t k, std::span<const eq::Coalition> coalitions, double) override {
    return Known::rows_of(known.losses[k], coalitions).detach();
  }
  at::Tensor outputs(std::size_t k, std::span<const eq::Coalition> coalitions) override {
    return Known::rows_of(known.outputs[k], coalitions).detach();
  }
  at::Tensor loss_of(std::size_t k, const at::Tensor& predictions) override { return known.loss(k, predictions); }
  at::Tensor score_of(std::size_t k, const at::Tensor& predictions) override {
    return known.schema.tasks[k].traits.score ? true_class(predictions, known.targets[k]) : at::Tensor();
  }
  const at::Tensor& target(std::size_t k) override { return known.targets[k]; }
  at::Tensor joint(std::size_t, eq::Coalition s) override {
    const at::Tensor& input = known.joint.at(s);
    return input.defined() ? input.detach() : input;
  }
  at::Tensor head_weight(std::size_t) override { return known.head_weight; }
  at::Tensor mean(std::size_t k, const at::Tensor& values, eq::Coalition s, double) override {
    return known.mean(k, values, s);
  }
  std::int64_t count(std::size_t k, eq::Coalition s, double) const override { return known.count(k, s); }
  double uniform(std::string_view purpose, std::int64_t row, std::uint64_t column) const override {
    return eq::to_uniform(eq::hash_of({eq::hash_of(purpose), static_cast<std::uint64_t>(row), column}));
  }
  std::uint64_t seed(std::string_view purpose) const override { return eq::hash_of({eq::hash_of(purpose), run}); }
  void log(std::string_view name, double value) override { logged[std::string(name)] = value; }

  Known known;
  eq::Pass now;
  std::size_t number = 0;   ///< of the pass
  std::int64_t before = 0;  ///< steps
  std::uint64_t run = 0;    ///< its seed
  std::map<std::string, double> logged;
};

/// The objectives of a known step, a batch that is not cut unless `part` says so.
class GivenObjectives final : public eq::Objectives {
 public:
  explicit GivenObjectives(const Known& known, double part = 1) : known_(known), part_(part) {}

  at::Tensor mean_losses(std::size_t k, std::span<const eq::Coalition> coalitions, double) override {
    std::vector<at::Tensor> means;
    for (const eq::Coalition s : coalitions) means.push_back(known_.mean(k, known_.losses[k].at(s), s));
    return torch::stack(means);
  }
  at::Tensor outputs(std::size_t k, std::span<const eq::Coalition> coalitions) override {
    return Known::rows_of(known_.outputs[k], coalitions);
  }
  at::Tensor loss_of(std::size_t k, const at::Tensor& predictions) override { return known_.loss(k, predictions); }
  at::Tensor score_of(std::size_t k, const at::Tensor& predictions) override {
    return known_.schema.tasks[k].traits.score ? true_class(predictions, known_.targets[k]) : at::Tensor();
  }
  at::Tensor probabilities_of(std::size_t, const at::Tensor& predictions) override { return predictions.softmax(-1); }
  at::Tensor residual_loss_of(std::size_t, const at::Tensor&, const at::Tensor&) override { return {}; }
  const at::Tensor& target(std::size_t k) const override { return known_.targets[k]; }
  at::Tensor mean(std::size_t k, const at::Tensor& values, eq::Coalition s) override {
    return known_.mean(k, values, s);
  }
  const eq::Presence& presence() const override { return known_.presence; }
  double part_of_batch() const override { return part_; }

  /// As the training loop begins: each task's mean loss of everything.
  GivenObjectives& with_tasks() {
    const eq::Coalition full = eq::Coalition::full(known_.schema.modalities.size());
    for (std::size_t k = 0; k < known_.schema.tasks.size(); ++k) add({.task = k}, mean_losses(k, {&full, 1}, 1)[0]);
    return *this;
  }
  /// As it ends: what is minimised.
  [[nodiscard]] at::Tensor total() {
    at::Tensor sum = torch::zeros({}, torch::kDouble);
    for (const eq::Objective& o : list()) sum = sum + o.value * o.weight;
    return sum;
  }
  /// As it hands the gradient of each objective to a policy that routes them.
  void collect(eq::Gradients& gradients) {
    for (const eq::Objective& o : list()) {
      (o.value * o.weight).backward({}, /*retain_graph=*/true);
      gradients.accumulate(o.key);
    }
    gradients.sum_objectives();
  }

 private:
  const Known& known_;
  double part_;
};

/// An epoch over records of which every coalition's result is known.
class KnownEpoch final : public eq::Epoch {
 public:
  KnownEpoch(eq::Schema schema, eq::Presence presence, std::int64_t index = 0)
      : now(index),
        schema_(std::move(schema)),
        presence_(std::move(presence)),
        plan_(eq::EpochPlan::joint(presence_.records(), schema_.modalities.size())) {
    record_ids.resize(static_cast<std::size_t>(presence_.records()));
    std::iota(record_ids.begin(), record_ids.end(), 0);
  }

  const eq::Schema& schema() const override { return schema_; }
  std::int64_t index() const override { return now; }
  std::int64_t records() const override { return presence_.records(); }
  std::span<const std::int64_t> ids() const override { return record_ids; }
  const eq::Presence& presence() const override { return presence_; }
  std::int64_t batch_size() const override { return records_a_batch; }
  std::int64_t batches() const override { return 2; }
  eq::EpochPlan& plan() override { return plan_; }
  eq::ModelBase& model() override { throw std::logic_error("a known epoch has no model"); }
  eq::CoalitionTable evaluate(eq::Split split, std::span<const eq::Coalition>) override {
    evaluated = split;
    return table;
  }
  eq::ProbeLosses probe(eq::Coalition branch, std::int64_t epochs) override {
    probed.emplace_back(branch.bits(), epochs);
    return probes.at(branch);
  }
  double uniform(std::string_view purpose, std::int64_t row, std::uint64_t column) const override {
    return eq::to_uniform(eq::hash_of({eq::hash_of(purpose), static_cast<std::uint64_t>(row), column}));
  }
  void log(std::string_view name, double value) override { logged[std::string(name)] = value; }

  std::int64_t now;
  std::vector<std::int64_t> record_ids;  ///< 0, 1, … at first
  std::int64_t records_a_batch = 8;
  eq::CoalitionTable table;
  std::map<eq::Coalition, eq::ProbeLosses> probes;
  std::optional<eq::Split> evaluated;
  std::vector<std::pair<std::uint64_t, std::int64_t>> probed;  ///< branches and their epochs
  std::map<std::string, double> logged;

 private:
  eq::Schema schema_;
  eq::Presence presence_;
  eq::EpochPlan plan_;
};

/// One parameter [2, 2] a group, each with a gradient of ones.
struct Ones {
  explicit Ones(std::size_t groups) {
    for (std::size_t g = 0; g < groups; ++g) {
      parameters.push_back({torch::ones({2, 2}, torch::kDouble).set_requires_grad(true)});
      parameters.back()[0].mutable_grad() = torch::ones({2, 2}, torch::kDouble);
    }
  }
  [[nodiscard]] std::vector<double> gradients() const {
    std::vector<double> out;
    for (const auto& group : parameters) out.push_back(group[0].grad()[0][0].item<double>());
    return out;
  }
  eq::ParameterGroups parameters;
};

/// A leaf of a graph.
inline at::Tensor leaf(const at::Tensor& value) {
  return value.clone().set_requires_grad(true);
}
inline at::Tensor leaf(const std::vector<double>& values) {
  return torch::tensor(values, torch::kDouble).set_requires_grad(true);
}

/// The entries of a tensor, row by row.
inline std::vector<double> numbers(const at::Tensor& t) {
  const at::Tensor flat = t.detach().to(torch::kDouble).contiguous().flatten();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

}  // namespace support
