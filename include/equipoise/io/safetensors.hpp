// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Safetensors files: named arrays behind a JSON header, as Hugging Face's library of that name
/// reads and writes them. Reading checks everything that a file says of itself: nothing in it is
/// executed, and no array reaches beyond the file or into another one.
///
///     8 bytes   N, the size of the header, little-endian
///     N bytes   {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
///     the rest  the arrays, one after the other without gaps

#include <equipoise/core/base/errors.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/io/mapped_file.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::io {

/// The types of numbers in these files, and the bytes of one.
inline constexpr std::array<std::pair<std::string_view, std::size_t>, 15> kSafetensorsTypes{{{"F64", 8},
                                                                                             {"F32", 4},
                                                                                             {"F16", 2},
                                                                                             {"BF16", 2},
                                                                                             {"I64", 8},
                                                                                             {"I32", 4},
                                                                                             {"I16", 2},
                                                                                             {"I8", 1},
                                                                                             {"U64", 8},
                                                                                             {"U32", 4},
                                                                                             {"U16", 2},
                                                                                             {"U8", 1},
                                                                                             {"BOOL", 1},
                                                                                             {"F8_E4M3", 1},
                                                                                             {"F8_E5M2", 1}}};

/// An array of a file, or one to be written.
struct SafetensorsArray {
  std::string name;
  std::string type;  ///< as in `kSafetensorsTypes`
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  ///< in C order, little-endian, perhaps unaligned; of a file: while that lives
};

namespace detail {

/// \throws FileError for a type that the format does not have
[[nodiscard]] inline std::size_t safetensors_type_size(std::string_view type, const std::string& where) {
  const auto* found = std::find_if(kSafetensorsTypes.begin(), kSafetensorsTypes.end(),
                                   [&](const auto& entry) { return entry.first == type; });
  if (found == kSafetensorsTypes.end())
    throw FileError(message("file.413", where, "expected a type like F32, got \"", type, "\""));
  return found->second;
}

/// The bytes that an array has. \throws FileError for a negative side, or more bytes than a file can hold
[[nodiscard]] inline std::uint64_t safetensors_bytes(std::span<const std::int64_t> shape, std::uint64_t size,
                                                     const std::string& where) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) size = 0;
  for (const std::int64_t side : shape) {
    if (side < 0 || (side > 0 && size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) /
                                            static_cast<std::uint64_t>(side)))
      throw FileError(message("file.461", where, "expected a shape that fits the file, got a side of ", side));
    size *= static_cast<std::uint64_t>(side);
  }
  return size;
}

}  // namespace detail

/// A safetensors file, mapped into memory.
class SafetensorsFile {
 public:
  /// \throws FileError for a file that is missing or truncated, whose header is not as the format says, or whose arrays
  /// overlap, leave gaps or have another size than their type and shape say
  explicit SafetensorsFile(const std::filesystem::path& path) : file_(path), where_(path.string()) {
    std::uint64_t size = 0;
    if (file_.size() < sizeof size) truncated(sizeof size);
    std::memcpy(&size, file_.data(), sizeof size);
    if (size > file_.size() - sizeof size) truncated(size);
    const char* header = reinterpret_cast<const char*>(file_.data()) + sizeof size;
    data_ = {file_.data() + sizeof size + size, file_.size() - sizeof size - size};
    read(parsed({header, size}));
    check_offsets();
  }

