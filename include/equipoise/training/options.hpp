// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How to train: the options of `Trainer`, with the defaults of the field.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/training/optimizer_choice.hpp>
#include <equipoise/training/schedule.hpp>

#include <c10/core/Device.h>

#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

struct TrainerOptions {
  /// In all. Where a run is resumed with another number, its learning rate goes on from where it was, along the schedule of
  /// the new length: it does not jump, and never rises above what the old plan would still have reached. A schedule that
  /// has come to 0 cannot be prolonged.
  std::int64_t epochs = 40;
  std::int64_t batch_size = 32;  ///< records of one optimiser step
  /// Parts into which a batch is cut to save memory. The result depends on it with dropout, batch norm and
  /// `StandIn::mean`.
  std::int64_t micro_batches = 1;
  /// Threads that fetch batches ahead of the model; 0 fetches each when its turn comes. The records, their order and their
  /// transforms are the same for any number.
  std::int64_t workers = 0;
  c10::Device device = c10::DeviceType::CPU;
  std::uint64_t seed =
      1;  ///< of the order of records and of the policies; weights are drawn when the model is composed

  /// `adamw`, `adam` or `sgd`, whose steps are those of torch::optim to rounding, by LibTorch's fused kernels; or any of
  /// torch::optim itself: `eq::optimizer<O>(options)`.
  Optimizer optimizer = Optimizer::adamw;
  double learning_rate = 1e-3;
  double weight_decay = 1e-2;
  double momentum = 0.9;  ///< of sgd; not with another optimiser
  /// What a modality's own parameters have of their own, by its name, or under "shared" those of fusions and heads:
  /// `.groups = {{"dose", {.learning_rate = 1e-4, .frozen = false}}}`.
  std::vector<std::pair<std::string, GroupOptions>> groups{};
  /// The learning rate over the run, as a function of progress in epochs: `Schedule::cosine`, `StepDecay{.every = 10}`,
  /// `ExponentialDecay`, `OneCycle`, `Plateau`, or a callable `double(double epochs_done, double epochs_in_all)`.
  Schedule schedule = Schedule::constant;
  double warmup_epochs = 0;  ///< linear rise of the learning rate before the schedule begins
  double clip_norm = 0;      ///< largest global gradient norm; 0 does not clip

  /// The validation figure that chooses the best epoch and stops early, by its name in the history (with or without
  /// `val/`): a task's loss ("gpr"), its accuracy ("label/accuracy") or one of its metrics ("gpr/c_index"), whose direction
  /// is the metric's own. Empty: "objective", the sum of the task losses, each divided by what the task loses without any
  /// modality, so that no unit counts.
  std::string monitor{};
  double min_delta = 0;       ///< an epoch that is better by no more than this does not reset `patience`
  std::int64_t patience = 0;  ///< epochs without a better monitored figure before stopping; 0 never stops
  bool keep_best = true;      ///< end with the parameters of the best epoch, where there is validation data
  double holdout = 0.15;      ///< share of the training groups kept for policies that need a hold-out
  std::string checkpoint{};   ///< file written after every epoch; empty for none
  /// Where a progress line with losses, rate and time left is printed: changing on a terminal, else a line for an epoch, at
  /// most one every five seconds. Null for none.
  std::ostream* progress = &std::cerr;
};

/// \throws ValueError that names the first option out of range.
inline void check(const TrainerOptions& o) {
  const auto need = [](bool fits, const char* name, const char* range, auto got) {
    check_option(fits, std::string("TrainerOptions.") + name, range, got);
  };
  need(o.epochs >= 0, "epochs", ">= 0", o.epochs);
  need(o.batch_size > 0, "batch_size", "> 0", o.batch_size);
  need(o.micro_batches > 0, "micro_batches", "> 0", o.micro_batches);
  need(o.workers >= 0, "workers", ">= 0", o.workers);
  need(o.learning_rate > 0, "learning_rate", "> 0", o.learning_rate);
  need(o.weight_decay >= 0, "weight_decay", ">= 0", o.weight_decay);
  const TrainerOptions unchanged;
  const char* needless = o.learning_rate != unchanged.learning_rate ? "learning_rate"
                         : o.weight_decay != unchanged.weight_decay ? "weight_decay"
                         : o.momentum != unchanged.momentum         ? "momentum"
                                                                    : nullptr;
  if (o.optimizer.maker() && needless)
    throw ValueError(message("value.231", std::string("TrainerOptions.") + needless, "expected no value, since ",
                             o.optimizer.name(), " has options of its own"));
  if (o.momentum != unchanged.momentum && o.optimizer != Optimizer::sgd)
    throw ValueError(message("value.231", "TrainerOptions.momentum", "expected no value, since ", o.optimizer.name(),
                             " has no such option; Optimizer::sgd has, got ", o.momentum));
  for (const auto& [name, group] : o.groups) {
    const std::string where = "groups." + name + ".";
    need(!group.learning_rate || *group.learning_rate > 0, (where + "learning_rate").c_str(), "> 0",
         group.learning_rate.value_or(0));
    need(!group.weight_decay || *group.weight_decay >= 0, (where + "weight_decay").c_str(), ">= 0",
         group.weight_decay.value_or(0));
  }
  need(o.clip_norm >= 0, "clip_norm", ">= 0", o.clip_norm);
  need(o.momentum >= 0 && o.momentum < 1, "momentum", "in [0, 1)", o.momentum);
  o.schedule.check();
  need(o.warmup_epochs >= 0, "warmup_epochs", ">= 0", o.warmup_epochs);
  need(o.min_delta >= 0, "min_delta", ">= 0", o.min_delta);
  need(o.patience >= 0, "patience", ">= 0", o.patience);
  need(o.holdout > 0 && o.holdout < 1, "holdout", "in (0, 1)", o.holdout);
}

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::TrainerOptions, epochs, batch_size, micro_batches, seed, optimizer, learning_rate,
                  weight_decay, momentum, schedule, warmup_epochs, clip_norm, monitor, min_delta, patience, keep_best,
                  holdout);
