// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Synthetic plans: a site's outline, an ideal fluence (a Gaussian random field within it), and the leaf sequence that
/// delivers it. The result is a plan as any imported one, so its metrics come from the same code.

#include <equipoise/core/options.hpp>
#include <equipoise/psqa/leaf_sequence.hpp>
#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/noise.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numbers>
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

/// How a plan is delivered.
enum class Technique : std::uint8_t { sliding_window, step_and_shoot, arc };
[[nodiscard]] constexpr std::array<std::string_view, 3> names_of(Technique) {
  return {"sliding_window", "step_and_shoot", "arc"};
}

/// Whether a beam at a gantry angle (degree) sees the target at (x, y), mm.
using TargetView = std::function<bool(double gantry, double x, double y)>;

/// Spread of the plans' complexity within a site: standard deviations of the logarithms.
struct ComplexitySpread {
  double amplitude = 0.45, length = 0.35, speed = 0.45;
};

namespace detail {

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

}  // namespace detail

namespace detail {

/// What all fields of a plan share.
struct PlanDraw {
  std::uint64_t seed, index;
  const Site* site;
  double size, amplitude, length, speed;
};

inline constexpr std::size_t kFirstPair = 10, kRows = 40;
inline constexpr double kRowHeight = 5;

[[nodiscard]] inline double row_middle(std::size_t l) {
  return -100 + kRowHeight * (static_cast<double>(l) + 0.5);
}

/// The ideal fluence of a field: one within the outline, modulated by two random fields.
template <class Inside>
[[nodiscard]] Fluence ideal_fluence(const PlanDraw& d, std::uint64_t field, Inside&& inside) {
  const Fluence coarse = random_field(Noise({d.seed, d.index, field}, "coarse"), kRows, d.length, kRowHeight);
  const Fluence fine = random_field(Noise({d.seed, d.index, field}, "fine"), kRows, 0.45 * d.length, kRowHeight);
  Fluence f(kRows);
  for (std::size_t l = 0; l < kRows; ++l)
    for (std::size_t x = 0; x < kColumns; ++x)
      f[l][x] = inside(-kExtent + kStep * static_cast<double>(x), row_middle(l))
                    ? std::max(0.05, 1 + d.amplitude * (0.75 * coarse[l][x] + 0.45 * fine[l][x]))
                    : 0;
  return f;
}

/// The first and last place along a row where `inside` holds.
template <class Inside>
[[nodiscard]] std::pair<double, double> row_span(Inside&& inside, std::size_t l) {
  std::pair<double, double> out = {kExtent, -kExtent};
  for (std::size_t x = 0; x < kColumns; ++x)
    if (const double px = -kExtent + kStep * static_cast<double>(x); inside(px, row_middle(l)))
      out = {std::min(out.first, px), px};
  return out;
}

[[nodiscard]] inline const Site& draw_site(std::uint64_t seed, std::uint64_t index) {
  Noise choice({seed, index}, "site");
  const double drawn = choice.uniform();
  double sum = 0;
  for (const Site& s : kSites)
    if (drawn < (sum += s.share)) return s;
  return kSites.back();
}

[[nodiscard]] inline std::vector<Beam> fixed_fields(const PlanDraw& d, Technique technique, std::int64_t fields,
                                                    const TargetView& view) {
  std::vector<Beam> beams;
  for (std::int64_t n = 0; n < fields; ++n) {
    const auto field = static_cast<std::uint64_t>(n);
    const double gantry = std::fmod(360.0 * static_cast<double>(n) / static_cast<double>(fields), 360.0);
    const TargetOutline outline(Noise({d.seed, d.index, field}, "outline"), d.site->half_x * d.size,
                                d.site->half_y * d.size);
    const Fluence f =
        ideal_fluence(d, field, [&](double x, double y) { return view ? view(gantry, x, y) : outline.contains(x, y); });
    Noise noise({d.seed, d.index, field}, "beam");
    const auto points = static_cast<std::size_t>(noise.integer(80, 167));
    const double unit = 100 * d.site->dose_per_fraction / static_cast<double>(fields) / 0.85;
    beams.push_back(technique == Technique::sliding_window
                        ? sliding_window(f, kFirstPair, points, d.speed, unit)
                        : step_and_shoot(f, kFirstPair, unit, static_cast<std::size_t>(noise.integer(5, 10))));
    for (ControlPoint& cp : beams.back().control_points) cp.gantry = gantry;
  }
  return beams;
}

[[nodiscard]] inline std::vector<Beam> arcs(const PlanDraw& d, const TargetView& view) {
  Noise choice({d.seed, d.index}, "arcs");
  const std::int64_t count = choice.integer(1, 2);
  const double total = 100 * d.site->dose_per_fraction * choice.uniform(1.8, 3.2) * std::sqrt(1 + d.amplitude);
  std::vector<Beam> beams;
  for (std::int64_t n = 0; n < count; ++n) {
    const auto field = static_cast<std::uint64_t>(n);
    // The outline from two sides, one turning into the other as the gantry goes round.
    const TargetOutline front(Noise({d.seed, d.index, field}, "outline"), d.site->half_x * d.size,
                              d.site->half_y * d.size),
        side(Noise({d.seed, d.index, field}, "side"), d.site->half_x * d.size, d.site->half_y * d.size);
    const auto edge = [&](std::size_t l, double gantry) {
      if (view) return row_span([&](double x, double y) { return view(gantry, x, y); }, l);
      const auto a = row_span([&](double x, double y) { return front.contains(x, y); }, l),
                 b = row_span([&](double x, double y) { return side.contains(x, y); }, l);
      if (!(a.second > a.first) || !(b.second > b.first)) return std::pair<double, double>{0, 0};
      const double t = 0.5 - 0.5 * std::cos(2 * gantry * std::numbers::pi / 180);
      return std::pair<double, double>{(1 - t) * a.first + t * b.first, (1 - t) * a.second + t * b.second};
    };
    Noise noise({d.seed, d.index, field}, "beam");
    const auto points = static_cast<std::size_t>(noise.integer(90, 180));
    beams.push_back(arc(edge, kFirstPair, kRows, points, total / static_cast<double>(count),
                        d.amplitude * 0.5 * d.site->half_x, n % 2 == 0, noise));
  }
  return beams;
}

}  // namespace detail

