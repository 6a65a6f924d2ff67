// What leaves and jaws deliver, and the dose of it.

#include <equipoise/psqa/simulator/simulator.hpp>

#include "support/catch.hpp"
#include "support/small_beams.hpp"

using namespace equipoise::psqa;
using small_beams::open_beam;

namespace {

constexpr auto no_errors = [](std::size_t, int, std::size_t) { return 0.0; };

}  // namespace

TEST_CASE("the dose of an infinite open field is one cGy an MU", "[psqa][dose][property]") {
  // The kernel's scatter reaches further than any field: its transform at zero says what all of it would give.
  CHECK(DoseEngine::transfer(MachineModel{}, 0) == Approx(1));
  DoseEngine engine(80, 2);
  DoseGrid f = DoseGrid::plane(80, 80, 2);
  std::fill(f.values.begin(), f.values.end(), 100.0);
  const auto [a, b] = engine(f, MachineModel{}, f, MachineModel{});
  CHECK(a.at(0, 40, 40) < 1);
  CHECK(a.at(0, 40, 40) > 0.85);
  CHECK(a.at(0, 40, 40) == Approx(b.at(0, 40, 40)));
}

TEST_CASE("a static opening is open for all MU, its leaf ends shifted by half the gap", "[psqa][fluence][worked]") {
  const Beam beam = open_beam();
  MachineModel m;
  m.leaf_gap_mm = 1, m.transmission = 0, m.jaw_transmission = 0;
  DoseGrid total = DoseGrid::plane(240, 240, 1);
  add_fluence(beam, m, no_errors, total);
  CHECK(total.at(0, 120, 120) == Approx(100));
  double row = 0;
  for (std::size_t x = 0; x < 240; ++x) row += total.at(0, 120, x);
  CHECK(row == Approx(100 * 41));  // 40 mm and half a gap on either side
  CHECK(total.at(0, 20, 120) == Approx(0).margin(1e-12));
}

TEST_CASE("tongue and groove only takes fluence away", "[psqa][fluence][property]") {
  const Plan plan = generate_plan(2, 0, "m", {});
  MachineModel without, with;
  without.transmission = with.transmission = 0;
  with.tongue_groove_mm = 1.6;
  const DoseGrid a = plan_fluence(plan, without, exact_leaves, 240, 1),
                 b = plan_fluence(plan, with, exact_leaves, 240, 1);
  double sum_a = 0, sum_b = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    CHECK(b.values[i] <= a.values[i] + 1e-9);
    sum_a += a.values[i], sum_b += b.values[i];
  }
  CHECK(sum_b < sum_a);
}

TEST_CASE("a groove is as wide as it says, beside a leaf and beside a closed pair", "[psqa][fluence][worked]") {
  // Pair 30 (0 to 5 mm) is open, and pair 31 above it too or not at all.
  for (const bool closed : {false, true}) {
    Beam beam = open_beam();
    for (ControlPoint& cp : beam.control_points)
      for (std::size_t l = 0; l < 60; ++l)
        if (l != 30 && (l != 31 || closed)) cp.leaves[0].a[l] = cp.leaves[0].b[l] = 0;
    MachineModel m;
    m.leaf_gap_mm = 0, m.transmission = 0, m.jaw_transmission = 0;
    const auto column = [&](double groove) {
      m.tongue_groove_mm = groove;
      DoseGrid total = DoseGrid::plane(240, 240, 1);
      add_fluence(beam, m, no_errors, total);
      double sum = 0;
      for (std::size_t y = 0; y < 240; ++y) sum += total.at(0, y, 120);
      return sum;
    };
    // Each pair loses half a groove at each side where the neighbour is closed, nothing where it is open with it.
    CHECK(column(0) - column(1.4) == Approx(100 * 1.4));
  }
}

TEST_CASE("a closed pair whose ends are apart by noise stays closed", "[psqa][fluence][property]") {
  const auto fluence = [](double gap) {
    Beam beam = open_beam();
    for (ControlPoint& cp : beam.control_points)
      for (std::size_t l = 0; l < 60; ++l)
        if (l != 30) cp.leaves[0].a[l] = 0, cp.leaves[0].b[l] = gap;
    DoseGrid total = DoseGrid::plane(240, 240, 1);
    add_fluence(beam, {.leaf_gap_mm = 1}, no_errors, total);
    return total.values;
  };
  const std::vector<double> closed = fluence(0);
  for (const double gap : {1e-7, 1e-5, 5e-5, -1e-5}) {
    INFO(gap);
    const std::vector<double> noisy = fluence(gap);
    for (std::size_t i = 0; i < closed.size(); ++i)
      if (std::abs(noisy[i] - closed[i]) > 1e-3) FAIL("pixel " << i << ": " << noisy[i] << " for " << closed[i]);
  }
}

