// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `SampleValuation` is sample-level modality valuation. It values each modality of each record by
/// its Shapley value. Where a modality contributes less than its fair share, it adds copies of the
/// record in which only this modality is present.
///
///   v_i(S) = |S| if right else 0 (classification)
///   v_i(S) = l_i(∅) - l_i(S), scaled to a fair share of 1 (regression, ours)
///   copies = κ max(0, 1 - φ_im), at most 3
///
/// From Wei, Feng, Wang, Hu, CVPR 2024, arXiv:2309.06255 (κ = 2 from the released thresholds).
/// Fractions of copies are rounded at random (ours).
///
/// When: Single records depend on one modality.
/// Cost: One evaluation of all coalitions over the training records per epoch, and longer epochs.
/// Limits: Copies make epochs longer: compare methods by steps, not by epochs.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
///     eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
/// eq::Trainer trainer(model, eq::SampleValuation{.warmup = 5, .kappa = 2}, {.epochs = 20});
/// eq::History history = trainer.fit(train, validation);
/// double copies = *history.epochs.back().find("sample_valuation/copies");
/// \endcode

#include <equipoise/contribution/matrix.hpp>
#include <equipoise/contribution/shapley.hpp>
#include <equipoise/contribution/value.hpp>
#include <equipoise/core/policy/policy.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise {

struct SampleValuation {
  static constexpr std::string_view id = "sample_valuation";
  static constexpr Hooks hooks = Hook::epoch;
  static constexpr Needs needs{};
  static constexpr bool adds_records = true;

  std::int64_t warmup = 5;  ///< epochs before the first valuation; >= 0
  double kappa = 2;         ///< κ >= 0: copies per unit of missing contribution
  double max_copies = 3;    ///< most copies per record and modality; >= 0

  struct State {};

  [[nodiscard]] static SampleValuation example() { return {.warmup = 0}; }
  /// Options that copy once whatever is below its fair share, for tests.
  [[nodiscard]] static SampleValuation deterministic() { return {.warmup = 0, .kappa = 1e6, .max_copies = 1}; }

  void check() const {
    check_option(warmup >= 0, "SampleValuation.warmup", ">= 0", warmup);
    check_option(kappa >= 0, "SampleValuation.kappa", ">= 0", kappa);
    check_option(max_copies >= 0, "SampleValuation.max_copies", ">= 0", max_copies);
  }

  /// Contributions [M, N] with a fair share of 1, from the correctness (0 or 1) of coalitions
  /// [2^M, N]. A modality that a record lacks (`masks` [N]) is not a player of its game.
  [[nodiscard]] static Eigen::MatrixXd from_correctness(const Eigen::MatrixXd& correct,
                                                        std::span<const std::uint64_t> masks) {
    return shapley(valuation_values(correct, masks));
  }
  /// The same from losses: φ times the record's number of modalities over v(all). It is 0 where the
  /// full model is not better than the prior.
  [[nodiscard]] static Eigen::MatrixXd from_losses(const Eigen::MatrixXd& losses,
                                                   std::span<const std::uint64_t> masks) {
    const Eigen::MatrixXd v = coalition_values(losses, Value::loss_reduction);
    Eigen::MatrixXd phi = shapley(v);
    for (Eigen::Index i = 0; i < phi.cols(); ++i) {
      const double all = v(v.rows() - 1, i), players = std::popcount(masks[static_cast<std::size_t>(i)]);
      phi.col(i) *= all > 1e-12 ? players / all : 0;
    }
    return phi;
  }
  /// The expected number of copies.
  [[nodiscard]] static double copies(double contribution, double kappa, double max_copies) {
    return std::min(kappa * std::max(0.0, 1 - contribution), max_copies);
  }

  void begin_epoch(State&, Epoch& epoch) const {
    if (epoch.index() < warmup) return;
    const std::size_t modalities = epoch.schema().modalities.size();
    const std::span<const std::uint64_t> masks = epoch.presence().masks();
    const CoalitionTable table = epoch.evaluate(Split::train, all_coalitions(modalities));
    Eigen::MatrixXd mean = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(modalities), epoch.records());
    Eigen::VectorXd tasks = Eigen::VectorXd::Zero(epoch.records());
    for (std::size_t k = 0; k < table.losses.size(); ++k) {
      if (!table.losses[k].defined()) continue;
      const Eigen::MatrixXd phi = table.correct[k].defined()
                                      ? from_correctness(detail::as_matrix(table.correct[k]), masks)
                                      : from_losses(detail::as_matrix(table.losses[k]), masks);
      for (Eigen::Index i = 0; i < phi.cols(); ++i)
        if (table.labelled[k][static_cast<std::size_t>(i)]) mean.col(i) += phi.col(i), tasks(i) += 1;
    }
    std::int64_t added = 0;
    for (Eigen::Index i = 0; i < mean.cols(); ++i) {
      if (!(tasks(i) > 0)) continue;
      for (const std::size_t m : Coalition(masks[static_cast<std::size_t>(i)]).members()) {
        const double expected = copies(mean(static_cast<Eigen::Index>(m), i) / tasks(i), kappa, max_copies);
        const double fraction = expected - std::floor(expected);
        const auto n =
            static_cast<std::int64_t>(std::floor(expected)) + (epoch.uniform("valuation", i, m) < fraction ? 1 : 0);
        for (std::int64_t c = 0; c < n; ++c) epoch.plan().items.push_back({i, Coalition::single(m)});
        added += n;
      }
    }
    epoch.log("sample_valuation/copies", static_cast<double>(added));
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::SampleValuation, warmup, kappa, max_copies);
static_assert(equipoise::CheckPolicy<equipoise::SampleValuation>::ok);
