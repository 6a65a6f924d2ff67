#include <equipoise/psqa/cohort/import.hpp>
#include <equipoise/psqa/dicom/rtplan_writer.hpp>

#include <fstream>
#include <functional>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/simulated.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;
namespace fs = std::filesystem;

namespace {

/// A plan about an isocentre, with its planes beside it in the patient's coordinates.
struct Case {
  Record record = support::first_record();
  double shift_x = 0, shift_y = 0;                ///< of the planes from the isocentre, mm
  std::function<void(DcmItem&)> change_planes{};  ///< of both DICOM files
  bool measured_table = false;                    ///< as a CSV file about the axis
};

constexpr double kIsocentre[3] = {-360, 140, 35};

ImportedRecord imported(Case c) {
  const support::TemporaryFolder folder;
  for (Beam& beam : c.record.plan.beams) std::copy(kIsocentre, kIsocentre + 3, beam.isocentre);
  write_rtplan(c.record.plan, folder.path() / "p.dcm");
  if (c.measured_table) {
    std::ofstream out(folder.path() / "p_measured.csv");
    out.precision(17);
    const DoseGrid& g = c.record.measured;
    for (std::size_t y = 0; y < g.shape[1]; ++y)
      for (std::size_t x = 0; x < g.shape[2]; ++x) out << g.at(0, y, x) << (x + 1 < g.shape[2] ? ',' : '\n');
  }
  for (auto& [g, name] : {std::pair{&c.record.planned, "planned"}, {&c.record.measured, "measured"}}) {
    if (c.measured_table && g == &c.record.measured) continue;
    const fs::path path = folder.path() / (std::string("p_") + name + ".dcm");
    g->origin[2] += kIsocentre[0] + c.shift_x, g->origin[1] += kIsocentre[1] + c.shift_y;
    write_rtdose(*g, c.record.plan, name, path);
    if (!c.change_planes) continue;
    DcmFileFormat file;
    REQUIRE(file.loadFile(path.c_str()).good());
    REQUIRE(file.loadAllDataIntoMemory().good());
    c.change_planes(*file.getDataset());
    REQUIRE(file.saveFile(path.c_str()).good());
  }
  return import_record(find_imports(folder.path()).at(0), support::one_machine(), 0, {.spacing_mm = 2.0});
}

void set(DcmItem& item, const DcmTagKey& tag, const std::string& value) {
  REQUIRE(item.putAndInsertString(tag, value.c_str()).good());
}

/// Largest difference of two planes, in % of the largest dose.
double difference(const DoseGrid& a, const DoseGrid& b) {
  REQUIRE(a.shape == b.shape);
  double maximum = 0, largest = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    maximum = std::max(maximum, std::abs(a.values[i] - b.values[i])), largest = std::max(largest, b.values[i]);
  return 100 * maximum / largest;
}

}  // namespace

