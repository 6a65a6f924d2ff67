// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// NPY files, versions 1 and 2: little-endian numbers in C order. Written aside and renamed; rows can be appended one
/// by one, so that memory does not grow with the array.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/io/npy_number.hpp>
#include <equipoise/io/regular_file.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::io {

template <class T>
concept NpyNumber = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::int64_t> ||
    std::same_as<T, std::int32_t> || std::same_as<T, std::uint8_t>;

/// A dense array: `values` in C order.
template <NpyNumber T>
struct NpyArray {
  std::vector<std::size_t> shape;
  std::vector<T> values;
};

namespace detail {

template <NpyNumber T>
[[nodiscard]] constexpr std::string_view npy_type() {
  if constexpr (std::same_as<T, float>)
    return "<f4";
  else if constexpr (std::same_as<T, double>)
    return "<f8";
  else if constexpr (std::same_as<T, std::int64_t>)
    return "<i8";
  else if constexpr (std::same_as<T, std::int32_t>)
    return "<i4";
  else
    return "|u1";
}

/// `[3, 4]`
[[nodiscard]] inline std::string shape_text(std::span<const std::size_t> shape) {
  std::string out;
  for (const std::size_t n : shape) out += (out.empty() ? "[" : ", ") + std::to_string(n);
  return out + (shape.empty() ? "[]" : "]");
}

/// A version 1 header, padded so that the data begin at a multiple of 64 bytes.
/// \param least bytes of the header: it is padded to them
[[nodiscard]] inline std::string npy_header(std::string_view type, std::span<const std::size_t> shape,
                                            std::size_t min_size = 0) {
  std::string dictionary = "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': (";
  for (const std::size_t n : shape) dictionary += std::to_string(n) + ", ";
  dictionary += "), }";
  const std::size_t length = std::max(min_size, (10 + dictionary.size() + 1 + 63) / 64 * 64) - 10;
  dictionary.resize(length - 1, ' ');
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(length & 0xff);
  header += static_cast<char>(length >> 8);
  return header + dictionary + '\n';
}

/// The text after `key` in the header's dictionary.
[[nodiscard]] inline std::string npy_entry(const std::string& dictionary, std::string_view key,
                                           const std::string& where) {
  const std::size_t at = dictionary.find("'" + std::string(key) + "'");
  if (at == std::string::npos) throw FileError(message("file.411", where, "expected an NPY header with ", key));
  return dictionary.substr(dictionary.find(':', at) + 1);
}

}  // namespace detail

namespace detail {

/// The header's dictionary; the stream is left at the data.
[[nodiscard]] inline std::string npy_dictionary(std::ifstream& in, const std::filesystem::path& path) {
  const std::string where = path.string();
  if (!in) throw FileError(message("file.401", where, "expected a readable file"));
  char start[10] = {};
  in.read(start, 10);
  if (!in || std::string_view(start, 6) != "\x93NUMPY")
    throw FileError(message("file.411", where, "expected an NPY file, got another format"));
  std::size_t length =
      static_cast<unsigned char>(start[8]) | static_cast<std::size_t>(static_cast<unsigned char>(start[9])) << 8;
  if (start[6] >= 2) {
    char more[2] = {};
    in.read(more, 2);
    length |= static_cast<std::size_t>(static_cast<unsigned char>(more[0])) << 16 |
              static_cast<std::size_t>(static_cast<unsigned char>(more[1])) << 24;
  }
  if (!in || length > std::filesystem::file_size(path))
    throw FileError(message("file.412", where, "expected a header of ", length, " bytes, got a truncated file"));
  std::string dictionary(length, '\0');
  in.read(dictionary.data(), static_cast<std::streamsize>(length));
  if (!in) throw FileError(message("file.412", where, "expected a header of ", length, " bytes, got a truncated file"));
  return dictionary;
}

/// The shape in a header. \throws FileError when the file cannot hold as many values
[[nodiscard]] inline std::vector<std::size_t> npy_shape(const std::string& dictionary, std::uintmax_t file_size,
                                                        const std::string& where) {
  std::string text = npy_entry(dictionary, "shape", where);
  text = text.substr(0, text.find(')'));
  std::vector<std::size_t> shape;
  std::size_t count = 1;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] < '0' || text[i] > '9') {
      ++i;
      continue;
    }
    std::size_t n = 0;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i)
      n = n * 10 + static_cast<std::size_t>(text[i] - '0');
    if (n != 0 && count > file_size / n)
      throw FileError(message("file.412", where, "expected as many values as the shape says, got a truncated file"));
    shape.push_back(n);
    count *= n;
  }
  return shape;
}

