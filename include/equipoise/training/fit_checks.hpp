// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a run refuses before it begins, or after an epoch.

#include <equipoise/balancing/any_policy.hpp>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/batch/records.hpp>
#include <equipoise/core/model/model_base.hpp>
#include <equipoise/training/options.hpp>

#include <torch/nn/module.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

namespace equipoise::detail {

/// A task is trained on labels, or not at all: targets that are all missing are a mistake, and their prior is NaN.
inline void check_labels(const ModelBase& model, const Records& train) {
  for (std::size_t k = 0; k < model.task_count(); ++k)
    if (train.has_target(k) && std::none_of(train.about().labelled.begin(), train.about().labelled.end(),
                                            [&](std::uint64_t l) { return (l >> k) & 1U; }))
      throw ValueError(message("value.221", "fit", "expected labels of task ", model.schema().tasks[k].name,
                               ", got only missing ones; eq::NoTarget{} as its target trains without the task"));
}

/// A loss of a batch in which records depend on each other has no weighted mean over them.
inline void check_weights(const ModelBase& model, const Records& train) {
  for (const Schema::Task& task : model.schema().tasks)
    if (task.traits.couples_records && !train.about().weights.empty())
      throw ValueError(message("value.238", "fit", "expected records without weights, since the loss of task ",
                               task.name,
                               " depends on all records of a batch; a task of your own can weigh them itself"));
}

/// What to tell of modalities that no training record has; empty where there is none.
[[nodiscard]] inline std::string note_on_unseen_modalities(const ModelBase& model, const Records& train) {
  std::string names;
  for (std::size_t m = 0; m < model.modality_count(); ++m)
    if (!train.about().presence.anywhere(m)) names += (names.empty() ? "" : ", ") + model.schema().modalities[m];
  return names.empty() ? names
                       : "no training record has the modality " + names +
                             ": the run does not train what belongs to it, and evaluations use it as it is";
}

/// A gradient can overflow behind a finite loss: a run must not go on with what it left, nor be saved.
inline void check_parameters(ModelBase& model, std::int64_t epoch) {
  for (const auto& parameter : model.module().named_parameters())
    if (!parameter.value().is_meta() && !std::isfinite(host_value(parameter.value().detach().sum())))
      throw NumericError(message("numeric.504", "parameter " + parameter.key(), "expected finite values after epoch ",
                                 epoch + 1, "; a lower learning rate, or TrainerOptions.clip_norm, may help"));
}

/// A loss over the batch is not a sum over its parts.
inline void check_coupled(const ModelBase& model, const TrainerOptions& options) {
  for (const Schema::Task& task : model.schema().tasks)
    if (task.traits.couples_records && options.micro_batches > 1)
      throw ValueError(message("value.225", "TrainerOptions.micro_batches", "expected 1, since the loss of task ",
                               task.name, " depends on all records of a batch, got ", options.micro_batches));
}

inline void check_stack(ModelBase& model, const PolicyStack& policies) {
  const auto count = [&](auto&& has) { return std::count_if(policies.begin(), policies.end(), has); };
  if (count([](const AnyPolicy& p) { return p.replaces_gradients(); }) > 1)
    throw ValueError(message("value.207", "policies", "expected at most one that replaces gradients"));
  if (count([](const AnyPolicy& p) { return p.sets_passes(); }) > 1)
    throw ValueError(message("value.207", "policies", "expected at most one that sets the passes of an epoch"));
  const auto drawing = count([](const AnyPolicy& p) { return p.draws_records(); });
  if (drawing > 1 || (drawing == 1 && count([](const AnyPolicy& p) { return p.adds_records(); }) > 0))
    throw ValueError(message("value.207", "policies",
                             "expected at most one that draws the records of an epoch, beside none that adds some"));
  for (const AnyPolicy& p : policies)
    for (std::size_t k = 0; p.needs().linear_head && k < model.task_count(); ++k)
      if (!model.head_weight(k).defined())
        throw ValueError(message("value.208", "policy " + std::string(p.id()), "task ", model.schema().tasks[k].name,
                                 ": expected a linear head, got one without weight()"));
}

}  // namespace equipoise::detail
