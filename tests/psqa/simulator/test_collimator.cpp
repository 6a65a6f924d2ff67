// Collimators that are turned: parts of beams, composite planes, portal planes, volumes.

#include <equipoise/io/npy.hpp>
#include <equipoise/psqa/cohort/extras.hpp>
#include <equipoise/psqa/cohort/import.hpp>
#include <equipoise/psqa/dicom/rtplan_reader.hpp>
#include <equipoise/psqa/dicom/rtplan_writer.hpp>
#include <equipoise/psqa/readers/plane_reader.hpp>
#include <equipoise/psqa/simulator/planning_system.hpp>
#include <equipoise/psqa/simulator/simulator.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <numbers>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/simulated.hpp"
#include "support/small_beams.hpp"

using namespace equipoise::psqa;
using small_beams::open_beam;
using small_beams::plan_of;
using support::few;

namespace {

/// 100 MU through an opening off the axis, x = 20 .. 60 mm and y = -10 .. 30 mm.
Beam field_off_axis(double collimator) {
  Beam beam = small_beams::within(open_beam(), -100, 100, -10, 30);
  beam.has_x_jaw = beam.has_y_jaw = true, beam.number = 1;
  for (ControlPoint& cp : beam.control_points) {
    cp.collimator = collimator;
    cp.leaves = {{std::vector<double>(60, 20.0), std::vector<double>(60, 60.0)}};
  }
  return beam;
}

DoseGrid fluence_at(const Beam& beam, double spacing = 1) {
  const auto pixels = static_cast<std::size_t>(240 / spacing);
  return plan_fluence(plan_of({beam}), MachineModel{}, exact_leaves, pixels, spacing);
}

double total(const DoseGrid& g) {
  double sum = 0;
  for (const double v : g.values) sum += v;
  return sum * g.spacing[1] * g.spacing[2];
}

double largest_difference(const DoseGrid& a, const DoseGrid& b) {
  double out = 0;
  for (std::size_t i = 0; i < a.size(); ++i) out = std::max(out, std::abs(a.values[i] - b.values[i]));
  return out;
}

}  // namespace

TEST_CASE("a positive collimator angle turns a field counter-clockwise, seen from the source",
          "[psqa][collimator][worked]") {
  const DoseGrid straight = fluence_at(field_off_axis(0));
  CHECK(straight.sample(40, 10) == Approx(100));
  struct Place {
    double angle, x, y;
  };
  for (const Place& p : {Place{90, -10, 40}, {180, -40, -10}, {270, 10, -40}, {-90, 10, -40}, {450, -10, 40}}) {
    const DoseGrid turned = fluence_at(field_off_axis(p.angle));
    INFO(p.angle);
    CHECK(turned.sample(p.x, p.y) == Approx(100));
    CHECK(turned.sample(-p.x, -p.y) < 2);
    // Quarter turns move pixels, they do not interpolate.
    std::vector<double> a = straight.values, b = turned.values;
    std::sort(a.begin(), a.end()), std::sort(b.begin(), b.end());
    CHECK(a == b);
  }
  const double s = std::sqrt(0.5);
  CHECK(fluence_at(field_off_axis(45)).sample(s * (40 - 10), s * (40 + 10)) == Approx(100).epsilon(1e-6));
}

