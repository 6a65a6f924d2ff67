#include <equipoise/core/batch/batch.hpp>
#include <equipoise/data/mapped_npy.hpp>

#include <ATen/ATen.h>

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/samples.hpp"

namespace eq = equipoise;
namespace fs = std::filesystem;
using namespace eq::literals;

namespace {

/// An NPY file with a header of `length` bytes and any data.
fs::path written(const fs::path& path, const std::string& type, const std::string& shape, const std::string& data,
                 bool fortran = false, std::size_t length = 128) {
  std::string dictionary =
      "{'descr': " + type + ", 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape + ", }";
  dictionary.resize(length - 11, ' ');
  const std::string start("\x93NUMPY\x01\x00", 8);
  std::ofstream(path, std::ios::binary) << start << static_cast<char>(length - 10) << '\0' << dictionary << '\n'
                                        << data;
  return path;
}

bool is_mapped(const fs::path& path) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find(path.string()) != std::string::npos) return true;
  return false;
}

/// Bytes of this program that are in memory.
std::int64_t resident() {
  std::ifstream in("/proc/self/statm");
  std::int64_t all = 0, pages = 0;
  in >> all >> pages;
  return pages * ::sysconf(_SC_PAGESIZE);
}

template <class T>
void check_same_values(const fs::path& folder, at::ScalarType type) {
  std::vector<T> values;
  for (int i = 0; i < 12; ++i) values.push_back(static_cast<T>(i * i));
  eq::io::write_npy<T>(folder / "a.npy", std::vector<std::size_t>{3, 2, 2}, values);
  const at::Tensor mapped = eq::mapped_npy(folder / "a.npy");
  CHECK(mapped.scalar_type() == type);
  CHECK(mapped.sizes() == std::vector<std::int64_t>{3, 2, 2});
  CHECK(mapped.is_contiguous());
  const auto read = eq::io::read_npy<T>(folder / "a.npy").values;
  CHECK(std::vector<T>(mapped.const_data_ptr<T>(), mapped.const_data_ptr<T>() + 12) == read);
}

}  // namespace

TEST_CASE("a mapped array has the values that are read from the file", "[data][law]") {
  const support::TemporaryFolder folder;
  check_same_values<float>(folder.path(), at::kFloat);
  check_same_values<double>(folder.path(), at::kDouble);
  check_same_values<std::int64_t>(folder.path(), at::kLong);
  check_same_values<std::int32_t>(folder.path(), at::kInt);
  check_same_values<std::uint8_t>(folder.path(), at::kByte);
  CHECK(eq::mapped_npy(written(folder.path() / "one.npy", "'|u1'", "()", "\7")).item<int>() == 7);
  CHECK(eq::mapped_npy(written(folder.path() / "none.npy", "'<f4'", "(0, 3)", "")).sizes() ==
        std::vector<std::int64_t>{0, 3});
}

TEST_CASE("a batch of mapped arrays selects records as one in memory does", "[data][behaviour]") {
  const support::TemporaryFolder folder;
  std::vector<float> x(40), y(10);
  for (std::size_t i = 0; i < 40; ++i) x[i] = static_cast<float>(i);
  for (std::size_t i = 0; i < 10; ++i) y[i] = static_cast<float>(i) / 2;
  eq::io::write_npy<float>(folder.path() / "x.npy", std::vector<std::size_t>{10, 4}, x);
  eq::io::write_npy<float>(folder.path() / "y.npy", std::vector<std::size_t>{10, 1}, y);
  const auto data = eq::batch(eq::input<"x">(eq::mapped_npy(folder.path() / "x.npy")),
                              eq::target<"y">(eq::Values{eq::mapped_npy(folder.path() / "y.npy")}));
  const auto few = data.select(std::vector<std::int64_t>{7, 2});
  CHECK(at::equal(few.inputs["x"_n], at::tensor({28.F, 29.F, 30.F, 31.F, 8.F, 9.F, 10.F, 11.F}).view({2, 4})));
  CHECK(at::equal(few.targets["y"_n].tensor, at::tensor({3.5F, 1.F}).view({2, 1})));
  CHECK(at::equal(data.slice(9, 10).inputs["x"_n], at::tensor({36.F, 37.F, 38.F, 39.F}).view({1, 4})));
}

