#include <equipoise/core/random.hpp>
#include <equipoise/psqa/gamma.hpp>
#include <equipoise/psqa/plane_reader.hpp>
#include <equipoise/psqa/rtdose_reader.hpp>
#include <equipoise/psqa/tg218.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <cstring>
#include <fstream>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;

namespace {

/// Axes z, y, x throughout.
DoseGrid grid(std::array<std::size_t, 3> shape, std::array<double, 3> spacing, std::array<double, 3> origin,
              std::vector<double> values) {
  return {shape, spacing, origin, std::move(values)};
}

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void same(const std::vector<float>& got, const std::vector<double>& expected, double margin) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO("value " << i);
    if (std::isnan(expected[i]))
      CHECK(std::isnan(got[i]));
    else
      CHECK(double(got[i]) == Approx(expected[i]).epsilon(0).margin(margin * std::max(1.0, expected[i])));
  }
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

// The arrays of psqa.md 3.4: facts from the unit tests of yagit, which computes in single precision; they hold to a few
// units of their sixth decimal.
namespace arrays {

const DoseGrid kReference2 = grid({1, 2, 2}, {1, 2, 2}, {0, 0, -1}, {0.93, 0.95, 0.97, 1.00});
const DoseGrid kEvaluated2 = grid({1, 2, 2}, {1, 2, 2}, {0, 1, 0}, {0.93, 0.96, 0.90, 1.02});
const DoseGrid kReference3 =
    grid({2, 2, 3}, {1.5, 2, 2.5}, {-0.2, -5.8, 4.4}, {0.2, 0.64, 0.3, 0.5, 0.43, 0.6, 0.4, 0.7, 0.28, 1.4, 0.8, 0.9});
const DoseGrid kEvaluated3 = grid({2, 2, 3}, {1.5, 2, 2.5}, {-0.3, -6.0, 4.5},
                                  {0.24, 0.68, 0.2, 0.67, 0.9, 0.6, 1.0, 0.8, 0.34, 0.8, 0.99, 0.83});

GammaCriteria criteria(double dd, double dta, bool local, double norm, double cutoff = 0) {
  return {.dd_percent = dd, .dta_mm = dta, .local = local, .cutoff_percent = cutoff, .norm = norm, .max_gamma = 100};
}
template <class Search>
void plane(double dd, double dta, bool local, const Search& search, const std::vector<double>& expected,
           double cutoff = 0) {
  same(gamma(kReference2, kEvaluated2, criteria(dd, dta, local, 1.0, cutoff), search).map, expected, 3e-6);
}
template <class Search>
void volume(double dd, double dta, bool local, GammaSpace space, const Search& search,
            const std::vector<double>& expected) {
  GammaCriteria c = criteria(dd, dta, local, 1.4);
  c.space = space;
  same(gamma(kReference3, kEvaluated3, c, search).map, expected, 4e-6);
}

}  // namespace arrays

TEST_CASE("the classic method gives the published arrays of a plane", "[psqa][gamma][worked]") {
  const ClassicSearch s;
  arrays::plane(3, 3, false, s, {0.471405, 0.577350, 1.105542, 0.816497});
  arrays::plane(2, 1, false, s, {1.414214, 1.500000, 2.449490, 1.732051});
  arrays::plane(3, 3, true, s, {0.471405, 0.587654, 1.108694, 0.816497});
  arrays::plane(2, 1, true, s, {1.414214, 1.508976, 2.500250, 1.732051});
  arrays::plane(3, 3, false, s, {kNaN, 0.577350, 1.105542, 0.816497}, 95);
}

TEST_CASE("the search on a pitch gives the published arrays of a plane", "[psqa][gamma][worked]") {
  arrays::plane(3, 3, false, WendlingSearch{0.3, 5}, {0.566480, 0.416667, 0.774175, 0.364283});
  arrays::plane(2, 1, false, WendlingSearch{0.1, 5}, {1.414214, 1.020110, 2.160501, 0.966035});
  arrays::plane(3, 3, true, WendlingSearch{0.3, 5}, {0.566604, 0.418427, 0.776983, 0.364283});
  arrays::plane(2, 1, true, WendlingSearch{0.1, 5}, {1.414214, 1.021731, 2.169777, 0.966035});
  arrays::plane(2, 1, false, WendlingSearch{0.1, 1.2}, {kNaN, 1.020110, 2.578760, 0.966035});
}

