/// \file
/// What the choices of the complexity metrics do that decide which pairs, edges and leaves are in the field, as numbers
/// that can be followed by hand.

#include <equipoise/psqa/complexity/complexity.hpp>

#include <cmath>
#include <utility>

#include "support/catch.hpp"
#include "support/small_beams.hpp"

using namespace equipoise::psqa;
using namespace small_beams;

namespace {

/// A square field of `size` mm in a bank of 200 mm whose other pairs are closed.
Beam square(double size) {
  return beam_of(
      {0, 1},
      [=](std::size_t, std::size_t l) {
        const double half = std::abs(-97.5 + 5 * double(l)) < size / 2 ? size / 2 : 0;
        return std::pair{-half, half};
      },
      40);
}

constexpr double kWide = kInfinity;

}  // namespace

TEST_CASE("leaves_under_jaw: hidden, or exposed without an area", "[psqa][complexity][worked]") {
  // Ten pairs of 20 mm between the jaws; under them eight of 6 mm that move by 3 mm, and two that are closed.
  const Beam beam = within(beam_of({0, 1},
                                   [](std::size_t k, std::size_t l) {
                                     if (l >= 5 && l < 15) return std::pair{-10.0, 10.0};
                                     const double from = 7 + 3 * double(k);
                                     return l == 0 || l == 19 ? std::pair{0.0, 0.0} : std::pair{from, from + 6};
                                   }),
                           -50, 50, -25, 25);
  const Chosen exposed = {{"leaves_under_jaw", "exposed"}};
  CHECK(value(beam, "CLS") == 0);
  CHECK(value(beam, "CLS", exposed) == exactly(2 / 20.0));
  CHECK(value(beam, "SAS10") == 0);
  CHECK(value(beam, "SAS10", exposed) == exactly(8 / 18.0));
  CHECK(value(beam, "ALG_mm") == exactly(20));
  CHECK(value(beam, "ALG_mm", exposed) == exactly((10 * 20 + 8 * 6) / 18.0));
  CHECK(value(beam, "MAD_mm") == 0);
  CHECK(value(beam, "MAD_mm", exposed) == exactly(8 * 11.5 / 18));
  CHECK(value(beam, "CAS", exposed) == exactly(8 / 18.0));
  // Steps at both borders of the field, each as long as the range, among 17.
  CHECK(value(beam, "LSV") == 1);
  CHECK(value(beam, "LSV", exposed) == exactly(std::pow(15 / 17.0, 2)));
  CHECK(value(beam, "NMOV") == 0);
  CHECK(value(beam, "NMOV", exposed) == 16);
  CHECK(value(beam, "LT_mm", exposed) == exactly(3));
  for (const char* name :
       {"BA_mm2", "BI", "BM", "EM_mm-1", "PERIM_mm", "AFW_mm", "EFS_mm", "BAR", "EAM", "CAM", "MAXDISP_mm", "FMAX"}) {
    INFO(name);
    CHECK(value(beam, name, exposed) == value(beam, name));
  }
}

TEST_CASE("leaves under a moving jaw add nothing to the union, nor to the fluence", "[psqa][complexity][worked]") {
  // The upper ten pairs are at (5, 30) while the jaw covers them, at (-10, 10) like the others when it does not.
  Beam beam = beam_of({0, .5, .5, 1}, [](std::size_t k, std::size_t l) {
    return k < 2 && l >= 10 ? std::pair{5.0, 30.0} : std::pair{-10.0, 10.0};
  });
  for (std::size_t k : {0u, 1u}) beam.control_points[k].y2 = 0;
  for (const char* rule : {"hidden", "exposed"}) {
    CHECK(value(beam, "BM", {{"leaves_under_jaw", rule}}) == exactly(1 - 0.5 * (1000 + 2000) / 2000));
    CHECK(value(beam, "FMAX", {{"leaves_under_jaw", rule}}) == exactly(100 / (0.5 * (100 + 50))));
  }
}

TEST_CASE("closed_gap_mm: a pair is open when its gap exceeds it", "[psqa][complexity][worked]") {
  const Beam beam = beam_of({0, 1}, [](std::size_t, std::size_t l) {
    return l < 10 ? std::pair{-0.25, 0.25} : std::pair{-10.0, 10.0};
  });
  CHECK(value(beam, "CLS") == 0);
  CHECK(value(beam, "ALG_mm") == exactly(10.25));
  CHECK(value(beam, "BA_mm2") == exactly(20.5 * 50));
  CHECK(value(beam, "CLS", {{"closed_gap_mm", "0.49"}}) == 0);
  CHECK(value(beam, "CLS", {{"closed_gap_mm", "0.5"}}) == exactly(0.5));
  CHECK(value(beam, "ALG_mm", {{"closed_gap_mm", "0.5"}}) == exactly(20));
  CHECK(value(beam, "BA_mm2", {{"closed_gap_mm", "0.5"}}) == exactly(20 * 50));
}

