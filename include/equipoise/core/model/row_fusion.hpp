// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Makes a fusion of any module with `at::Tensor forward(features, presence)`: coalitions become rows, absent features
/// are zero.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/model/concepts.hpp>
#include <equipoise/core/model/mode.hpp>

#include <ATen/ops/cat.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
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

  [[nodiscard]] std::size_t taps() const requires requires(const F& fusion) { fusion.taps(); }
  { return fusion_->taps(); }
  void exchange(std::size_t tap, std::vector<TapFeature>& features, std::int64_t rows) requires names_an_exchange<F> {
    fusion_->exchange(tap, features, rows);
  }

  [[nodiscard]] at::Tensor project(std::size_t, const Feature& feature) { return feature.vector(); }  // [B, D_m]

  /// In training mode the fusion sees one coalition after the other, and of each only the records that have something of
  /// it: what it normalises or drops over a batch must not be over several coalitions at once.
  /// \return joint feature [C, B, W]
  [[nodiscard]] at::Tensor combine(const std::vector<at::Tensor>& vectors, const Presence& presence) {
    if (!fusion_->is_training()) return combine_rows(vectors, presence);
    std::vector<at::Tensor> joint;
    const auto b = static_cast<std::size_t>(presence.records());
    for (std::size_t c = 0; c < static_cast<std::size_t>(presence.coalitions()); ++c) {
      const auto masks = presence.masks().subspan(c * b, b);
      joint.push_back(combine_one(vectors, Presence({masks.begin(), masks.end()}, 1, presence.modalities())));
    }
    return at::cat(joint);
  }

 private:
  /// The same of one coalition, by its records that are not empty; the others' rows are zero.
  [[nodiscard]] at::Tensor combine_one(const std::vector<at::Tensor>& vectors, const Presence& presence) {
    std::vector<std::int64_t> rows;
    for (const auto& [i, mask] : views::enumerate(presence.masks()))
      if (!Coalition(mask).empty()) rows.push_back(static_cast<std::int64_t>(i));
    const ModeForRows mode(*fusion_, static_cast<std::int64_t>(rows.size()));
    if (static_cast<std::int64_t>(rows.size()) == presence.records()) return combine_rows(vectors, presence);
    const at::Tensor like = *std::find_if(vectors.begin(), vectors.end(), [](const auto& v) { return v.defined(); });
    const at::Tensor none = like.new_zeros({1, presence.records(), width()});
    if (rows.empty()) return none;
    std::vector<at::Tensor> seen;
    for (const at::Tensor& v : vectors) seen.push_back(v.defined() ? select_records(v, rows) : v);
    return none.index_copy(1, index_tensor(rows, like), combine_rows(seen, presence.select(rows)));
  }

  [[nodiscard]] at::Tensor combine_rows(const std::vector<at::Tensor>& vectors, const Presence& presence) {
    const std::int64_t c = presence.coalitions(), b = presence.records();
    at::Tensor like;
    for (const at::Tensor& v : vectors)
      if (v.defined()) like = v;
    const at::Tensor mask = presence.tensor(like);  // [C, B, M]
    std::vector<at::Tensor> rows;                   // M x [C * B, D_m]
    for (const auto& [m, vector] : views::enumerate(vectors)) {
      if (!vector.defined()) {
        rows.push_back(like.new_zeros({c * b, specs_[m].width}));
        continue;
      }
      at::Tensor wide = vector.unsqueeze(0).expand({c, b, -1});
      if (!presence.everywhere(m))
        wide = wide.masked_fill(mask.select(2, static_cast<std::int64_t>(m)).eq(false).unsqueeze(2), 0);
      rows.push_back(wide.reshape({c * b, -1}));
    }
    return fusion_->forward(rows, mask.flatten(0, 1)).view({c, b, -1});
  }

  std::shared_ptr<F> fusion_;
  std::vector<FeatureSpec> specs_;
};

}  // namespace equipoise::detail
