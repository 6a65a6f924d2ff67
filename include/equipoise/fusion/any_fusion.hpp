// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `AnyFusion` holds any fusion that yields a joint vector, chosen at run time. Models with different fusions are then of
/// one type, which the compiler makes once: N fusions and M models cost N + M instantiations.
///
///     std::vector<eq::AnyFusion> fusions = {eq::Concat{.width = 32}, eq::Gated{.width = 32}};
///     for (const eq::AnyFusion& fusion : fusions) auto model = eq::compose(…, eq::task<"y">(fusion, eq::Regression{}));
///
/// Use the fusion itself where it is known: parameters have shorter names, and the model's options are recorded.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/core/model/concepts.hpp>
#include <equipoise/core/model/row_fusion.hpp>

#include <torch/nn/module.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace equipoise {

/// The module of an `AnyFusion`. Its one part is the fusion that it holds.
class AnyFusionModule : public torch::nn::Module {
 public:
  /// What the held fusion's `project` yields for one modality; empty where the batch lacks it.
  struct Projected {
    std::shared_ptr<const void> value;
  };

  AnyFusionModule() : torch::nn::Module("AnyFusion") {}

  [[nodiscard]] virtual std::int64_t width() const = 0;
  [[nodiscard]] virtual std::vector<at::Tensor> parameters_of(std::size_t m) const = 0;
  [[nodiscard]] virtual Projected project(std::size_t m, const Feature& feature) = 0;
  [[nodiscard]] virtual at::Tensor combine(const std::vector<Projected>& projected, const Presence& presence) = 0;
  /// Does nothing where the fusion has no such member.
  virtual void reorder_others(const std::vector<std::int64_t>& order) = 0;
};

namespace detail {

template <fuses_in_two_stages F>
class HeldFusion final : public AnyFusionModule {
 public:
  explicit HeldFusion(std::shared_ptr<F> fusion) : fusion_(register_module("fusion", std::move(fusion))) {}

  [[nodiscard]] std::int64_t width() const override { return fusion_->width(); }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const override {
    if constexpr (requires { fusion_->parameters_of(m); })
      return fusion_->parameters_of(m);
    else
      return {};
  }
  [[nodiscard]] Projected project(std::size_t m, const Feature& feature) override {
    return {std::make_shared<const projected_t<F>>(fusion_->project(m, feature))};
  }
  [[nodiscard]] at::Tensor combine(const std::vector<Projected>& projected, const Presence& presence) override {
    std::vector<projected_t<F>> parts(projected.size());
    for (const auto& [m, part] : views::enumerate(projected))
      if (part.value) parts[m] = *static_cast<const projected_t<F>*>(part.value.get());
    return fusion_->combine(parts, presence);
  }
  void reorder_others(const std::vector<std::int64_t>& order) override {
    if constexpr (requires { fusion_->reorder_others(order); }) fusion_->reorder_others(order);
  }

 private:
  std::shared_ptr<F> fusion_;
};

}  // namespace detail

/// A fusion's spec, or a module of one's own by pointer.
class AnyFusion {
 public:
  template <class Spec>
  requires(!std::same_as<std::remove_cvref_t<Spec>, AnyFusion> &&
           requires(const Spec& spec, std::span<const FeatureSpec> features) { spec.build(features); })
      AnyFusion(Spec spec)  // NOLINT(google-explicit-constructor): a list of fusions is written as such
      : build_([spec = std::move(spec)](std::span<const FeatureSpec> features) {
          return held(spec.build(features), features);
        }) {}
  template <std::derived_from<torch::nn::Module> F>
  AnyFusion(std::shared_ptr<F> fusion)  // NOLINT(google-explicit-constructor)
      : build_([fusion = std::move(fusion)](std::span<const FeatureSpec> features) { return held(fusion, features); }) {
  }

  [[nodiscard]] std::shared_ptr<AnyFusionModule> build(std::span<const FeatureSpec> features) const {
    return build_(features);
  }

 private:
  template <class F>
  [[nodiscard]] static std::shared_ptr<AnyFusionModule> held(std::shared_ptr<F> fusion,
                                                             std::span<const FeatureSpec> features) {
    static_assert(CheckFusion<F>::ok);
    static_assert(!yields_a_map<F>,
                  "equipoise: AnyFusion holds fusions that yield a vector, and this one yields a map");
    static_assert(!IntermediateFusion<F>,
                  "equipoise: AnyFusion holds fusions of features, and this one exchanges them between the stages of "
                  "encoders");
    if constexpr (detail::fuses_in_two_stages<F>)
      return std::make_shared<detail::HeldFusion<F>>(std::move(fusion));
    else
      return std::make_shared<detail::HeldFusion<detail::RowFusion<F>>>(std::make_shared<detail::RowFusion<F>>(
          std::move(fusion), std::vector<FeatureSpec>(features.begin(), features.end())));
  }

  std::function<std::shared_ptr<AnyFusionModule>(std::span<const FeatureSpec>)> build_;
};

}  // namespace equipoise
