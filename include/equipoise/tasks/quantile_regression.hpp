// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `QuantileRegression` predicts Q quantiles of each of O real values per record.
///
/// - In: joint feature [R, W] of R rows, targets `Values` [B, O]
/// - Out: predictions [R, O Q]: the quantiles of the first output, then those of the second, …
///
/// The loss of a quantile of level τ is the pinball loss of the error e = y - z, and that of a
/// record the mean over its quantiles and outputs:
///
///     l = max(τ e, (τ - 1) e)
///
/// The quantiles of an output are sorted, so they never cross (Chernozhukov, Fernández-Val,
/// Galichon, 2010). A NaN target counts as missing. Without any modality the task predicts the
/// quantiles of the training targets. Metrics are those of the quantile whose level is nearest 1/2.
/// From Koenker and Bassett, 1978.
///
/// When: You need an interval, or the errors are skewed.
/// Cost: One linear layer of O Q outputs.
/// Limits: Levels near 0 or 1 need many records. An interval's coverage on new data is not
/// guaranteed; [`ConformalResiduals`](../../metrics.md#conformal-intervals) gives one that is.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::Concat{}, eq::QuantileRegression{.outputs = 2, .levels = {0.1, 0.9}}));
/// auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
///                        eq::target<"rate">(eq::Values{rates}));  // [N, 2], NaN where missing
/// eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
/// at::Tensor quantiles = model->predict(train)["rate"_n].unflatten(1, {2, 2});  // [N, O, Q]
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

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace equipoise {

class QuantileRegressionModule : public torch::nn::Module {
 public:
  using Target = Values;

  QuantileRegressionModule(std::int64_t joint_width, std::int64_t outputs, const std::vector<double>& levels,
                           std::vector<Metric> metrics)
      : torch::nn::Module("QuantileRegression"), outputs_(outputs), metrics_(std::move(metrics)) {
    const auto quantiles = static_cast<std::int64_t>(levels.size());
    linear_ = register_module("linear", torch::nn::Linear(joint_width, outputs * quantiles));
    levels_ = register_buffer("levels", torch::tensor(levels, torch::kDouble).to(linear_->weight.scalar_type()));
    prior_ = register_buffer("prior", torch::zeros({outputs * quantiles}));
    const auto off = [](double level) { return std::abs(level - 0.5); };
    middle_ = std::min_element(levels.begin(), levels.end(), [&](double a, double b) { return off(a) < off(b); }) -
              levels.begin();
  }

  [[nodiscard]] std::int64_t outputs() const { return outputs_; }
  [[nodiscard]] at::Tensor weight() const { return linear_->weight; }
  [[nodiscard]] at::Tensor prior() const { return prior_; }
  [[nodiscard]] std::vector<Metric> metrics() const {
    return detail::metrics_of(metrics_, [outputs = outputs_, middle = middle_](const at::Tensor& z) {
      return z.unflatten(1, {outputs, -1}).select(2, middle);
    });
  }

  [[nodiscard]] at::Tensor forward(const at::Tensor& joint) {
    return std::get<0>(linear_->forward(joint).unflatten(1, {outputs_, -1}).sort(2)).flatten(1);
  }

  /// \param prediction [C, B, O Q]  \param target [B, O]  \return [C, B]
  [[nodiscard]] at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    const at::Tensor valid = target.isnan().logical_not().unsqueeze(0);  // [1, B, O]
    const at::Tensor wanted = target.unsqueeze(0).masked_fill(valid.eq(false), 0).unsqueeze(3);
    const at::Tensor error = wanted - prediction.unflatten(2, {outputs_, -1});  // [C, B, O, Q]
    return detail::mean_of_valid(torch::maximum(levels_ * error, (levels_ - 1) * error).mean(3), valid);
  }

  /// Sets the prior to the quantiles of each output. \param targets [N, O] of the training records
  /// \param weights [N], undefined where all records count alike
  void fit_prior(const at::Tensor& targets, const at::Tensor& weights = {}) {
    const torch::NoGradGuard no_grad;
    const at::Tensor counted = weights.defined() ? weights : at::ones({targets.size(0)}, at::kDouble),
                     levels = levels_.to(at::kCPU, at::kDouble);
    detail::set_known(prior_, detail::weighted_quantiles(targets, levels, counted).t().flatten());  // [Q, O] before
  }

 private:
  std::int64_t outputs_, middle_ = 0;
  std::vector<Metric> metrics_;
  torch::nn::Linear linear_{nullptr};
  at::Tensor levels_, prior_;
};

/// `QuantileRegression{.levels = {0.05, 0.5, 0.95}}`.
struct QuantileRegression {
  static constexpr std::string_view id = "quantile_regression";

  std::int64_t outputs = 1;                      ///< O > 0: numbers per record
  std::vector<double> levels = {0.1, 0.5, 0.9};  ///< [Q] levels in (0, 1), ascending

  std::vector<Metric> metrics = {};  ///< what it reports beside its loss

  [[nodiscard]] std::shared_ptr<QuantileRegressionModule> build(std::int64_t joint_width) const {
    check_option(outputs > 0, "QuantileRegression.outputs", "> 0", outputs);
    bool fits = !levels.empty() && levels.front() > 0 && levels.back() < 1;
    for (std::size_t q = 1; q < levels.size(); ++q) fits = fits && levels[q - 1] < levels[q];
    check_option(fits, "QuantileRegression.levels", "ascending numbers in (0, 1)", option_text(levels));
    return std::make_shared<QuantileRegressionModule>(joint_width, outputs, levels, metrics);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::QuantileRegression, outputs, levels);
