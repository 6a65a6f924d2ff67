// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a file holds, told from its first bytes and not from its name: the reader of the list that recognises it.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/io/regular_file.hpp>
#include <equipoise/psqa/files/file_head.hpp>
#include <equipoise/psqa/files/no_file.hpp>
#include <equipoise/psqa/readers/all.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise::psqa {

/// A kind of file: that of one reader of the list, or another.
struct FileKind {
  std::string_view id = "other";                   ///< of the reader
  std::string_view name = "file of another kind";  ///< what a sentence calls it
  bool needs_spacing = false;                      ///< leaves it to its reader how far apart points are

  friend constexpr bool operator==(const FileKind& a, const FileKind& b) { return a.id == b.id; }
};

/// The kind of files of a reader.
template <FileReader R>
inline constexpr FileKind kind_of{R::id, R::name, leaves_spacing_open<R>};

/// Whether files of a kind leave it to their reader how far apart points are.
[[nodiscard]] constexpr bool needs_spacing(const FileKind& kind) {
  return kind.needs_spacing;
}

/// Calls `f.template operator()<R>()` for the reader of a kind. \returns whether there is one
template <class F>
bool for_reader_of(const FileKind& kind, F&& f) {
  return for_type_named<EveryReader>(kind.id, f);
}

namespace detail {

[[nodiscard]] inline FileKind kind_of_head(std::string_view head) {
  FileKind kind;
  for_each_type<EveryReader>([&]<class R>() {
    if (kind == FileKind{} && R::recognises(head)) kind = kind_of<R>;
  });
  return kind;
}

}  // namespace detail

/// \throws FileError when there is no file that can be read.
[[nodiscard]] inline FileKind file_kind(const std::filesystem::path& path) {
  const std::string head = detail::head_of(path);
  if (head.empty() && !io::open_regular(path)) throw no_file(path);
  return detail::kind_of_head(head);
}

/// Whether a file is a plan.
[[nodiscard]] inline bool is_plan(const FileKind& kind, const std::filesystem::path& path) {
  bool out = false;
  for_reader_of(kind, [&]<class R>() {
    if constexpr (requires { R::is_plan(path); })
      out = R::is_plan(path);
    else
      out = ReadsPlans<R>;
  });
  return out;
}

/// Whether files of a kind are delivery logs.
[[nodiscard]] inline bool is_log(const FileKind& kind) {
  bool out = false;
  for_reader_of(kind, [&]<class R>() { out = ReadsLogs<R>; });
  return out;
}

namespace detail {

/// What people call the files that the readers describe, of those descriptions that are kept.
template <class Keep>
[[nodiscard]] std::vector<std::string> described(Keep&& keep) {
  std::vector<std::string> out;
  for_each_type<EveryReader>([&]<class R>() {
    for (const FileDescription& d : R::descriptions)
      if (keep.template operator()<R>(d)) out.emplace_back(d.kind);
  });
  return out;
}

}  // namespace detail

/// What people call the files that can be read as a plane or volume of doses.
[[nodiscard]] inline std::vector<std::string> dose_file_names() {
  return detail::described([]<class R>(const FileDescription& d) { return ReadsDoses<R> && d.read_as != "plan"; });
}
/// The same of plans.
[[nodiscard]] inline std::vector<std::string> plan_file_names() {
  return detail::described([]<class R>(const FileDescription& d) { return ReadsPlans<R> && d.read_as == "plan"; });
}
/// The same of delivery logs.
[[nodiscard]] inline std::vector<std::string> log_file_names() {
  return detail::described([]<class R>(const FileDescription&) { return ReadsLogs<R>; });
}
/// The same of files that do not say how far apart their points are.
[[nodiscard]] inline std::vector<std::string> file_names_without_spacing() {
  return detail::described([]<class R>(const FileDescription&) { return leaves_spacing_open<R>; });
}

}  // namespace equipoise::psqa
