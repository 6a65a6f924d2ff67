// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The gradients of a step by parameter group: modality m's group is m, the shared parameters are group M. A policy
/// observes, scales or adds to them, or, where it needs the gradient of each objective J[k][g], routes them: grad[g] =
/// Σ_k R[g][k] J[k][g].

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/model/model_base.hpp>
#include <equipoise/core/policy/step.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

/// Where a policy's factor for a modality acts: on the gradient, as papers write it, or on the learning rate. For plain
/// SGD the two are the same; Adam all but undoes a constant factor on a gradient.
enum class Application : std::uint8_t { gradient, update };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(Application) {
  return {"gradient", "update"};
}

class Gradients {
 public:
  /// One gradient a parameter, undefined where the objective does not reach it.
  using List = std::vector<at::Tensor>;

  /// \param plain_steps see `plain_steps`
  explicit Gradients(ParameterGroups groups, bool plain_steps = true)
      : groups_(std::move(groups)), rates_(groups_.size(), 1.0), plain_steps_(plain_steps) {}

  /// M + 1.
  [[nodiscard]] std::size_t groups() const { return groups_.size(); }
  [[nodiscard]] const std::vector<at::Tensor>& parameters(std::size_t group) const {
    check_group(group);
    return groups_[group];
  }

  /// Calls `f(parameter, gradient)` for each parameter of a group that has a gradient; `gradient` may be changed in
  /// place.
  template <class F>
  void for_each(std::size_t group, F&& f) {
    for (const at::Tensor& p : parameters(group))
      if (p.grad().defined()) f(p, p.mutable_grad());
  }

  void scale(std::size_t group, const at::Tensor& factor) {
    for_each(group, [&](const at::Tensor&, at::Tensor& g) { g.mul_(factor); });
  }
  void scale(std::size_t group, double factor) {
    check_factor(group, factor);
    if (factor == 1) return;
    for_each(group, [&](const at::Tensor&, at::Tensor& g) { g.mul_(factor); });
  }
  /// Multiplies the group's learning rate in this step: the same as `scale` for plain SGD, and effective for Adam too.
  /// \pre the pass makes a step; the training loop refuses it in another one, which has no learning rate.
  /// \throws ValueError for a factor that is not finite, which would leave no parameter a number.
  void scale_rate(std::size_t group, double factor) {
    check_factor(group, factor);
    rates_[group] *= factor;
  }
  /// Either of the two.
  void scale(std::size_t group, double factor, Application where) {
    where == Application::gradient ? scale(group, factor) : scale_rate(group, factor);
  }
  /// Whether the optimiser's step is the gradient times the rate, as that of SGD without momentum and clipping.
  [[nodiscard]] bool plain_steps() const { return plain_steps_; }
  [[nodiscard]] double rate(std::size_t group) const {
    check_group(group);
    return rates_[group];
  }

  /// \name Objective gradients; only for a policy that declares `Needs::objective_gradients`.
  /// @{
  [[nodiscard]] std::size_t objectives() const { return keys_.size(); }
  /// \throws NameError when there is no such objective.
  [[nodiscard]] std::size_t objective(const ObjectiveKey& key) const {
    const auto known = std::find(keys_.begin(), keys_.end(), key);
    if (known == keys_.end()) throw NameError(message("name.303", "gradients", "no objective of task ", key.task));
    return static_cast<std::size_t>(known - keys_.begin());
  }
  [[nodiscard]] const ObjectiveKey& objective_key(std::size_t k) const {
    check_objective(k);
    return keys_[k];
  }
  /// J[k][g], weighted as the objective is.
  [[nodiscard]] const List& of(std::size_t objective, std::size_t group) const {
    check_objective(objective);
    check_group(group);
    return of_[objective][group];
  }

  /// Inner product of two lists of one group, 0-dim double; undefined gradients are zero. Products of half precision are
  /// made in single precision: small ones would be zero.
  [[nodiscard]] static at::Tensor dot(const List& a, const List& b) {
    at::Tensor sum;
    for (const auto& [x, y] : views::zip(a, b)) {
      if (!x.defined() || !y.defined()) continue;
      const bool half = x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16;
      const at::Tensor term = (half ? x.to(at::kFloat) : x).mul(y).sum(at::kDouble);
      sum = sum.defined() ? sum.add(term) : term;
    }
    return sum;
  }

  /// grad[g] = Σ_k coefficients[k] J[k][g]; a coefficient is 0-dim or a number.
  template <class Coefficient>
  void route(std::size_t group, std::span<const Coefficient> coefficients) {
    check_group(group);
    if (!coefficients.empty()) check_objective(coefficients.size() - 1);
    for (std::size_t p = 0; p < groups_[group].size(); ++p) {
      at::Tensor sum;
      for (std::size_t k = 0; k < coefficients.size(); ++k) {
        const at::Tensor& j = of_[k][group][p];
        if (!j.defined()) continue;
        const at::Tensor term = weighted(j, coefficients[k]);
        sum = sum.defined() ? sum.add(term) : term;
      }
      groups_[group][p].mutable_grad() = sum;
    }
  }
  /// @}

  /// Adds one objective's gradient, called by the training loop for every micro-batch.
  void accumulate(const ObjectiveKey& key) {
    const auto known = std::find(keys_.begin(), keys_.end(), key);
    const auto objective = static_cast<std::size_t>(known - keys_.begin());
    if (known == keys_.end()) {
      keys_.push_back(key);
      of_.emplace_back();
      for (const auto& group : groups_) of_.back().emplace_back(group.size());
    }
    for (std::size_t g = 0; g < groups_.size(); ++g)
      for (std::size_t p = 0; p < groups_[g].size(); ++p) {
        at::Tensor grad = groups_[g][p].grad();
        if (!grad.defined()) continue;
        at::Tensor& to = of_[objective][g][p];
        to = to.defined() ? to.add(grad) : grad;
        groups_[g][p].mutable_grad() = at::Tensor();
      }
  }
  /// The default routing: the plain sum.
  void sum_objectives() {
    const std::vector<double> ones(keys_.size(), 1.0);
    for (std::size_t g = 0; g < groups_.size(); ++g) route<double>(g, ones);
  }

 private:
  void check_group(std::size_t group) const { check_index(group, groups_.size(), "gradients of a group"); }
  void check_objective(std::size_t k) const {
    if (keys_.empty())
      throw ValueError(message("value.218", "gradients of an objective",
                               "expected a policy that declares Needs::objective_gradients, got none"));
    check_index(k, keys_.size(), "gradients of an objective");
  }
  void check_factor(std::size_t group, double factor) const {
    check_group(group);
    if (!std::isfinite(factor))
      throw ValueError(message("value.219", "gradients of group " + std::to_string(group),
                               "expected a finite factor, got ", factor));
  }

  static at::Tensor weighted(const at::Tensor& j, double c) { return c == 1 ? j : j.mul(c); }
  static at::Tensor weighted(const at::Tensor& j, const at::Tensor& c) { return j.mul(c.to(j.scalar_type())); }

  ParameterGroups groups_;
  std::vector<double> rates_;
  bool plain_steps_;
  std::vector<ObjectiveKey> keys_;
  std::vector<std::vector<List>> of_;  ///< [objective][group][parameter]
};

}  // namespace equipoise
