// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `BoundedRegression` predicts O real values per record within bounds, each output at least as
/// large as the one before it.
///
/// - In: joint feature [R, W] of R rows, targets `Values` [B, O]
/// - Out: predictions [R, O] with low <= z_1 <= … <= z_O <= high
///
/// Of the head's linear outputs a_1, …, a_O the first is free and the others are steps upwards:
///
///     z_k = low + (high - low) σ(u_k),  u_1 = a_1,  u_k = u_{k-1} + softplus(a_k)
///
/// With `.increasing = false` every output is free, u_k = a_k. The loss is that of `Regression`,
/// and a NaN target counts as missing. Without any modality the task predicts the mean (L2, Huber)
/// or median (L1) of the training targets, raised to that of the output before it where it is
/// lower.
///
/// When: The outputs are one quantity at criteria from strict to loose, such as gamma passing rates
/// at 1 %/1 mm, 2 %/2 mm and 3 %/2 mm: a looser criterion is never lower.
/// Cost: One linear layer.
/// Limits: The bounds are in the unit of the targets: do not
/// standardise them. A prediction reaches a bound only in the limit.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::Concat{}, eq::BoundedRegression{.outputs = 2, .high = 100}));
/// auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
///                        eq::target<"rate">(eq::Values{rates}));  // [N, 2] in %, strict first
/// eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
/// at::Tensor predicted = model->predict(train)["rate"_n];         // [N, 2] in %
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/model/metric.hpp>
#include <equipoise/tasks/known_targets.hpp>
#include <equipoise/tasks/pointwise.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace equipoise {

class BoundedRegressionModule;

/// `BoundedRegression{.outputs = 3, .high = 100}`.
struct BoundedRegression {
  static constexpr std::string_view id = "bounded_regression";

  std::int64_t outputs = 1;        ///< O > 0: numbers per record
  double low = 0;                  ///< lower bound
  double high = 1;                 ///< upper bound, > low
  bool increasing = true;          ///< whether no output is lower than the one before it
  PointLoss loss = PointLoss::l2;  ///< loss of an output
  double delta = 1.0;              ///< Huber's threshold in the unit of the targets; > 0

  std::vector<Metric> metrics = {};  ///< what it reports beside its loss

  [[nodiscard]] std::shared_ptr<BoundedRegressionModule> build(std::int64_t joint_width) const;
};

class BoundedRegressionModule : public torch::nn::Module {
 public:
  using Target = Values;

  BoundedRegressionModule(std::int64_t joint_width, BoundedRegression options)
      : torch::nn::Module("BoundedRegression"), options_(std::move(options)) {
    linear_ = register_module("linear", torch::nn::Linear(joint_width, options_.outputs));
    prior_ = register_buffer("prior", torch::full({options_.outputs}, (options_.low + options_.high) / 2));
  }

  [[nodiscard]] std::int64_t outputs() const { return options_.outputs; }
  [[nodiscard]] at::Tensor weight() const { return linear_->weight; }
  [[nodiscard]] at::Tensor prior() const { return prior_; }
  [[nodiscard]] std::vector<Metric> metrics() const { return options_.metrics; }

  [[nodiscard]] at::Tensor forward(const at::Tensor& joint) {
    at::Tensor u = linear_->forward(joint);  // [R, O]
    if (options_.increasing && u.size(1) > 1)
      u = torch::cat({u.narrow(1, 0, 1), torch::softplus(u.narrow(1, 1, u.size(1) - 1))}, 1).cumsum(1);
    return feasible(options_.low + (options_.high - options_.low) * u.sigmoid());
  }

  /// \param prediction [C, B, O]  \param target [B, O]  \return [C, B]
  [[nodiscard]] at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool has_missing) const {
    return detail::record_loss(prediction, target, has_missing, options_.loss, options_.delta);
  }

  /// \throws ValueError for a target beyond the bounds, or lower than the one before it where they increase
  void check_target(const at::Tensor& target, const Schema::Task& task, std::span<const std::int64_t> ids) const {
    const double slack = 1e-6 * (options_.high - options_.low);  // for bounds and targets of single precision
    const auto refuse = [&](const std::vector<std::int64_t>& bad, const auto&... expected) {
      if (!bad.empty())
        throw ValueError(
            message("value.224", "target of task " + task.name, "expected ", expected..., " in ", named_records(bad)));
    };
    refuse(records_where(
               target, ids,
               [&](const at::Tensor& some) { return some.lt(options_.low - slack) | some.gt(options_.high + slack); }),
           "values from ", options_.low, " to ", options_.high, ", as BoundedRegression is bounded, got another");
    if (!options_.increasing || target.size(1) < 2) return;
    refuse(records_where(target, ids,
                         [&](const at::Tensor& some) {  // where a value is missing the comparison is false
                           return some.slice(1, 1).lt(some.slice(1, 0, -1) - slack);
                         }),
           "values of a record that do not fall, as BoundedRegression.increasing says, got a lower one");
  }

  /// Sets the prior from the targets [N, O] of the training records.
  void fit_prior(const at::Tensor& targets, const at::Tensor& weights = {}) {
    const torch::NoGradGuard no_grad;
    const bool median = options_.loss == PointLoss::l1;
    const at::Tensor middle =
        median ? detail::known_median(targets, weights) : detail::known_mean(targets, weights);  // [O]
    // An output that no record has must not raise those after it.
    prior_.copy_(feasible(middle.masked_fill(middle.isnan(), options_.low).unsqueeze(0)).squeeze(0));
  }

 private:
  /// Within the bounds and the order, which rounding may violate by the last digit. \param z [R, O]
  [[nodiscard]] at::Tensor feasible(const at::Tensor& z) const {
    const at::Tensor within = z.clamp(options_.low, options_.high);
    return options_.increasing ? std::get<0>(within.cummax(1)) : within;
  }

  BoundedRegression options_;
  torch::nn::Linear linear_{nullptr};
  at::Tensor prior_;
};

inline std::shared_ptr<BoundedRegressionModule> BoundedRegression::build(std::int64_t joint_width) const {
  check_option(outputs > 0, "BoundedRegression.outputs", "> 0", outputs);
  check_option(std::isfinite(low) && std::isfinite(high) && low < high, "BoundedRegression.high", "> low", high);
  check_option(delta > 0, "BoundedRegression.delta", "> 0", delta);
  return std::make_shared<BoundedRegressionModule>(joint_width, *this);
}

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::BoundedRegression, outputs, low, high, increasing, loss, delta);
