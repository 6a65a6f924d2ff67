// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `ViT` is the vision transformer, without its classifier. It cuts an image into square patches,
/// makes a token of each, and lets a class token attend to them. Its parameters are called as those
/// of torchvision (`conv_proj.weight`, `encoder.layers.encoder_layer_0.ln_1.weight`, …), so that
/// weights from there can be loaded (`eq::Pretrained`).
///
/// - In: images [B, in_channels, image_size, image_size] of B records
/// - Out: vector feature [B, width], the class token after the last norm
/// - Names of weights: `class_token`, `conv_proj.weight`, `conv_proj.bias`, `encoder.pos_embedding`,
///   `encoder.ln.weight`, `encoder.ln.bias`, and below `encoder.layers.encoder_layer_0.`, `…_1.`, …
///   the layer norms `ln_1` and `ln_2`, the linear layers `mlp.0` and `mlp.3`, and
///   `self_attention.in_proj_weight`, `self_attention.in_proj_bias`, `self_attention.out_proj`
///
/// From Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021, arXiv:2010.11929.
///
/// When: Images, with weights from a very large data set.
/// Cost: Each layer compares all pairs of (image_size / patch_size)^2 patches. The base model of
/// the paper (width 768, 12 layers and heads, hidden 3072) has 86 million parameters.
/// Limits: It needs far more records than `Cnn` or `ResNet` when it starts from random weights. The
/// size of the images is fixed. It yields no map: a task that predicts one needs another encoder.
///
/// \code
/// auto encoder = eq::ViT{.image_size = 32, .patch_size = 8, .width = 24, .heads = 3}.build();
/// at::Tensor feature = encoder->forward(torch::randn({2, 3, 32, 32}));  // [2, 24]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/model/transformer_layer.hpp>

#include <torch/nn/init.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise {

struct ViT;

class ViTModule : public torch::nn::Module {
 public:
  explicit ViTModule(const ViT& options);

  /// \param x [B, in_channels, image_size, image_size]  \return [B, width]
  /// \throws ShapeError for another size or number of channels, or integers
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) {
    if (x.dim() != 4 || x.size(1) != in_channels_ || x.size(2) != size_ || x.size(3) != size_ || !x.is_floating_point())
      throw ShapeError(message("shape.101", "ViT", "expected [B, ", in_channels_, ", ", size_, ", ", size_,
                               "] of a floating type, got ", x.sizes(), " of ", x.scalar_type()));
    const at::Tensor patches = patches_->forward(x).flatten(2).transpose(1, 2);  // [B, P, width]
    at::Tensor h = at::cat({class_token_.expand({x.size(0), 1, width_}), patches}, 1) + place_;
    if (dropout_ > 0) h = torch::dropout(h, dropout_, is_training());
    for (const auto& layer : layers_) h = layer->forward(h);
    return norm_->forward(h.select(1, 0));
  }

  [[nodiscard]] std::int64_t width() const { return width_; }

 private:
  std::int64_t in_channels_, size_, width_;
  double dropout_;
  at::Tensor class_token_, place_;
  torch::nn::Conv2d patches_{nullptr};
  std::vector<std::shared_ptr<detail::TransformerLayer>> layers_;
  std::shared_ptr<detail::NormLayer> norm_;
};

/// `ViT{.image_size = 224, .patch_size = 16, .width = 768, .layers = 12, .heads = 12,
/// .hidden = 3072}`.
struct ViT {
  static constexpr std::string_view id = "vit";

  std::int64_t image_size = 32;  ///< height and width of the images; a multiple of the patches'
  std::int64_t patch_size = 4;   ///< height and width of a patch; > 0
  std::int64_t in_channels = 3;  ///< channels of the image; > 0
  std::int64_t width = 64;       ///< of a token and of the feature; > 0
  std::int64_t layers = 4;       ///< > 0
  std::int64_t heads = 4;        ///< heads of attention; must divide the width
  std::int64_t hidden = 128;     ///< size of the perceptrons' hidden layers; > 0
  double dropout = 0;            ///< probability, in [0, 1)

  /// A small encoder and an input for it, for tests.
  [[nodiscard]] static ViT example() { return {.image_size = 8, .width = 8, .layers = 2, .heads = 2, .hidden = 16}; }
  [[nodiscard]] static at::Tensor example_input(std::int64_t records) { return torch::randn({records, 3, 8, 8}); }

  [[nodiscard]] std::shared_ptr<ViTModule> build() const {
    check_option(patch_size > 0, "ViT.patch_size", "> 0", patch_size);
    check_option(image_size > 0 && image_size % patch_size == 0, "ViT.image_size", "a multiple of patch_size",
                 image_size);
    check_option(in_channels > 0, "ViT.in_channels", "> 0", in_channels);
    check_option(width > 0, "ViT.width", "> 0", width);
    check_option(layers > 0, "ViT.layers", "> 0", layers);
    check_option(heads > 0 && width % heads == 0, "ViT.heads", "a divisor of the width", heads);
    check_option(hidden > 0, "ViT.hidden", "> 0", hidden);
    check_option(dropout >= 0 && dropout < 1, "ViT.dropout", "in [0, 1)", dropout);
    return std::make_shared<ViTModule>(*this);
  }
};

inline ViTModule::ViTModule(const ViT& o)
    : torch::nn::Module("ViT"), in_channels_(o.in_channels), size_(o.image_size), width_(o.width), dropout_(o.dropout) {
  const std::int64_t side = o.image_size / o.patch_size;
  class_token_ = register_parameter("class_token", at::zeros({1, 1, o.width}));
  patches_ = register_module(
      "conv_proj",
      torch::nn::Conv2d(torch::nn::Conv2dOptions(o.in_channels, o.width, o.patch_size).stride(o.patch_size)));
  const auto encoder = register_module("encoder", std::make_shared<detail::NamedParts>());
  place_ = encoder->add("pos_embedding", torch::nn::init::normal_(at::empty({1, 1 + side * side, o.width}), 0, 0.02));
  const auto layers = encoder->add("layers", std::make_shared<detail::NamedParts>());
  for (std::int64_t l = 0; l < o.layers; ++l)
    layers_.push_back(layers->add("encoder_layer_" + std::to_string(l),
                                  std::make_shared<detail::TransformerLayer>(
                                      detail::TransformerLayerOptions{.width = o.width,
                                                                      .heads = o.heads,
                                                                      .hidden = o.hidden,
                                                                      .dropout = o.dropout,
                                                                      .epsilon = 1e-6,
                                                                      .names = detail::LayerNames::torchvision})));
  norm_ = encoder->add("ln", std::make_shared<detail::NormLayer>(o.width, 1e-6));
}

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::ViT, image_size, patch_size, in_channels, width, layers, heads, hidden, dropout);
