#include <equipoise/psqa/cohort/import_find.hpp>
#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/dicom/rtplan_reader.hpp>
#include <equipoise/psqa/gamma/gamma.hpp>
#include <equipoise/psqa/readers/log_reader.hpp>
#include <equipoise/psqa/readers/openkbp_reader.hpp>
#include <equipoise/psqa/readers/plane_reader.hpp>

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include <fstream>
#include <functional>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;
namespace fs = std::filesystem;

namespace {

fs::path written(const support::TemporaryFolder& folder, const std::string& name, const std::string& text) {
  std::ofstream(folder.path() / name, std::ios::binary) << text;
  return folder.path() / name;
}

/// A MapCHECK file of 3 x 3 places, diodes on the chequerboard, doses in cGy.
const std::string kMapcheck =
    "** WARNING! MapCHECK\n\nCalibration Factors\nYcm\tROW\t\n"
    "0.5\t3\t1\t0\t1\n0\t2\t0\t1\t0\n-0.5\t1\t1\t0\t1\n\tCOL\t1\t2\t3\n\tXcm\t-0.5\t0\t0.5\n\n"
    "Dose Counts\nYcm\tROW\t\n"
    "0.5\t3\t70\t0\t90\n0\t2\t0\t50\t0\n-0.5\t1\t10\t0\t30\n\tCOL\t1\t2\t3\n\tXcm\t-0.5\t0\t0.5\n\n"
    "Dose Interpolated\nYcm\tROW\t\n"
    "0.5\t3\t70\t80\t90\n0\t2\t40\t50\t60\n-0.5\t1\t10\t20\t30\n\tCOL\t1\t2\t3\n\tXcm\t-0.5\t0\t0.5\n";

}  // namespace

TEST_CASE("a MapCHECK file gives Gy at its diodes, rows upwards", "[psqa][readers][worked]") {
  const support::TemporaryFolder folder;
  const fs::path path = written(folder, "measured.txt", kMapcheck);
  const DoseGrid g = read_dose(path);
  REQUIRE(g.shape == std::array<std::size_t, 3>{1, 3, 3});
  CHECK(g.spacing[1] == Approx(5));
  CHECK(g.origin[1] == Approx(-5));
  CHECK(g.at(0, 0, 0) == Approx(0.1));
  CHECK(g.at(0, 2, 2) == Approx(0.9));
  CHECK(std::isnan(g.at(0, 0, 1)));
  CHECK(read_dose(path, 1, true).at(0, 0, 1) == Approx(0.2));
}

TEST_CASE("a PTW file's scans become rows", "[psqa][readers][worked]") {
  const support::TemporaryFolder folder;
  const auto scan = [](const char* offset, const char* doses) {
    return std::string("BEGIN_SCAN 1\nSCAN_OFFAXIS_INPLANE=") + offset + "\nMEAS_UNIT=GY\nBEGIN_DATA\n" + doses +
           "END_DATA\nEND_SCAN 1\n";
  };
  const DoseGrid g = read_dose(written(folder, "a.mcc",
                                       "BEGIN_SCAN_DATA\n" + scan("10.00", "\t-10.0\t3\t#1\n\t0.0\t4\t#2\n") +
                                           scan("0.00", "\t-10.0\t1\t#3\n\t0.0\t2\t#4\n") + "END_SCAN_DATA\n"));
  CHECK(g.spacing == std::array<double, 3>{1, 10, 10});
  CHECK(g.values == std::vector<double>{1, 2, 3, 4});
  CHECK_THROWS_WITH(read_dose(written(folder, "b.mcc", "BEGIN_SCAN_DATA\nBEGIN_DATA\n\t0\t1\n")),
                    Catch::Contains("b.mcc"));
}

