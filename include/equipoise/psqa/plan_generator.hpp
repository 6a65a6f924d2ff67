// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Synthetic IMRT plans: a site's outline, an ideal fluence (a Gaussian random field within it), and the sliding window
/// that delivers it exactly. The result is a plan as any imported one, so its metrics come from the same code.

#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/noise.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// What plans of a site look like.
struct Site {
  std::string_view name;
  double share;              ///< of the cohort
  double half_x, half_y;     ///< mm, typical field
  double amplitude, length;  ///< of the modulation; length in mm
  int least_fields, most_fields;
  double dose_per_fraction;  ///< Gy
  int fractions;
};

inline constexpr std::array<Site, 5> kSites{{{"breast", 0.10, 60, 80, 0.25, 45, 2, 5, 2.0, 25},
                                             {"pelvis", 0.15, 55, 70, 0.50, 22, 5, 7, 1.8, 25},
                                             {"prostate", 0.25, 35, 40, 0.55, 18, 5, 7, 2.0, 39},
                                             {"lung", 0.20, 40, 45, 0.60, 16, 5, 7, 2.0, 30},
                                             {"head_and_neck", 0.30, 60, 80, 0.95, 11, 7, 9, 2.12, 33}}};

/// Spread of the plans' complexity within a site: standard deviations of the logarithms.
struct ComplexitySpread {
  double amplitude = 0.45, length = 0.35, speed = 0.45;
};

namespace detail {

inline constexpr double kStep = 2;      ///< mm, along the leaves' travel
inline constexpr double kExtent = 110;  ///< mm, half of what a field may cover
inline constexpr std::size_t kColumns = 111;

/// An ideal fluence: one row a leaf pair, kColumns samples from -kExtent; zero outside the outline.
using Fluence = std::vector<std::array<double, kColumns>>;

/// Smooths rows and columns with a Gaussian of the given length and makes the variance one.
inline void correlate(Fluence& f, double length, double row_height) {
  const auto weights = [](double sigma) {
    const auto reach = static_cast<std::ptrdiff_t>(std::ceil(2.5 * sigma));
    std::vector<double> w;
    double squares = 0;
    for (std::ptrdiff_t i = -reach; i <= reach; ++i) {
      w.push_back(std::exp(-0.5 * static_cast<double>(i * i) / std::max(sigma * sigma, 1e-6)));
      squares += w.back() * w.back();
    }
    for (double& x : w) x /= std::sqrt(squares);
    return w;
  };
  const auto apply = [](auto&& get, std::ptrdiff_t n, const std::vector<double>& w) {
    const auto reach = static_cast<std::ptrdiff_t>(w.size() / 2);
    std::vector<double> out(static_cast<std::size_t>(n), 0.0);
    for (std::ptrdiff_t i = 0; i < n; ++i)
      for (std::ptrdiff_t k = -reach; k <= reach; ++k)
        out[static_cast<std::size_t>(i)] += w[static_cast<std::size_t>(k + reach)] * get((i + k % n + n) % n);
    return out;
  };
  const std::vector<double> along = weights(length / kStep / std::sqrt(2.0)),
                            across = weights(length / row_height / std::sqrt(2.0));
  for (auto& row : f) {
    const std::vector<double> s = apply([&](std::ptrdiff_t i) { return row[static_cast<std::size_t>(i)]; },
                                        static_cast<std::ptrdiff_t>(kColumns), along);
    std::copy(s.begin(), s.end(), row.begin());
  }
  for (std::size_t x = 0; x < kColumns; ++x) {
    const std::vector<double> s = apply([&](std::ptrdiff_t i) { return f[static_cast<std::size_t>(i)][x]; },
                                        static_cast<std::ptrdiff_t>(f.size()), across);
    for (std::size_t l = 0; l < f.size(); ++l) f[l][x] = s[l];
  }
}

[[nodiscard]] inline Fluence random_field(Noise noise, std::size_t rows, double length, double row_height) {
  Fluence f(rows);
  for (auto& row : f)
    for (double& v : row) v = noise.normal();
  correlate(f, length, row_height);
  return f;
}

/// Inside any of 2-4 random ellipses.
class TargetOutline {
 public:
  TargetOutline(Noise noise, double half_x, double half_y) {
    const std::int64_t n = noise.integer(2, 4);
    for (std::int64_t i = 0; i < n; ++i)
      ellipses_.push_back({noise.normal(0, 0.18 * half_x), noise.normal(0, 0.18 * half_y),
                           half_x * noise.uniform(0.6, 1.05), half_y * noise.uniform(0.6, 1.05)});
  }
  [[nodiscard]] bool contains(double x, double y) const {
    return std::any_of(ellipses_.begin(), ellipses_.end(), [&](const auto& e) {
      const double u = (x - e[0]) / e[2], v = (y - e[1]) / e[3];
      return u * u + v * v < 1;
    });
  }