TEST_CASE("the dose of a turned field is the turned dose of the field", "[psqa][collimator][property]") {
  // The kernel is round, so that the dose may be turned after the convolution, here on a grid of 0.5 mm. At 0 and 90
  // degrees the fluence's pixels of 1 mm leave 0.45 % of the maximum at the field's edge; turning adds 0.2 at most.
  const MachineModel m;
  DoseEngine coarse(240, 1), fine(480, 0.5);
  const DoseGrid fluence = fluence_at(field_off_axis(0), 0.5), dose = fine(fluence, m, fluence, m).first;
  const double maximum = maximum_dose(dose);
  for (const double angle : {0.0, 90.0, 5.0, 10.0, 30.0, 45.0, 330.0}) {
    const DoseGrid of_turned = fluence_at(field_off_axis(angle)), got = coarse(of_turned, m, of_turned, m).first;
    const double c = std::cos(angle * std::numbers::pi / 180), s = std::sin(angle * std::numbers::pi / 180);
    double worst = 0;
    for (std::size_t y = 20; y < 220; ++y)
      for (std::size_t x = 20; x < 220; ++x) {
        const double px = static_cast<double>(x) - 119.5, py = static_cast<double>(y) - 119.5;
        if (std::hypot(px, py) < 110)
          worst = std::max(worst, std::abs(got.at(0, y, x) - dose.sample(c * px + s * py, c * py - s * px)));
      }
    INFO(angle << " degrees: " << 100 * worst / maximum << " % of the maximum");
    CHECK(worst < 0.0065 * maximum);
    CHECK(*std::min_element(got.values.begin(), got.values.end()) > 0);
  }
}

TEST_CASE("what a turned field shows in a corner lies beyond the untouched plane", "[psqa][collimator][worked]") {
  Beam beam = small_beams::within(open_beam(), -20, 20, -190, 190);  // leaves of 40 mm over 380 mm
  for (ControlPoint& cp : beam.control_points) cp.collimator = 45;
  const DoseGrid turned = fluence_at(beam);
  CHECK(turned.at(0, 239, 0) == Approx(100).epsilon(1e-3));  // 169 mm from the axis
  CHECK(turned.at(0, 0, 239) == Approx(100).epsilon(1e-3));
  CHECK(turned.at(0, 239, 239) < 2);
}

TEST_CASE("a collimator that turns during a beam smears its field", "[psqa][collimator][worked]") {
  Beam beam = field_off_axis(0);
  beam.control_points[1].collimator = 90;
  const DoseGrid smeared = fluence_at(beam);
  const DoseGrid still = fluence_at(field_off_axis(0));
  CHECK(total(smeared) == Approx(total(still)).epsilon(0.01));  // leaves leak more in a wider plane's corners
  for (const double angle : {10.0, 45.0, 80.0}) {
    const double a = angle * std::numbers::pi / 180;
    // Some 40 mm along an arc of 63 mm, for a part of the time that grows towards its middle.
    CHECK(smeared.sample(40 * std::cos(a), 40 * std::sin(a)) > 20);
  }
  Beam as_90_parts = beam;  // the same in 90 intervals
  as_90_parts.control_points.clear();
  for (int k = 0; k <= 90; ++k) {
    as_90_parts.control_points.push_back(beam.control_points[0]);
    as_90_parts.control_points.back().collimator = k, as_90_parts.control_points.back().weight = k / 90.0;
  }
  CHECK(largest_difference(fluence_at(as_90_parts), smeared) < 1e-9);
}

TEST_CASE("jitter of a logged collimator angle is one angle", "[psqa][collimator][worked]") {
  Beam beam = field_off_axis(359.9);
  beam.control_points.insert(beam.control_points.begin() + 1, 2, beam.control_points[0]);
  for (std::size_t k = 0; k < 4; ++k) beam.control_points[k].weight = static_cast<double>(k) / 3;
  beam.control_points[1].collimator = 0.1, beam.control_points[2].collimator = 0.1;
  beam.control_points[3].collimator = 359.9;
  CHECK(collimator_range(beam) == Approx(0.2));
  CHECK(std::remainder(mean_collimator_angle(beam), 360.0) == Approx((0 + 0.1 + 0) / 3));
  CHECK(beam_parts(beam, {.collimator = kCollimatorStep_deg}).size() == 1);
}

