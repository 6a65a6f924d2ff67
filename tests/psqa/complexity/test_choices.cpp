/// \file
/// What the choices of the complexity metrics do that touch means, sequences and scores, as numbers that can be followed
/// by hand.

#include <equipoise/psqa/complexity/complexity.hpp>

#include <cmath>
#include <utility>

#include "support/catch.hpp"
#include "support/small_beams.hpp"

using namespace equipoise::psqa;
using namespace small_beams;

TEST_CASE("apertures: halfway through intervals, or at control points", "[psqa][complexity][worked]") {
  // Gaps of 10, 20 and 40 mm at 0, 20 and 100 MU.
  const double half[3] = {5, 10, 20};
  const Beam beam = beam_of({0, .2, 1}, [&](std::size_t k, std::size_t) { return std::pair{-half[k], half[k]}; });
  // 15 mm with 20 MU, 30 with 80: mean 27, mean square 765.
  CHECK(value(beam, "ALG_mm") == exactly(27));
  CHECK(value(beam, "SDGAP_mm") == exactly(6));
  CHECK(value(beam, "NSEG") == 2);
  // 10 mm with 10 MU, 20 with 50, 40 with 40: mean 27, mean square 850.
  CHECK(value(beam, "ALG_mm", {{"apertures", "control_point"}}) == exactly(27));
  CHECK(value(beam, "SDGAP_mm", {{"apertures", "control_point"}}) == exactly(11));
  CHECK(value(beam, "NSEG", {{"apertures", "control_point"}}) == 3);
  // 20 mm with 20 MU, 40 with 80: mean 36, mean square 1360.
  CHECK(value(beam, "ALG_mm", {{"apertures", "control_point_ending"}}) == exactly(36));
  CHECK(value(beam, "SDGAP_mm", {{"apertures", "control_point_ending"}}) == exactly(8));
  CHECK(value(beam, "NSEG", {{"apertures", "control_point_ending"}}) == 2);
}

TEST_CASE("lsv_divisor and lsv_difference: three steps of four leaves", "[psqa][complexity][worked]") {
  // Tips at 0, -10, -30, -10 mm: a range of 30, steps of 10, 20 and -20. The other bank is straight: its LSV is 1.
  const double tips[4] = {0, -10, -30, -10};
  const Beam beam = beam_of({0, 1}, [&](std::size_t, std::size_t l) {
    return l < 4 ? std::pair{tips[l], 20.0} : std::pair{0.0, 0.0};
  });
  CHECK(value(beam, "LSV") == exactly((20 + 10 + 10) / 90.0));
  CHECK(value(beam, "LSV", {{"lsv_difference", "with_sign"}}) == exactly((20 + 10 + 50) / 90.0));
  CHECK(value(beam, "LSV", {{"lsv_divisor", "leaves"}}) == exactly((20 + 10 + 10) / 120.0));
  CHECK(value(beam, "LSV", {{"lsv_divisor", "leaves"}, {"lsv_difference", "with_sign"}}) == exactly(80 / 120.0));
}

