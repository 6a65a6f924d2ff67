// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Finds records in a user's files and folders: plans with the planes beside them, delivery logs
/// and patients. Lists files that cannot become a record, each with the reason. The kind of a file
/// is determined from its content.

#include <equipoise/psqa/files/file_head.hpp>
#include <equipoise/psqa/readers/file_kind.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// What a record is made of; `none` cannot be one.
enum class ImportKind : std::uint8_t { rtplan, log, openkbp, none };

/// A record to be made, or a file that cannot become one.
struct ImportItem {
  std::filesystem::path path;
  ImportKind kind = ImportKind::rtplan;
  std::filesystem::path planned{}, measured{};  ///< planes beside a plan; empty where there are none
  std::string reason{};                         ///< of kind `none`: why not
};

namespace detail {

/// Every file below a folder and every patient's folder, sorted.
inline void collect(const std::filesystem::path& folder, std::vector<std::filesystem::path>& out) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(folder / "voxel_dimensions.csv", error)) return out.push_back(folder);
  std::vector<fs::path> entries;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    entries.push_back(at->path());
  if (error) return out.push_back(folder);
  std::sort(entries.begin(), entries.end());
  for (const fs::path& entry : entries)
    if (fs::is_directory(entry, error) && !fs::is_symlink(entry, error))
      collect(entry, out);
    else
      out.push_back(entry);
}

/// Planes are named `<plan>_planned.*` and `<plan>_measured.*`. \returns the plan's stem, or nothing
[[nodiscard]] inline std::string plan_stem_of(const std::filesystem::path& plane) {
  const std::string stem = plane.stem().string();
  for (const std::string_view which : {"_planned", "_measured"})
    if (stem.size() > which.size() && stem.ends_with(which)) return stem.substr(0, stem.size() - which.size());
  return {};
}

/// Why a file or folder becomes no record.
[[nodiscard]] inline std::string reason_of(const FileKind& kind, const std::filesystem::path& path) {
  if (kind == FileKind{}) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return "a folder that cannot be opened";
    if (std::filesystem::is_regular_file(path, error) && std::filesystem::file_size(path, error) == 0)
      return "an empty file";
    if (!std::filesystem::is_regular_file(path, error)) return "no regular file";
    return "neither plan, plane, log nor patient";
  }
  std::string reason;
  for_reader_of(kind, [&]<class R>() {
    if constexpr (requires { R::reason_to_skip(path); })
      reason = R::reason_to_skip(path);
    else if constexpr (ReadsDoses<R>)
      reason = "a plane (" + std::string(R::name) + ") without a plan beside it";
    else
      reason = "neither plan, plane, log nor patient: " + std::string(R::name);
  });
  return reason;
}

/// The files of one folder by what they are.
class FolderFinds {
 public:
  void add(const std::filesystem::path& path) {
    std::error_code error;
    Found f{path, {}};
    if (std::filesystem::is_directory(path, error)) {
      f.patient = std::filesystem::exists(path / "voxel_dimensions.csv", error);
    } else {
      f.kind = kind_of_head(head_of(path));
      f.plan = is_plan(f.kind, path);
    }
    if (f.plan) stems_.emplace(path.stem().string(), path);
    found_.push_back(std::move(f));
  }

  /// In the order of the paths.
  void items(std::vector<ImportItem>& out) const {
    std::map<std::filesystem::path, std::pair<std::filesystem::path, std::filesystem::path>> planes;
    std::set<std::filesystem::path> used;
    for (const Found& f : found_) {
      const auto plan = stems_.find(plan_stem_of(f.path));
      if (plan == stems_.end() || f.plan) continue;
      auto& [planned, measured] = planes[plan->second];
      auto& place = f.path.stem().string().ends_with("_planned") ? planned : measured;
      if (place.empty()) place = f.path, used.insert(f.path);
    }
    for (const Found& f : found_) {
      if (used.count(f.path)) continue;
      ImportItem item{f.path, ImportKind::none, {}, {}, {}};
      if (f.plan) {
        item.kind = ImportKind::rtplan;
        if (const auto at = planes.find(f.path); at != planes.end()) std::tie(item.planned, item.measured) = at->second;
      } else if (f.patient || is_log(f.kind)) {
        item.kind = f.patient ? ImportKind::openkbp : ImportKind::log;
      } else {
        item.reason = stems_.count(plan_stem_of(f.path)) ? "another plane of this plan was used instead"
                                                         : reason_of(f.kind, f.path);
      }
      out.push_back(std::move(item));
    }
  }

 private:
  struct Found {
    std::filesystem::path path;
    FileKind kind;
    bool plan = false, patient = false;
  };
  std::vector<Found> found_;
  std::map<std::string, std::filesystem::path> stems_;  ///< of the plans
};

}  // namespace detail

/// The plan `<plan>.dcm` beside a plane `<plan>_planned.*` or `<plan>_measured.*`; empty where there is none.
[[nodiscard]] inline std::filesystem::path plan_beside(const std::filesystem::path& plane) {
  const std::string stem = detail::plan_stem_of(plane);
  const std::filesystem::path plan = plane.parent_path() / (stem + ".dcm");
  std::error_code error;
  const bool found = !stem.empty() && std::filesystem::is_regular_file(plan, error) && is_plan(file_kind(plan), plan);
  return found ? plan : std::filesystem::path();
}

/// Everything at a path that a user gives: a file (with the planes beside it, if it is a plan), or a folder and all
/// below it. Sorted by path; a plan's planes are with the plan.
/// \throws FileError when there is nothing at the path.
[[nodiscard]] inline std::vector<ImportItem> find_imports(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::exists(path, error))
    throw FileError(message("file.401", path.string(), "expected a file or folder, got none"));
  std::vector<fs::path> files;
  const bool folder = fs::is_directory(path, error);
  const fs::path around = path.parent_path().empty() ? fs::path(".") : path.parent_path();
  if (folder) {
    detail::collect(path, files);
  } else {
    files.push_back(path);
    // Its neighbours, as far as they are its planes.
    for (fs::directory_iterator at(around, error), end; !error && at != end; at.increment(error))
      if (detail::plan_stem_of(at->path()) == path.stem().string())
        files.push_back(path.parent_path() / at->path().filename());
    std::sort(files.begin() + 1, files.end());
  }
  std::vector<fs::path> folders;
  std::map<fs::path, detail::FolderFinds> finds;
  for (const fs::path& file : files) {
    const fs::path parent = file.parent_path();
    if (!finds.count(parent)) folders.push_back(parent);
    finds[parent].add(file);
  }
  std::vector<ImportItem> out;
  for (const fs::path& f : folders) finds[f].items(out);
  if (!folder) out.resize(std::min<std::size_t>(out.size(), 1));
  std::sort(out.begin(), out.end(), [](const ImportItem& p, const ImportItem& q) { return p.path < q.path; });
  return out;
}

}  // namespace equipoise::psqa
