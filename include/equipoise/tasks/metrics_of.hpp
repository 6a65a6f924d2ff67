// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Metrics of a part of a prediction, such as the mean of a predicted distribution.

#include <equipoise/core/model/metric.hpp>

#include <utility>
#include <vector>

namespace equipoise::detail {

/// The same metrics, computed from `part(prediction)`.
template <class F>
[[nodiscard]] std::vector<Metric> metrics_of(std::vector<Metric> metrics, const F& part) {
  for (Metric& m : metrics)
    m.value = [part, value = std::move(m.value)](const at::Tensor& prediction, const at::Tensor& target) {
      return value(part(prediction), target);
    };
  return metrics;
}

}  // namespace equipoise::detail
