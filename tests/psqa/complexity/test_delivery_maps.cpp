/// \file
/// Delivery maps of fields that can be followed by hand, and the laws that they keep.

#include <equipoise/psqa/complexity/delivery_maps.hpp>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/small_beams.hpp"

using namespace equipoise::psqa;
using namespace small_beams;

namespace {

using enum DeliveryChannel;
constexpr PlaneGeometry kPlane{.pixels = 60, .spacing_mm = 2};  // -60 .. 60 mm, borders at even numbers

/// The row or column of the pixel whose middle is at an odd number of mm.
std::size_t at(double mm) {
  return static_cast<std::size_t>((mm + 59) / 2);
}

/// 100 MU; the pairs of y = -30 .. 30 have these tips, the others abut on the axis. Jaws at 40 mm.
Beam window(const std::vector<double>& weights, const std::vector<std::pair<double, double>>& tips) {
  return within(beam_of(weights,
                        [&](std::size_t k, std::size_t l) {
                          return l < 4 || l > 15 ? std::pair{0.0, 0.0} : tips[k];
                        }),
                -40, 40, -40, 40);
}

DeliveryMaps maps_of(const Beam& beam, const PlaneGeometry& plane = kPlane) {
  return delivery_maps(plan_of({beam}), plane);
}

double sum(const DeliveryMaps& maps, DeliveryChannel channel) {
  double out = 0;
  for (const float v : maps.channel(channel)) out += v;
  return out;
}

void check_same(const DeliveryMaps& a, const DeliveryMaps& b) {
  REQUIRE(a.values.size() == b.values.size());
  double farthest = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    farthest = std::max(farthest, std::abs(static_cast<double>(a.values[i]) - b.values[i]));
  CHECK(farthest < 1e-4);  // of about 100: float32
}

}  // namespace

TEST_CASE("delivery maps of one static square field: every channel by hand", "[psqa][complexity][worked]") {
  const DeliveryMaps m = maps_of(window({0, 1}, {{-30, 30}, {-30, 30}}));
  REQUIRE(m.values.size() == kDeliveryChannels * 60 * 60);
  // In the middle of the field.
  CHECK(m.at(open, at(1), at(1)) == Approx(100));
  CHECK(m.at(over_gap, at(1), at(1)) == Approx(100.0 / 60));
  CHECK(m.at(leaf_ends, at(1), at(1)) == 0);
  CHECK(m.at(leaf_sides, at(1), at(1)) == 0);
  CHECK(m.at(leaf_speed, at(1), at(1)) == 0);
  CHECK(m.at(behind_leaves, at(1), at(1)) == Approx(0).margin(1e-5));
  // The ends lie between two pixels for 100 MU: 25 MU/mm in both, and the same for the sides above and below the field.
  for (const double x : {-31, -29, 29, 31}) {
    CHECK(m.at(leaf_ends, at(1), at(x)) == Approx(25));
    CHECK(m.at(leaf_sides, at(x), at(1)) == Approx(25));
  }
  CHECK(m.at(leaf_ends, at(1), at(33)) == 0);
  CHECK(m.at(leaf_ends, at(31), at(29)) == 0);
  CHECK(m.at(leaf_sides, at(33), at(1)) == 0);
  CHECK(m.at(leaf_sides, at(29), at(31)) == 0);
  CHECK(sum(m, leaf_ends) * 4 == Approx(100.0 * 2 * 60));   // MU times mm of ends
  CHECK(sum(m, leaf_sides) * 4 == Approx(100.0 * 2 * 60));  // MU times mm of sides
  CHECK(sum(m, leaf_speed) == 0);
  // Between the field and the jaws, and beyond the jaws.
  for (const auto& [y, x] : {std::pair{1, 35}, {35, 1}, {35, 35}}) {
    CHECK(m.at(open, at(y), at(x)) == Approx(0).margin(1e-5));
    CHECK(m.at(behind_leaves, at(y), at(x)) == Approx(100));
  }
  for (const auto& [y, x] : {std::pair{1, 41}, {41, 1}}) CHECK(m.at(behind_leaves, at(y), at(x)) == 0);
  CHECK(sum(m, behind_leaves) * 4 == Approx(100.0 * (80 * 80 - 60 * 60)));
}

