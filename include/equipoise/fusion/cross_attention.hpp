// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `CrossAttention` lets the tokens of each modality attend to the tokens of all other present
/// modalities. The results are averaged over tokens and present modalities.
///
/// - In: features of B records as tokens [B, T_m, D_m] (a vector is one token, a map has one for
///   each position), presence [C, B, M] in C coalitions of M modalities
/// - Out: joint feature [C, B, width]
///
///   x_m = P_m h_m,  q_m, k_m, v_m = Q_m x_m, K_m x_m, V_m x_m
///   a_m = softmax over the tokens of all present n ≠ m of (q_m · k_n / √d) v_n
///   joint = mean over present m of GELU(LN(mean over tokens of (x_m + O a_m)))
///
/// After Tsai et al., "Multimodal Transformer for Unaligned Multimodal Language Sequences", ACL
/// 2019, arXiv:1906.00295, with one layer, and one softmax over all other modalities in place of one
/// for each pair (ours). A modality alone gives its own tokens.
///
/// The attention of each pair of modalities is computed once for all coalitions. A coalition's
/// softmax is their average, weighted by the sums of their exponentials.
///
/// When: Encoders yield tokens or maps, and parts of one modality belong to parts of another.
/// Cost: Each pair's attention once, T_m · T_n scores per head; a weighted mean per coalition and
/// member.
/// Limits: With two modalities of one token each the attention weights are constant. Large maps have
/// many tokens.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::CrossAttention{.width = 32, .heads = 2}, eq::Regression{.outputs = 3}));
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
#include <equipoise/fusion/attention_parts.hpp>
#include <equipoise/fusion/masked.hpp>

#include <ATen/ops/gelu.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

class CrossAttentionModule : public torch::nn::Module {
 public:
  /// One modality's tokens, the same for all coalitions; undefined where the whole batch lacks it.
  struct Projected {
    at::Tensor tokens;             ///< [B, T, width]
    at::Tensor query, key, value;  ///< [B, heads, T, d]
    at::Tensor padding;            ///< bool [B, T]; undefined for none
  };

  CrossAttentionModule(std::span<const FeatureSpec> features, std::int64_t width, std::int64_t heads,
                       std::int64_t head_width)
      : torch::nn::Module("CrossAttention"), width_(width), heads_(heads), head_width_(head_width) {
    inputs_ = register_module("inputs", torch::nn::ModuleList());
    qkv_ = register_module("qkv", torch::nn::ModuleList());
    for (const FeatureSpec& f : features) {
      inputs_->push_back(torch::nn::Linear(f.width, width));
      qkv_->push_back(torch::nn::Linear(width, 3 * heads * head_width));
    }
    out_ = register_module("out", torch::nn::Linear(torch::nn::LinearOptions(heads * head_width, width).bias(false)));
    norm_ = register_module("norm", std::make_shared<LayerNormModule>(width));
  }

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const {
    std::vector<at::Tensor> out = inputs_->ptr(m)->parameters();
    for (const at::Tensor& p : qkv_->ptr(m)->parameters()) out.push_back(p);
    return out;
  }

  [[nodiscard]] Projected project(std::size_t m, const Feature& h) {
    const at::Tensor x = inputs_[m]->as<torch::nn::Linear>()->forward(detail::tokens_of(h));
    const at::Tensor qkv =  // [3, B, heads, T, d]
        qkv_[m]->as<torch::nn::Linear>()->forward(x).unflatten(2, {3, heads_, head_width_}).permute({2, 0, 3, 1, 4});
    return {x, qkv.select(0, 0), qkv.select(0, 1), qkv.select(0, 2), h.padding};
  }

  [[nodiscard]] at::Tensor combine(const std::vector<Projected>& parts, const Presence& presence) {
    at::Tensor sum, count;  // [C, B, width], [C, B, 1]
    for (const auto& [m, part] : views::enumerate(parts)) {
      if (!part.tokens.defined()) continue;
      if (!sum.defined()) {
        sum = part.tokens.new_zeros({presence.coalitions(), presence.records(), width_});
        count = presence.tensor(sum).sum(2, true).clamp_min(1).to(sum.scalar_type());
      }
      const auto [rows, seen] = coalitions_with(m, presence);
      if (rows.empty()) continue;
      const at::Tensor mask = seen.tensor(sum);
      at::Tensor pooled = detail::mean_over_tokens(part.tokens, part.padding, 0, 1).unsqueeze(0);  // [1, B, width]
      if (const at::Tensor attended = attend(parts, m, seen, mask); attended.defined())
        pooled = pooled.add(out_->forward(attended));  // [C', B, width]
      const at::Tensor term =
          at::where(mask.narrow(2, static_cast<std::int64_t>(m), 1), at::gelu(norm_->forward(pooled)), 0);
      sum = sum.index_add(0, detail::index_tensor(rows, sum), term);
    }
    return sum.div(count);
  }

