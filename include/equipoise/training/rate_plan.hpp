// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The learning rate over a run: the schedule behind its warm-up, what a plateau has made of it, and the continuation of a
/// run whose number of epochs has changed.

#include <equipoise/training/monitor.hpp>
#include <equipoise/training/options.hpp>
#include <equipoise/training/schedule.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

namespace equipoise {

/// The memory of the rate over a run; part of a checkpoint.
struct RateState {
  double epochs = 0;  ///< of the plan that `scale` belongs to; 0 before the first epoch
  double scale = 1;   ///< joins a plan of another length to the one before
  double ceiling =
      std::numeric_limits<double>::infinity();  ///< of the scaled plan: what the one before would still reach
  std::string schedule;                         ///< as text
  double warmup = 0;                            ///< epochs
  double plateau = 1;                           ///< factor of a plateau
  Watched watched;                              ///< of a plateau
};

class RatePlan {
 public:
  /// \param state outlives the plan
  RatePlan(const TrainerOptions& options, RateState& state) : options_(options), state_(state) {}

  /// The factor for the step from `done` to `after` epochs.
  [[nodiscard]] double factor(double done, double after) const {
    return state_.plateau *
           std::min(state_.scale * of_length(done, after, static_cast<double>(options_.epochs)), state_.ceiling);
  }

  /// Begins, or goes on after `done` epochs. With another number of epochs than before, the rate goes on from where it was
  /// along the new plan, and never above what the plan before would still have reached. With another schedule or warm-up
  /// it is that one's.
  /// \return a sentence that says so; empty where nothing has changed
  /// \throws ValueError where the schedule has come to 0, so that more epochs would train nothing.
  std::string go_on(std::int64_t done) {
    const RateState before = state_;
    RateState next = before;  // taken when nothing throws any more
    const auto all = static_cast<double>(options_.epochs), at = static_cast<double>(done);
    next.epochs = all, next.schedule = options_.schedule.text(), next.warmup = options_.warmup_epochs;
    if (done == 0 || before.epochs == 0) {
      state_ = next;
      return {};
    }
    const std::string change = "after " + std::to_string(done) + " epochs, of which there were to be " +
                               std::to_string(static_cast<std::int64_t>(before.epochs)) + " and now are " +
                               std::to_string(options_.epochs) + ", ";
    if (before.schedule != next.schedule || before.warmup != next.warmup) {
      next.scale = 1, next.ceiling = std::numeric_limits<double>::infinity();
      if (!options_.schedule.plateau()) next.plateau = 1;
      state_ = next;
      return change + "the learning rate is that of the new schedule, " + state_.schedule;
    }
    if (before.epochs == all || options_.epochs <= done) {
      state_ = next;
      return {};
    }
    const double from = of_length(at, at, before.epochs), to = of_length(at, at, all);
    if (from == 0)
      throw ValueError(
          message("value.234", "TrainerOptions.epochs", "expected no more than ", done, ", since the schedule ",
                  next.schedule, " came to 0 there, got ", options_.epochs,
                  "; to train on, give another TrainerOptions.schedule, such as CosineDecay{.last = 0.01}"));
    const double rate = std::min(before.scale * from, before.ceiling);
    if (to > 0) next.scale = rate / to;
    next.ceiling = std::min(before.scale * highest_from(at, before.epochs), before.ceiling);
    state_ = next;
    return from == to ? std::string()
                      : change + "the learning rate goes on from " + option_text(rate) +
                            " of its first value along the longer or shorter " + state_.schedule;
  }

  /// Takes the monitored figure of an epoch.
  void watch(double figure, bool larger_is_better) {
    const Plateau* plateau = options_.schedule.plateau();
    if (!plateau) return;
    state_.watched.take(figure, larger_is_better, options_.min_delta);
    if (state_.watched.since_best <= plateau->patience) return;
    state_.watched.since_best = 0;
    state_.plateau = std::max(state_.plateau * plateau->factor, plateau->min_factor);
  }

 private:
  [[nodiscard]] double of_length(double done, double after, double all) const {
    return factor_at(options_.schedule, options_.warmup_epochs, done, after, all);
  }

  /// The largest factor of a plan of `all` epochs after `done` of them.
  [[nodiscard]] double highest_from(double done, double all) const {
    constexpr int points = 1000;
    double highest = 0;
    for (int i = 0; i < points; ++i) {  // training asks for no factor at the end
      const double at = done + (all - done) * i / points;
      highest = std::max(highest, of_length(at, at, all));
    }
    return highest;
  }

  TrainerOptions options_;
  RateState& state_;
};

}  // namespace equipoise