TEST_CASE("delivery maps of a sliding window of constant gap", "[psqa][complexity][worked]") {
  // 20 mm wide, over 60 mm in 100 MU: 10 s at 600 MU/min, so 6 mm/s.
  const DeliveryMaps m = maps_of(window({0, 1}, {{-40, -20}, {20, 40}}));
  for (const double x : {-19, 1, 19}) {
    CHECK(m.at(open, at(1), at(x)) == Approx(100.0 * 20 / 60));
    CHECK(m.at(over_gap, at(1), at(x)) == Approx(100.0 / 60));
    CHECK(m.at(behind_leaves, at(1), at(x)) == Approx(100 - 100.0 * 20 / 60));
  }
  // Both ends pass the middle, one of them each border.
  CHECK(m.at(leaf_ends, at(1), at(1)) == Approx(2 * 100.0 / 60));
  CHECK(m.at(leaf_ends, at(1), at(-31)) == Approx(100.0 / 60));
  CHECK(m.at(leaf_ends, at(1), at(31)) == Approx(100.0 / 60));
  for (const double x : {-31, 1, 31}) CHECK(m.at(leaf_speed, at(1), at(x)) == Approx(6));
  // Neighbours move together; the outermost have a closed one beside them.
  CHECK(m.at(leaf_sides, at(1), at(1)) == Approx(0).margin(1e-5));
  CHECK(m.at(leaf_sides, at(29), at(1)) == Approx(100.0 * 20 / 60 / 4));
  // MU over the gap, summed along a row, are the beam's MU.
  double row = 0;
  for (std::size_t x = 0; x < 60; ++x) row += 2 * m.at(over_gap, at(1), x);
  CHECK(row == Approx(100));
}

TEST_CASE("a leaf end that goes on and one that waits have the mean of their speeds by MU",
          "[psqa][complexity][worked]") {
  // Both ends move 20 mm in 50 MU (4 mm/s), then rest for 50 MU: 2.5 MU/mm at 4 mm/s each, and 50 MU at rest.
  const DeliveryMaps m = maps_of(window({0, .5, 1}, {{-39, -19}, {-19, 1}, {-19, 1}}));
  CHECK(m.at(leaf_speed, at(1), at(-29)) == Approx(4));
  const double passing = 2.5 * 0.5, resting = 25;  // half of a pixel's width of way; 50 MU in 2 mm
  CHECK(m.at(leaf_ends, at(1), at(1)) == Approx(passing + resting));
  CHECK(m.at(leaf_speed, at(1), at(1)) == Approx(4 * passing / (passing + resting)));
}

TEST_CASE("neighbours that open one after the other share a side for as long", "[psqa][complexity][worked]") {
  // Pairs below y = 0 are open for the first 60 MU, those above for the last 70: 30 MU together.
  const Beam beam = beam_of({0, .3, .3, .6, .6, 1}, [](std::size_t k, std::size_t l) {
    const bool opens = l < 10 ? k < 4 : k > 1;
    return opens ? std::pair{-20.0, 20.0} : std::pair{0.0, 0.0};
  });
  const DeliveryMaps m = maps_of(beam);
  CHECK(m.at(open, at(-25), at(1)) == Approx(60));
  CHECK(m.at(open, at(25), at(1)) == Approx(70));
  // 60 + 70 - 2 * 30 = 70 MU with one of them open, between two rows of 2 mm.
  CHECK(m.at(leaf_sides, at(1), at(1)) == Approx(70.0 / 4));
  CHECK(m.at(leaf_sides, at(-1), at(1)) == Approx(70.0 / 4));
}

