// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Cnn` is a small convolutional encoder for images, volumes and signals. Each stage halves every
/// side: a 3x3 convolution with stride 2, group norm, GELU, a 3x3 convolution, group norm, GELU.
///
/// | `dimensions` | input | map feature after n stages, sizes rounded up |
/// |---|---|---|
/// | 1 | signals [B, T, in_channels], also `eq::Sequences` | [B, widths.back(), 1, T / 2^n] |
/// | 2 | images [B, in_channels, H, W] | [B, widths.back(), H / 2^n, W / 2^n] |
/// | 3 | volumes [B, in_channels, Z, H, W] | [B, widths.back(), Z / 2^n, H / 2^n, W / 2^n] |
///
/// - Skip maps: the input and the maps of the earlier stages, for a fusion that decodes a map
/// - Taps, for an intermediate fusion (`eq::Mmtm`): after each stage, the last one after the pooling
/// - `place`: the first convolution also sees a channel per direction (step; row, column; slice,
///   row, column) that runs from -1 to 1. A convolution alone cannot see where it is.
/// - `pool`: the deepest map becomes one pixel, which is the mean, the maximum or a mean with
///   learned weights (`eq::Pool`). Skip maps are kept.
/// - Names of weights, of the stage `s` from 0: `stages.s.0.weight` is the first convolution (there
///   is no bias), `stages.s.1.weight` and `stages.s.1.bias` its group norm, `stages.s.2` and
///   `stages.s.3` the second pair; `pool.score.weight` with `Pool::attention`. Kernels of signals
///   are [out, in, 1, 3].
///
/// A signal that is padded has the feature that it has alone: convolutions see zeros at padding,
/// the norms and the pooling leave padding out. Its map is always pooled, by the mean if `pool` is
/// `none`.
///
/// The norm is a group norm, not a batch norm. The result for a record then does not depend on the
/// other records of the batch. Place channels are those of Liu et al., "An intriguing failing of
/// convolutional neural networks and the CoordConv solution", 2018, arXiv:1807.03247.
///
/// When: The modality is an image, a volume or a signal, or a task predicts a map.
/// Cost: Two 3x3 convolutions per stage. The first stage works at half the image size and usually
/// costs most.
/// Limits: Every side has at least 2^n positions for n stages. The norm treats each record alone,
/// so a difference in mean brightness is visible only at the image borders. Where mean brightness
/// matters, give it as a column of a table.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"dose">(eq::Cnn{.in_channels = 1, .widths = {8, 16, 32}}),
///     eq::modality<"metrics">(eq::Mlp{.in_features = 41, .widths = {64}}),
///     eq::task<"rate">(eq::Concat{.width = 64}, eq::Regression{.outputs = 3}));
/// eq::MapFeature feature = model->encoder("dose"_n).forward(torch::randn({8, 1, 64, 64}));
/// at::Tensor deepest = feature.map;                   // [8, 32, 8, 8]
/// at::Tensor rates = model->predict(test)["rate"_n];  // [B, 3]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/sequence.hpp>
#include <equipoise/core/model/convolution.hpp>
#include <equipoise/core/model/norm.hpp>
#include <equipoise/encoders/pooling.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>

#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

/// The number of groups of a group norm: the greatest common divisor of the width and 8.
[[nodiscard]] inline std::int64_t norm_groups(std::int64_t width) {
  return std::gcd<std::int64_t>(width, 8);
}

/// A group norm whose mean and variance leave padding out.
/// \param x [B, C, 1, T]  \param hidden bool [B, 1, 1, T], true at padding
[[nodiscard]] inline at::Tensor masked_group_norm(const GroupNormModule& norm, std::int64_t groups, const at::Tensor& x,
                                                  const at::Tensor& hidden) {
  const std::vector<at::Tensor> learned = norm.parameters();  // scale, shift
  const at::Tensor out = hidden.unsqueeze(1);                 // [B, 1, 1, 1, T]
  const at::Tensor grouped = x.masked_fill(hidden, 0).view({x.size(0), groups, -1, 1, x.size(3)});
  const at::Tensor count =
      out.logical_not().sum({2, 3, 4}, /*keepdim=*/true).clamp_min(1) * grouped.size(2);  // [B, 1, 1, 1, 1]
  const at::Tensor centred = grouped - grouped.sum({2, 3, 4}, /*keepdim=*/true) / count;
  const at::Tensor variance = centred.masked_fill(out, 0).square().sum({2, 3, 4}, /*keepdim=*/true) / count;
  return (centred * (variance + 1e-5).rsqrt()).view_as(x) * learned[0].view({1, -1, 1, 1}) +
         learned[1].view({1, -1, 1, 1});
}

