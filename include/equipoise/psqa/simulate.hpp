// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// One record of the virtual cohort: a plan, its planned plane, and the plane that the machine delivers and the
/// detector sees. Everything that differs between the two is a knob with a default from the literature. Machines are
/// commissioned: the planning system's leaf gap is tuned so that test fields agree.

#include <equipoise/psqa/complexity.hpp>
#include <equipoise/psqa/delivery.hpp>
#include <equipoise/psqa/dose_engine.hpp>
#include <equipoise/psqa/gamma.hpp>
#include <equipoise/psqa/plan_generator.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// What differs between planning and delivery. Standard deviations unless said otherwise.
struct Mismatch {
  double tongue_groove_mm = 1.6;       ///< width on the machine; the planning system has none
  double commissioning_percent = 0.4;  ///< dose error that is left in the test fields after tuning the leaf gap
  double leaf_systematic_mm = 0.18;    ///< of each leaf of a machine
  double leaf_random_mm = 0.30;        ///< of each leaf at each control point
  double output_day_percent = 0.8;     ///< of the machine's output
  double shift_mm = 0.5;               ///< set-up, per axis
  double source_mm = 0.28;             ///< of the source's size
  double kernel_percent = 12;          ///< of the primary kernel's reach
  double transmission_percent = 0.18;  ///< absolute, of the leaf transmission
  double noise_local_percent = 0.5;    ///< detector, of the local dose
  double noise_global_percent = 0.3;   ///< detector, of the maximum
  double fault_share = 0.01;           ///< of plans that are delivered with a fault
};

struct CohortSettings {
  std::int64_t plans = 300;
  std::uint64_t seed = 1;
  std::int64_t machines = 4;
  std::size_t pixels = 120;  ///< of the stored square planes
  double spacing_mm = 2;     ///< of the stored planes; fluence and dose are computed at half of it
  Mismatch mismatch{};
  ComplexitySpread spread{};
};

/// The three criteria of BMMQA: name, dose difference in %, distance in mm.
struct NamedCriteria {
  const char* name;
  double dd_percent, dta_mm;
};
inline constexpr std::array<NamedCriteria, 3> kCriteria{{{"gpr_3_3", 3, 3}, {"gpr_2_3", 2, 3}, {"gpr_2_2", 2, 2}}};

struct Record {
  Plan plan;
  std::string machine, fault;   ///< fault: "none", "output", "bank", "stuck_leaf"
  DoseGrid planned, measured;   ///< Gy per fraction
  std::array<double, 3> gpr{};  ///< %, in the order of `kCriteria`
};

/// A machine of the cohort: as it is and as the planning system believes.
struct Linac {
  std::string name;
  MachineModel real, planning;
  std::uint64_t key = 0;
};

namespace detail {

/// The gamma passing rates of a measured against a planned plane. Gy; norm: the planned maximum.
[[nodiscard]] inline std::array<double, 3> passing_rates(const DoseGrid& measured, const DoseGrid& planned) {
  std::array<double, 3> out{};
  for (std::size_t c = 0; c < out.size(); ++c)
    out[c] = gamma_pass_rate(measured, planned, {.dd_percent = kCriteria[c].dd_percent, .dta_mm = kCriteria[c].dta_mm});
  return out;
}

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

/// Makes the records of a cohort, each on its own: record i depends on the settings and i alone.
class Simulator {
 public:
  explicit Simulator(CohortSettings settings)
      : settings_(std::move(settings)), engine_(2 * settings_.pixels, settings_.spacing_mm / 2) {
    for (std::int64_t m = 0; m < settings_.machines; ++m)
      linacs_.push_back(commissioned(static_cast<std::uint64_t>(m)));
  }

  [[nodiscard]] const CohortSettings& settings() const { return settings_; }
  [[nodiscard]] const std::vector<Linac>& linacs() const { return linacs_; }