TEST_CASE("parts of a beam keep its MU, its leaves and their errors", "[psqa][collimator][property]") {
  const Beam beam = small_beams::beam_of({0, 0.25, 1}, [](std::size_t k, std::size_t) {
    return std::pair{-20.0 + 10.0 * static_cast<double>(k), 20.0 + 10.0 * static_cast<double>(k)};
  });
  Beam turning = beam;
  turning.control_points[1].collimator = 2, turning.control_points[2].collimator = 12;
  const std::vector<BeamPart> parts = beam_parts(turning, {.collimator = 1});
  REQUIRE(parts.size() == 12);
  double mu = 0;
  for (const BeamPart& p : parts) mu += p.beam.mu;
  CHECK(mu == Approx(100));
  CHECK(parts[0].beam.mu == Approx(12.5));
  CHECK(parts[0].collimator == Approx(0.5));
  CHECK(parts[11].collimator == Approx(11.5));
  CHECK(parts[1].beam.control_points[0].leaves[0].a[3] == Approx(-15));  // half of the way
  CHECK(parts[1].errors([](std::size_t k, int, std::size_t) { return static_cast<double>(k); })(0, 0, 3) ==
        Approx(0.5));
}

TEST_CASE("a composite plane shows each field as its collimator stands: c0_c90", "[psqa][collimator][worked]") {
  const auto planned = [](const char* file) {
    return support::one_machine().planned_plane(read_rtplan(support::reported(file)));
  };
  const DoseGrid crossed = planned("collimator_angle/c0_c90.dcm"), same = planned("collimator_angle/c0_c0.dcm");
  // The pixels from 40 to 42 mm.
  CHECK(crossed.sample(41, 1) == Approx(0.753).margin(5e-4));
  CHECK(crossed.sample(1, 41) == Approx(crossed.sample(41, 1)).epsilon(1e-9));
  CHECK(same.sample(41, 1) == Approx(1.469).margin(5e-4));
  CHECK(same.sample(1, 41) == Approx(0.037).margin(5e-4));
}

TEST_CASE("planned, delivered and logged planes are turned alike, portal planes lie along the leaves",
          "[psqa][collimator][property]") {
  const Plan straight = plan_of({field_off_axis(0)}), turned = plan_of({field_off_axis(90)});
  CohortSettings s = few(1);
  s.mismatch = support::none();
  Simulator plans(s);
  const Record r = plans.delivered(turned, 0);
  CHECK(r.gpr == RateNumbers{100, 100, 100, 100});
  CHECK(largest_difference(r.measured, plans.planned_plane(turned)) < 1e-12);
  CHECK(plans.planned_plane(turned).sample(-10, 40) > 0.5);
  const auto [prescribed, logged] = plans.planes_of(straight, turned);
  CHECK(prescribed.sample(40, 10) == Approx(logged.sample(-10, 40)).epsilon(1e-9));
  s.rates = RatesOf::fields;
  Simulator sums(s);
  CHECK(largest_difference(sums.delivered(turned, 0).planned, r.planned) < 1e-12);
  s.records = RecordsOf::fields, s.real_plans = {turned};
  Simulator fields(s);
  PlanningSystem planning(s);
  const std::vector<Record> portal = fields.records(0);
  REQUIRE(portal.size() == 1);
  CHECK(portal[0].planned.sample(40, 10) > 0.5);
  CHECK(largest_difference(portal[0].planned, plans.planned_plane(straight)) < 1e-12);
  CHECK(planning.planned_plane(turned).values == planning.planned_plane(straight).values);
}

