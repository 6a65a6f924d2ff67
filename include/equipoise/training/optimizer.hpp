// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The optimiser over the model's own parameter groups, so that a modality's learning rate can differ and a pass can
/// leave groups untouched.

#include <equipoise/core/batch/coalition.hpp>
#include <equipoise/core/model/model_base.hpp>
#include <equipoise/core/policy/gradients.hpp>
#include <equipoise/training/options.hpp>

#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>
#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace equipoise::detail {

class GroupedOptimizer {
 public:
  /// \param own parameters of the policies: one more group, without weight decay.
  GroupedOptimizer(const ParameterGroups& groups, std::vector<at::Tensor> own, const TrainerOptions& options)
      : groups_(groups), own_(std::move(own)), options_(options) {
    std::vector<torch::optim::OptimizerParamGroup> list;
    for (const auto& group : groups_) list.emplace_back(group);
    switch (options.optimizer) {
      case Optimizer::adamw:
        make<torch::optim::AdamW>(std::move(list),
                                  torch::optim::AdamWOptions(options.learning_rate).weight_decay(options.weight_decay));
        break;
      case Optimizer::adam:
        make<torch::optim::Adam>(std::move(list),
                                 torch::optim::AdamOptions(options.learning_rate).weight_decay(options.weight_decay));
        break;
      case Optimizer::sgd:
        make<torch::optim::SGD>(std::move(list), torch::optim::SGDOptions(options.learning_rate)
                                                     .momentum(options.momentum)
                                                     .weight_decay(options.weight_decay));
        break;
    }
  }

  /// One step at `factor` times the learning rate, each group's own multiplied by its `rates`.
  void step(double factor, const Gradients& gradients) {
    auto& list = optimizer_->param_groups();
    for (std::size_t g = 0; g < list.size(); ++g)
      list[g].options().set_lr(options_.learning_rate * factor * (g < gradients.groups() ? gradients.rate(g) : 1.0));
    optimizer_->step();
  }

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

  template <class O, class Options>
  void make(std::vector<torch::optim::OptimizerParamGroup> list, Options options) {
    optimizer_ = std::make_unique<O>(std::move(list), options);
    if (own_.empty()) return;
    auto undecayed = std::make_unique<Options>(options);
    undecayed->weight_decay(0);
    optimizer_->add_param_group(torch::optim::OptimizerParamGroup(own_, std::move(undecayed)));
  }

  ParameterGroups groups_;
  std::vector<at::Tensor> own_, held_;
  TrainerOptions options_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
};

}  // namespace equipoise::detail