TEST_CASE("planes in the patient's coordinates are centred on the isocentre", "[psqa][import][behaviour]") {
  const Record r = Case{}.record;
  const auto check = [&](const ImportedRecord& back) {
    CHECK(difference(back.planned, r.planned) < 1e-4);
    CHECK(difference(back.measured, r.measured) < 1e-4);
    for (std::size_t k = 0; k < kCriteria.size(); ++k) CHECK(back.record.gpr[k] == Approx(r.gpr[k]).margin(0.05));
  };
  SECTION("axial planes") {
    check(imported({}));
  }
  SECTION("coronal planes, whose rows rise along z") {
    for (const bool with_table : {false, true}) {
      Case c;
      c.measured_table = with_table;
      c.change_planes = [&](DcmItem& plane) {
        const double feet = kIsocentre[2] + r.planned.origin[1], left = kIsocentre[0] + r.planned.origin[2];
        set(plane, DCM_ImageOrientationPatient, "1\\0\\0\\0\\0\\1");
        set(plane, DCM_ImagePositionPatient, decimal_string(std::vector{left, kIsocentre[1], feet}));
      };
      check(imported(std::move(c)));
    }
  }
  SECTION("planes of another coordinate system are centred on their middle") {
    Case c;
    c.shift_x = 60, c.shift_y = -30;
    c.change_planes = [](DcmItem& plane) { set(plane, DCM_FrameOfReferenceUID, "1.2.3"); };
    check(imported(std::move(c)));
  }
  SECTION("a plane of another kind of dose is warned of") {
    int file = 0;
    Case c;
    c.change_planes = [&](DcmItem& plane) {
      if (file++ == 0) set(plane, DCM_DoseType, "EFFECTIVE");
    };
    const ImportedRecord back = imported(std::move(c));
    REQUIRE(back.warnings.size() == 1);
    CHECK_THAT(back.warnings[0], Catch::Contains("p_measured.dcm") && Catch::Contains("dose type: PHYSICAL"));
  }
  SECTION("planes of another plan or patient are warned of") {
    Case c;
    c.change_planes = [](DcmItem& plane) {
      set(plane, DCM_PatientID, "patient6");
      DcmItem& reference = *sequence_items(plane, DCM_ReferencedRTPlanSequence).at(0);
      set(reference, DCM_ReferencedSOPInstanceUID, "1.2.6");
    };
    const ImportedRecord back = imported(std::move(c));
    REQUIRE(back.warnings.size() == 4);
    for (const std::size_t plane : {0, 2}) {
      const char* file = plane == 0 ? "p_measured.dcm and its plan" : "p_planned.dcm and its plan";
      CHECK_THAT(back.warnings[plane], Catch::Contains(file) && Catch::Contains("patient: patient6 (dose) and "));
      CHECK_THAT(back.warnings[plane + 1], Catch::Contains(file) && Catch::Contains("plan UID: 1.2.6 (dose) and "));
    }
  }
  SECTION("planes that the axis misses are centred on their middle") {
    Case c;
    c.shift_x = 500;
    check(imported(std::move(c)));
  }
  SECTION("a detector's plane about the axis meets a patient's") {
    Case c;
    c.measured_table = true;
    check(imported(std::move(c)));
  }
}

TEST_CASE("doses that differ more than tenfold are no record", "[psqa][import][error]") {
  const auto times = [](double factor) {
    Case c;
    for (double& v : c.record.measured.values) v *= factor;
    return imported(std::move(c));
  };
  CHECK_THROWS_WITH(times(100), Catch::Contains("p_measured.dcm") && Catch::Contains("p_planned.dcm") &&
                                    Catch::Contains("write both in Gy"));
  CHECK_THROWS_WITH(times(0.01), Catch::Contains("file.446"));
  CHECK(times(5).source == "measured");
}

TEST_CASE("a plane whose dose the cohort's grid would cut is refused", "[psqa][import][error]") {
  Case far;
  far.shift_x = 90;  // the axis is within the plane, most of the dose beyond the grid
  CHECK_THROWS_WITH(imported(std::move(far)), Catch::Contains("file.447") && Catch::Contains("p_planned.dcm"));
  Case nothing;
  std::fill(nothing.record.planned.values.begin(), nothing.record.planned.values.end(), 0.0);
  CHECK_THROWS_WITH(imported(std::move(nothing)), Catch::Contains("above zero"));
  Case apart;
  apart.measured_table = true;
  apart.record.measured = DoseGrid::plane(1, 40, 2);
  CHECK_THROWS_WITH(imported(std::move(apart)), Catch::Contains("p_measured.csv"));
}

TEST_CASE("a measurement that leaves out a part of the planned dose is refused, a hole is no difference",
          "[psqa][import][behaviour]") {
  DoseGrid planned = DoseGrid::plane(20, 20, 2), measured = planned;
  planned.values.assign(400, 2.0), measured.values.assign(400, 1.9);
  measured.values[7] = std::numeric_limits<double>::quiet_NaN();
  fill_holes(planned, measured, "m.dcm");
  CHECK(measured.values[7] == 2.0);
  CHECK(measured.values[8] == 1.9);
  std::fill(measured.values.begin(), measured.values.begin() + 40, std::numeric_limits<double>::quiet_NaN());
  CHECK_THROWS_WITH(fill_holes(planned, measured, "m.dcm"),
                    Catch::Contains("m.dcm") && Catch::Contains("10 % of them"));
}

TEST_CASE("a record's texts are UTF-8", "[psqa][import][behaviour]") {
  Plan plan = Case{}.record.plan;
  plan.patient = "M\xfcller, \"A\"";
  plan.beams[0].machine = "\xff";
  const CohortRecord r = table_record(plan, "pl\xe4n", "unknown");
  CHECK(r.id == "pl\xc3\xa4n");
  CHECK(r.patient == "M\xc3\xbcller_ _A_");
  CHECK(r.machine == "\xc3\xbf");
}

