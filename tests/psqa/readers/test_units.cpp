/// \file
/// Units of doses: what files say, which pairs have a common one, what a normalisation makes of the others.

#include <equipoise/psqa/readers/normalise.hpp>
#include <equipoise/psqa/readers/plane_reader.hpp>

#include <cmath>
#include <fstream>
#include <limits>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace fs = std::filesystem;

namespace {

DoseGrid read_text(const std::string& text) {
  const support::TemporaryFolder folder;
  std::ofstream(folder.path() / "file", std::ios::binary) << text;
  return read_dose(folder.path() / "file");
}

/// A plane about the origin of 2 x 4 cells, 10 mm apart.
DoseGrid plane(double factor, DoseUnits units, const std::string& unit = "") {
  DoseGrid g = DoseGrid::plane(3, 5, 10);
  for (std::size_t i = 0; i < g.size(); ++i) g.values[i] = factor * static_cast<double>(1 + i);
  g.units = units, g.unit = unit;
  return g;
}

Normalised together(DoseGrid& a, DoseGrid& b, const Normalisation& n = {}) {
  return to_one_unit(a, "a.opg", b, "b.dcm", n);
}

}  // namespace

TEST_CASE("a text names a unit of doses", "[psqa][readers][worked]") {
  const auto is = [](const char* text, DoseUnits units, double factor) {
    const DoseUnit unit = parse_dose_unit(text);
    CHECK(unit.units == units);
    CHECK(unit.factor == Approx(factor));
  };
  is("Gy", DoseUnits::gray, 1), is("GY", DoseUnits::gray, 1), is(" cGy ", DoseUnits::gray, 0.01);
  is("mGy", DoseUnits::gray, 0.001), is("%", DoseUnits::relative, 1), is("1/10 %", DoseUnits::relative, 0.1);
  is("Percent", DoseUnits::relative, 1), is("RELATIVE", DoseUnits::relative, 1);
  is("cnt", DoseUnits::other, 1), is("A.U.", DoseUnits::other, 1), is("", DoseUnits::unknown, 1);
}

TEST_CASE("tables name the unit of their doses in the corner or a comment", "[psqa][readers][worked]") {
  const std::string rows = ",0,5,10\n0,100,200,300\n5,400,500,600\n10,700,800,900\n";
  const auto first = [](const DoseGrid& g) { return g.values.at(0); };
  CHECK(read_text(rows).units == DoseUnits::unknown);
  for (const char* corner : {"cGy", "Dose [cGy]", "mm (cGy)"}) {
    const DoseGrid g = read_text(corner + rows);
    CHECK(g.units == DoseUnits::gray);
    CHECK(first(g) == Approx(1));
  }
  for (const char* corner : {"%", "Dose [%]", "Dose (%)"}) {
    CHECK(read_text(corner + rows).units == DoseUnits::relative);
    CHECK(first(read_text(corner + rows)) == Approx(100));
  }
  CHECK(first(read_text("[1/10 %]" + rows)) == Approx(10));
  CHECK(read_text("cnt" + rows).units == DoseUnits::other);
  CHECK(read_text("[cm]" + rows).units == DoseUnits::unknown);
  CHECK(read_text("# unit: %\n1,2\n3,5\n").units == DoseUnits::relative);
  CHECK(first(read_text("# Dose [cGy]\n100,200\n300,500\n")) == Approx(1));
  CHECK(read_text("# 95 % of the beam\n1,2\n3,5\n").units == DoseUnits::unknown);
}

TEST_CASE("detectors and planning systems state other units than Gy", "[psqa][readers][worked]") {
  const DoseGrid counts = read_dose(support::reported("import_units/opg_counts/a_measured.opg"));
  CHECK(counts.units == DoseUnits::other);
  CHECK(counts.unit == "cnt");
  const auto mcc = [](const std::string& unit) {
    std::string text = MccReader::example();
    for (std::size_t at = 0; (at = text.find("=GY", at)) != std::string::npos; ++at) text.replace(at, 3, "=" + unit);
    return read_text(text);
  };
  CHECK(mcc("1/10 %").units == DoseUnits::relative);
  CHECK(mcc("A.U.").units == DoseUnits::other);
  CHECK(mcc("cGy").at(0, 0, 0) == Approx(0.01));
  const auto xio = [](const std::string& unit) {
    return read_text("0001108e\nDoseUnits, " + unit +
                     "\nUpperleft,-1.0,5.0\nDosePtsxy,3,2\nDoseResmm,1.0\n1,2,3,\n4,5,6,\n");
  };
  CHECK(xio("%").units == DoseUnits::relative);
  CHECK(xio("cGy").at(0, 0, 0) == Approx(0.04));
}

