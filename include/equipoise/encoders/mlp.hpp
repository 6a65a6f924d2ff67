// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Mlp` is a multilayer perceptron for tables. Each width adds a linear layer, a layer norm, GELU
/// and dropout.
///
/// - In: table [B, in_features] of B records
/// - Out: vector feature [B, widths.back()]
/// - Taps, for an intermediate fusion (`eq::Mmtm`): after each width
/// - Names of weights: `layers.0.weight` and `layers.0.bias` are the first linear layer,
///   `layers.1.weight` and `layers.1.bias` its layer norm, `layers.2` and `layers.3` those of the
///   second width, …
///
/// When: The modality is a table of numbers, such as the complexity metrics of a plan.
/// Cost: One linear layer and one layer norm per width.
/// Limits: It does not scale its inputs. Standardise columns of different scales first
/// (`eq::Standardizer`, data/standardizer.hpp).
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"metrics">(eq::Mlp{.in_features = 41, .widths = {64, 64}, .dropout = 0.1}),
///     eq::modality<"dose">(eq::Cnn{.widths = {8, 16}}),
///     eq::task<"rate">(eq::Concat{.width = 64}, eq::Regression{.outputs = 3}));
/// at::Tensor feature = model->encoder("metrics"_n).forward(torch::randn({8, 41}));  // [8, 64]
/// at::Tensor rates = model->predict(test)["rate"_n];                                // [B, 3]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/model/norm.hpp>

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

class MlpModule : public torch::nn::Module {
 public:
  MlpModule(std::int64_t in_features, const std::vector<std::int64_t>& widths, double dropout)
      : torch::nn::Module("Mlp"), in_features_(in_features), width_(widths.back()), dropout_(dropout) {
    layers_ = register_module("layers", torch::nn::ModuleList());
    std::int64_t in = in_features;
    for (const std::int64_t width : widths) {
      layers_->push_back(torch::nn::Linear(in, width));
      layers_->push_back(std::make_shared<LayerNormModule>(width));
      in = width;
    }
  }

  /// \param x [B, in_features]  \return [B, width]
  /// \throws ShapeError for another number of columns, or integers.
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) {
    at::Tensor out = x;
    for (std::size_t s = 0; s < stages(); ++s) out = forward_stage(s, out);
    return out;
  }

  [[nodiscard]] std::int64_t width() const { return width_; }

  /// \name Taps: after each width
  /// @{
  [[nodiscard]] std::size_t stages() const { return layers_->size() / 2; }
  [[nodiscard]] std::int64_t tap_width(std::size_t stage) const {
    return layers_->ptr(2 * stage)->as<torch::nn::Linear>()->options.out_features();
  }
  [[nodiscard]] at::Tensor forward_stage(std::size_t stage, const at::Tensor& x) {
    if (stage == 0) check(x);
    at::Tensor out = layers_[2 * stage]->as<torch::nn::Linear>()->forward(x);
    out = torch::gelu(layers_[2 * stage + 1]->as<LayerNormModule>()->forward(out));
    return dropout_ > 0 ? torch::dropout(out, dropout_, is_training()) : out;
  }
  /// @}

 private:
  void check(const at::Tensor& x) const {
    if (x.dim() != 2 || x.size(1) != in_features_ || !x.is_floating_point())
      throw ShapeError(message("shape.101", "Mlp", "expected [B, ", in_features_, "] of a floating type, got ",
                               x.sizes(), " of ", x.scalar_type()));
  }

  std::int64_t in_features_, width_;
  double dropout_;
  torch::nn::ModuleList layers_{nullptr};  // linear, norm, linear, norm …
};

/// `Mlp{.in_features = 33, .widths = {64, 128}}`.
struct Mlp {
  static constexpr std::string_view id = "mlp";

  std::int64_t in_features = 1;                 ///< columns of the table; > 0
  std::vector<std::int64_t> widths = {64, 64};  ///< layer sizes; the last is the feature's width
  double dropout = 0;                           ///< probability, in [0, 1)

  /// A small encoder and an input for it, for tests.
  [[nodiscard]] static Mlp example() { return {.in_features = 4, .widths = {6, 5}}; }
  [[nodiscard]] static at::Tensor example_input(std::int64_t records) { return torch::randn({records, 4}); }

  [[nodiscard]] std::shared_ptr<MlpModule> build() const {
    check_option(in_features > 0, "Mlp.in_features", "> 0", in_features);
    check_option(!widths.empty(), "Mlp.widths", "at least one width", "none");
    for (const std::int64_t width : widths) check_option(width > 0, "Mlp.widths", "each > 0", width);
    check_option(dropout >= 0 && dropout < 1, "Mlp.dropout", "in [0, 1)", dropout);
    return std::make_shared<MlpModule>(in_features, widths, dropout);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Mlp, in_features, widths, dropout);
