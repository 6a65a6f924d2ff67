// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A metric: a figure of a task's predictions on many records, with a name and a direction.

#include <equipoise/core/base/errors.hpp>

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

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

namespace detail {

/// The value of a task's metric. \throws ShapeError with the names of the metric and the task for what LibTorch refuses
[[nodiscard]] inline double value_of(const Metric& metric, const std::string& task, const at::Tensor& prediction,
                                     const at::Tensor& target) {
  try {
    return metric.value(prediction, target);
  } catch (const ShapeError& e) {  // which knows the metric, not the task
    throw ShapeError(with_place(e, "task " + task));
  } catch (const c10::Error& e) {  // of a user's own metric
    const std::string text = e.what_without_backtrace();
    throw ShapeError(message("shape.119", "metric " + metric.name + ", task " + task,
                             "expected predictions and targets that it can be computed from, got predictions ",
                             prediction.sizes(), " and targets ", target.sizes(), " of ", target.scalar_type(),
                             "; LibTorch says: ", text.substr(0, text.find('\n'))));
  }
}

}  // namespace detail

}  // namespace equipoise
