// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Ogm` is OGM-GE, on-the-fly gradient modulation with generalisation enhancement. It damps the
/// gradient of the modality that predicts better. It adds Gaussian noise, so that damping does not
/// reduce the noise of the optimiser's steps.
///
///   k_m = 1 - tanh(α ρ_m) if ρ_m > 1 else 1
///   grad θ_m ← k_m grad θ_m (+ n, n ~ N(0, std(grad)²))
///
/// θ_m are the parameters of modality m. ρ_m is the score of modality m over the score of the
/// others (balancing/score.hpp).
///
/// From Peng, Wei, Deng, Wang, Hu, CVPR 2022, arXiv:2203.15332. Ours:
///
/// - Any number of modalities, and regression.
/// - `application = update` scales the learning rate of θ_m instead of the gradient, because Adam
///   undoes a constant factor on a gradient. With plain SGD it adds n / k, so that the step is the
///   same. Other optimisers divide by the size of the noisy gradient or remember it: there it adds n.
/// - Scores are means, not sums over the batch.
///
/// When: You want a cheap first try, mostly with plain SGD.
/// Cost: Unimodal decodings without gradient. No extra backward pass.
/// Limits: Adam nearly undoes a constant factor on a gradient; use `application = update` there.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
/// eq::TrainerOptions options{.epochs = 20, .optimizer = eq::Optimizer::sgd, .learning_rate = 0.1};
/// eq::Trainer trainer(model, eq::Ogm{.alpha = 0.5}, options);
/// eq::History history = trainer.fit(train, validation);
/// double factor = *history.epochs.back().find("ogm/k/image");  // mean of the last epoch
/// \endcode

#include <equipoise/balancing/score.hpp>
#include <equipoise/core/base/normal.hpp>
#include <equipoise/core/policy/policy.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise {

namespace detail {

/// g ← k g + noisy (std(g) + 1e-8) n with n ~ N(0, 1), for a gradient in host memory of at least
/// two numbers.
template <class T>
void damp_and_add_noise(std::span<T> g, double k, double noisy, std::uint64_t seed) {
  // Sums of distances from the first number lose less to rounding than sums of the numbers. Four
  // independent sums run in parallel.
  const double first = static_cast<double>(g[0]), n = static_cast<double>(g.size());
  std::array<double, 4> sums{}, squares{};
  const auto add = [&](std::size_t i, std::size_t lane) {
    const double x = static_cast<double>(g[i]) - first;
    sums[lane] += x, squares[lane] += x * x;
  };
  std::size_t i = 0;
  for (; i + 4 <= g.size(); i += 4)
    for (std::size_t lane = 0; lane < 4; ++lane) add(i + lane, lane);
  for (; i < g.size(); ++i) add(i, 0);
  const double sum = sums[0] + sums[1] + sums[2] + sums[3], square = squares[0] + squares[1] + squares[2] + squares[3];
  const double spread = std::sqrt(std::max((square - sum * sum / n) / (n - 1), 0.0));
  const T factor = static_cast<T>(k), scale = static_cast<T>(noisy * (spread + 1e-8));
  // Captured by value, so that no write to x can change what the loop reads.
  for_each_normal(g.size(), seed, [x = g.data(), factor, scale](std::size_t j, float z) {
    x[j] = factor * x[j] + scale * static_cast<T>(z);
  });
}

/// The same for a gradient on any device.
inline void damp_and_add_noise(at::Tensor& g, double k, double noisy, std::uint64_t seed) {
  const bool on_host = g.is_cpu() && g.is_non_overlapping_and_dense();
  const auto n = static_cast<std::size_t>(g.numel());
  if (on_host && g.scalar_type() == at::kFloat)
    return damp_and_add_noise(std::span(g.mutable_data_ptr<float>(), n), k, noisy, seed);
  if (on_host && g.scalar_type() == at::kDouble)
    return damp_and_add_noise(std::span(g.mutable_data_ptr<double>(), n), k, noisy, seed);
  at::Tensor drawn = at::empty(g.sizes(), at::kFloat);
  float* z = drawn.mutable_data_ptr<float>();
  for_each_normal(n, seed, [&](std::size_t i, float number) { z[i] = number; });
  const at::Tensor spread = g.std();
  g.mul_(k).add_(drawn.to(g.options()).mul(spread.add(1e-8)), noisy);
}

}  // namespace detail

struct Ogm {
  static constexpr std::string_view id = "ogm";
  static constexpr Hooks hooks = Hook::gradients;
  static constexpr Needs needs{.outputs = Coverage::singletons};

  double alpha = 0.3;                               ///< α > 0: strength; 0.1 … 0.8 in the paper
  bool noise = true;                                ///< whether to add noise, the GE of OGM-GE
  Score score = Score::exp_loss;                    ///< score of a regression
  Ratio ratio = Ratio::mean_of_others;              ///< how ρ compares a score with the others
  Application application = Application::gradient;  ///< where the factor acts; with Adam use `update`
  bool skip_1d = false;                             ///< whether to skip biases and norms

  struct State {
    std::vector<double> tau;  ///< [K] running mean losses
  };

  /// Options without noise, for tests.
  [[nodiscard]] static Ogm deterministic() { return {.noise = false}; }

  void check() const {
    check_option(alpha > 0, "Ogm.alpha", "> 0", alpha);
    check_option(!skip_1d || application == Application::gradient, "Ogm.skip_1d",
                 "false beside application = update, which scales the rate of all parameters", skip_1d);
  }

  /// k_m from ρ_m; 1 where the ratio is not finite.
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
      // A scaled rate also scales the noise, so the noise of plain SGD is divided by k. For a large
      // ratio k goes to 0.
      const bool divided = application == Application::update && gradients.plain_steps();
      const double noisy = divided ? 1 / std::max(k, 1e-3) : 1;
      modulate(m, application == Application::gradient ? k : 1, noisy, step, gradients);
    }
  }

 private:
  /// Multiplies the gradient by k and adds the noise times `noisy`.
  void modulate(std::size_t m, double k, double noisy, Step& step, Gradients& gradients) const {
    const std::uint64_t seed = step.seed("ogm" + std::to_string(m));
    std::uint64_t tensor = 0;
    gradients.for_each(m, [&](const at::Tensor& p, at::Tensor& g) {
      ++tensor;
      if (skip_1d && p.dim() < 2) return;
      if (noise && g.numel() > 1)
        detail::damp_and_add_noise(g, k, noisy, hash_of({seed, tensor}));
      else if (k != 1)
        g.mul_(k);
    });
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Ogm, alpha, noise, score, ratio, application, skip_1d);
EQUIPOISE_REFLECT(equipoise::Ogm::State, tau);
static_assert(equipoise::CheckPolicy<equipoise::Ogm>::ok);
