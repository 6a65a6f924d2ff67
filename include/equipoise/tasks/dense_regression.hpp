// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `DenseRegression` predicts a map by a 1x1 convolution on the joint map.
///
/// - In: joint map [R, W, H, W'] of R rows, targets `Maps` [B, C, H, W']
/// - Out: predictions [R, C, H, W']
///
/// The loss of a record is the mean over its valid pixels; a NaN pixel is not valid. The loss
/// therefore does not depend on the resolution. Without any modality the task predicts one constant
/// per channel, the one that fits the training targets best: their mean (L2) or median (L1). With
/// Huber's loss it predicts their mean, too.
///
/// When: The target is a map or an image, such as a dose difference.
/// Cost: One 1x1 convolution. The map fusion before it costs more.
/// Limits: It needs a fusion that yields a map, such as `SpatialCascade`, and a modality with a map
/// encoder, such as `Cnn`.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"dose">(eq::SpatialCascade{.widths = {8, 4}}, eq::DenseRegression{.channels = 1}));
/// auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
///                        eq::target<"dose">(eq::Maps{doses}));  // [N, 1, H, W], NaN where missing
/// eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
/// at::Tensor predicted = model->predict(train)["dose"_n];       // [N, 1, H, W]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/tasks/pointwise.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>

#include <cstdint>
#include <memory>
#include <string_view>

namespace equipoise {

class DenseRegressionModule : public torch::nn::Module {
 public:
  using Target = Maps;

  DenseRegressionModule(std::int64_t joint_width, std::int64_t channels, PointLoss loss, double delta)
      : torch::nn::Module("DenseRegression"), loss_(loss), delta_(delta) {
    conv_ = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(joint_width, channels, 1)));
    prior_ = register_buffer("prior", torch::zeros({channels}));
  }

  [[nodiscard]] std::int64_t outputs() const { return prior_.numel(); }
  [[nodiscard]] at::Tensor prior() const { return prior_; }

  [[nodiscard]] at::Tensor forward(const at::Tensor& joint) { return conv_->forward(joint); }

  /// \param prediction [C, B, O, H, W]  \param target [B, O, H, W]  \return [C, B]
  [[nodiscard]] at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool has_missing) const {
    return detail::record_loss(prediction, target, has_missing, loss_, delta_);
  }

  /// Sets the prior: the median of each channel for L1, else the mean.
  /// \param targets [N, O, H, W] of the training records
  void fit_prior(const at::Tensor& targets) {
    const torch::NoGradGuard no_grad;
    const at::Tensor flat = targets.transpose(0, 1).flatten(1);  // [O, N * H * W]
    prior_.copy_(loss_ == PointLoss::l1 ? std::get<0>(flat.nanmedian(1)) : flat.nanmean(1));
  }

 private:
  PointLoss loss_;
  double delta_;
  torch::nn::Conv2d conv_{nullptr};
  at::Tensor prior_;
};

/// `DenseRegression{.channels = 1}`.
struct DenseRegression {
  static constexpr std::string_view id = "dense_regression";

  std::int64_t channels = 1;       ///< channels of the predicted map; > 0
  PointLoss loss = PointLoss::l2;  ///< loss of a pixel
  double delta = 1.0;              ///< Huber's threshold in the unit of the targets

  [[nodiscard]] std::shared_ptr<DenseRegressionModule> build(std::int64_t joint_width) const {
    check_option(channels > 0, "DenseRegression.channels", "> 0", channels);
    check_option(delta > 0, "DenseRegression.delta", "> 0", delta);
    return std::make_shared<DenseRegressionModule>(joint_width, channels, loss, delta);
  }
};

}  // namespace equipoise

BOOST_HANA_ADAPT_STRUCT(equipoise::DenseRegression, channels, loss, delta);
