// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The fluence that a plan delivers through a machine model, all fields collapsed to one gantry angle (a composite
/// plane at the isocentre, collimator 0). Leaf motion between control points is linear and its coverage of each pixel
/// exact: the time for which a pixel is open is the difference of the cumulated passages of its two leaves.

#include <equipoise/psqa/aperture.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/open_time.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace equipoise::psqa {

namespace detail {

[[nodiscard]] inline Span shared(const Span& p, const Span& q) {
  return {std::max(p.a0, q.a0), std::min(p.b0, q.b0), std::max(p.a1, q.a1), std::min(p.b1, q.b1)};
}

/// Where pixel row `y` (mm, its borders) lies: the pairs it meets and how much of it each covers.
struct RowPart {
  std::size_t pair;
  double share;   ///< of the row's height
  double groove;  ///< of the row's height that is also within the groove to the pair above
};

[[nodiscard]] inline std::vector<RowPart> parts_of_row(const std::vector<double>& boundaries, double low, double high,
                                                       double groove_mm) {
  std::vector<RowPart> out;
  const double height = high - low;
  for (std::size_t l = 0; l + 1 < boundaries.size(); ++l) {
    const double share = std::max(0.0, std::min(high, boundaries[l + 1]) - std::max(low, boundaries[l])) / height;
    if (share <= 0) continue;
    out.push_back({l, share, 0});
  }
  for (RowPart& part : out) {
    // The strip about the boundary above this pair, as far as it lies in the row.
    const double edge = boundaries[part.pair + 1];
    part.groove = std::max(0.0, std::min(high, edge + groove_mm / 2) - std::max(low, edge - groove_mm / 2)) / height;
  }
  return out;
}

}  // namespace detail

/// Adds a beam's fluence (MU) to `total`. \param leaf_error called as `leaf_error(point, bank, pair)` for the
/// displacement in mm of each leaf tip
template <class LeafError>
void add_fluence(const Beam& beam, const MachineModel& machine, LeafError&& leaf_error, DoseGrid& total) {
  const Bank bank = merged_bank(beam);
  const std::size_t pairs = bank.boundaries.size() - 1, columns = total.shape[2];
  const double size = total.spacing[2], begin = total.origin[2] - size / 2;
  const double half = machine.leaf_gap_mm / 2;
  std::vector<detail::OpenTime> open(pairs, detail::OpenTime(columns, begin, size)), joint = open;
  std::vector<std::vector<double>> a(bank.points.size()), b(bank.points.size());
  double y1 = kInfinity, y2 = -kInfinity, x1 = kInfinity, x2 = -kInfinity;
  for (std::size_t k = 0; k < bank.points.size(); ++k) {
    const Bank::Point& p = bank.points[k];
    y1 = std::min(y1, p.y1), y2 = std::max(y2, p.y2), x1 = std::min(x1, p.x1), x2 = std::max(x2, p.x2);
    for (std::size_t l = 0; l < pairs; ++l) {
      const bool used = p.b[l] - p.a[l] > 1e-6;  // the ends of a closed pair abut: nothing passes
      const double middle = std::clamp(0.5 * (p.a[l] + p.b[l]), p.x1, p.x2);
      a[k].push_back(used ? std::clamp(p.a[l] + leaf_error(k, 0, l) - half, p.x1, p.x2) : middle);
      b[k].push_back(used ? std::clamp(p.b[l] + leaf_error(k, 1, l) + half, p.x1, p.x2) : middle);
    }
  }
  for (std::size_t k = 1; k < bank.points.size(); ++k) {
    const double mu = beam.interval_mu(k) * (beam.dynamic ? 1 : machine.linearity(beam.interval_mu(k)));
    if (!(mu > 0)) continue;
    for (std::size_t l = 0; l < pairs; ++l) {
      const detail::Span span{a[k - 1][l], b[k - 1][l], a[k][l], b[k][l]};
      open[l].add(span, mu);
      if (machine.tongue_groove_mm > 0 && l + 1 < pairs)
        joint[l].add(detail::shared(span, {a[k - 1][l + 1], b[k - 1][l + 1], a[k][l + 1], b[k][l + 1]}), mu);
    }
  }
  std::vector<std::vector<double>> times, joints;
  for (std::size_t l = 0; l < pairs; ++l) times.push_back(open[l].values()), joints.push_back(joint[l].values());
  std::vector<double> row(columns);
  for (std::size_t y = 0; y < total.shape[1]; ++y) {
    const double middle = total.origin[1] + total.spacing[1] * static_cast<double>(y),
                 low = middle - total.spacing[1] / 2, high = middle + total.spacing[1] / 2;
    std::fill(row.begin(), row.end(), 0.0);
    for (const detail::RowPart& part : detail::parts_of_row(bank.boundaries, low, high, machine.tongue_groove_mm)) {
      for (std::size_t x = 0; x < columns; ++x) row[x] += part.share * times[part.pair][x];
      if (part.groove > 0 && part.pair + 1 < pairs)
        for (std::size_t x = 0; x < columns; ++x)
          row[x] += part.groove * (joints[part.pair][x] - 0.5 * (times[part.pair][x] + times[part.pair + 1][x]));
    }
    const double exposed =
        std::isfinite(y1) ? std::clamp((std::min(high, y2) - std::max(low, y1)) / total.spacing[1], 0.0, 1.0) : 1.0;
    for (std::size_t x = 0; x < columns; ++x) {
      const double px = total.origin[2] + size * static_cast<double>(x);
      const double in_jaws = px >= x1 && px <= x2 ? exposed : 0.0;
      const double through = std::max(0.0, row[x]) + machine.transmission * (beam.mu - row[x]);
      total.at(0, y, x) += machine.output * (in_jaws * through + (1 - in_jaws) * machine.jaw_transmission * beam.mu);
    }
  }
}

/// The composite fluence (MU) of a plan, per fraction.
template <class LeafError>
[[nodiscard]] DoseGrid plan_fluence(const Plan& plan, const MachineModel& machine, LeafError&& leaf_error,
                                    std::size_t pixels, double spacing_mm) {
  DoseGrid total = DoseGrid::plane(pixels, pixels, spacing_mm);
  for (std::size_t n = 0; n < plan.beams.size(); ++n)
    if (plan.beams[n].mu > 0 && !plan.beams[n].layers.empty())
      add_fluence(
          plan.beams[n], machine, [&](std::size_t k, int bank, std::size_t l) { return leaf_error(n, k, bank, l); },
          total);
  return total;
}

/// No leaf errors: what the planning system computes.
inline constexpr auto exact_leaves = [](std::size_t, std::size_t, int, std::size_t) { return 0.0; };

}  // namespace equipoise::psqa
