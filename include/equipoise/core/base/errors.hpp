// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The errors of the library. Every message has the form `[equipoise.<kind>.<number>] where: expected …, got …`.
/// Numbers: shape 1xx, value 2xx, name 3xx, file 4xx, numeric 5xx; `docs/errors.md` lists them.

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

/// What the caller gave is wrong: a value out of range, an unknown name, an impossible combination.
struct ValueError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// A tensor or array does not have the shape that the component needs.
struct ShapeError : ValueError {
  using ValueError::ValueError;
};

/// A name (modality, task, option, metric, column) that does not exist; the message says which ones do.
struct NameError : ValueError {
  using ValueError::ValueError;
};

/// A file cannot be read, understood or written; the message begins with its path.
struct FileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A computation left the numbers: a NaN loss, a singular system.
struct NumericError : std::runtime_error {
  explicit NumericError(const std::string& what, std::vector<std::int64_t> ids = {})
      : std::runtime_error(what), records(std::move(ids)) {}
  std::vector<std::int64_t> records;  ///< ids of those that it happened with, where they are known
};

/// Builds `[equipoise.<id>] <where>: <parts…>`, e.g. `message("shape.101", "Gated", "expected [B, ", 128, "]")`.
template <class... Parts>
[[nodiscard]] std::string message(std::string_view id, std::string_view where, const Parts&... parts) {
  std::ostringstream out;
  out << "[equipoise." << id << "] " << where << ": ";
  (out << ... << parts);
  return std::move(out).str();
}

namespace detail {

/// `[id] Mlp: …` becomes `[id] Mlp, modality dose: …`.
[[nodiscard]] inline std::string with_place(std::string text, const std::string& place) {
  const std::size_t colon = text.find(": ");
  return text.insert(colon == std::string::npos ? 0 : colon, ", " + place);
}

}  // namespace detail

/// Checks an option where it enters: `check_option(width > 0, "Late.width", "> 0", width)`.
/// \throws ValueError `<where>: expected <range>, got <got>`.
template <class T>
void check_option(bool fits, std::string_view where, std::string_view range, const T& got) {
  if (!fits) throw ValueError(message("value.201", where, "expected ", range, ", got ", got));
}

/// Checks an index where it enters. \throws ValueError `<where>: expected an index below <size>, got <index>`.
inline void check_index(std::size_t index, std::size_t size, std::string_view where) {
  if (index >= size) throw ValueError(message("value.217", where, "expected an index below ", size, ", got ", index));
}

}  // namespace equipoise
