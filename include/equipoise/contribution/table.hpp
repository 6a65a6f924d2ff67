// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The losses of coalitions for every record of a data set: one pass of the encoders, all coalitions decoded at once.
/// From this table come Shapley values, resampling plans and validation losses.

#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/model/mode.hpp>
#include <equipoise/core/model/model_base.hpp>
#include <equipoise/core/policy/step.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

/// Calls `f(batch)` on consecutive batches of the data, on the device.
template <class F>
void for_each_batch(const ModelBatch& data, std::int64_t batch_size, c10::Device device, F&& f) {
  for (std::int64_t begin = 0; begin < data.size(); begin += batch_size) {
    std::vector<std::int64_t> rows(static_cast<std::size_t>(std::min(batch_size, data.size() - begin)));
    std::iota(rows.begin(), rows.end(), begin);
    f(data.select(rows).to(device));
  }
}

}  // namespace detail

/// Evaluates coalitions on every record, in evaluation mode and without gradient. A record's own presence applies to
/// every coalition.
[[nodiscard]] inline CoalitionTable coalition_table(ModelBase& model, const ModelBatch& data,
                                                    std::span<const Coalition> coalitions,
                                                    std::int64_t batch_size = 64) {
  check_option(batch_size > 0, "coalition_table.batch_size", "> 0", batch_size);
  const at::NoGradGuard no_grad;
  const detail::EvaluationMode evaluation(model.module());
  const std::size_t tasks = model.task_count();
  std::vector<std::vector<at::Tensor>> losses(tasks), correct(tasks);
  CoalitionTable table{std::vector<at::Tensor>(tasks), std::vector<at::Tensor>(tasks),
                       std::vector<std::vector<bool>>(tasks)};
  detail::for_each_batch(data, batch_size, model.device(), [&](const ModelBatch& batch) {
    const Features features = model.encode(batch, model.full());
    const Presence presence = features.presence.restricted_to(coalitions);
    for (std::size_t k = 0; k < tasks; ++k) {
      if (!batch.targets[k].defined()) continue;
      const at::Tensor z = model.outputs(k, features, presence);
      losses[k].push_back(host_copy(model.loss(k, z, batch.targets[k], (batch.incomplete >> k) & 1U).to(at::kDouble)));
      if (model.schema().tasks[k].kind == TaskKind::classification)
        correct[k].push_back(  // a NaN is no answer
            host_copy(z.argmax(2).eq(batch.targets[k].unsqueeze(0)).logical_and(z.isnan().any(2).logical_not())));
      for (const std::uint64_t labelled : batch.labelled) table.labelled[k].push_back((labelled >> k) & 1U);
    }
  });
  for (std::size_t k = 0; k < tasks; ++k) {
    if (!losses[k].empty()) table.losses[k] = at::cat(losses[k], 1);
    if (!correct[k].empty()) table.correct[k] = at::cat(correct[k], 1);
  }
  return table;
}

}  // namespace equipoise