  /// In the order of their bytes.
  [[nodiscard]] const std::vector<SafetensorsArray>& arrays() const { return arrays_; }
  /// Texts about the file, under `__metadata__`.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  [[noreturn]] void truncated(std::uint64_t expected) const {
    if (const std::string_view kind = kind_of_python(); !kind.empty())
      malformed("expected a safetensors file, got " + std::string(kind) +
                ", which looks like a file of torch.save; write it in Python with "
                "safetensors.torch.save_file(model.state_dict(), path)");
    throw FileError(message("file.412", where_, "expected a safetensors file with a header of ", expected,
                            " bytes, got ", file_.size(), " bytes in all"));
  }
  [[noreturn]] void malformed(const std::string& what) const { throw FileError(message("file.461", where_, what)); }

  /// What torch.save writes: a zip archive, or in its older format a pickle of protocol 2 to 5; empty for anything else.
  [[nodiscard]] std::string_view kind_of_python() const {
    const auto byte = [&](std::size_t i) { return i < file_.size() ? std::to_integer<int>(file_.data()[i]) : -1; };
    if (byte(0) == 'P' && byte(1) == 'K') return "a zip archive";
    return byte(0) == 0x80 && byte(1) >= 2 && byte(1) <= 5 ? "a pickle" : "";
  }

  /// The header. A name that stands twice is an error, which JSON alone would not be.
  [[nodiscard]] nlohmann::json parsed(std::string_view text) const {
    using nlohmann::json;
    std::set<std::string> names;
    std::string twice;
    json out;
    try {
      out = json::parse(text, [&](int depth, json::parse_event_t event, json& value) {
        if (depth == 1 && event == json::parse_event_t::key && !names.insert(value.get<std::string>()).second)
          twice = value.get<std::string>();
        return true;
      });
    } catch (const json::exception& e) {
      malformed(std::string("expected a header in JSON: ") + e.what());
    }
    if (!out.is_object()) malformed("expected a header that is a JSON object");
    if (!twice.empty()) malformed("expected distinct names, got \"" + twice + "\" twice");
    return out;
  }

  void read(const nlohmann::json& header) {
    for (const auto& [name, about] : header.items()) try {
        if (name == "__metadata__") {
          metadata_ = about.get<std::map<std::string, std::string>>();
          continue;
        }
        SafetensorsArray array{name, about.at("dtype").get<std::string>(), {}, {}};
        for (const nlohmann::json& side : about.at("shape")) array.shape.push_back(whole(side));
        const nlohmann::json& offsets = about.at("data_offsets");
        if (offsets.size() != 2) malformed("tensor \"" + name + "\": expected two offsets");
        const auto begin = static_cast<std::uint64_t>(whole(offsets[0])),
                   end = static_cast<std::uint64_t>(whole(offsets[1]));
        const std::string where = where_ + ", tensor \"" + name + "\"";
        if (begin > end || end > data_.size())
          throw FileError(message(end > data_.size() ? ErrorId("file.412") : ErrorId("file.461"), where,
                                  "expected offsets within ", data_.size(), " bytes, got ", begin, " to ", end));
        const std::uint64_t bytes =
            detail::safetensors_bytes(array.shape, detail::safetensors_type_size(array.type, where), where);
        if (bytes != end - begin)
          throw FileError(message("file.461", where, "expected ", bytes, " bytes, got ", end - begin));
        array.bytes = data_.subspan(begin, end - begin);
        arrays_.push_back(std::move(array));
      } catch (const nlohmann::json::exception& e) {
        malformed("tensor \"" + name + "\": expected dtype, shape and data_offsets: " + e.what());
      }
  }
  [[nodiscard]] std::int64_t whole(const nlohmann::json& number) const {
    if (!number.is_number_unsigned() || number.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
      malformed("expected a shape and offsets of whole numbers, got " + number.dump());
    return number.get<std::int64_t>();
  }

  void check_offsets() {
    std::sort(arrays_.begin(), arrays_.end(), [](const SafetensorsArray& a, const SafetensorsArray& b) {
      return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
    });
    const std::byte* at = data_.data();
    for (const SafetensorsArray& array : arrays_) {
      if (array.bytes.data() != at)
        malformed("tensor \"" + array.name + "\": expected it to begin where the one before it ends, got " +
                  (array.bytes.data() < at ? "overlapping tensors" : "a gap"));
      at += array.bytes.size();
    }
    if (const auto left = data_.data() + data_.size() - at; left != 0)
      malformed("expected the tensors to fill the file, got " + std::to_string(left) + " bytes that belong to none");
  }

  MappedFile file_;
  std::string where_;
  std::span<const std::byte> data_;
  std::vector<SafetensorsArray> arrays_;
  std::map<std::string, std::string> metadata_;
};

/// Writes arrays in the order given. \throws FileError when the disk does not take it (an older file is then
/// untouched), for two arrays of one name, or for bytes that do not fit a type and a shape
inline void write_safetensors(const std::filesystem::path& path, std::span<const SafetensorsArray> arrays,
                              const std::map<std::string, std::string>& metadata = {}) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t at = 0;
  for (const SafetensorsArray& array : arrays) {
    const std::string where = path.string() + ", tensor \"" + array.name + "\"";
    if (header.contains(array.name)) throw FileError(message("file.461", where, "expected distinct names"));
    const std::uint64_t bytes =
        detail::safetensors_bytes(array.shape, detail::safetensors_type_size(array.type, where), where);
    if (bytes != array.bytes.size())
      throw FileError(message("file.461", where, "expected ", bytes, " bytes, got ", array.bytes.size()));
    header[array.name] = {{"dtype", array.type}, {"shape", array.shape}, {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the arrays begin at a multiple of eight
  const std::uint64_t size = text.size();
  AtomicFile file(path);
  file.write(&size, sizeof size);
  file.write(text);
  for (const SafetensorsArray& array : arrays) file.write(array.bytes.data(), array.bytes.size());
  file.commit();
}

}  // namespace equipoise::io