/// Adds a channel for each direction of a map [B, C, …], from -1 at its start to 1 at its end.
/// \param padding bool [B, T] of a signal [B, C, 1, T], whose last step then has 1; or undefined
[[nodiscard]] inline at::Tensor with_place(const at::Tensor& map, std::int64_t dimensions, const at::Tensor& padding) {
  std::vector<at::Tensor> parts = {map};
  std::vector<std::int64_t> shape(map.sizes().begin(), map.sizes().end());
  shape[1] = 1;
  for (std::int64_t d = map.dim() - dimensions; d < map.dim(); ++d) {
    std::vector<std::int64_t> line(shape.size(), 1);
    line[static_cast<std::size_t>(d)] = map.size(d);
    if (padding.defined()) {
      line[0] = map.size(0);
      const at::Tensor steps = padding.logical_not().to(map.scalar_type());
      const at::Tensor last = (steps.sum(1, /*keepdim=*/true) - 1).clamp_min(1);
      parts.push_back(((steps.cumsum(1) - 1) / last * 2 - 1).masked_fill(padding, 0).view(line));
    } else {
      parts.push_back(at::linspace(-1, 1, map.size(d), map.options()).view(line).expand(shape));
    }
  }
  return at::cat(parts, 1);
}

}  // namespace detail

/// What a `CnnModule` may have beside its stages; see `Cnn`.
struct CnnExtras {
  std::int64_t dimensions = 2;
  bool place = false;
  Pool pool = Pool::none;
};

class CnnModule : public torch::nn::Module {
 public:
  CnnModule(std::int64_t in_channels, std::vector<std::int64_t> widths, CnnExtras extras = {})
      : torch::nn::Module("Cnn"), in_channels_(in_channels), widths_(std::move(widths)), extras_(extras) {
    stages_ = register_module("stages", torch::nn::ModuleList());
    std::int64_t in = in_channels + (extras.place ? extras.dimensions : 0);
    for (const std::int64_t width : widths_) {
      // The second convolution draws its weights first: a seed gives the weights that it always gave.
      const auto second = conv(width, width, 1), first = conv(in, width, 2);
      torch::nn::ModuleList stage;
      for (const auto& layer : {first, second}) {
        stage->push_back(layer);
        stage->push_back(std::make_shared<GroupNormModule>(detail::norm_groups(width), width));
      }
      stages_->push_back(stage);
      in = width;
    }
    pool_ = std::make_shared<detail::PoolModule>(extras.pool, widths_.back());
    if (extras.pool == Pool::attention) register_module("pool", pool_);
  }

  /// \param x [B, in_channels, H, W] (two dimensions), [B, in_channels, Z, H, W] (three) or
  /// [B, T, in_channels] (one)
  /// \param padding of signals, bool [B, T], true at padding; undefined for none
  /// \throws ShapeError for another number of channels, a side smaller than 2^stages, or integers.
  [[nodiscard]] MapFeature forward(const at::Tensor& x, const at::Tensor& padding = {}) {
    Feature out(x);
    out.padding = padding;
    for (std::size_t s = 0; s < stages(); ++s) out = forward_stage(s, std::move(out));
    return {std::move(out.value), std::move(out.skips)};
  }

  /// \name Taps: after each stage; the last one is the feature
  /// @{
  [[nodiscard]] std::size_t stages() const { return widths_.size(); }
  [[nodiscard]] std::int64_t tap_width(std::size_t stage) const { return widths_[stage]; }
  [[nodiscard]] Feature forward_stage(std::size_t stage, Feature x) {
    const bool signal = extras_.dimensions == 1;
    if (stage == 0) {
      check(x.value);
      x.kind = FeatureKind::map;
      if (!signal) x.padding.reset();
      if (signal) x.value = detail::zero_padding(x.value, x.padding).transpose(1, 2).unsqueeze(2);
    }
    x.skips.push_back(x.value);
    if (stage == 0 && extras_.place) x.value = detail::with_place(x.value, extras_.dimensions, x.padding);
    // Of the steps of a signal, a stage keeps the first, the third, the fifth …
    if (x.padding.defined()) x.padding = x.padding.slice(1, 0, std::nullopt, 2);
    x.value = run_stage(stage, x.value, x.padding.defined() ? x.padding.unsqueeze(1).unsqueeze(2) : x.padding);
    return stage + 1 == stages() ? pooled(std::move(x)) : x;
  }
  /// @}

