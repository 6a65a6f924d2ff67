#include <equipoise/io/png.hpp>
#include <equipoise/psqa/cohort.hpp>
#include <equipoise/psqa/rtdose_reader.hpp>
#include <equipoise/psqa/rtplan_writer.hpp>

#include <fstream>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;
namespace fs = std::filesystem;

namespace {

CohortSettings few(std::int64_t plans) {
  CohortSettings s;
  s.plans = plans, s.machines = 1;
  return s;
}

std::string read_text(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_text(const fs::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

}  // namespace

TEST_CASE("the dose of an infinite open field is one cGy an MU", "[psqa][dose][property]") {
  // The kernel's scatter reaches further than any field: its transform at zero says what all of it would give.
  CHECK(DoseEngine::transfer(MachineModel{}, 0) == Approx(1));
  DoseEngine engine(80, 2);
  DoseGrid f = DoseGrid::plane(80, 80, 2);
  std::fill(f.values.begin(), f.values.end(), 100.0);
  const auto [a, b] = engine(f, MachineModel{}, f, MachineModel{});
  CHECK(a.at(0, 40, 40) < 1);
  CHECK(a.at(0, 40, 40) > 0.85);
  CHECK(a.at(0, 40, 40) == Approx(b.at(0, 40, 40)));
}

TEST_CASE("a static opening is open for all MU, its leaf ends shifted by half the gap", "[psqa][fluence][worked]") {
  Beam beam;
  beam.mu = 100;
  beam.layers = {Layer{LeafAxis::x, millennium_boundaries(), "MLCX"}};
  ControlPoint cp;
  cp.x1 = cp.y1 = -50, cp.x2 = cp.y2 = 50;
  cp.leaves = {{std::vector<double>(60, -20.0), std::vector<double>(60, 20.0)}};
  beam.control_points = {cp, cp};
  beam.control_points[1].weight = 1;
  MachineModel m;
  m.leaf_gap_mm = 1, m.transmission = 0, m.jaw_transmission = 0;
  DoseGrid total = DoseGrid::plane(240, 240, 1);
  add_fluence(
      beam, m, [](std::size_t, int, std::size_t) { return 0.0; }, total);
  CHECK(total.at(0, 120, 120) == Approx(100));
  double row = 0;
  for (std::size_t x = 0; x < 240; ++x) row += total.at(0, 120, x);
  CHECK(row == Approx(100 * 41));  // 40 mm and half a gap on either side
  CHECK(total.at(0, 20, 120) == Approx(0).margin(1e-12));
}

TEST_CASE("tongue and groove only takes fluence away", "[psqa][fluence][property]") {
  const Plan plan = generate_plan(2, 0, "m", {});
  MachineModel without, with;
  without.transmission = with.transmission = 0;
  with.tongue_groove_mm = 1.6;
  const DoseGrid a = plan_fluence(plan, without, exact_leaves, 240, 1),
                 b = plan_fluence(plan, with, exact_leaves, 240, 1);
  double sum_a = 0, sum_b = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    CHECK(b.values[i] <= a.values[i] + 1e-9);
    sum_a += a.values[i], sum_b += b.values[i];
  }
  CHECK(sum_b < sum_a);
}

TEST_CASE("a sliding window delivers the fluence it was made for", "[psqa][fluence][property]") {
  const Plan plan = generate_plan(4, 3, "m", {});
  for (const Beam& b : plan.beams)
    for (std::size_t k = 1; k < b.control_points.size(); ++k) {
      CHECK(b.interval_mu(k) >= 0);
      for (std::size_t l = 0; l < 60; ++l) {
        CHECK(b.control_points[k].leaves[0].b[l] >= b.control_points[k].leaves[0].a[l]);
        CHECK(b.control_points[k].leaves[0].a[l] >= b.control_points[k - 1].leaves[0].a[l] - 1e-9);
      }
    }
}

TEST_CASE("a record is the same alone as in its cohort", "[psqa][cohort][property]") {
  Simulator one(few(3)), another(few(3));
  (void)one.record(0), (void)one.record(1);
  const Record a = one.record(2), b = another.record(2);
  CHECK(a.gpr == b.gpr);
  CHECK(a.measured.values == b.measured.values);
}

TEST_CASE("a machine that is as planned passes everywhere", "[psqa][cohort][property]") {
  CohortSettings s = few(2);
  s.mismatch = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  Simulator simulator(s);
  for (std::int64_t i = 0; i < 2; ++i)
    for (const double g : simulator.record(i).gpr) CHECK(g == 100);
}

TEST_CASE("the rates of a record are ordered as their criteria", "[psqa][cohort][property]") {
  Simulator simulator(few(6));
  for (std::int64_t i = 0; i < 6; ++i) {
    const Record r = simulator.record(i);
    CHECK(r.gpr[0] >= r.gpr[1]);
    CHECK(r.gpr[1] >= r.gpr[2]);
  }
}

TEST_CASE("a cohort comes back as it was written", "[psqa][cohort][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path path = folder.path() / "cohort";
  simulate_cohort(few(3), path, [](std::int64_t, std::int64_t) {});
  const Cohort c = read_cohort(path);
  REQUIRE(c.records.size() == 3);
  Simulator simulator(few(3));
  const Record r = simulator.record(1);
  CHECK(c.records[1].gpr[2] == Approx(r.gpr[2]));
  CHECK(c.plane(c.planned, 1)[60 * 120 + 60] == Approx(r.planned.at(0, 60, 60)));
  CHECK_FALSE(fs::exists(path.string() + ".part"));
}

TEST_CASE("a simulation that is stopped leaves nothing", "[psqa][cohort][error]") {
  const support::TemporaryFolder folder;
  struct Stop {};
  CHECK_THROWS_AS(simulate_cohort(few(3), folder.path() / "cohort",
                                  [](std::int64_t done, std::int64_t) {
                                    if (done == 2) throw Stop{};
                                  }),
                  Stop);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a broken cohort is refused with the file, record and column", "[psqa][cohort][error]") {
  const support::TemporaryFolder folder;
  const fs::path path = folder.path() / "cohort";
  simulate_cohort(few(2), path, [](std::int64_t, std::int64_t) {});
  const std::string table = read_text(path / "records.csv");
  const auto broken = [&](const std::string& from, const std::string& to) {
    std::string text = table;
    text.replace(text.find(from), from.size(), to);
    write_text(path / "records.csv", text);
  };
  broken(",MCS,", ",Mcs,");
  CHECK_THROWS_WITH(read_cohort(path), Catch::Contains("records.csv") && Catch::Contains("MCS"));
  broken("plan1,", "plan0,");
  CHECK_THROWS_WITH(read_cohort(path), Catch::Contains("plan0") && Catch::Contains("twice"));
  write_text(path / "records.csv", table.substr(0, table.size() / 2));
  CHECK_THROWS_AS(read_cohort(path), eq::FileError);
  write_text(path / "records.csv", table);
  auto planes = eq::io::read_npy<float>(path / "measured.npy");
  planes.values[120 * 120 + 5] = std::numeric_limits<float>::quiet_NaN();
  eq::io::write_npy<float>(path / "measured.npy", planes.shape, planes.values);
  CHECK_THROWS_WITH(read_cohort(path), Catch::Contains("measured.npy") && Catch::Contains("plan1"));
  eq::io::write_npy<float>(path / "measured.npy", std::vector<std::size_t>{2, 10, 10}, std::vector<float>(200));
  CHECK_THROWS_WITH(read_cohort(path), Catch::Contains("measured.npy") && Catch::Contains("[2, 10, 10]"));
  CHECK_THROWS_AS(read_cohort(folder.path() / "none"), eq::FileError);
}

TEST_CASE("a plane written as RTDOSE comes back to a part in four billion", "[psqa][dicom][property]") {
  const support::TemporaryFolder folder;
  Simulator simulator(few(1));
  const Record r = simulator.record(0);
  write_rtdose(r.measured, r.plan, "measured", folder.path() / "dose.dcm");
  const DoseGrid back = read_rtdose(folder.path() / "dose.dcm");
  CHECK(back.spacing[1] == r.measured.spacing[1]);
  CHECK(back.origin[2] == r.measured.origin[2]);
  const double most = *std::max_element(r.measured.values.begin(), r.measured.values.end());
  for (std::size_t i = 0; i < back.values.size(); ++i)
    REQUIRE(back.values[i] == Approx(r.measured.values[i]).margin(most / 4e9));
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
  CHECK(read_rtdose(folder / "test_dicom_rtdose_16bit.dcm").values[1] == Approx(3213 * 0.03125047684443427));
  CHECK_THROWS_WITH(read_rtdose(folder / "test_dicom_ct.dcm"), Catch::Contains("expected an RTDOSE"));
}
