#include <equipoise/psqa/cohort/import.hpp>
#include <equipoise/psqa/dicom/rtplan_writer.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/simulated.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;
namespace fs = std::filesystem;

namespace {

void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

/// The item of a file name.
ImportItem item_of(const std::vector<ImportItem>& items, const std::string& name) {
  for (const ImportItem& i : items)
    if (i.path.filename() == name) return i;
  FAIL("no item " << name);
  return {};
}

/// A plane as a table of numbers.
void write_table(const DoseGrid& g, const fs::path& path) {
  std::ofstream out(path);
  out.precision(17);
  for (std::size_t y = 0; y < g.shape[1]; ++y)
    for (std::size_t x = 0; x < g.shape[2]; ++x) out << g.at(0, y, x) << (x + 1 < g.shape[2] ? ',' : '\n');
}

}  // namespace

TEST_CASE("a mixture is imported, and what cannot be says why", "[psqa][import][samples]") {
  const auto plans = support::samples("rtplan");
  if (plans.empty()) return;
  Simulator& simulator = support::one_machine();
  const ImportedRecord real = import_record({plans / "RP_FiF.dcm"}, simulator, 0);
  CHECK(real.source == "simulated delivery");
  CHECK(real.record.gpr[0] >= real.record.gpr[kStrictest]);
  CHECK_THROWS_AS(import_record({plans / "pydicom_rtplan_truncated.dcm"}, simulator, 1), eq::FileError);
  CHECK_THROWS_WITH(import_record({plans / "pydicom_rtplan_jaws_only.dcm"}, simulator, 1),
                    Catch::Contains("multileaf") && Catch::Contains(plans.string()));
  const std::vector<ImportItem> items = find_imports(plans);
  CHECK(items.size() == 18);  // 17 plans, and the JSON file of expected values
  CHECK(item_of(items, "expected_metrics.json").kind == ImportKind::none);
}

TEST_CASE("simulated deliveries of imported plans are of the machines, planes and mismatches that are asked for",
          "[psqa][import][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path plan = folder.path() / "p.dcm";
  write_rtplan(support::first_record().plan, plan);
  const auto imported = [&](const CohortSettings& s) {
    Simulator simulator(s);
    return import_record({plan}, simulator, 0);
  };
  // Planned and measured planes go through one transform: its rounding, 10^-16, is in both.
  const auto apart = [](const DoseGrid& a, const DoseGrid& b) {
    double maximum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) maximum = std::max(maximum, std::abs(a.values[i] - b.values[i]));
    return maximum;
  };
  const ImportedRecord usual = imported({.machines = 1});
  CHECK(apart(imported({.seed = 2, .machines = 1}).measured, usual.measured) > 0.01);
  CHECK(apart(imported({.machines = 1, .model = LinacModel::agility}).planned, usual.planned) > 0.01);
  const ImportedRecord seen = imported({.machines = 1, .detector = Detector::chamber_array});
  CHECK(apart(seen.planned, usual.planned) < 1e-12);
  CHECK(seen.record.gpr != usual.record.gpr);
  CohortSettings portal{.machines = 1};
  portal.plane.kind = PlaneKind::epid;
  CHECK(apart(imported(portal).planned, usual.planned) > 0.01);
  CohortSettings exact{.machines = 1};
  for (const auto& [key, value] : eq::options(exact.mismatch)) eq::set_option(exact.mismatch, key, "0");
  CHECK(imported(exact).record.gpr == RateNumbers{100, 100, 100, 100});
  const auto patients = support::samples("openkbp");
  if (patients.empty()) return;
  const auto patient = [&](LinacModel model) {
    Simulator simulator({.machines = 1, .model = model});
    for (const ImportItem& item : find_imports(patients))
      if (item.kind == ImportKind::openkbp) return import_record(item, simulator, 0);
    FAIL("no patient");
    return ImportedRecord{};
  };
  const ImportedRecord narrow = patient(LinacModel::hd120);
  CHECK(narrow.source == "simulated");
  CHECK(narrow.record.metrics != patient(LinacModel::millennium_120).record.metrics);
}

