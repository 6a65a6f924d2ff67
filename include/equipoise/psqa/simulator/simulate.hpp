// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// One record of the virtual cohort: a plan, its planned plane, and the plane that the machine delivers and the
/// detector sees. What differs between the two are the knobs of `Mismatch`, on machines that were commissioned.

#include <equipoise/core/base/enumeration.hpp>
#include <equipoise/psqa/gamma/gamma.hpp>
#include <equipoise/psqa/simulator/commissioning.hpp>
#include <equipoise/psqa/simulator/delivery.hpp>
#include <equipoise/psqa/simulator/detector.hpp>
#include <equipoise/psqa/simulator/dose_engine.hpp>
#include <equipoise/psqa/simulator/mismatch.hpp>
#include <equipoise/psqa/simulator/phantom_dose.hpp>
#include <equipoise/psqa/simulator/plan_generator.hpp>

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

/// Of what a record's passing rates are: of the plane of all fields together, or the mean over its fields' own planes
/// (portal dosimetry field by field).
enum class RatesOf : std::uint8_t { composite, fields };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(RatesOf) {
  return {"composite", "fields"};
}

/// What a record is: a plan, or each field of a plan (portal dosimetry, one prediction a field).
enum class RecordsOf : std::uint8_t { plans, fields };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(RecordsOf) {
  return {"plans", "fields"};
}

/// The mismatches that a cohort of such records starts from.
[[nodiscard]] inline Mismatch usual_mismatch(RecordsOf records) {
  return records == RecordsOf::fields ? portal_mismatch() : Mismatch{};
}

struct CohortSettings {
  std::int64_t plans = 300;
  std::uint64_t seed = 1;
  std::int64_t machines = 8;
  LinacModel model = LinacModel::millennium_120;  ///< of all machines
  std::size_t pixels = 120;                       ///< of the stored square planes
  double spacing_mm = 2;                          ///< of the stored planes; fluence and dose are computed at half of it
  std::array<double, 3> techniques = {1, 0, 0};   ///< relative shares of sliding windows, step-and-shoot, arcs
  Detector detector = Detector::epid;
  RecordsOf records = RecordsOf::plans;
  RatesOf rates = RatesOf::composite;  ///< of records that are plans
  DosePlane plane{};                   ///< of what is planned and measured
  Mismatch mismatch{};
  ComplexitySpread spread{};
  std::vector<Outline> outlines{};  ///< targets of real patients, taken in turn; none: random ones of all sites
  std::vector<Plan> real_plans{};   ///< delivered as the first records; the plans after them are made
};

/// \throws ValueError for settings that no cohort can have.
inline void check(const CohortSettings& s) {
  const auto expect = [](bool good, const char* where, const char* what, double got) {
    if (!good)
      throw ValueError(message("value.331", std::string("CohortSettings.") + where, "expected ", what, ", got ", got));
  };
  expect(s.plans >= 1, "plans", ">= 1", static_cast<double>(s.plans));
  expect(s.machines >= 1 && s.machines <= 1000, "machines", "within 1..1000", static_cast<double>(s.machines));
  expect(s.pixels >= 8 && s.pixels <= 1024, "pixels", "within 8..1024", static_cast<double>(s.pixels));
  expect(s.spacing_mm > 0 && s.spacing_mm <= 10, "spacing_mm", "within (0, 10]", s.spacing_mm);
  const double depth = s.plane.depth_mm;
  expect(depth == 0 || (depth >= 20 && depth <= 200), "plane.depth_mm", "0 or within 20..200", depth);
  if (s.plane.kind == PlaneKind::epid) {
    expect(depth == 0, "plane.depth_mm", "0, since a portal image (epid) has no depth in water", depth);
    if (s.detector != Detector::epid)
      throw ValueError(message("value.331", "CohortSettings.detector", "expected epid, which takes portal images, got ",
                               name_of(s.detector)));
  }
  double shares = 0;
  for (const double t : s.techniques) {
    expect(t >= 0 && std::isfinite(t), "techniques", "shares >= 0", t);
    shares += t;
  }
  expect(shares > 0, "techniques", "a share > 0", shares);
  for (const double sd : {s.spread.amplitude, s.spread.length, s.spread.speed})
    expect(sd >= 0 && sd <= 2, "spread", "within 0..2", sd);
  check(s.mismatch);
}

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

/// A field as a plan of its own, with an equal part of the prescription.
struct Field {
  std::size_t beam;  ///< its position among the plan's beams
  Plan plan;
};

/// The fields of a plan: its beams that deliver anything. \throws ValueError when none does
[[nodiscard]] inline std::vector<Field> fields_of(Plan plan) {
  std::vector<Beam> beams = std::exchange(plan.beams, {});
  const auto n = std::count_if(beams.begin(), beams.end(), std::mem_fn(&Beam::delivers));
  if (n == 0)
    throw ValueError(message("value.302", plan.file.empty() ? plan.id : plan.file,
                             "expected a treatment beam with a multileaf collimator and MU > 0, got none"));
  plan.prescription_Gy /= static_cast<double>(n);
  std::vector<Field> out;
  for (std::size_t b = 0; b < beams.size(); ++b) {
    if (!beams[b].delivers()) continue;
    out.push_back({b, plan});
    out.back().plan.id += "_field" + std::to_string(b + 1);
    out.back().plan.beams.push_back(std::move(beams[b]));
  }
  return out;
}

