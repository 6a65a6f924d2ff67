// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Dose of a plan in a cylinder of water, for 3D gamma: each beam's fluence, convolved with the kernel of several depths,
/// attenuated, and turned to the beam's gantry and collimator angles. Parallel beams, no density: a phantom, not a patient.

#include <equipoise/psqa/beam_parts.hpp>
#include <equipoise/psqa/simulator/day.hpp>
#include <equipoise/psqa/simulator/delivery.hpp>
#include <equipoise/psqa/simulator/dose_engine.hpp>
#include <equipoise/psqa/simulator/plane_system.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <tuple>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// A cylinder along the couch, and the grid of its dose: frames along it, rows front to back, columns across.
struct Phantom {
  std::array<std::size_t, 3> shape = {48, 64, 64};
  double spacing_mm = 3.5;
  double radius_mm = 110;
  double attenuation_per_mm = 0.005066;  ///< of the primary, 6 MV
};

/// A beam in parts within which the gantry turns by less than 10 degrees and the collimator by less than
/// `kCollimatorStep_deg`, each as a beam of its own share of the MU.
[[nodiscard]] inline std::vector<BeamPart> static_parts(const Beam& beam) {
  return beam_parts(beam, {.gantry = 10, .collimator = kCollimatorStep_deg});
}

namespace detail {

inline constexpr std::array<double, 4> kKernelDepths = {20, 80, 140, 200};

/// A rotation in a plane; with the sign of `moved`, which turns a whole plane.
struct Turn {
  double c, s;

  explicit Turn(double degree)
      : c(std::cos(degree * std::numbers::pi / 180)), s(std::sin(degree * std::numbers::pi / 180)) {}
  [[nodiscard]] std::pair<double, double> operator()(double x, double y) const {
    return {c * x + s * y, c * y - s * x};
  }
};

/// Adds a beam's dose from its planes at `kKernelDepths`, as the detector stands. \param at the collimator's turn in it
/// is that of the planes
inline void add_beam_dose(const std::array<DoseGrid, 4>& planes, double gantry_degree, const Phantom& phantom,
                          const SetUp& at, DoseGrid& out) {
  const Turn gantry(gantry_degree), couch(at.turn), collimator(at.collimator);
  for (std::size_t k = 0; k < out.shape[0]; ++k) {
    for (std::size_t j = 0; j < out.shape[1]; ++j)
      for (std::size_t i = 0; i < out.shape[2]; ++i) {
        const auto [x, v] = couch(out.origin[2] + static_cast<double>(i) * out.spacing[2] - at.across,
                                  out.origin[0] + static_cast<double>(k) * out.spacing[0] - at.along);
        const double y = out.origin[1] + static_cast<double>(j) * out.spacing[1];
        if (x * x + y * y > phantom.radius_mm * phantom.radius_mm) continue;
        const auto [u, inwards] = gantry(x, y);
        const double depth = std::sqrt(std::max(0.0, phantom.radius_mm * phantom.radius_mm - u * u)) + inwards;
        const double level = std::clamp((depth - kKernelDepths[0]) / (kKernelDepths[1] - kKernelDepths[0]), 0.0, 2.999);
        const auto d = static_cast<std::size_t>(level);
        const double f = level - static_cast<double>(d);
        const auto [across, along] = collimator(u, v);
        out.at(k, j, i) += ((1 - f) * planes[d].sample(across, along) + f * planes[d + 1].sample(across, along)) *
                           std::exp(-phantom.attenuation_per_mm * (depth - 100));
      }
  }
}

/// Pixels along the side of fluences that cover a phantom, however a plan's collimators turn them.
[[nodiscard]] inline std::size_t fluence_side(const Plan& plan, const Phantom& phantom) {
  const std::size_t side = std::max(phantom.shape[0], phantom.shape[2]);
  for (const Beam& beam : plan.beams)
    for (const ControlPoint& cp : beam.control_points)
      if (!quarter_turns(cp.collimator)) return side_of_turned(side, 45);
  return side;
}

}  // namespace detail

/// A plan's dose (Gy per fraction) in a phantom, the couch at 0. \param leaf_error as of `plan_fluence`  \param at how
/// the phantom stands, and the collimator off its planned angle  \param made_for the plane for which the machine's kernel
/// was made
template <class LeafError>
[[nodiscard]] DoseGrid phantom_dose(const Plan& plan, const MachineModel& machine, LeafError&& leaf_error,
                                    const Phantom& phantom, const SetUp& at, const DosePlane& made_for = {}) {
  const std::size_t pixels = detail::fluence_side(plan, phantom);
  DoseEngine engine(pixels, phantom.spacing_mm);
  DoseGrid out;
  out.shape = phantom.shape;
  out.spacing = {phantom.spacing_mm, phantom.spacing_mm, phantom.spacing_mm};
  out.centre();
  out.values.assign(out.size(), 0.0);
  MachineModel general;
  set_kernel(general, made_for);
  std::array<MachineModel, 4> at_depth;
  for (std::size_t d = 0; d < 4; ++d) {
    at_depth[d] = machine;
    MachineModel water;
    set_kernel_at_depth(water, detail::kKernelDepths[d]);
    // The machine's own deviation from the kernel that it was made from stays.
    at_depth[d].primary_per_mm = water.primary_per_mm * machine.primary_per_mm / general.primary_per_mm;
    at_depth[d].scatter_per_mm = water.scatter_per_mm;
    at_depth[d].scatter_share =
        std::clamp(water.scatter_share + machine.scatter_share - general.scatter_share, 0.0, 1.0);
  }
  for (std::size_t n = 0; n < plan.beams.size(); ++n) {
    if (!plan.beams[n].delivers()) continue;
    const auto errors = [&](std::size_t k, int bank, std::size_t l) { return leaf_error(n, k, bank, l); };
    for (const BeamPart& part : static_parts(plan.beams[n])) {
      DoseGrid fluence = DoseGrid::plane(pixels, pixels, phantom.spacing_mm);
      add_fluence(part.beam, machine, part.errors(errors), fluence);
      std::array<DoseGrid, 4> planes;
      std::tie(planes[0], planes[1]) = engine(fluence, at_depth[0], fluence, at_depth[1]);
      std::tie(planes[2], planes[3]) = engine(fluence, at_depth[2], fluence, at_depth[3]);
      SetUp turned = at;
      turned.collimator += part.collimator;
      detail::add_beam_dose(planes, part.gantry, phantom, turned, out);
    }
  }
  return out;
}

}  // namespace equipoise::psqa
