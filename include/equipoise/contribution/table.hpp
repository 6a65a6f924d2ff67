// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The losses of coalitions for every record of a data set: one pass of the encoders, all coalitions decoded at once.
/// From this table come Shapley values, resampling plans and validation losses.

#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/batch/model_batch.hpp>
#include <equipoise/core/batch/records.hpp>
#include <equipoise/core/model/batch_size.hpp>
#include <equipoise/core/model/mode.hpp>
#include <equipoise/core/model/model_base.hpp>
#include <equipoise/core/policy/step.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

/// Calls `f(batch)` on consecutive batches of the data, on the model's device.
template <class F>
void for_each_batch(const Records& data, std::int64_t batch_size, const ModelBase& model, F&& f) {
  for (std::int64_t begin = 0; begin < data.size(); begin += batch_size) {
    const ModelBatch batch = data.slice(begin, std::min(begin + batch_size, data.size()));
    check_inputs(batch, model.schema());
    f(batch.to(model.device()));
  }
}

}  // namespace detail

namespace detail {

/// What is gathered of one task, batch by batch.
struct TaskRows {
  std::vector<at::Tensor> losses, correct;  ///< [C, B]
  std::vector<at::Tensor> predictions,
      targets;  ///< [C, B, …] and [B, …] on the host, where the whole is needed at once
};

/// A task's metrics on the records with a label, a list a coalition.
/// \param predictions [C, N, …]  \param targets [N, …]
[[nodiscard]] inline std::vector<std::vector<MetricValue>> metric_values(const std::vector<Metric>& metrics,
                                                                         const std::string& task,
                                                                         const at::Tensor& predictions,
                                                                         const at::Tensor& targets,
                                                                         const std::vector<bool>& labelled) {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < labelled.size(); ++i)
    if (labelled[i]) rows.push_back(static_cast<std::int64_t>(i));
  const at::Tensor index = index_tensor(rows, targets), target = targets.index_select(0, index);
  std::vector<std::vector<MetricValue>> out;
  for (std::int64_t c = 0; c < predictions.size(0); ++c) {
    const at::Tensor prediction = predictions.select(0, c).index_select(0, index);
    std::vector<MetricValue>& values = out.emplace_back();
    for (const Metric& m : metrics)
      values.push_back({m.name, m.larger_is_better, value_of(m, task, prediction, target)});
  }
  return out;
}

}  // namespace detail

/// Whether `coalition_table` also computes the tasks' own metrics, for which it keeps all predictions.
enum class WithMetrics : bool { no, yes };

/// Evaluates coalitions on every record, in evaluation mode and without gradient. A record's own presence applies to
/// every coalition. The losses of a task that couples records are those of the whole data set.
/// \param batch_size records at a time; 0 chooses (`records_at_once`)
[[nodiscard]] inline CoalitionTable coalition_table(ModelBase& model, const Records& data,
                                                    std::span<const Coalition> coalitions, std::int64_t batch_size = 0,
                                                    WithMetrics with_metrics = WithMetrics::no) {
  check_option(batch_size >= 0, "coalition_table.batch_size", ">= 0", batch_size);
  if (batch_size == 0)
    batch_size = records_at_once(data.example(), model.schema(), static_cast<std::int64_t>(coalitions.size()));
  const at::NoGradGuard no_grad;
  const detail::EvaluationMode evaluation(model.module());
  const std::size_t tasks = model.task_count();
  std::vector<detail::TaskRows> rows(tasks);
  std::vector<std::vector<Metric>> metrics(tasks);
  for (std::size_t k = 0; with_metrics == WithMetrics::yes && k < tasks; ++k) metrics[k] = model.metrics(k);
  CoalitionTable table{std::vector<at::Tensor>(tasks), std::vector<at::Tensor>(tasks),
                       std::vector<std::vector<bool>>(tasks),
                       std::vector<std::vector<std::vector<MetricValue>>>(tasks)};
  detail::for_each_batch(data, batch_size, model, [&](const ModelBatch& batch) {
    const Features features = model.encode(batch, model.full());
    const Presence presence = features.presence.restricted_to(coalitions);
    for (std::size_t k = 0; k < tasks; ++k) {
      if (!batch.targets[k].defined()) continue;
      const TaskTraits& traits = model.schema().tasks[k].traits;
      const at::Tensor z = model.outputs(k, features, presence);
      if (!traits.couples_records)
        rows[k].losses.push_back(
            host_copy(model.loss(k, z, batch.targets[k], (batch.incomplete >> k) & 1U).to(at::kDouble)));
      if (traits.correctness) rows[k].correct.push_back(host_copy(model.correct(k, z, batch.targets[k])));
      if (traits.couples_records || !metrics[k].empty())
        rows[k].predictions.push_back(host_copy(detail::on_all_pixels(z, batch.targets[k]))),
            rows[k].targets.push_back(host_copy(batch.targets[k]));
    }
  });
  for (std::size_t k = 0; k < tasks; ++k) {
    if (!data.has_target(k)) continue;
    for (const std::uint64_t labelled : data.about().labelled) table.labelled[k].push_back((labelled >> k) & 1U);
    if (!rows[k].losses.empty()) table.losses[k] = at::cat(rows[k].losses, 1);
    if (!rows[k].correct.empty()) table.correct[k] = at::cat(rows[k].correct, 1);
    if (rows[k].predictions.empty()) continue;
    const at::Tensor predictions = at::cat(rows[k].predictions, 1), targets = at::cat(rows[k].targets);
    if (model.schema().tasks[k].traits.couples_records)
      table.losses[k] =
          model.loss(k, predictions, targets, (data.about().incomplete >> k) & 1U).to(at::kDouble).contiguous();
    if (!metrics[k].empty())
      table.metrics[k] =
          detail::metric_values(metrics[k], model.schema().tasks[k].name, predictions, targets, table.labelled[k]);
  }
  return table;
}

}  // namespace equipoise
