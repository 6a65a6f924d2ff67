// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `AttentionFusion` is the softmax-attention fusion of BMMQA. Each modality gives a value and a
/// score. A softmax over the scores of the present modalities weights the values.
///
/// - In: features [B, D_m] of B records, presence [C, B, M] in C coalitions of M modalities
/// - Out: joint feature [C, B, width]
///
///   z = Σ_m w_m GELU(W_m h_m + b_m); with `mix` z + GELU(A z + b)
///   z = GELU(P Σ_m w_m (W_m h_m + b_m)) with `joint`, of the P modalities that a record has
///
/// From Zeng, Ahmed, Tunio, Diagnostics 2025, 15(20), 2555; the score's form (one hidden tanh
/// layer, as in attention pooling) is our reading.
///
/// When: The reliability of the modalities differs from record to record. It is the fusion of the
/// flagship BMMQA and a good first choice.
/// Cost: One projection and one score per modality, shared by all coalitions.
/// Limits: A linear head on the weighted mean adds what each modality says. Set `joint` where one
/// modality changes what another means: with equal weights it is `Concat`. The softmax over a single
/// modality is constant. The scores learn nothing from records with one modality.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::AttentionFusion{.width = 32}, eq::Regression{.outputs = 3}));
/// at::Tensor rates = model->predict(test)["rate"_n];                        // [B, 3]
/// at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];   // [4, B, 3]
/// at::Tensor of_image = all[1], of_table = all[2], of_both = all[3];        // all[0]: no modality
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/fusion/masked.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

class AttentionFusionModule : public torch::nn::Module {
 public:
  /// One modality's value and score, the same for all coalitions. The tensors are undefined where
  /// the whole batch lacks the modality.
  struct Projected {
    at::Tensor value;  ///< [B, width]
    at::Tensor score;  ///< [B, 1]
  };

  AttentionFusionModule(std::span<const FeatureSpec> features, std::int64_t width, std::int64_t hidden,
                        bool mix = false, bool joint = false)
      : torch::nn::Module("AttentionFusion"), width_(width), joint_(joint) {
    values_ = register_module("values", torch::nn::ModuleList());
    scores_ = register_module("scores", torch::nn::ModuleList());
    for (const FeatureSpec& f : features) {
      values_->push_back(torch::nn::Linear(f.width, width));
      scores_->push_back(torch::nn::ModuleList(torch::nn::Linear(width, hidden), torch::nn::Linear(hidden, 1)));
    }
    if (mix) mix_ = register_module("mix", torch::nn::Linear(width, width));
  }

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const {
    std::vector<at::Tensor> out = values_->ptr(m)->parameters();
    const std::vector<at::Tensor> scores = scores_->ptr(m)->parameters();
    out.insert(out.end(), scores.begin(), scores.end());
    return out;
  }

  [[nodiscard]] Projected project(std::size_t m, const Feature& h) {
    const at::Tensor linear = values_[m]->as<torch::nn::Linear>()->forward(h.vector());
    const at::Tensor value = joint_ ? linear : torch::gelu(linear);
    auto& score = *scores_[m]->as<torch::nn::ModuleList>();
    const at::Tensor inner = torch::tanh(score[0]->as<torch::nn::Linear>()->forward(value));
    return {value, score[1]->as<torch::nn::Linear>()->forward(inner)};
  }

  [[nodiscard]] at::Tensor combine(const std::vector<Projected>& parts, const Presence& presence) {
    const at::Tensor weights = attention(parts, presence);  // [C, B, P]
    std::vector<at::Tensor> values;
    for (const Projected& part : parts) values.push_back(part.value);
    std::int64_t p = 0;
    const at::Tensor sum = detail::masked_sum(
        values, presence, [&](std::size_t, const at::Tensor& value) { return weights.narrow(2, p++, 1) * value; });
    if (joint_) return torch::gelu(sum * modalities_of(presence, sum));
    return mix_ ? sum + torch::gelu(mix_->forward(sum)) : sum;
  }

  /// Softmax weights [C, B, P] of the P modalities that occur in the batch, in declaration order.
  /// Rows without a present modality are zero.
  [[nodiscard]] static at::Tensor attention(const std::vector<Projected>& parts, const Presence& presence) {
    std::vector<at::Tensor> scores;
    std::vector<std::int64_t> columns;
    bool complete = true;
    for (std::size_t m = 0; m < parts.size(); ++m) {
      if (!parts[m].value.defined()) continue;
      scores.push_back(parts[m].score);
      columns.push_back(static_cast<std::int64_t>(m));
      complete = complete && presence.everywhere(m);
    }
    const at::Tensor score =  // [C, B, P]
        torch::cat(scores, 1).unsqueeze(0).expand({presence.coalitions(), -1, -1});
    if (complete) return score.softmax(2);
    at::Tensor present = presence.tensor(score);
    if (columns.size() < parts.size()) present = present.index_select(2, detail::index_tensor(columns, score));
    const at::Tensor absent = present.eq(false);
    constexpr float nothing = -std::numeric_limits<float>::infinity();
    if (presence.no_row_empty()) return score.masked_fill(absent, nothing).softmax(2);
    // The softmax of a row without a present modality would be 0 / 0: it gets equal scores here,
    // and zero weights afterwards.
    const at::Tensor any = present.any(2, true);
    return score.masked_fill(any.eq(false), 0)
        .masked_fill(absent.logical_and(any), nothing)
        .softmax(2)
        .masked_fill(absent, 0);
  }

 private:
  /// How many modalities each row has, [C, B, 1].
  [[nodiscard]] static at::Tensor modalities_of(const Presence& presence, const at::Tensor& like) {
    return presence.tensor(like).sum(2, true).to(like.scalar_type());
  }

  std::int64_t width_;
  bool joint_;
  torch::nn::ModuleList values_{nullptr}, scores_{nullptr};
  torch::nn::Linear mix_{nullptr};
};

/// `AttentionFusion{.width = 128}`.
struct AttentionFusion {
  static constexpr std::string_view id = "attention";

  std::int64_t width = 128;  ///< size of the values and of the joint feature; > 0
  std::int64_t hidden = 32;  ///< size of the hidden layer of the scores; > 0
  bool mix = false;          ///< a residual layer after the weighted mean, so that a linear head sees interactions
  bool joint = false;        ///< GELU after the weighted sum in place of before it; not with `mix`

  [[nodiscard]] std::shared_ptr<AttentionFusionModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "AttentionFusion.width", "> 0", width);
    check_option(hidden > 0, "AttentionFusion.hidden", "> 0", hidden);
    check_option(!(mix && joint), "AttentionFusion.joint", "false beside mix", joint);
    return std::make_shared<AttentionFusionModule>(features, width, hidden, mix, joint);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::AttentionFusion, width, hidden, mix, joint);
