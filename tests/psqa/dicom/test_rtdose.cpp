#include <equipoise/core/base/random.hpp>
#include <equipoise/psqa/dicom/rtdose_reader.hpp>
#include <equipoise/psqa/dicom/rtplan_writer.hpp>
#include <equipoise/psqa/gamma/gamma.hpp>

#include <dcmtk/dcmdata/dcrleerg.h>

#include <functional>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;

namespace {

using Change = std::function<void(DcmItem&)>;

/// A dose written, changed, and read again.
DoseGrid changed(const DoseGrid& dose, const Change& change, E_TransferSyntax syntax = EXS_LittleEndianExplicit) {
  const support::TemporaryFolder folder;
  const auto path = folder.path() / "dose.dcm";
  Plan plan;
  plan.id = "p";
  write_rtdose(dose, plan, "planned", path);
  DcmFileFormat file;
  REQUIRE(file.loadFile(path.c_str()).good());
  REQUIRE(file.loadAllDataIntoMemory().good());  // it is saved over its own file
  change(*file.getDataset());
  REQUIRE(file.saveFile(path.c_str(), syntax).good());
  return read_rtdose(path);
}

void set(DcmItem& item, const DcmTagKey& tag, const char* value) {
  REQUIRE(item.putAndInsertString(tag, value).good());
}

/// 32-bit pixels as a big-endian file holds plain big-endian numbers: high word first.
void put_high_word_first(DcmItem& data, const std::vector<std::uint32_t>& pixels) {
  std::vector<Uint16> words;
  for (const std::uint32_t p : pixels)
    words.push_back(static_cast<Uint16>(p >> 16)), words.push_back(static_cast<Uint16>(p & 0xffff));
  REQUIRE(data.putAndInsertUint16Array(DCM_PixelData, words.data(), words.size()).good());
  set(data, DCM_DoseGridScaling, "1");
}

/// Numbers that tell every voxel from every other.
DoseGrid counted(std::array<std::size_t, 3> shape) {
  DoseGrid g;
  g.shape = shape, g.spacing = {4, 3, 2}, g.origin = {10, 20, 30};
  for (std::size_t i = 0; i < g.size(); ++i) g.values.push_back(1 + double(i));
  return g;
}

}  // namespace

TEST_CASE("big-endian numbers are plain ones, whatever the plane looks like", "[psqa][readers][worked]") {
  const DoseGrid shape = DoseGrid::plane(12, 9, 2);
  const auto check = [&](const char* what, const std::function<std::uint32_t(std::size_t)>& pixel) {
    INFO(what);
    std::vector<std::uint32_t> pixels;
    for (std::size_t i = 0; i < shape.size(); ++i) pixels.push_back(pixel(i));
    const DoseGrid g = changed(
        shape, [&](DcmItem& d) { put_high_word_first(d, pixels); }, EXS_BigEndianExplicit);
    CHECK(g.values == std::vector<double>(pixels.begin(), pixels.end()));
  };
  check("uniform", [](std::size_t) { return 1234567U; });
  check("noisy", [](std::size_t i) { return static_cast<std::uint32_t>(eq::hash_of({3, i})); });
  check("small numbers", [](std::size_t i) { return static_cast<std::uint32_t>(i % 9); });
  check("smooth", [](std::size_t i) { return static_cast<std::uint32_t>(1000000 + 3001 * i); });
}

TEST_CASE("round doses of a big-endian file are not taken as small numbers", "[psqa][readers][worked]") {
  const DoseGrid shape = DoseGrid::plane(16, 16, 2);
  const auto check = [&](const char* what, const std::function<std::uint32_t(std::size_t)>& pixel) {
    INFO(what);
    std::vector<std::uint32_t> pixels;
    for (std::size_t i = 0; i < shape.size(); ++i) pixels.push_back(pixel(i));
    const double scaling = 2 / 4294967296.0;  // the largest number is 2 Gy
    const DoseGrid g = changed(
        shape,
        [&](DcmItem& d) {
          put_high_word_first(d, pixels);
          set(d, DCM_DoseGridScaling, "4.656612873077393e-10");
        },
        EXS_BigEndianExplicit);
    for (std::size_t i = 0; i < g.size(); ++i) CHECK(g.values[i] == Approx(scaling * pixels[i]));
  };
  check("all of 50 %", [](std::size_t) { return 0x80000000U; });
  check("quarters", [](std::size_t i) { return i % 16 < 15 ? 0x40000000U * (1 + i % 3) : 0xffffffffU; });
  check("a tenth of 50 %", [](std::size_t i) { return i % 10 == 0 ? 0x80000000U : 0xffffffffU; });
  check("steps of 1/256", [](std::size_t i) { return static_cast<std::uint32_t>(i) << 24; });
}

