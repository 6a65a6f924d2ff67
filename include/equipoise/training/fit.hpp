// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A run over epochs: plan, train, validate, keep the best, write a checkpoint.

#include <equipoise/training/callback_list.hpp>
#include <equipoise/training/checkpoint.hpp>
#include <equipoise/training/epoch_start.hpp>
#include <equipoise/training/fit_checks.hpp>
#include <equipoise/training/loop.hpp>
#include <equipoise/training/monitor.hpp>
#include <equipoise/training/progress_line.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::detail {

/// The hook `on_outputs` of a stack, installed in the model so that it acts at inference too.
class PolicyOutputs final : public OutputStage {
 public:
  explicit PolicyOutputs(std::shared_ptr<const PolicyStack> policies) : policies_(std::move(policies)) {}
  /// The names of those that have the hook.
  [[nodiscard]] static std::vector<std::string_view> names(const PolicyStack& policies) {
    std::vector<std::string_view> out;
    for (const AnyPolicy& p : policies)
      if (p.hooks().has(Hook::outputs)) out.push_back(p.id());
    return out;
  }
  [[nodiscard]] std::vector<std::string_view> names() const { return names(*policies_); }
  [[nodiscard]] at::Tensor apply(const OutputContext& context, at::Tensor prediction) override {
    for (const AnyPolicy& p : *policies_)
      if (p.hooks().has(Hook::outputs)) prediction = p.on_outputs(context, std::move(prediction));
    return prediction;
  }

 private:
  std::shared_ptr<const PolicyStack> policies_;  ///< outlives the trainer: the model is deployed with it
};

class Fit {
 public:
  Fit(ModelBase& model, PolicyStack policies, TrainerOptions options)
      : model_(model), policies_(std::make_shared<PolicyStack>(std::move(policies))), options_(std::move(options)) {
    check(options_);
    check_groups(options_, group_names(model_.schema()));
    check_stack(model_, *policies_);
    check_coupled(model_, options_);
    check_outputs();
    move_to_device();
    std::vector<at::Tensor> own;
    for (AnyPolicy& p : *policies_) {
      p.start(model_);
      const std::vector<at::Tensor> learned = p.parameters();
      own.insert(own.end(), learned.begin(), learned.end());
    }
    optimizer_ = std::make_unique<GroupedOptimizer>(model_.parameter_groups(), std::move(own), options_,
                                                    group_names(model_.schema()));
    install_outputs();
    if (options_.progress) callbacks_.add(std::make_shared<ProgressLine>(*options_.progress));
  }

  Fit(const Fit&) = delete;
  Fit& operator=(const Fit&) = delete;

  /// The callbacks that the trainer sets one at a time; told after the others.
  std::function<void(const EpochRecord&)> on_epoch;
  std::function<void(std::int64_t, std::int64_t)> on_batch;
  std::function<bool()> should_stop;

  [[nodiscard]] Callbacks& callbacks() { return callbacks_; }
  [[nodiscard]] const History& history() const { return state_.history; }
  [[nodiscard]] const PolicyStack& policies() const { return *policies_; }

  void resume(const std::filesystem::path& path, Purpose purpose = Purpose::training) {
    load_checkpoint(path, model_, *optimizer_, *policies_, options_, state_, purpose);
    last_ = {};
  }

  void resume_best(const std::filesystem::path& path) {
    resume(path, Purpose::inference);
    deploy();
    if (state_.next_epoch == 0) state_.best = last_ = {};  // of another stack: a fit begins a new run from this model
  }

  History run(Records train) { return run(std::move(train), {}, false); }
  History run(Records train, const Records& validation) { return run(std::move(train), validation, true); }

