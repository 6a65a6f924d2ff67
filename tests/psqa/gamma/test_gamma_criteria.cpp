/// \file
/// Criteria as texts, the distribution of a map's values, and its worst points.

#include <equipoise/psqa/gamma/distribution.hpp>
#include <equipoise/psqa/gamma/gamma.hpp>
#include <equipoise/psqa/gamma/tolerance.hpp>
#include <equipoise/psqa/gamma/worst_points.hpp>

#include <cmath>
#include <limits>
#include <numeric>

#include "support/catch.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;

TEST_CASE("a dose difference is in % or in Gy, a number alone is in %", "[psqa][gamma][worked]") {
  for (const char* text : {"3", "3%", "3 %", " 3.0% "})
    CHECK(parse_dose_tolerance(text, "") == DoseTolerance{3, false});
  for (const char* text : {"0.05Gy", "0.05 Gy", "5cGy", "5 cGy"}) {
    CHECK(parse_dose_tolerance(text, "").value == Approx(0.05));
    CHECK(parse_dose_tolerance(text, "").gray);
  }
  for (const char* text : {"", "%", "-3%", "0", "3mm", "nan", "inf", "3 percent", "Gy", "3%%", "0.05 gy/mm"})
    CHECK_THROWS_WITH(parse_dose_tolerance(text, "--dd"), Catch::Contains("--dd"));
  CHECK(text_of(DoseTolerance{3, false}) == "3 %");
  CHECK(text_of(DoseTolerance{0.05, true}) == "0.05 Gy");
}

TEST_CASE("criteria are written with a slash, with units or without", "[psqa][gamma][worked]") {
  for (const char* text : {"3%/2mm", "3/2", "3 %/2 mm", "3%/2 mm"})
    CHECK(parse_gamma_criterion(text, "") == GammaCriterion{{3, false}, 2});
  CHECK(parse_gamma_criterion("0.05Gy/1.5mm", "") == GammaCriterion{{0.05, true}, 1.5});
  CHECK(text_of(GammaCriterion{{3, false}, 2}) == "3 %/2 mm");
  for (const char* text : {"3", "3%", "3%2mm", "3%/", "/2mm", "3%/2cm", "3%/2mm/1", "3mm/2%", "3%/0", "a.dcm"})
    CHECK_THROWS_WITH(parse_gamma_criterion(text, "--criteria"), Catch::Contains("--criteria"));
}

TEST_CASE("a tolerance in Gy is its share of the norm", "[psqa][gamma][worked]") {
  CHECK(DoseTolerance{0.06, true}.percent_of(2) == Approx(3));
  CHECK(DoseTolerance{3, false}.percent_of(7) == 3);
  DoseGrid a = DoseGrid::plane(3, 3, 5), b = a;
  for (std::size_t i = 0; i < 9; ++i) a.values[i] = 2, b.values[i] = 2.05;
  GammaCriteria c{.dd_percent = DoseTolerance{0.05, true}.percent_of(2.05), .dta_mm = 1};
  const GammaResult r = gamma(a, b, c);
  CHECK(r.mean == Approx(1));  // 0.05 Gy apart, with a tolerance of 0.05 Gy
  CHECK(r.pass_rate == 100);
}

TEST_CASE("a histogram's bins end at a pass and hold every judged point once", "[psqa][gamma][worked]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> map = {0, 0.1F, 0.2F, nan, 1, 1.0001F, 2, 2, 0.95F};
  const GammaDistribution d = gamma_distribution(map, 2);
  REQUIRE(d.edges.size() == 21);
  REQUIRE(d.counts.size() == 20);
  CHECK(d.edges[10] == 1);
  CHECK(d.edges.back() == 2);
  CHECK(d.counts[0] == 2);  // 0 and 0.1
  CHECK(d.counts[1] == 1);
  CHECK(d.counts[9] == 2);   // 0.95 and 1, which passes
  CHECK(d.counts[10] == 1);  // the first that fails
  CHECK(d.counts[19] == 2);
  CHECK(std::accumulate(d.counts.begin(), d.counts.end(), std::size_t{0}) == 8);
  CHECK(d.median == Approx((0.95 + 1) / 2));
  CHECK(d.p95 == Approx(2));
  for (const double cap : {0.35, 1.0, 3.0, 25.0}) {
    const GammaDistribution of = gamma_distribution(std::vector<float>{0, static_cast<float>(cap)}, cap);
    CHECK(of.edges.size() == of.counts.size() + 1);
    CHECK(of.edges.back() == cap);
    CHECK(of.counts.back() == 1);
  }
  CHECK(std::isnan(gamma_distribution(std::vector<float>{nan}, 2).median));
}

TEST_CASE("worst points lie apart, and of those at the cap the largest differences come first",
          "[psqa][gamma][behaviour]") {
  DoseGrid a = DoseGrid::plane(1, 21, 1), b = a;
  std::vector<float> map(21, 0.5F);
  for (std::size_t i = 0; i < 21; ++i) a.values[i] = b.values[i] = 2;
  map[2] = map[3] = map[12] = 2, a.values[3] = 3, a.values[12] = 5;
  const std::vector<GammaPoint> p = worst_points(a, b, map, 0, 3, 4);
  REQUIRE(p.size() == 3);
  CHECK(p[0].place[2] == Approx(2));  // column 12, 3 Gy apart
  CHECK(p[0].reference == 5);
  CHECK(p[0].evaluated == 2);
  CHECK(p[1].place[2] == Approx(-7));  // column 3; column 2 lies too near
  CHECK(p[2].gamma == Approx(0.5));
  map.assign(21, 0);
  CHECK(worst_points(a, b, map, 0, 3, 4).empty());
}
