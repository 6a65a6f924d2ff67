// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Training and evaluation mode for a while: every part of a module is afterwards in the mode that it was in before.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/batch/presence.hpp>

#include <ATen/ops/stack.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace equipoise::detail {

/// Calls `f` with a module and all of its parts, each before its own parts; without the names that LibTorch's walks make.
template <class F>
void for_each_part(torch::nn::Module& module, F&& f) {
  f(module);
  for (const auto& part : module.children()) for_each_part(*part, f);
}

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
    try {
      module_.train(training_);
      for (const auto& [part, training] : parts_) part->train(training);  // a part comes after what it is a part of
    } catch (...) {  // a user's own train(): a destructor throws nothing
    }
  }

 private:
  torch::nn::Module& module_;
  bool training_;
  std::vector<std::pair<std::shared_ptr<torch::nn::Module>, bool>> parts_;
};

/// The modules that threads have put into evaluation mode for a while, and which thread.
struct EvaluatedModules {
  std::mutex mutex;
  std::map<const torch::nn::Module*, std::thread::id> threads;

  [[nodiscard]] static EvaluatedModules& instance() {
    static EvaluatedModules all;
    return all;
  }
};

/// Puts a module into evaluation mode and back. A module that is in it already is not touched, so that several threads may
/// evaluate one model at a time. \throws ValueError where another thread will put it back into training mode
class EvaluationMode {
 public:
  explicit EvaluationMode(torch::nn::Module& module) : module_(module) {
    EvaluatedModules& all = EvaluatedModules::instance();
    const std::lock_guard lock(all.mutex);
    if (const auto held = all.threads.find(&module);
        held != all.threads.end() && held->second != std::this_thread::get_id())
      throw ValueError(message("value.239", "model",
                               "expected evaluation mode, since several threads evaluate it, got "
                               "training mode: call model->eval() before"));
    bool any = false;
    for_each_part(module, [&](const torch::nn::Module& part) {
      any = any || part.is_training();
      all_ = all_ && part.is_training();
    });
    if (!any) return;
    if (!all_) before_.emplace(module);
    module.eval();
    all.threads.emplace(&module, std::this_thread::get_id());
    changed_ = true;
  }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;
  ~EvaluationMode() {
    if (!changed_) return;
    try {
      EvaluatedModules& all = EvaluatedModules::instance();
      const std::lock_guard lock(all.mutex);
      all.threads.erase(&module_);
      all_ ? module_.train() : before_.reset();
    } catch (...) {  // a user's own train(): a destructor throws nothing
    }
  }

 private:
  torch::nn::Module& module_;
  bool all_ = true, changed_ = false;  ///< all parts were in training mode; some mode has been changed
  std::optional<KeepMode> before_;     ///< where they were in different ones
};

/// The parts of a module that learn statistics of batches, as batch norm does.
[[nodiscard]] inline std::vector<torch::nn::Module*> batch_statistics(torch::nn::Module& module) {
  std::vector<torch::nn::Module*> out;
  module.apply([&](torch::nn::Module& part) {
    if (part.named_buffers(/*recurse=*/false).contains("running_mean")) out.push_back(&part);
  });
  return out;
}

/// Evaluation mode of a single row for the parts that learn batch statistics: one row has no spread that a batch norm could
/// normalise by, so that it takes the statistics that there are. Other parts, dropout among them, keep their mode.
class ModeForRows {
 public:
  ModeForRows(torch::nn::Module& module, std::int64_t rows) {
    if (rows != 1 || !module.is_training()) return;
    for (torch::nn::Module* part : batch_statistics(module))
      if (part->is_training()) {
        part->eval();
        parts_.push_back(part);
      }
  }
  ModeForRows(const ModeForRows&) = delete;
  ModeForRows& operator=(const ModeForRows&) = delete;
  ~ModeForRows() {
    try {
      for (torch::nn::Module* part : parts_) part->train();
    } catch (...) {  // a user's own train(): a destructor throws nothing
    }
  }

 private:
  std::vector<torch::nn::Module*> parts_;
};

/// Puts the parts whose parameters are all frozen (`requires_grad(false)`) into evaluation mode: they must learn no
/// statistics, nor drop features.
inline void evaluate_frozen(torch::nn::Module& module) {
  for (const auto& part : module.modules(/*include_self=*/false)) {
    const std::vector<at::Tensor> own = part->parameters();
    if (!own.empty() && std::none_of(own.begin(), own.end(), [](const at::Tensor& p) { return p.requires_grad(); }))
      part->eval();
  }
}

/// A head with its guards: layers of it that learn batch statistics see one coalition after the other, of each only the
/// records with a modality, and a single row in evaluation mode. A dense head is given the rows of all coalitions at once.
template <class Head>
class GuardedHead {
 public:
  /// \param prior what is predicted without any modality, [O]
  GuardedHead(Head& head, at::Tensor prior) : head_(head), prior_(std::move(prior)) {}

  [[nodiscard]] const at::Tensor& prior() const { return prior_; }
  [[nodiscard]] at::Tensor forward(const at::Tensor& rows) {
    const ModeForRows mode(head_, rows.size(0));
    return head_.forward(rows);
  }
  /// \param joint [C, B, W]  \return [C, B, O]; of no meaning where a row has no modality
  [[nodiscard]] at::Tensor forward(const at::Tensor& joint, const Presence& presence) {
    const std::int64_t c = presence.coalitions(), b = presence.records();
    if (!head_.is_training() || (c == 1 && presence.no_row_empty()) || batch_statistics(head_).empty())
      return forward(joint.flatten(0, 1)).view({c, b, -1});
    std::vector<at::Tensor> out;
    for (std::int64_t i = 0; i < c; ++i) {
      std::vector<std::int64_t> rows;
      for (std::int64_t r = 0; r < b; ++r)
        if (!presence.of_row(static_cast<std::size_t>(i * b + r)).empty()) rows.push_back(r);
      if (rows.empty()) continue;
      const at::Tensor index = index_tensor(rows, joint), z = forward(joint.select(0, i).index_select(0, index));
      if (out.empty()) out.assign(static_cast<std::size_t>(c), z.new_zeros({b, z.size(1)}));
      out[static_cast<std::size_t>(i)] = out[static_cast<std::size_t>(i)].index_copy(0, index, z);
    }
    return at::stack(out);
  }

 private:
  Head& head_;
  at::Tensor prior_;
};

}  // namespace equipoise::detail
