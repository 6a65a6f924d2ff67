// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Makes a fusion of any module with `at::Tensor forward(features, presence)`: coalitions become rows, absent features
/// are zero.

#include <equipoise/core/concepts.hpp>

#include <torch/nn/module.h>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace equipoise::detail {

template <fuses_vectors F>
class RowFusion : public torch::nn::Module {
 public:
  RowFusion(std::shared_ptr<F> fusion, std::vector<FeatureSpec> specs)
      : torch::nn::Module("RowFusion"),
        fusion_(register_module("fusion", std::move(fusion))),
        specs_(std::move(specs)) {}

  [[nodiscard]] std::int64_t width() const { return fusion_->width(); }
  [[nodiscard]] F& inner() { return *fusion_; }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const requires requires(const F& fusion) {
    fusion.parameters_of(m);
  }
  { return fusion_->parameters_of(m); }

  [[nodiscard]] at::Tensor project(std::size_t, const Feature& feature) { return feature.vector(); }  // [B, D_m]

  /// \return joint feature [C, B, W]
  [[nodiscard]] at::Tensor combine(const std::vector<at::Tensor>& vectors, const Presence& presence) {
    const std::int64_t c = presence.coalitions(), b = presence.records();
    at::Tensor like;
    for (const at::Tensor& v : vectors)
      if (v.defined()) like = v;
    const at::Tensor mask = presence.tensor(like);  // [C, B, M]
    std::vector<at::Tensor> rows;                   // M x [C * B, D_m]
    for (std::size_t m = 0; m < vectors.size(); ++m) {
      if (!vectors[m].defined()) {
        rows.push_back(like.new_zeros({c * b, specs_[m].width}));
        continue;
      }
      at::Tensor wide = vectors[m].unsqueeze(0).expand({c, b, -1});
      if (!presence.everywhere(m))
        wide = wide.masked_fill(mask.select(2, static_cast<std::int64_t>(m)).eq(false).unsqueeze(2), 0);
      rows.push_back(wide.reshape({c * b, -1}));
    }
    return fusion_->forward(rows, mask.flatten(0, 1)).view({c, b, -1});
  }

 private:
  std::shared_ptr<F> fusion_;
  std::vector<FeatureSpec> specs_;
};

}  // namespace equipoise::detail
