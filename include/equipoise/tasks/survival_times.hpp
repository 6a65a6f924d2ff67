// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The target of survival tasks: times until an event, some of them censored.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/batch/schema.hpp>
#include <equipoise/core/batch/target.hpp>

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace equipoise {

/// Times and events, floating [N, 2]: (time > 0, 1) if the event came at that time, (time > 0, 0)
/// if the record was followed without an event until then (censored), NaN where they are missing.
struct SurvivalTimes {
  at::Tensor tensor;

  /// Both entries of a record are missing if either is NaN.
  [[nodiscard]] static at::Tensor missing(const at::Tensor& t) { return torch::isnan(t).any(1, true).expand_as(t); }
  static void check(const at::Tensor& t, const Schema::Task& task, std::span<const std::int64_t> ids = {}) {
    if (t.dim() != 2 || t.size(1) != 2 || !t.is_floating_point())
      throw ShapeError(message("shape.110", "target of task " + task.name,
                               "expected times and events [B, 2] of a floating type, got ", t.sizes(), " of ",
                               t.scalar_type()));
    if (t.is_meta()) return;
    const std::vector<std::int64_t> bad = records_where(t, ids, [](const at::Tensor& some) {
      const at::Tensor time = some.select(1, 0), event = some.select(1, 1);
      const at::Tensor fits = (time.gt(0) & time.isfinite() & (event.eq(0) | event.eq(1))) | some.isnan().any(1);
      return fits.logical_not();
    });
    if (!bad.empty())
      throw ValueError(message("value.250", "target of task " + task.name,
                               "expected a time > 0 and an event of 0 or 1, got another number in ",
                               named_records(bad)));
  }
};

namespace detail {

/// \param targets [N, 2] of the training records  \throws ValueError where none has an event: nothing can be learned
inline void check_any_event(const at::Tensor& targets, std::string_view task) {
  if (!targets.select(1, 1).eq(1).any().item<bool>())
    throw ValueError(message("value.221", task,
                             "expected an event (1) in at least one training record, got none: all are censored (0)"));
}

}  // namespace detail
}  // namespace equipoise
