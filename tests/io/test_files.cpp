#include <equipoise/io/npy.hpp>
#include <equipoise/io/png.hpp>

#include <fstream>

#include "support/catch.hpp"
#include "support/samples.hpp"

namespace eq = equipoise;
namespace io = equipoise::io;

TEST_CASE("an array comes back as it was written", "[io][property]") {
  const support::TemporaryFolder folder;
  const std::vector<std::size_t> shape = {2, 3};
  io::write_npy<double>(folder.path() / "a.npy", shape, std::vector<double>{1, 2, 3, 4, 5, 6});
  const auto a = io::read_npy<double>(folder.path() / "a.npy");
  CHECK(a.shape == shape);
  CHECK(a.values == std::vector<double>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("damaged arrays are refused with the file's name", "[io][error]") {
  const support::TemporaryFolder folder;
  const auto path = folder.path() / "a.npy";
  io::write_npy<float>(path, std::vector<std::size_t>{4}, std::vector<float>(4));
  CHECK_THROWS_WITH(io::read_npy<double>(path), Catch::Contains("a.npy") && Catch::Contains("<f8"));
  std::ifstream in(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  for (std::size_t length = 0; length < bytes.size(); length += 7) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes.substr(0, length);
    CHECK_THROWS_AS(io::read_npy<float>(path), eq::FileError);
  }
}

TEST_CASE("rows that are written one by one make an array, whose number is known at the end", "[io][behaviour]") {
  const support::TemporaryFolder folder;
  const auto path = folder.path() / "a.npy";
  for (const std::size_t rows : {std::size_t{0}, std::size_t{1}, std::size_t{12}}) {
    io::NpyWriter<float> writer(path, {2});
    for (std::size_t r = 0; r < rows; ++r) writer.append(std::vector<float>{static_cast<float>(r), 7});
    CHECK_THROWS_AS(writer.append(std::vector<float>{1}), eq::ShapeError);
    writer.commit();
    const io::NpyArray<float> back = io::read_npy<float>(path);
    CHECK(back.shape == std::vector<std::size_t>{rows, 2});
    REQUIRE(back.values.size() == 2 * rows);
    if (rows > 0) CHECK(back.values[2 * rows - 2] == static_cast<float>(rows - 1));
  }
}

TEST_CASE("rows that are not committed leave no file", "[io][error]") {
  const support::TemporaryFolder folder;
  {
    io::NpyWriter<float> writer(folder.path() / "a.npy", {2});
    writer.append(std::vector<float>{1, 2});
  }
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a full disk is told, and the older file stays", "[io][error]") {
  if (!std::filesystem::exists("/dev/full")) return;
  const support::TemporaryFolder folder;
  std::ofstream(folder.path() / "a.txt") << "older";
  std::filesystem::create_symlink("/dev/full", folder.path() / "a.txt.part");
  {
    io::AtomicFile file(folder.path() / "a.txt");
    CHECK_THROWS_WITH(file.write("newer"), Catch::Contains("a.txt") && Catch::Contains("No space left"));
  }
  std::ifstream in(folder.path() / "a.txt");
  std::string text;
  in >> text;
  CHECK(text == "older");
}

TEST_CASE("a map becomes a PNG", "[io][behaviour]") {
  const std::vector<float> values = {0, 1, 2, std::numeric_limits<float>::quiet_NaN()};
  const auto png = io::map_png<float>(
      values, 2, 2, [](double v) { return io::sequential_colour(v / 2); }, 4);
  REQUIRE(png.size() > 8);
  CHECK(png[1] == 'P');
  CHECK(io::diverging_colour(0) == io::diverging_colour(-0.0));
  CHECK(io::sequential_colour(std::nan("")) == io::Rgb{128, 128, 128});
}
