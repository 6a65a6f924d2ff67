// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The fluence that a plan delivers through a machine model, all fields collapsed to one gantry angle (a composite
/// plane at the isocentre), each turned by its collimator's angle. Leaf motion between control points is linear and its
/// coverage of each pixel exact: the time for which a pixel is open is the difference of the cumulated passages of its
/// two leaves.

#include <equipoise/psqa/beam_parts.hpp>
#include <equipoise/psqa/complexity/aperture.hpp>
#include <equipoise/psqa/complexity/jaw_phases.hpp>
#include <equipoise/psqa/complexity/open_time.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/simulator/plane_system.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace equipoise::psqa {

namespace detail {

/// A part of a pixel row that lies within one pair of leaves, in shares of the row's height. Within half a groove of the
/// neighbour above or below, a leaf's tongue reaches: there passes only what both pairs let through.
struct RowPart {
  std::size_t pair;
  double share, above, below;
};

[[nodiscard]] inline std::vector<RowPart> parts_of_row(const std::vector<double>& boundaries, double low, double high,
                                                       double groove_mm) {
  std::vector<RowPart> out;
  const auto within = [&](double from, double to) {
    return std::max(0.0, std::min(high, to) - std::max(low, from)) / (high - low);
  };
  const std::size_t last = boundaries.size() - 2;
  for (std::size_t l = 0; l <= last; ++l) {
    const double bottom = boundaries[l], top = boundaries[l + 1], share = within(bottom, top);
    if (share > 0)
      out.push_back({l, share, l < last ? within(top - groove_mm / 2, top) : 0,
                     l > 0 ? within(bottom, bottom + groove_mm / 2) : 0});
  }
  return out;
}

/// Open times (MU) of each pair, and of each pair together with the one above it; [pairs][pixels].
struct PairTimes {
  std::vector<std::vector<double>> own, joint;
};

/// Adds to `total` what passes leaves and jaws during a phase.
inline void add_phase(const std::vector<double>& boundaries, const JawPhase& phase, const PairTimes& times,
                      const MachineModel& machine, DoseGrid& total) {
  const std::size_t columns = total.shape[2];
  std::vector<double> row(columns);
  for (std::size_t y = 0; y < total.shape[1]; ++y) {
    const double middle = total.origin[1] + total.spacing[1] * static_cast<double>(y),
                 low = middle - total.spacing[1] / 2, high = middle + total.spacing[1] / 2;
    std::fill(row.begin(), row.end(), 0.0);
    for (const RowPart& part : parts_of_row(boundaries, low, high, machine.tongue_groove_mm)) {
      const double own = part.share - part.above - part.below;
      for (std::size_t x = 0; x < columns; ++x) row[x] += own * times.own[part.pair][x];
      for (std::size_t x = 0; x < columns && part.above > 0; ++x) row[x] += part.above * times.joint[part.pair][x];
      for (std::size_t x = 0; x < columns && part.below > 0; ++x) row[x] += part.below * times.joint[part.pair - 1][x];
    }
    const double exposed = share_between(low, high, phase.y1, phase.y2);
    for (std::size_t x = 0; x < columns; ++x) {
      const double left = total.origin[2] + total.spacing[2] * (static_cast<double>(x) - 0.5),
                   in_jaws = share_between(left, left + total.spacing[2], phase.x1, phase.x2);
      // Leaf tips end at the x jaws, so that the row's open time is of the part between them already.
      const double through = std::max(0.0, row[x]) + machine.transmission * (in_jaws * phase.mu - row[x]);
      total.at(0, y, x) +=
          machine.output * (exposed * through + (1 - exposed * in_jaws) * machine.jaw_transmission * phase.mu);
    }
  }
}

/// `add_fluence` in the coordinates of the merged bank, whose leaves move along x.
template <class LeafError>
void add_bank_fluence(const Beam& beam, const MachineModel& machine, LeafError&& leaf_error, DoseGrid& total) {
  const Bank bank = merged_bank(beam);
  const std::size_t pairs = bank.boundaries.size() - 1, columns = total.shape[2];
  const double size = total.spacing[2], begin = total.origin[2] - size / 2;
  const double half = machine.leaf_gap_mm / 2;
  std::vector<std::vector<double>> a(bank.points.size()), b(bank.points.size());
  for (std::size_t k = 0; k < bank.points.size(); ++k) {
    const Bank::Point& p = bank.points[k];
    for (std::size_t l = 0; l < pairs; ++l) {
      const bool used = p.b[l] - p.a[l] > kPlaceTolerance_mm;  // the ends of a closed pair abut: nothing passes
      const double middle = std::clamp(0.5 * (p.a[l] + p.b[l]), p.x1, p.x2);
      a[k].push_back(used ? std::clamp(p.a[l] + leaf_error(k, 0, l) - half, p.x1, p.x2) : middle);
      b[k].push_back(used ? std::clamp(p.b[l] + leaf_error(k, 1, l) + half, p.x1, p.x2) : middle);
    }
  }
  const auto span = [&](std::size_t k, std::size_t l) { return Span{a[k - 1][l], b[k - 1][l], a[k][l], b[k][l]}; };
  for (const JawPhase& phase : jaw_phases(beam, bank)) {
    std::vector<OpenTime> open(pairs, OpenTime(columns, begin, size)), joint = open;
    for (std::size_t k = phase.first + 1; k <= phase.last; ++k) {
      const double mu = beam.interval_mu(k) * (beam.dynamic ? 1 : machine.linearity(beam.interval_mu(k)));
      if (!(mu > 0)) continue;
      for (std::size_t l = 0; l < pairs; ++l) {
        open[l].add(span(k, l), mu);
        if (machine.tongue_groove_mm > 0 && l + 1 < pairs) add_shared(span(k, l), span(k, l + 1), mu, joint[l]);
      }
    }
    PairTimes times;
    for (std::size_t l = 0; l < pairs; ++l)
      times.own.push_back(open[l].values()), times.joint.push_back(joint[l].values());
    add_phase(bank.boundaries, phase, times, machine, total);
  }
}

}  // namespace detail