TEST_CASE("closed_gap: the smallest gap anywhere in the plan is closed", "[psqa][complexity][worked]") {
  // Half of the pairs travel with a gap of 0.7 mm, which in binary numbers is another one at each place.
  const std::pair<double, double> slit[3] = {{0.1, 0.8}, {12.3, 13.0}, {24.7, 25.4}};
  const Beam beam = beam_of({0, .3, 1}, [&](std::size_t k, std::size_t l) {
    return l < 10 ? slit[k] : std::pair{-10.0, 10.0};
  });
  const ComplexityChoices minimum = chosen({{"closed_gap", "plan_minimum"}});
  CHECK(metric(metrics_of(beam), "CLS") == 0);
  CHECK(metric(metrics_of(beam, minimum), "CLS") == exactly(0.5));
  CHECK(metric(metrics_of(beam, minimum), "ALG_mm") == exactly(20));
  // Another beam's pair comes closer, in leaves that no jaw ever leaves open: 0.7 mm is a gap again.
  Beam closer = within(beam, -100, 100, -25, 25);
  closer.control_points[2].leaves[0].b[0] = closer.control_points[2].leaves[0].a[0] + 0.5;
  const Complexity both = complexity(plan_of({beam, closer}), minimum);
  CHECK(metric(both.beams[0].metrics, "CLS") == 0);
  CHECK(both.choices.closed_gap_mm == ComplexityChoices{}.closed_gap_mm);
  // Without MU it does not count.
  closer.mu = 0;
  CHECK(metric(complexity(plan_of({beam, closer}), minimum).beams[0].metrics, "CLS") == exactly(0.5));
}

TEST_CASE("jaw_edges: those that jaws make go, those that leaves make stay", "[psqa][complexity][worked]") {
  const Chosen excluded = {{"jaw_edges", "excluded"}};
  const double both = 200.0 / 10000, one = 100.0 / 10000;
  const Beam leaves = square(100);
  const Beam open = beam_of(
      {0, 1},
      [](std::size_t, std::size_t) {
        return std::pair{-50.0, 50.0};
      },
      40);
  CHECK(value(within(leaves, -kWide, kWide, -kWide, kWide), "EM_mm-1", excluded) == exactly(both));
  CHECK(value(within(leaves, -kWide, kWide, -90, 90), "EM_mm-1", excluded) == exactly(both));
  CHECK(value(within(open, -kWide, kWide, -50, 50), "EM_mm-1", excluded) == 0);
  CHECK(value(within(leaves, -kWide, kWide, -50, 50), "EM_mm-1", excluded) == 0);
  CHECK(value(within(leaves, -kWide, kWide, -50, 90), "EM_mm-1", excluded) == exactly(one));
  CHECK(value(within(leaves, -kWide, kWide, -90, 50), "EM_mm-1", excluded) == exactly(one));
  CHECK(value(within(open, -kWide, kWide, -kWide, kWide), "EM_mm-1", excluded) == exactly(200.0 / (100 * 200)));
  // A jaw inside a pair: 96 mm are left. Jaws along the leaves make ends, which EM never counts.
  CHECK(value(within(open, -kWide, kWide, -48, 48), "EM_mm-1", excluded) == 0);
  CHECK(value(within(open, -kWide, kWide, -48, 48), "EM_mm-1") == exactly(200.0 / 9600));
  CHECK(value(within(leaves, -30, 30, -90, 90), "EM_mm-1", excluded) == exactly(120.0 / 6000));
  // The edges of a closed pair in the middle are made by its leaves.
  Beam split = open;
  for (ControlPoint& cp : split.control_points) cp.leaves[0].a[20] = cp.leaves[0].b[20] = 0;
  CHECK(value(within(split, -kWide, kWide, -50, 50), "EM_mm-1", excluded) == exactly(200.0 / 9500));
  // Of leaves along y the x jaws are those across.
  Beam turned = within(leaves, -50, 50, -kWide, kWide);
  turned.layers[0].axis = LeafAxis::y;
  CHECK(value(turned, "EM_mm-1", excluded) == 0);
}

TEST_CASE("travel_mean and travel_leaves: strips of stacked layers, or their own leaves",
          "[psqa][complexity][worked]") {
  // Ten pairs of 10 mm that go from (-20, 20) to (-21, 30), and eleven, offset by 5 mm, from (-25, 25) to (-25, 27).
  Beam beam = beam_of(
      {0, 1},
      [](std::size_t k, std::size_t) {
        return k == 0 ? std::pair{-20.0, 20.0} : std::pair{-21.0, 30.0};
      },
      10);
  beam.layers = {layer_of(-50, 10, 10), layer_of(-55, 10, 11)};
  for (std::size_t k = 0; k < 2; ++k)
    beam.control_points[k].leaves.push_back(leaves_of(
        [](std::size_t point, std::size_t) {
          return std::pair{-25.0, point == 0 ? 25.0 : 27.0};
        },
        k, 11));
  // Of 22 strips the outermost have the second layer alone, the others travel by 1 and from 20 to 27.
  const double strips = 20 * (1 + 7) + 2 * 2, physical = 10 * (1 + 10) + 11 * 2;
  CHECK(value(beam, "LTSUM_mm") == exactly(strips));
  CHECK(value(beam, "LT_mm") == exactly(strips / (20 + 22)));
  CHECK(value(beam, "LT_mm", {{"travel_mean", "pairs"}}) == exactly(strips / 22));
  const std::pair<const char*, const char*> own = {"travel_leaves", "physical"};
  CHECK(value(beam, "LTSUM_mm", {own}) == exactly(physical));
  CHECK(value(beam, "NMOV", {own}) == 10 + 10 + 11);
  CHECK(value(beam, "LT_mm", {own}) == exactly(physical / 31));
  CHECK(value(beam, "LT_mm", {own, {"travel_mean", "pairs"}}) == exactly(physical / 21));
  CHECK(value(beam, "LTi", {own}) == exactly(1 - physical / 31 / 1000));
  CHECK(value(beam, "LTMU_mm_per_MU", {own}) == exactly(physical / 100));
}