TEST_CASE("a file is mapped as long as a tensor views it, and no longer", "[data][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path path = folder.path() / "lives.npy";
  eq::io::write_npy<float>(path, std::vector<std::size_t>{4}, std::vector<float>{1, 2, 3, 4});
  at::Tensor view;
  {
    const at::Tensor whole = eq::mapped_npy(path);
    view = whole.narrow(0, 2, 2);
  }
  fs::remove(path);  // the values stay until the last view goes
  CHECK(is_mapped(path));
  CHECK(view[1].item<float>() == 4);
  const at::Tensor copy = view.clone();
  view.reset();
  CHECK_FALSE(is_mapped(path));
  CHECK(copy[0].item<float>() == 3);
}

TEST_CASE("writing to a mapped tensor leaves the file as it is", "[data][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path path = folder.path() / "a.npy";
  eq::io::write_npy<float>(path, std::vector<std::size_t>{3}, std::vector<float>{1, 2, 3});
  at::Tensor mapped = eq::mapped_npy(path);
  mapped.mul_(10);
  CHECK(mapped[2].item<float>() == 30);
  CHECK(eq::io::read_npy<float>(path).values == std::vector<float>{1, 2, 3});
  CHECK(eq::mapped_npy(path)[2].item<float>() == 3);
}

TEST_CASE("records of a large file cost the memory of what is selected", "[data][behaviour]") {
  const support::TemporaryFolder folder;  // 200 MB that the disk does not hold: a sparse file
  const fs::path path = written(folder.path() / "large.npy", "'<f4'", "(50000, 1000)", "");
  fs::resize_file(path, 128 + std::uintmax_t{50000} * 1000 * 4);
  const std::int64_t before = resident();
  const at::Tensor mapped = eq::mapped_npy(path);
  const auto data = eq::batch(eq::input<"x">(mapped));
  const auto few = data.select(std::vector<std::int64_t>{49999, 0, 25000});
  CHECK(few.inputs["x"_n].sum().item<float>() == 0);
  // Three rows of 4 kB. The system maps up to 64 kB around each page that is touched, and the first operations of a
  // program load code of LibTorch; a tenth of the file is far from both.
  CHECK(resident() - before < 20'000'000);
}

TEST_CASE("a file that cannot be mapped is refused by a sentence with its name", "[data][error]") {
  const support::TemporaryFolder folder;
  const fs::path path = folder.path() / "a.npy";
  const auto refused = [&](const std::string& id, const std::string& sentence) {
    CHECK_THROWS_WITH(eq::mapped_npy(path), "[equipoise." + id + "] " + path.string() + ": " + sentence);
  };
  refused("file.401", "expected a readable file");
  fs::create_directory(path);
  refused("file.401", "expected a readable file");
  fs::remove(path);
  std::ofstream(path) << "x,y\n1,2\n";
  refused("file.411", "expected an NPY file, got another format");
  std::ofstream(path, std::ios::trunc).close();
  refused("file.411", "expected an NPY file, got another format");
  written(path, "'<f4'", "(2, 3)", std::string(20, '\0'));
  refused("file.412", "expected 24 bytes of data, got 20");
  written(path, "'<f4'", "(2, 3)", std::string(28, '\0'));
  refused("file.412", "expected 24 bytes of data, got 28");
  written(path, "'<f4'", "(0, 99999999999, 99999999999)", "");
  refused("file.412", "expected a shape that an array can have");
  written(path, "'<f4'", "(2, 3)", std::string(24, '\0'), true);
  refused("file.413", "expected C order, got Fortran order");
  for (const std::string type : {">f4", "<f2", "<c8", "|b1"}) {
    written(path, "'" + type + "'", "(1, 8)", std::string(8, '\0'));
    refused("file.413", "expected numbers of type <f4, <f8, <i8, <i4 or |u1, got " + type);
  }
  written(path, "[('dose', '<f4')]", "(2,)", std::string(8, '\0'));
  refused("file.413", "expected numbers of type <f4, <f8, <i8, <i4 or |u1, got [('dose'");
  written(path, "'<f8'", "(2,)", std::string(16, '\0'), false, 100);
  refused("file.413",
          "expected values at a multiple of 8 bytes, got them at byte 100; write the file anew, e.g. with numpy.save");
  written(path, "'<f4'", "(2,)", std::string(8, '\0'), false, 100);
  CHECK(eq::mapped_npy(path).sizes() == std::vector<std::int64_t>{2});  // a multiple of its own size is enough
}
