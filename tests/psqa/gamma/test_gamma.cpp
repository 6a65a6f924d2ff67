#include <equipoise/core/base/random.hpp>
#include <equipoise/psqa/gamma/gamma.hpp>
#include <equipoise/psqa/tg218.hpp>

#include <array>
#include <cstring>

#include "psqa/gamma/grids.hpp"
#include "support/catch.hpp"

using namespace equipoise::psqa;
using namespace gamma_grids;
namespace eq = equipoise;

TEST_CASE("a map is summed up over its numbers alone", "[psqa][gamma][worked]") {
  // γ of a flat field is the dose difference over the tolerance: these are {0.5, 0.2, 0, 1, 0.2, 1.1, 3, 0.1}.
  DoseGrid e = grid({1, 2, 5}, {1, 50, 50}, {0, 0, 0}, std::vector<double>(10, 1.0)), r = e;
  r.values = {1.5, 1.2, kNaN, 1, 2, 1.2, 2.1, kNaN, 4, 1.1};
  const GammaResult g = gamma(r, e, {.dd_percent = 100, .dta_mm = 1, .norm = 1.0, .max_gamma = 5});
  CHECK(g.evaluated == 8);
  CHECK(g.pass_rate == 75);
  CHECK(g.min == 0);
  CHECK(g.max == Approx(3));
  CHECK(g.mean == Approx(0.7625));
  CHECK(g.variance == Approx(0.86234375));
}

namespace {

/// Calls `check` with every search, the pitched ones on one absolute pitch.
template <class Check>
void every_search(Check&& check) {
  check("exact", ExactMinimum<>{});
  check("exact in double", ExactMinimum<double>{});
  check("wendling", WendlingSearch<>{.pitch_mm = 0.2});
  check("classic", ClassicSearch{});
}

constexpr GammaExecution kRateOnly{.pass_rate_only = true};

}  // namespace

TEST_CASE("a cap moves values, never the pass rate", "[psqa][gamma][property]") {
  const auto check = [](const DoseGrid& r, const DoseGrid& e, std::optional<GammaSpace> space) {
    every_search([&](const char* name, const auto& search) {
      GammaCriteria c{.dd_percent = 15, .dta_mm = 2, .cutoff_percent = 0, .norm = 1.0, .space = space};
      const GammaResult plain = gamma(r, e, c, search);
      REQUIRE(plain.pass_rate > 5);
      REQUIRE(plain.pass_rate < 95);
      for (const double cap : {0.5, 1.0, 1.0005, 1.5, 2.0}) {
        INFO(name << ", cap " << cap);
        c.max_gamma = cap;
        const GammaResult capped = gamma(r, e, c, search);
        CHECK(capped.pass_rate == plain.pass_rate);
        CHECK(capped.evaluated == plain.evaluated);
        CHECK(gamma_pass_rate(r, e, c, search) == plain.pass_rate);
        double sum = 0;
        for (std::size_t i = 0; i < plain.map.size(); ++i) {
          if (std::isnan(plain.map[i])) continue;
          const double value = std::min(double(plain.map[i]), cap);
          CHECK(double(capped.map[i]) == Approx(value).margin(2e-6));
          sum += double(capped.map[i]);
        }
        CHECK(capped.max <= cap);
        CHECK(capped.mean == Approx(sum / double(plain.evaluated)));
      }
    });
  };
  check(random_plane(1, 20, 2), random_plane(2, 20, 2), {});
  check(random_volume(1, {6, 7, 8}, {0, 0, 0}), random_volume(2, {6, 7, 8}, {0, 0, 0}), GammaSpace::volume);
  check(random_volume(1, {6, 7, 8}, {0, 0, 0}), random_volume(2, {6, 7, 8}, {0, 0, 0}), GammaSpace::slices);
}

TEST_CASE("the rate alone judges the points that the map does, near holes and between far grid points too",
          "[psqa][gamma][property]") {
  for (const double spacing : {2.0, 10.0}) {
    DoseGrid r = random_plane(1, 21, spacing / 3), e = random_plane(2, 9, spacing);
    for (std::size_t y = 2; y < 6; ++y)
      for (std::size_t x = 1; x < 7; ++x) e.at(0, y, x) = kNaN;
    every_search([&](const char* name, const auto& search) {
      for (const double cap : {0.5, 1.0, 2.0}) {
        INFO(name << ", spacing " << spacing << ", cap " << cap);
        const GammaCriteria c{.dd_percent = 20, .dta_mm = 2, .cutoff_percent = 0, .norm = 1.0, .max_gamma = cap};
        const GammaResult map = gamma(r, e, c, search), rate = gamma(r, e, c, search, kRateOnly);
        CHECK(map.out_of_reach > 0);
        CHECK(rate.out_of_reach == map.out_of_reach);
        CHECK(rate.evaluated == map.evaluated);
        CHECK(rate.pass_rate == map.pass_rate);
      }
    });
  }
}

