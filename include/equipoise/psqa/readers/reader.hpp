// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A reader of dose or plan files is a struct in the list `EveryReader` (readers/all.hpp) with
/// static members only:
/// \code
/// struct MyReader {
///   static constexpr std::string_view id = "my_format";            // for programs
///   static constexpr std::string_view name = "My array plane";     // what a sentence calls a file of the kind
///   static constexpr std::array descriptions{                      // rows of docs/files.md
///       FileDescription{"My array", "plane", "NaN where the array has no detector"}};
///   static constexpr bool needs_spacing = false;                   // optional: the file does not say its spacing
///   static constexpr bool of_detector = true;                      // optional: what it reads was measured
///   static bool recognises(std::string_view head);                 // from the first bytes of a file
///   static DoseGrid read_dose(const std::filesystem::path&, const DoseFileOptions&);  // one of these four at least
///   static Plan read_plan(const std::filesystem::path&, const RtplanOptions&);
///   static DeliveryLog read_log(const std::filesystem::path&);
///   static Something read(const std::filesystem::path&);           // neither dose nor plan
///   static bool is_plan(const std::filesystem::path&);             // where it reads plans, and other files too
///   static std::string reason_to_skip(const std::filesystem::path&);  // optional: why `psqa import` makes no record of it
///   static std::string example();                                  // optional: a small file, for the tests and the fuzzer
/// };
/// \endcode

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/plan.hpp>
#include <equipoise/psqa/readers/point_spacing.hpp>

#include <array>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <string_view>

namespace equipoise::psqa {

struct RtplanOptions;  // dicom/rtplan_reader.hpp

/// Whether the first row of a table has the lowest or the highest y, which its file does not state.
/// In all grids y rises from row to row.
enum class RowsFrom : std::uint8_t { bottom, top };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(RowsFrom) {
  return {"bottom", "top"};
}

/// Properties that a dose file does not state, and which of its planes to read.
struct DoseFileOptions {
  PointSpacing spacing_mm{};              ///< of its points, where the file does not say it (`needs_spacing`)
  bool interpolated = false;              ///< of an array's file take the plane between its elements
  RowsFrom rows_from = RowsFrom::bottom;  ///< where the first row lies, where the file does not say it
  bool profiles = false;  ///< read places and doses along one line as a plane of one row; else they are refused
};

/// A kind of file as people call it: a row of docs/files.md.
struct FileDescription {
  std::string_view kind, read_as, remarks;
};

template <class R>
concept ReadsDoses = requires(const std::filesystem::path& path, const DoseFileOptions& options) {
  { R::read_dose(path, options) } -> std::same_as<DoseGrid>;
};
template <class R>
concept ReadsPlans = requires(const std::filesystem::path& path, const RtplanOptions& options) {
  { R::read_plan(path, options) } -> std::same_as<Plan>;
};
template <class R>
concept ReadsLogs = requires(const std::filesystem::path& path) {
  R::read_log(path).delivered;
};
/// Reads files that are neither dose nor plan.
template <class R>
concept ReadsOthers = requires(const std::filesystem::path& path) {
  R::read(path);
};

namespace detail {

template <class R>
concept says_what_it_reads = requires {
  { R::id } -> std::convertible_to<std::string_view>;
  { R::name } -> std::convertible_to<std::string_view>;
  { R::descriptions[0] } -> std::convertible_to<FileDescription>;
};
template <class R>
concept recognises_a_head = requires(std::string_view head) {
  { R::recognises(head) } -> std::same_as<bool>;
};

}  // namespace detail

/// Whether files of a reader's kind leave it to the reader how far apart points are.
template <class R>
inline constexpr bool leaves_spacing_open = [] {
  if constexpr (requires { R::needs_spacing; })
    return static_cast<bool>(R::needs_spacing);
  else
    return false;
}();

/// Whether files of a reader's kind hold what a detector measured.
template <class R>
inline constexpr bool reads_detectors = [] {
  if constexpr (requires { R::of_detector; })
    return static_cast<bool>(R::of_detector);
  else
    return false;
}();

template <class R>
concept FileReader = detail::says_what_it_reads<R> && detail::recognises_a_head<R> &&
    (ReadsDoses<R> || ReadsPlans<R> || ReadsLogs<R> || ReadsOthers<R>);

/// Says in one line each what `R` lacks to be a reader.
template <class R>
struct CheckReader {
  static_assert(
      detail::says_what_it_reads<R>,
      "equipoise: a reader needs static constexpr `id`, `name` and `descriptions`, an array of FileDescription");
  static_assert(detail::recognises_a_head<R>,
                "equipoise: a reader needs `static bool recognises(std::string_view head)`");
  static_assert(ReadsDoses<R> || ReadsPlans<R> || ReadsLogs<R> || ReadsOthers<R>,
                "equipoise: a reader needs a static `read_dose`, `read_plan`, `read_log` or `read`");
  static constexpr bool ok = true;
};

}  // namespace equipoise::psqa
