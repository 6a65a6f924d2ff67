// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A plan or a delivery log from any file that can hold one. The kind is told from the content, not from the name.

#include <equipoise/psqa/plan.hpp>
#include <equipoise/psqa/readers/file_kind.hpp>

#include <filesystem>
#include <optional>

namespace equipoise::psqa {

/// A plan from a file of any known kind. \throws FileError that names the file and what is wrong with it.
[[nodiscard]] inline Plan read_plan(const std::filesystem::path& path, const RtplanOptions& options = {}) {
  std::optional<Plan> plan;
  for_reader_of(file_kind(path), [&]<class R>() {
    if constexpr (ReadsPlans<R>) plan = R::read_plan(path, options);
  });
  return plan ? *std::move(plan) : read_rtplan(path, options);  // which says what is wrong with a file of another kind
}

/// A delivery log from a file of any known kind. \throws FileError that names the file and what is wrong with it.
[[nodiscard]] inline DeliveryLog read_log(const std::filesystem::path& path) {
  std::optional<DeliveryLog> log;
  for_reader_of(file_kind(path), [&]<class R>() {
    if constexpr (ReadsLogs<R>) log = R::read_log(path);
  });
  return log ? *std::move(log) : read_elekta_log(path);
}

}  // namespace equipoise::psqa
