// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// One record of the virtual cohort: a plan, its planned plane, and the plane that the machine delivers and the
/// detector sees. The two differ by the errors of `Mismatch`, on commissioned machines.

#include <equipoise/core/base/random.hpp>
#include <equipoise/core/base/random_stream.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/fields.hpp>
#include <equipoise/psqa/gamma/passing_rates.hpp>
#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/plan.hpp>
#include <equipoise/psqa/simulator/commissioning.hpp>
#include <equipoise/psqa/simulator/day.hpp>
#include <equipoise/psqa/simulator/delivery.hpp>
#include <equipoise/psqa/simulator/detector.hpp>
#include <equipoise/psqa/simulator/phantom_dose.hpp>
#include <equipoise/psqa/simulator/plan_generator.hpp>
#include <equipoise/psqa/simulator/planning_system.hpp>
#include <equipoise/psqa/simulator/settings.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

struct Record {
  Plan plan;
  std::string machine, fault;   ///< fault: "none", "output", "bank", "stuck_leaf", "collimator"
  DoseGrid planned, measured;   ///< Gy per fraction
  std::array<double, 3> gpr{};  ///< %, in the order of `kCriteria`
};

/// What is drawn anew when a plan of a cohort is delivered once more. All zero is the cohort's own
/// delivery; any other number names another draw.
struct Redelivery {
  std::uint64_t machine = 0;      ///< which of the cohort's machines, each as probable
  std::uint64_t day = 0;          ///< set-up, output, leaf gap, random leaf errors, and whether something fails
  std::uint64_t measurement = 0;  ///< the detector's noise
};

/// A record's doses in a water phantom, Gy per fraction.
struct VolumeRecord {
  Plan plan;
  DoseGrid planned, measured;
  std::array<double, 3> gpr{};  ///< %, 3D gamma
};

namespace detail {

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

/// Makes the records of a cohort, each on its own: record i depends on the settings and i alone. Planes lie in the system
/// of `plane_system(settings.records)`.
class Simulator {
 public:
  /// \throws ValueError as `check` does.
  explicit Simulator(CohortSettings settings)
      : settings_((check(settings), std::move(settings))), planning_(settings_), linacs_{planning_.linac()} {
    for (std::int64_t m = 1; m < settings_.machines; ++m)
      linacs_.push_back(commissioned_linac(settings_.seed, static_cast<std::uint64_t>(m), settings_.mismatch,
                                           settings_.plane, planning_.engine(), settings_.model));
  }

  [[nodiscard]] const CohortSettings& settings() const { return settings_; }
  /// The cohort's machines.
  [[nodiscard]] const std::vector<Linac>& linacs() const { return linacs_; }

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
    return records_of(i, delivery_of(static_cast<std::uint64_t>(i), delivery));
  }

  /// The same, delivered once more. Unlike in `records(i, delivery)`, the fault is drawn anew with the
  /// day, since neither the plan nor the machine tells it.
  [[nodiscard]] std::vector<Record> records(std::int64_t i, const Redelivery& again) {
    return records_of(i, delivery_of(static_cast<std::uint64_t>(i), again));
  }

  /// Any plan, imported or made elsewhere, delivered as the cohort's plan `index`.
  [[nodiscard]] Record delivered(Plan plan, std::uint64_t index, std::uint64_t delivery = 0) {
    return delivered(std::move(plan), delivery_of(index, delivery));
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
    out.gpr = passing_rates(out.measured, out.planned);
    return out;
  }

  /// What two versions of a plan deliver through one machine (`PlanningSystem::planes_of`).
  [[nodiscard]] std::pair<DoseGrid, DoseGrid> planes_of(const Plan& first, const Plan& second) {
    return planning_.planes_of(first, second);
  }

  /// The planned plane of any plan, imported or simulated, on the cohort's first machine.
  [[nodiscard]] DoseGrid planned_plane(const Plan& plan) { return planning_.planned_plane(plan); }

 private:
  struct Delivery {
    const Linac& linac;
    detail::Day day;
    std::uint64_t index, number, measurement = 0;
  };

