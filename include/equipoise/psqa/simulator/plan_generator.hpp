// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Synthetic plans: a site's outline, an ideal fluence (a Gaussian random field within it), and the leaf sequence that
/// delivers it. The result is a plan as any imported one, so its metrics come from the same code.

#include <equipoise/core/base/random_stream.hpp>
#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/plan.hpp>
#include <equipoise/psqa/simulator/arc_sequence.hpp>
#include <equipoise/psqa/simulator/ideal_fluence.hpp>
#include <equipoise/psqa/simulator/leaf_sequence.hpp>
#include <equipoise/psqa/simulator/plan_options.hpp>
#include <equipoise/psqa/simulator/step_and_shoot.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
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
  double travel;             ///< mm that the leaves of a sliding window go in the time of a fluence of one
  int min_fields, max_fields;
  double dose_per_fraction;  ///< Gy
  int fractions;
};

inline constexpr std::array<Site, 5> kSites{{{"breast", 0.10, 60, 80, 0.25, 45, 72, 2, 5, 2.0, 25},
                                             {"pelvis", 0.15, 55, 70, 0.50, 22, 75, 5, 7, 1.8, 25},
                                             {"prostate", 0.25, 35, 40, 0.55, 18, 48, 5, 7, 2.0, 39},
                                             {"lung", 0.20, 40, 45, 0.60, 16, 47, 5, 7, 2.0, 30},
                                             {"head_and_neck", 0.30, 60, 80, 0.95, 11, 42, 7, 9, 2.12, 33}}};

namespace detail {

/// What all fields of a plan share.
struct PlanDraw {
  std::uint64_t seed = 0, index = 0;
  const Site* site = nullptr;
  double size = 1, amplitude = 0, length = 0, speed = 0;
  double modulation_limit = 0;  ///< MU per cGy that the planner accepts
  std::size_t fields = 1;

  /// MU that deliver a fluence of one: so many that all fields together give the prescribed dose in the plane, of which
  /// an open field gets `kOpenOutput` cGy an MU.
  [[nodiscard]] double unit() const {
    return 100 * site->dose_per_fraction / static_cast<double>(fields) / kOpenOutput;
  }
  static constexpr double kOpenOutput = 0.85;

  [[nodiscard]] RandomTarget target() const {
    return {RandomStream({seed, index}, "target"), site->half_x * size, site->half_y * size};
  }
};

inline constexpr double kMostMu = 245, kLeastModulationFactor = 3.1;  ///< MU per field, MU per cGy

/// A site's name, or one drawn by the sites' shares where it is none.
[[nodiscard]] inline const Site& site_of(std::string_view name, std::uint64_t seed, std::uint64_t index) {
  for (const Site& s : kSites)
    if (s.name == name) return s;
  const double drawn = RandomStream({seed, index}, "site").uniform();
  double sum = 0;
  for (const Site& s : kSites)
    if (drawn < (sum += s.share)) return s;
  return kSites.back();
}

/// A sliding window within the MU limit that planners accept. As in optimisers with such a limit,
/// the modulation is flattened and the window opened until it fits.
[[nodiscard]] inline Beam limited_window(const IdealFluence& ideal, const PlanDraw& d, std::size_t points,
                                         const LinacDesign& design) {
  const double unit = d.unit(), fastest = design.limits.leaf_travel_per_MU() * unit;
  const double limit =
      PlanDraw::kOpenOutput *
      std::max(kLeastModulationFactor, std::min(d.modulation_limit, kMostMu / (unit * PlanDraw::kOpenOutput)));
  double amplitude = d.amplitude, speed = d.speed;
  const auto window_now = [&] {
    return window_of(ideal.of_amplitude(amplitude), ideal.rows(), std::min(speed, fastest));
  };
  Window window = window_now();
  for (int i = 0; window.total > limit && i < 40; ++i) {
    amplitude *= 0.95, speed *= 1.02;
    window = window_now();
  }
  return sliding_window(window, points, unit, design);
}

[[nodiscard]] inline std::vector<Beam> fixed_fields(const PlanDraw& d, Technique technique, const TargetView& view,
                                                    const LinacDesign& design) {
  const RandomTarget target = d.target();
  const auto gantry_of = [&](std::uint64_t field) {
    return 360.0 * static_cast<double>(field) / static_cast<double>(d.fields);
  };
  std::vector<IdealFluence> ideals;
  for (std::uint64_t field = 0; field < d.fields; ++field)
    ideals.emplace_back(std::initializer_list<std::uint64_t>{d.seed, d.index, field}, d.length, LeafRows(design),
                        [&, gantry = gantry_of(field)](double x, double y) {
                          if (view) return view(gantry, x, y);
                          const auto [first, last] = target.span(gantry, y);
                          return first < x && x < last;
                        });
  complement(ideals);
  std::vector<Beam> beams;
  for (std::uint64_t field = 0; field < d.fields; ++field) {
    const IdealFluence& ideal = ideals[field];
    RandomStream random({d.seed, d.index, field}, "beam");
    const auto points = static_cast<std::size_t>(random.integer(80, 167));
    beams.push_back(technique == Technique::sliding_window
                        ? limited_window(ideal, d, points, design)
                        : step_and_shoot(ideal, d.amplitude, d.unit(),
                                         static_cast<std::size_t>(random.integer(kLeastLevels, kMostLevels)), design));
    for (ControlPoint& cp : beams.back().control_points) cp.gantry = gantry_of(field);
  }
  return beams;
}

[[nodiscard]] inline std::vector<Beam> arcs(const PlanDraw& d, const TargetView& view, const LinacDesign& design) {
  const RandomTarget target = d.target();
  const auto edge = [&](double y, double gantry) {
    return view ? row_span([&](double px, double py) { return view(gantry, px, py); }, y) : target.span(gantry, y);
  };
  std::vector<Beam> beams;
  for (std::uint64_t field = 0; field < d.fields; ++field) {
    RandomStream random({d.seed, d.index, field}, "beam");
    const auto points = static_cast<std::size_t>(random.integer(90, 180));
    beams.push_back(arc(edge, points, d.unit(), d.amplitude * 0.5 * d.site->half_x, field % 2 == 0, random, design));
  }
  return beams;
}

}  // namespace detail