TEST_CASE("measured planes of one field are taken as turned by the collimator, and along the leaves of fields",
          "[psqa][collimator][import][behaviour]") {
  const Plan straight = plan_of({field_off_axis(0)}), turned = plan_of({field_off_axis(90)});
  CohortSettings of_fields = few(1);
  of_fields.records = RecordsOf::fields;
  Simulator fields(of_fields);
  const support::TemporaryFolder folder;
  write_rtplan(turned, folder.path() / "p.dcm");
  const auto imported = [&](Simulator& simulator, const Plan& measured) {
    const DoseGrid plane = support::one_machine().planned_plane(measured);
    const std::vector<float> values(plane.values.begin(), plane.values.end());
    for (const char* which : {"p_planned.npy", "p_measured.npy"})
      equipoise::io::write_npy<float>(folder.path() / which, std::array{plane.shape[1], plane.shape[2]}, values);
    return import_record(find_imports(folder.path() / "p.dcm").at(0), simulator, 0, {.spacing_mm = plane.spacing[1]});
  };
  struct Case {
    Simulator& simulator;
    const Plan& measured;
    double x, y;  ///< in the field
    bool warned;
  };
  for (const Case& c : {Case{support::one_machine(), turned, -11, 41, true}, Case{fields, straight, 41, 11, false}}) {
    const ImportedRecord r = imported(c.simulator, c.measured);
    CHECK(r.planned.sample(c.x, c.y) > 0.5);
    // What a model is shown of the plan lies as what was measured.
    CHECK(c.simulator.planned_plane(r.plan).sample(c.x, c.y) == Approx(r.planned.sample(c.x, c.y)).epsilon(1e-6));
    const DeliveryMaps maps = delivery_maps(r.plan, maps_plane(c.simulator.settings()));
    const auto pixel = [](double mm) { return static_cast<std::size_t>((mm + 119) / 2); };
    CHECK(maps.at(DeliveryChannel::open, pixel(c.y), pixel(c.x)) == Approx(100));
    CHECK(std::any_of(r.warnings.begin(), r.warnings.end(), [](const std::string& w) {
            return w.find("its collimator's angle of 90 degrees") != std::string::npos &&
                   w.find("--records fields") != std::string::npos;
          }) == c.warned);
  }
  Plan two = plan_of({field_off_axis(0), field_off_axis(90)});
  two.beams[1].number = 2;
  write_rtplan(two, folder.path() / "p.dcm");
  CHECK_THROWS_WITH(imported(fields, straight), Catch::Contains("expected a plan of one field"));
  CHECK(imported(support::one_machine(), straight).source == "measured");
}

TEST_CASE("a displaced bank shows where the collimator has turned it", "[psqa][collimator][worked]") {
  // The bank to the right of the field stands 2 mm too far out, along 40 mm of it.
  const MachineModel m;
  const auto displaced = [](std::size_t, std::size_t, int bank, std::size_t) { return bank == 1 ? 2.0 : 0.0; };
  const double x = 61 + m.leaf_gap_mm / 2, y = 10, s = std::sqrt(0.5);
  struct Case {
    double angle, x, y;
  };
  for (const Case& c : {Case{0, x, y}, {90, -y, x}, {180, -x, -y}, {45, s * (x - y), s * (x + y)}}) {
    const Plan plan = plan_of({field_off_axis(c.angle)});
    DoseGrid extra = plan_fluence(plan, m, displaced, 240, 1);
    const DoseGrid exact = plan_fluence(plan, m, exact_leaves, 240, 1);
    double sum = 0, at_x = 0, at_y = 0;
    for (std::size_t row = 0; row < 240; ++row)
      for (std::size_t column = 0; column < 240; ++column) {
        const double d = extra.at(0, row, column) - exact.at(0, row, column);
        sum += d;
        at_x += d * (static_cast<double>(column) - 119.5), at_y += d * (static_cast<double>(row) - 119.5);
      }
    INFO(c.angle);
    CHECK(sum == Approx(2 * 40 * 100 * (1 - m.transmission)).epsilon(0.01));
    CHECK(at_x / sum == Approx(c.x).margin(0.1));
    CHECK(at_y / sum == Approx(c.y).margin(0.1));
  }
}