TEST_CASE("doses without a common unit are refused by name", "[psqa][readers][error]") {
  using U = DoseUnits;
  const auto refused = [](DoseGrid a, DoseGrid b, const std::string& one, const std::string& other) {
    CHECK_THROWS_WITH(together(a, b), Catch::Contains("value.307") && Catch::Contains("a.opg") &&
                                          Catch::Contains("b.dcm") && Catch::Contains("--normalise") &&
                                          Catch::Contains(one) && Catch::Contains(other));
  };
  const DoseGrid gray = plane(1, U::gray), percent = plane(10, U::relative, "%"),
                 share = plane(0.1, U::relative, "RELATIVE"), counts = plane(1e4, U::other, "cnt"),
                 silent = plane(1, U::unknown);
  refused(counts, gray, "cnt", "Gy"), refused(gray, percent, "Gy", "RELATIVE (%)");
  refused(percent, share, "%", "RELATIVE"), refused(counts, silent, "cnt", "no unit, taken as Gy");
  refused(counts, plane(1, U::other, "A.U."), "cnt", "A.U.");
  for (const auto& [a, b] : {std::pair{gray, silent}, {silent, silent}, {percent, percent}, {counts, counts}}) {
    DoseGrid first = a, second = b;
    CHECK(together(first, second).line.empty());
    CHECK(first.values == a.values);
  }
  DoseGrid a = percent, b = percent;
  CHECK_THROWS_WITH(together(a, b, {.in_gray = true}), Catch::Contains("in Gy"));
}

TEST_CASE("a normalisation gives two doses one scale, and says which", "[psqa][readers][worked]") {
  using U = DoseUnits;
  for (const Normalise by : {Normalise::max, Normalise::point}) {
    DoseGrid counts = plane(3000, U::other, "cnt"), gray = plane(0.2, U::gray);
    const Normalised n = together(counts, gray, {.by = by});
    CHECK(n.second == Approx(1));
    CHECK(n.first == Approx(0.2 / 3000));
    for (std::size_t i = 0; i < gray.size(); ++i) CHECK(counts.values[i] == Approx(gray.values[i]));
    CHECK(common_unit(counts, gray));
    CHECK_THAT(n.line, Catch::Contains(std::string(equipoise::name_of(by))) && Catch::Contains("cnt") &&
                           Catch::Contains("b.dcm"));
    DoseGrid left = plane(2, U::gray), right = plane(70, U::relative, "%");
    CHECK(together(left, right, {.by = by}).first == Approx(1));  // that of the one in Gy
    DoseGrid percent = plane(7, U::relative, "%"), share = plane(0.3, U::relative, "RELATIVE");
    CHECK(together(percent, share, {.by = by}).second == Approx(100 / (by == Normalise::max ? 0.3 * 15 : 0.3 * 8)));
  }
  DoseGrid percent = plane(50, U::relative, "%"), gray = plane(1, U::gray);
  CHECK(together(percent, gray, {.by = Normalise::prescription, .prescription_Gy = 2}).first == Approx(0.02));
  CHECK(percent.values == gray.values);
  DoseGrid share = plane(0.5, U::relative, "RELATIVE");
  CHECK(together(share, gray, {.by = Normalise::prescription, .prescription_Gy = 2}).first == Approx(2));
  DoseGrid counts = plane(1, U::other, "cnt");
  CHECK_THROWS_WITH(together(counts, gray, {.by = Normalise::prescription, .prescription_Gy = 2}),
                    Catch::Contains("a.opg") && Catch::Contains("cnt"));
  percent = plane(50, U::relative, "%");
  CHECK_THROWS_WITH(together(percent, gray, {.by = Normalise::prescription}), Catch::Contains("--prescription"));
  counts = plane(1, U::other, "cnt"), gray = plane(1, U::gray);
  CHECK_THAT(together(counts, gray, {.by = Normalise::none}).line, Catch::Contains("as they stand"));
  CHECK(counts.values == gray.values);
  CHECK(common_unit(counts, gray));
}

TEST_CASE("the point of a normalisation must have dose", "[psqa][readers][error]") {
  DoseGrid counts = plane(3000, DoseUnits::other, "cnt"), gray = plane(1, DoseUnits::gray);
  const Normalisation away{.by = Normalise::point, .first_at = {100, 0, 0}};
  CHECK_THROWS_WITH(together(counts, gray, away), Catch::Contains("a.opg") && Catch::Contains("--at"));
  DoseGrid zero = plane(0, DoseUnits::other, "cnt");
  CHECK_THROWS_WITH(together(zero, gray, {.by = Normalise::max}), Catch::Contains("above zero"));
  // Between the elements of an array the plane between them counts.
  counts.at(0, 1, 2) = std::numeric_limits<double>::quiet_NaN();
  DoseGrid board = counts;
  for (std::size_t y = 0; y < 3; ++y)
    for (std::size_t x = 0; x < 5; ++x)
      if ((x + y) % 2 == 1) board.at(0, y, x) = std::numeric_limits<double>::quiet_NaN();
  board.at(0, 1, 2) = std::numeric_limits<double>::quiet_NaN();
  Normalisation between{.by = Normalise::point};
  between.first_at = {10, 10, 0}, between.second_at = {10, 10, 0};
  CHECK(std::isfinite(together(board, gray, between).first));
}
