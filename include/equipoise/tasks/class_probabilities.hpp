// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What tasks of one class per record have in common: their predictions are logits or
/// log-probabilities [C', B, C], and the loss is the cross-entropy with its variants.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/model/metric.hpp>
#include <equipoise/tasks/known_targets.hpp>

#include <ATen/core/Reduction.h>
#include <torch/nn/module.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

/// How the cross-entropy of a record is changed.
struct CrossEntropyOptions {
  double smoothing = 0;              ///< label smoothing in [0, 1)
  std::vector<double> weights = {};  ///< [C] factors of the classes' losses, > 0; empty: 1
  double focal = 0;                  ///< γ >= 0 of the focal loss; 0 is the cross-entropy
};

/// \throws ValueError for an option out of its range
inline void check_cross_entropy(const CrossEntropyOptions& options, std::int64_t classes, const std::string& where) {
  check_option(options.smoothing >= 0 && options.smoothing < 1, where + ".smoothing", "in [0, 1)", options.smoothing);
  bool fits = options.weights.empty() || static_cast<std::int64_t>(options.weights.size()) == classes;
  for (const double w : options.weights) fits = fits && w > 0 && std::isfinite(w);
  check_option(fits, where + ".weights",
               "none, or a number > 0 for each of the " + std::to_string(classes) + " classes",
               option_text(options.weights));
  check_option(options.focal >= 0 && std::isfinite(options.focal), where + ".focal", ">= 0", options.focal);
}

/// A task whose predictions are the classes' logits. A derived class adds `forward`.
class ClassProbabilities : public torch::nn::Module {
 public:
  using Target = Labels;
  static constexpr double likelihood_scale = 1;

  ClassProbabilities(const char* name, std::int64_t classes, const CrossEntropyOptions& options,
                     std::vector<Metric> metrics)
      : torch::nn::Module(name), options_(options), metrics_(std::move(metrics)) {
    prior_ = register_buffer("prior", torch::zeros({classes}));
    if (!options.weights.empty())
      weights_ = register_buffer("weights", torch::tensor(options.weights, torch::kDouble).to(prior_.scalar_type()));
  }

  [[nodiscard]] std::int64_t outputs() const { return prior_.numel(); }
  [[nodiscard]] at::Tensor prior() const { return prior_; }
  [[nodiscard]] std::vector<Metric> metrics() const { return metrics_; }

  /// \param prediction logits [C', B, C]  \param target [B]
  /// \return [C', B]; zero where the label is missing
  [[nodiscard]] at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    const at::Tensor wanted = target.unsqueeze(0).expand({prediction.size(0), -1}).reshape({-1});
    const at::Tensor entropy = torch::cross_entropy_loss(prediction.flatten(0, 1), wanted.clamp_min(missing), weights_,
                                                         at::Reduction::None, missing, options_.smoothing)
                                   .view({prediction.size(0), prediction.size(1)});
    return options_.focal > 0 ? entropy * (1 - score(prediction, target)).clamp_min(tiny).pow(options_.focal) : entropy;
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

  /// Sets the prior to the class frequencies, in which a class counts by its weight. A class that
  /// never occurs counts as half a record.
  /// \param targets [N] labels of the training records
  /// \param weights [N], undefined where all records count alike
  void fit_prior(const at::Tensor& targets, const at::Tensor& weights = {}) {
    const torch::NoGradGuard no_grad;
    at::Tensor counts = detail::class_counts(targets, weights, prior_.numel()).to(prior_.options()).clamp_min(0.5);
    if (weights_.defined()) counts = counts * weights_;
    prior_.copy_((counts / counts.sum()).log());
  }

 private:
  static constexpr std::int64_t missing = -1;
  static constexpr double tiny = 1e-12;  // the derivative of a power below 1 is infinite at 0

  CrossEntropyOptions options_;
  std::vector<Metric> metrics_;
  at::Tensor prior_, weights_;
};

}  // namespace equipoise
