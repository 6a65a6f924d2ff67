// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The errors of the library. Every message has the form `[equipoise.<id>] where: expected …, got …`, and every exception
/// carries its id (error_ids.hpp). All of them can be caught as `equipoise::Error`, or as the standard's exception that
/// they also are.

#include <equipoise/core/base/error_ids.hpp>
#include <equipoise/core/base/text_stream.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "equipoise: -ffast-math and -ffinite-math-only break NaN, which marks what is missing; compile without them"
#endif

namespace equipoise {

/// The id and the text of an error.
struct ErrorMessage {
  ErrorId id;
  std::string text;
};

/// What all exceptions of the library have in common.
class Error {
 public:
  [[nodiscard]] ErrorId id() const { return id_; }
  [[nodiscard]] virtual const char* what() const noexcept = 0;

 protected:
  explicit Error(ErrorId id) : id_(id) {}
  Error(const Error&) = default;
  Error& operator=(const Error&) = default;
  ~Error() = default;

 private:
  ErrorId id_;
};

/// The caller's argument is wrong: a value out of range, an unknown name, an impossible combination.
struct ValueError : std::invalid_argument, Error {
  explicit ValueError(const ErrorMessage& m) : std::invalid_argument(m.text), Error(m.id) {}
  [[nodiscard]] const char* what() const noexcept override { return std::invalid_argument::what(); }
};

/// A tensor or array does not have the shape that the component needs.
struct ShapeError : ValueError {
  using ValueError::ValueError;
};

/// A name (modality, task, option, metric, column) that does not exist; the message lists the names that do.
struct NameError : ValueError {
  using ValueError::ValueError;
};

/// A file cannot be read, understood or written; the message begins with its path.
struct FileError : std::runtime_error, Error {
  explicit FileError(const ErrorMessage& m) : std::runtime_error(m.text), Error(m.id) {}
  [[nodiscard]] const char* what() const noexcept override { return std::runtime_error::what(); }
};

/// A computation gave a NaN or an infinity: a loss, a gradient, a contribution.
struct NumericError : std::runtime_error, Error {
  explicit NumericError(const ErrorMessage& m, std::vector<std::int64_t> ids = {})
      : std::runtime_error(m.text), Error(m.id), records(std::move(ids)) {}
  [[nodiscard]] const char* what() const noexcept override { return std::runtime_error::what(); }

  std::vector<std::int64_t> records;  ///< ids of the records of the batch; empty where they are not known
};

/// Builds `[equipoise.<id>] <where>: <parts…>`, e.g. `message("shape.101", "Gated", "expected [B, ", 128, "]")`.
template <class... Parts>
[[nodiscard]] ErrorMessage message(ErrorId id, std::string_view where, const Parts&... parts) {
  TextWriter out;
  out << "[equipoise." << id.text() << "] " << where << ": ";
  (out << ... << parts);
  return {id, std::move(out).str()};
}

/// The message of an error with the place where it happened: `[id] Mlp: …` becomes `[id] Mlp, modality dose: …`.
[[nodiscard]] inline ErrorMessage with_place(const Error& error, const std::string& place) {
  std::string text = error.what();
  const std::size_t colon = text.find(": ");
  text.insert(colon == std::string::npos ? 0 : colon, ", " + place);
  return {error.id(), std::move(text)};
}

/// The first ten record ids, for a message: "3, 8, 11", and "… (25 in all)" where there are more.
[[nodiscard]] inline std::string first_ids(const std::vector<std::int64_t>& ids) {
  std::string out;
  for (std::size_t i = 0; i < ids.size() && i < 10; ++i) out += (out.empty() ? "" : ", ") + std::to_string(ids[i]);
  return ids.size() > 10 ? out + ", … (" + std::to_string(ids.size()) + " in all)" : out;
}

/// "1 record: 3", or "25 records: " and the first ten ids, for a message.
[[nodiscard]] inline std::string named_records(const std::vector<std::int64_t>& ids) {
  return std::to_string(ids.size()) + (ids.size() == 1 ? " record: " : " records: ") + first_ids(ids);
}

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

/// Checks two lists that belong together. \throws ShapeError `<where>: expected two lists of one length, got <a> and <b>`.
inline void check_same_length(std::size_t a, std::size_t b, std::string_view where) {
  if (a != b)
    throw ShapeError(message("shape.130", where, "expected two lists of one length, got ", a, " and ", b, " values"));
}

}  // namespace equipoise
