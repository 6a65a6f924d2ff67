// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `DenseRegression` predicts a map by a 1x1 convolution on the joint map.
///
/// - In: joint map [R, W, H, W'] of R rows, targets `Maps` [B, C, H, W']
/// - Out: predictions [R, C, H, W']
/// - Volumes have a further size, Z, before H.
///
/// The loss of a record is the mean over its valid pixels; a NaN pixel is not valid. The loss
/// therefore does not depend on the resolution. Without any modality the task predicts one constant
/// per channel, the one that fits the training targets best: their mean (L2) or median (L1). With
/// Huber's loss it predicts their mean, too.
///
/// Two terms can be added to the loss of the pixels, each with a weight: `ssim` times 1 - SSIM
/// (Wang, Bovik, Sheikh, Simoncelli, 2004), which compares windows of 11 x 11 pixels, and `gradient` times
/// the mean absolute difference of the maps' gradients. Missing pixels are 0 in both maps; windows
/// whose centre is missing do not count. In volumes SSIM is that of the slices, the gradients are those
/// in all three directions. The member `metrics` adds figures to the loss:
/// `.metrics = {eq::metric::psnr(20)}` (evaluation/task_metrics.hpp).
///
/// When: The target is a map or an image, such as a dose difference.
/// Cost: One 1x1 convolution. The map fusion before it costs more.
/// Limits: It needs a fusion that yields a map, such as `SpatialCascade`, and a modality with a map
/// encoder, such as `Cnn`. The term of SSIM needs maps of at least 11 x 11 pixels.
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
#include <equipoise/core/model/metric.hpp>
#include <equipoise/tasks/known_targets.hpp>
#include <equipoise/tasks/map_terms.hpp>
#include <equipoise/tasks/pointwise.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace equipoise {

class DenseRegressionModule;

/// `DenseRegression{.channels = 1}`.
struct DenseRegression {
  static constexpr std::string_view id = "dense_regression";

  std::int64_t channels = 1;       ///< channels of the predicted map; > 0
  PointLoss loss = PointLoss::l2;  ///< loss of a pixel
  double delta = 1.0;              ///< Huber's threshold in the unit of the targets
  double ssim = 0;                 ///< weight >= 0 of 1 - SSIM
  double range = 1;                ///< L > 0 of SSIM: the largest difference that the maps can have
  double gradient = 0;             ///< weight >= 0 of the difference of gradients, in pixels

  std::vector<Metric> metrics = {};  ///< what it reports beside its loss

  [[nodiscard]] std::shared_ptr<DenseRegressionModule> build(std::int64_t joint_width) const;
};

class DenseRegressionModule : public torch::nn::Module {
 public:
  using Target = Maps;

  DenseRegressionModule(std::int64_t joint_width, DenseRegression options)
      : torch::nn::Module("DenseRegression"), options_(std::move(options)) {
    conv_ = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(joint_width, options_.channels, 1)));
    prior_ = register_buffer("prior", torch::zeros({options_.channels}));
  }

  [[nodiscard]] std::int64_t outputs() const { return prior_.numel(); }
  [[nodiscard]] at::Tensor prior() const { return prior_; }
  [[nodiscard]] std::vector<Metric> metrics() const { return options_.metrics; }

  [[nodiscard]] at::Tensor forward(const at::Tensor& joint) { return detail::of_each_pixel(conv_, joint); }

  /// \param prediction [C, B, O, H, W], or [C, B, O, 1, 1] of maps that are the same everywhere; of
  /// volumes with Z before H  \param target [B, O, H, W]  \return [C, B]
  /// \throws ShapeError for maps below 11 x 11 pixels where SSIM is a part of the loss
  [[nodiscard]] at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool has_missing) const {
    at::Tensor sum = detail::record_loss(prediction, target, has_missing, options_.loss, options_.delta);
    if (options_.ssim == 0 && options_.gradient == 0) return sum;
    const at::Tensor wanted = target.unsqueeze(0), valid = wanted.isnan().logical_not();
    const at::Tensor y = wanted.masked_fill(valid.eq(false), 0),
                     z = (prediction + torch::zeros_like(y)).masked_fill(valid.eq(false), 0);
    if (options_.gradient > 0) sum = sum + options_.gradient * detail::gradient_error(z, y, valid);
    if (options_.ssim > 0) {
      if (y.size(-2) < 11 || y.size(-1) < 11)
        throw ShapeError(message("shape.110", "DenseRegression.ssim",
                                 "expected target maps of at least 11 x 11 pixels, got ", target.sizes()));
      sum = sum + options_.ssim * detail::dissimilarity(z, y, valid, options_.range);
    }
    return sum;
  }

  /// Sets the prior: the median of each channel for L1, else the mean.
  /// \param targets [N, O, H, W] of the training records
  /// \param weights [N], undefined where all records count alike
  void fit_prior(const at::Tensor& targets, const at::Tensor& weights = {}) {
    const torch::NoGradGuard no_grad;
    const at::Tensor points = targets.transpose(0, 1).flatten(1).t();  // [N * H * W, O]
    const at::Tensor of_points =
        weights.defined() ? weights.repeat_interleave(points.size(0) / targets.size(0)) : weights;
    detail::set_known(prior_, options_.loss == PointLoss::l1 ? detail::known_median(points, of_points)
                                                             : detail::known_mean(points, of_points));
  }

 private:
  DenseRegression options_;
  torch::nn::Conv2d conv_{nullptr};
  at::Tensor prior_;
};

inline std::shared_ptr<DenseRegressionModule> DenseRegression::build(std::int64_t joint_width) const {
  check_option(channels > 0, "DenseRegression.channels", "> 0", channels);
  check_option(delta > 0, "DenseRegression.delta", "> 0", delta);
  check_option(ssim >= 0, "DenseRegression.ssim", ">= 0", ssim);
  check_option(range > 0, "DenseRegression.range", "> 0", range);
  check_option(gradient >= 0, "DenseRegression.gradient", ">= 0", gradient);
  return std::make_shared<DenseRegressionModule>(joint_width, *this);
}

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::DenseRegression, channels, loss, delta, ssim, range, gradient);
