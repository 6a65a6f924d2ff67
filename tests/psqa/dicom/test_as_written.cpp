/// \file
/// DICOM files whose meta header does not say how they are written, and those with padding at their end, are read; those
/// that are cut off are refused.

#include <equipoise/psqa/dicom/rtdose_reader.hpp>
#include <equipoise/psqa/dicom/rtplan_reader.hpp>
#include <equipoise/psqa/readers/file_kind.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace fs = std::filesystem;

namespace {

std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// Plans and doses as files in a folder that goes away.
struct Files {
  support::TemporaryFolder folder;
  fs::path path = folder.path() / "file.dcm";

  Plan plan(const std::string& bytes) { return write(bytes), read_rtplan(path); }
  DoseGrid dose(const std::string& bytes) { return write(bytes), read_rtdose(path); }
  void write(const std::string& bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  /// The data set of a file, written in a syntax. \param last its last element
  std::string data_set(const fs::path& from, E_TransferSyntax syntax, DcmTagKey last = DCM_DataSetTrailingPadding) {
    DcmFileFormat file;
    REQUIRE(file.loadFile(from.c_str()).good());
    DcmDataset& data = *file.getDataset();
    while (last < data.getElement(data.card() - 1)->getTag()) delete data.remove(data.card() - 1);
    REQUIRE(data.saveFile(path.c_str(), syntax).good());
    return bytes_of(path);
  }
};

/// A preamble and a meta header in explicit VR. \param longer what its group length says too much
std::string meta_header(std::string syntax, const char* sop_class, int longer = 0) {
  std::string out;
  const auto add = [&](char element, const char* kind, std::string value) {
    if (value.size() % 2 == 1) value += '\0';
    out += std::string("\2\0", 2) + element + '\0' + kind + char(value.size()) + '\0' + value;
  };
  add(2, "UI", sop_class), add(3, "UI", "2.25.1");
  if (!syntax.empty()) add(0x10, "UI", syntax);
  const std::string length = {char(int(out.size()) + longer), 0, 0, 0};
  return std::string(128, '\0') + "DICM" + std::string("\2\0\0\0UL\4\0", 8) + length + out;
}

bool same(const Plan& a, const Plan& b) {
  return a.beams.size() == b.beams.size() && a.beams.at(0).mu == b.beams.at(0).mu &&
         a.beams[0].control_points.back().leaves[0].a == b.beams[0].control_points.back().leaves[0].a &&
         a.patient == b.patient;
}
bool same(const DoseGrid& a, const DoseGrid& b) {
  return a.values == b.values && a.spacing == b.spacing && a.origin == b.origin;
}

fs::path reported(const std::string& file) {
  return support::reported("transfer_syntax/" + file);
}

}  // namespace

TEST_CASE("a meta header that says another syntax or length, and a byte at the end, are passed over with a warning",
          "[psqa][dicom][worked]") {
  const Plan plan = read_rtplan(reported("plan.dcm"));
  CHECK(plan.warnings.empty());
  for (const auto& [file, words] :
       {std::pair{"explicit_meta_implicit_data_plan.dcm", "Little Endian Implicit, not Little Endian Explicit"},
        std::pair{"implicit_meta_lies_plan.dcm", "Little Endian Explicit, not Little Endian Implicit"},
        std::pair{"wrong_group_length_plan.dcm", "not 20 as its group length says"},
        std::pair{"trailing_nul_odd_plan.dcm", "1 byte after the last element: ignored"}}) {
    INFO(file);
    const Plan other = read_rtplan(reported(file));
    CHECK(same(plan, other));
    REQUIRE(other.warnings.size() == 1);
    CHECK_THAT(other.warnings[0], Catch::Contains(words));
    CHECK(is_plan(file_kind(reported(file)), reported(file)));
  }
  const DoseGrid dose = read_rtdose(reported("explicit_meta_implicit_data_dose.dcm"));
  CHECK(same(dose, read_rtdose(reported("plain.dcm"))));
  REQUIRE(dose.warnings.size() == 1);
}

TEST_CASE("a data set is read in the syntax of its bytes whatever the meta header says", "[psqa][dicom][property]") {
  Files files;
  const Plan plan = read_rtplan(reported("plan.dcm"));
  const DoseGrid dose = read_rtdose(reported("plain.dcm"));
  for (const E_TransferSyntax written : {EXS_LittleEndianImplicit, EXS_LittleEndianExplicit, EXS_BigEndianExplicit}) {
    const std::string a = files.data_set(reported("plan.dcm"), written),
                      b = files.data_set(reported("plain.dcm"), written);
    for (const char* said : {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2",
                             "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.70", "1.2.3.4", ""})
      for (const int longer : {0, 2, -20}) {
        INFO(DcmXfer(written).getXferName() << ", said " << said << ", " << longer);
        CHECK(same(files.plan(meta_header(said, UID_RTPlanStorage, longer) + a), plan));
        CHECK(same(files.plan(meta_header(said, UID_RTPlanStorage, longer) + a + '\0'), plan));
        CHECK(same(files.dose(meta_header(said, UID_RTDoseStorage, longer) + b), dose));
        CHECK(same(files.dose(meta_header(said, UID_RTDoseStorage, longer) + b + "\n"), dose));
        CHECK_FALSE(is_plan(file_kind(files.path), files.path));
      }
  }
}

TEST_CASE("a preamble and a meta header may lack, and values may have odd lengths", "[psqa][dicom][property]") {
  Files files;
  const Plan plan = read_rtplan(reported("plan.dcm"));
  const DoseGrid dose = read_rtdose(reported("plain.dcm"));
  const auto odd_element = [](E_TransferSyntax syntax) {  // (0008,0008), of three letters
    const std::string three(
        "\3\0\0\0"
        "A\\B",
        7);
    if (syntax == EXS_LittleEndianImplicit) return std::string("\10\0\10\0", 4) + three;
    if (syntax == EXS_LittleEndianExplicit) return std::string("\10\0\10\0CS\3\0", 8) + "A\\B";
    return std::string("\0\10\0\10CS\0\3", 8) + "A\\B";
  };
  for (const E_TransferSyntax written : {EXS_LittleEndianImplicit, EXS_LittleEndianExplicit, EXS_BigEndianExplicit}) {
    const std::string a = files.data_set(reported("plan.dcm"), written),
                      b = files.data_set(reported("plain.dcm"), written);
    for (const std::string& odd : {std::string(), odd_element(written)})
      for (const char* said : {DcmXfer(written).getXferID(), "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"}) {
        INFO(DcmXfer(written).getXferName() << ", said " << said << (odd.empty() ? "" : ", an odd length"));
        const std::string of_plan = meta_header(said, UID_RTPlanStorage),
                          of_dose = meta_header(said, UID_RTDoseStorage);
        CHECK(same(files.plan(of_plan + odd + a), plan));
        CHECK(same(files.dose(of_dose + odd + b), dose));
        CHECK(same(files.plan(of_plan.substr(132) + odd + a), plan));
        CHECK(same(files.dose(of_dose.substr(132) + odd + b), dose));
        CHECK(same(files.plan(of_plan.substr(0, 132) + odd + a), plan));
        CHECK(same(files.dose(of_dose.substr(0, 132) + odd + b), dose));
        CHECK(same(files.plan(odd + a), plan));
        CHECK(same(files.dose(odd + b), dose));
      }
  }
}

TEST_CASE("padding at the end is ignored, a file that is cut off refused", "[psqa][dicom][error]") {
  Files files;
  const std::string plan = bytes_of(reported("plan.dcm")), dose = bytes_of(reported("plain.dcm"));
  for (const std::size_t n : {1, 2, 3, 7, 8, 9, 100, 512}) {
    INFO(n << " zeros");
    CHECK(same(files.plan(plan + std::string(n, '\0')), read_rtplan(reported("plan.dcm"))));
    CHECK(same(files.dose(dose + std::string(n, '\0')), read_rtdose(reported("plain.dcm"))));
  }
  for (const char* end : {" ", "\r\n", "\n\n"}) CHECK(same(files.plan(plan + end), read_rtplan(reported("plan.dcm"))));
  const std::string dose_data = files.data_set(reported("plain.dcm"), EXS_LittleEndianExplicit);
  for (std::size_t size = 400; size < dose.size(); size += 61) {
    INFO(size << " of " << dose.size() << " bytes");
    CHECK_THROWS_AS(files.dose(dose.substr(0, size)), equipoise::FileError);
    const std::string cut = dose_data.substr(0, size - 1 - (dose.size() - dose_data.size()));
    CHECK_THROWS_AS(files.dose(meta_header("1.2.840.10008.1.2", UID_RTDoseStorage, 3) + cut), equipoise::FileError);
  }
  // A plan may lack what comes after its beams.
  const std::string data = files.data_set(reported("plan.dcm"), EXS_LittleEndianExplicit),
                    beams = files.data_set(reported("plan.dcm"), EXS_LittleEndianExplicit, DCM_BeamSequence),
                    head = meta_header("1.2.840.10008.1.2.1", UID_RTPlanStorage);
  REQUIRE(data.starts_with(beams));
  for (std::size_t size = 8; size < beams.size(); size += 3) {
    INFO(size << " of " << beams.size() << " bytes");
    CHECK_THROWS_AS(files.plan(head + data.substr(0, size)), equipoise::FileError);
  }
}

TEST_CASE("an SOP class in the meta header alone is taken from there", "[psqa][dicom][worked]") {
  Files files;
  const auto without = [&](const fs::path& from, std::initializer_list<DcmTagKey> tags) {
    DcmFileFormat file;
    REQUIRE(file.loadFile(from.c_str()).good());
    for (const DcmTagKey& tag : tags) delete file.getDataset()->remove(tag);
    REQUIRE(file.getDataset()->saveFile(files.path.c_str(), EXS_LittleEndianExplicit).good());
    return bytes_of(files.path);
  };
  const Plan plan = read_rtplan(reported("plan.dcm"));
  const DoseGrid dose = read_rtdose(reported("plain.dcm"));
  for (const int longer : {0, 4}) {
    const Plan p = files.plan(meta_header("1.2.840.10008.1.2.1", UID_RTPlanStorage, longer) +
                              without(reported("plan.dcm"), {DCM_SOPClassUID, DCM_Modality}));
    CHECK(same(p, plan));
    CHECK_THAT(p.warnings.back(), Catch::Contains("the SOP class stands in the meta header alone"));
    CHECK(is_plan(file_kind(files.path), files.path));
    const DoseGrid d = files.dose(meta_header("1.2.840.10008.1.2.1", UID_RTDoseStorage, longer) +
                                  without(reported("plain.dcm"), {DCM_SOPClassUID}));
    CHECK(same(d, dose));
    CHECK_THAT(d.warnings.back(), Catch::Contains("the SOP class stands in the meta header alone"));
  }
  const std::string nowhere = without(reported("plain.dcm"), {DCM_SOPClassUID});
  CHECK(same(files.dose(nowhere), dose));  // the modality says it
}