namespace detail {

/// exp(N(0, sd)), cut off at 1.6 sd: no clinic plans what lies beyond.
[[nodiscard]] inline double lognormal(RandomStream& random, double sd) {
  return std::exp(sd * std::clamp(random.normal(), -1.6, 1.6));
}

}  // namespace detail

/// Plan number `index` of a cohort.
/// \param machine its name, written into the beams
/// \param view the target as each beam sees it, instead of random outlines (project_targets of readers/openkbp_reader.hpp)
/// \param site its name in `kSites`; empty: drawn by the sites' shares
[[nodiscard]] inline Plan generate_plan(std::uint64_t seed, std::uint64_t index, std::string machine,
                                        const ComplexitySpread& spread, Technique technique = Technique::sliding_window,
                                        const TargetView& view = {}, std::string_view site = {},
                                        LinacModel model = LinacModel::millennium_120) {
  RandomStream random({seed, index}, "plan");
  detail::PlanDraw draw;
  draw.seed = seed, draw.index = index, draw.site = &detail::site_of(site, seed, index);
  draw.size = std::clamp(detail::lognormal(random, 0.15), 0.7, 1.25);
  draw.amplitude = draw.site->amplitude * detail::lognormal(random, spread.amplitude);
  draw.length = draw.site->length * detail::lognormal(random, spread.length);
  draw.speed = draw.site->travel * detail::lognormal(random, spread.speed);
  draw.modulation_limit = random.uniform(7.0, 8.8);
  draw.fields = view ? 9 : static_cast<std::size_t>(random.integer(draw.site->min_fields, draw.site->max_fields));
  if (technique == Technique::arc) draw.fields = static_cast<std::size_t>(random.integer(1, 2));
  const LinacDesign design = design_of(model);
  Plan plan;
  plan.id = plan.label = "plan" + std::to_string(index);
  plan.vendor = "equipoise", plan.tps = "simulator";
  plan.site = draw.site->name;
  plan.fractions = draw.site->fractions;
  plan.prescription_Gy = draw.site->dose_per_fraction * draw.site->fractions;
  plan.beams = technique == Technique::arc ? detail::arcs(draw, view, design)
                                           : detail::fixed_fields(draw, technique, view, design);
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
