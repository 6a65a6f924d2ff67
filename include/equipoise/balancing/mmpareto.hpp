// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `MMPareto` combines the multimodal and the unimodal gradient on the parameters of each modality.
/// The combination opposes neither of the two and keeps their magnitude.
///
///   g = ∂L/∂θ_m, u = ∂L_m/∂θ_m
///   λ = 1/2 where g·u > 0, else the min-norm point
///   h = 2 λ g + 2 (1 - λ) u
///   grad = γ max(1, |g + u| / |h|) h
///
/// From Wei, Hu, ICML 2024, arXiv:2405.17730. Shared parameters keep the plain sum.
///
/// - The unimodal losses reach disjoint encoders, so one objective per task holds all of them. It
///   takes two backward passes per task for any M (ours).
/// - The released code computes the magnitude per tensor; `per_tensor` does the same.
///
/// When: Unimodal losses help the encoders but conflict with the joint loss.
/// Cost: A second backward pass and unimodal decodings.
/// Limits: The host reads the norms: on a GPU it waits once per modality and step.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
/// eq::Trainer trainer(model, eq::MMPareto{.gamma = 1.5}, {.epochs = 20});
/// eq::History history = trainer.fit(train, validation);
/// double loss = *history.epochs.back().find("val/objective");
/// \endcode

#include <equipoise/balancing/unimodal.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/policy/policy.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise {

struct MMPareto {
  static constexpr std::string_view id = "mmpareto";
  static constexpr Hooks hooks = Hook::objectives | Hook::gradients;
  static constexpr Needs needs{.objectives = Coverage::singletons, .objective_gradients = true};
  static constexpr bool replaces_gradients = true;

  double gamma = 1.5;         ///< γ > 0: magnitude of the combined gradient
  bool per_tensor = false;    ///< magnitude per parameter tensor, not per modality
  double dense_share = 0.25;  ///< share of records for unimodal losses of dense tasks

  struct State {};

  void check() const {
    check_option(gamma > 0, "MMPareto.gamma", "> 0", gamma);
    check_option(dense_share > 0 && dense_share <= 1, "MMPareto.dense_share", "in (0, 1]", dense_share);
  }

  /// λ, the share of the multimodal gradient in the min-norm point, from |g|², |u|² and g·u.
  [[nodiscard]] static double share_of_joint(double gg, double uu, double gu) {
    if (gu > 0) return 0.5;
    const double d = gg + uu - 2 * gu;
    return d > 0 ? std::clamp((uu - gu) / d, 0.0, 1.0) : 0.5;
  }

  /// Coefficients 2 λ and 2 (1 - λ) of h times the factor of its magnitude, from |h| and |g + u|.
  /// Where |h| is at most `zero`, the gradients cancel up to rounding. The coefficients are then
  /// those of the sum, because magnified rounding errors would be noise.
  [[nodiscard]] static std::array<double, 2> magnified(double lambda, double h, double sum, double gamma, double zero) {
    if (h <= zero) return {1, 1};
    const double factor = gamma * std::max(1.0, sum / h);
    return {factor * 2 * lambda, factor * 2 * (1 - lambda)};
  }

  /// Coefficients of g and u in the final gradient. |h| counts as zero up to `rounding` (|g| +
  /// |u|).
  [[nodiscard]] static std::array<double, 2> coefficients(double gg, double uu, double gu, double gamma,
                                                          double rounding = 1e-6) {
    const double lambda = share_of_joint(gg, uu, gu), a = 2 * lambda, b = 2 * (1 - lambda);
    const double h = std::sqrt(std::max(a * a * gg + b * b * uu + 2 * a * b * gu, 0.0));
    return magnified(lambda, h, std::sqrt(std::max(gg + uu + 2 * gu, 0.0)), gamma,
                     rounding * (std::sqrt(gg) + std::sqrt(uu)));
  }

  void on_objectives(State&, Step& step, Objectives& objectives) const {
    if (step.active().size() < 2) return;
    detail::add_unimodal(step, objectives, dense_share,
                         [&](std::size_t, const Objective&) { return std::vector<double>(step.modalities(), 1.0); });
  }

  void on_gradients(State&, Step& step, Gradients& gradients) const {
    if (step.active().size() < 2) return;
    for (std::size_t m = 0; m < step.modalities(); ++m) {
      Gradients::List g(gradients.parameters(m).size()), u(g.size());
      for (std::size_t k = 0; k < gradients.objectives(); ++k)
        for (std::size_t p = 0; p < g.size(); ++p) {
          at::Tensor& to = gradients.objective_key(k).kind == ObjectiveKind::unimodal ? u[p] : g[p];
          if (const at::Tensor& j = gradients.of(k, m)[p]; j.defined()) to = to.defined() ? to.add(j) : j;
        }
      combine(m, g, u, gradients);
    }
  }

 private:
  [[nodiscard]] static double dot(const Gradients::List& a, const Gradients::List& b) {
    const at::Tensor sum = Gradients::dot(a, b);
    return sum.defined() ? host_value(sum) : 0;
  }

  void combine(std::size_t m, Gradients::List g, Gradients::List u, Gradients& gradients) const {
    // A parameter that only one gradient reaches keeps the sum and does not count in the angle.
    for (std::size_t p = 0; p < g.size(); ++p)
      if (!g[p].defined() || !u[p].defined()) g[p] = u[p] = at::Tensor();
    const double gg = dot(g, g), uu = dot(u, u), gu = dot(g, u);
    const double lambda = share_of_joint(gg, uu, gu);
    const auto known = std::find_if(g.begin(), g.end(), [](const at::Tensor& t) { return t.defined(); });
    if (known == g.end()) return;
    const double rounding = known->scalar_type() == at::kDouble ? 1e-6 : 1e-4;
    const std::array<double, 2> whole = coefficients(gg, uu, gu, gamma, rounding);
    for (std::size_t p = 0; p < g.size(); ++p) {
      if (!g[p].defined()) continue;
      std::array<double, 2> c = whole;
      if (per_tensor) {
        const at::Tensor h = g[p].mul(2 * lambda).add(u[p], 2 * (1 - lambda));
        c = magnified(lambda, host_value(h.norm()), host_value(g[p].add(u[p]).norm()), gamma,
                      rounding * host_value(g[p].norm().add(u[p].norm())));
      }
      gradients.parameters(m)[p].mutable_grad() = g[p].mul(c[0]).add(u[p], c[1]);
    }
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::MMPareto, gamma, per_tensor, dense_share);
static_assert(equipoise::CheckPolicy<equipoise::MMPareto>::ok);