TEST_CASE("planes beside a plan are measurements, holes and all", "[psqa][import][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path plan = folder.path() / "p.dcm";
  Simulator& simulator = support::one_machine();
  const Record& r = support::first_record();
  write_rtplan(r.plan, plan);
  write_rtdose(r.planned, r.plan, "planned", folder.path() / "p_planned.dcm");
  CHECK_THROWS_WITH(import_record(find_imports(plan).at(0), simulator, 0), Catch::Contains("only"));
  write_rtdose(r.measured, r.plan, "measured", folder.path() / "p_measured.dcm");
  const std::vector<ImportItem> items = find_imports(plan);
  REQUIRE(items.size() == 1);
  CHECK(find_imports(folder.path()).size() == 1);  // the planes are part of the record
  const ImportedRecord back = import_record(items[0], simulator, 0);
  CHECK(back.source == "measured");
  for (std::size_t c = 0; c < kCriteria.size(); ++c) CHECK(back.record.gpr[c] == Approx(r.gpr[c]).margin(0.05));
}

TEST_CASE("an RTDOSE belongs to the plan that it references, whatever the files are called",
          "[psqa][import][behaviour]") {
  const support::TemporaryFolder folder;
  const Record& r = support::first_record();
  Plan other = r.plan;
  other.id = "other";
  const fs::path plan = folder.path() / "RP.p.dcm", planned = folder.path() / "RD.p.dcm",
                 measured = folder.path() / "Meas p.dcm";
  write_rtplan(r.plan, plan), write_rtplan(other, folder.path() / "RP.other.dcm");
  write_rtdose(r.planned, r.plan, "planned", planned);
  // Alone it is half of a record, never beside a simulated delivery.
  CHECK_THROWS_WITH(import_record(item_of(find_imports(folder.path()), "RP.p.dcm"), support::one_machine(), 0),
                    Catch::Contains("got only") && Catch::Contains("RP.p_measured.*"));
  write_rtdose(r.measured, r.plan, "measured", measured);
  for (const fs::path& given : {folder.path(), plan}) {
    const std::vector<ImportItem> items = find_imports(given);
    CHECK(items.size() == (given == plan ? 1 : 2));
    const ImportItem item = item_of(items, "RP.p.dcm");
    CHECK(item.planned == planned);
    CHECK(item.measured == measured);
  }
  const ImportItem alone = item_of(find_imports(folder.path()), "RP.other.dcm");
  CHECK(alone.kind == ImportKind::rtplan);
  CHECK(alone.planned.empty());
  // Two doses of one plan: which is meant is for their names to say.
  write_rtdose(r.planned, r.plan, "planned", folder.path() / "RD.p.2.dcm");
  CHECK(item_of(find_imports(folder.path()), "RD.p.dcm").reason ==
        "one of 2 doses of the plan RP.p.dcm: name the one to use RP.p_planned.dcm");
  fs::rename(planned, folder.path() / "RP.p_planned.dcm");
  const std::vector<ImportItem> named = find_imports(folder.path());
  CHECK(item_of(named, "RP.p.dcm").planned == folder.path() / "RP.p_planned.dcm");
  CHECK_THAT(item_of(named, "RD.p.2.dcm").reason, Catch::Contains("another plane of its plan RP.p.dcm"));
}

TEST_CASE("a plan is not delivered in simulation beside a dose that may be its measurement",
          "[psqa][import][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path plan = folder.path() / "RP.p.dcm";
  write_rtplan(support::first_record().plan, plan);
  CHECK(find_imports(plan).at(0).kind == ImportKind::rtplan);
  write_table(support::first_record().measured, folder.path() / "film.csv");
  for (const fs::path& given : {folder.path(), plan}) {
    const ImportItem item = item_of(find_imports(given), "RP.p.dcm");
    CHECK(item.kind == ImportKind::none);
    CHECK_THAT(item.reason, Catch::Contains("film.csv, which may be its measurement"));
  }
}

TEST_CASE("planes that do not say their spacing wait for it", "[psqa][import][behaviour]") {
  const support::TemporaryFolder folder;
  Simulator& simulator = support::one_machine();
  const Record& r = support::first_record();
  write_rtplan(r.plan, folder.path() / "p.dcm");
  write_table(r.planned, folder.path() / "p_planned.csv");
  write_table(r.measured, folder.path() / "p_measured.csv");
  const ImportItem item = find_imports(folder.path()).at(0);
  CHECK_THROWS_WITH(import_record(item, simulator, 0), Catch::Contains("--spacing"));
  const ImportedRecord back = import_record(item, simulator, 0, {.spacing_mm = r.planned.spacing[1]});
  CHECK(back.record.gpr[kStrictest] == Approx(r.gpr[kStrictest]).margin(0.01));
}

