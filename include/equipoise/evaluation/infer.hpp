// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a model says of a whole data set: in evaluation mode, without graph, a part of the records at a time.

#include <equipoise/core/batch/dataset.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/model/batch_size.hpp>
#include <equipoise/core/model/mode.hpp>
#include <equipoise/core/model/model.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

/// Joins parts along the records. A map that is the same everywhere comes as one pixel where no record of a part has the
/// map modality.
[[nodiscard]] inline at::Tensor joined_records(std::vector<at::Tensor> parts, std::int64_t dim) {
  std::vector<std::int64_t> size;
  for (const at::Tensor& t : parts)
    if (size.empty() || t.size(-1) > size.back()) size = t.sizes().vec();
  for (at::Tensor& t : parts) {
    size[static_cast<std::size_t>(dim)] = t.size(dim);
    t = t.expand(size);
  }
  return at::cat(parts, dim);
}

/// The inputs of a data set's records [begin, end), in the model's order.
template <class M, class In, class Out>
[[nodiscard]] auto input_parts(const M& model, const Batch<In, Out>& data) {
  return [all = model.to_model_inputs(data)](std::int64_t begin, std::int64_t end) { return all.slice(begin, end); };
}
template <class M, Dataset D>
[[nodiscard]] auto input_parts(const M& model, const D& data) {
  return [&](std::int64_t begin, std::int64_t end) {
    ModelBatch inputs = model.to_model_inputs(data.select(rows_between(begin, end)));
    check_selected(inputs.size(), end - begin);
    if (counts_its_records(inputs))
      for (std::int64_t& id : inputs.ids) id += begin;  // for messages: without ids a record's is its position
    return inputs;
  };
}

/// \param predict called with each part of the data \param dim where its predictions have their records
template <class M, Dataset D, class Predict>
[[nodiscard]] auto inferred(M& model, const D& data, std::int64_t batch_size, std::int64_t coalitions, std::int64_t dim,
                            Predict&& predict) {
  check_option(batch_size >= 0, "infer.batch_size", ">= 0", batch_size);
  const auto records = static_cast<std::int64_t>(data.size());
  const auto inputs = input_parts(model, data);
  if (batch_size == 0)
    batch_size = records_at_once(inputs(0, std::min<std::int64_t>(records, 1)), model.schema(), coalitions);
  const at::NoGradGuard no_grad;
  const EvaluationMode evaluation(model.module());
  std::vector<decltype(predict(inputs(0, 0)))> parts;
  std::int64_t begin = 0;
  do {
    parts.push_back(predict(inputs(begin, std::min(begin + batch_size, records))));
    parts.back().for_each([](auto, at::Tensor& t) { t = host_copy(t); });
    begin += batch_size;
  } while (begin < records);
  auto out = parts.front();
  out.for_each([&](auto key, at::Tensor& whole) {
    std::vector<at::Tensor> of_task;
    for (const auto& part : parts) of_task.push_back(part[key]);
    whole = joined_records(std::move(of_task), dim);
  });
  return out;
}

}  // namespace detail

/// Predictions [N, …] of a data set by task name, on the host; maps as one pixel, [N, O, 1, 1], where no record has a
/// modality that varies in space. Targets are not looked at.
/// \param batch_size records at a time; 0 chooses by the memory that they need (`records_at_once`)
/// \code
/// const at::Tensor rates = eq::infer(*model, test)["gpr"_n];
/// \endcode
template <class Encoders, class Tasks, Dataset D>
[[nodiscard]] auto infer(Model<Encoders, Tasks>& model, const D& data, std::int64_t batch_size = 0) {
  return detail::inferred(model, data, batch_size, 1, 0, [&](const ModelBatch& part) { return model.predict(part); });
}

/// The same for coalitions: [C, N, …].
template <class Encoders, class Tasks, Dataset D>
[[nodiscard]] auto infer(Model<Encoders, Tasks>& model, const D& data, std::span<const Coalition> coalitions,
                         std::int64_t batch_size = 0) {
  return detail::inferred(model, data, batch_size, static_cast<std::int64_t>(coalitions.size()), 1,
                          [&](const ModelBatch& part) { return model.predict(part, coalitions); });
}

}  // namespace equipoise
