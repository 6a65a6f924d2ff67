/// \file
/// Metrics against formulas written out here a second time, on plans small enough to follow by hand.

#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/simulator/plan_generator.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "support/catch.hpp"
#include "support/small_beams.hpp"

using namespace equipoise::psqa;
using namespace small_beams;

namespace {

double sample_deviation(const std::vector<double>& x) {
  double mean = 0, squares = 0;
  for (const double v : x) mean += v / double(x.size());
  for (const double v : x) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / double(x.size() - 1));
}

}  // namespace

TEST_CASE("an arc's speeds and rates are those of its intervals", "[psqa][complexity][worked]") {
  // 10 degree and 25 MU an interval: 2.5 s at 600 MU/min, longer than the gantry's 10 / 6 s. Bank 2 goes 5, 10, 15, 0 mm.
  const double b[5] = {20, 25, 35, 50, 50};
  Beam beam = beam_of({0, .25, .5, .75, 1}, [&](std::size_t k, std::size_t) { return std::pair{-20.0, b[k]}; });
  for (std::size_t k = 0; k < 5; ++k)
    beam.control_points[k].gantry = 10 * double(k), beam.control_points[k].rotation = Rotation::clockwise;
  const MetricList m = metrics_of(beam);
  CHECK(metric(m, "VMAX_mm_per_s") == Approx(15 / 2.5));
  CHECK(metric(m, "ARC_deg") == Approx(40));
  CHECK(metric(m, "MUDEG_MU_per_deg") == Approx(100.0 / 40));
  CHECK(metric(m, "LTSUM_mm") == Approx(20 * 30));
  CHECK(metric(m, "LTAL_mm_per_deg") == Approx(20 * 30 / 40.0));
  CHECK(metric(m, "LTMU_mm_per_MU") == Approx(20 * 30 / 100.0));
  CHECK(metric(m, "MUSEG_MU") == Approx(25));
}

TEST_CASE("MIs, MIa and MIt count what exceeds a growing share of the deviation", "[psqa][complexity][worked]") {
  // Two kinds of leaves, a dose rate that falls and a gantry whose speed changes with it.
  const double kWays[2][7] = {{0, 4, 9, 9, 12, 30, 31}, {0, 1, 2, 8, 9, 10, 24}};
  const std::vector<double> weights = {0, .1, .3, .4, .6, .85, 1};
  Beam beam = beam_of(weights, [&](std::size_t k, std::size_t l) { return std::pair{-20.0, 20 + kWays[l % 2][k]}; });
  const double gantry[7] = {0, 3, 5, 20, 22, 30, 41}, rates[7] = {600, 600, 300, 300, 600, 400, 400};
  for (std::size_t k = 0; k < 7; ++k) {
    beam.control_points[k].gantry = gantry[k], beam.control_points[k].rotation = Rotation::clockwise;
    beam.control_points[k].dose_rate = rates[k];
  }
  const ComplexityChoices choices;
  constexpr std::size_t n = 6;
  double time[n], mean_time = 0, turn[n], dose[n];
  for (std::size_t i = 0; i < n; ++i) {
    const double mu = 100 * (weights[i + 1] - weights[i]), degrees = gantry[i + 1] - gantry[i];
    time[i] = std::max(mu / (rates[i] / 60), degrees / choices.gantry_speed_deg_per_s);
    mean_time += time[i] / n, turn[i] = degrees / time[i], dose[i] = mu / time[i];
  }
  double speed = 0, acceleration = 0, total = 0;
  for (const auto& way : kWays) {
    std::vector<double> v(n), a(n), w(n);
    for (std::size_t i = 0; i < n; ++i) {
      v[i] = std::abs(way[i + 1] - way[i]) / time[i];
      a[i] = i == 0 ? 0 : std::abs(v[i] - v[i - 1]) / time[i];
      const auto weight = [](double x) { return 2 / (1 + (2 - 1) * std::exp(-x / 2)); };
      w[i] = i == 0 ? 1 : weight(std::abs(turn[i] - turn[i - 1]) / time[i]) * weight(std::abs(dose[i] - dose[i - 1]));
    }
    const double sv = sample_deviation(v), sa = sample_deviation(a), alpha = 1 / mean_time;
    // The integral over f as a sum of many thin slices, each counted as the paper does.
    constexpr int kSlices = 20000;
    for (int s = 0; s < kSlices; ++s) {
      const double f = choices.park_k * (s + 0.5) / kSlices, df = choices.park_k / kSlices;
      for (std::size_t i = 0; i < n; ++i) {
        const bool fast = v[i] > f * sv, either = fast || a[i] > alpha * f * sa;
        speed += 0.5 * df * fast / (n - 1), acceleration += 0.5 * df * either / (n - 1);
        total += 0.5 * df * either * w[i] / (n - 1);
      }
    }
  }
  const MetricList m = metrics_of(beam);
  CHECK(metric(m, "MIs") == Approx(speed).epsilon(1e-3));
  CHECK(metric(m, "MIa") == Approx(acceleration).epsilon(1e-3));
  CHECK(metric(m, "MIt") == Approx(total).epsilon(1e-3));
  CHECK(speed < acceleration);
  CHECK(acceleration < total);
}

