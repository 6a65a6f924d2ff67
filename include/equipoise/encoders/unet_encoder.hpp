// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `UNetEncoder` is the contracting path of a U-Net, for images and volumes. Each level makes two
/// 3x3 convolutions, each with group norm and GELU; a level after the first begins with a maximum
/// over 2x2 pixels.
///
/// - In: images [B, in_channels, H, W], or volumes [B, in_channels, Z, H, W] with `dimensions = 3`
/// - Out: map feature [B, widths.back(), H / 2^(n-1), W / 2^(n-1)] after n levels, sizes rounded
///   down
/// - Skip maps: the maps of all levels but the last, the first at the size of the image. A fusion
///   that decodes a map (`SpatialCascade`) is the other half of the U.
/// - Taps, for an intermediate fusion (`eq::Mmtm`): after each level
/// - Names of weights, of the level `l` from 0: `levels.l.0.weight` is the first convolution (there
///   is no bias), `levels.l.1.weight` and `levels.l.1.bias` its group norm, `levels.l.2` and
///   `levels.l.3` the second pair
///
/// From Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image
/// Segmentation", 2015, arXiv:1505.04597. Padded convolutions, group norm and GELU are ours.
///
/// When: A task predicts a map with fine detail. Its first skip map has features at every pixel,
/// where that of `Cnn` is the image itself.
/// Cost: The first level works at the image's size: about four times the cost of `Cnn` with the
/// same widths.
/// Limits: At least 2^(n-1) pixels per side.
///
/// \code
/// auto encoder = eq::UNetEncoder{.in_channels = 1, .widths = {8, 16, 32}}.build();
/// eq::MapFeature feature = encoder->forward(torch::randn({2, 1, 16, 16}));
/// at::Tensor deepest = feature.map;           // [2, 32, 4, 4]
/// at::Tensor finest = feature.skips.front();  // [2, 8, 16, 16]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/model/convolution.hpp>
#include <equipoise/core/model/norm.hpp>

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

class UNetEncoderModule : public torch::nn::Module {
 public:
  UNetEncoderModule(std::int64_t in_channels, std::vector<std::int64_t> widths, std::int64_t dimensions)
      : torch::nn::Module("UNetEncoder"), in_channels_(in_channels), widths_(std::move(widths)), dims_(dimensions) {
    levels_ = register_module("levels", torch::nn::ModuleList());
    std::int64_t in = in_channels;
    for (const std::int64_t width : widths_) {
      torch::nn::ModuleList level;
      for (const std::int64_t from : {in, width}) {
        level->push_back(convolution(dims_, from, width, 3));
        level->push_back(std::make_shared<GroupNormModule>(std::gcd<std::int64_t>(width, 8), width));
      }
      levels_->push_back(level);
      in = width;
    }
  }

  /// \param x [B, in_channels, H, W] or [B, in_channels, Z, H, W]
  /// \throws ShapeError for another number of channels, a side smaller than 2^(levels - 1), or integers
  [[nodiscard]] MapFeature forward(const at::Tensor& x) {
    Feature out(x);
    for (std::size_t s = 0; s < stages(); ++s) out = forward_stage(s, std::move(out));
    return {std::move(out.value), std::move(out.skips)};
  }

  /// \name Taps: after each level
  /// @{
  [[nodiscard]] std::size_t stages() const { return widths_.size(); }
  [[nodiscard]] std::int64_t tap_width(std::size_t stage) const { return widths_[stage]; }
  [[nodiscard]] Feature forward_stage(std::size_t stage, Feature x) {
    if (stage == 0) {
      check(x.value);
      x.kind = FeatureKind::map;
    } else {
      x.skips.push_back(x.value);
      x.value = dims_ == 3 ? at::max_pool3d(x.value, {2, 2, 2}) : at::max_pool2d(x.value, {2, 2});
    }
    auto& layers = *levels_[stage]->as<torch::nn::ModuleList>();
    for (const std::size_t c : {0U, 2U}) {
      x.value = layers[c]->as<ConvolutionModule>()->forward(x.value);
      x.value = torch::gelu(layers[c + 1]->as<GroupNormModule>()->forward(x.value));
    }
    return x;
  }
  /// @}

  [[nodiscard]] FeatureSpec feature() const {
    return {FeatureKind::map, widths_.back(), {widths_.begin(), widths_.end() - 1}};
  }

 private:
  void check(const at::Tensor& x) const {
    const std::int64_t min_side = std::int64_t{1} << (widths_.size() - 1);
    bool fits = x.dim() == dims_ + 2 && x.size(1) == in_channels_ && x.is_floating_point();
    for (std::int64_t d = 2; fits && d < x.dim(); ++d) fits = x.size(d) >= min_side;
    if (!fits)
      throw ShapeError(message("shape.101", "UNetEncoder", "expected [B, ", in_channels_, dims_ == 3 ? ", Z" : "",
                               ", H, W] with sides >= ", min_side, " of a floating type, got ", x.sizes(), " of ",
                               x.scalar_type()));
  }

  std::int64_t in_channels_;
  std::vector<std::int64_t> widths_;
  std::int64_t dims_;
  torch::nn::ModuleList levels_{nullptr};
};

/// `UNetEncoder{.in_channels = 1, .widths = {16, 32, 64, 128}}`.
struct UNetEncoder {
  static constexpr std::string_view id = "unet_encoder";

  std::int64_t in_channels = 1;                          ///< channels of the image; > 0
  std::vector<std::int64_t> widths = {16, 32, 64, 128};  ///< channels of each level; > 0
  std::int64_t dimensions = 2;                           ///< 2 for images, 3 for volumes

  /// A small encoder and an input for it, for tests.
  [[nodiscard]] static UNetEncoder example() { return {.widths = {4, 8}}; }
  [[nodiscard]] static at::Tensor example_input(std::int64_t records) { return torch::randn({records, 1, 8, 8}); }

  [[nodiscard]] std::shared_ptr<UNetEncoderModule> build() const {
    check_option(in_channels > 0, "UNetEncoder.in_channels", "> 0", in_channels);
    check_option(!widths.empty(), "UNetEncoder.widths", "at least one level", "none");
    for (const std::int64_t width : widths) check_option(width > 0, "UNetEncoder.widths", "each > 0", width);
    check_option(dimensions == 2 || dimensions == 3, "UNetEncoder.dimensions", "2 or 3", dimensions);
    return std::make_shared<UNetEncoderModule>(in_channels, widths, dimensions);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::UNetEncoder, in_channels, widths, dimensions);
