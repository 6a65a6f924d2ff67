// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The projections that several fusions share: a linear layer with GELU per modality, to a common
/// width.

#include <equipoise/core/batch/feature.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::detail {

class Projections : public torch::nn::Module {
 public:
  Projections(std::string name, std::span<const FeatureSpec> features, std::int64_t width)
      : torch::nn::Module(std::move(name)), width_(width) {
    projections_ = register_module("projections", torch::nn::ModuleList());
    for (const FeatureSpec& f : features) projections_->push_back(torch::nn::Linear(f.width, width));
  }

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const {
    return projections_->ptr(m)->parameters();
  }

  /// \return [B, width]
  [[nodiscard]] at::Tensor project(std::size_t m, const Feature& h) {
    return torch::gelu(projections_[m]->as<torch::nn::Linear>()->forward(h.vector()));
  }

 private:
  std::int64_t width_;
  torch::nn::ModuleList projections_{nullptr};
};

}  // namespace equipoise::detail
