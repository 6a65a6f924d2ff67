/// \file
/// What a cohort may hold beside its records: delivery maps and machines.csv.

#include <equipoise/psqa/cohort/extras.hpp>
#include <equipoise/psqa/cohort/import.hpp>
#include <equipoise/psqa/cohort/reader.hpp>
#include <equipoise/psqa/cohort/simulate.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/simulated.hpp"

using namespace equipoise::psqa;
using support::few;
namespace eq = equipoise;
namespace fs = std::filesystem;

namespace {

/// A file machines.csv of this text, read.
MachineTable read_table(const support::TemporaryFolder& folder, const std::string& text) {
  const fs::path path = folder.path() / "machines.csv";
  std::ofstream(path) << text;
  return read_machines(path);
}

std::string text_of(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a cohort holds delivery maps of its plans where they are asked for", "[psqa][cohort][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path with = folder.path() / "with", without = folder.path() / "without";
  simulate_cohort(few(2), with, [](auto&&...) {}, 2, {.delivery_maps = true});
  simulate_cohort(few(2), without, [](auto&&...) {});
  CHECK_FALSE(fs::exists(without / kDeliveryMapsFile));
  CHECK(delivery_channels(read_cohort_table(without)).empty());
  CHECK_THROWS_WITH(CohortMaps(without, read_cohort_table(without)), Catch::Contains("--delivery-maps"));
  CHECK(text_of(with / "records.csv") == text_of(without / "records.csv"));
  const Cohort cohort = read_cohort(with);
  const CohortMaps maps(with, cohort);
  REQUIRE(maps.channels().size() == kDeliveryChannels);
  CHECK(maps.channels()[4].name == "leaf_speed");
  CHECK(maps.channels()[4].unit == "mm/s");
  const DeliveryMaps expected = delivery_maps(Simulator(few(2)).plan(1), maps_plane(few(2)));
  const std::span<const float> second = maps.record(1);
  CHECK(std::equal(second.begin(), second.end(), expected.values.begin(), expected.values.end()));
}

TEST_CASE("delivery maps show where the dose is", "[psqa][cohort][property]") {
  const Record& r = support::first_record();
  const DeliveryMaps maps = delivery_maps(r.plan, maps_plane(few(1)));
  double both = 0, dose = 0, mu = 0;
  for (std::size_t p = 0; p < r.planned.size(); ++p) {
    const double open = maps.channel(DeliveryChannel::open)[p];
    both += open * r.planned.values[p], dose += r.planned.values[p] * r.planned.values[p], mu += open * open;
  }
  CHECK(both / std::sqrt(dose * mu) > 0.98);
}

TEST_CASE("delivery maps that do not go with their cohort are refused", "[psqa][cohort][error]") {
  const support::TemporaryFolder folder;
  const fs::path path = folder.path() / "c";
  simulate_cohort(few(2), path, [](auto&&...) {}, 1, {.delivery_maps = true});
  Cohort cohort = read_cohort_table(path);
  auto array = eq::io::read_npy<float>(path / kDeliveryMapsFile);
  array.values[array.values.size() - 1] = std::numeric_limits<float>::quiet_NaN();
  eq::io::write_npy<float>(path / kDeliveryMapsFile, array.shape, array.values);
  const CohortMaps maps(path, cohort);
  CHECK_NOTHROW(maps.record(0));
  CHECK_THROWS_WITH(maps.record(1), Catch::Contains("delivery_maps.npy") && Catch::Contains("plan1"));
  cohort.records.pop_back();
  CHECK_THROWS_WITH(CohortMaps(path, cohort),
                    Catch::Contains("expected maps [1, 6, 120, 120]") && Catch::Contains("got [2, 6, 120, 120]"));
  cohort.about["delivery_maps"]["channels"][2].erase("unit");
  CHECK_THROWS_WITH(delivery_channels(cohort), Catch::Contains("cohort.json"));
}

TEST_CASE("records of fields have maps along the leaves, one of a plan turned ones", "[psqa][cohort][behaviour]") {
  CohortSettings s = few(1);
  CHECK(maps_plane(s).turned);
  s.records = RecordsOf::fields;
  CHECK_FALSE(maps_plane(s).turned);
}

TEST_CASE("an imported record keeps the plan of its maps", "[psqa][cohort][samples]") {
  const fs::path plans = support::samples("rtplan");
  if (plans.empty()) return;
  Simulator simulator(few(1));
  const ImportedRecord r = import_record({plans / "RP_FiF.dcm"}, simulator, 0);
  const DeliveryMaps maps = delivery_maps(r.plan, maps_plane(few(1)));
  // 200 MU through 100 x 100 mm, half of them through 50 x 50 only.
  CHECK(maps.at(DeliveryChannel::open, 60, 60) == Approx(200));
  CHECK(maps.at(DeliveryChannel::open, 60, 60 + 18) == Approx(100));
  CHECK(maps.at(DeliveryChannel::over_gap, 60, 60) == Approx(1 + 2));
}

TEST_CASE("monthly QA measures the simulated machines, with noise", "[psqa][simulator][property]") {
  CohortSettings s = few(1);
  s.machines = 6;
  const Simulator simulator(s);
  const std::vector<MachineQa> measured = monthly_qa(simulator.linacs(), s.seed, s.mismatch);
  REQUIRE(measured.size() == 6);
  CHECK(measured[2].machine == "linac3");
  for (std::size_t m = 0; m < 6; ++m) {
    const MachineModel& real = simulator.linacs()[m].real;
    const MachineQa& qa = measured[m];
    CHECK(std::abs(qa.at(MachineFigure::leaf_gap_mm) - real.leaf_gap_mm) < 4 * std::hypot(0.05, s.mismatch.gap_day_mm));
    CHECK(std::abs(qa.at(MachineFigure::transmission_percent) - 100 * real.transmission) < 4 * 0.05);
    CHECK(std::abs(qa.at(MachineFigure::output_percent) - 100) < 4 * std::hypot(0.2, s.mismatch.output_day_percent));
    // About 80 leaves of 0.2 mm, each measured to 0.1.
    CHECK(qa.at(MachineFigure::picket_fence_sd_mm) == Approx(std::hypot(0.2, 0.1)).epsilon(0.35));
    CHECK(std::abs(qa.at(MachineFigure::picket_fence_mean_mm)) < 0.1);
    CHECK(qa.at(MachineFigure::picket_fence_max_mm) > 2 * qa.at(MachineFigure::picket_fence_sd_mm));
    // The same again by seed, another with another.
    CHECK(monthly_qa(simulator.linacs()[m], s.seed, m, s.mismatch).figures == qa.figures);
    CHECK(monthly_qa(simulator.linacs()[m], s.seed + 1, m, s.mismatch).figures != qa.figures);
  }
  // Without noise, what is measured is the machine.
  const MachineQa exact = monthly_qa(simulator.linacs()[1], s.seed, 1, support::none(), {0, 0, 0, 0});
  CHECK(exact.at(MachineFigure::leaf_gap_mm) == simulator.linacs()[1].real.leaf_gap_mm);
  CHECK(exact.at(MachineFigure::output_percent) == 100);
}

TEST_CASE("a simulated cohort holds what monthly QA measured of its machines", "[psqa][cohort][behaviour]") {
  const support::TemporaryFolder folder;
  CohortSettings s = few(2);
  s.machines = 3;
  simulate_cohort(
      s, folder.path() / "c", [](auto&&...) {}, 2);
  const MachineTable table = read_machines(folder.path() / "c" / kMachinesFile);
  const std::vector<MachineQa> expected = monthly_qa(Simulator(s).linacs(), s.seed, s.mismatch);
  REQUIRE(table.machines.size() == 3);
  for (std::size_t m = 0; m < 3; ++m)
    for (std::size_t f = 0; f < kMachineFigures; ++f)
      CHECK(table.machines[m].figures[f] == Approx(expected[m].figures[f]).epsilon(1e-8));
  const Cohort cohort = read_cohort_table(folder.path() / "c");
  for (const CohortRecord& r : cohort.records) CHECK(table.find(r.machine) != nullptr);
  CHECK(table.find("linac9") == nullptr);
  CHECK(cohort.about.at("machine_qa").at("noise").at("output_percent") == 0.2);
}

TEST_CASE("a clinic's machines.csv: some figures, other separators, columns of its own", "[psqa][cohort][behaviour]") {
  const support::TemporaryFolder folder;
  const MachineTable table = read_table(folder,
                                        "\xef\xbb\xbfmachine;serial;output_percent;leaf_gap_mm\r\n"
                                        "\"TB 1\";H19;100,4;1,35\r\n\r\nTB 2;;;1.2\r\n");
  REQUIRE(table.machines.size() == 2);
  CHECK(table.machines[0].machine == "TB 1");
  CHECK(table.machines[0].at(MachineFigure::output_percent) == 100.4);
  CHECK(table.machines[0].at(MachineFigure::leaf_gap_mm) == 1.35);
  CHECK(std::isnan(table.machines[0].at(MachineFigure::transmission_percent)));
  CHECK(std::isnan(table.machines[1].at(MachineFigure::output_percent)));
  REQUIRE(table.warnings.size() == 1);
  CHECK_THAT(table.warnings[0], Catch::Contains("\"serial\" is ignored"));
  // What is written is read.
  const MachineTable back = read_table(folder, machines_csv(table.machines));
  REQUIRE(back.machines.size() == 2);
  CHECK(back.machines[0].at(MachineFigure::leaf_gap_mm) == 1.35);
  CHECK(std::isnan(back.machines[1].at(MachineFigure::output_percent)));
  CHECK(back.warnings.empty());
}

TEST_CASE("a broken machines.csv is refused with file, line and column", "[psqa][cohort][error]") {
  const support::TemporaryFolder folder;
  const auto refused = [&](const std::string& text, const std::string& line, const std::string& what) {
    CHECK_THROWS_WITH(read_table(folder, text),
                      Catch::Contains("machines.csv") && Catch::Contains(line) && Catch::Contains(what));
  };
  refused("", "", "empty");
  refused("leaf_gap_mm\n1\n", "", "expected a column machine");
  refused("machine,leaf_gap\nA,1\n", "", "expected a column of figures");
  refused("machine,leaf_gap_mm\n", "", "expected machines, got none");
  refused("machine,leaf_gap_mm\nA,1\nB,wide\n", "line 3", "column leaf_gap_mm: expected a number, got \"wide\"");
  refused("machine,leaf_gap_mm\nA,1\nB,nan\n", "line 3", "column leaf_gap_mm: expected a number, got \"nan\"");
  refused("machine,output_percent\nA,0.4\n", "line 2", "column output_percent: expected 50 .. 150, got 0.4");
  refused("machine,leaf_gap_mm\nA,1,2\n", "line 2", "expected 2 columns, got 3");
  refused("machine,leaf_gap_mm\n,1\n", "line 2", "column machine: expected a name");
  refused("machine,leaf_gap_mm\nA,1\nA,2\n", "line 3", "twice");
  refused("machine,leaf_gap_mm,leaf_gap_mm\nA,1,2\n", "line 1", "\"leaf_gap_mm\" twice");
  CHECK_THROWS_AS(read_machines(folder.path() / "none.csv"), eq::FileError);
}
