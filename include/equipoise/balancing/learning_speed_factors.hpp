// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `LearningSpeedFactors` gives each modality's own loss a factor by how fast that loss falls. A
/// modality whose loss has fallen less gets a larger factor. Each task also minimises its unimodal
/// losses.
///
///   Σ_t w_t [ l_t(all) + Σ_m a_tm l_t({m}) ],  w_t the weight of the task
///   a_tm ∝ r_tm^γ, clipped, mean a_0
///   r_tm = L_tm(e - 1) / L_tm(0), or L_tm(e - 1) / L_tm(e - 2)
///
/// L_tm(e) is the mean loss of modality m alone over the epoch e, on the training records. L_tm(0) is
/// that of the first epoch in which the policy sees all modalities. In the history `left/…` is r, and
/// `factor/…` is a / a_0. With `complements` the sum also has ā_tm l_t(all but m), as in
/// `ShapleyLossFactors`.
///
/// The first ratio is the inverse training rate of GradNorm (Chen et al., ICML 2018,
/// arXiv:1711.02257), the second the descending rate of dynamic weight average (Liu, Johns, Davison,
/// CVPR 2019, arXiv:1803.10704). Ours: they balance the modalities of a task, not tasks, and become
/// factors by a power of mean 1, not by gradients or a softmax. Factors are equal until two epochs are
/// known.
///
/// When: The modalities learn at different speeds, and factors should not depend on contributions.
/// Cost: Unimodal decodings with gradient, for dense tasks on a quarter of the records.
/// Limits: A modality that holds nothing never learns, and has a large factor. All factors of a task are
/// equal where the mean loss of one of its modalities is not positive, as that of
/// `GaussianRegression` can be.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
/// eq::Trainer trainer(model, eq::LearningSpeedFactors{.gamma = 1.5}, {.epochs = 20});
/// eq::History history = trainer.fit(train, validation);
/// const eq::EpochRecord& last = history.epochs.back();
/// double image = *last.find("left/label/image"), table = *last.find("left/label/table");
/// \endcode

#include <equipoise/balancing/loss_factors.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/policy/policy.hpp>

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

/// What the loss of the last epoch is compared with: that of the first one, or of the one before.
enum class SpeedSince : std::uint8_t { start, previous };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(SpeedSince) {
  return {"start", "previous"};
}

struct LearningSpeedFactors {
  static constexpr std::string_view id = "learning_speed_factors";
  static constexpr Hooks hooks = Hook::epoch | Hook::objectives | Hook::gradients;
  static constexpr Needs needs{.objectives = Coverage::singletons};

  double mean = 0.5;                         ///< a_0 > 0: mean factor of the unimodal losses
  SpeedSince since = SpeedSince::start;      ///< L(0), or L(e - 2)
  double gamma = 1;                          ///< γ >= 0; 0 gives equal factors
  double min_factor = 0.25, max_factor = 4;  ///< limits of a factor, before it is scaled by a_0
  double dense_share = 0.25;                 ///< share of records for coalitions of dense tasks
  bool complements = false;                  ///< for M > 2 also the losses of all modalities but one

  struct State {
    std::vector<double> reference, last;  ///< [K * M] L(0) or L(e - 2), and L(e - 1)
    std::vector<double> sum, records;     ///< [K * M] of the epoch that runs
  };

  void check() const {
    check_option(mean > 0, "LearningSpeedFactors.mean", "> 0", mean);
    check_option(gamma >= 0, "LearningSpeedFactors.gamma", ">= 0", gamma);
    check_option(min_factor > 0 && min_factor <= 1, "LearningSpeedFactors.min_factor", "in (0, 1]", min_factor);
    check_option(max_factor >= 1, "LearningSpeedFactors.max_factor", ">= 1", max_factor);
    check_option(dense_share > 0 && dense_share <= 1, "LearningSpeedFactors.dense_share", "in (0, 1]", dense_share);
  }

  /// Factors [M] of mean 1 within [min_factor, max_factor], from the ratios r [M].
  [[nodiscard]] std::vector<double> factors(std::vector<double> ratio) const {
    const double largest = *std::max_element(ratio.begin(), ratio.end());
    for (double& r : ratio) r = std::pow(r / largest, gamma);  // relative to the largest, against overflow
    return detail::limited_factors(std::move(ratio), min_factor, max_factor);
  }

  void begin_epoch(State& state, Epoch& epoch) const {
    const std::size_t places = epoch.schema().tasks.size() * epoch.schema().modalities.size();
    if (std::any_of(state.records.begin(), state.records.end(), [](double n) { return n > 0; })) {
      // A modality that the last epoch did not show keeps its loss of before.
      std::vector<double> now = state.last.empty() ? std::vector<double>(places, std::nan("")) : state.last;
      for (std::size_t i = 0; i < places; ++i)
        if (state.records[i] > 0) now[i] = state.sum[i] / state.records[i];
      if (state.reference.empty() || since == SpeedSince::previous)
        state.reference = state.last.empty() ? now : state.last;
      for (std::size_t i = 0; i < places; ++i)
        if (std::isnan(state.reference[i])) state.reference[i] = now[i];
      state.last = std::move(now);
    }
    state.sum.assign(places, 0);
    state.records.assign(places, 0);
  }

  void on_objectives(State& state, Step& step, Objectives& objectives) const {
    if (step.active().size() < 2) return;
    detail::add_with_factors(*this, step, objectives, [&](std::size_t k) {
      const std::vector<double> ratio = ratios(state, k, step.modalities());
      for (std::size_t m = 0; m < ratio.size(); ++m)
        step.log("left/" + step.schema().tasks[k].name + "/" + step.schema().modalities[m], ratio[m]);
      return factors(ratio);
    });
  }

  void on_gradients(State& state, Step& step, Gradients&) const {
    if (step.active() != step.full()) return;
    const std::vector<Coalition> each = singletons(step.modalities());
    for (std::size_t k = 0; k < step.tasks(); ++k) {
      const double share = decoded_share(step.schema().tasks[k], dense_share);
      if (step.count(k, step.full(), share) == 0) continue;
      const at::Tensor losses = step.losses(k, each, share);  // [M, B']
      for (std::size_t m = 0; m < each.size(); ++m) {
        const double n = step.total_weight(k, each[m], share);
        const double loss = host_value(step.mean(k, losses.select(0, static_cast<std::int64_t>(m)), each[m], share));
        if (n == 0 || !std::isfinite(loss)) continue;
        state.sum[k * each.size() + m] += n * loss;
        state.records[k * each.size() + m] += n;
      }
    }
  }

 private:
  /// r [M] of one task; all 1 before two epochs are known, and where one of the losses is not positive.
  [[nodiscard]] static std::vector<double> ratios(const State& state, std::size_t task, std::size_t modalities) {
    std::vector<double> out(modalities, 1);
    if (state.last.empty()) return out;
    for (std::size_t m = 0; m < modalities; ++m) {
      const double now = state.last[task * modalities + m], before = state.reference[task * modalities + m];
      if (std::isnan(now)) continue;  // no record of it yet
      if (now <= 0 || before <= 0) return std::vector<double>(modalities, 1);
      out[m] = now / before;
    }
    return out;
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::LearningSpeedFactors, mean, since, gamma, min_factor, max_factor, dense_share,
                  complements);
EQUIPOISE_REFLECT(equipoise::LearningSpeedFactors::State, reference, last, sum, records);
static_assert(equipoise::CheckPolicy<equipoise::LearningSpeedFactors>::ok);
