// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The optimiser over the model's own parameter groups, so that a modality's learning rate can differ and a pass can
/// leave groups untouched; and `eq::optimizer`, which takes any of `torch::optim`.

#include <equipoise/core/batch/coalition.hpp>
#include <equipoise/core/model/model_base.hpp>
#include <equipoise/core/policy/gradients.hpp>
#include <equipoise/training/fused_optimizer.hpp>
#include <equipoise/training/optimizer_choice.hpp>
#include <equipoise/training/options.hpp>

#include <c10/util/Type.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torch::optim {
class LBFGS;
}

namespace equipoise {

namespace detail {

/// What all groups of a name are called that have no modality.
inline constexpr std::string_view kSharedGroup = "shared";

template <class O, class Options>
[[nodiscard]] std::unique_ptr<torch::optim::Optimizer> make_optimizer(const std::vector<OptimizerGroup>& groups,
                                                                      const Options& options, std::string_view name) {
  std::vector<torch::optim::OptimizerParamGroup> list;
  for (const OptimizerGroup& g : groups) list.emplace_back(g.parameters);
  auto out = std::make_unique<O>(std::move(list), options);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    // Set after the construction, where LibTorch would take a default for an option that equals its own.
    auto own = std::make_unique<Options>(options);
    if (groups[g].learning_rate) own->set_lr(*groups[g].learning_rate);
    if (groups[g].weight_decay) {
      if constexpr (requires { own->weight_decay(0.0); })
        own->weight_decay(*groups[g].weight_decay);
      else if (*groups[g].weight_decay != 0)
        throw ValueError(message("value.231", "TrainerOptions.groups", "expected no weight_decay, since ", name,
                                 " has none, got ", *groups[g].weight_decay));
    }
    out->param_groups()[g].set_options(std::move(own));
  }
  return out;
}

template <class O, class Options>
class TypedMaker final : public OptimizerMaker {
 public:
  explicit TypedMaker(Options options) : options_(std::move(options)) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::unique_ptr<torch::optim::Optimizer> make(
      const std::vector<OptimizerGroup>& groups) const override {
    return make_optimizer<O>(groups, options_, name_);
  }

 private:
  Options options_;
  std::string name_ = c10::demangle_type<O>();
};

template <class O, class Options>
struct CheckOptimizer {
  static_assert(
      !std::same_as<O, torch::optim::LBFGS>,
      "equipoise: LBFGS asks for the loss several times a step, which the training loop computes once; take a "
      "first-order optimiser");
  static_assert(std::same_as<O, torch::optim::LBFGS> || std::derived_from<O, torch::optim::Optimizer>,
                "equipoise: an optimiser must derive from torch::optim::Optimizer");
  static_assert(std::same_as<O, torch::optim::LBFGS> ||
                    std::constructible_from<O, std::vector<torch::optim::OptimizerParamGroup>, Options>,
                "equipoise: an optimiser must be constructible from parameter groups and these options");
  static constexpr bool ok = !std::same_as<O, torch::optim::LBFGS>;
};

}  // namespace detail

/// Any optimiser of `torch::optim`, or one that derives from `torch::optim::Optimizer`, with options of its own:
/// \code
/// .optimizer = eq::optimizer<torch::optim::RMSprop>(torch::optim::RMSpropOptions(1e-3).alpha(0.9))
/// \endcode
/// `learning_rate`, `weight_decay` and `momentum` of `TrainerOptions` do not apply to it.
template <class O, class Options>
[[nodiscard]] Optimizer optimizer(Options options) {
  if constexpr (detail::CheckOptimizer<O, Options>::ok)
    return Optimizer(std::make_shared<const detail::TypedMaker<O, Options>>(std::move(options)));
  else
    return Optimizer::adamw;  // an error has been reported
}

namespace detail {

class GroupedOptimizer {
 public:
  /// \param own parameters of the policies: one more group, without weight decay.
  /// \param names of the groups; those of `options.groups` are among them
  GroupedOptimizer(const ParameterGroups& groups, std::vector<at::Tensor> own, const TrainerOptions& options,
                   const std::vector<std::string>& names)
      : groups_(groups), own_(std::move(own)), options_(options) {
    std::vector<OptimizerGroup> list;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      OptimizerGroup& group = list.emplace_back(OptimizerGroup{groups_[g]});
      for (const auto& [name, o] : options.groups)
        if (name == names.at(g)) group.learning_rate = o.learning_rate, group.weight_decay = o.weight_decay;
    }
    if (!own_.empty()) list.push_back({.parameters = own_, .learning_rate = {}, .weight_decay = 0});
    optimizer_ = made(list);
    for (const auto& group : optimizer_->param_groups()) rates_.push_back(group.options().get_lr());
  }

  /// One step at `factor` times the learning rate, each group's own multiplied by its `rates`.
  void step(double factor, const Gradients& gradients) {
    auto& list = optimizer_->param_groups();
    for (std::size_t g = 0; g < list.size(); ++g)
      list[g].options().set_lr(rates_[g] * factor * (g < gradients.groups() ? gradients.rate(g) : 1.0));
    optimizer_->step();
  }

