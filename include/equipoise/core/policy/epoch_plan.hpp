// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What an epoch does, as data: which records are seen with which modalities, and the passes made over each batch.
/// Alternating schedules (MLA, ReconBoost) and resampling (modality valuation) are such data; the training loop has no
/// code for them.

#include <equipoise/core/batch/coalition.hpp>

#include <cstdint>
#include <vector>

namespace equipoise {

/// One record of the training data, seen with some of its modalities.
struct PlanItem {
  std::int64_t record = 0;  ///< position in the training data
  Coalition modalities;     ///< those it may show; its own presence still applies
};

/// One forward and backward over a batch.
struct Pass {
  Coalition active;      ///< modalities that are encoded; the others are absent
  std::uint64_t groups;  ///< bit m: modality m's parameters are trained; bit M: the shared ones
  bool step = true;      ///< whether the optimiser steps after it
  bool joint = true;     ///< whether the tasks' own losses are objectives; otherwise a policy adds its own
};

struct EpochPlan {
  std::vector<PlanItem> items;
  std::vector<Pass> passes;
  bool shuffled = true;  ///< whether the trainer shuffles the items; otherwise batches take them in their order

  /// Every record with everything it has, one pass that trains all.
  [[nodiscard]] static EpochPlan joint(std::int64_t records, std::size_t modalities) {
    EpochPlan plan;
    for (std::int64_t i = 0; i < records; ++i) plan.items.push_back({i, Coalition::full(modalities)});
    plan.passes = {Pass{Coalition::full(modalities), Coalition::full(modalities + 1).bits()}};
    return plan;
  }

  /// Makes one pass for each modality instead, in their order. It shows the modality alone, and trains its parameters
  /// and the shared ones.
  void show_modalities_alone(std::size_t modalities) {
    passes.clear();
    for (std::size_t m = 0; m < modalities; ++m)
      passes.push_back({Coalition::single(m), Coalition::single(m).with(modalities).bits()});
  }
};

}  // namespace equipoise
