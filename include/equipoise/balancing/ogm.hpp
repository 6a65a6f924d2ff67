// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// OGM-GE, on-the-fly gradient modulation: damps the gradient of the modality that does better, and adds noise to keep
/// the optimiser's.
///   k_m = 1 - tanh(α ρ_m) if ρ_m > 1 else 1;  grad θ_m ← k_m grad θ_m (+ n, n ~ N(0, std(grad)²))
/// From Peng, Wei, Deng, Wang, Hu, CVPR 2022, arXiv:2203.15332. Ours: any number of modalities and regression
/// (score.hpp); `update`, which scales the group's learning rate instead, since Adam undoes a constant factor on a
/// gradient, and adds n / k, so that plain SGD makes the same step; means instead of batch sums.

#include <equipoise/balancing/score.hpp>
#include <equipoise/core/policy/policy.hpp>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/normal.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise {

struct Ogm {
  static constexpr std::string_view id = "ogm";
  static constexpr Hooks hooks = Hook::gradients;
  static constexpr Needs needs{.outputs = Coverage::singletons};

  double alpha = 0.3;                               ///< α > 0: strength; 0.1 … 0.8 in the paper
  bool noise = true;                                ///< generalisation enhancement (GE)
  Score score = Score::exp_loss;                    ///< of regressions
  Ratio ratio = Ratio::mean_of_others;              ///< one modality against the others
  Application application = Application::gradient;  ///< `update` also works with Adam
  bool skip_1d = false;                             ///< leave the gradients of biases and norms alone

  struct State {
    std::vector<double> tau;  ///< [K]
  };

  void check() const { check_option(alpha > 0, "Ogm.alpha", "> 0", alpha); }

  /// k_m from ρ_m; a ratio that is not finite leaves the gradient alone.
  [[nodiscard]] static double factor(double rho, double alpha) {
    return rho > 1 && std::isfinite(rho) ? 1 - std::tanh(alpha * rho) : 1;
  }

  void on_gradients(State& state, Step& step, Gradients& gradients) const {
    if (step.active().size() < 2) return;
    const std::vector<double> scores = modality_scores(step, score, state.tau);
    const std::vector<double> rho = ratios(scores, ratio);
    for (const std::size_t m : step.active().members()) {
      step.log("ogm/skipped/" + step.schema().modalities[m], std::isfinite(scores[m]) ? 0 : 1);
      if (!std::isfinite(scores[m])) continue;
      const double k = factor(rho[m], alpha);
      step.log("ogm/k/" + step.schema().modalities[m], k);
      if (application == Application::update) gradients.scale_rate(m, k);
      // What the rate is to scale comes as large as k makes it small; k itself comes to 0 against a great ratio.
      const double noisy = application == Application::update ? 1 / std::max(k, 1e-3) : 1;
      modulate(m, application == Application::gradient ? k : 1, noisy, step, gradients);
    }
  }

 private:
  /// Damps the gradient by k and adds `noisy` times the noise.
  void modulate(std::size_t m, double k, double noisy, Step& step, Gradients& gradients) const {
    at::Generator generator = at::detail::createCPUGenerator(step.seed("ogm" + std::to_string(m)));
    gradients.for_each(m, [&](const at::Tensor& p, at::Tensor& g) {
      if (skip_1d && p.dim() < 2) return;
      const at::Tensor spread = noise && g.numel() > 1 ? g.std() : at::Tensor();
      if (k != 1) g.mul_(k);
      if (!spread.defined()) return;
      const at::Tensor n = at::randn(g.sizes(), generator, at::kFloat).to(g.options());
      g.add_(n.mul(spread.add(1e-8)), noisy);
    });
  }
};

}  // namespace equipoise

BOOST_HANA_ADAPT_STRUCT(equipoise::Ogm, alpha, noise, score, ratio, application, skip_1d);
BOOST_HANA_ADAPT_STRUCT(equipoise::Ogm::State, tau);
static_assert(equipoise::CheckPolicy<equipoise::Ogm>::ok);