TEST_CASE("a PTW file's scans may have detectors at different places", "[psqa][readers][worked]") {
  const support::TemporaryFolder folder;
  const auto scan = [](const char* offset, const char* doses) {
    return std::string("BEGIN_SCAN 1\nSCAN_OFFAXIS_INPLANE=") + offset + "\nMEAS_UNIT=GY\nBEGIN_DATA\n" + doses +
           "END_DATA\nEND_SCAN 1\n";
  };
  const auto path = written(folder, "chequer.mcc",
                            "BEGIN_SCAN_DATA\n" + scan("-5", "\t-5\t1\n\t5\t2\n") + scan("0", "\t0\t3\n") +
                                scan("5", "\t-5\t4\n\t5\t5\n") + "END_SCAN_DATA\n");
  const DoseGrid g = read_dose(path);
  REQUIRE(g.shape == std::array<std::size_t, 3>{1, 3, 3});
  CHECK(g.units == DoseUnits::gray);
  CHECK(g.at(0, 0, 0) == 1);
  CHECK(std::isnan(g.at(0, 0, 1)));
  CHECK(g.at(0, 1, 1) == 3);
  CHECK(g.at(0, 2, 2) == 5);
  CHECK(read_dose(path, 1, true).at(0, 0, 1) == Approx(2));  // (1 + 2 + 3) / 3: the fourth corner is outside
}

TEST_CASE("scans whose detectors are nowhere at the same places are no plane", "[psqa][readers][error]") {
  // The union of n scans of one detector each, all at other places, would have n * n points.
  const support::TemporaryFolder folder;
  std::string text = "BEGIN_SCAN_DATA\n";
  for (int i = 0; i < 200; ++i)
    text += "SCAN_OFFAXIS_INPLANE=" + std::to_string(i) + "\nBEGIN_DATA\n\t" + std::to_string(i) + "\t1\nEND_DATA\n";
  CHECK_THROWS_WITH(read_dose(written(folder, "diagonal.mcc", text)),
                    Catch::Contains("got 200 detectors at 200 x 200 places"));
}

TEST_CASE("detectors closer than any array's are refused", "[psqa][readers][error]") {
  const support::TemporaryFolder folder;
  const auto scan = [](const char* offset) {
    return std::string("SCAN_OFFAXIS_INPLANE=") + offset + "\nBEGIN_DATA\n\t0\t1\n\t0.0101\t1\n\t0.0200\t1\nEND_DATA\n";
  };
  CHECK_THROWS_WITH(read_dose(written(folder, "near.mcc", "BEGIN_SCAN_DATA\n" + scan("0") + scan("1"))),
                    Catch::Contains("expected detectors 0.1 mm apart or more"));
}

TEST_CASE("a log's record that ends before its last column is refused", "[psqa][readers][error]") {
  const support::TemporaryFolder folder;
  std::string header = "Time (s),Step Dose/Actual Value (Mu),Actual Dose Rate/Actual Value (Mu/min)",
              record = "0,1,600";
  const auto add = [&](const std::string& item, const std::string& unit) {
    header += "," + item + "/Scaled Actual (" + unit + ")," + item + "/Positional Error (" + unit + ")";
    record += ",1,0";
  };
  for (const char* axis : {"Step Gantry", "Step Collimator", "Table Isocentric"}) add(axis, "deg");
  for (const char* jaw : {"X1 Diaphragm", "X2 Diaphragm"}) add(jaw, "mm");
  for (const char* bank : {"Y1 Leaf ", "Y2 Leaf "})
    for (int leaf = 1; leaf <= 80; ++leaf) add(bank + std::to_string(leaf), "mm");
  header += ",Linac State/Actual Value (None)";
  const auto log = [&](const std::string& second) {
    return written(folder, "log.csv", header + "\n" + record + ",Radiation On\n" + second + "\n");
  };
  std::string later = record;
  later.replace(0, 3, "1,3");
  CHECK(read_elekta_log(log(later + ",Radiation On")).delivered.beams[0].mu == Approx(2));
  CHECK_THROWS_WITH(read_elekta_log(log(later)), Catch::Contains("line 3: expected a whole record"));
}