TEST_CASE("numbers with their low word first are known by their smoothness, or their size",
          "[psqa][readers][behaviour]") {
  DoseGrid g = DoseGrid::plane(20, 20, 2);
  for (std::size_t i = 0; i < g.size(); ++i) g.values[i] = std::exp(-std::pow((double(i % 20) - 10) / 6, 2));
  const DoseGrid back = changed(
      g, [](DcmItem&) {}, EXS_BigEndianExplicit);
  for (std::size_t i = 0; i < g.size(); ++i) CHECK(back.values[i] == Approx(g.values[i]).margin(1e-6));
}

TEST_CASE("small numbers with their low word first are known, uniform or noisy", "[psqa][readers][behaviour]") {
  DoseGrid g = DoseGrid::plane(8, 8, 2);
  for (const bool noisy : {false, true}) {
    for (std::size_t i = 0; i < g.size(); ++i) g.values[i] = noisy ? double(eq::hash_of({4, i}) % 60000) : 1234;
    std::vector<Uint16> words;
    for (const double v : g.values) words.push_back(static_cast<Uint16>(v)), words.push_back(0);
    const auto low_first = [&](DcmItem& d) {
      REQUIRE(d.putAndInsertUint16Array(DCM_PixelData, words.data(), words.size()).good());
      set(d, DCM_DoseGridScaling, "1");
    };
    CHECK(changed(g, low_first, EXS_BigEndianExplicit).values == g.values);
  }
}

TEST_CASE("units are kept, doses of different units not compared, and errors no doses", "[psqa][readers][error]") {
  const DoseGrid g = counted({1, 4, 5});
  const DoseGrid gray = changed(g, [](DcmItem&) {});
  const DoseGrid relative = changed(g, [](DcmItem& d) { set(d, DCM_DoseUnits, "RELATIVE"); });
  CHECK(gray.units == DoseUnits::gray);
  CHECK(relative.units == DoseUnits::relative);
  CHECK_THROWS_WITH(gamma(gray, relative, {}), Catch::Contains("Gy") && Catch::Contains("RELATIVE"));
  CHECK(gamma(gray, gray, {}).pass_rate == 100);
  CHECK(gamma(gray, g, {}).evaluated > 0);
  CHECK_THROWS_WITH(changed(g, [](DcmItem& d) { set(d, DCM_DoseType, "ERROR"); }), Catch::Contains("ERROR"));
}

TEST_CASE("every orientation along the patient's axes gives the patient's grid", "[psqa][readers][property]") {
  const DoseGrid raw = counted({3, 4, 5});
  // The voxel of image indices (frame, row, column) lies where the file's cosines put it.
  const std::array<const char*, 7> orientations = {"1\\0\\0\\0\\1\\0",  "-1\\0\\0\\0\\-1\\0", "0\\1\\0\\-1\\0\\0",
                                                   "0\\-1\\0\\1\\0\\0", "-1\\0\\0\\0\\1\\0",  "1\\0\\0\\0\\0\\-1",
                                                   "0\\1\\0\\0\\0\\1"};
  for (const char* orientation : orientations) {
    INFO(orientation);
    const DoseGrid g = changed(raw, [&](DcmItem& d) { set(d, DCM_ImageOrientationPatient, orientation); });
    std::array<double, 6> o{};
    std::istringstream in(orientation);
    std::string part;
    for (double& v : o) std::getline(in, part, '\\'), v = std::stod(part);
    const std::array<double, 3> normal = {o[1] * o[5] - o[2] * o[4], o[2] * o[3] - o[0] * o[5],
                                          o[0] * o[4] - o[1] * o[3]};
    for (std::size_t f = 0; f < 3; ++f)
      for (std::size_t r = 0; r < 4; ++r)
        for (std::size_t c = 0; c < 5; ++c) {
          std::array<std::size_t, 3> at{};  // z, y, x
          for (std::size_t k = 0; k < 3; ++k) {
            const double place =
                raw.origin[2 - k] + 4 * double(f) * normal[k] + 3 * double(r) * o[3 + k] + 2 * double(c) * o[k];
            at[2 - k] = std::size_t(std::lround((place - g.origin[2 - k]) / g.spacing[2 - k]));
          }
          REQUIRE(at[0] < g.shape[0]);
          REQUIRE(at[1] < g.shape[1]);
          REQUIRE(at[2] < g.shape[2]);
          CHECK(g.at(at[0], at[1], at[2]) == Approx(raw.at(f, r, c)));
        }
  }
}

