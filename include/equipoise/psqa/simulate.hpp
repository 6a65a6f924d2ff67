// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// One record of the virtual cohort: a plan, its planned plane, and the plane that the machine delivers and the
/// detector sees. Everything that differs between the two is a knob with a default from the literature. Machines are
/// commissioned: the planning system's leaf gap is tuned so that test fields agree.

#include <equipoise/core/options.hpp>
#include <equipoise/psqa/complexity.hpp>
#include <equipoise/psqa/delivery.hpp>
#include <equipoise/psqa/detector.hpp>
#include <equipoise/psqa/dose_engine.hpp>
#include <equipoise/psqa/gamma.hpp>
#include <equipoise/psqa/plan_generator.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// What differs between planning and delivery; psqa.md's literature defaults where a composite plane allows them (see
/// docs/simulator.md). Standard deviations unless said otherwise.
struct Mismatch {
  double tongue_groove_mm = 1.6;       ///< width on the machine; the planning system has none
  double commissioning_percent = 0.4;  ///< dose error that is left in the test fields after tuning the leaf gap
  double leaf_systematic_mm = 0.18;    ///< of each leaf of a machine
  double leaf_random_mm = 0.30;        ///< of each leaf at each control point
  double gap_day_mm = 0.05;            ///< of the dosimetric leaf gap, from day to day
  double output_day_percent = 0.5;     ///< of the machine's output
  double shift_mm = 0.75;              ///< set-up, per axis
  double rotation_deg = 0.3;           ///< set-up
  double source_mm = 0.45;             ///< of the source's size
  double kernel_percent = 12;          ///< of the primary kernel's reach
  double scatter_percent = 1;          ///< absolute, of the scatter's share
  double transmission_percent = 0.18;  ///< absolute, of the leaf transmission
  double low_mu_percent = 2;           ///< of segments of less than 3 MU; a quarter of it to 10 MU
  double noise_local_percent = 0.5;    ///< detector, of the local dose
  double noise_global_percent = 0.3;   ///< detector, of the maximum
  double fault_share = 0.01;           ///< of plans that are delivered with a fault
};

struct CohortSettings {
  std::int64_t plans = 300;
  std::uint64_t seed = 1;
  std::int64_t machines = 4;
  std::size_t pixels = 120;                      ///< of the stored square planes
  double spacing_mm = 2;                         ///< of the stored planes; fluence and dose are computed at half of it
  std::array<double, 3> techniques = {1, 0, 0};  ///< relative shares of sliding windows, step-and-shoot, arcs
  Detector detector = Detector::epid;
  double depth_mm = 0;  ///< of the plane in water, for its kernel; 0: the general one of `MachineModel`
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
  std::string machine, fault;   ///< fault: "none", "output", "bank", "stuck_leaf", "collimator"
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

/// The gamma passing rates of a measured against a planned plane, at the detector's points. Gy; norm: the planned maximum.
[[nodiscard]] inline std::array<double, 3> passing_rates(const DoseGrid& measured, const DoseGrid& planned,
                                                         Detector detector = Detector::epid) {
  const DoseGrid seen = detector_plane(measured, detector);
  std::array<double, 3> out{};
  for (std::size_t c = 0; c < out.size(); ++c)
    out[c] = gamma_pass_rate(seen, planned, {.dd_percent = kCriteria[c].dd_percent, .dta_mm = kCriteria[c].dta_mm});
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
    Plan plan = generate_plan(settings_.seed, index, linac_of(index).name, settings_.spread, technique_of(index));
    // Every fourth patient has two plans, and their records follow one another.
    plan.patient = "patient" + std::to_string(i - (i % 5 == 4 ? 1 : 0));
    return delivered(std::move(plan), index, delivery);
  }

  /// Any plan, imported or made elsewhere, delivered as the cohort's record `index`.
  [[nodiscard]] Record delivered(Plan plan, std::uint64_t index, std::uint64_t delivery = 0) {
    const Linac& linac = linac_of(index);
    Record out;
    out.plan = std::move(plan);
    out.machine = linac.name;
    deliver(out, linac, index, delivery);
    out.gpr = detail::passing_rates(out.measured, out.planned, settings_.detector);
    return out;
  }

  /// What two versions of a plan deliver through one machine: prescribed and logged. No noise, no mismatch.
  [[nodiscard]] std::pair<DoseGrid, DoseGrid> planes_of(const Plan& first, const Plan& second) {
    const MachineModel& m = linacs_[0].planning;
    const std::size_t n = 2 * settings_.pixels;
    const auto fluence = [&](const Plan& p) { return plan_fluence(p, m, exact_leaves, n, settings_.spacing_mm / 2); };
    auto [a, b] = engine_(fluence(first), m, fluence(second), m);
    return {detail::halved(a), detail::halved(b)};
  }

  /// The planned plane of any plan, imported or simulated, on the cohort's first machine.
  [[nodiscard]] DoseGrid planned_plane(const Plan& plan) {
    const DoseGrid f =
        plan_fluence(plan, linacs_[0].planning, exact_leaves, 2 * settings_.pixels, settings_.spacing_mm / 2);
    return detail::halved(engine_(f, linacs_[0].planning, f, linacs_[0].planning).first);
  }