TEST_CASE("a plane between diodes is bilinear on their chequerboard", "[psqa][readers][worked]") {
  // A dense lattice of 5 mm within a wider one of 10 mm, and doses linear in x and y: every point inside is exact.
  DoseGrid diodes = DoseGrid::plane(25, 25, 5);
  const auto dose = [](std::size_t y, std::size_t x) { return 1 + 0.01 * double(x) + 0.02 * double(y); };
  for (std::size_t y = 0; y < 25; ++y)
    for (std::size_t x = 0; x < 25; ++x) {
      const bool inner = x >= 7 && x <= 17 && y >= 7 && y <= 17 && (x + y) % 2 == 0,
                 outer = x % 2 == 0 && y % 2 == 0 && (x + y) % 4 == 0;
      diodes.at(0, y, x) = inner || outer ? dose(y, x) : std::numeric_limits<double>::quiet_NaN();
    }
  const DoseGrid g = between_elements(diodes);
  for (std::size_t y = 4; y < 21; ++y)
    for (std::size_t x = 4; x < 21; ++x) CHECK(g.at(0, y, x) == Approx(dose(y, x)));
}

TEST_CASE("a MapCHECK file's clipped plane gives way to its diodes", "[psqa][readers][behaviour]") {
  const support::TemporaryFolder folder;
  std::string clipped = kMapcheck;
  const std::size_t at = clipped.rfind("0.5\t3\t70\t80\t90");
  clipped.replace(at, 14, "0.5\t3\t60\t60\t60");
  const DoseGrid g = read_dose(written(folder, "clipped.txt", clipped), 1, true);
  CHECK(g.at(0, 2, 2) == Approx(0.9));
  CHECK(g.at(0, 2, 1) == Approx((0.7 + 0.9 + 0.5) / 3));
}

TEST_CASE("each detector's plane agrees with itself", "[psqa][readers][samples]") {
  const auto folder = support::samples("detector");
  if (folder.empty()) return;
  for (const char* name : {"SNCTest10x10.txt", "SNCTest10x10b.txt", "tomo_mapcheck_test.txt", "PTWTest20x20.mcc",
                           "IBATest20x20.opg", "XiO-Patient-0.txt"}) {
    INFO(name);
    const GammaResult r = gamma(read_dose(folder / name), read_dose(folder / name, 1, true), {});
    CHECK(r.pass_rate == 100);
    CHECK(r.max == Approx(0).margin(1e-6));
    CHECK(r.evaluated > 0);
    CHECK(r.out_of_reach == 0);
  }
}

TEST_CASE("an IBA file's table keeps its places and unit", "[psqa][readers][worked]") {
  const support::TemporaryFolder folder;
  const DoseGrid g =
      read_dose(written(folder, "a.opg",
                        "<opimrtascii>\nData Factor: 2.0\nData Unit: cGy\nLength Unit: cm\n<asciibody>\n"
                        "Plane Position: 0 mm\nX[cm]\t-1\t0\t1\nY[cm]\n-0.5\t1\t2\t3\n0.5\t4\t5\t6\n</asciibody>\n"));
  CHECK(g.spacing[2] == Approx(10));
  CHECK(g.origin[1] == Approx(-5));
  CHECK(g.at(0, 1, 2) == Approx(0.12));
}

TEST_CASE("an IBA file says what stands between its cells", "[psqa][readers][behaviour]") {
  const support::TemporaryFolder folder;
  const auto opg = [&](const std::string& line, const std::string& s) {
    return read_dose(written(folder, "s.opg",
                             "<opimrtascii>\n" + line + "Data Factor: 1\nData Unit: Gy\n<asciibody>\nX[mm]" + s + "-5" +
                                 s + "5\nY[mm]\n-5" + s + "1" + s + "2\n5" + s + "3" + s + "4\n</asciibody>\n"))
        .values;
  };
  const std::vector<double> expected = {1, 2, 3, 4};
  CHECK(opg("", "\t") == expected);
  CHECK(opg("Separator: [TAB]\n", "\t") == expected);
  CHECK(opg("Separator: \";\"\n", ";") == expected);
  CHECK(opg("Separator: \",\"\n", ",") == expected);
  CHECK(opg("Separator: ;\n", ";") == expected);
}