TEST_CASE("the rows of coronal and sagittal planes rise along z", "[psqa][readers][behaviour]") {
  const DoseGrid raw = counted({1, 4, 5});  // rows 3 mm apart, columns 2 mm
  const auto oriented = [&](const char* orientation) {
    return changed(raw, [&](DcmItem& d) { set(d, DCM_ImageOrientationPatient, orientation); });
  };
  const double x = raw.origin[2], y = raw.origin[1], z = raw.origin[0];
  SECTION("from head to feet, as viewers show them") {
    const DoseGrid g = oriented("1\\0\\0\\0\\0\\-1");
    CHECK(g.shape == raw.shape);
    CHECK(g.origin == std::array<double, 3>{y, z - 9, x});
    CHECK(*g.axes == kCoronal);
    for (std::size_t r = 0; r < 4; ++r)
      for (std::size_t c = 0; c < 5; ++c) CHECK(g.at(0, r, c) == Approx(raw.at(0, 3 - r, c)));
  }
  SECTION("turned by a right angle") {
    const DoseGrid g = oriented("0\\0\\1\\1\\0\\0");  // along the columns z, down the rows x
    CHECK(g.shape == std::array<std::size_t, 3>{1, 5, 4});
    CHECK(g.spacing[1] == 2);
    CHECK(g.spacing[2] == 3);
    CHECK(g.origin == std::array<double, 3>{y, z, x});
    for (std::size_t r = 0; r < 5; ++r)
      for (std::size_t c = 0; c < 4; ++c) CHECK(g.at(0, r, c) == Approx(raw.at(0, c, r)));
  }
  SECTION("sagittal") {
    const DoseGrid g = oriented("0\\1\\0\\0\\0\\-1");
    CHECK(g.origin == std::array<double, 3>{x, z - 9, y});
    CHECK((*g.axes)[2] == std::array<double, 3>{0, 1, 0});
    CHECK(g.at(0, 0, 1) == Approx(raw.at(0, 3, 1)));
  }
}

TEST_CASE("a plane that says how it lies is written so", "[psqa][readers][behaviour]") {
  DoseGrid coronal = counted({1, 4, 5});
  coronal.axes = kCoronal;
  const DoseGrid back = changed(coronal, [](DcmItem&) {});
  CHECK(*back.axes == kCoronal);
  for (std::size_t k = 0; k < 3; ++k) CHECK(back.origin[k] == Approx(coronal.origin[k]));
  for (std::size_t i = 0; i < back.size(); ++i) CHECK(back.values[i] == Approx(coronal.values[i]));
}

