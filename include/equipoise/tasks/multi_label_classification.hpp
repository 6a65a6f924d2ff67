// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `MultiLabelClassification` predicts for each of L labels whether a record has it.
///
/// - In: joint feature [R, W] of R rows, targets `LabelSets` [B, L]: 1, 0, or NaN where missing
/// - Out: logits [R, L]
///
/// The loss of a label is the binary cross-entropy, times the label's weight where a record has the
/// label, and times (1 - p)^γ, where p is the probability of what is true (Lin, Goyal, Girshick,
/// He, Dollár, 2017). The loss of a record is the mean over its known labels. A record is predicted
/// correctly if all of its known labels are. Without any modality the task predicts the frequencies
/// of the training data.
///
/// When: A record can have several labels at once, or some of them are unknown.
/// Cost: One linear layer.
/// Limits: Labels are predicted one by one: that two exclude each other is not known to the loss.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"findings">(eq::Concat{}, eq::MultiLabelClassification{.labels = 3}));
/// auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
///                        eq::target<"findings">(eq::LabelSets{findings}));  // [N, 3], 0, 1 or NaN
/// eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
/// at::Tensor p = model->predict(train)["findings"_n].sigmoid();             // [N, 3]
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
#include <utility>
#include <vector>

namespace equipoise {

/// Which labels a record has, floating [N, L]: 1, 0, or NaN where it is not known.
struct LabelSets {
  at::Tensor tensor;

  [[nodiscard]] static at::Tensor missing(const at::Tensor& t) { return torch::isnan(t); }
  static void check(const at::Tensor& t, const Schema::Task& task, std::span<const std::int64_t> ids = {}) {
    detail::check_real_target(t, task, 2, "");
    if (t.is_meta()) return;
    const std::vector<std::int64_t> bad = records_where(
        t, ids, [](const at::Tensor& some) { return (some.isnan() | some.eq(0) | some.eq(1)).logical_not(); });
    if (!bad.empty())
      throw ValueError(message("value.214", "target of task " + task.name,
                               "expected 0, 1, or NaN where a label is missing, got another number in ",
                               named_records(bad)));
  }
};

class MultiLabelClassificationModule : public torch::nn::Module {
 public:
  using Target = LabelSets;
  static constexpr double likelihood_scale = 1;

  MultiLabelClassificationModule(std::int64_t joint_width, std::int64_t labels, const std::vector<double>& weights,
                                 double focal, std::vector<Metric> metrics)
      : torch::nn::Module("MultiLabelClassification"), focal_(focal), metrics_(std::move(metrics)) {
    linear_ = register_module("linear", torch::nn::Linear(joint_width, labels));
    prior_ = register_buffer("prior", torch::zeros({labels}));
    weights_ = register_buffer(
        "weights", weights.empty() ? torch::ones({labels})
                                   : torch::tensor(weights, torch::kDouble).to(linear_->weight.scalar_type()));
  }

  [[nodiscard]] std::int64_t outputs() const { return prior_.numel(); }
  [[nodiscard]] at::Tensor weight() const { return linear_->weight; }
  [[nodiscard]] at::Tensor prior() const { return prior_; }
  [[nodiscard]] std::vector<Metric> metrics() const { return metrics_; }

  [[nodiscard]] at::Tensor forward(const at::Tensor& joint) { return linear_->forward(joint); }

  /// \param prediction logits [C, B, L]  \param target [B, L]  \return [C, B]
  [[nodiscard]] at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    const auto [has, valid] = known(target);
    const at::Tensor log_p = torch::log_sigmoid(prediction * (2 * has - 1));  // of what is true, [C, B, L]
    at::Tensor each = -log_p * (1 + has * (weights_ - 1));
    if (focal_ > 0) each = each * (-torch::expm1(log_p)).clamp_min(1e-12).pow(focal_);
    return detail::mean_of_valid(each, valid);
  }

  /// The mean probability of what is true, [C, B].
  [[nodiscard]] at::Tensor score(const at::Tensor& prediction, const at::Tensor& target) const {
    const auto [has, valid] = known(target);
    return detail::mean_of_valid(torch::sigmoid(prediction * (2 * has - 1)), valid);
  }
  /// The negative mean entropy of the labels, [C, B].
  [[nodiscard]] at::Tensor certainty(const at::Tensor& prediction) const {
    const at::Tensor p = prediction.sigmoid();
    return (p * torch::log_sigmoid(prediction) + (1 - p) * torch::log_sigmoid(-prediction)).mean(2);
  }
  /// Whether all known labels are right, bool [C, B].
  [[nodiscard]] at::Tensor correct(const at::Tensor& prediction, const at::Tensor& target) const {
    const auto [has, valid] = known(target);
    return (prediction.ge(0).eq(has.eq(1)).logical_and(prediction.isnan().logical_not()) | valid.eq(false)).all(2);
  }

  /// Sets the prior to the labels' frequencies, in which a record with a label counts by the
  /// label's weight. A label that all records have, or none, counts as if half a record differed.
  /// \param targets [N, L] of the training records
  /// \param weights [N], undefined where all records count alike
  void fit_prior(const at::Tensor& targets, const at::Tensor& weights = {}) {
    const torch::NoGradGuard no_grad;
    const auto count = [&](const at::Tensor& which) {
      return detail::weighted_count(which, weights).to(prior_.scalar_type()).clamp_min(0.5);  // [L]
    };
    const at::Tensor with = count(targets.eq(1)), without = count(targets.eq(0));
    prior_.copy_((with * weights_ / without).log());
  }

 private:
  struct Known {
    at::Tensor has, valid;  ///< [1, B, L]
  };
  [[nodiscard]] static Known known(const at::Tensor& target) {
    const at::Tensor y = target.unsqueeze(0), missing = y.isnan();
    return {y.masked_fill(missing, 0), missing.logical_not()};
  }

  double focal_;
  std::vector<Metric> metrics_;
  torch::nn::Linear linear_{nullptr};
  at::Tensor prior_, weights_;
};

/// `MultiLabelClassification{.labels = 14}`.
struct MultiLabelClassification {
  static constexpr std::string_view id = "multi_label_classification";

  std::int64_t labels = 2;           ///< L > 0
  std::vector<double> weights = {};  ///< [L] factors of the losses where it is 1, > 0; empty: 1
  double focal = 0;                  ///< γ >= 0 of the focal loss; 0 is the cross-entropy

  std::vector<Metric> metrics = {};  ///< what it reports beside loss and accuracy

  [[nodiscard]] std::shared_ptr<MultiLabelClassificationModule> build(std::int64_t joint_width) const {
    check_option(labels > 0, "MultiLabelClassification.labels", "> 0", labels);
    bool fits = weights.empty() || static_cast<std::int64_t>(weights.size()) == labels;
    for (const double w : weights) fits = fits && w > 0 && std::isfinite(w);
    check_option(fits, "MultiLabelClassification.weights", "none, or a number > 0 for each label",
                 option_text(weights));
    check_option(focal >= 0 && std::isfinite(focal), "MultiLabelClassification.focal", ">= 0", focal);
    return std::make_shared<MultiLabelClassificationModule>(joint_width, labels, weights, focal, metrics);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::MultiLabelClassification, labels, weights, focal);
