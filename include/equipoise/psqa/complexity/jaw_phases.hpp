// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The parts of a beam during which its jaws stand still, and what lies between jaws.

#include <equipoise/psqa/complexity/aperture.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace equipoise::psqa::detail {

/// The share of low .. high that lies between two jaws, which may be infinitely far away.
[[nodiscard]] inline double share_between(double low, double high, double jaw1, double jaw2) {
  return std::clamp((std::min(high, jaw2) - std::max(low, jaw1)) / (high - low), 0.0, 1.0);
}

/// Intervals of a beam during which the jaws stand still. Where they move each interval is one,
/// with their mean places.
struct JawPhase {
  std::size_t first, last;  ///< control points at the intervals' ends
  double x1, x2, y1, y2, mu;
};

[[nodiscard]] inline std::vector<JawPhase> jaw_phases(const Beam& beam, const Bank& bank) {
  std::vector<JawPhase> out;
  const auto same = [](double p, double q) { return p == q || std::abs(p - q) < 1e-6; };
  for (std::size_t k = 1; k < bank.points.size(); ++k) {
    const Bank::Point &p = bank.points[k - 1], &q = bank.points[k];
    const JawPhase now{k - 1,
                       k,
                       0.5 * (p.x1 + q.x1),
                       0.5 * (p.x2 + q.x2),
                       0.5 * (p.y1 + q.y1),
                       0.5 * (p.y2 + q.y2),
                       beam.interval_mu(k)};
    if (!(now.mu > 0)) continue;
    if (!out.empty() && same(out.back().x1, now.x1) && same(out.back().x2, now.x2) && same(out.back().y1, now.y1) &&
        same(out.back().y2, now.y2))
      out.back().last = k, out.back().mu += now.mu;
    else
      out.push_back(now);
  }
  return out;
}

}  // namespace equipoise::psqa::detail
