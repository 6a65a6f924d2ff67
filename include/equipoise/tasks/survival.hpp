// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Survival` predicts the risk of an event whose time is known or censored, by Cox's proportional
/// hazards.
///
/// - In: joint feature [R, W] of R rows, targets `SurvivalTimes` [B, 2]
/// - Out: log-risks η [R, 1], up to a constant
///
/// The loss of a record with an event is its term of the negative partial log-likelihood; that of a
/// censored record is 0. The risk set R_i are the records of the batch that are followed at least
/// until time i; equal times are Breslow's:
///
///     l_i = log Σ_{j in R_i} exp(η_j) - η_i
///
/// A record's loss depends on the batch's other records: `micro_batches` and weights of records are
/// refused, and evaluation uses the whole data set at once (docs/tasks.md). Without any modality
/// every record has the same risk. `eq::metric::c_index` is in
/// `<equipoise/evaluation/task_metrics.hpp>`. From Cox, 1972; Breslow, 1974.
///
/// When: You want to order records by their risk, and times are censored.
/// Cost: One linear layer; the loss sorts the batch.
/// Limits: It gives no probabilities; see `DiscreteSurvival`. A batch without events has no
/// gradient.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"death">(eq::Concat{}, eq::Survival{.metrics = {eq::metric::c_index()}}));
/// auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
///                        eq::target<"death">(eq::SurvivalTimes{times_and_events}));  // [N, 2]
/// eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
/// at::Tensor relative_risk = model->predict(train)["death"_n].exp();                // [N, 1]
/// \endcode

#include <equipoise/core/base/options.hpp>
#include <equipoise/core/model/metric.hpp>
#include <equipoise/tasks/survival_times.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

class SurvivalModule : public torch::nn::Module {
 public:
  using Target = SurvivalTimes;
  static constexpr bool couples_records = true;
  static constexpr double likelihood_scale = 1;

  SurvivalModule(std::int64_t joint_width, std::vector<Metric> metrics)
      : torch::nn::Module("Survival"), metrics_(std::move(metrics)) {
    linear_ = register_module("linear", torch::nn::Linear(torch::nn::LinearOptions(joint_width, 1).bias(false)));
    prior_ = register_buffer("prior", torch::zeros({1}));
  }

  [[nodiscard]] std::int64_t outputs() const { return 1; }
  [[nodiscard]] at::Tensor weight() const { return linear_->weight; }
  [[nodiscard]] at::Tensor prior() const { return prior_; }
  [[nodiscard]] std::vector<Metric> metrics() const { return metrics_; }
  /// A constant risk has the same loss whatever it is.
  void fit_prior(const at::Tensor& targets) { detail::check_any_event(targets, "Survival"); }

  [[nodiscard]] at::Tensor forward(const at::Tensor& joint) { return linear_->forward(joint); }

  /// \param prediction log-risks [C, B, 1]  \param target [B, 2]  \return [C, B]
  [[nodiscard]] at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    const at::Tensor missing = target.isnan().any(1);
    // Records without a label stand last, where no risk set reaches.
    const at::Tensor time =
        target.select(1, 0).masked_fill(missing, -std::numeric_limits<double>::infinity()).contiguous();
    const at::Tensor event = target.select(1, 1).masked_fill(missing, 0);
    const auto [ascending, order] = time.sort(0);
    const at::Tensor eta = prediction.select(2, 0);  // [C, B]
    const at::Tensor at_risk = eta.index_select(1, order.flip(0)).logcumsumexp(1);
    const at::Tensor followed = time.numel() - torch::searchsorted(ascending, time);  // how many at least as long
    return (at_risk.index_select(1, followed - 1) - eta).masked_fill(event.eq(0).unsqueeze(0), 0);
  }

 private:
  std::vector<Metric> metrics_;
  torch::nn::Linear linear_{nullptr};
  at::Tensor prior_;
};

/// `Survival{.metrics = {eq::metric::c_index()}}`.
struct Survival {
  static constexpr std::string_view id = "survival";

  std::vector<Metric> metrics = {};  ///< what it reports beside its loss

  [[nodiscard]] std::shared_ptr<SurvivalModule> build(std::int64_t joint_width) const {
    return std::make_shared<SurvivalModule>(joint_width, metrics);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Survival);