TEST_CASE("a XiO plane begins at its upper left", "[psqa][readers][worked]") {
  const support::TemporaryFolder folder;
  const std::string text =
      "0001108e\nDoseUnits, Gy\nUpperleft,-1.0,5.0\nDosePtsxy,3,2\nDoseResmm,1.0\n1,2,3,\n4,5,6,\n";
  const DoseGrid g = read_dose(written(folder, "x.txt", text));
  CHECK(g.origin == std::array<double, 3>{0, 4, -1});
  CHECK(g.values == std::vector<double>{4, 5, 6, 1, 2, 3});
  CHECK_THROWS_WITH(read_dose(written(folder, "y.txt", text.substr(0, text.size() - 7))), Catch::Contains("y.txt"));
  // Places beyond all numbers: found by fuzzing.
  const std::string far = std::string(text).replace(text.find("mm,1.0"), 6, "mm,1e308");
  CHECK_THROWS_WITH(read_dose(written(folder, "far.txt", far)), Catch::Contains("expected a resolution in mm"));
}

TEST_CASE("tables of doses say which line is wrong", "[psqa][readers][error]") {
  const support::TemporaryFolder folder;
  CHECK(read_dose(written(folder, "a.csv", "1,2\n3,nan\n"), 2).spacing[1] == 2);
  CHECK(read_dose(written(folder, "b.csv", "1;2\n3;4\n")).values == std::vector<double>{1, 2, 3, 4});
  CHECK(read_dose(written(folder, "c.txt", " 1  2\n 3  4\n")).values == std::vector<double>{1, 2, 3, 4});
  CHECK_THROWS_WITH(read_dose(written(folder, "d.csv", "1,2\n3,x\n")),
                    Catch::Contains("line 2") && Catch::Contains("\"x\""));
  CHECK_THROWS_WITH(read_dose(written(folder, "e.csv", "1,2\n3\n")), Catch::Contains("expected 2 columns, got 1"));
  // An empty cell at a row's end or beginning is one, unless every row ends so.
  for (const char* text : {"1,2,3\n1,2,\n1,2,3\n", "1,2,3,\n1,2,\n1,2,3,\n", "1\t2\t3\n1\t2\t\n1\t2\t3\n"}) {
    const DoseGrid g = read_dose(written(folder, "open.csv", text));
    CHECK(g.shape == std::array<std::size_t, 3>{1, 3, 3});
    CHECK(std::isnan(g.at(0, 1, 2)));
    CHECK(g.at(0, 2, 2) == 3);
  }
  CHECK(std::isnan(read_dose(written(folder, "tab.csv", "1\t2\t3\n\t2\t3\n")).at(0, 1, 0)));
  CHECK_THROWS_AS(read_dose(written(folder, "f.csv", "")), eq::FileError);
  CHECK_THROWS_AS(read_dose(folder.path() / "none.csv"), eq::FileError);
}

TEST_CASE("tables come with byte order marks, decimal commas and NaN of any case", "[psqa][readers][behaviour]") {
  const support::TemporaryFolder folder;
  CHECK(read_dose(written(folder, "bom.csv",
                          "\xef\xbb\xbf"
                          "1,2\n3,4\n"))
            .values == std::vector<double>{1, 2, 3, 4});
  CHECK(read_dose(written(folder, "comma.csv", "1,5;2\n3;4,25\n")).values == std::vector<double>{1.5, 2, 3, 4.25});
  CHECK(read_dose(written(folder, "tabs.txt", "1,5\t2\n3\t4\n")).values == std::vector<double>{1.5, 2, 3, 4});
  for (const char* nan : {"nan", "NaN", "NAN", "Nan"})
    CHECK(std::isnan(read_dose(written(folder, "nan.csv", std::string("1,2\n3,") + nan + "\n")).values[3]));
}

