// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Small models and data for tests: M modalities of four columns, double precision, every kind of task.

#include <ATen/CPUGeneratorImpl.h>

#include <equipoise/equipoise.hpp>
#include <equipoise/training/policies.hpp>
#include <utility>

namespace support {

namespace eq = equipoise;

constexpr char letter(std::size_t i) {
  return static_cast<char>('a' + i);
}

/// The name of modality I: "a", "b", …
template <std::size_t I>
inline constexpr eq::FixedString<2> modality_name = [] {
  const char text[2] = {letter(I), 0};
  eq::FixedString<2> name("x");
  name.text[0] = text[0];
  return name;
}();

enum class Kind { regression, classification, dense };

/// The fusion that every policy accepts: MLA wants one whose single-modality joint feature is the modality's
/// projection.
template <Kind K>
auto toy_fusion() {
  if constexpr (K == Kind::dense)
    return eq::SpatialCascade{.widths = {8, 4}};
  else
    return eq::Sum{.width = 6};
}

/// A model of M tables (the first is an image for dense tasks) with one task "y" of a kind.
template <std::size_t M, Kind K, class Fusion>
auto toy_model(const Fusion& fusion, double dropout = 0) {
  torch::manual_seed(11);
  const auto encoder = [&]<std::size_t I>() {
    if constexpr (K == Kind::dense && I == 0)
      return eq::modality<modality_name<I>>(eq::Cnn{.widths = {4, 8}});
    else
      return eq::modality<modality_name<I>>(eq::Mlp{.in_features = 4, .widths = {6}, .dropout = dropout});
  };
  auto model = [&]<std::size_t... I>(std::index_sequence<I...>) {
    if constexpr (K == Kind::regression)
      return eq::compose(encoder.template operator()<I>()..., eq::task<"y">(fusion, eq::Regression{.outputs = 2}));
    else if constexpr (K == Kind::classification)
      return eq::compose(encoder.template operator()<I>()..., eq::task<"y">(fusion, eq::Classification{.classes = 3}));
    else
      return eq::compose(encoder.template operator()<I>()..., eq::task<"y">(fusion, eq::DenseRegression{}));
  }
  (std::make_index_sequence<M>());
  model->to(torch::kDouble);
  return model;
}

/// Records that go with `toy_model`; targets depend on every modality.
template <std::size_t M, Kind K>
auto toy_data(std::int64_t n, std::uint64_t seed = 3) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto make = [&](std::size_t i) {
    return K == Kind::dense && i == 0 ? torch::randn({n, 1, 8, 8}, generator, torch::kDouble)
                                      : torch::randn({n, 4}, generator, torch::kDouble);
  };
  std::vector<at::Tensor> x;
  for (std::size_t i = 0; i < M; ++i) x.push_back(make(i));
  at::Tensor sum = torch::zeros({n, 1}, torch::kDouble);
  for (std::size_t i = 0; i < M; ++i) sum = sum + x[i].flatten(1).narrow(1, 0, 1) / static_cast<double>(i + 1);
  const auto target = [&] {
    if constexpr (K == Kind::regression)
      return eq::target<"y">(eq::Values{torch::cat({sum, -sum}, 1)});
    else if constexpr (K == Kind::classification)
      return eq::target<"y">(
          eq::Labels{(sum.squeeze(1) > -0.5).to(torch::kLong) + (sum.squeeze(1) > 0.5).to(torch::kLong)});
    else
      return eq::target<"y">(eq::Maps{x[0] + sum.view({n, 1, 1, 1})});
  }();
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return eq::batch(eq::input<modality_name<I>>(x[I])..., target);
  }
  (std::make_index_sequence<M>());
}

/// Options of a short run over them.
inline eq::TrainerOptions toy_options(std::int64_t epochs = 3, eq::Optimizer optimizer = eq::Optimizer::sgd) {
  return {.epochs = epochs,
          .batch_size = 8,
          .seed = 5,
          .optimizer = optimizer,
          .learning_rate = 0.05,
          .weight_decay = 0.01,
          .holdout = 0.25};
}

/// Options with which a policy acts in the first epoch, and measures again before a run of three is over.
template <class P>
P eager() {
  if constexpr (std::is_same_v<P, eq::SampleValuation>)
    return {.warmup = 0};
  else if constexpr (std::is_same_v<P, eq::GradientBlending>)
    return {.super_epoch = 2};
  else if constexpr (std::is_same_v<P, eq::ReconBoost>)
    return {.alternate_epochs = 1, .rectify_epochs = 1};
  else if constexpr (std::is_same_v<P, eq::ShapleyLossFactors> || std::is_same_v<P, eq::ContributionWeighting>)
    return {.momentum = 0.5};  // contributions of a new model are negative, and all shares then equal
  else
    return {};
}

/// Every parameter of a module, in one row.
inline at::Tensor flat_parameters(torch::nn::Module& module) {
  std::vector<at::Tensor> all;
  for (const at::Tensor& p : module.parameters()) all.push_back(p.detach().flatten());
  return torch::cat(all);
}

/// Moves a module to the meta device, where a tensor has a shape but no values. `Module::to` refuses that change of
/// kind.
inline void to_meta(torch::nn::Module& module) {
  std::vector<at::Tensor> all = module.parameters();
  for (const at::Tensor& b : module.buffers()) all.push_back(b);
  for (at::Tensor& t : all) {
    const at::Tensor meta = torch::empty(t.sizes(), t.options().device(torch::kMeta).requires_grad(t.requires_grad()));
    t.unsafeGetTensorImpl()->shallow_copy_from(meta.getIntrusivePtr());
  }
}

}  // namespace support