/// Plan number `index` of a cohort.
/// \param machine its name, written into the beams
/// \param view the target as each beam sees it, instead of random outlines (project_targets of openkbp_reader.hpp)
/// \param site its name in `kSites`; empty: drawn by the sites' shares
[[nodiscard]] inline Plan generate_plan(std::uint64_t seed, std::uint64_t index, std::string machine,
                                        const ComplexitySpread& spread, Technique technique = Technique::sliding_window,
                                        const TargetView& view = {}, std::string_view site_name = {}) {
  const Site* site = &detail::draw_site(seed, index);
  for (const Site& s : kSites)
    if (s.name == site_name) site = &s;
  Noise noise({seed, index}, "plan");
  const double size = std::clamp(noise.lognormal(0.15), 0.7, 1.25);
  const double amplitude = site->amplitude * noise.lognormal(spread.amplitude),
               length = site->length * noise.lognormal(spread.length), speed = 42 * noise.lognormal(spread.speed);
  const auto fields = view ? 9 : noise.integer(site->least_fields, site->most_fields);
  const detail::PlanDraw draw{seed, index, site, size, amplitude, length, speed};
  Plan plan;
  plan.id = plan.label = "plan" + std::to_string(index);
  plan.vendor = "equipoise", plan.tps = "simulator";
  plan.site = site->name;
  plan.fractions = site->fractions;
  plan.prescription_Gy = site->dose_per_fraction * site->fractions;
  plan.beams =
      technique == Technique::arc ? detail::arcs(draw, view) : detail::fixed_fields(draw, technique, fields, view);
  for (std::size_t n = 0; n < plan.beams.size(); ++n) {
    Beam& beam = plan.beams[n];
    beam.number = static_cast<int>(n + 1);
    beam.name = (technique == Technique::arc ? "arc " : "field ") + std::to_string(n + 1);
    beam.machine = machine;
    beam.energy_MV = 6;
  }
  return plan;
}

}  // namespace equipoise::psqa
