// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `DiscreteSurvival` predicts the hazard of an event in each of K intervals of time; times may be
/// censored.
///
/// - In: joint feature [R, W] of R rows, targets `SurvivalTimes` [B, 2]
/// - Out: logits of the hazards [R, K]
///
/// The intervals are (0, e_1], (e_1, e_2], …, (e_{K-1}, e_K]. A hazard h_k is the probability of
/// the event in interval k for a record without one before. The loss of a record is its negative
/// log-likelihood; it survives the intervals that end before its event, or until it is censored:
///
///     l = - Σ_{survived k} log(1 - h_k) - [event in interval j] log h_j
///
/// An event after e_K counts as survived. Without any modality the task predicts the hazards of the
/// training data. Metrics are those of the risk, minus the expected number of intervals survived.
/// From Gensheimer and Narasimhan, 2019.
///
/// When: You need probabilities of survival, or risks that cross over time.
/// Cost: One linear layer of K outputs.
/// Limits: The time within an interval is not used. Intervals without events teach little: choose
/// edges with some events in each.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"death">(eq::Concat{}, eq::DiscreteSurvival{.edges = {12, 24, 60}}));  // months
/// auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
///                        eq::target<"death">(eq::SurvivalTimes{times_and_events}));  // [N, 2]
/// eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
/// at::Tensor z = model->predict(train)["death"_n];
/// at::Tensor survival = (1 - z.sigmoid()).cumprod(1);  // [N, 3]: beyond 12, 24 and 60 months
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/model/metric.hpp>
#include <equipoise/tasks/known_targets.hpp>
#include <equipoise/tasks/metrics_of.hpp>
#include <equipoise/tasks/survival_times.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

class DiscreteSurvivalModule : public torch::nn::Module {
 public:
  using Target = SurvivalTimes;
  static constexpr double likelihood_scale = 1;

  DiscreteSurvivalModule(std::int64_t joint_width, std::vector<double> edges, std::vector<Metric> metrics)
      : torch::nn::Module("DiscreteSurvival"), edges_(std::move(edges)), metrics_(std::move(metrics)) {
    const auto intervals = static_cast<std::int64_t>(edges_.size());
    linear_ = register_module("linear", torch::nn::Linear(joint_width, intervals));
    prior_ = register_buffer("prior", torch::zeros({intervals}));
  }

  [[nodiscard]] std::int64_t outputs() const { return prior_.numel(); }
  [[nodiscard]] at::Tensor weight() const { return linear_->weight; }
  [[nodiscard]] at::Tensor prior() const { return prior_; }
  [[nodiscard]] std::vector<Metric> metrics() const {
    return detail::metrics_of(metrics_, [](const at::Tensor& z) {
      return torch::log_sigmoid(-z).cumsum(1).exp().sum(1, true).neg();  // [N, 1]
    });
  }

  [[nodiscard]] at::Tensor forward(const at::Tensor& joint) { return linear_->forward(joint); }

  /// \param prediction logits [C, B, K]  \param target [B, 2]  \return [C, B]
  [[nodiscard]] at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    const auto [survived, event] = intervals(target);
    const at::Tensor each = torch::log_sigmoid(-prediction).masked_fill(survived.eq(false), 0) +
                            torch::log_sigmoid(prediction).masked_fill(event.eq(false), 0);
    return each.sum(2).neg();
  }

  /// Sets the prior to the share of events among the records that an interval sees. An interval
  /// without any, or with nothing else, counts as if half a record differed.
  /// \param targets [N, 2] of the training records
  /// \param weights [N], undefined where all records count alike
  void fit_prior(const at::Tensor& targets, const at::Tensor& weights = {}) {
    detail::check_any_event(targets, "DiscreteSurvival");
    const torch::NoGradGuard no_grad;
    const auto [survived, event] = intervals(targets);
    const auto count = [&](const at::Tensor& which) {
      return detail::weighted_count(which.squeeze(0), weights).to(prior_.scalar_type()).clamp_min(0.5);  // [K]
    };
    prior_.copy_((count(event) / count(survived)).log());
  }

 private:
  struct Intervals {
    at::Tensor survived, event;  ///< bool [1, B, K]; false for a record without a label
  };
  [[nodiscard]] Intervals intervals(const at::Tensor& target) const {
    const at::Tensor time = target.narrow(1, 0, 1), seen = target.narrow(1, 1, 1).eq(1),
                     known = target.isnan().any(1, true).logical_not();  // [B, 1]
    // Rounded as the times are, whatever type the model has: 0.7 is then 0.7.
    const at::Tensor ends = torch::tensor(edges_, torch::kDouble).to(time.options());
    const at::Tensor starts =
        torch::cat({torch::zeros_like(ends.narrow(0, 0, 1)), ends.narrow(0, 0, ends.numel() - 1)});
    const at::Tensor ended = torch::where(seen, ends.lt(time), ends.le(time));
    return {(ended & known).unsqueeze(0), (seen & known & starts.lt(time) & time.le(ends)).unsqueeze(0)};
  }

  std::vector<double> edges_;
  std::vector<Metric> metrics_;
  torch::nn::Linear linear_{nullptr};
  at::Tensor prior_;
};

/// `DiscreteSurvival{.edges = {6, 12, 24, 60}}`.
struct DiscreteSurvival {
  static constexpr std::string_view id = "discrete_survival";

  std::vector<double> edges = {1, 2, 3};  ///< [K] ends of the intervals, > 0 and ascending

  std::vector<Metric> metrics = {};  ///< what it reports beside its loss

  [[nodiscard]] std::shared_ptr<DiscreteSurvivalModule> build(std::int64_t joint_width) const {
    bool fits = !edges.empty() && edges.front() > 0 && std::isfinite(edges.back());
    for (std::size_t k = 1; k < edges.size(); ++k) fits = fits && edges[k - 1] < edges[k];
    check_option(fits, "DiscreteSurvival.edges", "ascending numbers > 0", option_text(edges));
    return std::make_shared<DiscreteSurvivalModule>(joint_width, edges, metrics);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::DiscreteSurvival, edges);
