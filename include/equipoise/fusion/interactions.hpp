// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Sums of products of the modalities' projected features, up to an order: what `Bilinear` (order 2) and `TensorFusion`
/// (order M) share.
///
///   joint = GELU(b + Σ_T W_T (⊗_{m in T} u_m)), T over the sets of 1 … order modalities, u_m = V_m h_m
///
/// A term depends on its own modalities alone. It is computed once, and the sum of a coalition S is that of the terms of
/// the sets T within S: all coalitions cost one forward pass and additions.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/fusion/stand_in.hpp>

#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <torch/nn/init.h>
#include <torch/nn/module.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::detail {

/// Tensors by the bits of a set of modalities; one that is undefined counts as zero.
using Terms = std::vector<at::Tensor>;

inline void add_to(at::Tensor& sum, const at::Tensor& term) {
  if (term.defined()) sum = sum.defined() ? sum.add(term) : term;
}

/// For each set S of modalities, the sum of the terms of all sets within S.
[[nodiscard]] inline Terms sums_within(Terms terms) {
  for (std::size_t bit = 1; bit < terms.size(); bit <<= 1U)
    for (std::size_t s = 0; s < terms.size(); ++s)
      if ((s & bit) != 0) {
        at::Tensor sum = terms[s ^ bit];
        add_to(sum, terms[s]);
        terms[s] = sum;
      }
  return terms;
}

/// Σ of the terms [B, W] of the sets within each row's modalities: [C, B, W].
[[nodiscard]] inline at::Tensor sum_of_terms(const Terms& terms, const Presence& presence, const at::Tensor& like) {
  const std::int64_t c = presence.coalitions(), b = presence.records();
  const auto or_zero = [&](const at::Tensor& sum) { return sum.defined() ? sum : like.new_zeros({b, like.size(1)}); };
  if (presence.complete() && c == 1) {
    at::Tensor sum;
    for (const at::Tensor& term : terms) add_to(sum, term);
    return or_zero(sum).unsqueeze(0);
  }
  if (presence.same_within_coalitions()) {
    const auto coalition = [&](std::int64_t i) { return presence.of_row(static_cast<std::size_t>(i * b)).bits(); };
    std::vector<at::Tensor> rows;
    std::uint64_t asked = 0;  // additions, if each coalition is summed on its own
    for (std::int64_t i = 0; i < c; ++i) asked += std::uint64_t{1} << std::popcount(coalition(i));
    const bool all = asked > presence.modalities() * terms.size() / 2;
    const Terms sums = all ? sums_within(terms) : Terms{};
    for (std::int64_t i = 0; i < c; ++i) {
      at::Tensor sum;
      if (all)
        sum = sums[coalition(i)];
      else
        for (std::size_t t = 0; t < terms.size(); ++t)
          if ((t & ~coalition(i)) == 0) add_to(sum, terms[t]);
      rows.push_back(or_zero(sum));
    }
    return at::stack(rows);
  }
  const at::Tensor mask = presence.tensor(like);  // [C, B, M]
  at::Tensor sum;
  for (std::size_t t = 0; t < terms.size(); ++t) {
    if (!terms[t].defined()) continue;
    at::Tensor seen;  // [C, B, 1]
    for (const std::size_t m : Coalition(t).members()) {
      const at::Tensor has = mask.narrow(2, static_cast<std::int64_t>(m), 1);
      seen = seen.defined() ? seen.logical_and(has) : has;
    }
    add_to(sum, at::where(seen, terms[t].unsqueeze(0), 0));
  }
  return sum.defined() ? sum : like.new_zeros({c, b, like.size(1)});
}

class InteractionsModule : public torch::nn::Module {
 public:
  InteractionsModule(std::string name, std::span<const FeatureSpec> features, std::int64_t width, std::int64_t rank,
                     std::size_t order, StandIn absent)
      : torch::nn::Module(std::move(name)), width_(width), rank_(rank), modalities_(features.size()) {
    projections_ = register_module("projections", std::make_shared<StandInProjections>(features, rank, absent));
    std::int64_t columns = 1;
    weights_.resize(std::size_t{1} << modalities_);
    for (std::size_t t = 1; t < weights_.size(); ++t) {
      if (static_cast<std::size_t>(std::popcount(t)) > order) continue;
      weights_[t] = register_parameter("weight" + std::to_string(t), at::empty({width, products_of(t)}));
      columns += products_of(t);
    }
    bias_ = register_parameter("bias", at::empty({width}));
    // The bound of one torch::nn::Linear over all products.
    const double bound = 1 / std::sqrt(static_cast<double>(columns));
    for (const at::Tensor& w : weights_)
      if (w.defined()) torch::nn::init::uniform_(w, -bound, bound);
    torch::nn::init::uniform_(bias_, -bound, bound);
  }

