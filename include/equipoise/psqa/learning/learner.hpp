// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A model of the PSQA family behind one interface, whatever it is composed of. `make_learner` of methods.hpp makes one;
/// code that only uses it need not compile all models.

#include <equipoise/balancing/any_policy.hpp>
#include <equipoise/contribution/data_set.hpp>
#include <equipoise/psqa/learning/data.hpp>
#include <equipoise/training/history.hpp>
#include <equipoise/training/options.hpp>

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <utility>

namespace equipoise::psqa {

using PsqaBatch = decltype(learning_batch(std::declval<const Cohort&>(), std::declval<const Scales&>()));
using PlanBatch = decltype(plan_batch(std::declval<const DoseGrid&>(), {}, std::declval<const Scales&>()));

/// What a caller may watch and stop.
struct Watch {
  std::function<void(const EpochRecord&)> on_epoch;
  std::function<void(std::int64_t, std::int64_t)> on_batch;
  std::function<bool()> should_stop;
};

/// Outputs in the model's own scale.
struct PsqaOutput {
  at::Tensor gpr;  ///< [N, C], in the order of `kCriteria`
  at::Tensor dd;   ///< [N, 1, h, w]
};

class Learner {
 public:
  virtual ~Learner() = default;
  /// Takes the policies, which stay part of the model, since some also act at inference; once, before `fit` or `restore`.
  /// \throws ValueError for options or policies that do not fit: before anything is written.
  virtual void prepare(PolicyStack policies, const TrainerOptions& options) = 0;
  /// \param resume a checkpoint to go on from, or empty
  virtual History fit(const PsqaBatch& train, const PsqaBatch& validation, const Watch& watch,
                      const std::filesystem::path& resume) = 0;
  /// Restores the best epoch's model from a checkpoint.
  virtual void restore(const std::filesystem::path& checkpoint) = 0;
  [[nodiscard]] virtual PsqaOutput predict(const PsqaBatch& data) = 0;
  [[nodiscard]] virtual PsqaOutput predict(const PlanBatch& plan) = 0;
  [[nodiscard]] virtual Contributions contributions_on(const PsqaBatch& data) = 0;
  [[nodiscard]] virtual torch::nn::Module& module() = 0;
};

}  // namespace equipoise::psqa
