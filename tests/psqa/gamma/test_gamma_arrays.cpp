#include <equipoise/psqa/gamma/gamma.hpp>

#include <vector>

#include "psqa/gamma/grids.hpp"
#include "support/catch.hpp"

using namespace equipoise::psqa;
using namespace gamma_grids;

// The arrays of psqa.md 3.4: facts from the unit tests of yagit, which computes in single precision, to the six digits
// that it prints. In double precision the search on a pitch differs from them by what single precision rounds: two doses
// of about one, each rounded by up to 6e-8, differ by up to 1.2e-7, which is 4e-6 of a tolerance of 0.03.
namespace arrays {

const DoseGrid kReference2 = grid({1, 2, 2}, {1, 2, 2}, {0, 0, -1}, {0.93, 0.95, 0.97, 1.00});
const DoseGrid kEvaluated2 = grid({1, 2, 2}, {1, 2, 2}, {0, 1, 0}, {0.93, 0.96, 0.90, 1.02});
const DoseGrid kReference3 =
    grid({2, 2, 3}, {1.5, 2, 2.5}, {-0.2, -5.8, 4.4}, {0.2, 0.64, 0.3, 0.5, 0.43, 0.6, 0.4, 0.7, 0.28, 1.4, 0.8, 0.9});
const DoseGrid kEvaluated3 = grid({2, 2, 3}, {1.5, 2, 2.5}, {-0.3, -6.0, 4.5},
                                  {0.24, 0.68, 0.2, 0.67, 0.9, 0.6, 1.0, 0.8, 0.34, 0.8, 0.99, 0.83});

constexpr double margin_of(const ClassicSearch&) {
  return 1e-6;
}
constexpr double margin_of(const WendlingSearch<float>&) {
  return 1e-6;
}
constexpr double margin_of(const WendlingSearch<double>&) {
  return 3e-6;
}

/// A search on a pitch in both precisions.
struct Pitched {
  double pitch_mm, radius_mm;
};

GammaCriteria criteria(double dd, double dta, bool local, double norm, double cutoff = 0) {
  return {.dd_percent = dd, .dta_mm = dta, .local = local, .cutoff_percent = cutoff, .norm = norm, .max_gamma = 100};
}
template <class Search>
void check(const DoseGrid& r, const DoseGrid& e, const GammaCriteria& c, const Search& search,
           const std::vector<double>& expected) {
  same(gamma(r, e, c, search).map, expected, margin_of(search));
}
void check(const DoseGrid& r, const DoseGrid& e, const GammaCriteria& c, const Pitched& s,
           const std::vector<double>& expected) {
  check(r, e, c, WendlingSearch<float>{s.pitch_mm, s.radius_mm}, expected);
  check(r, e, c, WendlingSearch<double>{s.pitch_mm, s.radius_mm}, expected);
}
template <class Search>
void plane(double dd, double dta, bool local, const Search& search, const std::vector<double>& expected,
           double cutoff = 0) {
  check(kReference2, kEvaluated2, criteria(dd, dta, local, 1.0, cutoff), search, expected);
}
template <class Search>
void volume(double dd, double dta, bool local, GammaSpace space, const Search& search,
            const std::vector<double>& expected) {
  GammaCriteria c = criteria(dd, dta, local, 1.4);
  c.space = space;
  check(kReference3, kEvaluated3, c, search, expected);
}

}  // namespace arrays

TEST_CASE("the classic method gives the published arrays of a plane", "[psqa][gamma][worked]") {
  const ClassicSearch s{100};  // yagit's has no limit: points further than the dta from the grid have a value
  arrays::plane(3, 3, false, s, {0.471405, 0.577350, 1.105542, 0.816497});
  arrays::plane(2, 1, false, s, {1.414214, 1.500000, 2.449490, 1.732051});
  arrays::plane(3, 3, true, s, {0.471405, 0.587654, 1.108694, 0.816497});
  arrays::plane(2, 1, true, s, {1.414214, 1.508976, 2.500250, 1.732051});
  arrays::plane(3, 3, false, s, {kNaN, 0.577350, 1.105542, 0.816497}, 95);
}