/// What the header of an NPY file says of its values.
struct NpyLayout {
  std::string type;  ///< as it stands there: "<f4", "<f8", …
  bool fortran = false;
  std::vector<std::size_t> shape;
  std::uintmax_t begin = 0;  ///< byte of the first value
  std::uintmax_t file_size = 0;

  [[nodiscard]] std::size_t count() const {
    return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
  }
  /// \throws FileError unless the file ends where the last value, of so many bytes, does
  void check_size(std::size_t value_size, const std::string& where) const {
    if (file_size - begin != count() * value_size)
      throw FileError(
          message("file.412", where, "expected ", count() * value_size, " bytes of data, got ", file_size - begin));
  }
};

/// The type in a header: the text in quotes, or all of it for an array of records.
[[nodiscard]] inline std::string npy_type_text(const std::string& dictionary, const std::string& where) {
  const std::string entry = npy_entry(dictionary, "descr", where);
  const std::size_t begin = entry.find_first_not_of(' ');
  if (begin == std::string::npos) return entry;
  if (entry[begin] != '\'') return entry.substr(begin, entry.find(',') - begin);
  return entry.substr(begin + 1, entry.find('\'', begin + 1) - begin - 1);
}

/// Reads the header; the stream is left at the first value.
[[nodiscard]] inline NpyLayout npy_layout(std::ifstream& in, const std::filesystem::path& path) {
  const std::string where = path.string(), dictionary = npy_dictionary(in, path);
  NpyLayout out;
  out.type = npy_type_text(dictionary, where);
  out.fortran = npy_entry(dictionary, "fortran_order", where).find("True") < 3;
  out.file_size = std::filesystem::file_size(path);
  out.shape = npy_shape(dictionary, out.file_size, where);
  out.begin = static_cast<std::uintmax_t>(in.tellg());
  return out;
}
[[nodiscard]] inline NpyLayout npy_layout(const std::filesystem::path& path) {
  std::ifstream in = open_regular(path);
  return npy_layout(in, path);
}

}  // namespace detail

/// The type of an NPY file's numbers, as its header says it: "<f4", "<f8", …
/// \throws FileError for a file that is missing, truncated or not NPY.
[[nodiscard]] inline std::string npy_type_of(const std::filesystem::path& path) {
  std::ifstream in = open_regular(path);
  return detail::npy_type_text(detail::npy_dictionary(in, path), path.string());
}

/// \throws FileError for a file that is missing, truncated, not NPY, of another type or in Fortran order.
template <NpyNumber T>
[[nodiscard]] NpyArray<T> read_npy(const std::filesystem::path& path) {
  const std::string where = path.string();
  std::ifstream in = open_regular(path);
  const detail::NpyLayout layout = detail::npy_layout(in, path);
  if (layout.type != detail::npy_type<T>())
    throw FileError(
        message("file.413", where, "expected numbers of type ", detail::npy_type<T>(), ", got '", layout.type, "'"));
  if (layout.fortran) throw FileError(message("file.413", where, "expected C order, got Fortran order"));
  layout.check_size(sizeof(T), where);
  NpyArray<T> out;
  out.shape = layout.shape;
  const std::size_t count = layout.count();
  out.values.resize(count);
  in.read(reinterpret_cast<char*>(out.values.data()), static_cast<std::streamsize>(count * sizeof(T)));
  if (!in) throw FileError(message("file.412", where, "expected ", count, " values, got a truncated file"));
  return out;
}

