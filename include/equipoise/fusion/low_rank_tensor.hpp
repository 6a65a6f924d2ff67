// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `LowRankTensor` is low-rank multimodal fusion: tensor fusion whose weights are a sum of products
/// of one factor per modality. The tensor itself is never made.
///
/// - In: features [B, D_m] of B records, presence [C, B, M] in C coalitions of M modalities
/// - Out: joint feature [C, B, width]
///
///   joint = b + Σ_r w_r Π_m (V_mr h_m + b_mr), r = 1 … rank
///
/// From Liu, Shen, Lakshminarasimhan, Liang, Zadeh, Morency, "Efficient Low-rank Multimodal Fusion
/// with Modality-Specific Factors", ACL 2018, arXiv:1806.00064. The biases b_mr stand for the
/// paper's appended 1; they begin at 1 (ours), so that a product of many factors does not vanish.
///
/// What stands for V_m h_m of an absent modality is the option `absent`. With `zero` the factor is
/// its bias.
///
/// When: You want products of all modalities and have more than three of them.
/// Cost: One projection to rank · width per modality, shared by all coalitions, and a product per
/// coalition. Parameters grow linearly with M.
/// Limits: A single modality gives an affine map of its feature.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::LowRankTensor{.width = 32}, eq::Regression{.outputs = 3}));
/// at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
/// at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/fusion/stand_in.hpp>

#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <torch/nn/init.h>
#include <torch/nn/module.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace equipoise {

class LowRankTensorModule : public torch::nn::Module {
 public:
  LowRankTensorModule(std::span<const FeatureSpec> features, std::int64_t width, std::int64_t rank, StandIn absent)
      : torch::nn::Module("LowRankTensor"), width_(width), rank_(rank) {
    projections_ =
        register_module("factors", std::make_shared<detail::StandInProjections>(features, rank * width, absent));
    for (std::size_t m = 0; m < features.size(); ++m)
      biases_.push_back(register_parameter("bias" + std::to_string(m), at::ones({rank * width})));
    weight_ = register_parameter("weight", at::empty({rank}));
    const double bound = 1 / std::sqrt(static_cast<double>(rank));
    torch::nn::init::uniform_(weight_, -bound, bound);
    bias_ = register_parameter("bias", at::zeros({width}));
  }

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const {
    std::vector<at::Tensor> out = projections_->parameters_of(m);
    out.push_back(biases_[m]);
    return out;
  }

  /// \return [B, rank * width]: V_m h_m
  [[nodiscard]] at::Tensor project(std::size_t m, const Feature& h) { return projections_->project(m, h); }

  [[nodiscard]] at::Tensor combine(const std::vector<at::Tensor>& projected, const Presence& presence) {
    const std::vector<at::Tensor> stand_ins = projections_->stand_ins();
    projections_->observe(projected, presence);
    std::vector<at::Tensor> there(projected.size()), absent;  // factors [B, rank * width] and [1, rank * width]
    for (std::size_t m = 0; m < projected.size(); ++m) {
      if (projected[m].defined()) there[m] = projected[m].add(biases_[m]);
      absent.push_back((stand_ins[m].defined() ? biases_[m].add(stand_ins[m]) : biases_[m]).unsqueeze(0));
    }
    const at::Tensor product =
        presence.same_within_coalitions() ? by_coalition(there, absent, presence) : by_row(there, absent, presence);
    return product.unflatten(2, {rank_, width_}).mul(weight_.view({rank_, 1})).sum(2).add(bias_);
  }

 private:
  /// Products [C, B, rank * width] where all records of a coalition have the same modalities. Coalitions that agree in
  /// the first modalities share their product.
  [[nodiscard]] static at::Tensor by_coalition(const std::vector<at::Tensor>& there,
                                               const std::vector<at::Tensor>& absent, const Presence& presence) {
    const auto b = static_cast<std::size_t>(presence.records());
    std::vector<std::unordered_map<std::uint64_t, at::Tensor>> known(there.size());
    std::vector<at::Tensor> rows;
    for (std::size_t c = 0; c < static_cast<std::size_t>(presence.coalitions()); ++c) {
      const Coalition members = presence.of_row(c * b);
      at::Tensor product;
      for (std::size_t m = 0; m < there.size(); ++m) {
        at::Tensor& here = known[m][members.bits() & Coalition::full(m + 1).bits()];
        if (!here.defined()) {
          const at::Tensor& factor = members.contains(m) && there[m].defined() ? there[m] : absent[m];
          here = product.defined() ? product.mul(factor) : factor;
        }
        product = here;
      }
      rows.push_back(product.expand({presence.records(), -1}));
    }
    return at::stack(rows);
  }

  /// The same where records differ.
  [[nodiscard]] static at::Tensor by_row(const std::vector<at::Tensor>& there, const std::vector<at::Tensor>& absent,
                                         const Presence& presence) {
    const at::Tensor mask = presence.tensor(absent[0]);  // [C, B, M]
    at::Tensor product;
    for (std::size_t m = 0; m < there.size(); ++m) {
      at::Tensor factor = absent[m];
      if (there[m].defined())
        factor = at::where(mask.narrow(2, static_cast<std::int64_t>(m), 1), there[m].unsqueeze(0), absent[m]);
      product = product.defined() ? product.mul(factor) : factor;
    }
    return product.expand({presence.coalitions(), presence.records(), -1});
  }

  std::int64_t width_, rank_;
  std::shared_ptr<detail::StandInProjections> projections_;
  std::vector<at::Tensor> biases_;
  at::Tensor weight_, bias_;
};

/// `LowRankTensor{.width = 128}`.
struct LowRankTensor {
  static constexpr std::string_view id = "low_rank_tensor";

  std::int64_t width = 128;        ///< size of the joint feature; > 0
  std::int64_t rank = 4;           ///< number of products that are added; > 0
  StandIn absent = StandIn::zero;  ///< what stands for the projected feature of an absent modality

  [[nodiscard]] std::shared_ptr<LowRankTensorModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "LowRankTensor.width", "> 0", width);
    check_option(rank > 0, "LowRankTensor.rank", "> 0", rank);
    return std::make_shared<LowRankTensorModule>(features, width, rank, absent);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::LowRankTensor, width, rank, absent);