TEST_CASE("CAM takes the distances between opposite edges in cm", "[psqa][complexity][worked]") {
  const auto square = [](double size) {
    return beam_of({0, 1}, [=](std::size_t, std::size_t l) {
      const double half = std::abs(-47.5 + 5 * double(l)) < size / 2 ? size / 2 : 0;
      return std::pair{-half, half};
    });
  };
  for (const double size : {10.0, 40.0, 100.0}) {
    const double inside = 1 - std::exp(-size / 10);
    CHECK(metric(metrics_of(square(size)), "CAM") == Approx(1 - inside * inside * inside));
  }
  // A rectangle of 30 x 90 mm beside two closed pairs.
  const Beam narrow = beam_of({0, 1}, [](std::size_t, std::size_t l) { return std::pair{10.0, l < 18 ? 40.0 : 10.0}; });
  const auto fades = [](double mm) { return 1 - std::exp(-mm / 10); };
  CHECK(metric(metrics_of(narrow), "CAM") == Approx(1 - fades(30) * fades(90) * fades(std::sqrt(30.0 * 90))));
  // Rows and columns count alike: an L of 60 mm and 20 mm thick, which is the same when turned.
  const Beam ell = beam_of({0, 1}, [](std::size_t, std::size_t l) {
    return std::pair{0.0, l < 4 || l >= 16 ? 0.0 : l < 8 ? 60.0 : 20.0};
  });
  const double distance = (fades(60) + 2 * fades(20)) / 3;
  CHECK(metric(metrics_of(ell), "CAM") == Approx(1 - distance * distance * fades(std::sqrt(2000.0))));
}

TEST_CASE("a map of two levels has the features of two levels", "[psqa][complexity][worked]") {
  // 50 MU through 100 mm, 50 through its middle 50 mm: 40 x 40 pixels of 50 MU, 20 x 20 of them of 100.
  const Beam beam = beam_of({0, .5, .5, 1}, [](std::size_t k, std::size_t l) {
    const double half = k < 2 ? 50 : l >= 5 && l < 15 ? 25 : 0;
    return std::pair{-half, half};
  });
  const MetricList m = metrics_of(beam);
  const double mean = 0.75 * 50 + 0.25 * 100, sd = std::sqrt(0.75 * 12.5 * 12.5 + 0.25 * 37.5 * 37.5);
  CHECK(metric(m, "FMAX") == Approx(100 / mean));
  CHECK(metric(m, "FCOV") == Approx(sd / mean));
  CHECK(metric(m, "FENT_bit") == Approx(-0.75 * std::log2(0.75) - 0.25 * std::log2(0.25)));
  // Of 39 x 39 neighbourhoods of 2 x 2 pixels 76 lie on an edge and 4 on a corner: more than 1 %.
  const double edge = 50 / (2.5 * 100), corner = edge / std::numbers::sqrt2;
  CHECK(metric(m, "FGRAD_mm-1") == Approx((76 * edge + 4 * corner) / (39 * 39)));
  CHECK(metric(m, "FGRAD99_mm-1") == Approx(edge));
}