 private:
  std::vector<std::array<double, 4>> ellipses_;
};

/// When the leaves of one pair pass each sample of a row: leading and trailing leaf, in units of fluence. Sliding
/// window, from left to right; exact for the row's fluence: the time between them is the fluence, and neither goes
/// faster than `speed` mm a unit.
struct Row {
  std::size_t first = 0, last = 0;  ///< samples; none where last < first
  bool any = false;
  std::vector<double> lead, trail;
};

[[nodiscard]] inline Row window_row(const std::array<double, kColumns>& f, double speed) {
  Row row;
  for (std::size_t x = 0; x < kColumns; ++x)
    if (f[x] > 0) {
      if (!row.any) row.first = x;
      row.last = x;
      row.any = true;
    }
  if (!row.any) return row;
  double lead = 0, before = 0;
  for (std::size_t x = row.first; x <= row.last; ++x) {
    const double change = x == row.first ? 0 : f[x] - before;
    if (x > row.first) lead += kStep / speed + std::max(0.0, -change);
    row.lead.push_back(lead);
    row.trail.push_back(lead + f[x]);
    before = f[x];
  }
  return row;
}

/// Where a leaf is at a time, from when it passes each sample.
[[nodiscard]] inline double position_at(const Row& row, const std::vector<double>& times, double t) {
  const double first = -kExtent + kStep * static_cast<double>(row.first);
  if (t <= times.front()) return first;
  const auto next = std::lower_bound(times.begin(), times.end(), t);
  if (next == times.end()) return -kExtent + kStep * static_cast<double>(row.last);
  const auto i = static_cast<double>(next - times.begin());
  const double span = *next - *(next - 1);
  return first + kStep * (i - 1 + (span > 0 ? (t - *(next - 1)) / span : 1));
}

/// A field's control points from its fluence. \param unit MU that deliver a fluence of one
[[nodiscard]] inline Beam sliding_window(const Fluence& fluence, std::size_t first_pair, std::size_t points,
                                         double speed, double unit) {
  Beam beam;
  beam.dynamic = true;
  beam.layers = {Layer{LeafAxis::x, millennium_boundaries(), "MLCX"}};
  const std::size_t pairs = beam.layers[0].pairs();
  std::vector<Row> rows;
  double total = 0, left = kExtent, right = -kExtent, bottom = kExtent, top = -kExtent;
  for (std::size_t l = 0; l < fluence.size(); ++l) {
    rows.push_back(window_row(fluence[l], speed));
    if (!rows.back().any) continue;
    total = std::max(total, rows.back().trail.back());
    left = std::min(left, -kExtent + kStep * static_cast<double>(rows.back().first));
    right = std::max(right, -kExtent + kStep * static_cast<double>(rows.back().last));
    bottom = std::min(bottom, beam.layers[0].boundaries[first_pair + l]);
    top = std::max(top, beam.layers[0].boundaries[first_pair + l + 1]);
  }
  constexpr double closed_gap = 0.5;
  for (std::size_t k = 0; k < points; ++k) {
    const double w = static_cast<double>(k) / static_cast<double>(points - 1);
    ControlPoint cp;
    cp.weight = w;
    cp.dose_rate = 600;
    cp.x1 = left - 5, cp.x2 = right + 5, cp.y1 = bottom, cp.y2 = top;
    cp.leaves.push_back({std::vector<double>(pairs, left - 5), std::vector<double>(pairs, left - 5)});
    for (std::size_t l = 0; l < rows.size(); ++l) {
      if (!rows[l].any) continue;
      const double a = position_at(rows[l], rows[l].trail, w * total),
                   b = position_at(rows[l], rows[l].lead, w * total);
      cp.leaves[0].a[first_pair + l] = a;
      cp.leaves[0].b[first_pair + l] = std::max(b, a + closed_gap);
    }
    beam.control_points.push_back(std::move(cp));
  }
  beam.has_x_jaw = beam.has_y_jaw = true;
  beam.mu = unit * total;
  return beam;
}

}  // namespace detail