TEST_CASE("numbers in quotes are numbers", "[psqa][readers][behaviour]") {
  const support::TemporaryFolder folder;
  CHECK(read_dose(written(folder, "a.csv", "# film\n\"1.0\",\"2,5\"\n\"3\",\"\"\n")).values[1] == 2.5);
  CHECK(std::isnan(read_dose(written(folder, "b.csv", "\"1\",\"2\"\n\"3\",\"nan\"\n")).values[3]));
  CHECK_THROWS_WITH(read_dose(written(folder, "c.csv", "1,2\n3,\"4\n")), Catch::Contains("line 2"));
}

TEST_CASE("a named pipe is no file, and nobody waits for it", "[psqa][readers][error]") {
  const support::TemporaryFolder folder;
  const fs::path pipe = folder.path() / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  for (const auto& read :
       std::vector<std::function<void()>>{[&] { (void)read_dose(pipe); }, [&] { (void)read_csv_plane(pipe, 1); },
                                          [&] { (void)read_npy_dose(pipe, 1); }, [&] { (void)read_rtdose(pipe); },
                                          [&] { (void)read_elekta_log(pipe); }, [&] { (void)read_rtplan(pipe); }})
    CHECK_THROWS_WITH(read(), Catch::Contains("file.401"));
  const std::vector<ImportItem> found = find_imports(folder.path());
  REQUIRE(found.size() == 1);
  CHECK(found[0].reason == "no regular file");
}

TEST_CASE("NPY doses of any real type and memory order", "[psqa][readers][behaviour]") {
  const support::TemporaryFolder folder;
  const auto npy = [&](const std::string& type, bool fortran, const std::string& data) {
    std::string header =
        "{'descr': '" + type + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': (2, 3), }";
    header.resize(117, ' ');
    return written(folder, "a.npy", std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + "\n" + data);
  };
  const std::vector<double> expected = {1, 2, 3, 4, 5, 6};
  CHECK(read_dose(npy("|u1", false, std::string("\1\2\3\4\5\6", 6))).values == expected);
  CHECK(read_dose(npy("|u1", true, std::string("\1\4\2\5\3\6", 6))).values == expected);
  CHECK(read_dose(npy("<i2", false, std::string("\1\0\2\0\3\0\4\0\5\0\6\0", 12))).values == expected);
  CHECK(read_dose(npy(">i2", false, std::string("\0\1\0\2\0\3\0\4\0\5\0\6", 12))).values == expected);
  CHECK(read_dose(npy("|i1", false, std::string("\xff\2\3\4\5\6", 6))).values[0] == -1);
  const std::string halves = {"\x00\x3c\x00\xc0\x55\x35\x01\x00\xff\x7b\x00\x7e", 12};
  const std::vector<double> half = read_dose(npy("<f2", false, halves)).values;
  CHECK(half[0] == 1);
  CHECK(half[1] == -2);
  CHECK(half[2] == Approx(1.0 / 3).epsilon(1e-3));
  CHECK(half[3] == std::ldexp(1, -24));
  CHECK(half[4] == 65504);
  CHECK(std::isnan(half[5]));
  CHECK(read_dose(npy(">f2", false, std::string("\x3c\0\x40\0\x42\0\x44\0\x45\0\x46\0", 12))).values == expected);
  CHECK_THROWS_WITH(read_dose(npy("<c8", false, std::string(48, '\0'))), Catch::Contains("<c8"));
}

TEST_CASE("an infinite dose is refused", "[psqa][readers][error]") {
  const support::TemporaryFolder folder;
  const std::vector<double> doses = {1, 2, std::numeric_limits<double>::infinity(), 4};
  eq::io::write_npy<double>(folder.path() / "inf.npy", std::vector<std::size_t>{2, 2}, doses);
  CHECK_THROWS_WITH(read_npy_dose(folder.path() / "inf.npy", 1), Catch::Contains("expected finite doses"));
}

TEST_CASE("an OpenKBP patient is named after the folder, however that is written", "[psqa][readers][behaviour]") {
  const support::TemporaryFolder folder;
  fs::create_directories(folder.path() / "pt_7");
  (void)written(folder, "pt_7/voxel_dimensions.csv", "3.5\n3.5\n3\n");
  CHECK(read_openkbp(folder.path() / "pt_7" / "").id == "pt_7");
  CHECK(read_openkbp(folder.path() / "pt_7" / ".").id == "pt_7");
}

