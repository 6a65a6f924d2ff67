// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Bottleneck` is the multimodal bottleneck transformer. Each modality has transformer layers of
/// its own; modalities exchange information only through a few shared bottleneck tokens.
///
/// - In: features of B records as tokens [B, T_m, D_m] (a vector is one token, a map has one for
///   each position), presence [C, B, M] in C coalitions of M modalities
/// - Out: joint feature [C, B, width]
///
///   [x_m^{l+1}; z_m^{l+1}] = layer_m^l([x_m^l; z^l]),  x_m^0 = P_m h_m
///   z^{l+1} = mean over present m of z_m^{l+1}
///   joint = mean over present m of GELU(LN(mean over tokens of x_m^L))
///
/// From Nagrani, Yang, Arnab, Jansen, Schmid, Sun, "Attention Bottlenecks for Multimodal Fusion",
/// NeurIPS 2021, arXiv:2107.00135, equations 8 and 9. The mean over tokens takes the place of the
/// paper's class tokens (ours).
///
/// The first layer does not depend on the coalition and runs once per modality, and with it the
/// queries, keys and values of its tokens in the second. Later layers run on the rows of coalitions
/// that have the modality, and on no others. The last one computes the tokens alone, since nothing
/// reads its bottlenecks.
///
/// When: Encoders yield long token sequences, whose attention to each other would be too costly.
/// Cost: The first layer once per modality, the others once per coalition and member.
/// Limits: A fast forward saves little more than the first layer. Large maps have many tokens.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::Bottleneck{.width = 32, .heads = 2}, eq::Regression{.outputs = 3}));
/// at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
/// at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/core/model/norm.hpp>
#include <equipoise/core/model/transformer_layer.hpp>
#include <equipoise/fusion/attention_parts.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/randn.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace equipoise {

class BottleneckModule : public torch::nn::Module {
 public:
  /// One modality after the first layer, the same for all coalitions; undefined where the whole batch lacks it.
  struct Projected {
    at::Tensor tokens;       ///< [B, T, width]
    at::Tensor bottlenecks;  ///< [B, Z, width]; undefined after the last layer
    at::Tensor padding;      ///< bool [B, T]; undefined for none
  };

  BottleneckModule(std::span<const FeatureSpec> features, std::int64_t width, std::int64_t heads,
                   std::int64_t head_width, std::int64_t bottlenecks, std::int64_t layers)
      : torch::nn::Module("Bottleneck"), width_(width), depth_(static_cast<std::size_t>(layers)) {
    inputs_ = register_module("inputs", torch::nn::ModuleList());
    for (const FeatureSpec& f : features) {
      inputs_->push_back(torch::nn::Linear(f.width, width));
      const std::string place = "layers" + std::to_string(layers_.size());
      layers_.push_back(register_module(place, torch::nn::ModuleList()));
      for (std::int64_t l = 0; l < layers; ++l)
        layers_.back()->push_back(std::make_shared<detail::TransformerLayer>(
            detail::TransformerLayerOptions{.width = width,
                                            .heads = heads,
                                            .head_width = head_width,
                                            .hidden = 2 * width,
                                            .names = detail::LayerNames::bottleneck}));
    }
    bottlenecks_ = register_parameter("bottlenecks", at::randn({bottlenecks, width}).mul(0.02));
    norm_ = register_module("norm", std::make_shared<LayerNormModule>(width));
  }

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const {
    std::vector<at::Tensor> out = inputs_->ptr(m)->parameters();
    for (const at::Tensor& p : layers_[m]->parameters()) out.push_back(p);
    return out;
  }

  [[nodiscard]] Projected project(std::size_t m, const Feature& h) {
    const at::Tensor x = inputs_[m]->as<torch::nn::Linear>()->forward(detail::tokens_of(h));
    return layer(m, 0, x, layer(m, 0).heads_of(x), bottlenecks_.unsqueeze(0).expand({x.size(0), -1, -1}), h.padding);
  }

  [[nodiscard]] at::Tensor combine(const std::vector<Projected>& parts, const Presence& presence) {
    const std::int64_t c = presence.coalitions(), b = presence.records();
    std::vector<Member> members = members_of(parts, presence);
    const at::Tensor count =  // [C * B, 1]
        presence.tensor(bottlenecks_).flatten(0, 1).sum(1, true).clamp_min(1).to(bottlenecks_.scalar_type());
    for (std::size_t l = 1; l < depth_; ++l) {
      at::Tensor sum = bottlenecks_.new_zeros({c * b, bottlenecks_.size(0), width_});
      for (const Member& one : members) sum = sum.index_add(0, one.rows, one.part.bottlenecks);
      const at::Tensor shared = sum.div(count.unsqueeze(2));
      for (Member& one : members) {
        Heads own = layer(one.m, l).heads_of(l == 1 ? parts[one.m].tokens : one.part.tokens);
        if (l == 1)  // they do not depend on the coalition yet
          for (at::Tensor* const t : {&own.query, &own.key, &own.value}) *t = t->index_select(0, one.records);
        one.part = layer(one.m, l, one.part.tokens, own, shared.index_select(0, one.rows), one.part.padding);
      }
    }
    at::Tensor joint = bottlenecks_.new_zeros({c * b, width_});
    for (const Member& one : members) {
      const at::Tensor pooled = detail::mean_over_tokens(one.part.tokens, one.part.padding, 0, 1);
      joint = joint.index_add(0, one.rows, at::gelu(norm_->forward(pooled)));
    }
    return joint.div(count).view({c, b, width_});
  }

