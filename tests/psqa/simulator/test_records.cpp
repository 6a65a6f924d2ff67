// Records of the simulator: plans, planned and delivered planes, passing rates.

#include <equipoise/psqa/simulator/outlines.hpp>
#include <equipoise/psqa/simulator/planning_system.hpp>
#include <equipoise/psqa/simulator/simulator.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/simulated.hpp"
#include "support/small_beams.hpp"

using namespace equipoise::psqa;
using small_beams::open_beam;
using support::few;
using support::none;
namespace eq = equipoise;
namespace fs = std::filesystem;

namespace {

std::string read_text(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a record is the same alone as in its cohort", "[psqa][cohort][property]") {
  Simulator one(few(3)), another(few(3));
  (void)one.record(0), (void)one.record(1);
  const Record a = one.record(2), b = another.record(2);
  CHECK(a.gpr == b.gpr);
  CHECK(a.measured.values == b.measured.values);
}

TEST_CASE("a machine that is as planned passes everywhere", "[psqa][cohort][property]") {
  CohortSettings s = few(2);
  s.mismatch = none();
  Simulator simulator(s);
  for (std::int64_t i = 0; i < 2; ++i)
    for (const double g : simulator.record(i).gpr) CHECK(g == 100);
}

TEST_CASE("the rates of a record are ordered as their criteria", "[psqa][cohort][property]") {
  Simulator simulator(few(6));
  for (std::int64_t i = 0; i < 6; ++i) {
    const Record r = simulator.record(i);
    CHECK(are_ordered(r.gpr));
  }
}

TEST_CASE("the planning system alone plans as the simulator does, on any machine and in any plane",
          "[psqa][cohort][property]") {
  CohortSettings s = few(3);
  s.pixels = 60, s.spacing_mm = 4, s.machines = 3;
  for (const LinacModel model : {LinacModel::millennium_120, LinacModel::halcyon})
    for (const DosePlane& plane : {DosePlane{}, DosePlane{PlaneKind::water, 100}, DosePlane{PlaneKind::epid}}) {
      s.model = model, s.plane = plane;
      Simulator simulator(s);
      PlanningSystem planning(s);
      const Plan first = simulator.plan(0), second = simulator.plan(1);
      INFO(eq::name_of(model) << " " << eq::name_of(plane.kind));
      CHECK(planning.planned_plane(first).values == simulator.planned_plane(first).values);
      CHECK(planning.planes_of(first, second).second.values == simulator.planes_of(first, second).second.values);
    }
  s.machines = 0;
  CHECK_THROWS_WITH(PlanningSystem(s), Catch::Contains("value.331") && Catch::Contains("machines"));
}

TEST_CASE("settings that no cohort can have are refused", "[psqa][cohort][error]") {
  const auto refused = [](auto&& change, const char* what) {
    CohortSettings s = few(1);
    change(s);
    CHECK_THROWS_WITH(Simulator(s), Catch::Contains("value.331") && Catch::Contains(what));
  };
  refused([](CohortSettings& s) { s.plans = 0; }, "plans");
  refused([](CohortSettings& s) { s.machines = 0; }, "machines");
  refused([](CohortSettings& s) { s.pixels = 0; }, "pixels");
  refused([](CohortSettings& s) { s.spacing_mm = 0; }, "spacing_mm");
  for (const double depth : {-1.0, 10.0, 201.0})
    refused([&](CohortSettings& s) { s.plane.depth_mm = depth; }, "depth_mm");
  refused([](CohortSettings& s) { s.plane = {PlaneKind::epid, 100}; }, "portal image");
  refused([](CohortSettings& s) { s.plane.kind = PlaneKind::epid, s.detector = Detector::mapcheck; }, "got mapcheck");
  refused([](CohortSettings& s) { s.techniques = {0, 0, 0}; }, "techniques");
  refused([](CohortSettings& s) { s.techniques = {1, -1, 0}; }, "techniques");
  refused([](CohortSettings& s) { s.spread.speed = -1; }, "spread");
  refused([](CohortSettings& s) { s.mismatch.shift_mm = -0.1; }, "shift_mm");
  refused([](CohortSettings& s) { s.mismatch.fault_share = 1.5; }, "fault_share");
}

TEST_CASE("docs/simulator.md has a row for every mismatch, with its default", "[psqa][cohort][docs]") {
  const char* root = std::getenv("EQUIPOISE_SOURCE");
  if (!root) return;
  const std::string text = read_text(fs::path(root) / "docs" / "simulator.md");
  for (const auto& [key, value] : eq::options(Mismatch{})) {
    INFO(key << " = " << value);
    const std::string shortest = (std::ostringstream() << std::strtod(value.c_str(), nullptr)).str();
    CHECK(text.find("| `" + key + "` | " + shortest + " |") != std::string::npos);
  }
}

TEST_CASE("plans take the outlines of OpenKBP patients when given", "[psqa][cohort][samples]") {
  const auto folder = support::samples("openkbp");
  if (folder.empty()) return;
  CohortSettings s = few(2);
  s.outlines = read_outlines(folder);
  REQUIRE_FALSE(s.outlines.empty());
  Simulator simulator(s);
  const Record r = simulator.record(0);
  CHECK(r.plan.site == "head_and_neck");
  CHECK(r.plan.patient == s.outlines[0].patient);
  CHECK(r.plan.beams.size() == 9);
  CHECK(r.gpr[kStrictest] > 50);
}

TEST_CASE("sparse detectors judge only where they have elements", "[psqa][cohort][behaviour]") {
  DoseGrid dense = DoseGrid::plane(120, 120, 2);
  std::fill(dense.values.begin(), dense.values.end(), 1.0);
  const auto elements = [&](Detector d) {
    const DoseGrid g = detector_plane(dense, d);
    return std::count_if(g.values.begin(), g.values.end(), [](double v) { return !std::isnan(v); });
  };
  CHECK(elements(Detector::epid) == 14400);
  CHECK(elements(Detector::mapcheck) == 1013);
  CHECK(elements(Detector::chamber_array) == 23 * 23);
  CHECK(elements(Detector::chamber_array_1500) == 1105);
  CohortSettings s = few(1);
  s.detector = Detector::mapcheck;
  Simulator simulator(s);
  const Record r = simulator.record(0);
  CHECK(are_ordered(r.gpr));
  CHECK(r.gpr[kStrictest] > 50);
}

TEST_CASE("every element of a detector has the noise that the settings say", "[psqa][cohort][property]") {
  for (const Detector d : {Detector::epid, Detector::chamber_array, Detector::chamber_array_1500}) {
    CohortSettings s = few(1);
    s.mismatch = none();
    s.detector = d;
    // Nothing else differs, so that a point passes 3 %/3 mm where its noise of 4 % is within 3 %; the elements are too
    // far apart, or the dose too flat, for distance to help much.
    s.mismatch.noise_global_percent = 4;
    s.spacing_mm = 4, s.pixels = 60;
    Simulator simulator(s);
    Plan plan = simulator.plan(0);
    plan.beams = {open_beam()};
    for (ControlPoint& cp : plan.beams[0].control_points) {
      cp.x1 = cp.y1 = -110, cp.x2 = cp.y2 = 110;
      cp.leaves = {{std::vector<double>(60, -110.0), std::vector<double>(60, 110.0)}};
    }
    const Record r = simulator.delivered(plan, 0);
    INFO(eq::name_of(d));
    CHECK(r.gpr[0] > 45);
    CHECK(r.gpr[0] < 75);  // 55 % of normal numbers are within 3/4 of their deviation; halved noise would pass 87 %
  }
}

TEST_CASE("rates may be those of the fields, whose planes add up", "[psqa][cohort][behaviour]") {
  CohortSettings s = few(1);
  Simulator together(s);
  s.rates = RatesOf::fields;
  Simulator alone(s);
  const Record a = together.record(0), b = alone.record(0);
  REQUIRE(a.plan.beams.size() > 1);
  CHECK(b.gpr != a.gpr);
  CHECK(are_ordered(b.gpr));
  const double maximum = *std::max_element(a.planned.values.begin(), a.planned.values.end());
  for (std::size_t i = 0; i < a.planned.size(); ++i)
    CHECK(b.planned.values[i] == Approx(a.planned.values[i]).margin(1e-9 * maximum));
  s.mismatch = none();
  CHECK(Simulator(s).record(0).gpr == RateNumbers{100, 100, 100, 100});
}

TEST_CASE("records may be fields: single-beam plans of the same patient, planes and delivery",
          "[psqa][cohort][behaviour]") {
  CohortSettings s = few(2);
  Simulator of_plans(s);
  s.rates = RatesOf::fields;
  Simulator means(s);
  s.records = RecordsOf::fields;
  Simulator of_fields(s);
  const Record whole = of_plans.record(1), mean = means.record(1);
  const std::vector<Record> fields = of_fields.records(1);
  REQUIRE(fields.size() == whole.plan.beams.size());
  REQUIRE(fields.size() > 1);
  RateNumbers rates{};
  double prescription = 0, maximum = 0;
  DoseGrid sum = DoseGrid::plane(s.pixels, s.pixels, s.spacing_mm);
  for (std::size_t f = 0; f < fields.size(); ++f) {
    const Record& r = fields[f];
    CHECK(r.plan.id == "plan1_field" + std::to_string(f + 1));
    CHECK(r.plan.patient == whole.plan.patient);
    CHECK((r.machine == whole.machine && r.fault == whole.fault));
    REQUIRE(r.plan.beams.size() == 1);
    CHECK(r.plan.beams[0].mu == whole.plan.beams[f].mu);
    prescription += r.plan.prescription_Gy;
    for (std::size_t c = 0; c < kCriteria.size(); ++c) rates[c] += r.gpr[c] / static_cast<double>(fields.size());
    for (std::size_t i = 0; i < sum.size(); ++i) sum.values[i] += r.planned.values[i];
  }
  CHECK(prescription == Approx(whole.plan.prescription_Gy));
  for (std::size_t c = 0; c < kCriteria.size(); ++c) CHECK(rates[c] == Approx(mean.gpr[c]));
  for (const double v : whole.planned.values) maximum = std::max(maximum, v);
  for (std::size_t i = 0; i < sum.size(); ++i)
    CHECK(sum.values[i] == Approx(whole.planned.values[i]).margin(1e-9 * maximum));
  CHECK(of_plans.records(1).size() == 1);
}

TEST_CASE("real plans are delivered first, made ones after them", "[psqa][cohort][behaviour]") {
  CohortSettings s = few(3);
  Plan real = Simulator(s).plan(2);
  real.id = "real", real.patient = "someone";
  s.real_plans = {real};
  Simulator mixed(s), made(few(3));
  CHECK(mixed.record(0).plan.id == "real");
  CHECK(mixed.record(1).plan.id == made.record(1).plan.id);
  CHECK(mixed.record(1).gpr == made.record(1).gpr);
}