TEST_CASE("a projected target has no holes, whatever its voxels' size", "[psqa][readers][worked]") {
  for (const double slice : {2.0, 2.5, 3.0, 6.0}) {
    OpenKbpPatient patient;
    patient.voxel_mm = {3.5, 3.9, slice};
    for (std::uint32_t i = 50; i < 70; ++i)
      for (std::uint32_t j = 50; j < 60; ++j)
        for (std::uint32_t k = 50; k < 65; ++k)
          patient.structures["PTV70"].push_back(std::uint32_t((i * kOpenKbpSide + j) * kOpenKbpSide + k));
    for (const double gantry : {0.0, 40.0, 90.0}) {
      const ProjectedTarget target = project_targets(patient, gantry);
      INFO("slices of " << slice << " mm, gantry " << gantry);
      const double half_y = 0.5 * 15 * slice, half_x = gantry == 90 ? 0.5 * 10 * 3.9 : 0.5 * 20 * 3.5;
      for (double y = 2.5 - half_y; y < half_y - 2.5; y += 0.5)
        for (double x = 2.5 - half_x; x < half_x - 2.5; x += 0.5) CHECK(target.contains(x, y));
      CHECK_FALSE(target.contains(0, half_y + 2.5));
      if (gantry != 40) CHECK_FALSE(target.contains(half_x + 2.5, 0));
    }
  }
}

TEST_CASE("NPY doses of either precision, planes and volumes", "[psqa][readers][behaviour]") {
  const support::TemporaryFolder folder;
  const std::vector<std::size_t> volume = {2, 2, 3}, flat = {12};
  eq::io::write_npy<double>(folder.path() / "v.npy", volume, std::vector<double>(12, 1.5));
  CHECK(read_dose(folder.path() / "v.npy", 3).shape == std::array<std::size_t, 3>{2, 2, 3});
  eq::io::write_npy<float>(folder.path() / "flat.npy", flat, std::vector<float>(12));
  CHECK_THROWS_WITH(read_dose(folder.path() / "flat.npy"), Catch::Contains("[H, W]"));
}

TEST_CASE("detector samples are read whole", "[psqa][readers][samples]") {
  const auto folder = support::samples("detector");
  if (folder.empty()) return;
  const DoseGrid snc = read_dose(folder / "SNCTest10x10.txt");
  CHECK(snc.size() == 2025);
  CHECK(std::count_if(snc.values.begin(), snc.values.end(), [](double v) { return !std::isnan(v); }) == 445);
  CHECK(maximum_dose(snc) == Approx(1.142286488));
  CHECK(maximum_dose(read_dose(folder / "tomo_mapcheck_test.txt")) == Approx(1.0357197011));
  const DoseGrid ptw = read_dose(folder / "PTWTest20x20.mcc"), iba = read_dose(folder / "IBATest20x20.opg"),
                 xio = read_dose(folder / "XiO-Patient-0.txt");
  CHECK(ptw.shape == std::array<std::size_t, 3>{1, 27, 27});
  CHECK(ptw.spacing[1] == Approx(10));
  CHECK(iba.shape == std::array<std::size_t, 3>{1, 32, 32});
  CHECK(iba.spacing[2] == Approx(7.619));
  CHECK(xio.shape == std::array<std::size_t, 3>{1, 361, 306});
  CHECK(xio.origin == std::array<double, 3>{0, -180, -152});
}