 private:
  /// The coalitions in which some record has modality m: their places and their presence.
  [[nodiscard]] static std::pair<std::vector<std::int64_t>, Presence> coalitions_with(std::size_t m,
                                                                                      const Presence& presence) {
    std::vector<std::int64_t> places;
    std::vector<std::uint64_t> masks;
    const auto b = static_cast<std::size_t>(presence.records());
    for (std::size_t c = 0; c < static_cast<std::size_t>(presence.coalitions()); ++c) {
      const auto own = presence.masks().subspan(c * b, b);
      if (std::none_of(own.begin(), own.end(), [&](std::uint64_t mask) { return Coalition(mask).contains(m); }))
        continue;
      places.push_back(static_cast<std::int64_t>(c));
      masks.insert(masks.end(), own.begin(), own.end());
    }
    const std::size_t n = places.size();
    return {std::move(places), Presence(std::move(masks), n, presence.modalities())};
  }

  /// The mean over modality m's tokens of what they take from the other present modalities, [C, B, heads * d]: zero where
  /// there is none, undefined where the batch has no other.
  [[nodiscard]] static at::Tensor attend(const std::vector<Projected>& parts, std::size_t m, const Presence& presence,
                                         const at::Tensor& mask) {
    std::vector<at::Tensor> values, sums;  // of each other modality: [B, heads, T, d] and [B, heads, T]
    std::vector<std::int64_t> columns;
    for (const auto& [n, other] : views::enumerate(parts)) {
      if (n == m || !other.tokens.defined()) continue;
      const at::Tensor scores = detail::attention_scores(parts[m].query, other.key, other.padding);
      // Softmax within the modality, and the logarithm of the sum that it divides by.
      const at::Tensor largest = scores.detach().amax(3, true), powers = scores.sub(largest).exp();
      const at::Tensor total = powers.sum(3, true);
      values.push_back(at::matmul(powers.div(total), other.value));
      sums.push_back(total.log().add(largest).squeeze(3));
      columns.push_back(static_cast<std::int64_t>(n));
    }
    if (values.empty()) return {};
    const at::Tensor weights =  // [C or 1, B, N, heads, T]
        detail::softmax_of_present(at::stack(sums, 1).unsqueeze(0), columns, presence);
    at::Tensor attended;  // [C or 1, B, heads, T, d]
    for (std::size_t i = 0; i < values.size(); ++i) {
      const at::Tensor seen = mask.select(2, columns[i]).unsqueeze(2).unsqueeze(3).unsqueeze(4);  // [C, B, 1, 1, 1]
      const at::Tensor wide = values[i].unsqueeze(0);
      const bool always = presence.everywhere(static_cast<std::size_t>(columns[i]));
      const at::Tensor term =
          (always ? wide : at::where(seen, wide, 0)).mul(weights.select(2, static_cast<std::int64_t>(i)).unsqueeze(4));
      attended = attended.defined() ? attended.add(term) : term;
    }
    return detail::mean_over_tokens(attended, parts[m].padding, 1, 3).flatten(2);
  }

  std::int64_t width_, heads_, head_width_;
  torch::nn::ModuleList inputs_{nullptr}, qkv_{nullptr};
  torch::nn::Linear out_{nullptr};
  std::shared_ptr<LayerNormModule> norm_;
};

/// `CrossAttention{.width = 128}`.
struct CrossAttention {
  static constexpr std::string_view id = "cross_attention";

  std::int64_t width = 128;      ///< size of the tokens and of the joint feature; > 0
  std::int64_t heads = 4;        ///< number of attention heads; > 0
  std::int64_t head_width = 16;  ///< d, size of a head's queries, keys and values; > 0

  [[nodiscard]] std::shared_ptr<CrossAttentionModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "CrossAttention.width", "> 0", width);
    check_option(heads > 0, "CrossAttention.heads", "> 0", heads);
    check_option(head_width > 0, "CrossAttention.head_width", "> 0", head_width);
    return std::make_shared<CrossAttentionModule>(features, width, heads, head_width);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::CrossAttention, width, heads, head_width);
