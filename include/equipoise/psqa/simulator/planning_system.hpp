// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The planning system of a cohort: the dose engine and the planning model of its first machine. Plans that are not
/// delivered in simulation, imported or predicted ones, need no other machine.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/plan.hpp>
#include <equipoise/psqa/simulator/commissioning.hpp>
#include <equipoise/psqa/simulator/delivery.hpp>
#include <equipoise/psqa/simulator/dose_engine.hpp>
#include <equipoise/psqa/simulator/plane_system.hpp>
#include <equipoise/psqa/simulator/settings.hpp>

#include <cstddef>
#include <utility>

namespace equipoise::psqa {

namespace detail {

/// Means of 2 x 2 pixels.
[[nodiscard]] inline DoseGrid halved(const DoseGrid& g) {
  DoseGrid out = DoseGrid::plane(g.shape[1] / 2, g.shape[2] / 2, 2 * g.spacing[1]);
  for (std::size_t y = 0; y < out.shape[1]; ++y)
    for (std::size_t x = 0; x < out.shape[2]; ++x)
      out.at(0, y, x) = 0.25 * (g.at(0, 2 * y, 2 * x) + g.at(0, 2 * y, 2 * x + 1) + g.at(0, 2 * y + 1, 2 * x) +
                                g.at(0, 2 * y + 1, 2 * x + 1));
  return out;
}

}  // namespace detail

/// Computes the planned planes of any plan as the cohort's planning system does. Commissions the first of the cohort's
/// machines only. Where records are fields, planes lie in the collimator's system; otherwise in the gantry's.
class PlanningSystem {
 public:
  /// \throws ValueError as `check` does.
  explicit PlanningSystem(const CohortSettings& settings)
      : engine_((check(settings), 2 * settings.pixels), settings.spacing_mm / 2),
        linac_(commissioned_linac(settings.seed, 0, settings.mismatch, settings.plane, engine_, settings.model)),
        system_(plane_system(settings.records)) {}

  /// What two versions of a plan deliver through the machine: prescribed and logged. No noise, no mismatch.
  [[nodiscard]] std::pair<DoseGrid, DoseGrid> planes_of(const Plan& first, const Plan& second) {
    const MachineModel& m = linac_.planning;
    const auto fluence = [&](const Plan& plan) {
      return plan_fluence(plan, m, exact_leaves, engine_.pixels(), engine_.spacing_mm(), system_);
    };
    auto [a, b] = engine_(fluence(first), m, fluence(second), m);
    return {detail::halved(a), detail::halved(b)};
  }

  /// The planned plane of any plan, imported or simulated, in Gy per fraction.
  [[nodiscard]] DoseGrid planned_plane(const Plan& plan) { return planes_of(plan, plan).first; }

  /// The cohort's first machine.
  [[nodiscard]] const Linac& linac() const { return linac_; }
  /// The engine of the cohort's planes, at half of their spacing.
  [[nodiscard]] DoseEngine& engine() { return engine_; }
  [[nodiscard]] const DoseEngine& engine() const { return engine_; }

 private:
  DoseEngine engine_;
  Linac linac_;
  PlaneSystem system_;
};

}  // namespace equipoise::psqa