TEST_CASE("aav_maximum: lengths of an envelope, largest areas of pairs, the union's area",
          "[psqa][complexity][worked]") {
  // Two segments. In the second a jaw at y = -47.5 leaves half of pair 0, one at x = 5 cuts it and shuts pair 2.
  Beam beam = beam_of({0, .5, .5, 1}, [](std::size_t k, std::size_t l) {
    const std::pair<double, double> tips[2][3] = {{{-10, 0}, {-10, 10}, {0, 0}}, {{0.5, 30.5}, {5, 35}, {0, 4}}};
    return l < 3 ? tips[k / 2][l] : std::pair{0.0, 0.0};
  });
  for (std::size_t k : {2u, 3u}) beam.control_points[k].x1 = 5, beam.control_points[k].y1 = -47.5;
  // Gaps of 10 + 20 and 30 + 30 mm; envelopes of 40.5 and 45.
  CHECK(value(beam, "AAV") == exactly(45 / 85.5));
  // As the leaves are, x jaw or not: 50 + 100 mm² and 30 · 2.5 + 30 · 5 + 4 · 5; the largest are all in the second.
  CHECK(value(beam, "AAV", {{"aav_maximum", "largest_gap"}}) == exactly(0.5 * (150 + 245) / 245));
  // With the jaws: unions of (-10, 0) with (5, 30.5) and of (-10, 10) with (5, 35), each 5 mm high at most.
  const double united = (10 + 25.5 + 45) * 5, open = 0.5 * (150 + 25.5 * 2.5 + 30 * 5);
  CHECK(value(beam, "AAV", {{"aav_maximum", "union_of_openings"}}) == exactly(open / united));
  CHECK(value(beam, "AAV", {{"aav_maximum", "union_of_openings"}}) == exactly(1 - value(beam, "BM")));
}

TEST_CASE("aav_maximum also decides MCSv, at control points", "[psqa][complexity][worked]") {
  // Segments of 20 mm from -10 and of 30 mm from 15: an envelope of 55 mm, a union of 50.
  const Beam beam = beam_of({0, .5, .5, 1}, [](std::size_t k, std::size_t) {
    return k < 2 ? std::pair{-10.0, 10.0} : std::pair{15.0, 45.0};
  });
  CHECK(value(beam, "MCSv") == exactly(25 / 55.0));
  CHECK(value(beam, "MCSv", {{"aav_maximum", "largest_gap"}}) == exactly(25 / 30.0));
  CHECK(value(beam, "MCSv", {{"aav_maximum", "union_of_openings"}}) == exactly(25 / 50.0));
}

TEST_CASE("sas_pairs: small gaps among the open, the exposed, or all pairs", "[psqa][complexity][worked]") {
  // The jaws expose pairs 5 to 14 and end at x = 10: pair 11 is cut to 15 mm, pair 12 is shut, 0 and 1 are hidden.
  const Beam beam = within(beam_of({0, 1},
                                   [](std::size_t, std::size_t l) {
                                     switch (l) {
                                       case 0:
                                         return std::pair{-3.0, 3.0};
                                       case 1:
                                         return std::pair{-20.0, 20.0};
                                       case 8:
                                         return std::pair{-2.0, 2.0};
                                       case 9:
                                         return std::pair{-4.0, 4.0};
                                       case 10:
                                         return std::pair{-7.5, 7.5};
                                       case 11:
                                         return std::pair{-5.0, 30.0};
                                       case 12:
                                         return std::pair{15.0, 19.0};
                                       default:
                                         return std::pair{0.0, 0.0};
                                     }
                                   }),
                           -50, 10, -25, 25);
  const char *exposed = "exposed", *bank = "bank";
  CHECK(value(beam, "SAS2") == 0);
  CHECK(value(beam, "SAS5") == exactly(1 / 4.0));
  CHECK(value(beam, "SAS10") == exactly(2 / 4.0));
  CHECK(value(beam, "SAS20") == exactly(4 / 4.0));
  CHECK(value(beam, "SAS5", {{"sas_pairs", exposed}}) == exactly(1 / 10.0));
  CHECK(value(beam, "SAS20", {{"sas_pairs", exposed}}) == exactly(4 / 10.0));
  CHECK(value(beam, "SAS2", {{"sas_pairs", bank}}) == 0);
  CHECK(value(beam, "SAS5", {{"sas_pairs", bank}}) == exactly(2 / 20.0));   // 8, 12
  CHECK(value(beam, "SAS10", {{"sas_pairs", bank}}) == exactly(4 / 20.0));  // and 0, 9
  CHECK(value(beam, "SAS20", {{"sas_pairs", bank}}) == exactly(5 / 20.0));  // and 10; 11 is 35 mm
  // Where no pair is open a score over open pairs is not defined; the others are.
  const Beam shut = beam_of({0, 1}, [](std::size_t, std::size_t) { return std::pair{0.0, 0.0}; });
  CHECK(std::isnan(value(shut, "SAS10")));
  CHECK(value(shut, "SAS10", {{"sas_pairs", exposed}}) == 0);
  CHECK(value(shut, "SAS10", {{"sas_pairs", bank}}) == 0);
}

