// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Weights of records that make classes count alike: `train.with_weights(eq::balanced_weights(train.targets["label"_n]))`.

#include <equipoise/core/batch/target.hpp>

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <vector>

namespace equipoise {

/// N / (K n_c) for a record of class c, of which there are n_c among N records with a label, in K classes that occur; 1 for
/// a record without a label, whose weight does not matter to this task.
[[nodiscard]] inline std::vector<double> balanced_weights(const Labels& labels) {
  const at::Tensor host = labels.tensor.to(at::kCPU, at::kLong).contiguous();
  const std::int64_t* label = host.const_data_ptr<std::int64_t>();
  std::map<std::int64_t, double> counts;
  double n = 0;
  for (std::int64_t i = 0; i < host.numel(); ++i)
    if (label[i] >= 0) ++counts[label[i]], ++n;
  std::vector<double> out;
  for (std::int64_t i = 0; i < host.numel(); ++i)
    out.push_back(label[i] < 0 ? 1 : n / (static_cast<double>(counts.size()) * counts[label[i]]));
  return out;
}

}  // namespace equipoise
