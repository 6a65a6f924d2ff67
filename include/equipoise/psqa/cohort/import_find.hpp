// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Finds records in a user's files and folders: plans with the planes beside them, delivery logs
/// and patients. Lists files that cannot become a record, each with the reason. The kind of a file
/// is determined from its content.

#include <equipoise/psqa/dicom/dose_description.hpp>
#include <equipoise/psqa/files/file_head.hpp>
#include <equipoise/psqa/readers/file_kind.hpp>

#include <algorithm>
#include <array>
#include <cctype>
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

/// Whether a file that is no plan holds doses.
[[nodiscard]] inline bool is_dose(const FileKind& kind, const std::filesystem::path& path) {
  if (kind == kind_of<DicomReader>) return modality_of(path) == "RTDOSE";
  bool out = false;
  for_reader_of(kind, [&]<class R>() { out = ReadsDoses<R>; });
  return out;
}

/// Whether a file's name says that it is of a measurement.
[[nodiscard]] inline bool says_measured(const std::filesystem::path& path) {
  std::string stem = path.stem().string();
  for (char& c : stem) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return stem.find("meas") != std::string::npos;
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
      f.dose = !f.plan && is_dose(f.kind, path);
    }
    if (f.plan) stems_.emplace(path.stem().string(), path);
    found_.push_back(std::move(f));
  }

  /// In the order of the paths.
  void items(std::vector<ImportItem>& out) const {
    Pairs pairs;
    pair_by_names(pairs);
    pair_by_uids(pairs);
    const std::string strays = stray_doses(pairs);
    for (const Found& f : found_) {
      if (pairs.used.count(f.path)) continue;
      ImportItem item{f.path, ImportKind::none, {}, {}, {}};
      if (f.plan) {
        item.kind = ImportKind::rtplan;
        if (const auto at = pairs.planes.find(f.path); at != pairs.planes.end())
          std::tie(item.planned, item.measured) = at->second;
        else if (!strays.empty())
          item.kind = ImportKind::none, item.reason = strays;
      } else if (f.patient || is_log(f.kind)) {
        item.kind = f.patient ? ImportKind::openkbp : ImportKind::log;
      } else if (const auto why = pairs.reasons.find(f.path); why != pairs.reasons.end()) {
        item.reason = why->second;
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
    bool plan = false, patient = false, dose = false;
  };
  /// What belongs together.
  struct Pairs {
    std::map<std::filesystem::path, std::pair<std::filesystem::path, std::filesystem::path>> planes;  ///< of each plan
    std::set<std::filesystem::path> used;
    std::map<std::filesystem::path, std::string> reasons;  ///< why a dose that names a plan is not used
  };

  void pair_by_names(Pairs& pairs) const {
    for (const Found& f : found_) {
      const auto plan = stems_.find(plan_stem_of(f.path));
      if (plan == stems_.end() || f.plan) continue;
      auto& [planned, measured] = pairs.planes[plan->second];
      auto& place = f.path.stem().string().ends_with("_planned") ? planned : measured;
      if (place.empty()) place = f.path, pairs.used.insert(f.path);
    }
  }

  /// RTDOSE files that are not paired by their names belong to the plan that they reference: one planned dose, and one
  /// measured dose, whose name says so.
  void pair_by_uids(Pairs& pairs) const {
    std::map<std::string, std::filesystem::path> plans;                                        // by UID
    std::map<std::filesystem::path, std::array<std::vector<std::filesystem::path>, 2>> doses;  // planned and measured
    const auto left = [&](const Found& f) {
      return f.dose && f.kind == kind_of<DicomReader> && !pairs.used.count(f.path);
    };
    if (std::none_of(found_.begin(), found_.end(), left)) return;
    for (const Found& f : found_)
      if (f.plan && f.kind == kind_of<DicomReader>) plans.emplace(plan_uid(f.path, true), f.path);
    for (const Found& f : found_)
      if (const auto plan = left(f) ? plans.find(plan_uid(f.path, false)) : plans.end();
          plan != plans.end() && !plan->first.empty())
        doses[plan->second][says_measured(f.path) ? 1 : 0].push_back(f.path);
    for (const auto& [plan, of_plan] : doses) {
      auto& [planned, measured] = pairs.planes[plan];
      for (std::size_t k = 0; k < 2; ++k) {
        std::filesystem::path& place = k == 0 ? planned : measured;
        const bool taken = !place.empty();
        if (!taken && of_plan[k].size() == 1) place = of_plan[k][0], pairs.used.insert(place);
        if (taken || of_plan[k].size() > 1)
          for (const std::filesystem::path& dose : of_plan[k])
            pairs.reasons[dose] = taken ? "another plane of its plan " + plan.filename().string() + " was used instead"
                                        : "one of " + std::to_string(of_plan[k].size()) + " doses of the plan " +
                                              plan.filename().string() + ": name the one to use " +
                                              plan.stem().string() + (k == 0 ? "_planned.dcm" : "_measured.dcm");
      }
      if (planned.empty() && measured.empty()) pairs.planes.erase(plan);
    }
  }

  /// Why a plan without planes is not delivered in simulation: a dose in its folder may be its measurement. Empty where
  /// every dose has its plan.
  [[nodiscard]] std::string stray_doses(const Pairs& pairs) const {
    std::string first;
    std::size_t n = 0;
    for (const Found& f : found_)
      if (f.dose && !pairs.used.count(f.path) && !stems_.count(plan_stem_of(f.path)) && n++ == 0)
        first = f.path.filename().string();
    return n == 0 ? ""
                  : "a plan without planes beside " + first +
                        (n == 1 ? "" : " and " + std::to_string(n - 1) + (n == 2 ? " other dose" : " other doses")) +
                        ", which may be its measurement: name that <plan>_measured.* and the planned dose "
                        "<plan>_planned.*, or move the plan to a folder of its own for a simulated delivery";
  }

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
/// below it. Sorted by path; a plan's planes are with the plan. Planes belong to a plan by their names, RTDOSE files also
/// by the plan that they reference. A plan without planes in a folder with doses that belong to no plan is of kind `none`.
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
    // Its neighbours, as far as they are its planes; where their names do not say it, all that may be.
    const bool plan = fs::is_regular_file(path, error) && is_plan(detail::kind_of_head(detail::head_of(path)), path);
    std::vector<fs::path> others;
    for (fs::directory_iterator at(around, error), end; plan && !error && at != end; at.increment(error)) {
      const bool named = detail::plan_stem_of(at->path()) == path.stem().string();
      if (at->path().filename() != path.filename() && at->is_regular_file(error))
        (named ? files : others).push_back(path.parent_path() / at->path().filename());
    }
    if (files.size() < 3) files.insert(files.end(), others.begin(), others.end());
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
  if (!folder) std::erase_if(out, [&](const ImportItem& item) { return item.path != path; });
  std::sort(out.begin(), out.end(), [](const ImportItem& p, const ImportItem& q) { return p.path < q.path; });
  return out;
}

}  // namespace equipoise::psqa
