// Safetensors files: what is written is read, and a file that contradicts itself is refused.

#include <equipoise/io/safetensors.hpp>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace io = equipoise::io;
using Catch::Contains;

namespace {

struct Temporary {
  std::filesystem::path path = std::filesystem::temp_directory_path() / "equipoise_test.safetensors";
  Temporary() = default;
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() { std::filesystem::remove(path); }
};

/// A file of a header and as many bytes of data.
void write(const std::filesystem::path& path, const std::string& header, std::size_t data) {
  const std::uint64_t size = header.size();
  std::string bytes(sizeof size, '\0');
  std::memcpy(bytes.data(), &size, sizeof size);
  std::ofstream(path, std::ios::binary) << bytes << header << std::string(data, 'x');
}

std::string error_of(const std::string& header, std::size_t data) {
  const Temporary file;
  write(file.path, header, data);
  try {
    io::SafetensorsFile{file.path};
  } catch (const equipoise::FileError& e) {
    return e.what();
  }
  return "none";
}

std::string entry(const std::string& name, const std::string& type, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":[" + shape + "],\"data_offsets\":[" + offsets + "]}";
}

}  // namespace

TEST_CASE("arrays that are written are read with names, types, shapes and bytes", "[io]") {
  const Temporary file;
  const std::vector<float> a = {1, 2, 3, 4, 5, 6};
  const std::vector<std::int64_t> b = {7};
  const std::vector<io::SafetensorsArray> arrays = {{"b", "I64", {}, std::as_bytes(std::span(b))},
                                                    {"a.weight", "F32", {2, 3}, std::as_bytes(std::span(a))},
                                                    {"none", "F16", {0, 4}, {}}};
  io::write_safetensors(file.path, arrays, {{"format", "pt"}});
  const io::SafetensorsFile read(file.path);
  CHECK(read.metadata().at("format") == "pt");
  REQUIRE(read.arrays().size() == 3);
  for (const io::SafetensorsArray& wanted : arrays) {
    const auto found = std::find_if(read.arrays().begin(), read.arrays().end(),
                                    [&](const auto& array) { return array.name == wanted.name; });
    REQUIRE(found != read.arrays().end());
    CHECK(found->type == wanted.type);
    CHECK(found->shape == wanted.shape);
    CHECK(std::equal(found->bytes.begin(), found->bytes.end(), wanted.bytes.begin(), wanted.bytes.end()));
  }
  // The layout of the format: a header of a multiple of eight bytes, in JSON.
  std::ifstream in(file.path, std::ios::binary);
  std::uint64_t size = 0;
  in.read(reinterpret_cast<char*>(&size), sizeof size);
  CHECK(size % 8 == 0);
  std::string header(size, '\0');
  in.read(header.data(), static_cast<std::streamsize>(size));
  CHECK_THAT(header, Contains(R"("a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]})"));
}

TEST_CASE("a safetensors file that contradicts itself is refused with the tensor's name", "[io]") {
  const auto file = [](const std::string& entries) { return "{" + entries + "}"; };
  CHECK(error_of(file(entry("a", "F32", "2", "0,8")), 8) == "none");
  CHECK(error_of("{}", 0) == "none");
  CHECK_THAT(error_of(file(entry("a", "F32", "2", "0,8")), 4), Contains("file.412") && Contains("tensor \"a\""));
  CHECK_THAT(error_of(file(entry("a", "F33", "2", "0,8")), 8), Contains("file.413") && Contains("got \"F33\""));
  CHECK_THAT(error_of(file(entry("a", "F32", "3", "0,8")), 8), Contains("expected 12 bytes, got 8"));
  CHECK_THAT(error_of(file(entry("a", "U8", "4", "4,8")), 8), Contains("got a gap"));
  CHECK_THAT(error_of(file(entry("a", "U8", "8", "0,8") + "," + entry("b", "U8", "4", "4,8")), 8),
             Contains("tensor \"b\"") && Contains("overlapping"));
  CHECK_THAT(error_of(file(entry("a", "U8", "4", "8,4")), 8), Contains("file.461"));
  CHECK_THAT(error_of(file(entry("a", "U8", "4", "0,4")), 8), Contains("4 bytes that belong to none"));
  CHECK_THAT(error_of(file(entry("a", "U8", "4", "0,4") + "," + entry("a", "U8", "4", "4,8")), 8),
             Contains("\"a\" twice"));
  CHECK_THAT(error_of(file(entry("a", "U8", "-4", "0,4")), 4), Contains("whole numbers, got -4"));
  CHECK_THAT(error_of(file(entry("a", "U8", "9223372036854775807,9223372036854775807", "0,4")), 4),
             Contains("expected a shape that fits the file"));
  CHECK_THAT(error_of("{\"a\":{\"dtype\":\"U8\"}}", 0), Contains("expected dtype, shape and data_offsets"));
  CHECK_THAT(error_of("{\"a\":3}", 0), Contains("tensor \"a\""));
  CHECK_THAT(error_of("[1]", 0), Contains("a JSON object"));
  CHECK_THAT(error_of("{\"a\"", 0), Contains("expected a header in JSON"));
  const Temporary truncated;
  std::ofstream(truncated.path, std::ios::binary) << "abc";
  CHECK_THROWS_WITH(io::SafetensorsFile(truncated.path), Contains("file.412"));
  std::ofstream(truncated.path, std::ios::binary) << std::string(16, '\xff');
  CHECK_THROWS_WITH(io::SafetensorsFile(truncated.path), Contains("file.412"));
}

TEST_CASE("a file of torch.save is told from a safetensors file", "[io]") {
  const Temporary file;
  const auto says = [&](const std::string& begin) -> std::string {
    std::ofstream(file.path, std::ios::binary) << begin << std::string(100, 'x');
    try {
      io::SafetensorsFile{file.path};
    } catch (const equipoise::FileError& e) {
      return e.what();
    }
    return "none";
  };
  using namespace std::string_literals;
  const std::string hint = "looks like a file of torch.save; write it in Python with safetensors.torch.save_file";
  // The first bytes of PyTorch's files: a zip archive since version 1.6, before that a pickle of a magic number.
  CHECK_THAT(says("PK\x03\x04\0\0\x08\x08"s), Contains("file.461") && Contains("got a zip archive") && Contains(hint));
  CHECK_THAT(says("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46"s), Contains("got a pickle") && Contains(hint));
  CHECK_THAT(says("\x80\x06\x8a\x0a\x6c\xfc\x9c\x46"s), Contains("file.412"));
  // A header of 0x0280 bytes begins as a pickle does.
  std::string header = "{" + entry("a", "U8", "4", "0,4") + "}";
  header.resize(0x0280, ' ');
  write(file.path, header, 4);
  std::ifstream in(file.path, std::ios::binary);
  CHECK((in.get() == 0x80 && in.get() == 2));
  CHECK(io::SafetensorsFile(file.path).arrays().size() == 1);
}
