// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `OrdinalClassification` predicts one of C ordered classes by cumulative logits (proportional
/// odds).
///
/// - In: joint feature [R, W] of R rows, targets `Labels` int64 [B], negative where missing
/// - Out: log-probabilities [R, C]
///
/// A linear head without constant gives one number f per record; C - 1 ascending thresholds b_k are
/// trained with it:
///
///     P(y > k) = σ(f - b_k),  b_k = b_{k-1} + softplus(s_k)
///
/// Loss, class weights, smoothing, focal loss and prior are those of `Classification`. From
/// McCullagh, 1980.
///
/// When: The classes have an order, such as grades of toxicity.
/// Cost: One linear layer of one output.
/// Limits: One number must order the records: use `Classification` if features of the classes
/// differ in kind.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"grade">(eq::Concat{}, eq::OrdinalClassification{.classes = 4}));
/// auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
///                        eq::target<"grade">(eq::Labels{grades}));  // int64 [N], -1 where missing
/// eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
/// at::Tensor p = model->predict(train)["grade"_n].exp();            // probabilities [N, 4]
/// \endcode

#include <equipoise/tasks/class_probabilities.hpp>

#include <torch/nn/modules/linear.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

class OrdinalClassificationModule : public ClassProbabilities {
 public:
  OrdinalClassificationModule(std::int64_t joint_width, std::int64_t classes, const CrossEntropyOptions& options,
                              std::vector<Metric> metrics)
      : ClassProbabilities("OrdinalClassification", classes, options, std::move(metrics)) {
    linear_ = register_module("linear", torch::nn::Linear(torch::nn::LinearOptions(joint_width, 1).bias(false)));
    // Thresholds 1 apart, about 0.
    const auto gaps = static_cast<double>(classes - 2);
    first_ = register_parameter("first", torch::full({1}, -gaps / 2));
    steps_ = register_parameter("steps", torch::full({classes - 2}, std::log(std::expm1(1.0))));
  }

  [[nodiscard]] at::Tensor weight() const { return linear_->weight; }

  /// b [C - 1], ascending.
  [[nodiscard]] at::Tensor thresholds() const { return torch::cat({first_, torch::softplus(steps_)}).cumsum(0); }

  [[nodiscard]] at::Tensor forward(const at::Tensor& joint) {
    const at::Tensor above = linear_->forward(joint) - thresholds();  // [R, C - 1], descending
    const std::int64_t inner = above.size(1) - 1;
    // log(σ(a) - σ(b)) = log σ(a) + log σ(-b) + log(1 - exp(b - a)); it does not cancel.
    const at::Tensor middle = torch::log_sigmoid(above.narrow(1, 0, inner)) +
                              torch::log_sigmoid(-above.narrow(1, 1, inner)) +
                              torch::log(-torch::expm1(-torch::softplus(steps_)));
    return torch::cat(
        {torch::log_sigmoid(-above.narrow(1, 0, 1)), middle, torch::log_sigmoid(above.narrow(1, inner, 1))}, 1);
  }

 private:
  torch::nn::Linear linear_{nullptr};
  at::Tensor first_, steps_;
};

/// `OrdinalClassification{.classes = 5}`.
struct OrdinalClassification {
  static constexpr std::string_view id = "ordinal_classification";

  std::int64_t classes = 3;          ///< C >= 2
  double smoothing = 0;              ///< label smoothing in [0, 1)
  std::vector<double> weights = {};  ///< [C] factors of the classes' losses, > 0; empty: 1
  double focal = 0;                  ///< γ >= 0 of the focal loss; 0 is the cross-entropy

  std::vector<Metric> metrics = {};  ///< what it reports beside loss and accuracy

  [[nodiscard]] std::shared_ptr<OrdinalClassificationModule> build(std::int64_t joint_width) const {
    const CrossEntropyOptions loss{smoothing, weights, focal};
    check_option(classes >= 2, "OrdinalClassification.classes", ">= 2", classes);
    check_cross_entropy(loss, classes, "OrdinalClassification");
    return std::make_shared<OrdinalClassificationModule>(joint_width, classes, loss, metrics);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::OrdinalClassification, classes, smoothing, weights, focal);