TEST_CASE("the planes of a log are turned by the collimator's angle that it logs", "[psqa][collimator][import]") {
  std::string header =
                  "Time (s),Linac State/Actual Value (None),Step Dose/Actual Value (Mu),"
                  "Actual Dose Rate/Actual Value (Mu/min)",
              values;
  const auto add = [&](const std::string& item, const std::string& unit, double actual, double error) {
    header += "," + item + "/Scaled Actual (" + unit + ")," + item + "/Positional Error (" + unit + ")";
    values += "," + std::to_string(actual) + "," + std::to_string(error);
  };
  add("Step Gantry", "deg", 0, 0), add("Step Collimator", "deg", 90, 0), add("Table Isocentric", "deg", 15, 0);
  add("X1 Diaphragm", "mm", 10, 0), add("X2 Diaphragm", "mm", 30, 0);  // y = -10 .. 30 mm
  for (int leaf = 1; leaf <= 80; ++leaf) add("Y1 Leaf " + std::to_string(leaf), "mm", -20, 0);
  for (int leaf = 1; leaf <= 80; ++leaf) add("Y2 Leaf " + std::to_string(leaf), "mm", 60, 2);
  const support::TemporaryFolder folder;
  std::ofstream(folder.path() / "log.csv")
      << header << "\n0,Radiation On,0,600" << values << "\n10,Radiation On,100,600" << values << "\n";
  const ImportedRecord r = import_record({folder.path() / "log.csv", ImportKind::log}, support::one_machine(), 0);
  CHECK(r.source == "logged");
  CHECK(r.measured.sample(-10, 40) > 0.5);
  CHECK(r.measured.sample(40, 10) < 0.1);
  // The leaves at x = 60 mm were to be at 62 mm, which is y in the plane.
  CHECK(r.planned.sample(-10, 62) > 1.2 * r.measured.sample(-10, 62));
  CHECK(r.planned.sample(-31, 40) == Approx(r.measured.sample(-31, 40)).epsilon(0.05));
  REQUIRE(r.warnings.size() == 1);
  CHECK_THAT(r.warnings[0], Catch::Contains("log.csv: composite planes leave out the couch's angle: beam 1 at 15"));
}

TEST_CASE("a plan's file keeps the collimator's angle of every control point", "[psqa][collimator][dicom]") {
  const support::TemporaryFolder folder;
  Plan plan = plan_of({field_off_axis(10), field_off_axis(350)});
  plan.beams[1].number = 2, plan.beams[1].dynamic = true, plan.beams[1].control_points[1].collimator = 5.5;
  write_rtplan(plan, folder.path() / "p.dcm");
  const Plan back = read_rtplan(folder.path() / "p.dcm");
  for (std::size_t n = 0; n < 2; ++n)
    for (std::size_t k = 0; k < 2; ++k)
      CHECK(back.beams.at(n).control_points.at(k).collimator == plan.beams[n].control_points[k].collimator);
  CHECK(largest_difference(support::one_machine().planned_plane(plan), support::one_machine().planned_plane(back)) <
        1e-9);
}

TEST_CASE("a portal plane is written with the axes of its collimator", "[psqa][collimator][dicom]") {
  const support::TemporaryFolder folder;
  const Plan plan = plan_of({field_off_axis(90)});
  DoseGrid along_leaves = plan_fluence(plan, MachineModel{}, exact_leaves, 120, 2, PlaneSystem::collimator);
  along_leaves.axes = coronal_turned(90);
  write_rtdose(along_leaves, plan, "planned", folder.path() / "field.dcm");
  DoseGrid composite = plan_fluence(plan, MachineModel{}, exact_leaves, 120, 2);
  composite.axes = kCoronal;
  write_rtdose(composite, plan, "planned", folder.path() / "composite.dcm");
  const DoseGrid a = read_dose(folder.path() / "field.dcm", 1, true),
                 b = read_dose(folder.path() / "composite.dcm", 1, true);
  REQUIRE(a.shape == b.shape);
  for (std::size_t axis = 1; axis < 3; ++axis) CHECK(a.origin[axis] == Approx(b.origin[axis]));
  CHECK(largest_difference(a, b) < 1e-6);
}

TEST_CASE("a volume shows the collimator's angle as a plane does", "[psqa][collimator][volume]") {
  Phantom cube;
  cube.shape = {24, 24, 24}, cube.spacing_mm = 6;
  const auto dose = [&](double angle) {
    return phantom_dose(plan_of({field_off_axis(angle)}), MachineModel{}, exact_leaves, cube, {});
  };
  const DoseGrid straight = dose(0), turned = dose(90), askew = dose(44.9);
  // x = 39 mm and z = 9 mm of the one is x = -9 mm and z = 39 mm of the other; the cylinder is thinner at x = 39.
  const auto at = [](const DoseGrid& g, double x, double z) {
    return g.at(static_cast<std::size_t>(std::lround((z - g.origin[0]) / 6)), 11,
                static_cast<std::size_t>(std::lround((x - g.origin[2]) / 6)));
  };
  CHECK(at(straight, 39, 9) > 0.5);
  CHECK(at(turned, -9, 39) == Approx(at(straight, 39, 9)).epsilon(0.1));
  CHECK(at(turned, 9, -39) < 0.1);
  CHECK(at(askew, 21, 33) > 0.5);
}

