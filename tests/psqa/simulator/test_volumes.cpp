// Doses of phantoms and volumes.

#include <equipoise/psqa/simulator/simulator.hpp>

#include "support/catch.hpp"
#include "support/simulated.hpp"

using namespace equipoise::psqa;
using support::few;
using support::none;
namespace eq = equipoise;

TEST_CASE("set-up rotations act in volumes as in planes", "[psqa][cohort][volume]") {
  Phantom small;
  small.shape = {12, 24, 24}, small.spacing_mm = 8;
  const Plan plan = generate_plan(1, 0, "m", {});
  const auto dose = [&](const SetUp& at) { return phantom_dose(plan, MachineModel{}, exact_leaves, small, at).values; };
  const std::vector<double> still = dose({});
  CHECK(dose({0, 0, 2, 0}) != still);
  CHECK(dose({0, 0, 0, 2}) != still);
  CHECK(dose({0, 0, 360, -360})[5 * 576 + 12 * 24 + 12] == Approx(still[5 * 576 + 12 * 24 + 12]));
}

TEST_CASE("a phantom's dose does not depend on the plane that the machine's kernel was made for",
          "[psqa][cohort][volume]") {
  Phantom small;
  small.shape = {12, 24, 24}, small.spacing_mm = 8;
  const Plan plan = generate_plan(1, 0, "m", {});
  const std::vector<double> general = phantom_dose(plan, MachineModel{}, exact_leaves, small, {}).values;
  for (const DosePlane& plane : {DosePlane{PlaneKind::water, 150}, DosePlane{PlaneKind::epid}}) {
    MachineModel other;
    set_kernel(other, plane);
    const std::vector<double> made = phantom_dose(plan, other, exact_leaves, small, {}, plane).values;
    for (std::size_t i = 0; i < general.size(); ++i) CHECK(made[i] == Approx(general[i]).margin(1e-9));
  }
}

TEST_CASE("a plan's volume is its dose from all sides, and passes as planned", "[psqa][cohort][volume]") {
  Phantom small;
  small.shape = {12, 32, 32}, small.spacing_mm = 7;
  CohortSettings s = few(1);
  s.mismatch = none();
  Simulator as_planned(s);
  const VolumeRecord same = as_planned.volume(0, small);
  CHECK(same.gpr == std::array<double, 3>{100, 100, 100});
  const double maximum = *std::max_element(same.planned.values.begin(), same.planned.values.end());
  CHECK(maximum > 1);
  CHECK(maximum < 6);
  CHECK(same.planned.at(6, 0, 0) == 0);  // outside of the cylinder
  Simulator real(few(1));
  const VolumeRecord r = real.volume(0, small);
  CHECK(r.gpr[0] >= r.gpr[1]);
  CHECK(r.gpr[1] >= r.gpr[2]);
  CHECK(r.measured.values != r.planned.values);
}

TEST_CASE("an arc is cut into parts that add up", "[psqa][cohort][volume]") {
  const Plan plan = generate_plan(5, 1, "m", {}, Technique::arc);
  double mu = 0;
  for (const BeamPart& part : static_parts(plan.beams[0])) {
    mu += part.beam.mu;
    CHECK(part.beam.control_points.back().weight == Approx(1));
    CHECK(gantry_travel(part.beam) < 12);
  }
  CHECK(mu == Approx(plan.beams[0].mu));
}