 private:
  using Heads = detail::TransformerLayer::Heads;

  /// A modality in the rows (c, b) that have it.
  struct Member {
    std::size_t m;
    at::Tensor rows, records;  ///< int64 [R] of C * B, and of B
    Projected part;            ///< of those rows
  };

  [[nodiscard]] static std::vector<Member> members_of(const std::vector<Projected>& parts, const Presence& presence) {
    std::vector<Member> out;
    for (const auto& [m, part] : views::enumerate(parts)) {
      if (!part.tokens.defined()) continue;
      std::vector<std::int64_t> rows, records;
      for (const auto& [row, mask] : views::enumerate(presence.masks())) {
        if (!Coalition(mask).contains(m)) continue;
        rows.push_back(static_cast<std::int64_t>(row));
        records.push_back(static_cast<std::int64_t>(row) % presence.records());
      }
      if (rows.empty()) continue;
      const at::Tensor index = detail::index_tensor(records, part.tokens);
      out.push_back({m,
                     detail::index_tensor(rows, part.tokens),
                     index,
                     {part.tokens.index_select(0, index), part.bottlenecks.index_select(0, index),
                      part.padding.defined() ? part.padding.index_select(0, index) : part.padding}});
    }
    return out;
  }

  [[nodiscard]] detail::TransformerLayer& layer(std::size_t m, std::size_t l) {
    return *layers_[m][l]->as<detail::TransformerLayer>();
  }

  /// Layer `l` of modality `m` over its tokens, whose queries, keys and values are `own`, and the
  /// bottlenecks [R, Z, width].
  [[nodiscard]] Projected layer(std::size_t m, std::size_t l, const at::Tensor& tokens, const Heads& own,
                                const at::Tensor& bottlenecks, const at::Tensor& padding) {
    at::Tensor seen;
    if (padding.defined())
      seen = at::cat({padding.logical_not(), padding.new_ones({padding.size(0), bottlenecks.size(1)})}, 1)
                 .unsqueeze(1)
                 .unsqueeze(2);  // [R, 1, 1, T + Z]
    const Heads shared = layer(m, l).heads_of(bottlenecks);
    Heads all{own.query, at::cat({own.key, shared.key}, 2), at::cat({own.value, shared.value}, 2)};
    if (l + 1 == depth_) return {layer(m, l).forward(tokens, all, seen), {}, padding};
    all.query = at::cat({own.query, shared.query}, 2);
    const at::Tensor y = layer(m, l).forward(at::cat({tokens, bottlenecks}, 1), all, seen);
    return {y.narrow(1, 0, tokens.size(1)), y.narrow(1, tokens.size(1), bottlenecks.size(1)), padding};
  }

  std::int64_t width_;
  std::size_t depth_;
  torch::nn::ModuleList inputs_{nullptr};
  std::vector<torch::nn::ModuleList> layers_;  ///< of each modality
  at::Tensor bottlenecks_;                     ///< [Z, width]
  std::shared_ptr<LayerNormModule> norm_;
};

/// `Bottleneck{.width = 128}`.
struct Bottleneck {
  static constexpr std::string_view id = "bottleneck";

  std::int64_t width = 128;      ///< size of the tokens and of the joint feature; > 0
  std::int64_t heads = 4;        ///< number of attention heads; > 0
  std::int64_t head_width = 16;  ///< size of a head's queries, keys and values; > 0
  std::int64_t bottlenecks = 4;  ///< Z, number of bottleneck tokens; > 0
  std::int64_t layers = 2;       ///< L, >= 2: the first layer collects what the second hands on

  [[nodiscard]] std::shared_ptr<BottleneckModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "Bottleneck.width", "> 0", width);
    check_option(heads > 0, "Bottleneck.heads", "> 0", heads);
    check_option(head_width > 0, "Bottleneck.head_width", "> 0", head_width);
    check_option(bottlenecks > 0, "Bottleneck.bottlenecks", "> 0", bottlenecks);
    check_option(layers >= 2, "Bottleneck.layers", ">= 2", layers);
    return std::make_shared<BottleneckModule>(features, width, heads, head_width, bottlenecks, layers);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Bottleneck, width, heads, head_width, bottlenecks, layers);
