// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What stands for an absent modality in fusions that multiply features: zero, the mean of the records that have the
/// modality, or a learned vector. Fusions that weigh or add features leave an absent modality out and need none of it.

#include <equipoise/core/base/enumeration.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>

#include <ATen/ops/isfinite.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise {

/// What stands for the projected feature of an absent modality.
enum class StandIn : std::uint8_t {
  zero,     ///< nothing of it is known
  mean,     ///< the mean over the training records that have it, as of earlier batches
  learned,  ///< a vector that is trained with the model; zero at first
};

[[nodiscard]] constexpr std::array<std::string_view, 3> names_of(StandIn) {
  return {"zero", "mean", "learned"};
}

namespace detail {

/// A linear layer without bias per modality, to a common size, and what stands for each of their outputs.
class StandInProjections : public torch::nn::Module {
 public:
  StandInProjections(std::span<const FeatureSpec> features, std::int64_t size, StandIn kind)
      : torch::nn::Module("Projections"), kind_(kind) {
    layers_ = register_module("layers", torch::nn::ModuleList());
    for (const auto& [m, f] : views::enumerate(features)) {
      layers_->push_back(torch::nn::Linear(torch::nn::LinearOptions(f.width, size).bias(false)));
      const std::string place = std::to_string(m);
      if (kind == StandIn::learned) learned_.push_back(register_parameter("stand_in" + place, at::zeros({size})));
      if (kind == StandIn::mean) {
        means_.push_back(register_buffer("mean" + place, at::zeros({size})));
        batches_.push_back(register_buffer("batches" + place, at::zeros({1})));
      }
    }
  }

  /// Those of modality `m`.
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const {
    std::vector<at::Tensor> out = layers_->ptr(m)->parameters();
    if (kind_ == StandIn::learned) out.push_back(learned_[m]);
    return out;
  }

  /// \return [B, size]
  [[nodiscard]] at::Tensor project(std::size_t m, const Feature& h) {
    return layers_[m]->as<torch::nn::Linear>()->forward(h.vector());
  }

  /// [M] vectors [size], undefined for zero, as they are before `observe`.
  [[nodiscard]] std::vector<at::Tensor> stand_ins() const {
    if (kind_ == StandIn::learned) return learned_;
    std::vector<at::Tensor> out(layers_->size());
    if (kind_ == StandIn::mean)
      for (std::size_t m = 0; m < out.size(); ++m) out[m] = means_[m].clone();  // the buffer changes before backward
    return out;
  }

  /// In training mode, takes the means of `projected` [B, size] over the records that have the modality into the running
  /// means: the average of the first ten batches, then with weight 0.1 for each batch.
  void observe(const std::vector<at::Tensor>& projected, const Presence& presence) {
    if (kind_ != StandIn::mean || !is_training()) return;
    const at::NoGradGuard no_grad;
    for (const auto& [m, value] : views::enumerate(projected)) {
      if (!value.defined()) continue;
      const at::Tensor seen = presence.tensor(value).select(2, static_cast<std::int64_t>(m)).any(0);  // [B]
      const at::Tensor sum = at::where(seen.unsqueeze(1), value.detach(), 0).sum(0);
      const at::Tensor mean = sum.div(seen.sum().clamp_min(1));
      batches_[m].add_(1);
      const at::Tensor weight = batches_[m].reciprocal().clamp_min(0.1);
      means_[m].add_(at::where(at::isfinite(mean), mean.sub(means_[m]), 0).mul(weight));
    }
  }

 private:
  StandIn kind_;
  torch::nn::ModuleList layers_{nullptr};
  std::vector<at::Tensor> learned_, means_, batches_;
};

}  // namespace detail
}  // namespace equipoise