TEST_CASE("jaws hide leaves: ends beyond them, rows under them", "[psqa][complexity][worked]") {
  Beam beam = window({0, 1}, {{-30, 30}, {-30, 30}});
  for (ControlPoint& cp : beam.control_points) cp.x2 = 20, cp.y2 = 29;
  const DeliveryMaps m = maps_of(beam);
  CHECK(m.at(leaf_ends, at(1), at(-29)) == Approx(25));
  CHECK(m.at(leaf_ends, at(1), at(29)) == 0);
  CHECK(m.at(leaf_ends, at(1), at(19)) == 0);
  CHECK(m.at(over_gap, at(1), at(1)) == Approx(100.0 / 50));  // of the opening that is left
  CHECK(m.at(open, at(29), at(1)) == Approx(50));             // half of the pixel
  CHECK(m.at(leaf_sides, at(29), at(1)) == 0);
  CHECK(m.at(leaf_sides, at(-29), at(1)) == Approx(25));
}

TEST_CASE("of a leaf end at a jaw half counts: an error outwards lies under it", "[psqa][complexity][worked]") {
  const DeliveryMaps m = maps_of(within(window({0, 1}, {{-30, 30}, {-30, 30}}), -30, 40, -40, 40));
  CHECK(m.at(leaf_ends, at(1), at(-29)) == Approx(12.5));
  CHECK(m.at(leaf_ends, at(1), at(29)) == Approx(25));
}

TEST_CASE("a leaf's side at a jaw counts where the open one of its neighbours lies between the jaws",
          "[psqa][complexity][worked]") {
  const Beam beam = window({0, 1}, {{-30, 30}, {-30, 30}});
  CHECK(maps_of(within(beam, -40, 40, -40, 30)).at(leaf_sides, at(29), at(1)) == Approx(25));
  CHECK(maps_of(within(beam, -40, 40, 30, 50)).at(leaf_sides, at(31), at(1)) == 0);
}

TEST_CASE("maps are turned by the collimator's angle, counter-clockwise", "[psqa][complexity][property]") {
  Beam beam = window({0, .4, 1}, {{0, 5}, {10, 30}, {12, 35}});
  beam.control_points[1].y1 = -12.5;
  const DeliveryMaps straight = maps_of(beam);
  const auto turned_by = [&](double degree) {
    Beam turned = beam;
    for (ControlPoint& cp : turned.control_points) cp.collimator = degree;
    return turned;
  };
  const DeliveryMaps quarter = maps_of(turned_by(90));
  double farthest = 0;
  for (std::size_t c = 0; c < kDeliveryChannels; ++c)
    for (std::size_t y = 0; y < 60; ++y)
      for (std::size_t x = 0; x < 60; ++x) {
        const auto channel = static_cast<DeliveryChannel>(c);
        farthest = std::max(farthest,
                            std::abs(static_cast<double>(quarter.at(channel, y, x)) - straight.at(channel, 59 - x, y)));
      }
  CHECK(farthest == 0);
  CHECK(straight.at(open, at(1), at(21)) > 10);  // on the right
  CHECK(quarter.at(open, at(21), at(1)) > 10);   // above
  check_same(maps_of(turned_by(90), {.pixels = 60, .spacing_mm = 2, .turned = false}), straight);
  check_same(maps_of(turned_by(-270)), quarter);
  const DeliveryMaps oblique = maps_of(turned_by(30));
  for (const DeliveryChannel c : {open, over_gap, leaf_ends, leaf_sides, behind_leaves})
    CHECK(sum(oblique, c) == Approx(sum(straight, c)).epsilon(0.01));
  for (const float v : oblique.values) CHECK_FALSE(v < 0);
}

