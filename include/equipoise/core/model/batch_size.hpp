// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How many records of a data set go through a model at once, where the caller leaves it open.

#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/batch/schema.hpp>

#include <algorithm>
#include <cstdint>

namespace equipoise {

/// Records at a time so that what a pass without graph keeps of them is about 64 MB, but at least 64: as many as make the
/// cost of a call small beside its work, and no more. Counted are inputs, features and the predictions of `coalitions`
/// decodings, each with its layers' activations by a rule of thumb: 8 times its own size, and 32 times for what varies in
/// space. It depends on shapes alone.
/// \param example one record or more
[[nodiscard]] inline std::int64_t records_at_once(const ModelBatch& example, const Schema& schema,
                                                  std::int64_t coalitions = 1) {
  constexpr std::int64_t budget = 64 << 20, least = 64, vector_layers = 8, map_layers = 32, number = 4;
  std::int64_t bytes = 1, pixels = 1;
  for (const at::Tensor& x : example.inputs) {
    std::int64_t entries = 1;
    for (std::int64_t d = 1; d < x.dim(); ++d) entries *= x.size(d);
    bytes += entries * static_cast<std::int64_t>(x.element_size()) * (x.dim() > 2 ? map_layers : vector_layers);
    if (x.dim() > 3) pixels = std::max(pixels, entries / std::max<std::int64_t>(x.size(1), 1));
  }
  std::int64_t decoded = 0;
  for (const std::int64_t width : schema.widths) decoded += width * vector_layers;
  for (const Schema::Task& task : schema.tasks)
    decoded += task.outputs * (task.traits.dense ? pixels * map_layers : vector_layers);
  return std::max(least, budget / (bytes + decoded * number * std::max<std::int64_t>(coalitions, 1)));
}

}  // namespace equipoise
