// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Mla` is MLA, alternating unimodal adaptation. Each pass over a batch trains one modality
/// through the shared head. The head's gradient is made orthogonal to the directions that the
/// previous modality used. At inference the predictions of the modalities are fused by certainty.
///
///   G ← G P, P ← P - (P r)(P r)ᵀ / (a + rᵀ P r), a = 0.1^{1 + t/T}
///   w_m = softmax(max_n H_n - H_m), H entropy
///
/// G is the gradient of the head, r the mean head input of the pass, t the batch of T in the epoch.
///
/// From Zhang, Yoon, Bansal, Yao, CVPR 2024, arXiv:2311.10707.
///
/// - The order project, step, update follows the paper's stated purpose (ours).
/// - `form = released` follows the released code: it updates P element by element, as below, before
///   the pass's own gradient is projected.
/// - Regression fuses by exp(-u_m / τ), where u_m is a running mean of the modality's loss in the
///   training batches (ours: validation data choose the best epoch, and no hook sees them).
///
///   released: P ← P - (P r)(P r)ᵀ ⊘ (a + (P r) rᵀ), then P ← P / ‖P‖
///
/// When: You want alternating training, with fusion by certainty at inference.
/// Cost: M passes per batch.
/// Limits: It needs linear heads, and a fusion whose joint feature of a single modality is that
/// modality's projection: `Sum`, `Late` or `AttentionFusion`. It changes the deployed function, so
/// it cannot be limited to a window of epochs.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Sum{.width = 16}, eq::Classification{.classes = 3}));
/// eq::Trainer trainer(model, eq::Mla{.base = 0.1}, {.epochs = 20});
/// eq::History history = trainer.fit(train, validation);
/// at::Tensor fused = model->predict(test)["label"_n];  // [B, 3], fused by certainty
/// \endcode

#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/policy/policy.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

/// The form of the projection: that of the paper's stated purpose, or that of the released code.
enum class MlaForm : std::uint8_t { purpose, released };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(MlaForm) {
  return {"purpose", "released"};
}

struct Mla {
  static constexpr std::string_view id = "mla";
  static constexpr Hooks hooks = Hook::epoch | Hook::outputs | Hook::gradients;
  static constexpr Needs needs{.linear_head = true};
  static constexpr bool sets_passes = true;
  static constexpr OrderDependence order_dependence =
      OrderDependence::steps;  // a pass uses the head that the earlier passes have changed

  double base = 0.1;      ///< a at the first batch, > 0; a smaller a removes more
  double momentum = 0.9;  ///< of the running losses u_m, in [0, 1); regressions only

  MlaForm form = MlaForm::purpose;   ///< form of the projection
  std::vector<double> weights = {};  ///< [M] fixed weights > 0 at inference; empty: by certainty

  struct State {
    std::vector<at::Tensor> projection;  ///< [K] P, each [W, W]; begins at the identity
    std::vector<double> losses;          ///< [K * M] u_m; NaN before there is one
    std::int64_t batches = 1;            ///< T, of this epoch
    std::int64_t batch = 0;              ///< t in this epoch
  };

  void check() const {
    check_option(base > 0, "Mla.base", "> 0", base);
    check_option(momentum >= 0 && momentum < 1, "Mla.momentum", "in [0, 1)", momentum);
    for (const double w : weights) check_option(w > 0 && std::isfinite(w), "Mla.weights", "> 0", w);
  }

  [[nodiscard]] State start(ModelBase& model) const {
    check_option(weights.empty() || weights.size() == model.modality_count(), "Mla.weights",
                 "none, or one for each of the model's " + std::to_string(model.modality_count()) + " modalities",
                 std::to_string(weights.size()));
    State state;
    for (std::size_t k = 0; k < model.task_count(); ++k) {
      const at::Tensor w = model.head_weight(k);
      state.projection.push_back(at::eye(w.size(1), w.options().requires_grad(false)));
    }
    state.losses.assign(model.task_count() * model.modality_count(), std::numeric_limits<double>::quiet_NaN());
    return state;
  }

  /// a of batch t of T: base^(1 + t/T).
  [[nodiscard]] static double damping(double base, std::int64_t t, std::int64_t batches) {
    return std::pow(base, 1 + static_cast<double>(t) / static_cast<double>(std::max<std::int64_t>(batches, 1)));
  }