  /// [M + 1] the groups' learning rates before any factor.
  [[nodiscard]] std::vector<double> rates() const { return {rates_.begin(), rates_.begin() + std::ssize(groups_)}; }

  /// Scales all gradients so that their global norm is at most `options.clip_norm`.
  void clip() const {
    if (options_.clip_norm <= 0) return;
    std::vector<at::Tensor> all = own_;
    for (const auto& group : groups_) all.insert(all.end(), group.begin(), group.end());
    torch::nn::utils::clip_grad_norm_(all, options_.clip_norm);
  }

  /// Parameters of groups outside `mask` get no gradient, so that neither momentum nor decay moves them.
  void keep_only(std::uint64_t mask) const {
    for (const std::size_t g : (Coalition::full(groups_.size()) - Coalition(mask)).members())
      for (const at::Tensor& p : groups_[g]) p.mutable_grad() = at::Tensor();
  }

  void zero_grad() const {
    for_each([](const at::Tensor& p) { p.mutable_grad() = at::Tensor(); });
  }

  /// Puts aside what passes without a step have left, so that the next pass and its hooks see their own gradients.
  void hold() {
    held_.clear();
    for_each([&](const at::Tensor& p) { held_.push_back(std::exchange(p.mutable_grad(), at::Tensor())); });
  }
  /// Adds it again.
  void release() {
    std::size_t i = 0;
    for_each([&](const at::Tensor& p) {
      const at::Tensor before = std::exchange(held_[i++], at::Tensor());
      if (before.defined()) p.mutable_grad() = p.grad().defined() ? p.grad().add(before) : before;
    });
  }

  void save(torch::serialize::OutputArchive& archive) const { optimizer_->save(archive); }
  /// Takes an optimiser's memory, but not its options: those are this run's.
  void load(torch::serialize::InputArchive& archive) {
    std::vector<std::unique_ptr<torch::optim::OptimizerOptions>> own;
    for (const auto& group : optimizer_->param_groups()) own.push_back(group.options().clone());
    optimizer_->load(archive);
    for (std::size_t g = 0; g < own.size(); ++g) optimizer_->param_groups()[g].set_options(std::move(own[g]));
  }

 private:
  template <class F>
  void for_each(F&& f) const {
    for (const auto& group : groups_)
      for (const at::Tensor& p : group) f(p);
    for (const at::Tensor& p : own_) f(p);
  }

  [[nodiscard]] std::unique_ptr<torch::optim::Optimizer> made(const std::vector<OptimizerGroup>& list) const {
    const Optimizer& chosen = options_.optimizer;
    const double rate = options_.learning_rate, decay = options_.weight_decay;
    if (chosen.maker()) return chosen.maker()->make(list);
    if (chosen == Optimizer::sgd)
      return make_optimizer<FusedSgd>(
          list, torch::optim::SGDOptions(rate).momentum(options_.momentum).weight_decay(decay), chosen.name());
    if (chosen == Optimizer::adam)
      return make_optimizer<FusedAdam>(list, torch::optim::AdamOptions(rate).weight_decay(decay), chosen.name());
    return make_optimizer<FusedAdamW>(list, torch::optim::AdamWOptions(rate).weight_decay(decay), chosen.name());
  }

  ParameterGroups groups_;
  std::vector<at::Tensor> own_, held_;
  TrainerOptions options_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  std::vector<double> rates_;  ///< of the groups, and of `own`
};

/// The names of a model's parameter groups: its modalities, and what is shared.
[[nodiscard]] inline std::vector<std::string> group_names(const Schema& schema) {
  std::vector<std::string> names = schema.modalities;
  names.emplace_back(kSharedGroup);
  return names;
}

/// \throws NameError for a group that the model does not have; ValueError for one that is named twice.
inline void check_groups(const TrainerOptions& options, const std::vector<std::string>& names) {
  for (auto g = options.groups.begin(); g != options.groups.end(); ++g) {
    const std::string& name = g->first;
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw NameError(message("name.321", "TrainerOptions.groups", "no parameter group \"", name, "\"; ",
                              nearest_name(name, names)));
    if (std::any_of(options.groups.begin(), g, [&](const auto& other) { return other.first == name; }))
      throw ValueError(message("value.232", "TrainerOptions.groups", "expected a group once, got ", name, " twice"));
  }
}

/// Frozen groups have no gradient while it lives.
class FrozenGroups {
 public:
  FrozenGroups(const ParameterGroups& groups, const TrainerOptions& options, const std::vector<std::string>& names) {
    for (const auto& [name, o] : options.groups)
      for (std::size_t g = 0; o.frozen && g < groups.size(); ++g)
        if (names[g] == name)
          for (const at::Tensor& p : groups[g])
            if (p.requires_grad()) frozen_.push_back(p.set_requires_grad(false));
  }
  FrozenGroups(const FrozenGroups&) = delete;
  FrozenGroups& operator=(const FrozenGroups&) = delete;
  ~FrozenGroups() {
    for (const at::Tensor& p : frozen_) try {
        p.set_requires_grad(true);
      } catch (...) {  // a destructor throws nothing
      }
  }

 private:
  std::vector<at::Tensor> frozen_;
};

}  // namespace detail

}  // namespace equipoise
