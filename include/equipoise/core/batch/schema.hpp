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

/// What a task offers beside its loss, found by what its class has (core/model/concepts.hpp). Policies ask for it by name
/// and fall back on the loss; none asks what kind of task it is.
struct TaskTraits {
  bool dense = false;             ///< it reads a joint map: decoding it is costly
  bool score = false;             ///< a score in [0, 1] a record
  bool certainty = false;         ///< how certain a prediction is
  bool probabilities = false;     ///< predictions as probabilities of classes
  bool residual_loss = false;     ///< a loss of its own against what others predict
  bool correctness = false;       ///< whether a prediction is right
  bool couples_records = false;   ///< a record's loss depends on the other records of the batch
  double likelihood_scale = 0.5;  ///< factor of e^{-s} L in the likelihood: 1/2 of a Gaussian, 1 of classes
};

struct Schema {
  struct Task {
    std::string name;
    std::int64_t outputs = 0;  ///< columns, classes or channels
    TaskTraits traits{};
  };

  std::vector<std::string> modalities;  ///< [M] in declaration order: bit m of a coalition is modality m
  std::vector<std::int64_t> widths;     ///< [M] of the modalities' features: D, or C of the deepest map
  std::vector<Task> tasks;              ///< [K] in declaration order
};

/// The part of the records on which a policy decodes a task's coalitions: for dense tasks less than all, since decoding
/// them would cost more than what they are for.
[[nodiscard]] inline double decoded_share(const Schema::Task& task, double dense_share) {
  return task.traits.dense ? dense_share : 1;
}

}  // namespace equipoise
