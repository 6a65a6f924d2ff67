// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Agm` is AGM, adaptive gradient modulation. The response of a modality is its Shapley value of
/// the model's output. The factors steer the relative loss of each modality towards its own running
/// mean.
///
///   r_m = φ_m(z) + z(∅) / M;  s_m = mean l(r_m, y)
///   ratio_m = exp(M/(M-1) (mean_n s_n - s_m)), τ_m the same with running means
///   κ_m = exp(α min(τ_m - ratio_m, cap)), which multiplies the gradient of modality m
///
/// From Li, Li, Hu, Lei, Li, Zhou, ICCV 2023, arXiv:2308.07686. Ours:
///
/// - The factor scales the parameter group of modality m, for any fusion.
/// - Regression divides s by a running mean of itself.
/// - `application = update` scales the learning rate, as in `Ogm`.
///
/// When: The strength of a modality should follow its own history.
/// Cost: Decodings of all 2^M coalitions without gradient.
/// Limits: At most 16 modalities. Adam nearly undoes a constant factor on a gradient; use
/// `application = update` there.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
/// eq::Agm agm{.alpha = 0.5, .application = eq::Application::update};  // works with Adam
/// eq::Trainer trainer(model, agm, {.epochs = 20});
/// eq::History history = trainer.fit(train, validation);
/// double factor = *history.epochs.back().find("agm/k/image");         // mean of the last epoch
/// \endcode

#include <equipoise/balancing/score.hpp>
#include <equipoise/contribution/shapley.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/policy/policy.hpp>

#include <ATen/ops/stack.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

namespace equipoise {

struct Agm {
  static constexpr std::string_view id = "agm";
  static constexpr Hooks hooks = Hook::gradients;
  static constexpr Needs needs{.outputs = Coverage::all};

  double alpha = 1.0;                               ///< α > 0: strength
  double cap = 10.0;                                ///< upper limit of τ - ratio; > 0
  Application application = Application::gradient;  ///< where the factor acts; with Adam use `update`

  struct State {
    std::vector<double> running;  ///< [M] S_m, the running mean of s_m
    std::vector<double> tau;      ///< [K] running mean losses; 1 for a task with a score
    std::int64_t steps = 0;       ///< t
  };

  void check() const {
    check_option(alpha > 0, "Agm.alpha", "> 0", alpha);
    check_option(cap > 0, "Agm.cap", "> 0", cap);
  }

  /// exp(M/(M-1) (mean s - s_m)): large for a strong modality.
  [[nodiscard]] static std::vector<double> relative(std::span<const double> s) {
    const double m = static_cast<double>(s.size()), mean = std::accumulate(s.begin(), s.end(), 0.0) / m;
    std::vector<double> out;
    for (const double x : s) out.push_back(std::exp(m / (m - 1) * (mean - x)));
    return out;
  }

  /// κ_m from this step's s and the running means S before it.
  [[nodiscard]] static std::vector<double> factors(std::span<const double> s, std::span<const double> running,
                                                   double alpha, double cap) {
    const std::vector<double> ratio = relative(s), tau = relative(running);
    std::vector<double> kappa;
    for (const auto& [t, r] : views::zip(tau, ratio)) kappa.push_back(std::exp(alpha * std::min(t - r, cap)));
    return kappa;
  }

  /// S_m after its t-th step: S (t - 1) / t + s / t.
  [[nodiscard]] static std::vector<double> averaged(std::vector<double> running, std::span<const double> s,
                                                    std::int64_t t) {
    const double n = static_cast<double>(t);
    std::ranges::transform(running, s, running.begin(),
                           [n](double mean, double x) { return mean * (n - 1) / n + x / n; });
    return running;
  }

  /// Responses r_m [M, …] from outputs z [2^M, …] in mask order; they sum to the full output.
  [[nodiscard]] static at::Tensor responses(const at::Tensor& z, std::size_t modalities) {
    const std::vector<double> weights = detail::shapley_weights(modalities);
    std::vector<at::Tensor> r;
    for (std::size_t m = 0; m < modalities; ++m) {
      at::Tensor sum = z.select(0, 0).div(static_cast<double>(modalities));
      for (std::int64_t s = 0; s < z.size(0); ++s) {
        const Coalition c(static_cast<std::uint64_t>(s));
        if (!c.contains(m))
          sum =
              sum.add(z.select(0, static_cast<std::int64_t>(c.with(m).bits())).sub(z.select(0, s)), weights[c.size()]);
      }
      r.push_back(sum);
    }
    return at::stack(r);
  }

  void on_gradients(State& state, Step& step, Gradients& gradients) const {
    if (step.active() != step.full() || step.modalities() < 2) return;
    const std::vector<double> s = response_losses(state, step);
    state.running.resize(s.size(), 0.0);
    const std::vector<double> kappa = factors(s, state.running, alpha, cap);
    const bool comparable = all_finite(kappa);
    step.log("agm/skipped", comparable ? 0 : 1);
    for (std::size_t m = 0; comparable && m < s.size(); ++m) {
      step.log("agm/k/" + step.schema().modalities[m], kappa[m]);
      gradients.scale(m, kappa[m], application);
    }
    // S is updated in every step: this lets κ recover from 0 or NaN.
    if (all_finite(s)) state.running = averaged(state.running, s, ++state.steps);
  }

 private:
  [[nodiscard]] static bool all_finite(std::span<const double> numbers) {
    return std::all_of(numbers.begin(), numbers.end(), [](double x) { return std::isfinite(x); });
  }

  /// s [M]; NaN for a modality that no labelled record has.
  [[nodiscard]] static std::vector<double> response_losses(State& state, Step& step) {
    const std::vector<Coalition> all = all_coalitions(step.modalities());
    std::vector<double> s(step.modalities(), 0.0);
    state.tau.resize(step.tasks(), 0.0);
    double tasks = 0;
    for (std::size_t k = 0; k < step.tasks(); ++k) {
      if (!step.labelled(k)) continue;
      const bool scored = step.schema().tasks[k].traits.score;
      const at::Tensor r = responses(step.outputs(k, all), step.modalities());  // [M, B, …]
      const at::Tensor losses =
          scored ? step.score_of(k, r).clamp_min(1e-8).log().neg() : step.loss_of(k, r);  // [M, B]
      std::vector<double> mean(s.size());
      for (std::size_t m = 0; m < s.size(); ++m)
        mean[m] = step.total_weight(k, Coalition::single(m)) > 0
                      ? host_value(step.mean(k, losses.select(0, static_cast<std::int64_t>(m)), Coalition::single(m)))
                      : std::numeric_limits<double>::quiet_NaN();
      const double sum = std::accumulate(mean.begin(), mean.end(), 0.0);
      state.tau[k] = scored ? 1 : updated_tau(state.tau[k], sum / static_cast<double>(s.size()));
      std::ranges::transform(s, mean, s.begin(),
                             [tau = state.tau[k]](double total, double x) { return total + x / tau; });
      tasks += 1;
    }
    for (double& x : s) x /= tasks;  // NaN without any labelled task
    return s;
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Agm, alpha, cap, application);
EQUIPOISE_REFLECT(equipoise::Agm::State, running, tau, steps);
static_assert(equipoise::CheckPolicy<equipoise::Agm>::ok);