TEST_CASE("grids of different spacing give the published arrays", "[psqa][gamma][worked]") {
  DoseGrid r = arrays::kReference2, e = arrays::kEvaluated2;
  r.spacing = {1, 2, 3}, e.spacing = {4, 5, 6};
  r.origin = e.origin = {0, 0, 0};
  const GammaCriteria c = arrays::criteria(3, 3, false, 1.0);
  same(gamma(r, e, c, ClassicSearch{}).map, {0, 1.054093, 1.490712, 1.563472}, 3e-6);
  same(gamma(r, e, c, WendlingSearch{0.3, 10}).map, {0, 0.153659, 1.158348, 0.944144}, 3e-6);
}

TEST_CASE("volumes give the published arrays", "[psqa][gamma][worked]") {
  const GammaSpace v = GammaSpace::volume;
  arrays::volume(3, 3, false, v, ClassicSearch{},
                 {0.955874, 0.955875, 1.063185, 2.926515, 2.469515, 0.081650, 2.221795, 0.718858, 1.430903, 9.552117,
                  0.734847, 0.963789});
  arrays::volume(2, 1, true, v, ClassicSearch{},
                 {5.104899, 3.134587, 6.815749, 11.227647, 11.094082, 0.244949, 9.072486, 2.156574, 8.810813, 14.454812,
                  2.204540, 2.891366});
  arrays::volume(3, 3, false, v, WendlingSearch{0.3, 10},
                 {2.074477, 0.231435, 0.112103, 0.472046, 0.849464, 0.195100, 0.554398, 0.342783, 0.572041, 10.501846,
                  0.485433, 0.520314});
  arrays::volume(2, 1, false, v, WendlingSearch{0.1, 10},
                 {1.449419, 0.245707, 0.152745, 1.012473, 2.492108, 0.244949, 1.332712, 0.663393, 0.748604, 14.454813,
                  1.366185, 0.941340});
  arrays::volume(2, 1, false, v, WendlingSearch{0.1, 1.2},
                 {1.449419, 0.245707, 0.152745, 1.012473, 10.567875, 0.244949, 3.517255, 0.663393, 0.748604, 18.190111,
                  1.794948, 0.941340});
}

TEST_CASE("slices give the published arrays", "[psqa][gamma][worked]") {
  arrays::volume(3, 3, false, GammaSpace::slices, WendlingSearch{0.3, 10},
                 {2.074477, 0.235322, 0.568673, 0.472046, 0.849464, 0.195100, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN});
}

