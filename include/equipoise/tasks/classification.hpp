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
/// log-probabilities. Two classes are a binary classification. `weights` and `focal` multiply the
/// loss of a record by its class's weight and by (1 - p)^γ, where p is the probability of its class
/// (Lin, Goyal, Girshick, He, Dollár, 2017, eq. 5). The member `metrics` adds figures to loss and
/// accuracy: `.metrics = {eq::metric::auroc()}` (evaluation/task_metrics.hpp).
///
/// When: Each record belongs to one of C classes.
/// Cost: One linear layer.
/// Limits: One class per record; see `MultiLabelClassification`. The order of classes is not used;
/// see `OrdinalClassification`. The mean over a batch is not divided by the weights of its classes;
/// `eq::balanced_weights` (data/weights.hpp) weights records instead.
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

#include <equipoise/tasks/class_probabilities.hpp>

#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

class ClassificationModule : public ClassProbabilities {
 public:
  ClassificationModule(std::int64_t joint_width, std::int64_t classes, const CrossEntropyOptions& options,
                       std::vector<Metric> metrics = {})
      : ClassProbabilities("Classification", classes, options, std::move(metrics)) {
    linear_ = register_module("linear", torch::nn::Linear(joint_width, classes));
  }

  [[nodiscard]] at::Tensor weight() const { return linear_->weight; }

  [[nodiscard]] at::Tensor forward(const at::Tensor& joint) { return linear_->forward(joint); }

 private:
  torch::nn::Linear linear_{nullptr};
};

/// `Classification{.classes = 10}`.
struct Classification {
  static constexpr std::string_view id = "classification";

  std::int64_t classes = 2;          ///< C >= 2
  double smoothing = 0;              ///< label smoothing in [0, 1)
  std::vector<double> weights = {};  ///< [C] factors of the classes' losses, > 0; empty: 1
  double focal = 0;                  ///< γ >= 0 of the focal loss; 0 is the cross-entropy

  std::vector<Metric> metrics = {};  ///< what it reports beside loss and accuracy

  [[nodiscard]] std::shared_ptr<ClassificationModule> build(std::int64_t joint_width) const {
    const CrossEntropyOptions loss{smoothing, weights, focal};
    check_option(classes >= 2, "Classification.classes", ">= 2", classes);
    check_cross_entropy(loss, classes, "Classification");
    return std::make_shared<ClassificationModule>(joint_width, classes, loss, metrics);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Classification, classes, smoothing, weights, focal);
