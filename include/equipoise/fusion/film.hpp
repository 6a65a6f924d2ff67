// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Film` is feature-wise linear modulation. The other present modalities scale and shift the
/// projected feature of each modality; then all are added.
///
/// - In: features [B, D_m] of B records, presence [C, B, M] in C coalitions of M modalities
/// - Out: joint feature [C, B, width]
///
///   u_m = V_m h_m,  γ_m = 1 + Σ_{n≠m present} G_n h_n
///   joint = GELU(Σ_m present γ_m u_m + S_m h_m)
///
/// After Perez et al., "FiLM: Visual Reasoning with a General Conditioning Layer", AAAI 2018,
/// arXiv:1709.07871, where one modality conditions one other; the symmetric form for any M is ours.
/// With one modality present it is a plain projection.
///
/// When: One modality sets the context in which another is read.
/// Cost: Three projections per modality, shared by all coalitions.
/// Limits: The symmetric form is ours; the paper conditions one modality on one other.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"rate">(eq::Film{.width = 32}, eq::Regression{.outputs = 3}));
/// at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
/// at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/fusion/masked.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace equipoise {

class FilmModule : public torch::nn::Module {
 public:
  FilmModule(std::span<const FeatureSpec> features, std::int64_t width) : torch::nn::Module("Film"), width_(width) {
    layers_ = register_module("layers", torch::nn::ModuleList());
    for (const FeatureSpec& f : features) layers_->push_back(torch::nn::Linear(f.width, 3 * width));
  }

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const { return layers_->ptr(m)->parameters(); }

  /// \return [B, 3 * width]: the modality's value, scale and shift
  [[nodiscard]] at::Tensor project(std::size_t m, const Feature& h) {
    return layers_[m]->as<torch::nn::Linear>()->forward(h.vector());
  }

  [[nodiscard]] at::Tensor combine(const std::vector<at::Tensor>& projected, const Presence& presence) const {
    at::Tensor mask, total;
    std::vector<at::Tensor> terms;  // [C, B, 3 * width], zero where absent
    for (const auto& [m, value] : views::enumerate(projected)) {
      if (!value.defined()) continue;
      if (!mask.defined() && !presence.everywhere(m)) mask = presence.tensor(value);
      terms.push_back(detail::masked(value, m, presence, mask));
      total = total.defined() ? total + terms.back() : terms.back();
    }
    at::Tensor joint;
    for (const at::Tensor& term : terms) {
      // The terms of an absent modality are zero, so it adds nothing.
      const at::Tensor others = total - term;
      const at::Tensor modulated =
          term.narrow(2, 0, width_) * (1 + others.narrow(2, width_, width_)) + term.narrow(2, 2 * width_, width_);
      joint = joint.defined() ? joint + modulated : modulated;
    }
    return torch::gelu(joint);
  }

 private:
  std::int64_t width_;
  torch::nn::ModuleList layers_{nullptr};
};

/// `Film{.width = 128}`.
struct Film {
  static constexpr std::string_view id = "film";

  std::int64_t width = 128;  ///< size of the joint feature; > 0

  [[nodiscard]] std::shared_ptr<FilmModule> build(std::span<const FeatureSpec> features) const {
    check_option(width > 0, "Film.width", "> 0", width);
    return std::make_shared<FilmModule>(features, width);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Film, width);
