// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// SGD, Adam and AdamW by LibTorch's fused kernels: one pass over a parameter instead of a dozen operations, so that the
/// step of a small model costs a fraction. Steps equal those of `torch::optim` to rounding. Options, state and archives are
/// those of `torch::optim`'s classes, from which these derive; they take over the step wherever a kernel does not fit: other
/// types than float, double, half and bfloat16, tensors that are not dense or not strided alike, the meta device, `amsgrad`.

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros_like.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

/// Whether a kernel may walk over the memory of the two in step.
[[nodiscard]] inline bool walks_like(const at::Tensor& a, const at::Tensor& b) {
  return b.defined() && b.layout() == at::kStrided && a.scalar_type() == b.scalar_type() && a.device() == b.device() &&
         a.strides() == b.strides() && a.sizes() == b.sizes();
}
[[nodiscard]] inline bool fits_a_kernel(const at::Tensor& p, const at::Tensor& gradient) {
  const at::ScalarType type = p.scalar_type();
  return (p.is_cpu() || p.is_cuda()) && p.layout() == at::kStrided && p.is_non_overlapping_and_dense() &&
         (type == at::kFloat || type == at::kDouble || type == at::kHalf || type == at::kBFloat16) &&
         walks_like(p, gradient);
}

/// Parameters that one call of a kernel steps: of one device and type, and as many steps old.
struct FusedBatch {
  std::int64_t age;  ///< steps before this one
  std::vector<at::Tensor> parameters, gradients, first, second;

  [[nodiscard]] bool takes(const at::Tensor& p, std::int64_t steps) const {
    return age == steps && parameters.front().scalar_type() == p.scalar_type() &&
           parameters.front().device() == p.device();
  }
};

/// The batch among `batches` for a parameter of that age; a new one where there is none.
[[nodiscard]] inline FusedBatch& batch_for(std::vector<FusedBatch>& batches, const at::Tensor& p, std::int64_t age) {
  const auto known = std::find_if(batches.begin(), batches.end(), [&](const FusedBatch& b) { return b.takes(p, age); });
  if (known != batches.end()) {
    known->parameters.push_back(p);
    return *known;
  }
  return batches.emplace_back(FusedBatch{age, {p}, {}, {}, {}});
}

/// The state of a parameter, begun where it has none.
template <class State, class Begin>
[[nodiscard]] State& state_of(torch::optim::Optimizer& optimizer, const at::Tensor& p, Begin&& begin) {
  auto& held = optimizer.state()[p.unsafeGetTensorImpl()];
  if (!held) {
    auto fresh = std::make_unique<State>();
    begin(*fresh);
    held = std::move(fresh);
  }
  return static_cast<State&>(*held);
}

/// Whether every parameter of the optimiser that has a gradient fits its kernel.
[[nodiscard]] inline bool all_fit(const std::vector<torch::optim::OptimizerParamGroup>& groups) {
  for (const auto& group : groups)
    for (const at::Tensor& p : group.params())
      if (const at::Tensor& gradient = p.grad(); gradient.defined() && !fits_a_kernel(p, gradient)) return false;
  return true;
}

/// Adam and AdamW, which differ in where the decay acts.
template <class Base, class Options, class State>
class FusedAdamLike : public Base {
 public:
  using Base::Base;

  at::Tensor step(torch::optim::Optimizer::LossClosure closure = nullptr) override {
    if (closure || !fits()) return Base::step(std::move(closure));
    const at::NoGradGuard no_grad;
    for (auto& group : this->param_groups()) {
      const auto& options = static_cast<const Options&>(group.options());
      std::vector<FusedBatch> batches;
      for (const at::Tensor& p : group.params()) {
        if (!p.grad().defined()) continue;
        State& state = of(p);
        FusedBatch& batch = batch_for(batches, p, state.step());
        batch.gradients.push_back(p.grad());
        batch.first.push_back(state.exp_avg());
        batch.second.push_back(state.exp_avg_sq());
        state.step(state.step() + 1);
      }
      for (FusedBatch& b : batches) run(b, options);
    }
    return {};
  }