  /// Record i, delivered for the `delivery`-th time (other days, other random errors; 0 is the cohort's).
  [[nodiscard]] Record record(std::int64_t i, std::uint64_t delivery = 0) {
    const auto index = static_cast<std::uint64_t>(i);
    Noise choice({settings_.seed, index}, "machine");
    const Linac& linac = linacs_[static_cast<std::size_t>(choice.integer(0, settings_.machines - 1))];
    Record out;
    out.plan = generate_plan(settings_.seed, index, linac.name, settings_.spread);
    // Every fourth patient has two plans, and their records follow one another.
    out.plan.patient = "patient" + std::to_string(i - (i % 5 == 4 ? 1 : 0));
    out.machine = linac.name;
    deliver(out, linac, index, delivery);
    out.gpr = detail::passing_rates(out.measured, out.planned);
    return out;
  }

  /// The planned plane of any plan, imported or simulated, on the cohort's first machine.
  [[nodiscard]] DoseGrid planned_plane(const Plan& plan) {
    const DoseGrid f =
        plan_fluence(plan, linacs_[0].planning, exact_leaves, 2 * settings_.pixels, settings_.spacing_mm / 2);
    return detail::halved(engine_(f, linacs_[0].planning, f, linacs_[0].planning).first);
  }

 private:
  void deliver(Record& out, const Linac& linac, std::uint64_t index, std::uint64_t delivery) {
    const Mismatch& mm = settings_.mismatch;
    Noise day({settings_.seed, index, delivery}, "day");
    MachineModel real = linac.real;
    real.output *= 1 + day.normal(0, mm.output_day_percent / 100);
    const double shift_x = day.normal(0, mm.shift_mm), shift_y = day.normal(0, mm.shift_mm);
    // Faults belong to the plan, so that a repeated delivery repeats them.
    Noise fault({settings_.seed, index}, "fault");
    out.fault = "none";
    double bank_shift = 0;
    std::size_t stuck = 0;
    if (fault.uniform() < mm.fault_share) {
      const auto kind = fault.integer(0, 2);
      const double sign = fault.uniform() < 0.5 ? -1 : 1;
      if (kind == 0) out.fault = "output", real.output *= 1 + sign * fault.uniform(0.03, 0.05);
      if (kind == 1) out.fault = "bank", bank_shift = sign * fault.uniform(1, 2);
      if (kind == 2) out.fault = "stuck_leaf", stuck = static_cast<std::size_t>(fault.integer(25, 34));
    }
    const double stuck_mm = fault.uniform(2, 10);
    const auto leaf_error = [&](std::size_t beam, std::size_t point, int bank, std::size_t pair) {
      const auto b = static_cast<std::uint64_t>(bank), l = static_cast<std::uint64_t>(pair);
      const double systematic = mm.leaf_systematic_mm * Noise({settings_.seed, linac.key, b, l}, "leaf").normal();
      const double random =
          mm.leaf_random_mm * quick_normal(hash_of({settings_.seed, index, delivery, beam, point, b, l}));
      return systematic + random + (bank == 0 ? bank_shift : 0) +
             (stuck == pair && stuck != 0 && bank == 1 ? -stuck_mm : 0);
    };
    const std::size_t n = 2 * settings_.pixels;
    const double spacing = settings_.spacing_mm / 2;
    DoseGrid planned = plan_fluence(out.plan, linac.planning, exact_leaves, n, spacing);
    DoseGrid measured = plan_fluence(out.plan, real, leaf_error, n, spacing);
    auto [d_planned, d_measured] = engine_(planned, linac.planning, measured, real);
    out.planned = detail::halved(d_planned);
    out.measured = detail::halved(shifted(d_measured, shift_x, shift_y));
    const double most = *std::max_element(out.planned.values.begin(), out.planned.values.end());
    for (std::size_t p = 0; p < out.measured.values.size(); ++p) {
      const std::uint64_t h = hash_of({settings_.seed, index, delivery, hash_of("detector"), p});
      double& d = out.measured.values[p];
      d += quick_normal(h) * std::hypot(mm.noise_local_percent / 100 * d, mm.noise_global_percent / 100 * most);
      d = std::max(d, 0.0);
    }
  }

  /// A normal number from one hash: the sum of the hash's four 16-bit parts. Its tails end at 3.4 standard deviations,
  /// as those of a leaf do.
  [[nodiscard]] static double quick_normal(std::uint64_t h) {
    const double sum = static_cast<double>(h & 0xffff) + static_cast<double>((h >> 16) & 0xffff) +
                       static_cast<double>((h >> 32) & 0xffff) + static_cast<double>(h >> 48);
    return (sum / 65535 - 2) * 1.7320508075688772;
  }