namespace {

/// A reported folder as `psqa import` takes it, after a change of its planned plane.
ImportedRecord imported_reported(const std::string& name, const ImportOptions& options = {},
                                 const std::function<void(DcmItem&)>& change = {},
                                 const std::function<void(DcmItem&)>& change_plan = {}) {
  const support::TemporaryFolder folder;
  for (const auto& entry : fs::directory_iterator(support::reported("import_units/" + name)))
    fs::copy_file(entry.path(), folder.path() / entry.path().filename());
  for (const auto& [file, with] : {std::pair{"a_planned.dcm", &change}, {"a.dcm", &change_plan}}) {
    if (!*with) continue;
    DcmFileFormat dicom;
    REQUIRE(dicom.loadFile((folder.path() / file).c_str()).good());
    REQUIRE(dicom.loadAllDataIntoMemory().good());
    (*with)(*dicom.getDataset());
    fs::remove(folder.path() / file);
    REQUIRE(dicom.saveFile((folder.path() / file).c_str()).good());
  }
  return import_record(find_imports(folder.path()).at(0), support::one_machine(), 0, options);
}

}  // namespace

TEST_CASE("planes without a common unit are refused, or normalised where that is asked for", "[psqa][import][worked]") {
  const auto refused = [](const char* folder, const char* unit, const std::function<void(DcmItem&)>& change = {}) {
    CHECK_THROWS_WITH(imported_reported(folder, {}, change),
                      Catch::Contains(unit) && Catch::Contains("a_planned.dcm") && Catch::Contains("a_measured") &&
                          Catch::Contains("--normalise"));
  };
  const auto relative = [](DcmItem& plane) { set(plane, DCM_DoseUnits, "RELATIVE"); };
  refused("opg_counts", "cnt");
  refused("opg_counts", "RELATIVE", relative);
  refused("fractions5_plan_sum", "RELATIVE", relative);
  for (const Normalise by : {Normalise::max, Normalise::point}) {
    const ImportedRecord r = imported_reported("opg_counts", {.normalise = by});
    for (const double gpr : r.record.gpr) CHECK(gpr == 100);
    CHECK(difference(r.measured, r.planned) < 25);  // 10 mm between the detectors
    REQUIRE(r.notes.size() == 1);
    CHECK_THAT(r.notes[0], Catch::Contains("normalised by") && Catch::Contains("cnt"));
  }
  // Counts beside Gy as they stand are no measurement of the plan.
  CHECK_THROWS_WITH(imported_reported("opg_counts", {.normalise = Normalise::none}),
                    Catch::Contains("expected doses in the unit of") && Catch::Contains("a_measured.opg"));
  CHECK_THROWS_WITH(imported_reported("opg_counts", {.normalise = Normalise::prescription}), Catch::Contains("cnt"));
}

TEST_CASE("the dose of all fractions is divided by the plan's number beside a measurement of one",
          "[psqa][import][worked]") {
  const ImportedRecord r = imported_reported("fractions5_plan_sum");
  for (const double gpr : r.record.gpr) CHECK(gpr == 100);
  CHECK(maximum_dose(r.planned) < 2.5);
  REQUIRE(r.notes.size() == 1);
  CHECK_THAT(r.notes[0], Catch::Contains("a_planned.dcm") && Catch::Contains("divided by 5"));
  CHECK(r.warnings.empty());
  // A plan that does not tell the number divides nothing, and is named.
  const ImportedRecord open = imported_reported("fractions5_plan_sum", {}, {}, [](DcmItem& plan) {
    DcmItem* group = nullptr;
    REQUIRE(plan.findAndGetSequenceItem(DCM_FractionGroupSequence, group).good());
    set(*group, DCM_NumberOfFractionsPlanned, "");
  });
  CHECK(open.notes.empty());
  REQUIRE(open.warnings.size() == 2);
  CHECK_THAT(open.warnings[0], Catch::Contains("a.dcm: no number of fractions"));
  CHECK_THAT(open.warnings[1], Catch::Contains("does not tell their number") && Catch::Contains("not divided"));
  // What says that it is of one fraction stays.
  const ImportedRecord fraction = imported_reported(
      "fractions5_plan_sum", {}, [](DcmItem& plane) { set(plane, DCM_DoseSummationType, "FRACTION"); });
  CHECK(fraction.notes.empty());
  CHECK(fraction.record.gpr[0] == 0);
}
