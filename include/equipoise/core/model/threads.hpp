// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How many threads a model deserves. A small model's kernels end before other threads have woken up: it is faster on one
/// thread, and on a busy machine many times so.

#include <equipoise/core/batch/dataset.hpp>
#include <equipoise/core/model/model.hpp>

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace equipoise {

/// About how many multiply-adds a forward pass over `records` records takes: each weight once a record, and once a position
/// where inputs vary in space (convolutions) or are sequences. Strides and pooling are not seen: an upper bound.
[[nodiscard]] inline double multiply_adds(ModelBase& model, const ModelBatch& data, std::int64_t records) {
  double pixels = 1, positions = 1;
  for (const at::Tensor& x : data.inputs) {
    if (x.numel() == 0) continue;
    const auto entries = static_cast<double>(x.numel() / std::max<std::int64_t>(x.size(0), 1));
    if (x.dim() > 3) pixels = std::max(pixels, entries / static_cast<double>(x.size(1)));
    if (x.dim() == 3) positions = std::max(positions, static_cast<double>(x.size(1)));
  }
  double sum = 0;
  for (const at::Tensor& p : model.module().parameters())
    if (p.dim() > 1) sum += static_cast<double>(p.numel()) * (p.dim() > 2 ? pixels : positions);
  return sum * static_cast<double>(records);
}

/// The threads for that much work: one below 50 million multiply-adds a pass (a few milliseconds on one core), else `most`.
[[nodiscard]] inline int threads_for(double multiply_adds, int most) {
  return multiply_adds < 5e7 ? 1 : std::max(most, 1);
}

/// Sets LibTorch's number of threads for training `model` on `data` in batches of `batch_size`, and returns it. Only the
/// first record is looked at. It is a
/// setting of the whole program. A program that goes on with several threads on a machine that it shares should begin with
/// `wait_passively` (core/base/threads.hpp).
/// \code
/// eq::use_threads(*model, train);  // before the trainer
/// \endcode
template <class Encoders, class Tasks, Dataset D>
int use_threads(Model<Encoders, Tasks>& model, const D& data, std::int64_t batch_size = 32) {
  const std::vector<std::int64_t> first(data.size() > 0 ? 1 : 0, 0);
  const ModelBatch example = model.to_model_inputs(data.select(std::span(first)));
  const int threads = threads_for(multiply_adds(model, example, batch_size), at::get_num_threads());
  at::set_num_threads(threads);
  return threads;
}

}  // namespace equipoise