TEST_CASE("doses whose axes point different ways are not compared", "[psqa][readers][error]") {
  const auto oriented = [](const DoseGrid& raw, const char* orientation) {
    return changed(raw, [&](DcmItem& d) { set(d, DCM_ImageOrientationPatient, orientation); });
  };
  const DoseGrid volume = counted({3, 4, 5}), plane = counted({1, 4, 5});
  const DoseGrid axial = oriented(volume, "1\\0\\0\\0\\1\\0"), turned = oriented(volume, "0\\1\\0\\-1\\0\\0"),
                 askew = oriented(volume, "0.9\\0.43588989\\0\\-0.43588989\\0.9\\0");
  REQUIRE(axial.axes);
  CHECK(*axial.axes == kAxial);
  CHECK(*turned.axes == kAxial);  // it was turned to the patient's
  REQUIRE(askew.axes);
  CHECK((*askew.axes)[2] == std::array<double, 3>{0.9, 0.43588989, 0});
  CHECK_THROWS_WITH(gamma(axial, askew, {}), Catch::Contains("[equipoise.value.311] gamma: expected") &&
                                                 Catch::Contains("got the cosines [1, 0, 0, 0, 1, 0] (reference) and "
                                                                 "[0.9, 0.4359, 0, -0.4359, 0.9, 0] (evaluated)"));
  CHECK(gamma(askew, askew, {}).pass_rate == 100);
  // A grid that says nothing of its axes, as those of detectors do, may be compared with any.
  CHECK_FALSE(volume.axes);
  CHECK_NOTHROW(gamma(volume, askew, {}));
  // Even so little as 1.5 degrees, 5 mm at 200 mm, is not axial.
  CHECK_THROWS_AS(gamma(oriented(volume, "0.999657\\0.026177\\0\\-0.026177\\0.999657\\0"), axial, {}), eq::ValueError);
  const DoseGrid coronal = oriented(plane, "1\\0\\0\\0\\0\\-1"), flat = oriented(plane, "1\\0\\0\\0\\1\\0");
  CHECK_THROWS_AS(gamma(coronal, flat, {}), eq::ValueError);
  CHECK(gamma(coronal, coronal, {}).pass_rate == 100);
}

TEST_CASE("a dose without its place, or with axes that are none, is refused", "[psqa][readers][error]") {
  const DoseGrid raw = counted({2, 4, 5});
  const auto with = [&](const DcmTagKey& tag, const char* value) {
    return changed(raw, [&](DcmItem& d) {
      if (value)
        set(d, tag, value);
      else
        REQUIRE(d.findAndDeleteElement(tag).good());
    });
  };
  for (const char* position : {static_cast<const char*>(nullptr), "", "1\\2"})
    CHECK_THROWS_WITH(with(DCM_ImagePositionPatient, position),
                      Catch::Contains("equipoise.file.426") && Catch::Contains("an image position of 3 numbers"));
  for (const char* orientation :
       {"0\\0\\0\\0\\0\\0", "1\\0\\0\\1\\0\\0", "1\\0\\0\\0.6\\0.8\\0", "2\\0\\0\\0\\1\\0", "1\\0\\0\\0\\1", "1\\0\\0"})
    CHECK_THROWS_WITH(with(DCM_ImageOrientationPatient, orientation),
                      Catch::Contains("equipoise.file.426") && Catch::Contains(orientation));
  // None at all is taken as axial, and says nothing of the axes.
  const DoseGrid silent = with(DCM_ImageOrientationPatient, nullptr);
  CHECK(silent.origin == raw.origin);
  CHECK_FALSE(silent.axes);
}

TEST_CASE("run-length encoded pixels are not decoded into more than their file can hold", "[psqa][readers][error]") {
  const DoseGrid dose = counted({1, 40, 50});
  static const bool once = (DcmRLEEncoderRegistration::registerCodecs(), true);
  (void)once;
  const auto encoded = [&](Uint16 rows, Uint16 columns, Uint16 samples) {
    return changed(
        dose,
        [&](DcmItem& d) {
          REQUIRE(dynamic_cast<DcmDataset&>(d).chooseRepresentation(EXS_RLELossless, nullptr).good());
          for (const auto& [tag, value] :
               {std::pair{DCM_Rows, rows}, {DCM_Columns, columns}, {DCM_SamplesPerPixel, samples}})
            REQUIRE(d.putAndInsertUint16(tag, value).good());
        },
        EXS_RLELossless);
  };
  const DoseGrid back = encoded(40, 50, 1);
  REQUIRE(back.size() == dose.size());
  for (std::size_t i = 0; i < dose.size(); ++i) CHECK(back.values[i] == Approx(dose.values[i]).epsilon(1e-6));
  CHECK_THROWS_WITH(encoded(65535, 65535, 1), Catch::Contains("expected run-length encoded pixels"));
  CHECK_THROWS_WITH(encoded(40, 50, 65535), Catch::Contains("expected run-length encoded pixels"));
}