TEST_CASE("neither rate nor reach depends on the cap, with holes and cells larger than the reach too",
          "[psqa][gamma][property]") {
  const auto check = [](const DoseGrid& r, const DoseGrid& e) {
    const auto judged = [&](double cap) {
      return gamma(r, e, {.dd_percent = 5, .dta_mm = 1, .cutoff_percent = 0, .norm = 1.0, .max_gamma = cap});
    };
    const GammaResult uncapped = judged(30);
    CHECK(uncapped.max > 2);
    for (const double cap : {1.0, 2.0, 4.0}) {
      INFO("cap " << cap);
      const GammaResult g = judged(cap);
      for (std::size_t i = 0; i < g.map.size(); ++i)
        if (!std::isnan(g.map[i]))
          CHECK(double(g.map[i]) == Approx(std::min(double(uncapped.map[i]), cap)).margin(2e-6));
      // Each point within a cell without a hole has a value, however far doses are apart.
      std::size_t judged_inside = 0;
      for (std::size_t y = 0; y < r.shape[1]; ++y)
        for (std::size_t x = 0; x < r.shape[2]; ++x) {
          const double px = (r.origin[2] + r.spacing[2] * double(x) - e.origin[2]) / e.spacing[2],
                       py = (r.origin[1] + r.spacing[1] * double(y) - e.origin[1]) / e.spacing[1];
          if (px < 1.01 || py < 1.01 || px > double(e.shape[2] - 1) || py > double(e.shape[1] - 1)) continue;
          CHECK_FALSE(std::isnan(g.map[y * r.shape[2] + x]));
          ++judged_inside;
        }
      CHECK(judged_inside > 20);
    }
  };
  DoseGrid e = random_plane(2, 8, 12);
  e.at(0, 0, 0) = kNaN;
  check(random_plane(1, 25, 3.1), e);
}

TEST_CASE("single precision decides as double does, also where the criterion is a part in ten thousand",
          "[psqa][gamma][property]") {
  DoseGrid reference = DoseGrid::plane(60, 60, 2), evaluated = reference;
  for (const double percent : {1.0, 0.1, 0.01}) {
    for (std::size_t i = 0; i < reference.values.size(); ++i)
      reference.values[i] = 70,
      evaluated.values[i] = 70 * (1 + percent / 100 * (1 + 2e-3 * (eq::to_uniform(eq::hash_of({8, i})) - 0.5)));
    const GammaCriteria c{.dd_percent = percent, .dta_mm = 1e-3, .norm = 70.0};
    INFO(percent << " %");
    CHECK(gamma_pass_rate(reference, evaluated, c) == gamma_pass_rate(reference, evaluated, c, ExactMinimum<double>{}));
  }
}

TEST_CASE("a plane agrees with itself everywhere", "[psqa][gamma][property]") {
  const DoseGrid g = random_plane(1, 20, 2);
  const GammaResult r = gamma(g, g, {});
  CHECK(r.pass_rate == 100);
  CHECK(r.max == Approx(0).margin(1e-6));
}

TEST_CASE("on a flat field gamma is the dose difference over the tolerance", "[psqa][gamma][property]") {
  DoseGrid a = DoseGrid::plane(15, 15, 2), b = a;
  std::fill(a.values.begin(), a.values.end(), 1.0);
  std::fill(b.values.begin(), b.values.end(), 1.015);
  CHECK(gamma(a, b, {.dd_percent = 2, .dta_mm = 2, .norm = 1.0}).mean == Approx(0.75));
}