TEST_CASE("a collimator that turns during a beam turns each part", "[psqa][complexity][property]") {
  Beam beam = window({0, .5, .5, 1}, {{10, 30}, {10, 30}, {10, 30}, {10, 30}});
  beam.control_points[2].collimator = beam.control_points[3].collimator = 90;
  const DeliveryMaps m = maps_of(beam);
  CHECK(m.at(open, at(1), at(25)) == Approx(50));
  CHECK(m.at(open, at(25), at(1)) == Approx(50));
}

TEST_CASE("a collimator that turns evenly is taken in parts of one degree, at the speed of the whole interval",
          "[psqa][complexity][property]") {
  const auto turning = [](Beam beam, const std::vector<double>& collimator) {
    for (std::size_t k = 0; k < collimator.size(); ++k) {
      ControlPoint& cp = beam.control_points[k];
      cp.collimator = collimator[k], cp.gantry = 90 * cp.weight, cp.rotation = Rotation::clockwise;
    }
    return beam;
  };
  const Beam whole = window({0, 1}, {{-40, -20}, {20, 40}}), beam = turning(whole, {0, 3}),
             still = turning(whole, {0, 0}),
             cut = turning(window({0, 1. / 3, 1}, {{-40, -20}, {-20, 0}, {20, 40}}), {0, 1, 3});
  check_same(maps_of(cut), maps_of(beam));
  CHECK(maps_of(beam).at(leaf_speed, at(1), at(1)) ==
        Approx(maps_of(still).at(leaf_speed, at(1), at(1))).epsilon(0.01));
}

TEST_CASE("leaves along y have the maps of leaves along x, x and y exchanged", "[psqa][complexity][property]") {
  const Beam beam = window({0, .4, 1}, {{0, 5}, {10, 30}, {12, 35}});
  Beam along_y = beam;
  along_y.layers[0].axis = LeafAxis::y;
  for (ControlPoint& cp : along_y.control_points) std::swap(cp.x1, cp.y1), std::swap(cp.x2, cp.y2);
  const DeliveryMaps x = maps_of(beam), y = maps_of(along_y);
  for (std::size_t c = 0; c < kDeliveryChannels; ++c)
    CHECK(y.at(static_cast<DeliveryChannel>(c), at(5), at(21)) == x.at(static_cast<DeliveryChannel>(c), at(21), at(5)));
  CHECK(y.at(open, at(21), at(5)) > 10);
}

TEST_CASE("maps do not depend on how intervals are cut, nor on the order of beams", "[psqa][complexity][property]") {
  const Beam whole = window({0, 1}, {{-40, -20}, {20, 40}}),
             cut = window({0, .25, 1}, {{-40, -20}, {-25, -5}, {20, 40}}), other = window({0, 1}, {{-3, 22}, {-7, 31}});
  check_same(maps_of(cut), maps_of(whole));
  check_same(delivery_maps(plan_of({whole, other}), kPlane), delivery_maps(plan_of({other, whole}), kPlane));
}

TEST_CASE("a leaf is never faster than a machine", "[psqa][complexity][behaviour]") {
  const Beam beam = window({0, .01, 1}, {{-40, -20}, {20, 40}, {20, 40}});  // 60 mm in 0.1 s
  CHECK(maps_of(beam).at(leaf_speed, at(1), at(1)) == Approx(50));
  CHECK(delivery_maps(plan_of({beam}), kPlane, {.leaf_speed_mm_per_s = 25}).at(leaf_speed, at(1), at(1)) == Approx(25));
}

TEST_CASE("a plan without MU has empty maps, and a plane without pixels is refused", "[psqa][complexity][error]") {
  Beam beam = window({0, 1}, {{-40, -20}, {20, 40}});
  beam.mu = 0;
  for (const float v : maps_of(beam).values) CHECK(v == 0);
  CHECK_THROWS_WITH(delivery_maps(plan_of({beam}), {.pixels = 0}), Catch::Contains("pixels >= 1"));
  CHECK_THROWS_WITH(delivery_maps(plan_of({beam}), {.spacing_mm = -1}), Catch::Contains("> 0 mm"));
}
