// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Regression` predicts O real values per record by a linear head on the joint vector.
///
/// - In: joint feature [R, W] of R rows, targets `Values` [B, O]
/// - Out: predictions [R, O]
///
/// The loss of a record is the mean over its outputs. A NaN target counts as missing. Without any
/// modality the task predicts the constant that fits the training targets best: their mean (L2) or
/// median (L1). With Huber's loss it predicts their mean, too.
///
/// The member `metrics` adds figures to the loss: `.metrics = {eq::metric::mae()}`
/// (evaluation/task_metrics.hpp).
///
/// When: The target is one or more real numbers, such as gamma passing rates.
/// Cost: One linear layer.
/// Limits: Outputs of different scales share one loss: standardise them, or use a task for each. It
/// predicts a value, not an interval: see `GaussianRegression` and `QuantileRegression`.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::Concat{}, eq::Regression{.outputs = 2, .loss = eq::PointLoss::huber}));
/// auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
///                        eq::target<"rate">(eq::Values{rates}));  // [N, 2], NaN where missing
/// eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
/// at::Tensor predicted = model->predict(train)["rate"_n];         // [N, 2]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/model/metric.hpp>
#include <equipoise/tasks/known_targets.hpp>
#include <equipoise/tasks/pointwise.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

class RegressionModule : public torch::nn::Module {
 public:
  using Target = Values;

  RegressionModule(std::int64_t joint_width, std::int64_t outputs, PointLoss loss, double delta,
                   std::vector<Metric> metrics = {})
      : torch::nn::Module("Regression"), loss_(loss), delta_(delta), metrics_(std::move(metrics)) {
    linear_ = register_module("linear", torch::nn::Linear(joint_width, outputs));
    prior_ = register_buffer("prior", torch::zeros({outputs}));
  }

  [[nodiscard]] std::int64_t outputs() const { return linear_->options.out_features(); }
  [[nodiscard]] at::Tensor weight() const { return linear_->weight; }
  [[nodiscard]] at::Tensor prior() const { return prior_; }
  [[nodiscard]] std::vector<Metric> metrics() const { return metrics_; }

  [[nodiscard]] at::Tensor forward(const at::Tensor& joint) { return linear_->forward(joint); }

  /// \param prediction [C, B, O]  \param target [B, O]  \return [C, B]
  [[nodiscard]] at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool has_missing) const {
    return detail::record_loss(prediction, target, has_missing, loss_, delta_);
  }

  /// Sets the prior: the median of each output for L1, else the mean; 0 of an output that no record has.
  /// \param targets [N, O] of the training records
  /// \param weights [N], undefined where all records count alike
  void fit_prior(const at::Tensor& targets, const at::Tensor& weights = {}) {
    torch::NoGradGuard no_grad;
    detail::set_known(
        prior_, loss_ == PointLoss::l1 ? detail::known_median(targets, weights) : detail::known_mean(targets, weights));
  }

 private:
  PointLoss loss_;
  double delta_;
  std::vector<Metric> metrics_;
  torch::nn::Linear linear_{nullptr};
  at::Tensor prior_;
};

/// `Regression{.outputs = 3, .loss = PointLoss::huber}`.
struct Regression {
  static constexpr std::string_view id = "regression";

  std::int64_t outputs = 1;        ///< O > 0: numbers per record
  PointLoss loss = PointLoss::l2;  ///< loss of an output
  double delta = 1.0;              ///< Huber's threshold in the unit of the targets; > 0

  std::vector<Metric> metrics = {};  ///< what it reports beside its loss

  [[nodiscard]] std::shared_ptr<RegressionModule> build(std::int64_t joint_width) const {
    check_option(outputs > 0, "Regression.outputs", "> 0", outputs);
    check_option(delta > 0, "Regression.delta", "> 0", delta);
    return std::make_shared<RegressionModule>(joint_width, outputs, loss, delta, metrics);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Regression, outputs, loss, delta);