TEST_CASE("park_k, default_dose_rate, gantry_speed_deg_per_s: a leaf that goes 0, 10, 10 and 20 mm",
          "[psqa][complexity][worked]") {
  const double way[5] = {20, 20, 30, 40, 60};
  Beam beam = beam_of({0, .25, .5, .75, 1}, [&](std::size_t k, std::size_t) { return std::pair{-20.0, way[k]}; });
  // Equal times: speeds of 0, 10, 10 and 20 over a deviation of √(200 / 3) are 0, 1.22, 1.22 and 2.45.
  const double fast = 10 / std::sqrt(200 / 3.0);
  CHECK(value(beam, "MIs") == exactly((0.5 + 0.5 + 0.5) / 3));
  CHECK(value(beam, "MIs", {{"park_k", "2"}}) == exactly((fast + fast + 2) / 3));
  CHECK(value(beam, "MIs", {{"park_k", "3"}}) == exactly((fast + fast + 2 * fast) / 3));
  // 25 MU take 2.5 s at 600 MU/min, where the plan does not say otherwise.
  CHECK(value(beam, "VMAX_mm_per_s", {{"default_dose_rate", "1200"}}) == exactly(20 / 2.5));
  for (ControlPoint& cp : beam.control_points) cp.dose_rate = 0;
  CHECK(value(beam, "VMAX_mm_per_s") == exactly(20 / 2.5));
  CHECK(value(beam, "VMAX_mm_per_s", {{"default_dose_rate", "1200"}}) == exactly(20 / 1.25));
  // 30 degrees take 5 s at 6 a second, 3 s at 10.
  for (std::size_t k = 0; k < 5; ++k) beam.control_points[k].gantry = 30 * double(k);
  CHECK(value(beam, "VMAX_mm_per_s") == exactly(20 / 5.0));
  CHECK(value(beam, "VMAX_mm_per_s", {{"gantry_speed_deg_per_s", "10"}}) == exactly(20 / 3.0));
}

TEST_CASE("edge_distance_mm: the rim of a square, in rows of 1 mm", "[psqa][complexity][worked]") {
  const Beam beam = beam_of({0, 1}, [](std::size_t, std::size_t) { return std::pair{-50.0, 50.0}; });
  // Three rows above and three below reach √(3² - 1²), √(3² - 2²) and 0 mm beyond the sides.
  const double outside = 100 * 6 + 2 * (300 + 2 * std::sqrt(8.0) + 2 * std::sqrt(5.0)), inside = 94 * 94;
  CHECK(value(beam, "EAM", {{"edge_distance_mm", "3"}}) == exactly(1 - inside / (100 * 100 + outside)));
}

TEST_CASE("fluence_pixel_mm: the gradient of a map of two levels", "[psqa][complexity][worked]") {
  // 50 MU through 100 mm and 50 through its middle 50: of 19 · 19 neighbourhoods of 2 · 2 pixels of 5 mm 36 lie on an
  // edge of half the maximum, 4 on a corner.
  const Beam beam = beam_of({0, .5, .5, 1}, [](std::size_t k, std::size_t l) {
    const double half = k < 2 ? 50 : l >= 5 && l < 15 ? 25 : 0;
    return std::pair{-half, half};
  });
  const double edge = 0.5 / 5, corner = edge / std::sqrt(2.0);
  CHECK(value(beam, "FGRAD_mm-1", {{"fluence_pixel_mm", "5"}}) == exactly((36 * edge + 4 * corner) / (19 * 19)));
}