TEST_CASE("RTDOSE in every transfer syntax holds the same doses", "[psqa][readers][samples]") {
  const auto folder = support::samples("rtdose");
  if (folder.empty()) return;
  for (const std::string frames : {"", "_1frame"}) {
    const DoseGrid plain = read_rtdose(folder / ("rtdose" + frames + ".dcm"));
    CHECK(*std::max_element(plain.values.begin(), plain.values.end()) == Approx(1.254));
    for (const std::string syntax : {"_rle", "_expb"}) {
      INFO(syntax << frames);
      const DoseGrid other = read_rtdose(folder / ("rtdose" + syntax + frames + ".dcm"));
      CHECK(other.values == plain.values);
      CHECK(other.spacing == plain.spacing);
      CHECK(other.origin == plain.origin);
    }
  }
  // Six pixels of a plane from Eclipse are marks, no dose.
  const DoseGrid eclipse = read_rtdose(folder / "eclipse_plane_52x52_5mm.dcm");
  CHECK(eclipse.spacing[1] == Approx(5));
  CHECK(std::count_if(eclipse.values.begin(), eclipse.values.end(), [](double v) { return std::isnan(v); }) == 6);
  CHECK(maximum_dose(eclipse) == Approx(62.2).margin(0.05));
}

TEST_CASE("OpenKBP patients have their doses and structures", "[psqa][readers][samples]") {
  const auto folder = support::samples("openkbp");
  if (folder.empty()) return;
  const auto expected = nlohmann::json::parse(std::ifstream(folder / "expected.json"))["patients"];
  for (const auto& [id, want] : expected.items()) {
    INFO(id);
    const OpenKbpPatient p = read_openkbp(folder / id);
    double sum = 0;
    for (const double d : p.dose.values) sum += d;
    CHECK(sum == Approx(want["dose_sum"].get<double>()));
    CHECK(*std::max_element(p.dose.values.begin(), p.dose.values.end()) == Approx(want["dose_max_Gy"].get<double>()));
    for (std::size_t k = 0; k < 3; ++k) CHECK(p.voxel_mm[k] == Approx(want["voxel_mm"][k].get<double>()).margin(5e-4));
    for (const auto& [name, count] : want["structures_voxels"].items()) CHECK(p.structures.at(name).size() == count);
    // A target covers as much of the view from the front as from behind.
    const auto area = [&](double gantry) {
      const ProjectedTarget t = project_targets(p, gantry);
      return double(std::count(t.inside.begin(), t.inside.end(), 1));
    };
    CHECK(area(0) == Approx(area(180)).epsilon(0.1));
  }
}

TEST_CASE("a delivery log is two plans", "[psqa][readers][samples]") {
  const auto folder = support::samples("linac_log");
  if (folder.empty()) return;
  const DeliveryLog a = read_elekta_log(folder / "elekta_log_A.csv"), b = read_elekta_log(folder / "elekta_log_B.csv");
  CHECK(a.time_s.size() == 336);
  CHECK(a.delivered.beams[0].mu == Approx(100));
  CHECK(b.delivered.beams[0].mu == Approx(227.4));
  CHECK(b.treatment == "2-2/DIR SCALP");
  CHECK(a.leaf_rms_mm == Approx(0.0489).margin(1e-4));
  CHECK(b.leaf_rms_mm == Approx(0.1574).margin(1e-4));
  for (const DeliveryLog* log : {&a, &b}) {
    double maximum = 0;
    for (std::size_t k = 0; k < log->time_s.size(); ++k)
      for (std::size_t l = 0; l < 80; ++l) {
        const LeafPositions &is = log->delivered.beams[0].control_points[k].leaves[0],
                            &wanted = log->prescribed.beams[0].control_points[k].leaves[0];
        maximum = std::max({maximum, std::abs(is.a[l] - wanted.a[l]), std::abs(is.b[l] - wanted.b[l])});
      }
    CHECK(log->leaf_max_mm == Approx(maximum));
    CHECK(log->leaf_max_mm >= log->leaf_rms_mm);
  }
  // What was prescribed moves less from record to record than what was delivered.
  const auto restless = [](const Plan& p) {
    double sum = 0;
    const auto& points = p.beams[0].control_points;
    for (std::size_t k = 1; k < points.size(); ++k)
      for (std::size_t l = 0; l < 80; ++l) sum += std::abs(points[k].leaves[0].a[l] - points[k - 1].leaves[0].a[l]);
    return sum;
  };
  CHECK(restless(a.prescribed) < restless(a.delivered));
  CHECK(metric(complexity(a.delivered).plan, "MCS") > 0);
}
