// Planes and plans that are written as DICOM and read again.

#include <equipoise/psqa/dicom/rtdose_reader.hpp>
#include <equipoise/psqa/dicom/rtplan_reader.hpp>
#include <equipoise/psqa/dicom/rtplan_writer.hpp>
#include <equipoise/psqa/simulator/simulator.hpp>

#include <filesystem>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/simulated.hpp"
#include "support/small_beams.hpp"

using namespace equipoise::psqa;
using small_beams::open_beam;
using support::few;
namespace fs = std::filesystem;

TEST_CASE("a plane written as RTDOSE comes back to a part in four billion", "[psqa][dicom][property]") {
  const support::TemporaryFolder folder;
  Simulator simulator(few(1));
  const Record r = simulator.record(0);
  write_rtdose(r.measured, r.plan, "measured", folder.path() / "dose.dcm");
  const DoseGrid back = read_rtdose(folder.path() / "dose.dcm");
  CHECK(back.spacing[1] == r.measured.spacing[1]);
  CHECK(back.origin[2] == r.measured.origin[2]);
  const double maximum = *std::max_element(r.measured.values.begin(), r.measured.values.end());
  for (std::size_t i = 0; i < back.values.size(); ++i)
    REQUIRE(back.values[i] == Approx(r.measured.values[i]).margin(maximum / 4e9));
}

TEST_CASE("RTDOSE has no pixel for no dose: NaN becomes 0, and other doses stay", "[psqa][dicom][behaviour]") {
  const support::TemporaryFolder folder;
  DoseGrid dose = DoseGrid::plane(3, 4, 2);
  for (std::size_t i = 0; i < dose.size(); ++i) dose.values[i] = 0.3 * double(i);
  dose.values[0] = dose.values[5] = std::nan("");
  write_rtdose(dose, {}, "planned", folder.path() / "d.dcm");
  const DoseGrid back = read_rtdose(folder.path() / "d.dcm");
  for (std::size_t i = 0; i < dose.size(); ++i)
    CHECK(back.values[i] == Approx(i == 0 || i == 5 ? 0 : dose.values[i]).epsilon(1e-9));
  CHECK_THROWS_WITH(write_rtdose({}, {}, "planned", folder.path() / "e.dcm"),
                    Catch::Contains("expected a grid of 1 .. 65535 points an axis"));
  CHECK_FALSE(fs::exists(folder.path() / "e.dcm"));
}

TEST_CASE("a plan's label is cut between characters", "[psqa][dicom][behaviour]") {
  const support::TemporaryFolder folder;
  Plan plan = small_beams::plan_of({open_beam()});
  plan.label = "Prostatakarzino\xc3\xbcm";
  write_rtplan(plan, folder.path() / "p.dcm");
  CHECK(read_rtplan(folder.path() / "p.dcm").label == "Prostatakarzino");
}

TEST_CASE("RTDOSE samples of 16 and 32 bits and either byte order", "[psqa][dicom][samples]") {
  const auto folder = support::samples("yagit");
  if (folder.empty()) return;
  const std::vector<double> pixels = {8191,  16383, 0,          8191,    2047,       8191,
                                      10919, 819,   1011155926, 8191918, 4294967295, 3636428};
  for (const char* file : {"test_dicom_rtdose.dcm", "test_dicom_rtdose_big_endian.dcm"}) {
    const DoseGrid g = read_rtdose(folder / file);
    REQUIRE(g.values.size() == pixels.size());
    for (std::size_t i = 0; i < pixels.size(); ++i) CHECK(g.values[i] == Approx(pixels[i] * 0.0001220703125284217));
  }
  const std::vector<double> of_16_bits = {4, 3213, 0, 31, 67, 177, 28581, 14540, 29548, 63999, 65535, 22125};
  const DoseGrid g = read_rtdose(folder / "test_dicom_rtdose_16bit.dcm");
  CHECK(g.shape == std::array<std::size_t, 3>{3, 2, 2});
  CHECK(g.spacing == std::array<double, 3>{1, 2.5, 0.5});
  CHECK(g.origin == std::array<double, 3>{2.1, -3.2, 0});
  for (std::size_t i = 0; i < g.size(); ++i) CHECK(g.values[i] == Approx(of_16_bits[i] * 0.03125047684443427));
  CHECK_THROWS_WITH(read_rtdose(folder / "test_dicom_ct.dcm"), Catch::Contains("expected an RTDOSE"));
}