TEST_CASE("a deflated dose is read, and one that fills the memory from a small file is not", "[psqa][readers][error]") {
  const auto deflated = [](const DoseGrid& dose) {
    return changed(
        dose, [](DcmItem&) {}, EXS_DeflatedLittleEndianExplicit);
  };
  const DoseGrid dose = counted({3, 40, 50}), back = deflated(dose);
  REQUIRE(back.shape == dose.shape);
  for (std::size_t i = 0; i < dose.size(); ++i) CHECK(back.values[i] == Approx(dose.values[i]).epsilon(1e-6));
  DoseGrid flat = DoseGrid::plane(100, 100, 1);
  flat.values.assign(flat.size(), 1.0);
  CHECK(deflated(flat).values[0] == Approx(1).epsilon(1e-6));  // a small one may be as even as it likes
  flat = DoseGrid::plane(1500, 1500, 1);
  flat.values.assign(flat.size(), 1.0);
  CHECK_THROWS_WITH(deflated(flat), Catch::Contains("expected a deflated data set of at most 64 times the file's"));
}

TEST_CASE("frames at uneven places are brought to even ones", "[psqa][readers][worked]") {
  DoseGrid raw = counted({4, 2, 2});
  for (std::size_t k = 0; k < 4; ++k)
    for (std::size_t p = 0; p < 4; ++p) raw.values[4 * k + p] = std::array{0.0, 2.0, 4.0, 8.0}[k];
  const auto offsets = [&](const char* text) {
    return changed(raw, [&](DcmItem& d) { set(d, DCM_GridFrameOffsetVector, text); });
  };
  for (const char* text : {"0\\2\\4\\8", "10\\12\\14\\18"}) {
    const DoseGrid g = offsets(text);
    REQUIRE(g.shape == std::array<std::size_t, 3>{5, 2, 2});
    CHECK(g.spacing[0] == Approx(2));
    CHECK(g.origin[0] == Approx(10));
    for (std::size_t k = 0; k < 5; ++k) CHECK(g.at(k, 1, 1) == Approx(2 * double(k)).margin(1e-6));
  }
  const DoseGrid down = offsets("0\\-2\\-4\\-8");
  CHECK(down.origin[0] == Approx(2));
  CHECK(down.at(0, 0, 0) == Approx(8));
  CHECK_THROWS_WITH(offsets("0\\2\\2\\8"), Catch::Contains("follow one another"));
  CHECK_THROWS_WITH(offsets("0\\2\\1\\8"), Catch::Contains("follow one another"));
  CHECK_THROWS_WITH(offsets("0\\0.001\\1\\8"), Catch::Contains("20 times"));
  CHECK_THROWS_WITH(offsets("3\\5\\7\\11"),
                    Catch::Contains("expected frame offsets from 0, or from the image position"));
  CHECK(offsets("0\\2\\4\\8").warnings.empty());
  CHECK(offsets("0\\2\\4\\8\\10").warnings ==
        std::vector<std::string>{"5 frame offsets of 4 frames: the first ones are taken"});
}

TEST_CASE("the offset of a single frame that contradicts its position is warned of", "[psqa][readers][behaviour]") {
  const auto offset = [&](const char* text) {
    const DoseGrid g = changed(counted({1, 2, 2}), [&](DcmItem& d) { set(d, DCM_GridFrameOffsetVector, text); });
    CHECK(g.origin[0] == Approx(10));
    return g.warnings;
  };
  CHECK(offset("0").empty());
  CHECK(offset("10").empty());
  CHECK(offset("-4") ==
        std::vector<std::string>{"the frame offset -4 mm contradicts the image position, which is taken"});
}

TEST_CASE("the small arrays of a volume are what their writer says", "[psqa][readers][samples]") {
  const auto folder = support::samples("yagit");
  if (folder.empty()) return;
  const std::vector<double> pixels = {8191,  16383, 0,          8191,    2047,       8191,
                                      10919, 819,   1011155926, 8191918, 4294967295, 3636428};
  for (const char* name : {"test_dicom_rtdose.dcm", "test_dicom_rtdose_big_endian.dcm"}) {
    const DoseGrid g = read_rtdose(folder / name);
    REQUIRE(g.size() == 12);
    for (std::size_t i = 0; i < 12; ++i) CHECK(g.values[i] == Approx(pixels[i] * 0.0001220703125284217));
  }
}