TEST_CASE("on a ramp gamma is |e| / sqrt(tol^2 + slope^2 dta^2)", "[psqa][gamma][property]") {
  DoseGrid a = DoseGrid::plane(41, 41, 1), b = a;
  const double slope = 0.02, shift = 0.9;
  for (std::size_t y = 0; y < 41; ++y)
    for (std::size_t x = 0; x < 41; ++x)
      a.at(0, y, x) = 0.5 + slope * double(x), b.at(0, y, x) = 0.5 + slope * (double(x) + shift);
  const GammaResult r = gamma(a, b, {.dd_percent = 3, .dta_mm = 3, .norm = 1.0});
  CHECK(r.map[20 * 41 + 20] == Approx(slope * shift / std::sqrt(0.03 * 0.03 + slope * slope * 9)).margin(1e-6));
}

TEST_CASE("a steep ramp leaves the distance, a level one the dose", "[psqa][gamma][property]") {
  const auto middle = [](double slope, double error) {
    DoseGrid a = DoseGrid::plane(41, 41, 1), b = a;
    for (std::size_t y = 0; y < 41; ++y)
      for (std::size_t x = 0; x < 41; ++x)
        a.at(0, y, x) = 0.5 + slope * double(x), b.at(0, y, x) = a.at(0, y, x) + error;
    const GammaResult g = gamma(a, b, {.dd_percent = 3, .dta_mm = 3, .norm = 1.0}, ExactMinimum<double>{});
    CHECK(g.map[20 * 41 + 20] == Approx(error / std::hypot(0.03, 3 * slope)).margin(1e-6));
    return double(g.map[20 * 41 + 20]);
  };
  const double error = 0.021, shift = 1.2;
  double to_dose = 1, to_distance = 1;  // how far from the limits
  for (const double slope : {1e-2, 1e-3, 1e-4, 1e-5}) {
    const double left = error / 0.03 - middle(slope, error);
    CHECK(left >= -1e-6);
    CHECK(left < to_dose);
    to_dose = left;
  }
  CHECK(to_dose < 1e-5);
  for (const double slope : {1e-1, 1.0, 10.0, 100.0}) {
    const double left = shift / 3 - middle(slope, slope * shift);
    CHECK(left >= -1e-6);
    CHECK(left < to_distance);
    to_distance = left;
  }
  CHECK(to_distance < 1e-5);
}

TEST_CASE("a larger search radius never raises a value, and reaches more points", "[psqa][gamma][property]") {
  DoseGrid e = random_plane(11, 12, 2);
  for (std::size_t i = 0; i < e.size(); i += 5) e.values[i] = kNaN;
  DoseGrid r = random_plane(12, 16, 2);
  const GammaCriteria c{.dd_percent = 5, .dta_mm = 2, .cutoff_percent = 0, .norm = 1.0, .max_gamma = 100};
  const auto check = [&](const auto& search_of) {
    std::vector<float> before(r.size(), std::numeric_limits<float>::infinity());
    std::size_t reached = 0;
    for (const double radius : {1.0, 2.0, 3.0, 5.0, 9.0}) {
      const GammaResult g = gamma(r, e, c, search_of(radius));
      CHECK(g.evaluated >= reached);
      CHECK(g.evaluated + g.out_of_reach == g.points);
      reached = g.evaluated;
      for (std::size_t i = 0; i < r.size(); ++i) {
        CHECK_FALSE((!std::isinf(before[i]) && std::isnan(g.map[i])));
        if (std::isnan(g.map[i])) continue;
        CHECK(g.map[i] <= before[i]);
        before[i] = g.map[i];
      }
    }
  };
  check([](double radius) { return WendlingSearch<>{0.25, radius}; });
  check([](double radius) { return ClassicSearch{radius}; });
}

TEST_CASE("a higher cut-off leaves fewer points, those at or above it", "[psqa][gamma][property]") {
  DoseGrid a = random_plane(21, 16, 2), b = random_plane(22, 16, 2);
  for (double& v : a.values) v -= 0.5;
  std::size_t before = a.size() + 1;
  for (const double cutoff : {0.0, 5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 95.0, 150.0}) {
    const GammaResult g = gamma(a, b, {.dd_percent = 20, .cutoff_percent = cutoff, .norm = 1.0});
    CHECK(g.evaluated < before);
    CHECK(g.evaluated + g.out_of_reach ==
          std::size_t(std::count_if(a.values.begin(), a.values.end(), [&](double v) { return v >= cutoff / 100; })));
    before = g.evaluated;
  }
  CHECK(before == 0);
}