TEST_CASE("a beam's description is what its file says", "[psqa][complexity][worked]") {
  Beam beam = beam_of({0, .04, 1}, [](std::size_t k, std::size_t) { return std::pair{10.0, k < 2 ? 20.0 : 40.0}; });
  beam.energy_MV = 10, beam.fff = true;
  const MetricList m = metrics_of(beam);
  CHECK(metric(m, "SEG5MU") == 1);
  CHECK(metric(m, "LEAFW_mm") == 5);
  CHECK(metric(m, "ENERGY_MV") == 10);
  CHECK(metric(m, "FFF") == 1);
  // Gaps of 10 mm with 4 MU, and halfway between 10 and 30 with 96.
  CHECK(metric(m, "SDGAP_mm") == Approx(std::sqrt(0.04 * 100 + 0.96 * 400 - std::pow(0.04 * 10 + 0.96 * 20, 2))));
  CHECK(metric(m, "MAXDISP_mm") == Approx(20));
  for (ControlPoint& cp : beam.control_points) cp.y1 = 0, cp.y2 = 30;  // an aperture beside the axis in both directions
  CHECK(metric(metrics_of(beam), "MAXDISP_mm") == Approx(25));
}

TEST_CASE("mean jaws are weighted by MU", "[psqa][complexity][worked]") {
  Beam beam = beam_of({0, 0.9, 0.9, 1}, [](std::size_t, std::size_t) { return std::pair{-20.0, 20.0}; });
  for (std::size_t k = 0; k < 4; ++k) {
    ControlPoint& cp = beam.control_points[k];
    cp.x2 = cp.y2 = k < 2 ? 50 : 25, cp.x1 = cp.y1 = -cp.x2;
  }
  CHECK(value(beam, "JAWX_mm") == exactly(0.9 * 100 + 0.1 * 50));
  CHECK(value(beam, "JAWY_mm") == exactly(95));
  CHECK(value(beam, "JAWXMAX_mm") == 100);
}

TEST_CASE("a plan whose leaves are missing is refused", "[psqa][complexity][error]") {
  Beam beam = beam_of({0, 1}, [](std::size_t, std::size_t) { return std::pair{-20.0, 20.0}; });
  Beam no_leaves = beam, short_bank = beam;
  no_leaves.control_points[1].leaves.clear();
  short_bank.control_points[0].leaves[0].b.pop_back();
  for (const Beam& b : {no_leaves, short_bank})
    CHECK_THROWS_WITH(complexity(plan_of({b})), Catch::Contains("both leaves of each pair at each control point"));
}

TEST_CASE("a plan moved along its leaves has other places, and nothing else", "[psqa][complexity][property]") {
  for (const Technique technique : {Technique::sliding_window, Technique::step_and_shoot, Technique::arc}) {
    const Plan plan = generate_plan(3, 2, "m", {}, technique);
    Plan moved = plan;
    for (Beam& b : moved.beams)
      for (ControlPoint& cp : b.control_points) {
        cp.x1 += 16, cp.x2 += 16;
        for (auto* tips : {&cp.leaves[0].a, &cp.leaves[0].b})
          for (double& t : *tips) t += 16;
      }
    const Complexity c = complexity(plan), d = complexity(moved);
    for (std::size_t i = 0; i < c.plan.size(); ++i) {
      const auto& [name, value] = c.plan[i];
      if (name == "MAD_mm" || name == "CAS" || name == "MAXDISP_mm") continue;
      INFO(name << " technique " << int(technique));
      const double other = d.plan[i].second;
      CHECK((std::isnan(value) ? std::isnan(other) : other == Approx(value).epsilon(1e-9).margin(1e-12)));
    }
    CHECK(metric(d.plan, "MAXDISP_mm") != Approx(metric(c.plan, "MAXDISP_mm")));
  }
}
