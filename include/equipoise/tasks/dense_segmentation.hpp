// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `DenseSegmentation` predicts the class of each pixel by a 1x1 convolution on the joint map.
///
/// - In: joint map [R, W, H, W'] of R rows, targets `ClassMaps` int64 [B, 1, H, W'], negative
///   where missing
/// - Out: logits [R, C, H, W']
///
/// The loss of a record is the weighted sum of the mean cross-entropy of its valid pixels and of 1
/// minus the soft Dice coefficient, the mean over the classes:
///
///     dice_c = (2 Σ p_c y_c + 1) / (Σ p_c + Σ y_c + 1)
///
/// The sums go over the record's valid pixels; p are probabilities, y is 1 where the class is true.
/// Without any modality the task predicts the class frequencies of the training pixels. From
/// Milletari, Navab, Ahmadi, 2016; the sum of both losses is Isensee and others', 2021.
///
/// When: The target is a map of classes, such as organs or regions of failing dose.
/// Cost: One 1x1 convolution. The map fusion before it costs more.
/// Limits: It needs a fusion that yields a map. Class 0 is the background for `eq::metric::dice`.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"organ">(eq::SpatialCascade{.widths = {8, 4}},
///                       eq::DenseSegmentation{.classes = 3}));
/// auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
///                        eq::target<"organ">(eq::ClassMaps{organs}));  // int64 [N, 1, H, W]
/// eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
/// at::Tensor classes = model->predict(train)["organ"_n].argmax(1);      // [N, H, W]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/batch/model_batch.hpp>
#include <equipoise/core/model/metric.hpp>
#include <equipoise/tasks/known_targets.hpp>
#include <equipoise/tasks/pointwise.hpp>

#include <ATen/core/Reduction.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

/// Classes of pixels, int64 [N, 1, H, W] in 0..C-1; negative where a pixel is not valid.
struct ClassMaps {
  at::Tensor tensor;

  [[nodiscard]] static at::Tensor missing(const at::Tensor& t) { return t.lt(0); }
  static void check(const at::Tensor& t, const Schema::Task& task, std::span<const std::int64_t> ids = {}) {
    if (t.dim() < 4 || t.dim() > 5 || t.size(1) != 1 || t.scalar_type() != at::kLong)
      throw ShapeError(message("shape.110", "target of task " + task.name,
                               "expected int64 [B, 1, H, W] or [B, 1, Z, H, W], got ", t.scalar_type(), " ",
                               t.sizes()));
    detail::check_classes_exist(t, task, ids, "classes");
  }
};

class DenseSegmentationModule : public torch::nn::Module {
 public:
  using Target = ClassMaps;
  static constexpr bool dense = true;
  static constexpr double likelihood_scale = 1;

  DenseSegmentationModule(std::int64_t joint_width, std::int64_t classes, double cross_entropy, double dice,
                          std::vector<Metric> metrics)
      : torch::nn::Module("DenseSegmentation"),
        cross_entropy_(cross_entropy),
        dice_(dice),
        metrics_(std::move(metrics)) {
    conv_ = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(joint_width, classes, 1)));
    prior_ = register_buffer("prior", torch::zeros({classes}));
  }

  [[nodiscard]] std::int64_t outputs() const { return prior_.numel(); }
  [[nodiscard]] at::Tensor prior() const { return prior_; }
  [[nodiscard]] std::vector<Metric> metrics() const { return metrics_; }

  [[nodiscard]] at::Tensor forward(const at::Tensor& joint) { return detail::of_each_pixel(conv_, joint); }

  /// \param prediction logits [C', B, C, H, W], or [C', B, C, 1, 1] of maps that are the same
  /// everywhere  \param target [B, 1, H, W]  \return [C', B]
  [[nodiscard]] at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    const at::Tensor valid = target.ge(0).unsqueeze(0);                                 // [1, B, 1, H, W]
    const at::Tensor place = target.clamp_min(0).unsqueeze(0);                          // [1, B, 1, H, W]
    const at::Tensor log_p = detail::on_all_pixels(prediction.log_softmax(2), target);  // [C', B, C, H, W]
    const at::Tensor of_true = log_p.gather(2, of_coalitions(place, log_p));
    const at::Tensor p = log_p.exp().masked_fill(valid.eq(false), 0),
                     y = torch::zeros_like(log_p.select(0, 0))
                             .unsqueeze(0)
                             .scatter(2, place, 1)
                             .masked_fill(valid.eq(false), 0);                         // [1, B, C, H, W]
    const auto total = [](const at::Tensor& maps) { return maps.flatten(3).sum(3); };  // [C', B, C]
    const at::Tensor overlap = (2 * total(p * y) + 1) / (total(p) + total(y) + 1);
    const at::Tensor any = valid.flatten(2).any(2);  // [1, B]
    return cross_entropy_ * detail::mean_of_valid(-of_true, valid) +
           dice_ * (1 - overlap).mean(2).masked_fill(any.eq(false), 0);
  }

  /// The mean probability of the pixels' true classes, [C', B].
  [[nodiscard]] at::Tensor score(const at::Tensor& prediction, const at::Tensor& target) const {
    const at::Tensor valid = target.ge(0).unsqueeze(0), place = target.clamp_min(0).unsqueeze(0);
    const at::Tensor p = detail::on_all_pixels(prediction.softmax(2), target);
    return detail::mean_of_valid(p.gather(2, of_coalitions(place, p)), valid);
  }

  /// Sets the prior to the class frequencies. A class that never occurs counts as half a pixel.
  /// \param targets [N, 1, H, W] of the training records
  /// \param weights [N], undefined where all records count alike
  void fit_prior(const at::Tensor& targets, const at::Tensor& weights = {}) {
    const torch::NoGradGuard no_grad;
    const at::Tensor counts =
        detail::class_counts(targets, weights, prior_.numel()).to(prior_.options()).clamp_min(0.5);
    prior_.copy_((counts / counts.sum()).log());
  }

 private:
  /// [1, B, 1, …] for each of the C' coalitions of `like`
  [[nodiscard]] static at::Tensor of_coalitions(const at::Tensor& place, const at::Tensor& like) {
    std::vector<std::int64_t> shape = place.sizes().vec();
    shape[0] = like.size(0);
    return place.expand(shape);
  }

  double cross_entropy_, dice_;
  std::vector<Metric> metrics_;
  torch::nn::Conv2d conv_{nullptr};
  at::Tensor prior_;
};

/// `DenseSegmentation{.classes = 3}`.
struct DenseSegmentation {
  static constexpr std::string_view id = "dense_segmentation";

  std::int64_t classes = 2;  ///< C >= 2
  double cross_entropy = 1;  ///< weight >= 0 of the cross-entropy
  double dice = 1;           ///< weight >= 0 of 1 - Dice

  std::vector<Metric> metrics = {};  ///< what it reports beside its loss

  [[nodiscard]] std::shared_ptr<DenseSegmentationModule> build(std::int64_t joint_width) const {
    check_option(classes >= 2, "DenseSegmentation.classes", ">= 2", classes);
    check_option(cross_entropy >= 0 && std::isfinite(cross_entropy), "DenseSegmentation.cross_entropy", ">= 0",
                 cross_entropy);
    check_option(dice >= 0 && std::isfinite(dice) && dice + cross_entropy > 0, "DenseSegmentation.dice",
                 ">= 0, and one of the two weights > 0", dice);
    return std::make_shared<DenseSegmentationModule>(joint_width, classes, cross_entropy, dice, metrics);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::DenseSegmentation, classes, cross_entropy, dice);
