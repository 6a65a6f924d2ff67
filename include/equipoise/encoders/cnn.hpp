// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Cnn` is a small convolutional encoder for images. Each stage halves height and width: a 3x3
/// convolution with stride 2, group norm, GELU, a 3x3 convolution, group norm, GELU.
///
/// - In: images [B, in_channels, H, W] of B records
/// - Out: map feature [B, widths.back(), H / 2^n, W / 2^n] after n stages, sizes rounded up
/// - Skip maps: the input and the maps of the earlier stages, for a fusion that decodes a map
///
/// The norm is a group norm, not a batch norm. The result for a record then does not depend on the
/// other records of the batch.
///
/// When: The modality is an image, or a task predicts a map.
/// Cost: Two 3x3 convolutions per stage. The first stage works at half the image size and usually
/// costs most.
/// Limits: Images have two dimensions and at least 2^n pixels per side for n stages. The norm
/// treats each record alone, so a difference in mean brightness is visible only at the image
/// borders. Where mean brightness matters, give it as a column of a table.
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
#include <equipoise/core/model/norm.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>

#include <cstdint>
#include <memory>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

/// The number of groups of a group norm: the greatest common divisor of the width and 8.
[[nodiscard]] inline std::int64_t norm_groups(std::int64_t width) {
  return std::gcd<std::int64_t>(width, 8);
}

}  // namespace detail

class CnnModule : public torch::nn::Module {
 public:
  CnnModule(std::int64_t in_channels, std::vector<std::int64_t> widths)
      : torch::nn::Module("Cnn"), in_channels_(in_channels), widths_(std::move(widths)) {
    stages_ = register_module("stages", torch::nn::ModuleList());
    std::int64_t in = in_channels;
    for (const std::int64_t width : widths_) {
      stages_->push_back(torch::nn::ModuleList(conv(in, width, 2), norm(width), conv(width, width, 1), norm(width)));
      in = width;
    }
  }

  /// \param x [B, in_channels, H, W]
  /// \throws ShapeError for another number of channels, an image smaller than 2^stages, or
  /// integers.
  [[nodiscard]] MapFeature forward(const at::Tensor& x) {
    const std::int64_t min_side = std::int64_t{1} << widths_.size();
    if (x.dim() != 4 || x.size(1) != in_channels_ || x.size(2) < min_side || x.size(3) < min_side ||
        !x.is_floating_point())
      throw ShapeError(message("shape.101", "Cnn", "expected [B, ", in_channels_, ", H >= ", min_side,
                               ", W >= ", min_side, "] of a floating type, got ", x.sizes(), " of ", x.scalar_type()));
    MapFeature out{x, {}};
    for (const auto& stage : *stages_) {
      out.skips.push_back(out.map);
      auto& layers = *stage->as<torch::nn::ModuleList>();
      for (const std::size_t l : {0U, 2U}) {
        out.map = layers[l]->as<torch::nn::Conv2d>()->forward(out.map);
        out.map = torch::gelu(layers[l + 1]->as<GroupNormModule>()->forward(out.map));
      }
    }
    return out;
  }

  [[nodiscard]] FeatureSpec feature() const {
    std::vector<std::int64_t> skips = {in_channels_};
    skips.insert(skips.end(), widths_.begin(), widths_.end() - 1);
    return {FeatureKind::map, widths_.back(), std::move(skips)};
  }

 private:
  static torch::nn::Conv2d conv(std::int64_t in, std::int64_t out, std::int64_t stride) {
    return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).stride(stride).padding(1).bias(false));
  }
  static std::shared_ptr<GroupNormModule> norm(std::int64_t width) {
    return std::make_shared<GroupNormModule>(detail::norm_groups(width), width);
  }

  std::int64_t in_channels_;
  std::vector<std::int64_t> widths_;
  torch::nn::ModuleList stages_{nullptr};
};

/// `Cnn{.in_channels = 1, .widths = {16, 32, 64, 128}}`.
struct Cnn {
  static constexpr std::string_view id = "cnn";

  std::int64_t in_channels = 1;                          ///< channels of the image; > 0
  std::vector<std::int64_t> widths = {16, 32, 64, 128};  ///< channels of each stage; > 0

  /// A small encoder and an input for it, for tests.
  [[nodiscard]] static Cnn example() { return {.widths = {4, 8}}; }
  [[nodiscard]] static at::Tensor example_input(std::int64_t records) { return torch::randn({records, 1, 8, 8}); }

  [[nodiscard]] std::shared_ptr<CnnModule> build() const {
    check_option(in_channels > 0, "Cnn.in_channels", "> 0", in_channels);
    check_option(!widths.empty(), "Cnn.widths", "at least one stage", "none");
    for (const std::int64_t width : widths) check_option(width > 0, "Cnn.widths", "each > 0", width);
    return std::make_shared<CnnModule>(in_channels, widths);
  }
};

}  // namespace equipoise

BOOST_HANA_ADAPT_STRUCT(equipoise::Cnn, in_channels, widths);
