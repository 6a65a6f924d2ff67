// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `ResNet` is the residual network of 18, 34 or 50 layers, without its classifier. Its parameters
/// and buffers are called as those of torchvision (`conv1.weight`, `layer1.0.bn1.running_mean`, …),
/// so that weights from there can be loaded (`eq::Pretrained`).
///
/// - In: images [B, in_channels, H, W] of B records
/// - Out: map feature [B, 8 width, H / 32, W / 32], 32 width channels for 50 layers
/// - Skip maps: the input, the map of the first convolution (half the size) and those of the first
///   three groups of layers (1/4, 1/8 and 1/16), for a fusion that decodes a map
/// - Taps, for an intermediate fusion (`eq::Mmtm`): after each of the four groups of layers
///
/// From He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016,
/// arXiv:1512.03385. As in torchvision, the 3x3 convolution of a bottleneck has the stride.
///
/// When: Images, with weights from a larger data set, or thousands of records.
/// Cost: About 1.8, 3.7 and 4.1 billion multiplications for an image of 224 x 224 and 18, 34 and 50
/// layers; 11, 21 and 24 million parameters.
/// Limits: At least 32 x 32 pixels. The norms are batch norms: in training a record's feature depends
/// on the others of its batch. With small batches freeze it (`eq::Frozen`) or use `Cnn`. With a
/// single record, a training step of a model uses the running statistics and does not change them.
/// An encoder outside a model does so where a map is 1 x 1; PyTorch throws there. Weights of
/// ImageNet need inputs that are scaled as there.
///
/// \code
/// auto encoder = eq::ResNet{.depth = 18, .in_channels = 3, .width = 16}.build();
/// eq::MapFeature feature = encoder->forward(torch::randn({2, 3, 64, 64}));
/// at::Tensor deepest = feature.map;  // [2, 128, 2, 2]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/encoders/pooling.hpp>

#include <torch/nn/init.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

/// A batch norm, without the header of LibTorch's that costs every program seconds.
class BatchNormLayer : public torch::nn::Module {
 public:
  explicit BatchNormLayer(std::int64_t width) : torch::nn::Module("BatchNorm") {
    weight_ = register_parameter("weight", at::ones({width}));
    bias_ = register_parameter("bias", at::zeros({width}));
    mean_ = register_buffer("running_mean", at::zeros({width}));
    var_ = register_buffer("running_var", at::ones({width}));
    batches_ = register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
  }
  /// A channel with a single value has no variance: it is normalised by the running statistics, which do not change.
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) {
    const bool learns = is_training() && x.numel() > x.size(1);
    if (learns) batches_.add_(1);
    return at::batch_norm(x, weight_, bias_, mean_, var_, learns, 0.1, 1e-5, true);
  }

 private:
  at::Tensor weight_, bias_, mean_, var_, batches_;
};

/// A convolution without bias, with He's initial weights.
[[nodiscard]] inline torch::nn::Conv2d he_conv(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                               std::int64_t stride) {
  torch::nn::Conv2d conv(
      torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding((kernel - 1) / 2).bias(false));
  torch::nn::init::kaiming_normal_(conv->weight, 0, torch::kFanOut, torch::kReLU);
  return conv;
}

/// A residual block: two 3x3 convolutions, or a bottleneck of 1x1, 3x3 and 1x1.
class ResNetBlock : public torch::nn::Module {
 public:
  ResNetBlock(std::int64_t in, std::int64_t planes, std::int64_t stride, bool bottleneck)
      : torch::nn::Module("ResNetBlock") {
    const std::int64_t out = planes * (bottleneck ? 4 : 1);
    if (bottleneck) {
      add(he_conv(in, planes, 1, 1), planes), add(he_conv(planes, planes, 3, stride), planes);
      add(he_conv(planes, out, 1, 1), out);
    } else {
      add(he_conv(in, planes, 3, stride), planes), add(he_conv(planes, planes, 3, 1), planes);
    }
    if (stride == 1 && in == out) return;
    const auto shortcut = register_module("downsample", torch::nn::ModuleList());
    shortcut->push_back(shortcut_ = he_conv(in, out, 1, stride));
    shortcut->push_back(shortcut_norm_ = std::make_shared<BatchNormLayer>(out));
  }

  [[nodiscard]] at::Tensor forward(const at::Tensor& x) {
    at::Tensor h = x;
    for (std::size_t l = 0; l < convs_.size(); ++l) {
      h = norms_[l]->forward(convs_[l]->forward(h));
      if (l + 1 < convs_.size()) h = torch::relu(h);
    }
    return torch::relu(h + (shortcut_norm_ ? shortcut_norm_->forward(shortcut_->forward(x)) : x));
  }

 private:
  void add(const torch::nn::Conv2d& conv, std::int64_t width) {
    const std::string number = std::to_string(convs_.size() + 1);
    convs_.push_back(register_module("conv" + number, conv));
    norms_.push_back(register_module("bn" + number, std::make_shared<BatchNormLayer>(width)));
  }

  std::vector<torch::nn::Conv2d> convs_;
  std::vector<std::shared_ptr<BatchNormLayer>> norms_;
  torch::nn::Conv2d shortcut_{nullptr};
  std::shared_ptr<BatchNormLayer> shortcut_norm_;
};

}  // namespace detail

