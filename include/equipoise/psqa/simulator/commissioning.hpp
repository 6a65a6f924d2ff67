// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The machines of a cohort, each commissioned: the planning system's leaf gap is tuned until test fields agree, as
/// clinics do. Without that step the bias of the machines would hide the differences between plans.

#include <equipoise/psqa/simulator/day.hpp>
#include <equipoise/psqa/simulator/delivery.hpp>
#include <equipoise/psqa/simulator/dose_engine.hpp>
#include <equipoise/psqa/simulator/mismatch.hpp>
#include <equipoise/psqa/simulator/plan_generator.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// A machine of the cohort: as it is and as the planning system believes.
struct Linac {
  std::string name;
  LinacModel model = LinacModel::millennium_120;
  MachineModel real, planning;
  LeafOffsets leaves;
};

namespace detail {

/// A test plan, and what the machine makes of it.
struct TestField {
  Plan plan;
  DoseGrid real;  ///< fluence, MU
};

/// Mean relative error of the dose where it is above half of the maximum, over the test plans.
[[nodiscard]] inline double test_field_error(const Linac& linac, const std::vector<TestField>& tests,
                                             DoseEngine& engine) {
  double sum = 0;
  for (const TestField& test : tests) {
    const auto [planned, real] =
        engine(plan_fluence(test.plan, linac.planning, exact_leaves, engine.pixels(), engine.spacing_mm()),
               linac.planning, test.real, linac.real);
    const double half = 0.5 * *std::max_element(planned.values.begin(), planned.values.end());
    double d_planned = 0, d_real = 0;
    for (std::size_t p = 0; p < planned.values.size(); ++p)
      if (planned.values[p] > half) d_planned += planned.values[p], d_real += real.values[p];
    sum += d_real / d_planned - 1;
  }
  return sum / static_cast<double>(tests.size());
}

/// The three test plans of a machine, the same for all of its model.
[[nodiscard]] inline std::vector<TestField> test_fields(const Linac& linac, const DoseEngine& engine) {
  std::vector<TestField> tests;
  for (std::uint64_t t = 0; t < 3; ++t) {
    Plan plan = generate_plan(0x7e57, t, linac.name, {0, 0, 0}, Technique::sliding_window, {}, {}, linac.model);
    DoseGrid real = plan_fluence(plan, linac.real, exact_leaves, engine.pixels(), engine.spacing_mm());
    tests.push_back({std::move(plan), std::move(real)});
  }
  return tests;
}

/// Finds the planning leaf gap for which the error of three test plans, the same for every machine, is `target`: by
/// secants, since the error is nearly linear in the gap, until it is so to a part in 10^5 or six of them are done.
inline void tune_leaf_gap(Linac& linac, double target, DoseEngine& engine) {
  const std::vector<TestField> tests = test_fields(linac, engine);
  double& gap = linac.planning.leaf_gap_mm;
  const auto off_target = [&] { return test_field_error(linac, tests, engine) - target; };
  const auto good = [](double off) { return std::abs(off) < 1e-5; };
  double before = gap, off_before = off_target();
  if (good(off_before)) return;
  gap += 0.5;
  for (int step = 0; step < 6; ++step) {
    const double now = gap, off = off_target();
    if (good(off) || off == off_before) return;
    gap = now - off * (now - before) / (off - off_before);
    before = now, off_before = off;
  }
}

}  // namespace detail

/// The relative error of the dose that commissioning left in a machine's test fields: its mean where the planned dose is
/// above half of the maximum.
[[nodiscard]] inline double commissioning_error(const Linac& linac, DoseEngine& engine) {
  return detail::test_field_error(linac, detail::test_fields(linac, engine), engine);
}

/// Machine number `m` of a cohort, with the planning system tuned to it. Deviations beyond the
/// limit of a mismatch are cut off: a clinic would not have accepted them. \param plane in which
/// the test fields, as all others, are planned and measured
[[nodiscard]] inline Linac commissioned_linac(std::uint64_t seed, std::uint64_t m, const Mismatch& mm,
                                              const DosePlane& plane, DoseEngine& engine,
                                              LinacModel model = LinacModel::millennium_120) {
  RandomStream draw({seed, m}, "linac");
  const auto within = [&](double limit) { return limit * std::clamp(draw.normal(0, 1 / 1.6), -1.0, 1.0); };
  const LinacDesign design = design_of(model);
  Linac linac;
  linac.name = "linac" + std::to_string(m + 1);
  linac.model = model;
  linac.leaves = LeafOffsets(seed, hash_of({m, hash_of("linac")}), mm.leaf_systematic_mm);
  set_kernel(linac.real, plane);
  linac.real.leaf_gap_mm = std::clamp(design.leaf_gap_mm + draw.normal(0, mm.gap_machine_mm), design.least_leaf_gap_mm,
                                      design.most_leaf_gap_mm);
  linac.real.transmission = draw.uniform(design.least_transmission, design.most_transmission);
  linac.real.tongue_groove_mm = mm.tongue_groove_mm;
  linac.planning = linac.real;
  linac.planning.leaf_gap_mm = design.leaf_gap_mm;
  linac.planning.tongue_groove_mm = 0;
  linac.real.source_sigma_mm = std::max(0.3, linac.real.source_sigma_mm + draw.normal(0, mm.source_mm));
  linac.real.primary_per_mm *= 1 + within(mm.kernel_percent / 100);
  linac.real.transmission = std::max(0.0, linac.real.transmission + within(mm.transmission_percent / 100));
  linac.real.scatter_share = std::clamp(linac.real.scatter_share + within(mm.scatter_percent / 100), 0.0, 1.0);
  linac.real.extra_focal_share =
      std::clamp(linac.real.extra_focal_share + within(mm.extra_focal_percent / 100), 0.0, 1.0);
  detail::tune_leaf_gap(linac, draw.normal(0, mm.commissioning_percent / 100), engine);
  return linac;
}

}  // namespace equipoise::psqa