TEST_CASE("single and double precision find the same minimum, in groups and alone", "[psqa][gamma][property]") {
  // Grids of every relation: the same, shifted, finer, with holes.
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    DoseGrid e = random_plane(seed, 23, 2), r = random_plane(seed + 500, 21, seed % 2 ? 2 : 1.3);
    if (seed % 3 == 1) r.origin = {0, -18.6, -20.2};
    if (seed % 3 == 2)
      for (std::size_t i = 0; i < e.values.size(); i += 17) e.values[i] = kNaN;
    const GammaCriteria c{.dd_percent = 15, .dta_mm = 2.5, .local = seed % 2 == 0, .cutoff_percent = 0, .norm = 1.0};
    const GammaResult one = gamma(r, e, c), two = gamma(r, e, c, ExactMinimum<double>{});
    CHECK(one.evaluated == two.evaluated);
    CHECK(one.pass_rate == two.pass_rate);
    for (std::size_t i = 0; i < one.map.size(); ++i)
      if (!std::isnan(two.map[i])) CHECK(double(one.map[i]) == Approx(double(two.map[i])).margin(2e-6));
  }
}

TEST_CASE("the result does not depend on the number of threads", "[psqa][gamma][property]") {
  const DoseGrid a = random_volume(3, {6, 17, 19}, {0, 0, 0}), b = random_volume(4, {6, 17, 19}, {0.2, 0, 0});
  const GammaCriteria c{.dd_percent = 20, .dta_mm = 2};
  const GammaResult one = gamma(a, b, c, ExactMinimum<>{}, {.threads = 1});
  for (const unsigned threads : {2U, 3U, 7U}) {
    const GammaResult many = gamma(a, b, c, ExactMinimum<>{}, {.threads = threads});
    CHECK(many.mean == one.mean);
    CHECK(many.variance == one.variance);
    CHECK(std::memcmp(many.map.data(), one.map.data(), one.map.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("a classic value is never below a pitched one, nor that below the exact one on a plane of triangles",
          "[psqa][gamma][property]") {
  // Doses linear in x and y: bilinear and piecewise linear interpolants are the same.
  DoseGrid e = DoseGrid::plane(15, 15, 1), r = e;
  for (std::size_t y = 0; y < 15; ++y)
    for (std::size_t x = 0; x < 15; ++x)
      e.at(0, y, x) = 1 + 0.03 * double(x) - 0.02 * double(y),
                 r.at(0, y, x) = e.at(0, y, x) + 0.02 * double((x + y) % 3);
  const GammaCriteria c{.dd_percent = 2, .dta_mm = 2, .norm = 1.0, .max_gamma = 3};
  const GammaResult exact = gamma(r, e, c, ExactMinimum<double>{}), pitched = gamma(r, e, c, WendlingSearch<>{0.1, 6}),
                    classic = gamma(r, e, c, ClassicSearch{});
  for (std::size_t i = 0; i < exact.map.size(); ++i) {
    CHECK(classic.map[i] >= pitched.map[i] - 1e-6);
    CHECK(pitched.map[i] >= exact.map[i] - 1e-6);
    CHECK(pitched.map[i] <= exact.map[i] + 0.05);
  }
  same(gamma(r, e, c, WendlingSearch<>{1, 6}).map, std::vector<double>(classic.map.begin(), classic.map.end()), 1e-6);
}

TEST_CASE("local is never below global where no dose exceeds the norm, and a larger error moves gamma by no more",
          "[psqa][gamma][property]") {
  const DoseGrid a = random_plane(7, 14, 2), b = random_plane(8, 14, 2);
  const GammaCriteria global{.dd_percent = 10, .dta_mm = 2, .cutoff_percent = 0, .norm = 1.5, .max_gamma = 50};
  GammaCriteria local = global;
  local.local = true;
  const GammaResult g = gamma(a, b, global), l = gamma(a, b, local);
  for (std::size_t i = 0; i < g.map.size(); ++i) CHECK(l.map[i] >= g.map[i] - 1e-6);
  DoseGrid moved = b;
  for (std::size_t i = 0; i < b.values.size(); ++i) moved.values[i] += 0.03 * eq::to_uniform(eq::hash_of({9, i}));
  const GammaResult m = gamma(a, moved, global);
  for (std::size_t i = 0; i < g.map.size(); ++i) CHECK(std::abs(m.map[i] - g.map[i]) <= 0.03 / 0.15 + 1e-5);
}

TEST_CASE("a mirror image has the mirror image of the map", "[psqa][gamma][property]") {
  const auto check = [](const DoseGrid& r, const DoseGrid& e) {
    const GammaCriteria c{.dd_percent = 15, .dta_mm = 2, .cutoff_percent = 0, .norm = 1.0};
    every_search([&](const char* name, const auto& search) {
      const std::vector<float> plain = gamma(r, e, c, search).map;
      const std::vector<double> map(plain.begin(), plain.end());
      for (std::size_t axis = r.shape[0] > 1 ? 0 : 1; axis < 3; ++axis) {
        INFO(name << ", axis " << axis);
        same(gamma(mirrored(r, axis), mirrored(e, axis), c, search).map, mirrored(r, map, axis).values, 2e-6);
      }
    });
  };
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    DoseGrid moved = random_plane(seed, 11, 2);  // points amid cells, as well as on their corners
    check(moved, random_plane(seed + 10, 11, 2));
    moved.origin[1] += 0.3, moved.origin[2] -= 0.9;
    check(moved, random_plane(seed + 10, 11, 2));
  }
  for (const double off : {0.0, 0.3})
    check(random_volume(21, {4, 5, 6}, {off, -off, 2 * off}), random_volume(22, {4, 5, 6}, {0, 0, 0}));
}

TEST_CASE("exchanging the axes of volumes exchanges those of the map", "[psqa][gamma][property]") {
  const DoseGrid a = random_volume(31, {4, 5, 6}, {0.3, 0.2, -0.4}), b = random_volume(32, {4, 5, 6}, {0, 0, 0});
  const GammaCriteria c{.dd_percent = 20, .dta_mm = 2, .norm = 1.0};
  std::array<std::size_t, 3> order = {0, 1, 2};
  const auto exchanged = [&](const DoseGrid& g, const auto& values) {
    DoseGrid out = g;
    for (std::size_t k = 0; k < 3; ++k)
      out.shape[k] = g.shape[order[k]], out.spacing[k] = g.spacing[order[k]], out.origin[k] = g.origin[order[k]];
    std::array<std::size_t, 3> i{};
    for (i[0] = 0; i[0] < g.shape[0]; ++i[0])
      for (i[1] = 0; i[1] < g.shape[1]; ++i[1])
        for (i[2] = 0; i[2] < g.shape[2]; ++i[2])
          out.at(i[order[0]], i[order[1]], i[order[2]]) = values[(i[0] * g.shape[1] + i[1]) * g.shape[2] + i[2]];
    return out;
  };
  every_search([&](const char* name, const auto& search) {
    const std::vector<float> plain = gamma(a, b, c, search).map;
    std::sort(order.begin(), order.end());
    do {
      INFO(name << ", axes " << order[0] << order[1] << order[2]);
      same(gamma(exchanged(a, a.values), exchanged(b, b.values), c, search).map, exchanged(a, plain).values, 2e-6);
    } while (std::next_permutation(order.begin(), order.end()));
  });
}

TEST_CASE("a step that is moved by less than the distance passes", "[psqa][gamma][property]") {
  DoseGrid a = DoseGrid::plane(41, 41, 0.5), b = a;
  for (std::size_t y = 0; y < 41; ++y)
    for (std::size_t x = 0; x < 41; ++x) a.at(0, y, x) = x < 20 ? 1 : 0.1, b.at(0, y, x) = x < 23 ? 1 : 0.1;
  const GammaResult g = gamma(a, b, {.dd_percent = 2, .dta_mm = 2, .norm = 1.0});
  CHECK(g.max <= 1.5 / 2 + 1e-6);
}

TEST_CASE("points without evaluated dose in reach have no value, and are counted", "[psqa][gamma][behaviour]") {
  const DoseGrid e = random_plane(1, 8, 2);
  DoseGrid r = random_plane(2, 16, 2);
  const GammaCriteria c{.dd_percent = 20, .dta_mm = 2, .cutoff_percent = 0, .norm = 1.0, .max_gamma = 2};
  const GammaResult g = gamma(r, e, c);
  CHECK(g.out_of_reach > 0);
  CHECK(g.evaluated + g.out_of_reach == g.points);
  CHECK(gamma(r, e, c, ExactMinimum<>{}, {.pass_rate_only = true}).evaluated == g.evaluated);
  CHECK(gamma(r, e, c, WendlingSearch<>{0.2}).evaluated <= g.evaluated);
}

TEST_CASE("a tighter criterion never passes more, and the quick rate is the rate", "[psqa][gamma][property]") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const DoseGrid a = random_plane(seed, 16, 2), b = random_plane(seed + 99, 16, 2);
    every_search([&](const char* name, const auto& search) {
      double before = 101;
      for (const auto& [dd, dta] : {std::pair{30.0, 3.0}, {20.0, 3.0}, {20.0, 2.0}, {10.0, 1.0}}) {
        INFO(name << ", " << dd << " %/" << dta << " mm");
        const GammaCriteria c{.dd_percent = dd, .dta_mm = dta};
        const double rate = gamma(a, b, c, search).pass_rate;
        CHECK(rate <= before);
        CHECK(gamma_pass_rate(a, b, c, search) == rate);
        before = rate;
      }
    });
  }
}

TEST_CASE("gamma does not change when doses, or places, are scaled or moved together", "[psqa][gamma][property]") {
  const DoseGrid a = random_plane(1, 12, 2), b = random_plane(2, 12, 2);
  const GammaCriteria c{.dd_percent = 20, .dta_mm = 2};
  const GammaResult plain = gamma(a, b, c);
  DoseGrid a2 = a, b2 = b;
  for (double& v : a2.values) v *= 3;
  for (double& v : b2.values) v *= 3;
  CHECK(gamma(a2, b2, c).mean == Approx(plain.mean));
  DoseGrid a3 = a, b3 = b;
  a3.origin[1] += 7, b3.origin[1] += 7;
  CHECK(gamma(a3, b3, c).mean == Approx(plain.mean));
  DoseGrid a4 = a, b4 = b;
  a4.spacing = b4.spacing = {1, 4, 4};
  for (auto* g : {&a4, &b4}) g->origin = {0, 2 * g->origin[1], 2 * g->origin[2]};
  CHECK(gamma(a4, b4, {.dd_percent = 20, .dta_mm = 4}).mean == Approx(plain.mean));
}

TEST_CASE("points are evaluated or not, and none gives no rate", "[psqa][gamma][behaviour]") {
  const DoseGrid a = random_plane(1, 10, 2), b = random_plane(2, 10, 2);
  const GammaResult r = gamma(a, b, {.cutoff_percent = 60});
  CHECK(r.evaluated < r.points);
  CHECK(std::size_t(std::count_if(r.map.begin(), r.map.end(), [](float v) { return std::isnan(v); })) ==
        r.points - r.evaluated);
  CHECK(std::isnan(gamma(a, b, {.cutoff_percent = 200}).pass_rate));
  CHECK_THROWS_AS(gamma(a, b, {.dd_percent = 0}), eq::ValueError);
  CHECK_THROWS_AS(gamma(a, b, {.dta_mm = -1}), eq::ValueError);
  DoseGrid volume = a;
  volume.shape = {2, 5, 10};
  CHECK_THROWS_AS(gamma(volume, b, {.space = GammaSpace::plane}), eq::ShapeError);
  volume.values.pop_back();
  CHECK_THROWS_AS(gamma(volume, b, {}), eq::ShapeError);
  CHECK_THROWS_AS(gamma(a, b, {}, WendlingSearch<>{3, 2}), eq::ValueError);
  CHECK_THROWS_AS(gamma(a, b, {.norm = 0.0}), eq::ValueError);
  CHECK_THROWS_AS(gamma(a, b, {.max_gamma = 0}), eq::ValueError);
}

TEST_CASE("control limits follow TG-218", "[psqa][gamma][worked]") {
  const std::vector<double> rates = {98, 96, 99, 97, 95, 98, 60};
  const ControlChart c = control_chart(rates);
  CHECK(c.mean == Approx(643.0 / 7));
  CHECK(c.moving_range == Approx((2 + 3 + 2 + 2 + 3 + 38) / 6.0));
  CHECK(c.tolerance == Approx(643.0 / 7 - 2.66 * 50 / 6));
  CHECK(c.action == Approx(100 - 3 * std::sqrt(c.sd * c.sd + (c.mean - 100) * (c.mean - 100))));
  CHECK(c.below_universal_action == 1);
  CHECK(c.out_of_control == std::vector<std::size_t>{6});
  CHECK_THROWS_AS(control_chart(std::vector<double>{98}), eq::ValueError);
  CHECK_THROWS_AS(control_chart(std::vector<double>{98, 101}), eq::ValueError);
}
