// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A model's names at run time: what logs, checkpoints, reports and policies see of what the compiler checked.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise {

/// What a task predicts, as far as losses, scores and metrics differ.
enum class TaskKind : std::uint8_t { regression, classification, dense_regression };

[[nodiscard]] constexpr std::string_view to_string(TaskKind kind) {
  return kind == TaskKind::regression       ? "regression"
         : kind == TaskKind::classification ? "classification"
                                            : "dense regression";
}

/// The part of the records on which a policy decodes a task's coalitions: for maps less than all, since decoding them
/// would cost more than what they are for.
[[nodiscard]] constexpr double decoded_share(TaskKind kind, double dense_share) {
  return kind == TaskKind::dense_regression ? dense_share : 1;
}

struct Schema {
  struct Task {
    std::string name;
    TaskKind kind = TaskKind::regression;
    std::int64_t outputs = 0;  ///< columns, classes or channels
  };

  std::vector<std::string> modalities;  ///< [M] in declaration order: bit m of a coalition is modality m
  std::vector<std::int64_t> widths;     ///< [M] of the modalities' features: D, or C of the deepest map
  std::vector<Task> tasks;              ///< [K] in declaration order
};

}  // namespace equipoise
