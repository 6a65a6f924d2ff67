// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A metric: a figure of a task's predictions on many records, with a name and a direction.

#include <equipoise/core/base/errors.hpp>

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

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

/// \param correctness whether evaluations also have the task's accuracy
/// \throws NameError where a metric has the name of another figure of the task
inline void check_metric_names(const std::vector<Metric>& metrics, const std::string& task, bool correctness) {
  std::vector<std::string> taken = {"loss"};
  if (correctness) taken.emplace_back("accuracy");
  for (const Metric& m : metrics) {
    if (m.name.empty() || std::find(taken.begin(), taken.end(), m.name) != taken.end())
      throw NameError(message("name.322", "metrics of task " + task,
                              "expected a name that no other figure of the task has, got \"", m.name, "\""));
    taken.push_back(m.name);
  }
}

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
