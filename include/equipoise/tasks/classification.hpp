// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Classification` predicts one of C classes by a linear head on the joint vector and
/// cross-entropy.
///
/// - In: joint feature [R, W] of R rows, targets `Labels` int64 [B], negative where missing
/// - Out: logits [R, C]
///
/// Without any modality the task predicts the class frequencies of the training data, as
/// log-probabilities.
///
/// When: Each record belongs to one of C classes.
/// Cost: One linear layer.
/// Limits: One class per record. The loss does not weight rare classes; use record weights for that
/// (`eq::balanced_weights`, data/weights.hpp).
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Concat{}, eq::Classification{.classes = 3, .smoothing = 0.1}));
/// auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
///                        eq::target<"label">(eq::Labels{labels}));  // int64 [N], -1 where missing
/// eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
/// at::Tensor p = model->predict(train)["label"_n].softmax(1);       // probabilities [N, 3]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/batch.hpp>

#include <ATen/core/Reduction.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <memory>
#include <string_view>

namespace equipoise {

class ClassificationModule : public torch::nn::Module {
 public:
  using Target = Labels;
  static constexpr double likelihood_scale = 1;

  ClassificationModule(std::int64_t joint_width, std::int64_t classes, double smoothing)
      : torch::nn::Module("Classification"), smoothing_(smoothing) {
    linear_ = register_module("linear", torch::nn::Linear(joint_width, classes));
    prior_ = register_buffer("prior", torch::zeros({classes}));
  }

  [[nodiscard]] std::int64_t outputs() const { return prior_.numel(); }
  [[nodiscard]] at::Tensor weight() const { return linear_->weight; }
  [[nodiscard]] at::Tensor prior() const { return prior_; }

  [[nodiscard]] at::Tensor forward(const at::Tensor& joint) { return linear_->forward(joint); }

  /// \param prediction logits [C', B, C]  \param target [B]
  /// \return [C', B]; zero where the label is missing
  [[nodiscard]] at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    const at::Tensor wanted = target.unsqueeze(0).expand({prediction.size(0), -1}).reshape({-1});
    return torch::cross_entropy_loss(prediction.flatten(0, 1), wanted.clamp_min(missing), {}, at::Reduction::None,
                                     missing, smoothing_)
        .view({prediction.size(0), prediction.size(1)});
  }

  /// Probability of the true class, [C', B]; undefined where the label is missing.
  [[nodiscard]] at::Tensor score(const at::Tensor& prediction, const at::Tensor& target) const {
    const at::Tensor wanted = target.clamp_min(0).view({1, -1, 1}).expand({prediction.size(0), -1, 1});
    return prediction.log_softmax(2).gather(2, wanted).squeeze(2).exp();
  }
  /// The negative entropy of the class probabilities, [C', B].
  [[nodiscard]] at::Tensor certainty(const at::Tensor& prediction) const {
    const at::Tensor log_p = prediction.log_softmax(2);
    return log_p.exp().mul(log_p).sum(2);
  }
  [[nodiscard]] at::Tensor probabilities(const at::Tensor& prediction) const { return prediction.softmax(-1); }
  /// Whether the most probable class is the true one, [C', B]; false where a logit is NaN.
  [[nodiscard]] at::Tensor correct(const at::Tensor& prediction, const at::Tensor& target) const {
    return prediction.argmax(2).eq(target.unsqueeze(0)).logical_and(prediction.isnan().any(2).logical_not());
  }

  /// Sets the prior to the class frequencies. A class that never occurs counts as half a record.
  /// \param targets [N] labels of the training records
  void fit_prior(const at::Tensor& targets) {
    const torch::NoGradGuard no_grad;
    const at::Tensor seen = targets.masked_select(targets.ge(0));
    const at::Tensor counts = seen.bincount({}, prior_.numel()).to(prior_.scalar_type()).clamp_min(0.5);
    prior_.copy_((counts / counts.sum()).log());
  }

 private:
  static constexpr std::int64_t missing = -1;

  double smoothing_;
  torch::nn::Linear linear_{nullptr};
  at::Tensor prior_;
};

/// `Classification{.classes = 10}`.
struct Classification {
  static constexpr std::string_view id = "classification";

  std::int64_t classes = 2;  ///< C >= 2
  double smoothing = 0;      ///< label smoothing in [0, 1)

  [[nodiscard]] std::shared_ptr<ClassificationModule> build(std::int64_t joint_width) const {
    check_option(classes >= 2, "Classification.classes", ">= 2", classes);
    check_option(smoothing >= 0 && smoothing < 1, "Classification.smoothing", "in [0, 1)", smoothing);
    return std::make_shared<ClassificationModule>(joint_width, classes, smoothing);
  }
};

}  // namespace equipoise

BOOST_HANA_ADAPT_STRUCT(equipoise::Classification, classes, smoothing);