/// A record's doses in a water phantom, Gy per fraction.
struct VolumeRecord {
  Plan plan;
  DoseGrid planned, measured;
  std::array<double, 3> gpr{};  ///< %, 3D gamma
};

namespace detail {

/// The passing rates of a measured against a planned dose at the three criteria. Norm: the planned maximum.
[[nodiscard]] inline std::array<double, 3> rates_of(const DoseGrid& measured, const DoseGrid& planned) {
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

/// The plane moved and turned by a set-up error, bilinear.
[[nodiscard]] inline DoseGrid moved(const DoseGrid& g, double dx, double dy, double degree) {
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

}  // namespace detail

/// Makes the records of a cohort, each on its own: record i depends on the settings and i alone.
class Simulator {
 public:
  /// \throws ValueError as `check` does.
  explicit Simulator(CohortSettings settings)
      : settings_((check(settings), std::move(settings))), engine_(2 * settings_.pixels, settings_.spacing_mm / 2) {
    for (std::int64_t m = 0; m < settings_.machines; ++m)
      linacs_.push_back(commissioned_linac(settings_.seed, static_cast<std::uint64_t>(m), settings_.mismatch,
                                           settings_.plane, engine_, settings_.model));
  }

  [[nodiscard]] const CohortSettings& settings() const { return settings_; }

  /// The plan of record i.
  [[nodiscard]] Plan plan(std::int64_t i) const {
    const auto index = static_cast<std::uint64_t>(i);
    if (index < settings_.real_plans.size()) return settings_.real_plans[index];
    const std::string& machine = linac_of(index).name;
    if (!settings_.outlines.empty()) {
      const Outline& real = settings_.outlines[index % settings_.outlines.size()];
      Plan plan = generate_plan(settings_.seed, index, machine, settings_.spread, technique_of(index), real.view,
                                "head_and_neck", settings_.model);
      plan.patient = real.patient;
      return plan;
    }
    Plan plan =
        generate_plan(settings_.seed, index, machine, settings_.spread, technique_of(index), {}, {}, settings_.model);
    // Every fourth patient has two plans, and their records follow one another.
    plan.patient = "patient" + std::to_string(i - (i % 5 == 4 ? 1 : 0));
    return plan;
  }

  /// Plan i as one record, delivered for the `delivery`-th time (other days, other random errors; 0 is the cohort's).
  [[nodiscard]] Record record(std::int64_t i, std::uint64_t delivery = 0) {
    return delivered(plan(i), static_cast<std::uint64_t>(i), delivery);
  }

  /// What plan i adds to the cohort: one record, or one for each of its fields.
  [[nodiscard]] std::vector<Record> records(std::int64_t i, std::uint64_t delivery = 0) {
    if (settings_.records == RecordsOf::plans) return {record(i, delivery)};
    return field_records(plan(i), delivery_of(static_cast<std::uint64_t>(i), delivery));
  }

  /// Any plan, imported or made elsewhere, delivered as the cohort's plan `index`.
  [[nodiscard]] Record delivered(Plan plan, std::uint64_t index, std::uint64_t delivery = 0) {
    const Delivery d = delivery_of(index, delivery);
    if (settings_.rates == RatesOf::composite) return record_of_delivery(std::move(plan), d, 0);
    Record out = sum_of(field_records(plan, d));
    out.plan = std::move(plan);
    return out;
  }

  /// Record i in a cylinder of water instead of a plane, judged by 3D gamma.
  [[nodiscard]] VolumeRecord volume(std::int64_t i, const Phantom& phantom = {}, std::uint64_t delivery = 0) {
    const auto index = static_cast<std::uint64_t>(i);
    const Linac& linac = linac_of(index);
    const detail::Day day = day_of(linac, index, delivery);
    VolumeRecord out;
    out.plan = plan(i);
    out.planned = phantom_dose(out.plan, linac.planning, exact_leaves, phantom, {}, settings_.plane);
    out.measured =
        phantom_dose(out.plan, day.real, leaf_errors(linac, day, index, delivery), phantom, day.at, settings_.plane);
    add_noise(out.measured, out.planned, hash_of({settings_.seed, index, delivery, hash_of("detector")}));
    out.gpr = detail::rates_of(out.measured, out.planned);
    return out;
  }

  /// What two versions of a plan deliver through one machine: prescribed and logged. No noise, no mismatch.
  [[nodiscard]] std::pair<DoseGrid, DoseGrid> planes_of(const Plan& first, const Plan& second) {
    const MachineModel& m = linacs_[0].planning;
    auto [a, b] = engine_(fluence(first, m, exact_leaves), m, fluence(second, m, exact_leaves), m);
    return {detail::halved(a), detail::halved(b)};
  }

  /// The planned plane of any plan, imported or simulated, on the cohort's first machine.
  [[nodiscard]] DoseGrid planned_plane(const Plan& plan) { return planes_of(plan, plan).first; }

 private:
  struct Delivery {
    const Linac& linac;
    detail::Day day;
    std::uint64_t index, number;
  };

  [[nodiscard]] Delivery delivery_of(std::uint64_t index, std::uint64_t number) const {
    const Linac& linac = linac_of(index);
    return {linac, day_of(linac, index, number), index, number};
  }

  /// What is planned and measured of a plan, or of one field of it. \param field its position among the plan's beams
  [[nodiscard]] Record record_of_delivery(Plan plan, const Delivery& d, std::size_t field) {
    const auto errors = [&, of_plan = leaf_errors(d.linac, d.day, d.index, d.number)](
                            std::size_t beam, std::size_t point, int bank, std::size_t pair) {
      return of_plan(field + beam, point, bank, pair);
    };
    auto [ideal, real] = engine_(fluence(plan, d.linac.planning, exact_leaves), d.linac.planning,
                                 fluence(plan, d.day.real, errors), d.day.real);
    const SetUp& at = d.day.at;
    Record out{std::move(plan), d.linac.name, d.day.fault.name, detail::halved(ideal),
               detail::halved(detail::moved(real, at.across, at.along, at.turn + at.collimator))};
    DoseGrid seen = detector_plane(out.measured, settings_.detector);  // each element has its own noise
    const std::uint64_t key = hash_of({settings_.seed, d.index, d.number, field, hash_of("detector")});
    add_noise(out.measured, out.planned, key), add_noise(seen, out.planned, key);
    out.gpr = detail::rates_of(seen, out.planned);
    return out;
  }

  [[nodiscard]] std::vector<Record> field_records(Plan plan, const Delivery& d) {
    std::vector<Record> out;
    for (auto& [beam, field] : fields_of(std::move(plan))) out.push_back(record_of_delivery(std::move(field), d, beam));
    return out;
  }

  /// The sum of fields' planes, with the mean of their rates. \pre at least one field
  [[nodiscard]] static Record sum_of(const std::vector<Record>& fields) {
    Record out = fields.at(0);
    std::fill(out.planned.values.begin(), out.planned.values.end(), 0.0);
    std::fill(out.measured.values.begin(), out.measured.values.end(), 0.0);
    out.gpr = {};
    std::array<double, 3> rated_fields{};  // without those that no element of the detector sees
    for (const Record& f : fields) {
      for (std::size_t i = 0; i < out.planned.size(); ++i)
        out.planned.values[i] += f.planned.values[i], out.measured.values[i] += f.measured.values[i];
      for (std::size_t c = 0; c < 3; ++c)
        if (!std::isnan(f.gpr[c])) out.gpr[c] += f.gpr[c], rated_fields[c] += 1;
    }
    for (std::size_t c = 0; c < 3; ++c) out.gpr[c] /= rated_fields[c];
    return out;
  }

  [[nodiscard]] const Linac& linac_of(std::uint64_t index) const {
    Noise choice({settings_.seed, index}, "machine");
    return linacs_[static_cast<std::size_t>(choice.integer(0, settings_.machines - 1))];
  }
  [[nodiscard]] Technique technique_of(std::uint64_t index) const {
    const auto& t = settings_.techniques;
    const double drawn = Noise({settings_.seed, index}, "technique").uniform() * (t[0] + t[1] + t[2]);
    return drawn < t[0] ? Technique::sliding_window : drawn < t[0] + t[1] ? Technique::step_and_shoot : Technique::arc;
  }

  [[nodiscard]] detail::Day day_of(const Linac& linac, std::uint64_t index, std::uint64_t delivery) const {
    return detail::draw_day(linac.real, settings_.mismatch, settings_.detector, settings_.seed, index, delivery,
                            design_of(settings_.model).boundaries.size() / 2);
  }
  [[nodiscard]] detail::LeafErrors leaf_errors(const Linac& linac, const detail::Day& day, std::uint64_t index,
                                               std::uint64_t delivery) const {
    return {linac.leaves, day.fault, settings_.mismatch.leaf_random_mm, hash_of({settings_.seed, index, delivery})};
  }

  template <class LeafError>
  [[nodiscard]] DoseGrid fluence(const Plan& plan, const MachineModel& machine, const LeafError& leaf_error) const {
    return plan_fluence(plan, machine, leaf_error, engine_.pixels(), engine_.spacing_mm());
  }

  void add_noise(DoseGrid& measured, const DoseGrid& planned, std::uint64_t key) const {
    const Mismatch& mm = settings_.mismatch;
    const double maximum = *std::max_element(planned.values.begin(), planned.values.end());
    for (std::size_t p = 0; p < measured.values.size(); ++p) {
      double& d = measured.values[p];
      d += detail::quick_normal(hash_of({key, p})) *
           std::hypot(mm.noise_local_percent / 100 * d, mm.noise_global_percent / 100 * maximum);
      d = std::max(d, 0.0);
    }
  }

  CohortSettings settings_;
  DoseEngine engine_;
  std::vector<Linac> linacs_;
};

}  // namespace equipoise::psqa
