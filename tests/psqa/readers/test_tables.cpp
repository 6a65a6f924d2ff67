#include <equipoise/io/npy.hpp>
#include <equipoise/psqa/dicom/rtplan_writer.hpp>
#include <equipoise/psqa/readers/plane_reader.hpp>

#include <array>
#include <fstream>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;
namespace fs = std::filesystem;

TEST_CASE("a table's first row lies at the lowest y, or from the top at the highest", "[psqa][readers][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path csv = folder.path() / "a.csv", npy = folder.path() / "a.npy";
  std::ofstream(csv) << "1,2\n3,4\n5,6\n";
  const std::vector<double> bottom = {1, 2, 3, 4, 5, 6}, top = {5, 6, 3, 4, 1, 2};
  const DoseGrid plain = read_dose(csv, 2), turned = read_dose(csv, 2, false, RowsFrom::top);
  CHECK(plain.values == bottom);
  CHECK(turned.values == top);
  CHECK(turned.origin == plain.origin);
  // Each frame of a volume.
  const std::vector<double> frames = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  eq::io::write_npy<double>(npy, std::array<std::size_t, 3>{2, 3, 2}, frames);
  CHECK(read_dose(npy, 2).values == frames);
  CHECK(read_dose(npy, 2, false, RowsFrom::top).values == std::vector<double>{5, 6, 3, 4, 1, 2, 11, 12, 9, 10, 7, 8});
}

TEST_CASE("files that say where their rows lie are not turned", "[psqa][readers][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path path = folder.path() / "a.dcm";
  DoseGrid g = DoseGrid::plane(3, 4, 2);
  for (std::size_t i = 0; i < g.size(); ++i) g.values[i] = double(i);
  write_rtdose(g, Plan{}, "planned", path);
  CHECK(read_dose(path, 1, false, RowsFrom::top).values == read_dose(path).values);
}