TEST_CASE("the sense of rotation decides the parts of an arc of two control points", "[psqa][cohort][volume]") {
  for (const char* file : {"full_turn/P04l.dcm", "full_turn/P04e.dcm"}) {
    const Beam beam = read_rtplan(support::reported(file)).beams.at(0);
    const std::vector<BeamPart> parts = static_parts(beam);
    INFO(file);
    REQUIRE(parts.size() == 36);
    double mu = 0, sideways = 0;
    for (const BeamPart& p : parts)
      mu += p.beam.mu, sideways += p.beam.mu * std::sin(p.gantry * std::numbers::pi / 180);
    CHECK(mu == Approx(beam.mu));
    CHECK(std::abs(sideways) < 0.01 * mu);  // from all sides alike
    CHECK(std::remainder(parts[18].gantry - 5, 360.0) == Approx(0).margin(0.6));
  }
  Beam round = open_beam();
  round.control_points[0].gantry = 180.1, round.control_points[1].gantry = 179.9;
  round.control_points[0].rotation = Rotation::clockwise;
  CHECK(gantry_travel(round) == Approx(359.8));
  CHECK(static_parts(round).size() == 36);
  CHECK(static_parts(round)[9].gantry == Approx(180.1 + 9.5 * 359.8 / 36));
  round.control_points[0].rotation = Rotation::counter_clockwise;
  CHECK(gantry_travel(round) == Approx(0.2));
  CHECK(static_parts(round).size() == 1);
  Beam short_way = open_beam();
  short_way.control_points[0].gantry = 350, short_way.control_points[1].gantry = 5;
  const std::vector<BeamPart> parts = static_parts(short_way);
  REQUIRE(parts.size() == 2);
  CHECK(parts[1].gantry == Approx(350 + 11.25));
}

TEST_CASE("beams with a couch angle are warned of, where they are summed in a plane", "[psqa][collimator][error]") {
  Plan plan = plan_of({field_off_axis(0), field_off_axis(0), field_off_axis(0)});
  for (std::size_t n = 0; n < 3; ++n) plan.beams[n].number = static_cast<int>(n) + 1;
  for (ControlPoint& cp : plan.beams[0].control_points) cp.couch = 359.95;
  for (ControlPoint& cp : plan.beams[1].control_points) cp.couch = 270;
  plan.beams[2].control_points[1].couch = 12.5;
  const std::string warning =
      "composite planes leave out the couch's angle: beam 2 at 270 degrees, beam 3 at 12.5 degrees";
  CHECK(couch_warning(plan) == warning);
  CHECK(couch_warning(plan_of({field_off_axis(30)})).empty());
  plan.warnings = {"of the reader"};  // which are not written
  const support::TemporaryFolder folder;
  write_rtplan(plan, folder.path() / "p.dcm");
  const ImportedRecord r = import_record({folder.path() / "p.dcm"}, support::one_machine(), 0);
  REQUIRE(r.warnings.size() == 1);
  CHECK_THAT(r.warnings[0], Catch::EndsWith("p.dcm: " + warning));
}

TEST_CASE("what reading a plan says of it comes with its record", "[psqa][collimator][import]") {
  const ImportedRecord r = import_record({support::reported("block_compensator/P07a.dcm")}, support::one_machine(), 0);
  REQUIRE_FALSE(r.warnings.empty());
  CHECK_THAT(r.warnings[0], Catch::Contains("P07a.dcm") && Catch::Contains("block"));
}
