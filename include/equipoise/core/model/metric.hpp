// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A metric: a figure of a task's predictions on many records, with a name and a direction.

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

namespace equipoise {

struct Metric {
  std::string name;              ///< unique in its task: "mae", "c_index"
  bool larger_is_better = true;  ///< false for errors
  /// From predictions [N, …] and targets [N, …] of the records with a label, on the host. NaN where it has no value.
  std::function<double(const at::Tensor& prediction, const at::Tensor& target)> value;
};

/// A metric's value on a data set.
struct MetricValue {
  std::string name;
  bool larger_is_better = true;
  double value = 0;
};

}  // namespace equipoise
