// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `SpatialCascade` is the spatial cascading of BMMQA. It decodes a map, level by level, from the
/// feature pyramid of the map modalities. At every level it adds the vectors of the other
/// modalities, spread over space. With `cascade = false` it adds them at the deepest level alone.
///
/// - In: map features with n skip maps, vector features, presence [C, B, M]
/// - Out: joint map of `widths.back()` channels at the size of the first skip map, [R, W, H, W'] or
///   with `dimensions = 3` [R, W, Z, H, W']
///
///   x_0 = Σ P_m map_m
///   x_l = GELU(GN(conv3x3(up(R_l x_{l-1}) + Σ_maps L_ml skip_ml + Σ_vectors V_ml h_m))), l = 1 … n
///
/// From Zeng, Ahmed, Tunio, Diagnostics 2025, 15(20), 2555, whose abstract names the idea; the
/// layers are our reading.
///
/// The layers of a single modality (P, L, V) run once for all coalitions. A row without a map
/// modality is the same everywhere in space. It is decoded at one pixel, where a convolution is the
/// sum of its taps. The norm has one group: more groups would normalise uniform rows away.
///
/// When: A task predicts a map.
/// Cost: The lateral layers once per modality. The decoder runs once per coalition with a map, and
/// at one pixel for coalitions without a map.
/// Limits: `widths` must have as many levels as the map encoder has skip maps. All map modalities
/// are images, or all are volumes.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"dose">(eq::SpatialCascade{.widths = {8, 4}}, eq::DenseRegression{.channels = 1}));
/// at::Tensor maps = model->predict(test)["dose"_n];  // [B, 1, H, W], the size of the image
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/model/concepts.hpp>
#include <equipoise/core/model/convolution.hpp>
#include <equipoise/core/model/norm.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

class SpatialCascadeModule : public torch::nn::Module {
 public:
  static constexpr bool needs_a_map = true;

  /// One modality's terms of the levels: maps (the deepest map first, then the skips, deep to
  /// shallow) or vectors [B, W_l].
  struct Projected {
    bool is_map = false;
    std::vector<at::Tensor> levels;
  };

  SpatialCascadeModule(std::span<const FeatureSpec> features, std::vector<std::int64_t> widths,
                       std::int64_t dimensions = 2, bool cascade = true)
      : torch::nn::Module("SpatialCascade"),
        widths_(std::move(widths)),
        dims_(dimensions),
        vector_levels_(cascade ? widths_.size() : 1) {
    lateral_ = register_module("lateral", torch::nn::ModuleList());
    for (const FeatureSpec& f : features)
      lateral_->push_back(f.kind == FeatureKind::map ? map_layers(f) : vector_layers(f));
    reduce_ = register_module("reduce", torch::nn::ModuleList());
    mix_ = register_module("mix", torch::nn::ModuleList());
    norm_ = register_module("norm", torch::nn::ModuleList());
    for (std::size_t l = 0; l < widths_.size(); ++l) {
      const std::int64_t to = widths_[l];
      if (l > 0) reduce_->push_back(pointwise(widths_[l - 1], to));
      mix_->push_back(convolution(dims_, to, to, 3));
      norm_->push_back(std::make_shared<GroupNormModule>(1, to));
    }
  }

  /// Channels of the joint map.
  [[nodiscard]] std::int64_t width() const { return widths_.back(); }
  /// In which it varies: 2 or 3.
  [[nodiscard]] std::int64_t dimensions() const { return dims_; }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const { return lateral_->ptr(m)->parameters(); }