/// Plan number `index` of a cohort. \param machine its name, written into the beams
[[nodiscard]] inline Plan generate_plan(std::uint64_t seed, std::uint64_t index, std::string machine,
                                        const ComplexitySpread& spread) {
  Noise choice({seed, index}, "site");
  const double drawn = choice.uniform();
  double sum = 0;
  const Site* site = &kSites.back();
  for (const Site& s : kSites)
    if (drawn < (sum += s.share)) {
      site = &s;
      break;
    }
  Noise plan_noise({seed, index}, "plan");
  const double size = std::clamp(plan_noise.lognormal(0.15), 0.7, 1.25);
  const double amplitude = site->amplitude * plan_noise.lognormal(spread.amplitude),
               length = site->length * plan_noise.lognormal(spread.length);
  const double speed = 42 * plan_noise.lognormal(spread.speed);
  const auto fields = plan_noise.integer(site->least_fields, site->most_fields);
  Plan plan;
  plan.id = "plan" + std::to_string(index);
  plan.label = plan.id;
  plan.vendor = "equipoise", plan.tps = "simulator";
  plan.site = site->name;
  plan.fractions = site->fractions;
  plan.prescription_Gy = site->dose_per_fraction * site->fractions;
  constexpr std::size_t first_pair = 10, rows = 40;
  constexpr double row_height = 5;
  for (std::int64_t n = 0; n < fields; ++n) {
    const auto field = static_cast<std::uint64_t>(n);
    const detail::TargetOutline outline(Noise({seed, index, field}, "outline"), site->half_x * size,
                                        site->half_y * size);
    const detail::Fluence coarse =
        detail::random_field(Noise({seed, index, field}, "coarse"), rows, length, row_height);
    const detail::Fluence fine =
        detail::random_field(Noise({seed, index, field}, "fine"), rows, 0.45 * length, row_height);
    detail::Fluence f(rows);
    for (std::size_t l = 0; l < rows; ++l)
      for (std::size_t x = 0; x < detail::kColumns; ++x) {
        const double px = -detail::kExtent + detail::kStep * static_cast<double>(x),
                     py = -100 + row_height * (static_cast<double>(l) + 0.5);
        f[l][x] =
            outline.contains(px, py) ? std::max(0.05, 1 + amplitude * (0.75 * coarse[l][x] + 0.45 * fine[l][x])) : 0;
      }
    Noise beam_noise({seed, index, field}, "beam");
    const auto points = static_cast<std::size_t>(beam_noise.integer(80, 167));
    const double unit = 100 * site->dose_per_fraction / static_cast<double>(fields) / 0.85;
    Beam beam = detail::sliding_window(f, first_pair, points, speed, unit);
    beam.number = static_cast<int>(n + 1);
    beam.name = "field " + std::to_string(n + 1);
    beam.machine = machine;
    beam.energy_MV = 6;
    for (ControlPoint& cp : beam.control_points)
      cp.gantry = std::fmod(360.0 * static_cast<double>(n) / static_cast<double>(fields), 360.0);
    plan.beams.push_back(std::move(beam));
  }
  return plan;
}

}  // namespace equipoise::psqa