 private:
  [[nodiscard]] const Linac& linac_of(std::uint64_t index) const {
    Noise choice({settings_.seed, index}, "machine");
    return linacs_[static_cast<std::size_t>(choice.integer(0, settings_.machines - 1))];
  }
  [[nodiscard]] Technique technique_of(std::uint64_t index) const {
    const auto& t = settings_.techniques;
    const double drawn = Noise({settings_.seed, index}, "technique").uniform() * (t[0] + t[1] + t[2]);
    return drawn < t[0] ? Technique::sliding_window : drawn < t[0] + t[1] ? Technique::step_and_shoot : Technique::arc;
  }

  /// What goes wrong with a plan; the same at every delivery of it.
  struct Fault {
    std::string name = "none";
    double output = 1, bank_shift = 0, stuck_mm = 0, rotation = 0;
    std::size_t stuck = 0;
  };
  [[nodiscard]] Fault fault_of(std::uint64_t index) const {
    Noise noise({settings_.seed, index}, "fault");
    Fault f;
    if (!(noise.uniform() < settings_.mismatch.fault_share)) return f;
    const auto kind = noise.integer(0, 3);
    const double sign = noise.uniform() < 0.5 ? -1 : 1;
    if (kind == 0) f.name = "output", f.output = 1 + sign * noise.uniform(0.03, 0.05);
    if (kind == 1) f.name = "bank", f.bank_shift = sign * noise.uniform(1, 2);
    if (kind == 2)
      f.name = "stuck_leaf", f.stuck = static_cast<std::size_t>(noise.integer(25, 34)),
      f.stuck_mm = noise.uniform(2, 10);
    if (kind == 3) f.name = "collimator", f.rotation = sign * 2;
    return f;
  }

  void deliver(Record& out, const Linac& linac, std::uint64_t index, std::uint64_t delivery) {
    const Mismatch& mm = settings_.mismatch;
    Noise day({settings_.seed, index, delivery}, "day");
    const Fault fault = fault_of(index);
    out.fault = fault.name;
    MachineModel real = linac.real;
    real.output *= (1 + day.normal(0, mm.output_day_percent / 100)) * fault.output;
    const double shift_x = day.normal(0, mm.shift_mm), shift_y = day.normal(0, mm.shift_mm);
    const double turn = day.normal(0, mm.rotation_deg) + fault.rotation;
    real.leaf_gap_mm = std::max(0.0, real.leaf_gap_mm + day.normal(0, mm.gap_day_mm));
    real.low_mu_error = day.normal(0, mm.low_mu_percent / 100);
    real.source_sigma_mm = std::hypot(real.source_sigma_mm, detector_blur_mm(settings_.detector));
    const auto leaf_error = [&](std::size_t beam, std::size_t point, int bank, std::size_t pair) {
      const auto b = static_cast<std::uint64_t>(bank), l = static_cast<std::uint64_t>(pair);
      const double systematic = mm.leaf_systematic_mm * Noise({settings_.seed, linac.key, b, l}, "leaf").normal();
      const double random =
          mm.leaf_random_mm * quick_normal(hash_of({settings_.seed, index, delivery, beam, point, b, l}));
      return systematic + random + (bank == 0 ? fault.bank_shift : 0) +
             (fault.stuck == pair && fault.stuck != 0 && bank == 1 ? -fault.stuck_mm : 0);
    };
    const std::size_t n = 2 * settings_.pixels;
    const double spacing = settings_.spacing_mm / 2;
    const DoseGrid planned = plan_fluence(out.plan, linac.planning, exact_leaves, n, spacing),
                   measured = plan_fluence(out.plan, real, leaf_error, n, spacing);
    auto [d_planned, d_measured] = engine_(planned, linac.planning, measured, real);
    out.planned = detail::halved(d_planned);
    out.measured = detail::halved(moved(d_measured, shift_x, shift_y, turn));
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

  /// The plane moved and turned by a set-up error, bilinear.
  [[nodiscard]] static DoseGrid moved(const DoseGrid& g, double dx, double dy, double degree) {
    DoseGrid out = g;
    const double c = std::cos(degree * std::numbers::pi / 180), s = std::sin(degree * std::numbers::pi / 180);
    for (std::size_t y = 0; y < g.shape[1]; ++y)
      for (std::size_t x = 0; x < g.shape[2]; ++x) {
        const double px = g.origin[2] + static_cast<double>(x) * g.spacing[2] - dx,
                     py = g.origin[1] + static_cast<double>(y) * g.spacing[1] - dy;
        out.at(0, y, x) = g.sample(c * px + s * py, c * py - s * px);
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
    if (settings_.depth_mm > 0) set_kernel_at_depth(linac.real, settings_.depth_mm);
    linac.real.leaf_gap_mm = draw.uniform(1.0, 1.8);
    linac.real.transmission = draw.uniform(0.012, 0.018);
    linac.real.tongue_groove_mm = mm.tongue_groove_mm;
    linac.planning = linac.real;
    linac.planning.tongue_groove_mm = 0;
    linac.real.source_sigma_mm += std::abs(draw.normal(0, mm.source_mm));
    linac.real.primary_per_mm *= 1 + draw.normal(0, mm.kernel_percent / 100);
    linac.real.transmission = std::max(0.0, linac.real.transmission + draw.normal(0, mm.transmission_percent / 100));
    linac.real.scatter_share += draw.normal(0, mm.scatter_percent / 100);
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

BOOST_HANA_ADAPT_STRUCT(equipoise::psqa::Mismatch, tongue_groove_mm, commissioning_percent, leaf_systematic_mm,
                        leaf_random_mm, gap_day_mm, output_day_percent, shift_mm, rotation_deg, source_mm,
                        kernel_percent, scatter_percent, transmission_percent, low_mu_percent, noise_local_percent,
                        noise_global_percent, fault_share);
