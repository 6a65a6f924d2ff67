#include <equipoise/psqa/dicom/dose_description.hpp>
#include <equipoise/psqa/dicom/rtdose_reader.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
using support::reported;

namespace {

using Lines = std::vector<std::string>;

Lines differences_of(const char* a, const char* b) {
  return differences(describe_dose(reported(a)), describe_dose(reported(b)));
}

}  // namespace

TEST_CASE("two doses of different kind, patient or frame of reference differ by name", "[psqa][readers][worked]") {
  const char* plan = "dose_types/plan.dcm";
  CHECK(differences_of(plan, plan).empty());
  CHECK(differences_of("dose_types/frac5.dcm", plan) ==
        Lines{"dose summation type: FRACTION (reference) and PLAN (evaluated)"});
  CHECK(differences_of(plan, "dose_types/eff.dcm") ==
        Lines{"dose type: PHYSICAL (reference) and EFFECTIVE (evaluated)"});
  CHECK(differences_of("dose_types/other.dcm", plan) ==
        Lines{"patient: OTHER (reference) and T1 (evaluated)",
              "frame of reference: 2.25.1 (reference) and 2.25.4711.4 (evaluated)"});
}

TEST_CASE("plans are told apart by the plan that a dose refers to; what a file does not say differs from nothing",
          "[psqa][readers][behaviour]") {
  const support::TemporaryFolder folder;
  const auto with_plan = [&](const char* uid, const char* name) {
    DcmFileFormat file;
    REQUIRE(file.loadFile(reported("dose_types/plan.dcm").c_str()).good());
    DcmItem* item = nullptr;
    REQUIRE(file.getDataset()->findOrCreateSequenceItem(DCM_ReferencedRTPlanSequence, item, -2).good());
    REQUIRE(item->putAndInsertString(DCM_ReferencedSOPInstanceUID, uid).good());
    REQUIRE(file.saveFile((folder.path() / name).c_str(), EXS_LittleEndianExplicit).good());
    return describe_dose(folder.path() / name);
  };
  const DoseDescription a = with_plan("1.2.3", "a.dcm"), b = with_plan("1.2.4", "b.dcm"),
                        none = describe_dose(reported("dose_types/plan.dcm"));
  CHECK(differences(a, b) == Lines{"plan UID: 1.2.3 (reference) and 1.2.4 (evaluated)"});
  CHECK(differences(a, none).empty());
  std::ofstream(folder.path() / "c.csv") << "1,2\n3,4\n";
  CHECK(describe_dose(folder.path() / "c.csv") == DoseDescription{});
}

TEST_CASE("frame offsets that begin neither at 0 nor at the image position are refused", "[psqa][readers][error]") {
  CHECK(read_rtdose(reported("frame_offsets/plan.dcm")).origin[0] == Approx(-4));
  CHECK_THROWS_WITH(read_rtdose(reported("frame_offsets/gfov_contra.dcm")),
                    Catch::Contains("[equipoise.file.426]") &&
                        Catch::Contains("expected frame offsets from 0, or from the image position's 100 mm, got -4"));
}

TEST_CASE("frame offsets may be coordinates, and of a single frame its position counts", "[psqa][readers][worked]") {
  const support::TemporaryFolder folder;
  const auto read_with = [&](const char* offsets, const char* position, const char* frames) {
    DcmFileFormat file;
    REQUIRE(file.loadFile(reported("frame_offsets/plan.dcm").c_str()).good());
    DcmItem& data = *file.getDataset();
    REQUIRE(data.putAndInsertString(DCM_GridFrameOffsetVector, offsets).good());
    REQUIRE(data.putAndInsertString(DCM_ImagePositionPatient, position).good());
    REQUIRE(data.putAndInsertString(DCM_NumberOfFrames, frames).good());
    const auto path = folder.path() / "dose.dcm";
    REQUIRE(file.saveFile(path.c_str(), EXS_LittleEndianExplicit).good());
    return read_rtdose(path);
  };
  CHECK(read_with("100\\102\\104\\106\\108", "-17\\-13\\100", "5").origin[0] == Approx(100));
  CHECK(read_with("100.004\\102.004\\104.004\\106.004\\108.004", "-17\\-13\\100", "5").origin[0] == Approx(100));
  CHECK(read_with("-7", "-17\\-13\\100", "1").origin[0] == Approx(100));
  CHECK_THROWS_WITH(read_with("-100\\-98\\-96\\-94\\-92", "-17\\-13\\100", "5"), Catch::Contains("got -100"));
}
