// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How to train: the options of `Trainer`, with the defaults of the field.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/training/optimizer_choice.hpp>

#include <c10/core/Device.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

enum class Schedule : std::uint8_t { constant, cosine };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(Schedule) {
  return {"constant", "cosine"};
}

struct TrainerOptions {
  std::int64_t epochs = 40;
  std::int64_t batch_size = 32;  ///< records of one optimiser step
  std::int64_t micro_batches =
      1;  ///< parts into which a batch is cut to save memory; without dropout the result does not depend on it
  c10::Device device = c10::DeviceType::CPU;
  std::uint64_t seed =
      1;  ///< of the order of records and of the policies; weights are drawn when the model is composed

  Optimizer optimizer = Optimizer::adamw;  ///< or `adam`, `sgd`, or any of torch::optim: `eq::optimizer<O>(options)`
  double learning_rate = 1e-3;
  double weight_decay = 1e-2;
  double momentum = 0.9;  ///< of sgd
  /// What a modality's own parameters have of their own, by its name, or under "shared" those of fusions and heads:
  /// `.groups = {{"dose", {.learning_rate = 1e-4, .frozen = false}}}`.
  std::vector<std::pair<std::string, GroupOptions>> groups{};
  Schedule schedule = Schedule::constant;
  std::int64_t warmup_steps = 0;  ///< linear rise of the learning rate
  double clip_norm = 0;           ///< largest global gradient norm; 0 does not clip

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
};

/// Learning-rate factor in [0, 1] after `step` of `total` optimiser steps.
[[nodiscard]] inline double schedule_factor(const TrainerOptions& options, std::int64_t step, std::int64_t total) {
  if (step < options.warmup_steps) return static_cast<double>(step + 1) / static_cast<double>(options.warmup_steps);
  if (options.schedule == Schedule::constant) return 1;
  const double done = static_cast<double>(step - options.warmup_steps) /
                      static_cast<double>(std::max<std::int64_t>(total - options.warmup_steps, 1));
  return 0.5 * (1 + std::cos(std::numbers::pi * std::min(done, 1.0)));
}

/// \throws ValueError that names the first option out of range.
inline void check(const TrainerOptions& o) {
  const auto need = [](bool fits, const char* name, const char* range, auto got) {
    check_option(fits, std::string("TrainerOptions.") + name, range, got);
  };
  need(o.epochs >= 0, "epochs", ">= 0", o.epochs);
  need(o.batch_size > 0, "batch_size", "> 0", o.batch_size);
  need(o.micro_batches > 0, "micro_batches", "> 0", o.micro_batches);
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
  for (const auto& [name, group] : o.groups) {
    const std::string where = "groups." + name + ".";
    need(!group.learning_rate || *group.learning_rate > 0, (where + "learning_rate").c_str(), "> 0",
         group.learning_rate.value_or(0));
    need(!group.weight_decay || *group.weight_decay >= 0, (where + "weight_decay").c_str(), ">= 0",
         group.weight_decay.value_or(0));
  }
  need(o.clip_norm >= 0, "clip_norm", ">= 0", o.clip_norm);
  need(o.momentum >= 0 && o.momentum < 1, "momentum", "in [0, 1)", o.momentum);
  need(o.warmup_steps >= 0, "warmup_steps", ">= 0", o.warmup_steps);
  need(o.min_delta >= 0, "min_delta", ">= 0", o.min_delta);
  need(o.patience >= 0, "patience", ">= 0", o.patience);
  need(o.holdout > 0 && o.holdout < 1, "holdout", "in (0, 1)", o.holdout);
}

}  // namespace equipoise

BOOST_HANA_ADAPT_STRUCT(equipoise::TrainerOptions, epochs, batch_size, micro_batches, seed, optimizer, learning_rate,
                        weight_decay, momentum, schedule, warmup_steps, clip_norm, monitor, min_delta, patience,
                        keep_best, holdout);