 private:
  History run(Records train, const Records& validation, bool validated) {
    check_any_record(train, "fit", "training records");
    if (validated) check_any_record(validation, "fit", "validation records");
    check_labels(model_, train);
    check_weights(model_, train);
    check_checkpoint();
    const GeneratorGuard generator;
    if (state_.next_epoch == 0) {
      const at::NoGradGuard no_grad;
      for (std::size_t k = 0; k < model_.task_count(); ++k)
        if (train.has_target(k)) {
          const PriorTargets y = train.prior_targets(k, model_.schema().tasks[k].traits.dense);
          if (y.values.is_meta()) continue;  // without values nothing fits
          at::Tensor weights;
          if (!y.weights.empty()) weights = at::tensor(y.weights, at::kDouble);
          model_.fit_prior(k, y.values.to(options_.device), weights);
        }
    }
    Records holdout;  // the same however many epochs there are to be: a resumed run may have more
    if (std::any_of(policies_->begin(), policies_->end(),
                    [&](const AnyPolicy& p) { return p.needs().holdout && p.ever_acts(model_.modality_count()); }))
      split_holdout(train, holdout);
    const FrozenGroups frozen(model_.parameter_groups(), options_, group_names(model_.schema()));
    Validation judged(model_, validation, options_);
    const std::string of_rate = rates_.go_on(state_.next_epoch);
    return_to_last();  // when nothing is refused any more
    const std::string of_monitor = watch(judged);
    const auto patient = [&] { return options_.patience == 0 || state_.watched.since_best < options_.patience; };
    try {
      callbacks_.on_run_begin(view());
      for (const std::string& note :
           {of_rate, of_monitor, judged.note(options_), note_on_unseen_modalities(model_, train)})
        if (!note.empty()) callbacks_.on_note(view(), note);
      while (state_.next_epoch < options_.epochs && patient()) one_epoch(train, holdout, judged);
      check_monitored();
      finish(patient() ? StopReason::finished : StopReason::early_stopping);
    } catch (const StopRequested&) {
      finish(StopReason::requested);
    } catch (...) {
      try {
        finish(StopReason::failed);
      } catch (...) {
        state_.history.stop = StopReason::failed;
      }
      (void)callbacks_.on_run_end(view(), false);  // the exception that ended the run is the one that is reported
      throw;
    }
    if (const auto first = callbacks_.on_run_end(view(), state_.history.stop != StopReason::finished)) {
      state_.history.stop = StopReason::failed;
      std::rethrow_exception(first);
    }
    return state_.history;
  }

  [[nodiscard]] RunView view() const {
    return {model_.schema(), state_.history, state_.next_epoch, options_.epochs, state_.step};
  }

  /// However a run ends, the model is the best epoch's (or the last one), in evaluation mode and without gradients.
  void finish(StopReason reason) {
    optimizer_->zero_grad();
    state_.history.stop = reason;
    deploy();
  }

  /// Puts the best epoch in place of the last one, which is put aside for a `fit` that goes on.
  void deploy() {
    if (options_.keep_best && !state_.best.parameters.empty()) {
      last_ = Deployed(model_.module(), *policies_);
      state_.best.restore(model_.module(), *policies_);
    }
    model_.module().eval();
  }

  /// A second `fit` goes on from where the last one stopped. Parameters that were changed since stay as they are.
  void return_to_last() {
    if (!last_.parameters.empty() && state_.best.parameters.is(model_.module()))
      last_.restore(model_.module(), *policies_);
    last_ = {};
  }

  void one_epoch(const Records& train, const Records& holdout, Validation& validation) {
    const std::int64_t epoch = state_.next_epoch;
    callbacks_.on_epoch_begin(view());
    const auto stop = [&] { return callbacks_.should_stop(view()) || (should_stop && should_stop()); };
    Averages log;
    EpochStart start(model_, train, holdout, options_, epoch, log, stop);
    std::vector<AnyPolicy*> acting;
    for (AnyPolicy& p : *policies_)
      if (p.acts(epoch, model_.modality_count())) acting.push_back(&p);
    seed_generators(options_.device, hash_of({options_.seed, hash_of("epoch"), static_cast<std::uint64_t>(epoch)}));
    optimizer_->hold();  // a probe run must leave no gradient to what another policy learns
    // A sampler goes first; who sets the passes sees the records that the others have planned.
    const auto turn_of = [](const AnyPolicy& p) { return p.draws_records() ? 0 : p.sets_passes() ? 2 : 1; };
    for (const int turn : {0, 1, 2})
      for (AnyPolicy* p : acting)
        if (p->hooks().has(Hook::epoch) && turn_of(*p) == turn) p->begin_epoch(start);
    optimizer_->zero_grad();
    optimizer_->release();
    Loop loop(model_, *optimizer_, options_);
    loop.should_stop = stop;
    loop.on_batch = [&](const BatchView& batch) {
      callbacks_.on_batch_end(view(), batch);
      if (on_batch) on_batch(batch.done, batch.batches);
    };
    loop.epoch(train, start.plan(), acting, epoch, state_.step, rates_, log);
    optimizer_->zero_grad();  // a last pass without a step leaves gradients, which no checkpoint keeps
    check_parameters(model_, epoch);
    EpochRecord record{epoch, without_equal_weights(log.take())};
    validate(validation, record);
    state_.history.epochs.push_back(record);
    ++state_.next_epoch;
    if (!options_.checkpoint.empty()) {
      save_checkpoint(options_.checkpoint, model_, *optimizer_, *policies_, options_, state_);
      callbacks_.on_checkpoint(view(), options_.checkpoint);
    }
    callbacks_.on_epoch_end(view(), record);
    if (on_epoch) on_epoch(record);
  }