class ResNetModule : public torch::nn::Module {
 public:
  ResNetModule(std::int64_t depth, std::int64_t in_channels, std::int64_t width, Pool pool)
      : torch::nn::Module("ResNet"), in_channels_(in_channels), pool_(pool) {
    const bool bottleneck = depth == 50;
    const std::vector<std::int64_t> blocks =
        depth == 18 ? std::vector<std::int64_t>{2, 2, 2, 2} : std::vector<std::int64_t>{3, 4, 6, 3};
    conv_ = register_module("conv1", detail::he_conv(in_channels, width, 7, 2));
    norm_ = register_module("bn1", std::make_shared<detail::BatchNormLayer>(width));
    std::int64_t in = width;
    skips_ = {in_channels, width};
    for (std::size_t g = 0; g < blocks.size(); ++g) {
      const std::int64_t planes = width << g;
      auto group = register_module("layer" + std::to_string(g + 1), torch::nn::ModuleList());
      for (std::int64_t b = 0; b < blocks[g]; ++b) {
        group->push_back(std::make_shared<detail::ResNetBlock>(in, planes, b == 0 && g > 0 ? 2 : 1, bottleneck));
        in = planes * (bottleneck ? 4 : 1);
      }
      groups_.push_back(group);
      if (g + 1 < blocks.size()) skips_.push_back(in);
    }
    width_ = in;
    pooling_ = std::make_shared<detail::PoolModule>(pool, width_);
    if (pool == Pool::attention) register_module("pool", pooling_);
  }

  /// \param x [B, in_channels, H, W]
  /// \throws ShapeError for another number of channels, sides below 32, or integers
  [[nodiscard]] MapFeature forward(const at::Tensor& x) {
    Feature out(x);
    for (std::size_t s = 0; s < stages(); ++s) out = forward_stage(s, std::move(out));
    return {std::move(out.value), std::move(out.skips)};
  }

  /// \name Taps: after each group of layers; the first convolution belongs to the first
  /// @{
  [[nodiscard]] std::size_t stages() const { return groups_.size(); }
  [[nodiscard]] std::int64_t tap_width(std::size_t stage) const {
    return stage + 1 < stages() ? skips_[stage + 2] : width_;
  }
  [[nodiscard]] Feature forward_stage(std::size_t stage, Feature x) {
    if (stage == 0) {
      check(x.value);
      x.kind = FeatureKind::map;
      x.skips.push_back(x.value);
      x.value = torch::relu(norm_->forward(conv_->forward(x.value)));
    }
    x.skips.push_back(x.value);
    if (stage == 0) x.value = at::max_pool2d(x.value, {3, 3}, {2, 2}, {1, 1});
    for (const auto& block : *groups_[stage]) x.value = block->as<detail::ResNetBlock>()->forward(x.value);
    if (stage + 1 == stages() && pool_ != Pool::none)
      x.value = pooling_->forward(x.value.flatten(2).transpose(1, 2), {}).unsqueeze(2).unsqueeze(3);
    return x;
  }
  /// @}

  [[nodiscard]] FeatureSpec feature() const { return {FeatureKind::map, width_, skips_}; }

 private:
  void check(const at::Tensor& x) const {
    if (x.dim() != 4 || x.size(1) != in_channels_ || x.size(2) < 32 || x.size(3) < 32 || !x.is_floating_point())
      throw ShapeError(message("shape.101", "ResNet", "expected [B, ", in_channels_,
                               ", H >= 32, W >= 32] of a floating type, got ", x.sizes(), " of ", x.scalar_type()));
  }

  std::int64_t in_channels_, width_ = 0;
  Pool pool_;
  std::vector<std::int64_t> skips_;
  torch::nn::Conv2d conv_{nullptr};
  std::shared_ptr<detail::BatchNormLayer> norm_;
  std::vector<torch::nn::ModuleList> groups_;
  std::shared_ptr<detail::PoolModule> pooling_;
};

/// `ResNet{.depth = 50}`.
struct ResNet {
  static constexpr std::string_view id = "resnet";

  std::int64_t depth = 18;       ///< layers: 18, 34 or 50
  std::int64_t in_channels = 3;  ///< channels of the image; > 0
  std::int64_t width = 64;       ///< channels of the first layer; 64 in the paper; > 0
  Pool pool = Pool::none;        ///< what the deepest map is reduced to

  /// A small encoder and an input for it, for tests.
  [[nodiscard]] static ResNet example() { return {.width = 2}; }
  [[nodiscard]] static at::Tensor example_input(std::int64_t records) { return torch::randn({records, 3, 64, 64}); }

  [[nodiscard]] std::shared_ptr<ResNetModule> build() const {
    check_option(depth == 18 || depth == 34 || depth == 50, "ResNet.depth", "18, 34 or 50", depth);
    check_option(in_channels > 0, "ResNet.in_channels", "> 0", in_channels);
    check_option(width > 0, "ResNet.width", "> 0", width);
    return std::make_shared<ResNetModule>(depth, in_channels, width, pool);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::ResNet, depth, in_channels, width, pool);
