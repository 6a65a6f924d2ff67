// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A copy of a module's parameters and buffers, to return to.

#include <equipoise/core/base/ranges.hpp>

#include <ATen/core/grad_mode.h>
#include <torch/nn/module.h>

#include <string>
#include <utility>
#include <vector>

namespace equipoise::detail {

class Snapshot {
 public:
  /// The names of a module's parameters and buffers, in the order of a snapshot's copies.
  [[nodiscard]] static std::vector<std::string> names(const torch::nn::Module& module) {
    std::vector<std::string> out = module.named_parameters().keys();
    const std::vector<std::string> buffers = module.named_buffers().keys();
    out.insert(out.end(), buffers.begin(), buffers.end());
    return out;
  }

  Snapshot() = default;
  explicit Snapshot(torch::nn::Module& module) {
    for (const at::Tensor& t : tensors(module)) copies_.push_back(t.detach().clone());
  }
  [[nodiscard]] bool empty() const { return copies_.empty(); }
  [[nodiscard]] std::vector<at::Tensor>& copies() { return copies_; }

  /// Whether the module still is as it was.
  [[nodiscard]] bool is(torch::nn::Module& module) const {
    const std::vector<at::Tensor> now = tensors(module);
    if (now.size() != copies_.size()) return false;
    for (std::size_t i = 0; i < now.size(); ++i)
      if (!now[i].is_meta() && !now[i].equal(copies_[i])) return false;
    return true;
  }

  void restore(torch::nn::Module& module) const {
    const at::NoGradGuard no_grad;
    const std::vector<at::Tensor> to = tensors(module);
    for (const auto& [tensor, copy] : views::zip(to, copies_)) tensor.detach().copy_(copy);
  }

 private:
  static std::vector<at::Tensor> tensors(torch::nn::Module& module) {
    std::vector<at::Tensor> out = module.parameters();
    const std::vector<at::Tensor> buffers = module.buffers();
    out.insert(out.end(), buffers.begin(), buffers.end());
    return out;
  }
  std::vector<at::Tensor> copies_;
};

/// Returns to the snapshot when it goes out of scope, whatever happened.
class Restore {
 public:
  explicit Restore(torch::nn::Module& module) : module_(module), snapshot_(module) {}
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;
  ~Restore() {
    try {
      snapshot_.restore(module_);
    } catch (...) {  // a destructor throws nothing
    }
  }

 private:
  torch::nn::Module& module_;
  Snapshot snapshot_;
};

}  // namespace equipoise::detail
