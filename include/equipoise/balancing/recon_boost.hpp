// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `ReconBoost` treats the modalities as weak learners of an ensemble z = ν Σ_m z_m that take
/// turns. A stage has two phases. In phase 1 only modality m learns, from what the others predict
/// wrongly. In phase 2 all parameters learn the ensemble.
///
///   phase 1, tasks with a score (classes):
///     -(w_1 - w_2 softmax(J)_y) / C · log softmax(z_m)_y + α |p_m - sg p_prev|² / C,
///     J = sg(ν Σ_{n≠m} z_n)
///   phase 1, other tasks:
///     l(J + z_m, y)
///
/// For squared error l(J + z_m, y) fits z_m to the residual (ours). A task may bring a residual
/// loss of its own. sg stops the gradient; p_m and p_prev are the probabilities of this and the
/// previous modality.
///
/// From Hua, Xu, Bao, Yang, Huang, ICML 2024, arXiv:2405.09321. The released code detaches both
/// sides of the agreement term, so it has no gradient; here only the previous modality is detached
/// (ours).
///
/// When: You want boosting over modalities.
/// Cost: One pass per epoch. Each step decodes every modality alone.
/// Limits: An epoch is one pass over the data, not 2M as in the released code. It changes the
/// deployed function, so it cannot be limited to a window of epochs.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
/// eq::ReconBoost boost{.alternate_epochs = 2, .rectify_epochs = 2};
/// eq::Trainer trainer(model, boost, {.epochs = 8});       // a stage of 4 epochs per modality
/// eq::History history = trainer.fit(train, validation);
/// at::Tensor ensemble = model->predict(test)["label"_n];  // [B, 3]
/// \endcode

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/policy/policy.hpp>

#include <ATen/ops/ones.h>

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

struct ReconBoost {
  static constexpr std::string_view id = "recon_boost";
  static constexpr Hooks hooks = Hook::epoch | Hook::outputs | Hook::objectives;
  static constexpr Needs needs{.objectives = Coverage::singletons};
  static constexpr bool sets_passes = true;
  static constexpr OrderDependence order_dependence = OrderDependence::turns;

  std::int64_t alternate_epochs = 4;  ///< epochs of phase 1 in a stage; > 0
  std::int64_t rectify_epochs = 4;    ///< epochs of phase 2 in a stage; >= 0
  double weight = 5;                  ///< w_1 > 0: weight of a sample in phase 1
  double weight_right = 1;            ///< w_2 in [0, w_1]: reduction where the others are right
  double agreement = 0.5;             ///< α >= 0: weight of the agreement term; classes only

  struct State {
    at::Tensor nu;              ///< [1] learned
    std::int64_t learner = -1;  ///< the modality of phase 1; -1 in phase 2
    std::int64_t stage = 0;
  };

  /// Options with stages of two epochs, for tests.
  [[nodiscard]] static ReconBoost example() { return {.alternate_epochs = 1, .rectify_epochs = 1}; }

  void check() const {
    check_option(alternate_epochs > 0, "ReconBoost.alternate_epochs", "> 0", alternate_epochs);
    check_option(rectify_epochs >= 0, "ReconBoost.rectify_epochs", ">= 0", rectify_epochs);
    check_option(weight > 0, "ReconBoost.weight", "> 0", weight);
    check_option(weight_right >= 0 && weight_right <= weight, "ReconBoost.weight_right", "in [0, weight]",
                 weight_right);
    check_option(agreement >= 0, "ReconBoost.agreement", ">= 0", agreement);
  }

  [[nodiscard]] State start(ModelBase& model) const {
    const ParameterGroups groups = model.parameter_groups();
    State state;
    for (const auto& group : groups)
      if (!group.empty()) state.nu = at::ones({1}, group[0].options().requires_grad(false)).set_requires_grad(true);
    return state;
  }
  [[nodiscard]] std::vector<at::Tensor> parameters(State& state) const { return {state.nu}; }

  void begin_epoch(State& state, Epoch& epoch) const {
    const std::size_t modalities = epoch.schema().modalities.size();
    const std::int64_t length = alternate_epochs + rectify_epochs;
    state.stage = epoch.index() / length;
    const bool alternate = epoch.index() % length < alternate_epochs;
    state.learner = alternate ? state.stage % static_cast<std::int64_t>(modalities) : -1;
    Pass& pass = epoch.plan().passes.front();
    pass.joint = !alternate;
    if (alternate) pass.groups = Coalition::single(static_cast<std::size_t>(state.learner)).bits();
  }

