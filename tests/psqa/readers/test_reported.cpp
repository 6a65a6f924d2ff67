/// \file
/// Files on which a reader was once wrong or silent (tests/psqa/reported), and their kin.

#include <equipoise/psqa/gamma/gamma.hpp>
#include <equipoise/psqa/readers/plane_reader.hpp>

#include <cmath>
#include <fstream>
#include <sstream>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;
namespace fs = std::filesystem;
using support::reported;

namespace {

std::string text_of(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

DoseGrid read_text(const std::string& text, double spacing_mm = 1) {
  const support::TemporaryFolder folder;
  std::ofstream(folder.path() / "file", std::ios::binary) << text;
  return read_dose(folder.path() / "file", spacing_mm);
}

void check_same(const DoseGrid& a, const DoseGrid& b, double margin = 1e-9) {
  REQUIRE(a.shape == b.shape);
  for (std::size_t k = 1; k < 3; ++k) {
    CHECK(a.spacing[k] == Approx(b.spacing[k]));
    CHECK(a.origin[k] == Approx(b.origin[k]).margin(1e-9));
  }
  double apart = 0;
  for (std::size_t i = 0; i < a.size(); ++i) apart = std::max(apart, std::abs(a.values[i] - b.values[i]));
  CHECK(apart <= margin);
}

}  // namespace

TEST_CASE("a PTW file's axes run as its header says", "[psqa][readers][worked]") {
  const DoseGrid truth = read_dose(reported("mcc_axes/truth.npy"), 10);
  const std::string text = text_of(reported("mcc_axes/a.mcc"));
  check_same(read_dose(reported("mcc_axes/a.mcc")), truth);
  check_same(read_dose(reported("mcc_axes/rl.mcc")), truth);
  DoseGrid turned = truth;
  turned.mirror(1);
  check_same(read_text(replaced(text, "TARGET_GUN", "GUN_TARGET")), turned);
  turned.mirror(2);
  check_same(read_text(replaced(replaced(text, "TARGET_GUN", "GUN_TARGET"), "LEFT_RIGHT", "RIGHT_LEFT")), turned);
  for (const char* line : {"CROSSPLANE_AXIS_DIR=UP_DOWN", "CROSSPLANE_AXIS_DIR=TARGET_GUN",
                           "SCAN_DIAGONAL=FIRST_DIAGONAL", "SCAN_ANGLE=45.00", "SCAN_CURVETYPE=PDD"})
    CHECK_THROWS_WITH(read_text(replaced(text, "CROSSPLANE_AXIS_DIR=LEFT_RIGHT", line)), Catch::Contains(line));
}

TEST_CASE("a PTW file's scans may run along the in-plane axis", "[psqa][readers][worked]") {
  const DoseGrid truth = read_dose(reported("mcc_axes/truth.npy"), 10);
  std::string text = text_of(reported("mcc_axes/a.mcc"));
  text =
      replaced(replaced(text, "SCAN_OFFAXIS_CROSSPLANE=0.00", "X"), "SCAN_OFFAXIS_INPLANE", "SCAN_OFFAXIS_CROSSPLANE");
  text = replaced(text, "CROSSPLANE_PROFILE", "INPLANE_PROFILE");
  const DoseGrid g = read_text(text);
  REQUIRE(g.shape == truth.shape);
  for (std::size_t y = 0; y < 11; ++y)
    for (std::size_t x = 0; x < 11; ++x) CHECK(g.at(0, y, x) == Approx(truth.at(0, x, y)));
  text.replace(text.rfind("INPLANE_PROFILE"), 15, "CROSSPLANE_PROFILE");
  CHECK_THROWS_WITH(read_text(text), Catch::Contains("along one axis"));
}

TEST_CASE("an IBA file's bodies, units and lengths", "[psqa][readers][worked]") {
  const DoseGrid truth = read_dose(reported("opg_mcc/truth.npy"), 10);
  const DoseGrid three = read_dose(reported("opg_mcc/b3.opg"));
  check_same(three, truth);
  CHECK(three.warnings == std::vector<std::string>{"3 bodies: the first one is taken, at plane position 0.0 mm"});
  const DoseGrid in_cm = read_dose(reported("opg_mcc/nolu.opg"));
  check_same(in_cm, truth);
  CHECK(in_cm.warnings.empty());
  CHECK(in_cm.units == DoseUnits::gray);
  const std::string text = text_of(reported("opg_mcc/nolu.opg"));
  CHECK_THROWS_WITH(read_text(replaced(text, "X[cm]", "X[inch]")), Catch::Contains("X[inch]"));
  check_same(read_text(replaced(replaced(text, "X[cm]", "X [cm]"), "Y[cm]", "Y [cm]")), truth);
  check_same(read_text(replaced(text, "Plane:  ", "Length Unit: mm\nPlane:  ")), truth);  // the heads count
  CHECK(read_text(replaced(text, "No. of Rows:        11", "No. of Rows:        12")).warnings ==
        std::vector<std::string>{"the header says 12 rows, the body has 11"});
}

TEST_CASE("relative doses of detectors are not compared with Gy", "[psqa][readers][error]") {
  DoseGrid gray = read_dose(reported("opg_mcc/truth.npy"), 10);
  gray.units = DoseUnits::gray;
  const std::string text = text_of(reported("opg_mcc/rel.opg"));
  const DoseGrid percent = read_text(text), tenths = read_text(replaced(text, " %", " 1/10 %"));
  CHECK(percent.values[0] == Approx(70));
  CHECK(tenths.values[0] == Approx(7));
  const DoseGrid ptw = read_dose(reported("opg_mcc/pc.mcc"));
  for (const DoseGrid* g : {&percent, &tenths, &ptw}) {
    CHECK(g->units == DoseUnits::relative);
    CHECK_THROWS_WITH(gamma(*g, gray, {}), Catch::Contains("RELATIVE") && Catch::Contains("Gy"));
  }
}

TEST_CASE("no order of words loses half of the doses", "[psqa][readers][worked]") {
  const DoseGrid big = read_dose(reported("big_endian/be.dcm")), little = read_dose(reported("big_endian/le.dcm"));
  CHECK(big.values == little.values);
  const GammaResult r = gamma(big, little, {});
  CHECK(r.pass_rate == 100);
  CHECK(r.evaluated == 480);
}

TEST_CASE("a MapCHECK file without dose calibration says so", "[psqa][readers][error]") {
  CHECK_THROWS_WITH(read_dose(reported("small/mc_uncal.txt")), Catch::Contains("the file has no dose calibration"));
  const std::string text = text_of(reported("small/mc_uncal.txt"));
  CHECK_THROWS_WITH(read_text(replaced(text, "Dose Counts", "Background")),
                    Catch::Contains("the file has no dose calibration"));
}

TEST_CASE("a table's places of rows and columns are used", "[psqa][readers][worked]") {
  const DoseGrid plain = read_dose(reported("tables/cgy_plain.csv"), 4),
                 places = read_dose(reported("tables/cgy_coords.csv"), 4),
                 index = read_dose(reported("tables/cgy_index.csv"), 4);
  check_same(places, plain);
  check_same(index, plain);
  CHECK(plain.warnings.empty());
  CHECK(places.warnings == std::vector<std::string>{"the first line and column are taken as places in mm"});
  CHECK(index.warnings.size() == 1);
  const std::string text = text_of(reported("tables/cgy_coords.csv"));
  check_same(read_text(text), plain);          // the file's places, whatever the spacing
  check_same(read_text("y/x" + text), plain);  // a name in the corner
  check_same(read_text("0" + text), plain);    // or a number
  check_same(read_text(replaced(text, ",", "\t")), plain);
  check_same(read_text(replaced(text, ",", " ")), plain);
  check_same(read_text(replaced(replaced(text, ",", ";"), ".", ",")), plain);
  CHECK(read_text("x,3,2,1\n5,3,2,1\n6,6,5,4\n7,9,8,7\n").values == std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9});
  const DoseGrid small = read_text("[cm],0,0.5,1\n1,7,8,9\n0.5,4,5,6\n0,1,2,3\n");
  CHECK(small.spacing[1] == Approx(5));
  CHECK(small.origin == std::array<double, 3>{0, 0, 0});
  CHECK(small.values == std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK_THROWS_WITH(read_text(",0,1,4\n0,1,2,3\n1,4,5,6\n"), Catch::Contains("evenly spaced"));
}

namespace {

DoseGrid read_profile(const std::string& text, bool interpolated = false, double spacing_mm = 1) {
  const support::TemporaryFolder folder;
  std::ofstream(folder.path() / "file", std::ios::binary) << text;
  return read_dose(folder.path() / "file",
                   DoseFileOptions{.spacing_mm = spacing_mm, .interpolated = interpolated, .profiles = true});
}

}  // namespace

TEST_CASE("a profile is a plane of one row where it is asked for", "[psqa][readers][worked]") {
  const DoseGrid g = read_dose(reported("tables/profile.csv"), DoseFileOptions{.profiles = true});
  CHECK(g.shape == std::array<std::size_t, 3>{1, 1, 41});
  CHECK(g.spacing[2] == Approx(5));
  CHECK(g.origin[2] == -100);
  CHECK(g.values[1] == 1.527);
  CHECK(!g.spacing_assumed);
  CHECK(g.warnings == std::vector<std::string>{"taken as a profile along x: places in mm and doses"});
  const std::string rows = "-2,1\n-1,2\n0,5\n1,3\n2,1.5\n";
  const std::vector<double> doses = {1, 2, 5, 3, 1.5};
  CHECK(read_profile(rows).values == doses);
  CHECK(read_profile("2;1,5\n1;3\n0;5\n-1;2\n-2;1\n").values == doses);       // falling, decimal commas
  CHECK(read_profile("-2,-1,0,1,2\n1,2,5,3,1.5\n").values == doses);          // two lines
  CHECK(read_profile("# scan\nx (mm),dose\n" + rows).values == doses);        // heads
  CHECK(read_profile("-2\t1\n-1\t2\n0\t5\n1\t3\n2\t1.5\n").values == doses);  // tabs
  CHECK(read_profile("position dose\n-2 1\n-1 2\n0 5\n1 3\n2 1.5\n").values == doses);
  for (const char* heads : {"x [cm],dose [cGy]\n", "\"X (CM)\",\"D (cGy)\"\n"}) {
    const DoseGrid cm = read_profile(heads + rows);
    CHECK(cm.spacing[2] == Approx(10));
    CHECK(cm.origin[2] == Approx(-20));
    CHECK(cm.values[2] == Approx(0.05));
    CHECK(cm.units == DoseUnits::gray);
  }
  CHECK(read_profile("x [mm] dose [%]\n" + replaced(rows, ",", " ")).units == DoseUnits::relative);
  CHECK(read_profile(rows, false, 10).spacing[2] == Approx(10));  // the spacing asked for is ten times theirs: cm
}

TEST_CASE("a profile of a few points is told by its heads or a negative place, and is never taken as a plane",
          "[psqa][readers][worked]") {
  const std::vector<double> doses = {2, 5, 1};
  for (const char* text :
       {"x [mm],dose [Gy]\n0,2\n5,5\n10,1\n", "-5,2\n0,5\n5,1\n", "5;2\n0;5\n-5;1\n", "-5 0 5\n2 5 1\n"}) {
    const DoseGrid g = read_profile(text);
    CHECK(g.shape == std::array<std::size_t, 3>{1, 1, 3});
    CHECK(g.spacing[2] == 5);
    CHECK((g.values == doses || g.values == std::vector<double>{1, 5, 2}));
  }
  CHECK(read_profile("x,dose\n0,1\n5,2\n").values == std::vector<double>{1, 2});
  for (const char* either : {"0,2\n5,5\n10,1\n", "10,1\n5,2\n", "1,1\n2,2\n3,3\n4,4\n", "0,5,10\n2,5,1\n"}) {
    CHECK_THROWS_WITH(read_profile(either), Catch::Contains("which may be either") && Catch::Contains("heads"));
    CHECK(read_text(either).spacing_assumed);  // a reader of planes alone has no choice
  }
  CHECK_THROWS_WITH(read_text("-5,2\n0,5\n5,1\n"), Catch::Contains("a profile"));
  CHECK(read_profile("5,2\n5,5\n").shape == std::array<std::size_t, 3>{1, 2, 2});                // no places
  CHECK(read_profile("[mm],0,5\n0,1,2\n5,3,4\n").shape == std::array<std::size_t, 3>{1, 2, 2});  // with its places
}

TEST_CASE("a profile may be sampled unevenly: only its places have doses, or all points between them",
          "[psqa][readers][worked]") {
  const std::string rows = "-10,1\n-5,2\n-4.5,4\n-4,6\n0,8\n10,8\n";
  const DoseGrid points = read_profile(rows), between = read_profile(rows, true);
  CHECK(points.spacing[2] == Approx(0.5));
  REQUIRE(points.shape == std::array<std::size_t, 3>{1, 1, 41});
  CHECK(std::count_if(points.values.begin(), points.values.end(), [](double v) { return !std::isnan(v); }) == 6);
  CHECK(points.values[11] == 4);
  CHECK(between.values[11] == 4);
  CHECK(between.values[5] == Approx(1.5));  // at -7.5 mm
  CHECK(between.values[16] == Approx(7));   // at -2 mm
  CHECK(std::isnan(read_profile("0,1\n1,nan\n2,3\n3,4\n5,4\n", true).values[1]));
  CHECK(gamma(points, between, {}).pass_rate == 100);
  CHECK(gamma(points, between, {}).evaluated == 6);
  for (const char* wrong : {"0,1\n1,1\n2.00007,1\n3,1\n5,1\n", "0,1\n0.001,1\n5000,1\n6000,1\n7000,1\n"})
    CHECK_THROWS_WITH(read_profile(wrong), Catch::Contains("expected a profile's places in equal steps"));
}

TEST_CASE("tables that are no plane are refused with a reason", "[psqa][readers][error]") {
  for (const char* file : {"tables/profile.csv", "tables/profile2.csv"})
    CHECK_THROWS_WITH(read_dose(reported(file)), Catch::Contains("a profile"));
  CHECK_THROWS_WITH(read_text("-2,-1,0,1,2\n1,5,9,5,1\n"), Catch::Contains("a profile"));
  CHECK_THROWS_WITH(read_profile("place,dose\n1,2\n1,4\n"), Catch::Contains("places in order"));
  CHECK_THROWS_WITH(read_text("0,0,1\n0,1,2\n0,2,3\n1,0,4\n1,1,5\n1,2,6\n2,0,7\n2,1,8\n2,2,9\n"),
                    Catch::Contains("a list of points"));
  CHECK_THROWS_WITH(read_text("X,Y,Dose\n0,0,1\n0,1,2\n"),
                    Catch::Contains("names of columns, as above a list of points"));
  CHECK_THROWS_WITH(read_text("row,a,b\n1,2,3\n2,4,5\n"), Catch::Contains("line 1") && Catch::Contains("\"a\""));
  CHECK_THROWS_WITH(read_text("0,7,9,7\n1,8,9,8\n2,8,9,8\n3,7,9,7\n4,6,7,6\n"), Catch::Contains("a first column"));
  CHECK_THROWS_WITH(read_text("0,1,2,3,4\n7,8,8,7,6\n9,9,9,9,7\n7,8,8,7,6\n"), Catch::Contains("a first line"));
  CHECK_THROWS_WITH(read_text(",-5,0,5,10\n0,7,9,7,6\n1,8,9,8,6\n2,8,9,8,6\n"),
                    Catch::Contains("got numbers of rows beside places of columns"));
  // Places are places also above doses that rise evenly.
  const std::string even =
      "\n-20,1,1.1,1.2,1.3,1.4\n-10,1.2,1.3,1.4,1.5,1.6\n0,1.4,1.5,1.6,1.7,1.8\n"
      "10,1.6,1.7,1.8,1.9,2\n20,1.8,1.9,2,2.1,2.2\n";
  for (const char* corner : {"", "0", "nan", "mm"}) {
    const DoseGrid g = read_text(std::string(corner) + ",-20,-10,0,10,20" + even);
    CHECK(g.shape == std::array<std::size_t, 3>{1, 5, 5});
    CHECK(g.spacing[2] == Approx(10));
    CHECK(g.at(0, 0, 0) == 1);
  }
  CHECK_THROWS_WITH(read_text(even), Catch::Contains("a first column"));
  // Doses that rise evenly everywhere are doses.
  std::string ramp;
  for (int y = 0; y < 6; ++y)
    for (int x = 0; x < 6; ++x) ramp += std::to_string(10 * y + x) + (x == 5 ? "\n" : ",");
  CHECK(read_text(ramp).size() == 36);
}