TEST_CASE("jaws that move across the leaves shade them while they do", "[psqa][fluence][worked]") {
  Beam beam = open_beam();
  beam.control_points[0].y1 = -50, beam.control_points[1].y1 = 30;
  MachineModel m;
  m.leaf_gap_mm = 0, m.transmission = 0, m.jaw_transmission = 0;
  DoseGrid total = DoseGrid::plane(240, 240, 1);
  add_fluence(beam, m, no_errors, total);
  double sum = 0;
  for (std::size_t y = 0; y < 240; ++y) sum += total.at(0, y, 120);
  CHECK(sum == Approx(100 * 60));  // 100 mm open at first, 20 mm at last
}

TEST_CASE("a pixel that a jaw crosses gets the part that is not behind it", "[psqa][fluence][worked]") {
  Beam beam = open_beam();
  for (ControlPoint& cp : beam.control_points) cp.x2 = 10.3, cp.y2 = 5.25;
  MachineModel m;
  m.leaf_gap_mm = 0, m.transmission = 0, m.jaw_transmission = 0;
  DoseGrid total = DoseGrid::plane(240, 240, 1);  // pixel 120 begins at 0
  add_fluence(beam, m, no_errors, total);
  CHECK(total.at(0, 120, 129) == Approx(100));
  CHECK(total.at(0, 120, 130) == Approx(30));
  CHECK(total.at(0, 120, 131) == 0);
  CHECK(total.at(0, 125, 129) == Approx(25));
  CHECK(total.at(0, 125, 130) == Approx(7.5));
  m.transmission = 0.1, m.jaw_transmission = 0.02;
  DoseGrid leaking = DoseGrid::plane(240, 240, 1);
  add_fluence(beam, m, no_errors, leaking);
  CHECK(leaking.at(0, 120, 130) == Approx(30 + 0.7 * 2));  // open in 0.3 of it, behind the jaw in the rest
  CHECK(leaking.at(0, 120, 90) == Approx(10));             // behind a leaf
}

TEST_CASE("leaves that move along y open what they open", "[psqa][fluence][worked]") {
  Beam beam = open_beam();  // 40 mm along x, 100 mm along y
  MachineModel m;
  m.leaf_gap_mm = 0;
  DoseGrid along_x = DoseGrid::plane(240, 200, 1), along_y = DoseGrid::plane(200, 240, 1);
  add_fluence(beam, m, no_errors, along_x);
  beam.layers[0].axis = LeafAxis::y;
  for (ControlPoint& cp : beam.control_points) cp.y2 = cp.x2 = 50;
  add_fluence(beam, m, no_errors, along_y);
  CHECK(along_y.at(0, 85, 119) == Approx(100));  // x = -0.5, y = -14.5
  CHECK(along_y.at(0, 85, 80) == Approx(100));   // x = -39.5: beyond 20 mm, but the leaves open along y
  CHECK(along_y.at(0, 75, 119) < 2);             // y = -24.5 is behind a leaf
  for (std::size_t y = 0; y < 240; ++y)
    for (std::size_t x = 0; x < 200; ++x) CHECK(along_x.at(0, y, x) == Approx(along_y.at(0, x, y)));
}

TEST_CASE("a sliding window delivers the fluence it was made for", "[psqa][fluence][property]") {
  const Plan plan = generate_plan(4, 3, "m", {});
  for (const Beam& b : plan.beams)
    for (std::size_t k = 1; k < b.control_points.size(); ++k) {
      CHECK(b.interval_mu(k) >= 0);
      for (std::size_t l = 0; l < 60; ++l) {
        CHECK(b.control_points[k].leaves[0].b[l] >= b.control_points[k].leaves[0].a[l]);
        CHECK(b.control_points[k].leaves[0].a[l] >= b.control_points[k - 1].leaves[0].a[l] - 1e-9);
      }
    }
}