  [[nodiscard]] FeatureSpec feature() const {
    std::vector<std::int64_t> skips = {in_channels_};
    skips.insert(skips.end(), widths_.begin(), widths_.end() - 1);
    return {FeatureKind::map, widths_.back(), std::move(skips)};
  }

 private:
  void check(const at::Tensor& x) const {
    const std::int64_t min_side = std::int64_t{1} << widths_.size(), d = extras_.dimensions;
    const std::int64_t channels = d == 1 ? 2 : 1, first = d == 1 ? 1 : 2;
    bool fits = x.dim() == d + 2 && x.size(channels) == in_channels_ && x.is_floating_point();
    for (std::int64_t i = first; fits && i < first + d; ++i) fits = x.size(i) >= min_side;
    if (fits) return;
    const std::string side = " >= " + std::to_string(min_side), c = std::to_string(in_channels_);
    const std::string shape = d == 1   ? "T" + side + ", " + c
                              : d == 2 ? c + ", H" + side + ", W" + side
                                       : c + ", Z" + side + ", H" + side + ", W" + side;
    throw ShapeError(message("shape.101", "Cnn", "expected [B, ", shape, "] of a floating type, got ", x.sizes(),
                             " of ", x.scalar_type()));
  }

  /// A signal with padding is always pooled.
  [[nodiscard]] Feature pooled(Feature x) {
    if (extras_.pool == Pool::none && !x.padding.defined()) return x;
    x.value =
        pool_->forward(x.value.flatten(2).transpose(1, 2), std::exchange(x.padding, {})).unsqueeze(2).unsqueeze(3);
    if (extras_.dimensions == 3) x.value = x.value.unsqueeze(4);
    return x;
  }

  /// \param hidden bool [B, 1, 1, T], true at padding; undefined for none
  [[nodiscard]] at::Tensor run_stage(std::size_t s, at::Tensor x, const at::Tensor& hidden) {
    auto& layers = *stages_[s]->as<torch::nn::ModuleList>();
    for (const std::size_t l : {0U, 2U}) {
      x = layers[l]->as<ConvolutionModule>()->forward(x);
      auto& norm = *layers[l + 1]->as<GroupNormModule>();
      if (hidden.defined())
        x = torch::gelu(detail::masked_group_norm(norm, detail::norm_groups(x.size(1)), x, hidden))
                .masked_fill(hidden, 0);
      else
        x = torch::gelu(norm.forward(x));
    }
    return x;
  }

  [[nodiscard]] std::shared_ptr<ConvolutionModule> conv(std::int64_t in, std::int64_t out, std::int64_t stride) const {
    if (extras_.dimensions > 1) return convolution(extras_.dimensions, in, out, 3, stride);
    const std::vector<std::int64_t> kernel = {1, 3}, strides = {1, stride}, padding = {0, 1};  // an image of one row
    return std::make_shared<ConvolutionModule>(in, out, kernel, strides, padding);
  }

  std::int64_t in_channels_;
  std::vector<std::int64_t> widths_;
  CnnExtras extras_;
  torch::nn::ModuleList stages_{nullptr};
  std::shared_ptr<detail::PoolModule> pool_;
};

/// `Cnn{.in_channels = 1, .widths = {16, 32, 64, 128}}`.
struct Cnn {
  static constexpr std::string_view id = "cnn";

  std::int64_t in_channels = 1;                          ///< channels of the image; > 0
  std::vector<std::int64_t> widths = {16, 32, 64, 128};  ///< channels of each stage; > 0
  std::int64_t dimensions = 2;                           ///< 1 for signals, 2 for images, 3 for volumes
  bool place = false;                                    ///< whether the encoder sees where a pixel is
  Pool pool = Pool::none;                                ///< what the deepest map is reduced to

  /// A small encoder and an input for it, for tests.
  [[nodiscard]] static Cnn example() { return {.widths = {4, 8}}; }
  [[nodiscard]] static at::Tensor example_input(std::int64_t records) { return torch::randn({records, 1, 8, 8}); }

  [[nodiscard]] std::shared_ptr<CnnModule> build() const {
    check_option(in_channels > 0, "Cnn.in_channels", "> 0", in_channels);
    check_option(!widths.empty(), "Cnn.widths", "at least one stage", "none");
    for (const std::int64_t width : widths) check_option(width > 0, "Cnn.widths", "each > 0", width);
    check_option(dimensions >= 1 && dimensions <= 3, "Cnn.dimensions", "1, 2 or 3", dimensions);
    return std::make_shared<CnnModule>(in_channels, widths, CnnExtras{dimensions, place, pool});
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Cnn, in_channels, widths, dimensions, place, pool);
