// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Training and evaluation mode for a while: every part of a module is afterwards in the mode that it was in before.

#include <torch/nn/module.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace equipoise::detail {

/// Puts a module's modes back, part by part: some may be in another mode than the whole.
class KeepMode {
 public:
  explicit KeepMode(torch::nn::Module& module) : module_(module), training_(module.is_training()) {
    for (auto& part : module.modules(/*include_self=*/false)) {
      const bool training = part->is_training();
      parts_.emplace_back(std::move(part), training);
    }
  }
  KeepMode(const KeepMode&) = delete;
  KeepMode& operator=(const KeepMode&) = delete;
  ~KeepMode() {
    module_.train(training_);
    for (const auto& [part, training] : parts_) part->train(training);  // a part comes after what it is a part of
  }

 private:
  torch::nn::Module& module_;
  bool training_;
  std::vector<std::pair<std::shared_ptr<torch::nn::Module>, bool>> parts_;
};

/// Puts a module into evaluation mode and back.
class EvaluationMode {
 public:
  explicit EvaluationMode(torch::nn::Module& module) : before_(module) { module.eval(); }

 private:
  KeepMode before_;
};

/// Evaluation mode for a single row of a module that learns statistics (it has buffers): one row has no spread that a
/// batch norm could normalise by, so that it takes the statistics that there are. Nothing for any other module.
[[nodiscard]] inline std::optional<EvaluationMode> mode_for_rows(torch::nn::Module& module, std::int64_t rows) {
  if (rows != 1 || !module.is_training() || module.buffers().empty()) return std::nullopt;
  return std::optional<EvaluationMode>(std::in_place, module);
}

}  // namespace equipoise::detail
