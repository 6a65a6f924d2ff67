// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The training loop: one, for every method. A batch goes through encoders, features hook, decoding, objectives hook,
/// backward, gradients hook, optimiser, step hook; which passes a batch makes and which records it has is the epoch's
/// plan.

#include <equipoise/balancing/any_policy.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/batch/model_batch.hpp>
#include <equipoise/core/batch/records.hpp>
#include <equipoise/core/model/mode.hpp>
#include <equipoise/core/policy/gradients.hpp>
#include <equipoise/training/callbacks.hpp>
#include <equipoise/training/fetch_ahead.hpp>
#include <equipoise/training/generator.hpp>
#include <equipoise/training/objective_sums.hpp>
#include <equipoise/training/optimizer.hpp>
#include <equipoise/training/rate_plan.hpp>
#include <equipoise/training/training_step.hpp>

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace equipoise::detail {

/// Raised by the loop to leave it when the caller wants to stop.
struct StopRequested {};

class Loop {
 public:
  Loop(ModelBase& model, GroupedOptimizer& optimizer, const TrainerOptions& options)
      : model_(model), optimizer_(optimizer), options_(options), groups_(model.parameter_groups()) {}

  /// Asked before every batch.
  std::function<bool()> should_stop;
  /// Told after every batch.
  std::function<void(const BatchView&)> on_batch;

  /// One epoch of `plan` over `data`, with the policies that act in it. `index` counts optimiser steps over the run,
  /// `rates` says at which rate they are taken.
  void epoch(const Records& data, const EpochPlan& plan, std::span<AnyPolicy* const> policies, std::int64_t epoch,
             std::int64_t& index, const RatePlan& rates, Averages& log) {
    check_plan(plan, data.size());
    model_.module().train();
    evaluate_frozen(model_.module());
    const auto items = static_cast<std::int64_t>(plan.items.size());
    std::vector<std::int64_t> order(plan.items.size());
    std::iota(order.begin(), order.end(), 0);
    if (plan.shuffled)
      order = permutation(items, hash_of({options_.seed, hash_of("order"), static_cast<std::uint64_t>(epoch)}));
    const Prefetch prefetch = prefetch_for(policies);
    const std::int64_t batches = (items + options_.batch_size - 1) / options_.batch_size;
    const std::int64_t steps =
        batches * std::count_if(plan.passes.begin(), plan.passes.end(), [](const Pass& p) { return p.step; });
    const auto progress = [&](std::int64_t done) {  // in epochs
      return static_cast<double>(epoch) + static_cast<double>(done) / static_cast<double>(steps);
    };
    const auto key = [&](std::string_view purpose, std::int64_t b, std::uint64_t p = 0) {
      return hash_of(
          {options_.seed, hash_of(purpose), static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(b), p});
    };
    FetchAhead<ModelBatch> fetched(batches, options_.workers, [&](std::int64_t b) {
      const std::int64_t begin = b * options_.batch_size, size = std::min(options_.batch_size, items - begin);
      return planned(data, plan,
                     std::span(order).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(size)),
                     key("transform", b));
    });
    std::int64_t done = 0;
    double factor = 1;
    for (std::int64_t b = 0; b < batches; ++b) {
      if (should_stop && should_stop()) throw StopRequested{};
      const ModelBatch batch = fetched.next().to(options_.device);
      for (std::size_t p = 0; p < plan.passes.size(); ++p) {
        const std::uint64_t seed = key("step", b, p);
        seed_generators(options_.device, seed);
        if (plan.passes[p].step) factor = rates.factor(progress(done), progress(done + 1));
        pass(batch, plan.passes[p], policies, prefetch, {epoch, index, p, seed}, factor, log);
        if (plan.passes[p].step) ++index, ++done;
      }
      log_rates(factor, log);
      if (on_batch) on_batch({.done = b + 1, .batches = batches, .means = log});
    }
  }

 private:
  /// \throws ShapeError where the policy leaves a presence of other records or modalities
  static void change_features(AnyPolicy& policy, TrainingStep& step, Features& features) {
    const std::int64_t records = features.presence.records();
    policy.on_features(step, features);
    check_presence(features.presence, 1, records, step.modalities(), "on_features of " + std::string(policy.id()));
  }

  void pass(const ModelBatch& records, const Pass& pass, std::span<AnyPolicy* const> policies, const Prefetch& prefetch,
            TrainingStep::Position position, double factor, Averages& log) {
    std::optional<KeepMode> modes;
    freeze_beside(pass.groups, modes);
    const EffectiveBatch whole(restricted(records, pass.active), position.seed);
    optimizer_.hold();
    TrainingStep step(model_, whole, prefetch, pass, position, options_.micro_batches, log);
    const bool plain_steps = options_.optimizer == Optimizer::sgd && options_.momentum == 0 && options_.clip_norm <= 0;
    Gradients gradients(groups_, plain_steps);
    const bool routed = std::any_of(policies.begin(), policies.end(),
                                    [](const AnyPolicy* p) { return p->needs().objective_gradients; });
    ObjectiveSums sums(model_.schema());
    for (const auto& part : step.parts()) {
      step.enter(*part);
      part->encode();
      for (AnyPolicy* p : policies)
        if (p->hooks().has(Hook::features)) change_features(*p, step, part->features_to_change());
      if (pass.joint) add_task_objectives(whole, *part);
      const std::vector<Objective> plain = part->list();  // before any weighting
      for (AnyPolicy* p : policies)
        if (p->hooks().has(Hook::objectives)) p->on_objectives(step, *part);
      backward(*part, plain, gradients, routed, sums);
      if (step.parts().size() > 1) part->finish();
    }
    sums.log_to(log, whole);
    if (routed) gradients.sum_objectives();
    run_gradient_hooks(policies, step, gradients);
    optimizer_.keep_only(pass.groups);
    optimizer_.release();
    if (!pass.step) return check_rates(gradients, position.pass);
    optimizer_.clip();
    optimizer_.step(factor, gradients);
    optimizer_.zero_grad();
    step.forget();
    for (AnyPolicy* p : policies)
      if (p->hooks().has(Hook::step)) p->end_step(step);
  }

  /// The learning rate at the epoch's last step, without what policies have made of it: `rate`, or `rate/<group>` where
  /// groups differ.
  void log_rates(double factor, Averages& log) const {
    const std::vector<double> rates = optimizer_.rates();
    if (std::equal(rates.begin() + 1, rates.end(), rates.begin())) return log.set("rate", rates[0] * factor);
    const std::vector<std::string> names = group_names(model_.schema());
    for (std::size_t g = 0; g < rates.size(); ++g) log.set("rate/" + names[g], rates[g] * factor);
  }

  /// Puts what has parameters, but none of `groups`, into evaluation mode: what a pass does not train must not learn
  /// statistics from it either, nor drop features.
  /// \param modes keeps those of before, where there is anything to freeze
  void freeze_beside(std::uint64_t groups, std::optional<KeepMode>& modes) const {
    const std::uint64_t all = Coalition::full(groups_.size()).bits();
    if ((groups & all) == all) return;
    modes.emplace(model_.module());
    std::unordered_set<const void*> trained;
    for (const std::size_t g : Coalition(groups & all).members())
      for (const at::Tensor& p : groups_[g]) trained.insert(p.unsafeGetTensorImpl());
    for (const auto& part : model_.module().modules(/*include_self=*/false)) {
      const std::vector<at::Tensor> own = part->parameters();
      if (!own.empty() && std::none_of(own.begin(), own.end(),
                                       [&](const at::Tensor& p) { return trained.contains(p.unsafeGetTensorImpl()); }))
        part->eval();
    }
  }

  /// A rate belongs to a step: what the pass leaves to a later one could not be told from that one's own.
  void check_rates(const Gradients& gradients, std::size_t pass) const {
    const std::vector<std::string>& names = model_.schema().modalities;
    for (std::size_t g = 0; g < gradients.groups(); ++g)
      if (gradients.rate(g) != 1)
        throw ValueError(message("value.216", "pass " + std::to_string(pass + 1),
                                 "makes no step: expected factors on its gradients, got ", gradients.rate(g),
                                 " on the learning rate of ", g < names.size() ? names[g] : "what is shared"));
  }

  /// A policy that replaces gradients goes first, the others see what it made.
  static void run_gradient_hooks(std::span<AnyPolicy* const> policies, Step& step, Gradients& gradients) {
    for (const bool replacing : {true, false})
      for (AnyPolicy* p : policies)
        if (p->hooks().has(Hook::gradients) && p->replaces_gradients() == replacing) p->on_gradients(step, gradients);
  }

  /// One objective a task that the batch has labelled records of: the mean loss of everything that a record has. Every
  /// micro-batch has the same ones, whichever of its records are labelled.
  void add_task_objectives(const EffectiveBatch& whole, MicroBatch& part) const {
    const Coalition full = model_.full();
    for (std::size_t k = 0; k < model_.task_count(); ++k)
      if (whole.count(k, full, 1) > 0) part.add({.task = k}, part.mean_loss(k, full));
  }

  void backward(MicroBatch& part, const std::vector<Objective>& plain, Gradients& gradients, bool routed,
                ObjectiveSums& sums) const {
    std::vector<at::Tensor> values;
    for (const Objective& o : part.list()) {
      values.push_back(o.weight == 1 ? o.value : o.value.mul(o.weight));
      sums.add(o, plain, part.batch().ids);
    }
    if (routed) {
      for (std::size_t k = 0; k < values.size(); ++k) {
        if (values[k].requires_grad()) torch::autograd::backward({values[k]}, {}, k + 1 < values.size());
        gradients.accumulate(part.list()[k].key);
      }
      return;
    }
    at::Tensor sum;
    for (const at::Tensor& value : values)
      if (value.requires_grad()) sum = sum.defined() ? sum.add(value) : value;
    if (sum.defined()) torch::autograd::backward({sum});
  }

  /// \throws ValueError for a plan that a policy has made of what the run does not have.
  void check_plan(const EpochPlan& plan, std::int64_t records) const {
    for (const Pass& p : plan.passes)
      if ((p.active.bits() & ~model_.full().bits()) != 0)
        throw ValueError(message("value.236", "plan of an epoch", "expected passes over the ", model_.modality_count(),
                                 " modalities of the model, got one over others too (Pass::active ", p.active.bits(),
                                 ")"));
    for (const PlanItem& item : plan.items)
      if (item.record < 0 || item.record >= records)
        throw ValueError(
            message("value.236", "plan of an epoch", "expected records below ", records, ", got ", item.record));
  }

  [[nodiscard]] ModelBatch planned(const Records& data, const EpochPlan& plan, std::span<const std::int64_t> order,
                                   std::uint64_t seed) const {
    std::vector<std::int64_t> rows;
    std::vector<std::uint64_t> masks;
    for (const std::int64_t i : order) {
      const PlanItem& item = plan.items[static_cast<std::size_t>(i)];
      rows.push_back(item.record);
      masks.push_back(data.about().presence.of_row(static_cast<std::size_t>(item.record)).bits() &
                      item.modalities.bits());
    }
    ModelBatch batch = data.select(rows, seed);
    batch.presence = Presence(std::move(masks), 1, model_.modality_count());
    check_inputs(batch, model_.schema());
    return batch;
  }

  [[nodiscard]] ModelBatch restricted(const ModelBatch& batch, Coalition active) const {
    ModelBatch out = batch;
    if (active != model_.full()) out.presence = batch.presence.restricted_to({&active, 1});
    return out;
  }

  [[nodiscard]] Prefetch prefetch_for(std::span<AnyPolicy* const> policies) const {
    const std::size_t modalities = model_.modality_count();
    const auto covered = [&](Coverage c) {
      return c == Coverage::all          ? all_coalitions(modalities)
             : c == Coverage::singletons ? singletons(modalities)
                                         : std::vector<Coalition>{};
    };
    Prefetch out;
    const auto merge = [](std::vector<Coalition>& to, const std::vector<Coalition>& from) {
      for (const Coalition s : from)
        if (std::find(to.begin(), to.end(), s) == to.end()) to.push_back(s);
    };
    for (const AnyPolicy* p : policies) {
      merge(out.outputs, covered(p->needs().outputs));
      merge(out.objectives, covered(p->needs().objectives));
    }
    return out;
  }

  ModelBase& model_;
  GroupedOptimizer& optimizer_;
  TrainerOptions options_;
  ParameterGroups groups_;
};

}  // namespace equipoise::detail