  void on_objectives(State& state, Step& step, Objectives& objectives) const {
    if (state.learner < 0) return;
    const auto m = static_cast<std::size_t>(state.learner);
    for (const auto& [k, task] : views::enumerate(step.schema().tasks))
      if (step.labelled(k))
        objectives.add({.task = k},
                       objectives.mean(k, learner_losses(state, step, objectives, k, m), Coalition::single(m)));
  }

  [[nodiscard]] at::Tensor on_outputs(const State& state, const OutputContext& context, at::Tensor z) const {
    const std::size_t modalities = context.presence.modalities();
    if (modalities == 1) return z;
    bool single = true;
    for (const std::uint64_t mask : context.presence.masks()) single = single && Coalition(mask).size() == 1;
    // Phase 1 trains the learner only, so ν is detached.
    const at::Tensor nu = state.learner < 0 ? state.nu : state.nu.detach();
    if (single) return z.mul(nu);
    at::Tensor sum;
    const at::Tensor present = context.presence.tensor(z);  // [C, B, M]
    for (std::size_t m = 0; m < modalities; ++m) {
      std::vector<std::uint64_t> masks(context.presence.masks().begin(), context.presence.masks().end());
      for (std::uint64_t& mask : masks) mask &= std::uint64_t{1} << m;
      const at::Tensor own = context.decode(
          Presence(std::move(masks), static_cast<std::size_t>(context.presence.coalitions()), modalities));
      const at::Tensor term =
          own.masked_fill(beside(present.select(2, static_cast<std::int64_t>(m)).eq(false), own), 0);
      sum = sum.defined() ? sum.add(term) : term;
    }
    const at::Tensor empty = beside(present.any(2).eq(false), z);
    return z.where(empty, sum.mul(nu));  // rows without any modality keep the prior
  }

  /// (w_1 - w_2 p) / C, from the others' probability of the true class.
  [[nodiscard]] at::Tensor sample_weights(const at::Tensor& p, std::int64_t classes) const {
    return p.mul(-weight_right).add(weight).div(static_cast<double>(classes));
  }

 private:
  /// The mask with as many dimensions as `z`, so that it broadcasts.
  [[nodiscard]] static at::Tensor beside(at::Tensor mask, const at::Tensor& z) {
    while (mask.dim() < z.dim()) mask = mask.unsqueeze(-1);
    return mask;
  }

  /// The losses [b] from which modality `m` learns, given the predictions of the others.
  [[nodiscard]] at::Tensor learner_losses(const State& state, Step& step, Objectives& objectives, std::size_t k,
                                          std::size_t m) const {
    const at::Tensor present = objectives.presence().tensor(state.nu).select(0, 0);  // [b, M]
    const std::size_t previous = (m + step.modalities() - 1) % step.modalities();
    at::Tensor own, others, before;
    for (std::size_t n = 0; n < step.modalities(); ++n) {
      const Coalition alone = Coalition::single(n);
      const at::Tensor z = objectives.outputs(k, {&alone, 1}).select(0, 0);  // [b, …], ν z_n
      if (n == m) {
        own = z;
        continue;
      }
      // As in the deployed ensemble, an absent modality adds zero.
      const at::Tensor said =
          z.detach().masked_fill(beside(present.select(1, static_cast<std::int64_t>(n)).eq(false), z), 0);
      others = others.defined() ? others.add(said) : said;
      if (n == previous) before = said;
    }
    const at::Tensor nu = state.nu.detach(), z = own.div(nu);
    const TaskTraits& task = step.schema().tasks[k].traits;
    if (task.residual_loss) return objectives.residual_loss_of(k, z.unsqueeze(0), others.unsqueeze(0)).squeeze(0);
    if (!task.score || !task.probabilities) return objectives.loss_of(k, others.add(z).unsqueeze(0)).squeeze(0);
    at::Tensor losses = objectives.loss_of(k, z.unsqueeze(0)).squeeze(0);
    losses = losses.mul(sample_weights(objectives.score_of(k, others.unsqueeze(0)).squeeze(0), z.size(1)));
    if (state.stage == 0) return losses;
    // A record without the previous modality has no agreement term.
    const auto probabilities = [&](const at::Tensor& x) {
      return objectives.probabilities_of(k, x.unsqueeze(0)).squeeze(0);
    };
    const at::Tensor apart = probabilities(z).sub(probabilities(before.div(nu))).square().mean(1);
    return losses.add(apart.mul(present.select(1, static_cast<std::int64_t>(previous))), agreement);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::ReconBoost, alternate_epochs, rectify_epochs, weight, weight_right, agreement);
EQUIPOISE_REFLECT(equipoise::ReconBoost::State, nu, learner, stage);
static_assert(equipoise::CheckPolicy<equipoise::ReconBoost>::ok);