  /// Validates the epoch, and keeps it where it is the best one.
  void validate(Validation& validation, EpochRecord& record) {
    const std::optional<double> figure = validation.judge(record);
    if (figure) rates_.watch(*figure, validation.larger_is_better());
    if (!figure || !state_.watched.take(*figure, validation.larger_is_better(), options_.min_delta)) return;
    state_.history.best_epoch = record.epoch;
    if (options_.keep_best) state_.best = Deployed(model_.module(), *policies_);
  }

  /// \throws NumericError where the monitored figure was NaN after every epoch: none is the best one
  void check_monitored() const {
    const Watched& w = state_.watched;
    if (w.best || w.since_best == 0) return;
    throw NumericError(message("numeric.507", "monitor " + w.monitor,
                               "expected a number after at least one epoch, which the best epoch and patience need, "
                               "got NaN from this metric after each of the ",
                               w.since_best, " epochs"));
  }

  /// What was best by another figure says nothing of this one.
  /// \return a sentence that says so; empty where none was
  std::string watch(const Validation& validation) {
    if (validation.monitor() == state_.watched.monitor) return {};
    std::string note;
    if (state_.history.best_epoch >= 0)
      note = "epoch " + std::to_string(state_.history.best_epoch) + " was the best by " + state_.watched.monitor +
             "; by " + (validation.monitor().empty() ? "no figure" : validation.monitor()) +
             " the best one is chosen among the epochs from " + std::to_string(state_.next_epoch) +
             " on, and the model has the last parameters until then";
    state_.watched = {.monitor = validation.monitor(), .best = {}, .last_big = {}};
    state_.rate.watched = {};  // of a plateau
    state_.history.monitor = validation.monitor();
    state_.history.best_epoch = -1;
    state_.best = {};
    return note;
  }

  /// Moves a share of the groups out of the training records, the same groups in every epoch and after a resume.
  void split_holdout(Records& train, Records& holdout) const {
    const std::vector<std::int64_t>& of_records = train.about().groups;
    std::set<std::int64_t> distinct(of_records.begin(), of_records.end());
    std::vector<std::int64_t> groups(distinct.begin(), distinct.end());
    const std::vector<std::int64_t> order =
        permutation(static_cast<std::int64_t>(groups.size()), hash_of({options_.seed, hash_of("holdout")}));
    const auto n = static_cast<std::size_t>(std::max(1.0, options_.holdout * static_cast<double>(groups.size())));
    std::set<std::int64_t> out;
    for (std::size_t i = 0; i < n && i < order.size(); ++i) out.insert(groups[static_cast<std::size_t>(order[i])]);
    std::vector<std::int64_t> kept, held;
    for (std::int64_t i = 0; i < train.size(); ++i)
      (out.contains(of_records[static_cast<std::size_t>(i)]) ? held : kept).push_back(i);
    if (kept.empty() || held.empty())
      throw ValueError(message("value.206", "TrainerOptions.holdout",
                               "expected at least two groups of records to split, got ", groups.size()));
    holdout = train.part(held);
    train = train.part(kept);
  }

  /// Another stack would remove the outputs that the model was trained with, without a word.
  void check_outputs() const {
    if (!model_.has_output_stage()) return;
    const auto* before = dynamic_cast<const PolicyOutputs*>(model_.output_stage());
    if (!before || before->names() != PolicyOutputs::names(*policies_))
      throw ValueError(message(
          "value.222", "Trainer",
          "the model's outputs are those of policies (as Mla's) that this trainer lacks, or of an output stage of "
          "your own; expected the same policies, or model->set_output_stage(nullptr) before, which removes them"));
  }

  void move_to_device() {
    try {
      model_.module().to(options_.device);
    } catch (const c10::Error& e) {
      throw ValueError(message("value.223", "TrainerOptions.device", "expected a device of this LibTorch, got ",
                               options_.device.str(), ": ", e.what_without_backtrace()));
    }
  }

  /// A path that cannot be written is an error before the first epoch, not after it.
  void check_checkpoint() const {
    if (options_.checkpoint.empty()) return;
    check_saved_names(model_.module());
    const io::AtomicFile probe(options_.checkpoint);
  }

  void install_outputs() {
    if (!PolicyOutputs::names(*policies_).empty()) model_.set_output_stage(std::make_shared<PolicyOutputs>(policies_));
  }

  ModelBase& model_;
  std::shared_ptr<PolicyStack> policies_;
  TrainerOptions options_;
  std::unique_ptr<GroupedOptimizer> optimizer_;
  Callbacks callbacks_;
  Deployed last_;  ///< what was trained last, where the best epoch is deployed in its place
  RunState state_;
  RatePlan rates_{options_, state_.rate};
};

}  // namespace equipoise::detail