  [[nodiscard]] std::int64_t width() const { return width_; }

  /// Its projection and the weights of its own terms; those of several modalities are shared.
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const {
    std::vector<at::Tensor> out = projections_->parameters_of(m);
    out.push_back(weights_[std::size_t{1} << m]);
    return out;
  }

  /// Reorders the weights of several modalities, for a model that declares its modalities in another order: the modality
  /// that is now the i-th was the `order[i]`-th.
  void reorder_others(const std::vector<std::int64_t>& order) {
    const torch::NoGradGuard no_grad;
    Terms before(weights_.size());
    for (std::size_t t = 1; t < weights_.size(); ++t)
      if (weights_[t].defined()) before[t] = weights_[t].clone();
    for (std::size_t t = 1; t < weights_.size(); ++t) {
      if (std::popcount(t) < 2 || !weights_[t].defined()) continue;
      std::size_t old = 0;  // the same set by its old places
      for (const std::size_t m : Coalition(t).members()) old |= std::size_t{1} << order[m];
      std::vector<std::int64_t> shape = {width_}, axes = {0};
      for (const std::size_t m : Coalition(t).members()) {
        shape.push_back(rank_);
        const std::size_t below = (std::size_t{1} << order[m]) - 1;
        axes.push_back(1 + std::popcount(old & below));
      }
      weights_[t].copy_(before[old].view(shape).permute(axes).reshape({width_, -1}));
    }
  }

  [[nodiscard]] at::Tensor project(std::size_t m, const Feature& h) { return projections_->project(m, h); }

  [[nodiscard]] at::Tensor combine(const std::vector<at::Tensor>& projected, const Presence& presence) {
    const std::vector<at::Tensor> stand_ins = projections_->stand_ins();
    projections_->observe(projected, presence);
    const Terms weights = weights_around(stand_ins);
    Terms products(weights_.size()), terms(weights_.size());
    at::Tensor like;
    for (std::size_t t = 1; t < terms.size(); ++t) {
      const std::size_t last = static_cast<std::size_t>(std::bit_width(t)) - 1, rest = t ^ (std::size_t{1} << last);
      if (!weights_[t].defined() || !projected[last].defined() || (rest != 0 && !products[rest].defined())) continue;
      const at::Tensor u = stand_ins[last].defined() ? projected[last].sub(stand_ins[last]) : projected[last];
      products[t] = rest == 0 ? u : products[rest].unsqueeze(2).mul(u.unsqueeze(1)).flatten(1);
      terms[t] = at::linear(products[t], weights[t]);
      like = terms[t];
    }
    return at::gelu(sum_of_terms(terms, presence, like).add(weights[0].defined() ? bias_.add(weights[0]) : bias_));
  }

 private:
  /// Number of products of the modalities of set `t`.
  [[nodiscard]] std::int64_t products_of(std::size_t t) const {
    std::int64_t n = 1;
    for (int i = 0; i < std::popcount(t); ++i) n *= rank_;
    return n;
  }

  /// The weights of the same function of u_m - s_m, where s_m stands for an absent modality m: a row without m then lacks
  /// the terms with m. [0] is what is added to the bias.
  [[nodiscard]] Terms weights_around(const std::vector<at::Tensor>& stand_ins) const {
    Terms out = weights_;
    for (std::size_t m = 0; m < modalities_; ++m) {
      if (!stand_ins[m].defined()) continue;
      const std::size_t bit = std::size_t{1} << m;
      for (std::size_t t = 0; t < out.size(); ++t) {
        if ((t & bit) != 0 || !out[t | bit].defined()) continue;
        const std::int64_t left = products_of(t & (bit - 1)), right = products_of(t & ~(bit - 1));
        const at::Tensor w = out[t | bit].view({width_, left, rank_, right}).mul(stand_ins[m].view({1, 1, rank_, 1}));
        const at::Tensor shift = w.sum(2).view({width_, left * right});
        add_to(out[t], t == 0 ? shift.squeeze(1) : shift);
      }
    }
    return out;
  }

  std::int64_t width_, rank_;
  std::size_t modalities_;
  std::shared_ptr<StandInProjections> projections_;
  Terms weights_;  ///< by set; [width, rank^|T|], undefined above the order
  at::Tensor bias_;
};

}  // namespace equipoise::detail
