// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The fluence that a plan delivers through a machine model, all fields collapsed to one gantry angle (a composite
/// plane at the isocentre, collimator 0). Leaf motion between control points is linear and its coverage of each pixel
/// exact: the time for which a pixel is open is the difference of the cumulated passages of its two leaves.

#include <equipoise/psqa/aperture.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/machine.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace equipoise::psqa {

namespace detail {

/// For how long (MU) each pixel of a row is to the right of a moving edge; pixel averages. `begin` is the left border
/// of pixel 0, in mm.
class Passages {
 public:
  Passages(std::size_t pixels, double begin, double size)
      : mean_(pixels, 0.0), beyond_(pixels + 1, 0.0), begin_(begin), size_(size) {}

  /// The edge moves evenly from `from` to `to` while `mu` are delivered.
  void add(double from, double to, double mu) {
    const double low = (std::min(from, to) - begin_) / size_, high = (std::max(from, to) - begin_) / size_;
    const auto n = static_cast<double>(mean_.size());
    if (low >= n) return;
    if (high - low < 1e-9) return add_point(low, mu);
    const double density = mu / (high - low);
    if (low < 0) beyond_[0] += density * (std::min(high, 0.0) - low);
    for (double at = std::max(low, 0.0); at < std::min(high, n);) {
      const double next = std::min({std::floor(at) + 1, high, n});
      add_point(0.5 * (at + next), density * (next - at));
      at = next;
    }
  }

  /// [pixels]
  [[nodiscard]] std::vector<double> values() const {
    std::vector<double> out(mean_.size());
    double passed = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      passed += beyond_[i];
      out[i] = passed + mean_[i];
    }
    return out;
  }

 private:
  void add_point(double at, double mu) {
    if (at < 0) return void(beyond_[0] += mu);
    const auto i = static_cast<std::size_t>(at);
    if (i >= mean_.size()) return;
    mean_[i] += mu * (static_cast<double>(i + 1) - at);
    beyond_[i + 1] += mu;
  }

  std::vector<double> mean_, beyond_;
  double begin_, size_;
};

/// The pair's opening at both ends of an interval.
struct Span {
  double a0, b0, a1, b1;
  [[nodiscard]] bool closed() const { return b0 <= a0 && b1 <= a1; }
};

/// Open time (MU) of each pixel for a sequence of openings.
class OpenTime {
 public:
  OpenTime(std::size_t pixels, double begin, double size) : left_(pixels, begin, size), right_(pixels, begin, size) {}
  void add(const Span& s, double mu) {
    if (s.closed()) return;
    left_.add(s.a0, s.a1, mu);
    right_.add(std::max(s.a0, s.b0), std::max(s.a1, s.b1), mu);
  }
  [[nodiscard]] std::vector<double> values() const {
    std::vector<double> l = left_.values();
    const std::vector<double> r = right_.values();
    for (std::size_t i = 0; i < l.size(); ++i) l[i] -= r[i];
    return l;
  }

 private:
  Passages left_, right_;
};

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
      const bool used = p.b[l] - p.a[l] > 1e-6;  // a parked pair stays closed: its ends abut outside the field
      a[k].push_back(used ? std::clamp(p.a[l] + leaf_error(k, 0, l) - half, p.x1, p.x2) : 0);
      b[k].push_back(used ? std::clamp(p.b[l] + leaf_error(k, 1, l) + half, p.x1, p.x2) : 0);
    }
  }
  for (std::size_t k = 1; k < bank.points.size(); ++k) {
    const double mu = beam.interval_mu(k);
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
