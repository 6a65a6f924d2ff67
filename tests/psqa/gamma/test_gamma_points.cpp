#include <equipoise/psqa/dicom/rtdose_reader.hpp>
#include <equipoise/psqa/gamma/gamma.hpp>

#include <vector>

#include "psqa/gamma/grids.hpp"
#include "support/catch.hpp"
#include "support/samples.hpp"

// Which points of the reference count: those at or above the cut-off, with evaluated dose within the dta.

using namespace equipoise::psqa;
using namespace gamma_grids;

namespace {

template <class F>
void for_each_search(F&& f) {
  f("exact", ExactMinimum<>{}), f("wendling", WendlingSearch<>{.pitch_mm = 0.1}), f("classic", ClassicSearch{});
}

constexpr double kCaps[] = {0.5, 1, 1.5, 2, 3, 5, 10};

/// Checks that the points that count and those that pass are the same for every cap. \returns the result of one
template <class Search>
GammaResult one_for_every_cap(const DoseGrid& r, const DoseGrid& e, GammaCriteria c, const Search& search) {
  c.max_gamma = 2;
  const GammaResult plain = gamma(r, e, c, search);
  for (const double cap : kCaps) {
    INFO("cap " << cap);
    c.max_gamma = cap;
    for (const bool rate_only : {false, true}) {
      const GammaResult g = gamma(r, e, c, search, {.pass_rate_only = rate_only});
      CHECK(g.evaluated == plain.evaluated);
      CHECK(g.out_of_reach == plain.out_of_reach);
      CHECK(g.pass_rate == plain.pass_rate);
      for (std::size_t i = 0; i < g.map.size(); ++i) CHECK(std::isnan(g.map[i]) == std::isnan(plain.map[i]));
    }
  }
  return plain;
}

}  // namespace

TEST_CASE("a reference larger than the evaluated grid has one rate for every cap: points within the dta of it count",
          "[psqa][gamma][worked]") {
  // 20 x 20 points about 15 x 15, both about the middle: 16 x 16 lie within 0.5 mm of the grid along each axis.
  DoseGrid r = DoseGrid::plane(20, 20, 1), e = DoseGrid::plane(15, 15, 1);
  r.values.assign(400, 1.0), e.values.assign(225, 1.0);
  for_each_search([&](const char* name, const auto& search) {
    INFO(name);
    const GammaResult g = one_for_every_cap(r, e, {.dd_percent = 3, .dta_mm = 1}, search);
    CHECK(g.evaluated == 256);
    CHECK(g.out_of_reach == 144);
    CHECK(g.pass_rate == 100);
    // 1.5 mm along one axis and within the grid along the other: 4 sides of 16 points more. 1.5 and 0.5 along the two
    // are 1.58 mm.
    CHECK(one_for_every_cap(r, e, {.dd_percent = 3, .dta_mm = 1.55}, search).evaluated == 256 + 4 * 14);
    CHECK(one_for_every_cap(r, e, {.dd_percent = 3, .dta_mm = 1.6}, search).evaluated == 256 + 4 * 16);
  });
}

TEST_CASE("a point exactly one dta from the grid's edge counts, and passes where doses agree",
          "[psqa][gamma][worked]") {
  DoseGrid e = DoseGrid::plane(5, 5, 1), r = DoseGrid::plane(5, 9, 1);
  e.values.assign(25, 1.0), r.values.assign(45, 1.0);
  for_each_search([&](const char* name, const auto& search) {
    INFO(name);
    const GammaResult g = one_for_every_cap(r, e, {.dd_percent = 3, .dta_mm = 2}, search);
    CHECK(g.evaluated == 45);
    CHECK(g.pass_rate == 100);
    CHECK(g.map[0] == Approx(1));
  });
}

TEST_CASE("the cap moves no point with holes, coarse cells, volumes or slices", "[psqa][gamma][property]") {
  DoseGrid plane = random_plane(2, 9, 4), coarse = random_plane(3, 8, 12), r = random_plane(1, 20, 2.6),
           wide = random_plane(4, 20, 6.2);
  for (std::size_t y = 2; y < 7; ++y)
    for (std::size_t x = 1; x < 8; ++x) plane.at(0, y, x) = kNaN;
  coarse.at(0, 0, 0) = coarse.at(0, 4, 4) = kNaN;
  for_each_search([&](const char* name, const auto& search) {
    INFO(name);
    GammaCriteria c{.dd_percent = 20, .dta_mm = 2, .cutoff_percent = 0, .norm = 1.0};
    CHECK(one_for_every_cap(r, plane, c, search).out_of_reach > 0);
    CHECK(one_for_every_cap(wide, coarse, c, search).out_of_reach > 0);
    const DoseGrid e = random_volume(2, {4, 5, 6}, {0, 0, 0}), v = random_volume(1, {8, 9, 10}, {-3, -3, -3});
    for (const GammaSpace space : {GammaSpace::volume, GammaSpace::slices}) {
      c.space = space;
      CHECK(one_for_every_cap(v, e, c, search).out_of_reach > 0);
    }
  });
}

TEST_CASE("each point within a grid without holes counts, however far apart its own points are",
          "[psqa][gamma][property]") {
  const DoseGrid r = random_plane(1, 23, 2.1), e = random_plane(2, 5, 14);
  for_each_search([&](const char* name, const auto& search) {
    INFO(name);
    const GammaResult g = one_for_every_cap(r, e, {.dd_percent = 20, .dta_mm = 1, .cutoff_percent = 0}, search);
    CHECK(g.evaluated == g.points);
  });
}

TEST_CASE("points of exactly the cut-off count, in the decimals that files hold", "[psqa][gamma][worked]") {
  const DoseGrid g = read_rtdose(support::reported("small/cutoff_10_percent.dcm"));
  CHECK(gamma(g, g, {}).evaluated == 36);
  DoseGrid e = DoseGrid::plane(2, 3, 1), r = e;
  e.values.assign(6, 3.0);
  r.values = {0.3, 3.0 * 0.1, 0.30000001, 0.2999999, 0.29999, 0.29};  // a part in 3e6 below; a part in 3e4 below
  CHECK(gamma(r, e, {.dd_percent = 100, .dta_mm = 1}).evaluated == 4);
}

TEST_CASE("a point one dta beyond the grid counts, and one further than rounding does not, in every search",
          "[psqa][gamma][law]") {
  DoseGrid e = DoseGrid::plane(5, 5, 1), r = DoseGrid::plane(1, 1, 1);
  e.values.assign(25, 1.0), r.values = {1};
  for_each_search([&](const char* name, const auto& search) {
    INFO(name);
    for (const double dta : {0.3, 2.0, 3.0})
      for (const auto& [further, counts] : {std::pair{0.0, 1U}, {1e-7, 0U}, {1e-6, 0U}}) {
        INFO(dta << " mm and a share of " << further);
        r.origin = {0, 0, 2 + dta * (1 + further)};
        const GammaResult g = gamma(r, e, {.dd_percent = 3, .dta_mm = dta}, search);
        CHECK(g.evaluated == counts);
        CHECK(g.out_of_reach == 1 - counts);
        if (counts) CHECK(g.pass_rate == 100);
      }
  });
}