  /// \throws ShapeError for a map in another number of dimensions
  [[nodiscard]] Projected project(std::size_t m, const Feature& h) {
    if (h.kind == FeatureKind::map && h.value.dim() != dims_ + 2)
      throw ShapeError(message("shape.101", "SpatialCascade", "expected maps in ", dims_, " dimensions, as its option ",
                               "says, got ", h.value.sizes()));
    auto& layers = *lateral_[m]->as<torch::nn::ModuleList>();
    Projected out{h.kind == FeatureKind::map, {}};
    if (out.is_map) {
      out.levels.push_back(convolved(*layers[0], h.value));
      for (std::size_t l = 0; l < widths_.size(); ++l)
        out.levels.push_back(convolved(*layers[l + 1], h.skips[widths_.size() - 1 - l]));
    } else {
      const at::Tensor v = h.vector();
      for (std::size_t l = 0; l < vector_levels_; ++l)
        out.levels.push_back(layers[l]->as<torch::nn::Linear>()->forward(v));
    }
    return out;
  }

  [[nodiscard]] JointMap combine(const std::vector<Projected>& parts, const Presence& presence) {
    std::uint64_t maps = 0, any = 0;
    for (std::size_t m = 0; m < parts.size(); ++m)
      if (!parts[m].levels.empty()) {
        any |= std::uint64_t{1} << m;
        if (parts[m].is_map) maps |= std::uint64_t{1} << m;
      }
    JointMap out;
    for (const auto& [row, mask] : views::enumerate(presence.masks())) {
      if (mask & maps)
        out.varying_rows.push_back(static_cast<std::int64_t>(row));
      else if (mask & any)
        out.uniform_rows.push_back(static_cast<std::int64_t>(row));
    }
    if (!out.varying_rows.empty()) out.varying = decode_varying(Rows(parts, presence, out.varying_rows));
    if (!out.uniform_rows.empty()) out.uniform = decode_uniform(Rows(parts, presence, out.uniform_rows));
    return out;
  }

 private:
  /// The sum of the present modalities' terms of a level, for some rows (c, b).
  class Rows {
   public:
    Rows(const std::vector<Projected>& parts, const Presence& presence, const std::vector<std::int64_t>& rows)
        : parts_(parts),
          presence_(presence),
          rows_(rows),
          plain_(presence.coalitions() == 1 && static_cast<std::int64_t>(rows.size()) == presence.records()) {
      for (const std::int64_t row : rows) records_.push_back(row % presence.records());
    }

    /// \return [R, W, …], or an undefined tensor where no row has such a modality
    [[nodiscard]] at::Tensor sum(bool maps, std::size_t level) const {
      at::Tensor total;
      for (std::size_t m = 0; m < parts_.size(); ++m) {
        if (level >= parts_[m].levels.size() || parts_[m].is_map != maps) continue;
        const at::Tensor term = of_rows(parts_[m].levels[level], m);
        if (term.defined()) total = total.defined() ? total + term : term;
      }
      return total;
    }

   private:
    [[nodiscard]] at::Tensor of_rows(const at::Tensor& projected, std::size_t m) const {
      std::vector<std::int64_t> without;
      for (std::size_t r = 0; r < rows_.size(); ++r)
        if (!presence_.of_row(static_cast<std::size_t>(rows_[r])).contains(m))
          without.push_back(static_cast<std::int64_t>(r));
      if (without.size() == rows_.size()) return {};
      const at::Tensor rows = plain_ ? projected : projected.index_select(0, detail::index_tensor(records_, projected));
      return without.empty() ? rows : rows.index_fill(0, detail::index_tensor(without, projected), 0);
    }

    const std::vector<Projected>& parts_;
    const Presence& presence_;
    const std::vector<std::int64_t>& rows_;
    std::vector<std::int64_t> records_;
    bool plain_;
  };

  [[nodiscard]] at::Tensor decode_varying(const Rows& rows) {
    at::Tensor x = rows.sum(true, 0);
    for (std::size_t l = 0; l < widths_.size(); ++l) {
      const at::Tensor skip = rows.sum(true, l + 1), vector = rows.sum(false, l);
      if (l > 0) x = convolved(*reduce_[l - 1], x);
      x = resized(x, skip.sizes().slice(2)) + skip;
      if (vector.defined()) x = x + as_pixel(vector);
      x = torch::gelu(norm_[l]->as<GroupNormModule>()->forward(convolved(*mix_[l], x)));
    }
    return x;
  }