TEST_CASE("the search on a pitch gives the published arrays of a plane", "[psqa][gamma][worked]") {
  arrays::plane(3, 3, false, arrays::Pitched{0.3, 5}, {0.566480, 0.416667, 0.774175, 0.364283});
  arrays::plane(2, 1, false, arrays::Pitched{0.1, 5}, {1.414214, 1.020110, 2.160501, 0.966035});
  arrays::plane(3, 3, true, arrays::Pitched{0.3, 5}, {0.566604, 0.418427, 0.776983, 0.364283});
  arrays::plane(2, 1, true, arrays::Pitched{0.1, 5}, {1.414214, 1.021731, 2.169777, 0.966035});
  arrays::plane(2, 1, false, arrays::Pitched{0.1, 1.2}, {kNaN, 1.020110, 2.578760, 0.966035});
}

TEST_CASE("grids of different spacing give the published arrays", "[psqa][gamma][worked]") {
  DoseGrid r = arrays::kReference2, e = arrays::kEvaluated2;
  r.spacing = {1, 2, 3}, e.spacing = {4, 5, 6};
  r.origin = e.origin = {0, 0, 0};
  const GammaCriteria c = arrays::criteria(3, 3, false, 1.0);
  arrays::check(r, e, c, ClassicSearch{}, {0, 1.054093, 1.490712, 1.563472});
  arrays::check(r, e, c, arrays::Pitched{0.3, 10}, {0, 0.153659, 1.158348, 0.944144});
}

TEST_CASE("volumes give the published arrays", "[psqa][gamma][worked]") {
  const GammaSpace v = GammaSpace::volume;
  arrays::volume(3, 3, false, v, ClassicSearch{},
                 {0.955874, 0.955875, 1.063185, 2.926515, 2.469515, 0.081650, 2.221795, 0.718858, 1.430903, 9.552117,
                  0.734847, 0.963789});
  arrays::volume(2, 1, true, v, ClassicSearch{},
                 {5.104899, 3.134587, 6.815749, 11.227647, 11.094082, 0.244949, 9.072486, 2.156574, 8.810813, 14.454812,
                  2.204540, 2.891366});
  arrays::volume(3, 3, false, v, arrays::Pitched{0.3, 10},
                 {2.074477, 0.231435, 0.112103, 0.472046, 0.849464, 0.195100, 0.554398, 0.342783, 0.572041, 10.501846,
                  0.485433, 0.520314});
  arrays::volume(2, 1, false, v, arrays::Pitched{0.1, 10},
                 {1.449419, 0.245707, 0.152745, 1.012473, 2.492108, 0.244949, 1.332712, 0.663393, 0.748604, 14.454813,
                  1.366185, 0.941340});
  arrays::volume(2, 1, false, v, arrays::Pitched{0.1, 1.2},
                 {1.449419, 0.245707, 0.152745, 1.012473, 10.567875, 0.244949, 3.517255, 0.663393, 0.748604, 18.190111,
                  1.794948, 0.941340});
}

TEST_CASE("slices give the published arrays", "[psqa][gamma][worked]") {
  // The second frame lies beyond the evaluated volume: a slice cannot be interpolated there, a frame can be near.
  arrays::volume(3, 3, false, GammaSpace::slices, ClassicSearch{},
                 {0.955874, 0.955875, 2.171209, 2.926515, 4.140035, 0.081650, 2.221795, 2.382353, 1.430903, 9.552117,
                  0.734847, 1.668665});
  arrays::volume(3, 3, false, GammaSpace::slices, arrays::Pitched{0.3, 10},
                 {2.074477, 0.235322, 0.568673, 0.472046, 0.849464, 0.195100, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN});
}

TEST_CASE("a frame further than the dta beyond the volume is out of the classic search's reach",
          "[psqa][gamma][behaviour]") {
  const DoseGrid e = grid({2, 2, 2}, {10, 1, 1}, {0, 0, 0}, std::vector<double>(8, 1.0));
  DoseGrid r = grid({4, 2, 2}, {5, 1, 1}, {0, 0, 0}, std::vector<double>(16, 1.0));
  GammaCriteria c{.dd_percent = 3, .dta_mm = 6};
  c.space = GammaSpace::slices;
  const GammaResult near = gamma(r, e, c, ClassicSearch{});
  for (std::size_t i = 0; i < 16; ++i) CHECK(double(near.map[i]) == Approx(i / 4 % 2 == 1 ? 5.0 / 6 : 0));
  // The second frame lies within the volume, between two frames: it is judged, and fails.
  c.dta_mm = 3;
  const GammaResult far = gamma(r, e, c, ClassicSearch{});
  for (std::size_t i = 0; i < 12; ++i) CHECK(double(far.map[i]) == Approx(i / 4 == 1 ? 5.0 / 3 : 0));
  CHECK(far.out_of_reach == 4);
}