/// Real numbers of any type, byte order and memory order as doubles in C order.
/// \throws FileError for a file that is missing, truncated, not NPY, or of numbers that are not real.
[[nodiscard]] inline NpyArray<double> read_npy_as_doubles(const std::filesystem::path& path) {
  const std::string where = path.string();
  std::ifstream in = open_regular(path);
  const detail::NpyLayout layout = detail::npy_layout(in, path);
  const std::string& type = layout.type;
  const char kind = type.size() == 3 ? type[1] : ' ';
  const std::size_t size =
      type.size() == 3 && type[2] > '0' && type[2] <= '8' ? static_cast<std::size_t>(type[2] - '0') : 0;
  const bool whole = kind == 'i' || kind == 'u' || (kind == 'b' && size == 1);
  if (!(kind == 'f' && (size == 2 || size == 4 || size == 8)) &&
      !(whole && (size == 1 || size == 2 || size == 4 || size == 8)))
    throw FileError(message("file.413", where, "expected real numbers of 1 to 8 bytes, got type ", type));
  layout.check_size(size, where);
  NpyArray<double> out;
  out.shape = layout.shape;
  const std::size_t count = layout.count();
  std::string bytes(count * size, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!in) throw FileError(message("file.412", where, "expected ", count, " values, got a truncated file"));
  out.values.resize(count);
  std::vector<std::size_t> index(out.shape.size(), 0);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t at = i;
    if (layout.fortran) {  // the first index is the fastest
      at = 0;
      for (std::size_t k = 0; k < index.size(); ++k) at = at * out.shape[k] + index[k];
      for (std::size_t k = 0; k < index.size() && ++index[k] == out.shape[k]; ++k) index[k] = 0;
    }
    out.values[at] = detail::npy_number(bytes.data() + i * size, kind, size, type[0] == '>');
  }
  return out;
}

/// \throws FileError when the disk does not take it; an older file is then untouched.
template <NpyNumber T>
void write_npy(const std::filesystem::path& path, std::span<const std::size_t> shape, std::span<const T> values) {
  AtomicFile file(path);
  file.write(detail::npy_header(detail::npy_type<T>(), shape));
  file.write(values.data(), values.size_bytes());
  file.commit();
}

/// Writes [N, …] row by row; N is how many were appended.
template <NpyNumber T>
class NpyWriter {
 public:
  /// \param row its shape
  NpyWriter(const std::filesystem::path& path, const std::vector<std::size_t>& row)
      : file_(path),
        where_(path.string()),
        shape_{std::numeric_limits<std::size_t>::max()},
        row_size_(std::accumulate(row.begin(), row.end(), std::size_t{1}, std::multiplies<>())) {
    shape_.insert(shape_.end(), row.begin(), row.end());
    const std::string header = detail::npy_header(detail::npy_type<T>(), shape_);  // room for any number of rows
    header_size_ = header.size(), shape_[0] = 0;
    file_.write(header);
  }
  void append(std::span<const T> row) {
    if (row.size() != row_size_)
      throw ShapeError(message("shape.107", where_, "expected a row of ", row_size_, " values, got ", row.size()));
    file_.write(row.data(), row.size_bytes());
    ++shape_[0];
  }
  void commit() {
    file_.rewrite_start(detail::npy_header(detail::npy_type<T>(), shape_, header_size_));
    file_.commit();
  }

 private:
  AtomicFile file_;
  std::string where_;
  std::vector<std::size_t> shape_;
  std::size_t row_size_, header_size_ = 0;
};

}  // namespace equipoise::io