  /// Decodes rows that are the same everywhere in space, at one pixel of an infinite map.
  [[nodiscard]] at::Tensor decode_uniform(const Rows& rows) {
    at::Tensor x;  // [R, W_l]
    for (std::size_t l = 0; l < widths_.size(); ++l) {
      const at::Tensor vector = rows.sum(false, l);
      if (l > 0) {
        const std::vector<at::Tensor> reduce = reduce_[l - 1]->parameters();  // weight, bias
        x = torch::linear(x, reduce[0].flatten(1), reduce[1]);
      }
      if (vector.defined()) x = x.defined() ? x + vector : vector;
      x = torch::linear(x, mix_[l]->parameters()[0].flatten(2).sum(2));
      x = torch::gelu(norm_[l]->as<GroupNormModule>()->forward(x));
    }
    return as_pixel(x);
  }

  /// [R, W] -> [R, W, 1, 1], or [R, W, 1, 1, 1]
  [[nodiscard]] at::Tensor as_pixel(const at::Tensor& x) const {
    const at::Tensor out = x.unsqueeze(2).unsqueeze(3);
    return dims_ == 3 ? out.unsqueeze(4) : out;
  }
  [[nodiscard]] static at::Tensor convolved(torch::nn::Module& layer, const at::Tensor& x) {
    return layer.as<ConvolutionModule>()->forward(x);
  }
  [[nodiscard]] std::shared_ptr<ConvolutionModule> pointwise(std::int64_t in, std::int64_t out) const {
    return convolution(dims_, in, out, 1, 1, /*bias=*/true);
  }

  [[nodiscard]] torch::nn::ModuleList map_layers(const FeatureSpec& f) const {
    if (f.skip_widths.size() != widths_.size())
      throw ValueError(message("value.209", "SpatialCascade.widths", "expected one width for each of the encoder's ",
                               f.skip_widths.size(), " skip maps, got ", widths_.size()));
    torch::nn::ModuleList layers;
    layers->push_back(pointwise(f.width, widths_[0]));
    for (std::size_t l = 0; l < widths_.size(); ++l)
      layers->push_back(pointwise(f.skip_widths[widths_.size() - 1 - l], widths_[l]));
    return layers;
  }
  [[nodiscard]] torch::nn::ModuleList vector_layers(const FeatureSpec& f) const {
    torch::nn::ModuleList layers;
    for (std::size_t l = 0; l < vector_levels_; ++l) layers->push_back(torch::nn::Linear(f.width, widths_[l]));
    return layers;
  }

  std::vector<std::int64_t> widths_;
  std::int64_t dims_;
  std::size_t vector_levels_;  ///< levels at which vectors are added
  torch::nn::ModuleList lateral_{nullptr}, reduce_{nullptr}, mix_{nullptr}, norm_{nullptr};
};

/// `SpatialCascade{.widths = {128, 64, 32, 16}}`.
struct SpatialCascade {
  static constexpr std::string_view id = "spatial_cascade";

  std::vector<std::int64_t> widths = {128, 64, 32, 16};  ///< channels per level, deepest first; > 0
  std::int64_t dimensions = 2;                           ///< 2 for images, 3 for volumes
  bool cascade = true;                                   ///< whether vectors are added at every level

  /// Small options for an encoder with two skip maps, such as `Cnn::example()`.
  [[nodiscard]] static SpatialCascade example() { return {.widths = {8, 4}}; }

  [[nodiscard]] std::shared_ptr<SpatialCascadeModule> build(std::span<const FeatureSpec> features) const {
    check_option(!widths.empty(), "SpatialCascade.widths", "at least one width", "none");
    for (const std::int64_t width : widths) check_option(width > 0, "SpatialCascade.widths", "each > 0", width);
    check_option(dimensions == 2 || dimensions == 3, "SpatialCascade.dimensions", "2 or 3", dimensions);
    return std::make_shared<SpatialCascadeModule>(features, widths, dimensions, cascade);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::SpatialCascade, widths, dimensions, cascade);