  /// The plane moved by a set-up error, bilinear.
  [[nodiscard]] static DoseGrid shifted(const DoseGrid& g, double dx, double dy) {
    DoseGrid out = g;
    const auto last = static_cast<double>(g.shape[2] - 1), last_y = static_cast<double>(g.shape[1] - 1);
    for (std::size_t y = 0; y < g.shape[1]; ++y)
      for (std::size_t x = 0; x < g.shape[2]; ++x) {
        const double px = std::clamp(static_cast<double>(x) - dx / g.spacing[2], 0.0, last),
                     py = std::clamp(static_cast<double>(y) - dy / g.spacing[1], 0.0, last_y);
        const auto i = std::min(static_cast<std::size_t>(px), g.shape[2] - 2),
                   j = std::min(static_cast<std::size_t>(py), g.shape[1] - 2);
        const double fx = px - static_cast<double>(i), fy = py - static_cast<double>(j);
        out.at(0, y, x) = (1 - fy) * ((1 - fx) * g.at(0, j, i) + fx * g.at(0, j, i + 1)) +
                          fy * ((1 - fx) * g.at(0, j + 1, i) + fx * g.at(0, j + 1, i + 1));
      }
    return out;
  }

  /// A machine of the cohort, with the planning system's leaf gap tuned to it.
  [[nodiscard]] Linac commissioned(std::uint64_t m) {
    const Mismatch& mm = settings_.mismatch;
    Noise draw({settings_.seed, m}, "linac");
    Linac linac;
    linac.name = "linac" + std::to_string(m + 1);
    linac.key = hash_of({m, hash_of("linac")});
    linac.real.leaf_gap_mm = draw.uniform(1.0, 1.8);
    linac.real.transmission = draw.uniform(0.012, 0.018);
    linac.real.tongue_groove_mm = mm.tongue_groove_mm;
    linac.planning = linac.real;
    linac.planning.tongue_groove_mm = 0;
    linac.real.source_sigma_mm += std::abs(draw.normal(0, mm.source_mm));
    linac.real.primary_per_mm *= 1 + draw.normal(0, mm.kernel_percent / 100);
    linac.real.transmission += draw.normal(0, mm.transmission_percent / 100);
    tune(linac, draw.normal(0, mm.commissioning_percent / 100));
    return linac;
  }

  /// Finds the planning leaf gap for which the mean dose error over three test fields is `target`; the error is all but
  /// linear in the gap.
  void tune(Linac& linac, double target) {
    const double start = linac.planning.leaf_gap_mm;
    const double at_start = test_error(linac);
    linac.planning.leaf_gap_mm = start + 0.5;
    const double slope = (test_error(linac) - at_start) / 0.5;
    linac.planning.leaf_gap_mm = slope == 0 ? start : start + (target - at_start) / slope;
  }

  /// Mean relative error of the dose where it is above half of the maximum, over three test plans that are the same for
  /// every machine.
  [[nodiscard]] double test_error(const Linac& linac) {
    double sum = 0;
    constexpr std::uint64_t tests = 3;
    for (std::uint64_t t = 0; t < tests; ++t) {
      const Plan plan = generate_plan(0x7e57, t, linac.name, {0, 0, 0});
      const std::size_t n = 2 * settings_.pixels;
      const double spacing = settings_.spacing_mm / 2;
      const auto [planned, real] = engine_(plan_fluence(plan, linac.planning, exact_leaves, n, spacing), linac.planning,
                                           plan_fluence(plan, linac.real, exact_leaves, n, spacing), linac.real);
      const double half = 0.5 * *std::max_element(planned.values.begin(), planned.values.end());
      double d_planned = 0, d_real = 0;
      for (std::size_t p = 0; p < planned.values.size(); ++p)
        if (planned.values[p] > half) d_planned += planned.values[p], d_real += real.values[p];
      sum += d_real / d_planned - 1;
    }
    return sum / static_cast<double>(tests);
  }

  CohortSettings settings_;
  DoseEngine engine_;
  std::vector<Linac> linacs_;
};

}  // namespace equipoise::psqa