TEST_CASE("a map is summed up over its numbers alone", "[psqa][gamma][worked]") {
  // γ of a flat field is the dose difference over the tolerance: these are {0.5, 0.2, 0, 1, 0.2, 1.1, 3, 0.1}.
  DoseGrid e = grid({1, 2, 5}, {1, 50, 50}, {0, 0, 0}, std::vector<double>(10, 1.0)), r = e;
  r.values = {1.5, 1.2, kNaN, 1, 2, 1.2, 2.1, kNaN, 4, 1.1};
  const GammaResult g = gamma(r, e, {.dd_percent = 100, .dta_mm = 1, .norm = 1.0, .max_gamma = 5});
  CHECK(g.evaluated == 8);
  CHECK(g.pass_rate == 75);
  CHECK(g.least == 0);
  CHECK(g.max == Approx(3));
  CHECK(g.mean == Approx(0.7625));
  CHECK(g.variance == Approx(0.86234375));
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

namespace {

DoseGrid random_volume(std::uint64_t seed, std::array<std::size_t, 3> shape, std::array<double, 3> origin) {
  DoseGrid g = grid(shape, {2, 1.5, 1.7}, origin, {});
  for (std::size_t i = 0; i < g.size(); ++i) g.values.push_back(0.5 + eq::to_uniform(eq::hash_of({seed, i})));
  return g;
}

/// The least Γ of one tetrahedron by a cyclic descent over its barycentric edges: slow, and nothing like the search.
double tetrahedron(const std::array<std::array<double, 4>, 4>& v) {
  std::array<double, 4> w = {0.25, 0.25, 0.25, 0.25};
  const auto point = [&] {
    std::array<double, 4> p{};
    for (int i = 0; i < 4; ++i)
      for (int k = 0; k < 4; ++k) p[k] += w[i] * v[i][k];
    return p;
  };
  for (int round = 0; round < 400; ++round)
    for (int i = 0; i < 4; ++i)
      for (int j = i + 1; j < 4; ++j) {
        const auto p = point();
        double along = 0, length = 0;  // move weight from i to j
        for (int k = 0; k < 4; ++k) {
          const double d = v[j][k] - v[i][k];
          along += p[k] * d, length += d * d;
        }
        const double step = std::clamp(-along / length, -w[j], w[i]);
        w[i] -= step, w[j] += step;
      }
  double square = 0;
  for (const double x : point()) square += x * x;
  return std::sqrt(square);
}

double brute_force_volume(const DoseGrid& e, const std::array<double, 3>& at, double dose, double tol, double dta) {
  double best = 1e9;
  for (std::size_t z = 0; z + 1 < e.shape[0]; ++z)
    for (std::size_t y = 0; y + 1 < e.shape[1]; ++y)
      for (std::size_t x = 0; x + 1 < e.shape[2]; ++x) {
        std::array<int, 3> order = {0, 1, 2};
        do {
          std::array<std::size_t, 3> corner = {z, y, x};
          std::array<std::array<double, 4>, 4> v{};
          for (int i = 0; i < 4; ++i) {
            for (std::size_t k = 0; k < 3; ++k)
              v[i][k] = (e.origin[k] + double(corner[k]) * e.spacing[k] - at[k]) / dta;
            v[i][3] = (e.at(corner[0], corner[1], corner[2]) - dose) / tol;
            if (i < 3) ++corner[std::size_t(order[i])];
          }
          best = std::min(best, tetrahedron(v));
        } while (std::next_permutation(order.begin(), order.end()));
      }
  return best;
}

}  // namespace

TEST_CASE("the exact search of a volume is the minimum over its tetrahedra", "[psqa][gamma][property]") {
  const DoseGrid e = random_volume(1, {3, 4, 5}, {0, 0, 0});
  for (const double off : {0.0, 0.4}) {
    const DoseGrid r = random_volume(2, {3, 4, 5}, {off, -off, off});
    const GammaCriteria c{.dd_percent = 10, .dta_mm = 2, .cutoff_percent = 0, .norm = 1.0, .max_gamma = 50};
    const GammaResult g = gamma(r, e, c), fine = gamma(r, e, c, ExactMinimum<double>{});
    for (std::size_t i = 0; i < g.map.size(); i += 7) {
      const std::size_t z = i / 20, y = i / 5 % 4, x = i % 5;
      const std::array<double, 3> at = {r.origin[0] + 2 * double(z), r.origin[1] + 1.5 * double(y),
                                        r.origin[2] + 1.7 * double(x)};
      const double brute = brute_force_volume(e, at, r.values[i], 0.1, 2);
      CHECK(double(fine.map[i]) == Approx(brute).margin(1e-5));
      CHECK(double(g.map[i]) == Approx(double(fine.map[i])).margin(2e-6));
    }
  }
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
  const GammaResult exact = gamma(r, e, c, ExactMinimum<double>{}), pitched = gamma(r, e, c, WendlingSearch{0.1, 6}),
                    classic = gamma(r, e, c, ClassicSearch{});
  for (std::size_t i = 0; i < exact.map.size(); ++i) {
    CHECK(classic.map[i] >= pitched.map[i] - 1e-6);
    CHECK(pitched.map[i] >= exact.map[i] - 1e-6);
    CHECK(pitched.map[i] <= exact.map[i] + 0.05);
  }
  same(gamma(r, e, c, WendlingSearch{1, 6}).map, std::vector<double>(classic.map.begin(), classic.map.end()), 1e-6);
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

TEST_CASE("turning, mirroring and exchanging axes turns the map with them", "[psqa][gamma][property]") {
  const DoseGrid a = random_plane(4, 11, 2), b = random_plane(5, 11, 2);
  const auto transposed = [](const DoseGrid& g) {
    DoseGrid out = g;
    for (std::size_t y = 0; y < 11; ++y)
      for (std::size_t x = 0; x < 11; ++x) out.at(0, x, y) = g.at(0, y, x);
    return out;
  };
  const auto turned = [](const DoseGrid& g) {
    DoseGrid out = g;
    std::reverse(out.values.begin(), out.values.end());
    return out;
  };
  const GammaCriteria c{.dd_percent = 20, .dta_mm = 2};
  const GammaResult plain = gamma(a, b, c);
  // The cells' diagonal keeps its direction under these two; a mirror would lay it the other way.
  CHECK(gamma(transposed(a), transposed(b), c).mean == Approx(plain.mean).epsilon(1e-6));
  CHECK(gamma(turned(a), turned(b), c).mean == Approx(plain.mean).epsilon(1e-6));
  const GammaResult pitched = gamma(a, b, c, WendlingSearch{0.2});
  DoseGrid am = a, bm = b;
  for (DoseGrid* g : {&am, &bm})
    for (std::size_t y = 0; y < 11; ++y)
      std::reverse(g->values.begin() + std::ptrdiff_t(y * 11), g->values.begin() + std::ptrdiff_t(y * 11 + 11));
  CHECK(gamma(am, bm, c, WendlingSearch{0.2}).mean == Approx(pitched.mean).epsilon(1e-9));
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
  CHECK(gamma(r, e, c, WendlingSearch{0.2}).evaluated <= g.evaluated);
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
  CHECK_THROWS_AS(gamma(volume, b, {.space = GammaSpace::plane}), eq::ShapeError);
  volume.values.pop_back();
  CHECK_THROWS_AS(gamma(volume, b, {}), eq::ShapeError);
  CHECK_THROWS_AS(gamma(a, b, {}, WendlingSearch{3, 2}), eq::ValueError);
  CHECK_THROWS_AS(gamma(a, b, {.norm = 0.0}), eq::ValueError);
  CHECK_THROWS_AS(gamma(a, b, {.max_gamma = 0}), eq::ValueError);
}

TEST_CASE("pairs of planes with known pass rates", "[psqa][gamma][samples]") {
  const auto folder = support::samples("gamma_agnew_mcgarry");
  if (folder.empty()) return;
  struct Known {
    const char *reference, *evaluated;
    double dd, dta;
    bool local;
    double cutoff, rate;
    std::size_t points;
  };
  const char *hn_r = "H&N_VMAT_Reference_1mmPx.dcm", *hn_e = "H&N_VMAT_Evaluated_1mmPx.dcm";
  const char *pr_r = "ProstateIMRT_Reference_1mmPx.dcm", *pr_e = "ProstateIMRT_Evaluated_1mmPx.dcm";
  const char *sq = "GeometricSquare_Reference_1mmPx.dcm", *sq_dd = "GeometricSquare_Evaluated_1mmPx_DD_Test.dcm",
             *sq_dta = "GeometricSquare_Evaluated_1mmPx_DTA_Test.dcm";
  for (const Known& k : {Known{hn_r, hn_e, 3, 3, false, 10, 99.963, 18924},
                         {hn_r, hn_e, 2, 3, false, 10, 99.900, 18924},
                         {hn_r, hn_e, 2, 2, false, 10, 99.815, 18924},
                         {hn_r, hn_e, 1, 1, true, 20, 93.52, 15370},
                         {pr_r, pr_e, 3, 3, false, 10, 99.844, 3842},
                         {pr_r, pr_e, 2, 3, false, 10, 99.766, 3842},
                         {pr_r, pr_e, 2, 2, false, 10, 99.792, 3842},
                         {pr_r, pr_e, 1, 1, true, 20, 95.45, 0},
                         {sq, sq_dd, 1, 1, true, 20, 96.0, 0},
                         {sq, sq_dta, 1, 1, true, 20, 92.314, 0},
                         {sq, sq_dta, 2, 2, false, 10, 92.616, 0}}) {
    INFO(k.reference << " " << k.dd << " %/" << k.dta << " mm");
    const DoseGrid r = read_rtdose(folder / k.reference), e = read_rtdose(folder / k.evaluated);
    GammaCriteria c{.dd_percent = k.dd, .dta_mm = k.dta, .local = k.local, .cutoff_percent = k.cutoff};
    c.norm = *std::max_element(r.values.begin(), r.values.end());
    const GammaResult g = gamma(r, e, c, WendlingSearch{});
    if (k.points) CHECK(g.evaluated == k.points);
    CHECK(g.pass_rate == Approx(k.rate).epsilon(0).margin(0.006));
    // The exact minimum is nowhere larger than a search on a pitch, but for the diagonal that cuts its cells.
    CHECK(gamma_pass_rate(r, e, c) >= g.pass_rate - 0.3);
  }
}

TEST_CASE("film against plan: what is reference matters", "[psqa][gamma][samples]") {
  const auto folder = support::samples("film_tps");
  if (folder.empty()) return;
  const DoseGrid film = read_csv_plane(folder / "D_FILM.csv", 1), plan = read_csv_plane(folder / "D_TPS.csv", 1);
  REQUIRE(film.shape[1] * film.shape[2] == 105 * 145);
  GammaCriteria c{.dd_percent = 2, .dta_mm = 2};
  c.norm = *std::max_element(plan.values.begin(), plan.values.end());
  CHECK(gamma(film, plan, c, WendlingSearch{}).pass_rate == Approx(98.12).margin(0.1));
  CHECK(gamma(plan, film, c, WendlingSearch{}).pass_rate == Approx(99.88).margin(0.1));
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