  [[nodiscard]] Delivery delivery_of(std::uint64_t index, std::uint64_t number) const {
    const Linac& linac = linac_of(index);
    return {linac, day_of(linac, index, number), index, number};
  }
  [[nodiscard]] Delivery delivery_of(std::uint64_t index, const Redelivery& again) const {
    const Linac& linac = linac_of(index, again.machine);
    return {linac, day_of(linac, index, again.day, again.day), index, again.day, again.measurement};
  }

  [[nodiscard]] std::vector<Record> records_of(std::int64_t i, const Delivery& d) {
    if (settings_.records == RecordsOf::fields) return field_records(plan(i), d);
    return {delivered(plan(i), d)};
  }

  [[nodiscard]] Record delivered(Plan plan, const Delivery& d) {
    if (settings_.rates == RatesOf::composite) return record_of_delivery(std::move(plan), d, 0);
    Record out = sum_of(field_records(plan, d));
    out.plan = std::move(plan);
    return out;
  }

  /// What is planned and measured of a plan, or of one field of it. \param field its position among the plan's beams
  [[nodiscard]] Record record_of_delivery(Plan plan, const Delivery& d, std::size_t field) {
    const auto errors = [&, of_plan = leaf_errors(d.linac, d.day, d.index, d.number)](
                            std::size_t beam, std::size_t point, int bank, std::size_t pair) {
      return of_plan(field + beam, point, bank, pair);
    };
    auto [ideal, real] = planning_.engine()(fluence(plan, d.linac.planning, exact_leaves), d.linac.planning,
                                            fluence(plan, d.day.real, errors), d.day.real);
    const SetUp& at = d.day.at;
    Record out{std::move(plan), d.linac.name, d.day.fault.name, detail::halved(ideal),
               detail::halved(detail::moved(real, at.across, at.along, at.turn + at.collimator))};
    DoseGrid seen = detector_plane(out.measured, settings_.detector);  // each element has its own noise
    std::uint64_t key = hash_of({settings_.seed, d.index, d.number, field, hash_of("detector")});
    if (d.measurement > 0) key = hash_of({key, d.measurement});
    add_noise(out.measured, out.planned, key), add_noise(seen, out.planned, key);
    out.gpr = passing_rates(seen, out.planned);
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

  /// \param drawn which draw of the plan's machine; 0: the cohort's
  [[nodiscard]] const Linac& linac_of(std::uint64_t index, std::uint64_t drawn = 0) const {
    RandomStream choice = drawn == 0 ? RandomStream({settings_.seed, index}, "machine")
                                     : RandomStream({settings_.seed, index, drawn}, "machine");
    return linacs_[static_cast<std::size_t>(choice.integer(0, settings_.machines - 1))];
  }
  [[nodiscard]] Technique technique_of(std::uint64_t index) const {
    const auto& t = settings_.techniques;
    const double drawn = RandomStream({settings_.seed, index}, "technique").uniform() * (t[0] + t[1] + t[2]);
    return drawn < t[0] ? Technique::sliding_window : drawn < t[0] + t[1] ? Technique::step_and_shoot : Technique::arc;
  }

  /// \param fault which draw of the plan's fault; 0: the cohort's
  [[nodiscard]] detail::Day day_of(const Linac& linac, std::uint64_t index, std::uint64_t delivery,
                                   std::uint64_t fault = 0) const {
    const std::uint64_t seed = fault == 0 ? settings_.seed : hash_of({settings_.seed, fault, hash_of("fault")});
    return detail::draw_day(
        linac.real, settings_.mismatch, settings_.detector, settings_.seed, index, delivery,
        draw_fault(settings_.mismatch, seed, index, design_of(settings_.model).boundaries.size() / 2));
  }
  [[nodiscard]] detail::LeafErrors leaf_errors(const Linac& linac, const detail::Day& day, std::uint64_t index,
                                               std::uint64_t delivery) const {
    return {linac.leaves, day.fault, settings_.mismatch.leaf_random_mm, hash_of({settings_.seed, index, delivery})};
  }

  template <class LeafError>
  [[nodiscard]] DoseGrid fluence(const Plan& plan, const MachineModel& machine, const LeafError& leaf_error) const {
    return plan_fluence(plan, machine, leaf_error, planning_.engine().pixels(), planning_.engine().spacing_mm(),
                        plane_system(settings_.records));
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
  PlanningSystem planning_;
  std::vector<Linac> linacs_;
};

}  // namespace equipoise::psqa