 private:
  [[nodiscard]] State& of(const at::Tensor& p) {
    return state_of<State>(*this, p, [&](State& s) {
      s.step(0);
      s.exp_avg(at::zeros_like(p));
      s.exp_avg_sq(at::zeros_like(p));
    });
  }

  [[nodiscard]] bool fits() {
    if (!all_fit(this->param_groups())) return false;
    for (const auto& group : this->param_groups()) {
      if (static_cast<const Options&>(group.options()).amsgrad()) return false;
      for (const at::Tensor& p : group.params())  // a checkpoint may have brought averages that lie in another order
        if (const auto held = this->state().find(p.unsafeGetTensorImpl()); held != this->state().end() && held->second)
          if (const auto& s = static_cast<const State&>(*held->second);
              !walks_like(p, s.exp_avg()) || !walks_like(p, s.exp_avg_sq()))
            return false;
    }
    return true;
  }

  static void run(FusedBatch& b, const Options& o) {
    const auto [beta1, beta2] = o.betas();
    const auto options = at::TensorOptions().dtype(at::kFloat).device(b.parameters.front().device());
    const std::vector<at::Tensor> steps(b.parameters.size(), at::full({}, static_cast<double>(b.age + 1), options));
    if constexpr (std::same_as<Base, torch::optim::AdamW>)
      at::_fused_adamw_(b.parameters, b.gradients, b.first, b.second, {}, steps, o.lr(), beta1, beta2, o.weight_decay(),
                        o.eps(), false, false);
    else
      at::_fused_adam_(b.parameters, b.gradients, b.first, b.second, {}, steps, o.lr(), beta1, beta2, o.weight_decay(),
                       o.eps(), false, false);
  }
};

}  // namespace detail

using FusedAdam = detail::FusedAdamLike<torch::optim::Adam, torch::optim::AdamOptions, torch::optim::AdamParamState>;
using FusedAdamW =
    detail::FusedAdamLike<torch::optim::AdamW, torch::optim::AdamWOptions, torch::optim::AdamWParamState>;

class FusedSgd : public torch::optim::SGD {
 public:
  using torch::optim::SGD::SGD;

  at::Tensor step(torch::optim::Optimizer::LossClosure closure = nullptr) override {
    if (closure || !fits()) return torch::optim::SGD::step(std::move(closure));
    const at::NoGradGuard no_grad;
    for (auto& group : param_groups()) {
      const auto& o = static_cast<const torch::optim::SGDOptions&>(group.options());
      std::vector<detail::FusedBatch> batches;  // by age: 0 where there is no momentum yet
      for (const at::Tensor& p : group.params()) {
        if (!p.grad().defined()) continue;
        const bool begun = o.momentum() == 0 || buffer_of(p).defined();
        detail::FusedBatch& batch = detail::batch_for(batches, p, begun ? 1 : 0);
        batch.gradients.push_back(p.grad());
        if (o.momentum() == 0) continue;
        if (!begun)
          detail::state_of<torch::optim::SGDParamState>(*this, p, [](auto&) {}).momentum_buffer(at::empty_like(p));
        batch.first.push_back(buffer_of(p));
      }
      for (detail::FusedBatch& b : batches)
        at::_fused_sgd_(b.parameters, b.gradients, b.first, o.weight_decay(), o.momentum(), o.lr(), o.dampening(),
                        o.nesterov(), false, b.age == 0);
    }
    return {};
  }

 private:
  [[nodiscard]] at::Tensor buffer_of(const at::Tensor& p) const {
    const auto held = state().find(p.unsafeGetTensorImpl());
    if (held == state().end() || !held->second) return {};
    return static_cast<const torch::optim::SGDParamState&>(*held->second).momentum_buffer();
  }

  [[nodiscard]] bool fits() const {
    if (!detail::all_fit(param_groups())) return false;
    for (const auto& group : param_groups())
      for (const at::Tensor& p : group.params())
        if (const at::Tensor buffer = buffer_of(p); buffer.defined() && !detail::walks_like(p, buffer)) return false;
    return true;
  }
};

}  // namespace equipoise