/// Adds a beam's fluence (MU) to `total`. \param leaf_error called as `leaf_error(point, bank, pair)` for the
/// displacement in mm of each leaf tip  \pre the beam has leaves
template <class LeafError>
void add_fluence(const Beam& beam, const MachineModel& machine, LeafError&& leaf_error, DoseGrid& total) {
  if (beam.layers[0].axis == LeafAxis::x) return detail::add_bank_fluence(beam, machine, leaf_error, total);
  DoseGrid turned = total;  // x and y exchanged, as in the merged bank
  std::swap(turned.shape[1], turned.shape[2]), std::swap(turned.spacing[1], turned.spacing[2]);
  std::swap(turned.origin[1], turned.origin[2]);
  std::fill(turned.values.begin(), turned.values.end(), 0.0);
  detail::add_bank_fluence(beam, machine, leaf_error, turned);
  for (std::size_t y = 0; y < total.shape[1]; ++y)
    for (std::size_t x = 0; x < total.shape[2]; ++x) total.at(0, y, x) += turned.at(0, x, y);
}

/// The composite fluence (MU) of a plan, per fraction. \param leaf_error as `leaf_error(beam, point, bank, pair)`
/// \param system of the plane. In the gantry's a collimator that turns is taken in steps of `kCollimatorStep_deg`.
template <class LeafError>
[[nodiscard]] DoseGrid plan_fluence(const Plan& plan, const MachineModel& machine, LeafError&& leaf_error,
                                    std::size_t pixels, double spacing_mm, PlaneSystem system = PlaneSystem::gantry) {
  detail::TurnedPlanes planes(pixels, spacing_mm);
  for (std::size_t n = 0; n < plan.beams.size(); ++n) {
    const Beam& beam = plan.beams[n];
    if (!beam.delivers()) continue;
    const auto errors = [&](std::size_t k, int bank, std::size_t l) { return leaf_error(n, k, bank, l); };
    if (system == PlaneSystem::collimator)
      add_fluence(beam, machine, errors, planes.at(0));
    else
      for (const BeamPart& part : collimator_parts(beam))
        add_fluence(part.beam, machine, part.errors(errors), planes.at(part.collimator));
  }
  return planes.sum();
}

/// No leaf errors: what the planning system computes.
inline constexpr auto exact_leaves = [](std::size_t, std::size_t, int, std::size_t) { return 0.0; };

}  // namespace equipoise::psqa
