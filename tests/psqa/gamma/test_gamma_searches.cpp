#include <equipoise/psqa/gamma/gamma.hpp>
#include <equipoise/psqa/readers/plane_reader.hpp>

#include <cstring>

#include "psqa/gamma/grids.hpp"
#include "support/samples.hpp"

// What every search does, the exact one and those of others, on planes and volumes.

using namespace equipoise::psqa;
using namespace gamma_grids;
namespace eq = equipoise;

namespace {

/// Calls `f(search)` with each of the three searches.
template <class F>
void for_each_search(F&& f) {
  f(ExactMinimum<>{}), f(WendlingSearch<>{0.25}), f(ClassicSearch{});
}

/// A quarter turn of a square plane about its middle.
DoseGrid quarter_turn(const DoseGrid& g) {
  DoseGrid out = g;
  const std::size_t n = g.shape[1];
  for (std::size_t y = 0; y < n; ++y)
    for (std::size_t x = 0; x < n; ++x) out.at(0, x, n - 1 - y) = g.at(0, y, x);
  return out;
}

}  // namespace

TEST_CASE("a dose agrees with itself everywhere, whatever the search", "[psqa][gamma][property]") {
  for_each_search([](const auto& search) {
    for (const DoseGrid& g : {random_plane(1, 9, 2), random_volume(2, {4, 5, 6}, {0, 0, 0})}) {
      const GammaResult r = gamma(g, g, {.dd_percent = 1, .dta_mm = 1}, search);
      CHECK(r.pass_rate == 100);
      CHECK(r.max == Approx(0).margin(1e-6));
      CHECK(r.evaluated == g.size());
    }
  });
}

TEST_CASE("a quarter turn turns the map", "[psqa][gamma][property]") {
  const DoseGrid a = random_plane(4, 12, 2), b = random_plane(5, 12, 2);
  const GammaCriteria c{.dd_percent = 10, .dta_mm = 2, .norm = 1.5};
  const auto turns = [&](const auto& search) {
    DoseGrid map = a;
    const GammaResult plain = gamma(a, b, c, search);
    map.values.assign(plain.map.begin(), plain.map.end());
    same(gamma(quarter_turn(a), quarter_turn(b), c, search).map, quarter_turn(map).values, 1e-6);
  };
  for_each_search(turns);
}

TEST_CASE("samples that hold the grid's points are nowhere worse than the points alone", "[psqa][gamma][property]") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const DoseGrid a = random_plane(2 * seed, 10, 2), b = random_plane(2 * seed + 1, 10, 2);
    const GammaCriteria c{.dd_percent = 5, .dta_mm = 3, .norm = 1.5, .max_gamma = 3};
    const GammaResult points = gamma(a, b, c, ClassicSearch{}), samples = gamma(a, b, c, WendlingSearch<>{0.5});
    for (std::size_t i = 0; i < points.map.size(); ++i) CHECK(samples.map[i] <= points.map[i] + 1e-6F);
    same(gamma(a, b, c, WendlingSearch<>{2}).map, std::vector<double>(points.map.begin(), points.map.end()), 1e-6);
  }
}

TEST_CASE("no search's result depends on the number of threads, nor does the rate alone", "[psqa][gamma][property]") {
  const DoseGrid a = random_volume(3, {6, 17, 19}, {0, 0, 0}), b = random_volume(4, {6, 17, 19}, {0.2, 0, 0});
  const GammaCriteria c{.dd_percent = 20, .dta_mm = 2};
  for_each_search([&](const auto& search) {
    const GammaResult one = gamma(a, b, c, search, {.threads = 1});
    for (const unsigned threads : {2U, 3U, 7U}) {
      const GammaResult many = gamma(a, b, c, search, {.threads = threads});
      CHECK(many.mean == one.mean);
      CHECK(std::memcmp(many.map.data(), one.map.data(), one.map.size() * sizeof(float)) == 0);
      CHECK(gamma_pass_rate(a, b, c, search, threads) == one.pass_rate);
    }
  });
}

TEST_CASE("a search without reach or with a pitch beyond it is refused", "[psqa][gamma][error]") {
  const DoseGrid g = random_plane(1, 5, 2);
  const GammaCriteria c{.dd_percent = 2, .dta_mm = 2};
  for (const WendlingSearch<>& s : {WendlingSearch<>{-0.1}, WendlingSearch<>{0.1, -1}, WendlingSearch<>{3, 2}})
    CHECK_THROWS_WITH(gamma(g, g, c, s), Catch::Contains("expected 0 < pitch <= radius"));
  CHECK_THROWS_WITH(gamma(g, g, c, ClassicSearch{-1}), Catch::Contains("expected a search radius > 0 mm"));
  DoseGrid far = g;
  far.origin[2] = -1e308;
  CHECK_THROWS_WITH(gamma(g, far, c), Catch::Contains("expected places of the evaluated within 1e+09 mm"));
}

TEST_CASE("a film and its plan differ as they are known to", "[psqa][gamma][samples]") {
  const auto folder = support::samples("film_tps");
  if (folder.empty()) return;
  const DoseGrid film = read_csv_plane(folder / "D_FILM.csv", 1), plan = read_csv_plane(folder / "D_TPS.csv", 1);
  const double maximum = maximum_dose(plan);
  double sum = 0, squares = 0, n = 0;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const double d = 100 * (film.values[i] - plan.values[i]) / maximum;
    sum += d, squares += d * d, n += 1;
  }
  CHECK(sum / n == Approx(0.37).margin(0.005));
  CHECK(std::sqrt(squares / n - sum * sum / n / n) == Approx(1.40).margin(0.005));
}
