// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `GaussianRegression` predicts O real values per record and the variance of each, which may
/// differ from record to record.
///
/// - In: joint feature [R, W] of R rows, targets `Values` [B, O]
/// - Out: predictions [R, 2 O]: O means, then O logarithms s of the variance
///
/// The loss of an output is the negative log-likelihood of a normal distribution without its
/// constant; the variance has a floor v:
///
///     l = (log σ² + (y - μ)² / σ²) / 2,  σ² = exp(s) + v
///
/// The loss of a record is the mean over its outputs; a NaN target counts as missing. Without any
/// modality the task predicts the mean and the variance of the training targets. Metrics are those
/// of the means. Policies compare modalities by the likelihood of their targets, and `Mla` gives
/// surer modalities a larger weight.
/// From Nix and Weigend, 1994, eq. 5.
///
/// When: The noise of the target differs between records, or you need to know how sure a prediction
/// is.
/// Cost: One linear layer of 2 O outputs.
/// Limits: The loss may be negative. Relative contributions are then NaN: use
/// `eq::shapley(*model, test, eq::Value::loss_reduction)`. Records with a large predicted variance hardly train the mean.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::Concat{}, eq::GaussianRegression{.outputs = 2}));
/// auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
///                        eq::target<"rate">(eq::Values{rates}));  // [N, 2], NaN where missing
/// eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
/// at::Tensor z = model->predict(train)["rate"_n];                 // [N, 4]
/// at::Tensor mean = z.narrow(1, 0, 2), deviation = z.narrow(1, 2, 2).div(2).exp();
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/model/metric.hpp>
#include <equipoise/tasks/known_targets.hpp>
#include <equipoise/tasks/metrics_of.hpp>
#include <equipoise/tasks/pointwise.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

class GaussianRegressionModule : public torch::nn::Module {
 public:
  using Target = Values;
  static constexpr double likelihood_scale = 1;

  GaussianRegressionModule(std::int64_t joint_width, std::int64_t outputs, double floor, std::vector<Metric> metrics)
      : torch::nn::Module("GaussianRegression"), outputs_(outputs), floor_(floor), metrics_(std::move(metrics)) {
    linear_ = register_module("linear", torch::nn::Linear(joint_width, 2 * outputs));
    prior_ = register_buffer("prior", torch::zeros({2 * outputs}));
  }

  [[nodiscard]] std::int64_t outputs() const { return outputs_; }
  [[nodiscard]] at::Tensor weight() const { return linear_->weight; }
  [[nodiscard]] at::Tensor prior() const { return prior_; }
  [[nodiscard]] std::vector<Metric> metrics() const {
    return detail::metrics_of(metrics_, [n = outputs_](const at::Tensor& z) { return z.narrow(1, 0, n); });
  }

  [[nodiscard]] at::Tensor forward(const at::Tensor& joint) { return linear_->forward(joint); }

  /// \param prediction [C, B, 2 O]  \param target [B, O]  \return [C, B]
  [[nodiscard]] at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    return detail::mean_of_valid(of_outputs(prediction, target), target.isnan().logical_not().unsqueeze(0));
  }

  /// How much likelier the target is than without any modality, p / (p + p_prior), the mean over a
  /// record's outputs, [C, B].
  [[nodiscard]] at::Tensor score(const at::Tensor& prediction, const at::Tensor& target) const {
    const at::Tensor gain = of_outputs(prior_.view({1, 1, -1}), target) - of_outputs(prediction, target);
    return detail::mean_of_valid(gain.sigmoid(), target.isnan().logical_not().unsqueeze(0));
  }

  /// The negative mean of the logarithms of the variances, [C, B].
  [[nodiscard]] at::Tensor certainty(const at::Tensor& prediction) const {
    return prediction.narrow(2, outputs_, outputs_).mean(2).neg();
  }

  /// Sets the prior to the mean and the log variance of each output.
  /// \param targets [N, O] of the training records
  /// \param weights [N], undefined where all records count alike
  void fit_prior(const at::Tensor& targets, const at::Tensor& weights = {}) {
    const torch::NoGradGuard no_grad;
    const at::Tensor mean = detail::known_mean(targets, weights),
                     variance = detail::known_mean((targets - mean).square(), weights);
    detail::set_known(prior_, torch::cat({mean, (variance - floor_).clamp_min(floor_).log()}));
  }

 private:
  /// The negative log-likelihood of each output, [C, B, O]; of no meaning where the target is missing.
  [[nodiscard]] at::Tensor of_outputs(const at::Tensor& prediction, const at::Tensor& target) const {
    const at::Tensor mean = prediction.narrow(2, 0, outputs_),
                     variance = prediction.narrow(2, outputs_, outputs_).exp() + floor_;
    const at::Tensor error = mean - target.masked_fill(target.isnan(), 0);
    return 0.5 * (variance.log() + error.square() / variance);
  }

  std::int64_t outputs_;
  double floor_;
  std::vector<Metric> metrics_;
  torch::nn::Linear linear_{nullptr};
  at::Tensor prior_;
};

/// `GaussianRegression{.outputs = 3}`.
struct GaussianRegression {
  static constexpr std::string_view id = "gaussian_regression";

  std::int64_t outputs = 1;  ///< O > 0: numbers per record
  double floor = 1e-6;       ///< v > 0: smallest variance, in the squared unit of the targets

  std::vector<Metric> metrics = {};  ///< what it reports beside its loss

  [[nodiscard]] std::shared_ptr<GaussianRegressionModule> build(std::int64_t joint_width) const {
    check_option(outputs > 0, "GaussianRegression.outputs", "> 0", outputs);
    check_option(floor > 0, "GaussianRegression.floor", "> 0", floor);
    return std::make_shared<GaussianRegressionModule>(joint_width, outputs, floor, metrics);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::GaussianRegression, outputs, floor);
