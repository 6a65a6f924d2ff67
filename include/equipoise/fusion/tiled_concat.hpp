// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `TiledConcat` concatenates the features at every position of the maps, and averages over the
/// positions afterwards. The vectors of the other modalities are the same at every position. So
/// what a modality without places says, such as how a machine errs, meets what the plan is like at
/// each place, before places are averaged.
///
/// - In: map features with skip maps, vector features, presence [C, B, M] in C coalitions
/// - Out: joint feature [C, B, width]
///
///   u(x) = Σ_maps P_m map_m(x) + Σ_vectors V_m h_m + b
///   joint = Σ_x a(x) GELU(u(x)),  a = softmax_x(Σ_maps s_m(x))
///
/// P_m also takes the `skips` deepest skip maps of its modality. Each gets a layer, and the positions
/// are those of the largest of them. A modality whose deepest map has one position is without skips,
/// and the same everywhere. The scores s_m begin at zero, so at first a is a mean. Tokens are averaged
/// to a vector.
///
/// Vectors are tiled over a map in Levine et al., "Learning Hand-Eye Coordination for Robotic
/// Grasping with Deep Learning and Large-Scale Data Collection", IJRR 2018, arXiv:1603.02199. The
/// weights of the positions are those of attention pooling (Ilse, Tomczak, Welling, ICML 2018,
/// arXiv:1802.04712). Ours: any number of maps and vectors, and any coalition of them.
///
/// When: A number depends on what happens at places, and a vector says how strongly.
/// Cost: A layer per modality and skip map, shared by all coalitions. GELU at every position of
/// every coalition.
/// Limits: All maps need the same positions, or one. Without a map it is `Concat`. Signals of different
/// lengths do not fit, because `Cnn` pools those of a batch that has padding. All coalitions together
/// take 2^M (width + 1) numbers for each position of a record.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::TiledConcat{.width = 32}, eq::Regression{.outputs = 3}));
/// at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
/// at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/core/model/convolution.hpp>
#include <equipoise/fusion/masked.hpp>

#include <torch/nn/init.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace equipoise {

class TiledConcatModule : public torch::nn::Module {
 public:
  TiledConcatModule(std::span<const FeatureSpec> features, std::int64_t width, std::int64_t skips)
      : torch::nn::Module("TiledConcat"), width_(width) {
    layers_ = register_module("layers", torch::nn::ModuleList());
    for (const FeatureSpec& f : features) {
      const bool map = f.kind == FeatureKind::map;
      torch::nn::ModuleList own;
      own->push_back(layer(f.width, map));
      const std::size_t used = map ? std::min(static_cast<std::size_t>(skips), f.skip_widths.size()) : 0;
      for (std::size_t i = 0; i < used; ++i) own->push_back(layer(f.skip_widths[f.skip_widths.size() - 1 - i], map));
      layers_->push_back(own);
    }
    bias_ = register_parameter("bias", torch::zeros({width}));
  }

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const { return layers_->ptr(m)->parameters(); }

  /// \return [B, width] of a vector; [B, width + 1, …] of a map, the last channel being the scores
  [[nodiscard]] at::Tensor project(std::size_t m, const Feature& h) {
    auto& own = *layers_[m]->as<torch::nn::ModuleList>();
    if (h.kind != FeatureKind::map) return own[0]->as<torch::nn::Linear>()->forward(h.vector());
    at::Tensor out = at_positions(*own[0], h.value);
    // The skips of a pooled map are of no use to one position.
    if (h.value[0][0].numel() == 1) return out;
    for (std::size_t i = 1; i < own.size(); ++i) {
      const at::Tensor skip = at_positions(*own[i], h.skips[h.skips.size() - i]);
      out = resized(out, skip.sizes().slice(2)).add(skip);
    }
    return out;
  }

  /// \throws ShapeError for maps with other positions than another modality's
  [[nodiscard]] at::Tensor combine(const std::vector<at::Tensor>& projected, const Presence& presence) {
    std::vector<at::Tensor> vectors(projected.size()), maps(projected.size());
    at::Tensor grid;  // a map with the positions of all
    for (const auto& [m, part] : views::enumerate(projected)) {
      if (!part.defined()) continue;
      (part.dim() == 2 ? vectors : maps)[m] = part;
      if (part.dim() > 2 && (!grid.defined() || grid[0][0].numel() == 1)) grid = part;
    }
    for (at::Tensor& map : maps)
      if (map.defined()) map = at_all_positions(map, grid).flatten(1);
    const at::Tensor sum = detail::masked_sum(vectors, presence);
    const at::Tensor tiled = sum.defined() ? sum.add(bias_) : bias_;  // [C, B, width], or [width]
    if (!grid.defined()) return at::gelu(tiled);
    const at::Tensor local = detail::masked_sum(maps, presence).unflatten(2, {width_ + 1, -1});  // [C, B, W + 1, X]
    const at::Tensor weights = local.select(2, width_).softmax(2);
    const at::Tensor joined = at::gelu(local.narrow(2, 0, width_).add(tiled.unsqueeze(-1)));
    return at::matmul(joined, weights.unsqueeze(3)).squeeze(3);
  }

 private:
  /// Of a map with one more output, which begins at zero: the score.
  [[nodiscard]] torch::nn::Linear layer(std::int64_t in, bool map) const {
    torch::nn::Linear out(torch::nn::LinearOptions(in, width_ + (map ? 1 : 0)).bias(false));
    if (map) torch::nn::init::zeros_(out->weight.detach()[width_]);
    return out;
  }
  /// A linear layer at each position: [B, C, …] -> [B, width + 1, …]
  [[nodiscard]] static at::Tensor at_positions(torch::nn::Module& layer, const at::Tensor& x) {
    return layer.as<torch::nn::Linear>()->forward(x.movedim(1, -1)).movedim(-1, 1);
  }
  /// A map of one position is the same everywhere.
  [[nodiscard]] static at::Tensor at_all_positions(const at::Tensor& map, const at::Tensor& grid) {
    if (map.sizes().slice(2) == grid.sizes().slice(2)) return map;
    if (map[0][0].numel() != 1 || map.dim() != grid.dim())
      throw ShapeError(message("shape.101", "TiledConcat", "expected all maps to have the same positions, or one, got ",
                               grid.sizes().slice(2), " and ", map.sizes().slice(2)));
    return map.expand_as(grid);
  }

  std::int64_t width_;
  torch::nn::ModuleList layers_{nullptr};
  at::Tensor bias_;
};

/// `TiledConcat{.width = 128}`.
struct TiledConcat {
  static constexpr std::string_view id = "tiled_concat";

  std::int64_t width = 128;  ///< size of the joint feature; > 0
  std::int64_t skips = 1;    ///< skip maps that are used beside the deepest map, at most; >= 0

  [[nodiscard]] std::shared_ptr<TiledConcatModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "TiledConcat.width", "> 0", width);
    check_option(skips >= 0, "TiledConcat.skips", ">= 0", skips);
    return std::make_shared<TiledConcatModule>(features, width, skips);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::TiledConcat, width, skips);