TEST_CASE("tables beside a plan are read from the top where that is said", "[psqa][import][behaviour]") {
  const support::TemporaryFolder folder;
  Simulator& simulator = support::one_machine();
  const Record& r = support::first_record();
  write_rtplan(r.plan, folder.path() / "p.dcm");
  write_rtdose(r.planned, r.plan, "planned", folder.path() / "p_planned.dcm");  // it says itself how it lies
  write_table(r.measured, folder.path() / "p_measured.csv");
  const ImportItem item = find_imports(folder.path()).at(0);
  ImportOptions options{.spacing_mm = r.measured.spacing[1]};
  const ImportedRecord bottom = import_record(item, simulator, 0, options);
  options.rows_from = RowsFrom::top;
  const ImportedRecord top = import_record(item, simulator, 0, options);
  CHECK(top.planned.values == bottom.planned.values);
  const std::size_t n = top.measured.shape[1];
  for (std::size_t y = 0; y < n; ++y)
    for (std::size_t x = 0; x < n; x += 7)
      CHECK(top.measured.at(0, y, x) == Approx(bottom.measured.at(0, n - 1 - y, x)).margin(1e-9));
  CHECK(top.record.gpr[0] < bottom.record.gpr[0]);
}

TEST_CASE("every file below a folder is a record, a part of one, or skipped with a reason of its kind",
          "[psqa][import][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path root = folder.path();
  const Record& r = support::first_record();
  fs::create_directories(root / "b" / "deep");
  write_rtplan(r.plan, root / "b" / "deep" / "plan without extension");
  write_rtplan(r.plan, root / "a.dcm");
  write_rtdose(r.planned, r.plan, "planned", root / "lonely_planned.dcm");
  write_rtdose(r.planned, r.plan, "planned", root / "dose.bin");
  write_table(r.planned, root / "a_planned.csv");
  write_text(root / "film.dat", "1,2\n3,4\n");
  write_text(root / "b" / "notes.txt", "Some notes.\n");
  write_text(root / "b" / "empty", "");
  write_text(root / "b" / "dose.csv", ",data\n5,1\n");
  write_text(root / "pt" / "voxel_dimensions.csv", "3\n3\n3\n");
  write_text(root / "pt" / "PTV70.csv", ",data\n5,\n");
  const std::vector<ImportItem> items = find_imports(root);
  std::vector<std::string> names;
  for (const ImportItem& i : items) names.push_back(i.path.filename().string());
  CHECK(names == std::vector<std::string>{"a.dcm", "plan without extension", "dose.csv", "empty", "notes.txt",
                                          "dose.bin", "film.dat", "lonely_planned.dcm", "pt"});
  CHECK(item_of(items, "a.dcm").kind == ImportKind::rtplan);
  CHECK(item_of(items, "a.dcm").planned == root / "a_planned.csv");
  CHECK(item_of(items, "plan without extension").kind == ImportKind::rtplan);
  CHECK(item_of(items, "pt").kind == ImportKind::openkbp);
  const auto reason = [&](const char* name) { return item_of(items, name).reason; };
  CHECK(reason("dose.bin") == "another plane of its plan a.dcm was used instead");
  CHECK(reason("lonely_planned.dcm").find("of its plan a.dcm") != std::string::npos);
  CHECK(reason("film.dat").find("table of numbers") != std::string::npos);
  CHECK(reason("notes.txt").find("neither plan") != std::string::npos);
  CHECK(reason("empty") == "an empty file");
  CHECK(reason("dose.csv").find("OpenKBP") != std::string::npos);
}

TEST_CASE("all sample files together are imported or skipped", "[psqa][import][samples]") {
  const auto plans = support::samples("rtplan");
  if (plans.empty()) return;
  std::vector<ImportItem> items;
  for (const auto& folder : std::filesystem::directory_iterator(plans.parent_path()))
    if (folder.path().filename() != "reported")  // small inputs of reported faults, not whole samples
      for (ImportItem& item : find_imports(folder.path())) items.push_back(std::move(item));
  std::size_t kinds[4] = {};
  for (const ImportItem& i : items) {
    ++kinds[static_cast<std::size_t>(i.kind)];
    CHECK((i.kind == ImportKind::none) == !i.reason.empty());
  }
  CHECK(kinds[0] == 17);
  CHECK(kinds[1] == 2);
  CHECK(kinds[2] == 8);
  CHECK(item_of(items, "SNCTest10x10.txt").reason.find("MapCHECK") != std::string::npos);
  CHECK(item_of(items, "PTWTest20x20.mcc").reason.find("mcc") != std::string::npos);
  CHECK(item_of(items, "test_dicom_ct.dcm").reason.find("CT") != std::string::npos);
}
