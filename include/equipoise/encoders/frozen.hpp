// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Frozen` keeps an encoder as it is: its parameters are not trained, and it stays in evaluation
/// mode, so that it neither drops values nor learns statistics of batches.
///
/// - In, out: those of the encoder
///
/// The parameters are called `encoders.<modality>.module.…`.
///
/// When: The encoder was trained before (`eq::Pretrained`), or a random encoder is to be compared
/// with a trained one. To thaw it later, use `TrainerOptions::groups` in place of this.
/// Cost: A forward pass without a graph. There is no backward pass.
/// Limits: It takes a spec of the library or of yours. For a module, call
/// `module->requires_grad_(false)` yourself.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"metrics">(eq::Frozen<eq::Mlp>{{.in_features = 41, .widths = {64}}}),
///     eq::modality<"dose">(eq::Cnn{.widths = {8, 16}}),
///     eq::task<"rate">(eq::Concat{.width = 64}, eq::Regression{.outputs = 3}));
/// model->train();
/// bool learns = model->encoder("metrics"_n).is_training();  // false
/// \endcode

#include <equipoise/core/base/options.hpp>
#include <equipoise/core/model/concepts.hpp>
#include <equipoise/encoders/wrapped.hpp>

#include <torch/nn/module.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace equipoise {

/// An encoder that is not trained.
template <class M>
class FrozenModule : public torch::nn::Module {
 public:
  explicit FrozenModule(std::shared_ptr<M> module)
      : torch::nn::Module(module->name()), module_(register_module("module", std::move(module))) {
    for (at::Tensor& p : module_->parameters()) p.requires_grad_(false);
    FrozenModule::train(false);
  }

  [[nodiscard]] auto forward(const at::Tensor& x) requires detail::encodes_an_input<M> { return module_->forward(x); }
  [[nodiscard]] auto forward(const at::Tensor& x, const at::Tensor& padding) requires detail::encodes_with_padding<M> {
    return module_->forward(x, padding);
  }
  [[nodiscard]] FeatureSpec feature() const {
    if constexpr (requires(const M& module) { module.feature(); })
      return module_->feature();
    else
      return {feature_kind<M>, module_->width()};
  }

  /// \name Taps: those of the encoder, if it has any
  /// @{
  [[nodiscard]] std::size_t stages() const requires EncoderWithTaps<M> { return module_->stages(); }
  [[nodiscard]] std::int64_t tap_width(std::size_t stage) const requires EncoderWithTaps<M> {
    return module_->tap_width(stage);
  }
  [[nodiscard]] Feature forward_stage(std::size_t stage, const Feature& x) requires detail::runs_stages_of_features<M> {
    return module_->forward_stage(stage, x);
  }
  [[nodiscard]] at::Tensor forward_stage(std::size_t stage,
                                         const at::Tensor& x) requires detail::runs_stages_of_tensors<M> {
    return module_->forward_stage(stage, x);
  }
  /// @}

  /// It stays in evaluation mode.
  void train(bool /*on*/ = true) override { torch::nn::Module::train(false); }

  /// The encoder.
  [[nodiscard]] M& inner() { return *module_; }

 private:
  std::shared_ptr<M> module_;
};

namespace detail {

inline constexpr std::array kFrozenPrefix{'f', 'r', 'o', 'z', 'e', 'n', '_'};

}  // namespace detail

/// `Frozen<Mlp>{{.in_features = 33}}`; its options are those of the encoder.
template <class E>
struct Frozen {
  static constexpr std::string_view id{
      detail::joined_id<detail::kFrozenPrefix.size(), detail::kFrozenPrefix, E>.data(),
      detail::joined_id<detail::kFrozenPrefix.size(), detail::kFrozenPrefix, E>.size()};

  E encoder = {};  ///< the spec of the encoder

  /// A small encoder and an input for it, for tests.
  [[nodiscard]] static Frozen example() { return {E::example()}; }
  [[nodiscard]] static at::Tensor example_input(std::int64_t records) { return E::example_input(records); }

  [[nodiscard]] auto build() const {
    auto module = encoder.build();
    return std::make_shared<FrozenModule<typename decltype(module)::element_type>>(std::move(module));
  }
};

}  // namespace equipoise

template <class E>
struct boost::hana::accessors_impl<equipoise::Frozen<E>> {
  static constexpr auto apply() { return equipoise::detail::accessors_of_encoder<E>{}; }
};