  /// P after a pass with mean head input r [W].
  [[nodiscard]] static at::Tensor updated(const at::Tensor& p, const at::Tensor& r, double a) {
    const at::Tensor pr = p.mv(r);
    return p.sub(at::outer(pr, pr).div(r.dot(pr).add(a)));
  }
  /// P after a pass, in the form of the released code.
  [[nodiscard]] static at::Tensor updated_as_released(const at::Tensor& p, const at::Tensor& r, double a) {
    const at::Tensor pr = p.mv(r), next = p.sub(at::outer(pr, pr).div(at::outer(pr, r).add(a)));
    return next.div(next.norm());
  }

  void begin_epoch(State& state, Epoch& epoch) const {
    epoch.plan().show_modalities_alone(epoch.schema().modalities.size());
    state.batches = epoch.batches();
    state.batch = 0;
  }

  void on_gradients(State& state, Step& step, Gradients&) const {
    const std::size_t m = step.pass_index();
    const double a = damping(base, state.batch, state.batches);
    for (std::size_t k = 0; k < step.tasks(); ++k) {
      if (step.total_weight(k, step.active()) == 0) continue;
      const at::Tensor joint = step.mean(k, step.joint(k, step.active()), step.active());  // r [W]
      const at::Tensor weight = step.head_weight(k);
      at::Tensor& p = state.projection[k];
      const at::Tensor r = joint.to(p.scalar_type());
      if (form == MlaForm::released) p = updated_as_released(p, r, a);
      if (weight.defined() && weight.grad().defined()) weight.mutable_grad() = weight.grad().mm(p);
      if (form == MlaForm::purpose) p = updated(p, r, a);
      follow_loss(state, step, k, m);
    }
    if (m + 1 == step.modalities()) ++state.batch;
  }

  /// Fuses the predictions of the present modalities by certainty, where several are present.
  [[nodiscard]] at::Tensor on_outputs(const State& state, const OutputContext& context, at::Tensor z) const {
    const std::size_t modalities = context.presence.modalities();
    bool single = true;
    for (const std::uint64_t mask : context.presence.masks()) single = single && Coalition(mask).size() < 2;
    if (single) return z;
    std::vector<at::Tensor> each, score;
    for (std::size_t m = 0; m < modalities; ++m) {
      std::vector<std::uint64_t> masks(context.presence.masks().begin(), context.presence.masks().end());
      for (std::uint64_t& mask : masks) mask &= std::uint64_t{1} << m;
      each.push_back(context.decode(
          Presence(std::move(masks), static_cast<std::size_t>(context.presence.coalitions()), modalities)));
      score.push_back(certainty(state, context, each.back(), m));
    }
    // [M, C, B, 1]
    const at::Tensor present = context.presence.tensor(z).movedim(2, 0).unsqueeze(3);
    const at::Tensor w =
        at::stack(score).masked_fill(present.eq(false), -1e30).softmax(0).masked_fill(present.eq(false), 0);
    const at::Tensor fused = at::stack(each).mul(w).sum(0);
    return z.where(present.any(0).eq(false), fused);  // rows without any modality keep the prior
  }

 private:
  /// The logits of the fusion weights, [C, B, 1]: the logarithm of a fixed weight; else the task's
  /// certainty (-H of classes); else -u / τ, with τ the mean of the known u. A modality whose u is
  /// unknown gets a weight only where no modality with a known u is present.
  [[nodiscard]] at::Tensor certainty(const State& state, const OutputContext& context, const at::Tensor& z,
                                     std::size_t m) const {
    if (!weights.empty()) return at::full_like(z.select(2, 0), std::log(weights[m])).unsqueeze(2);
    if (context.certainty) return context.certainty(z).unsqueeze(2);
    const std::size_t modalities = context.presence.modalities();
    const auto u = std::span(state.losses).subspan(context.task * modalities, modalities);
    double sum = 0, known = 0;
    for (const double x : u)
      if (!std::isnan(x)) sum += x, known += 1;
    const double score = std::isnan(u[m]) ? -1e20 : -u[m] / std::max(sum / known, 1e-12);
    return at::full_like(z.select(2, 0), score).unsqueeze(2);
  }

  void follow_loss(State& state, Step& step, std::size_t k, std::size_t m) const {
    if (step.total_weight(k, Coalition::single(m)) == 0) return;
    const double mean = host_value(step.mean_loss(k, Coalition::single(m)));
    double& u = state.losses[k * step.modalities() + m];
    u = std::isnan(u) ? mean : momentum * u + (1 - momentum) * mean;
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Mla, base, momentum, form, weights);
EQUIPOISE_REFLECT(equipoise::Mla::State, projection, losses, batches, batch);
static_assert(equipoise::CheckPolicy<equipoise::Mla>::ok);
