// Made plans: segments, limits of machines, prescriptions.

#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/simulator/simulator.hpp>

#include <map>

#include "support/catch.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;

TEST_CASE("every technique stays within the limits of every machine", "[psqa][plans][property]") {
  for (const LinacModel model :
       {LinacModel::millennium_120, LinacModel::agility, LinacModel::halcyon, LinacModel::hd120})
    for (const Technique t : {Technique::sliding_window, Technique::step_and_shoot, Technique::arc})
      for (std::uint64_t i = 0; i < 8; ++i) {
        const MachineLimits limits = design_of(model).limits;
        const Plan plan = generate_plan(5, i, "m", {}, t, {}, {}, model);
        INFO(eq::name_of(model) << ' ' << eq::name_of(t) << " plan " << i);
        REQUIRE_FALSE(plan.beams.empty());
        for (const Beam& b : plan.beams) {
          CHECK(b.mu > 0);
          CHECK(b.control_points.back().weight == Approx(1));
          double narrowest = 1e9, fastest = 0, steepest = 0;
          for (std::size_t k = 1; k < b.control_points.size(); ++k) {
            const ControlPoint &p = b.control_points[k - 1], &q = b.control_points[k];
            REQUIRE(b.interval_mu(k) >= -1e-9);
            REQUIRE(q.dose_rate <= limits.dose_rate_MU_per_min);
            const double turn = std::abs(std::remainder(q.gantry - p.gantry, 360.0)),
                         seconds = std::max(60 * b.interval_mu(k) / q.dose_rate, turn / limits.gantry_speed_deg_per_s);
            for (std::size_t l = 0; l < b.layers[0].pairs(); ++l) {
              const double gap = q.leaves[0].b[l] - q.leaves[0].a[l],
                           travel = std::max(std::abs(q.leaves[0].a[l] - p.leaves[0].a[l]),
                                             std::abs(q.leaves[0].b[l] - p.leaves[0].b[l]));
              if (gap != 0) narrowest = std::min(narrowest, gap);
              if (t == Technique::arc) steepest = std::max(steepest, travel / turn);
              // The gap that opens at once to its minimum is no travel.
              if (t != Technique::step_and_shoot) fastest = std::max(fastest, (travel - limits.least_gap_mm) / seconds);
            }
          }
          CHECK(narrowest >= limits.least_gap_mm - 1e-9);
          CHECK(fastest <= limits.leaf_speed_mm_per_s * 1.001);
          CHECK(steepest <= 5 + 1e-6);
          if (t == Technique::arc) {
            CHECK(gantry_travel(b) == Approx(358));
            CHECK(b.control_points.size() >= 90);
            CHECK(b.control_points.size() <= 180);
          }
        }
        CHECK(metric(complexity(plan).plan, "MCS") > 0);
      }
}

TEST_CASE("segments are 5 to 15, of 4 MU and 4 cm2 at least", "[psqa][plans][property]") {
  for (std::uint64_t i = 0; i < 60; ++i)
    for (const Beam& b : generate_plan(6, i, "m", {}, Technique::step_and_shoot).beams) {
      const std::size_t segments = b.control_points.size() / 2;
      REQUIRE(segments >= 5);
      REQUIRE(segments <= 15);
      for (std::size_t k = 1; k < b.control_points.size(); k += 2) {
        REQUIRE(b.interval_mu(k) >= 4);
        double area = 0;
        const LeafPositions& leaves = b.control_points[k].leaves[0];
        for (std::size_t l = 10; l < 50; ++l) area += 5 * (leaves.b[l] - leaves.a[l]);
        REQUIRE(area > 400);
      }
    }
}

TEST_CASE("a target that no beam sees gives plans without MU", "[psqa][plans][error]") {
  const TargetView nothing = [](double, double, double) { return false; };
  for (const Technique technique : {Technique::sliding_window, Technique::step_and_shoot, Technique::arc}) {
    const Plan plan = generate_plan(1, 0, "m", {}, technique, nothing);
    for (const Beam& beam : plan.beams) CHECK(beam.mu == 0);
    CHECK_THROWS_WITH(complexity(plan), Catch::Contains("value.302"));
    CHECK_THROWS_WITH(fields_of(plan), Catch::Contains("value.302"));
  }
}

TEST_CASE("simulated plans give their prescription, and breast is simplest", "[psqa][plans][property]") {
  DoseEngine engine(120, 2);
  std::map<std::string, std::pair<double, double>> mcs;
  for (std::uint64_t i = 0; i < 40; ++i) {
    const Plan plan = generate_plan(1, i, "m", {});
    const DoseGrid f = plan_fluence(plan, MachineModel{}, exact_leaves, 120, 2);
    const DoseGrid dose = engine(f, MachineModel{}, f, MachineModel{}).first;
    const double half = 0.5 * *std::max_element(dose.values.begin(), dose.values.end());
    double sum = 0, count = 0;
    for (const double d : dose.values)
      if (d > half) sum += d, count += 1;
    INFO(plan.id << " " << plan.site);
    CHECK(sum / count == Approx(plan.dose_per_fraction()).epsilon(0.25));
    mcs[plan.site].first += metric(complexity(plan).plan, "MCS"), mcs[plan.site].second += 1;
  }
  const auto mean = [&](const char* site) { return mcs[site].first / mcs[site].second; };
  for (const char* site : {"pelvis", "prostate", "lung"}) {
    CHECK(mean("breast") > mean(site));
    CHECK(mean(site) > mean("head_and_neck"));
  }
}

TEST_CASE("segments add up to the fluence that they were cut from", "[psqa][plans][worked]") {
  // One row that rises to 3 and falls to 1: three segments, nested as sweeps to the right.
  FluenceRow row{};
  const std::array<double, 6> steps = {1, 3, 2, 2, 1, 1};
  for (std::size_t x = 0; x < steps.size(); ++x) row[20 + x] = steps[x];
  const SegmentEdges unit = segment_edges(row, 1);
  REQUIRE(unit.rises.size() == 3);
  REQUIRE(unit.falls.size() == 3);
  for (std::size_t x = 0; x < kFluenceSamples; ++x) {
    const double place = -kFluenceExtent_mm + kFluenceStep_mm * double(x);
    double open = 0;
    for (std::size_t i = 0; i < 3; ++i) open += unit.rises[i] < place && place < unit.falls[i];
    CHECK(open == row[x]);
  }
}
