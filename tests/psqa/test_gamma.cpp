#include <equipoise/core/random.hpp>
#include <equipoise/psqa/gamma.hpp>
#include <equipoise/psqa/rtdose_reader.hpp>

#include <nlohmann/json.hpp>

#include <fstream>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;

namespace {

DoseGrid small(std::vector<double> values, double y, double x) {
  return {{1, 2, 2}, {1, 2, 2}, {0, y, x}, std::move(values)};
}
const DoseGrid kReference = small({0.93, 0.95, 0.97, 1.00}, 0, -1), kEvaluated = small({0.93, 0.96, 0.90, 1.02}, 1, 0);

void same(const std::vector<float>& got, const std::vector<double>& expected, double margin) {
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(got[i] == Approx(expected[i]).margin(margin));
}

DoseGrid random_plane(std::uint64_t seed, std::size_t n, double spacing) {
  DoseGrid g = DoseGrid::plane(n, n, spacing);
  for (std::size_t i = 0; i < g.values.size(); ++i) g.values[i] = 0.5 + eq::to_uniform(eq::hash_of({seed, i}));
  return g;
}

/// The minimum over a fine grid of the interpolant on triangles: an independent, slow answer that can only be larger.
double brute_force(const DoseGrid& e, double x, double y, double dose, double tol, double dta) {
  double best = 1e9;
  constexpr int steps = 60;
  for (std::size_t j = 0; j + 1 < e.shape[1]; ++j)
    for (std::size_t i = 0; i + 1 < e.shape[2]; ++i)
      for (int v = 0; v <= steps; ++v)
        for (int u = 0; u <= steps; ++u) {
          const double fx = double(u) / steps, fy = double(v) / steps;
          const double d00 = e.at(0, j, i), d10 = e.at(0, j, i + 1), d01 = e.at(0, j + 1, i),
                       d11 = e.at(0, j + 1, i + 1);
          const double d =
              fx >= fy ? d00 + fx * (d10 - d00) + fy * (d11 - d10) : d00 + fy * (d01 - d00) + fx * (d11 - d01);
          const double dx = (double(i) + fx - x) * e.spacing[2], dy = (double(j) + fy - y) * e.spacing[1];
          best = std::min(best, std::sqrt((dx * dx + dy * dy) / (dta * dta) + (d - dose) * (d - dose) / (tol * tol)));
        }
  return best;
}

}  // namespace

TEST_CASE("the pitch-based search gives the published arrays", "[psqa][gamma][worked]") {
  const auto run = [](double dd, double dta, bool local, double radius, double pitch) {
    const GammaCriteria c{.dd_percent = dd, .dta_mm = dta, .local = local, .norm = 1.0, .max_gamma = 100};
    return gamma(kReference, kEvaluated, c, WendlingSearch(kEvaluated, c, pitch, radius)).map;
  };
  // The source computes in single precision: the values agree to a few units in its sixth digit.
  same(run(3, 3, false, 5, 0.3), {0.566480, 0.416667, 0.774175, 0.364283}, 3e-6);
  same(run(2, 1, false, 5, 0.1), {1.414214, 1.020110, 2.160501, 0.966035}, 3e-6);
  same(run(3, 3, true, 5, 0.3), {0.566604, 0.418427, 0.776983, 0.364283}, 3e-6);
  same(run(2, 1, true, 5, 0.1), {1.414214, 1.021731, 2.169777, 0.966035}, 3e-6);
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

TEST_CASE("the exact search is the minimum of the interpolant", "[psqa][gamma][property]") {
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const DoseGrid a = random_plane(seed, 8, 1.5), b = random_plane(seed + 50, 8, 1.5);
    const GammaCriteria c{.dd_percent = 10, .dta_mm = 2, .cutoff_percent = 0, .norm = 1.0, .max_gamma = 50};
    const GammaResult r = gamma(a, b, c);
    for (std::size_t y = 0; y < 8; y += 3)
      for (std::size_t x = 0; x < 8; x += 3) {
        const double brute = brute_force(b, double(x), double(y), a.at(0, y, x), 0.1, 2);
        CHECK(r.map[y * 8 + x] <= brute + 1e-6);
        // The brute force's grid is 1.5 / 60 mm and 1/60 of a cell's dose step wide: it misses the minimum by less than
        // this.
        CHECK(r.map[y * 8 + x] >= brute - 0.5 * (1.5 / 60 / 2 + 1.0 / 60 / 0.1));
      }
  }
}

TEST_CASE("a tighter criterion never passes more, and the quick rate is the rate", "[psqa][gamma][property]") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const DoseGrid a = random_plane(seed, 16, 2), b = random_plane(seed + 99, 16, 2);
    double before = 101;
    for (const auto& [dd, dta] : {std::pair{30.0, 3.0}, {20.0, 3.0}, {20.0, 2.0}, {10.0, 1.0}}) {
      const GammaCriteria c{.dd_percent = dd, .dta_mm = dta};
      const double rate = gamma(a, b, c).pass_rate;
      CHECK(rate <= before);
      CHECK(gamma_pass_rate(a, b, c) == rate);
      before = rate;
    }
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
  CHECK_THROWS_AS(gamma(volume, b, {}), eq::ShapeError);
}

TEST_CASE("pairs of planes with known pass rates", "[psqa][gamma][samples]") {
  const auto folder = support::samples("gamma_agnew_mcgarry");
  if (folder.empty()) return;
  const auto rate = [&](const char* reference, const char* evaluated, GammaCriteria c) {
    const DoseGrid r = read_rtdose(folder / reference), e = read_rtdose(folder / evaluated);
    c.norm = *std::max_element(r.values.begin(), r.values.end());
    return gamma(r, e, c, WendlingSearch(e, c, c.dta_mm / 10, c.max_gamma * c.dta_mm)).pass_rate;
  };
  const char *hn_r = "H&N_VMAT_Reference_1mmPx.dcm", *hn_e = "H&N_VMAT_Evaluated_1mmPx.dcm";
  CHECK(rate(hn_r, hn_e, {.dd_percent = 3, .dta_mm = 3}) == Approx(99.963).margin(0.02));
  CHECK(rate(hn_r, hn_e, {.dd_percent = 2, .dta_mm = 2}) == Approx(99.815).margin(0.02));
  const char *pr_r = "ProstateIMRT_Reference_1mmPx.dcm", *pr_e = "ProstateIMRT_Evaluated_1mmPx.dcm";
  CHECK(rate(pr_r, pr_e, {.dd_percent = 2, .dta_mm = 2}) == Approx(99.792).margin(0.03));
}
