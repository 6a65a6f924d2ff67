// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Records of a cohort from what a user has: RTPLAN files with measured planes beside them or without, decoded delivery
/// logs, OpenKBP patients. What a record is made of is said with it: only measured planes are measurements.

#include <equipoise/psqa/cohort.hpp>
#include <equipoise/psqa/log_reader.hpp>
#include <equipoise/psqa/openkbp_reader.hpp>
#include <equipoise/psqa/plane_reader.hpp>
#include <equipoise/psqa/rtplan_reader.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// A record and where it comes from. `source`: "measured" (both planes read from files), "logged" (both from a delivery
/// log's plans), "simulated delivery" (of a real plan), "simulated" (plan and delivery, a real patient's targets).
struct ImportedRecord {
  CohortRecord record;
  DoseGrid planned, measured;
  std::string source;
};

/// What `import_record` is asked for, in the order in which records are made.
enum class ImportKind : std::uint8_t { rtplan, log, openkbp };
struct ImportItem {
  std::filesystem::path path;
  ImportKind kind = ImportKind::rtplan;
};

namespace detail {

/// `<stem>_<which>.<any extension>` beside a plan; empty where there is none.
[[nodiscard]] inline std::filesystem::path plane_beside(const std::filesystem::path& plan, std::string_view which) {
  const std::string stem = plan.stem().string() + "_" + std::string(which);
  std::error_code error;
  std::filesystem::path folder = plan.parent_path();
  if (folder.empty()) folder = ".";
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().stem() == stem) return entry.path();
  return {};
}

/// The plane on a cohort's grid: bilinear, zero outside.
[[nodiscard]] inline DoseGrid on_cohort_grid(const DoseGrid& g, std::size_t pixels, double spacing) {
  DoseGrid out = DoseGrid::plane(pixels, pixels, spacing);
  for (std::size_t y = 0; y < pixels; ++y)
    for (std::size_t x = 0; x < pixels; ++x) {
      const double px = out.origin[2] + static_cast<double>(x) * spacing,
                   py = out.origin[1] + static_cast<double>(y) * spacing;
      out.at(0, y, x) = g.covers(px, py) ? g.sample(px, py) : 0;
    }
  return out;
}

[[nodiscard]] inline CohortRecord record_of(const Plan& plan, std::string id, std::string site) {
  CohortRecord r;
  r.id = std::move(id);
  r.patient = plan.patient.empty() ? r.id : plan.patient;
  r.site = std::move(site);
  r.machine = plan.beams[0].machine.empty() ? "unknown" : plan.beams[0].machine;
  r.fault = "unknown";
  r.metrics = table_row(plan);
  for (std::string* text : {&r.id, &r.patient, &r.site, &r.machine})
    std::replace_if(
        text->begin(), text->end(), [](char c) { return c == ',' || c == '"' || c == '\n' || c == '\r'; }, '_');
  return r;
}

[[nodiscard]] inline ImportedRecord import_rtplan(const std::filesystem::path& path, Simulator& simulator,
                                                  std::uint64_t index) {
  const CohortSettings& s = simulator.settings();
  Plan plan = read_rtplan(path);
  const std::filesystem::path planned = plane_beside(path, "planned"), measured = plane_beside(path, "measured");
  if (planned.empty() != measured.empty())
    throw FileError(message("file.446", path.string(),
                            "expected both a planned and a measured plane beside it, got only ",
                            planned.empty() ? measured.string() : planned.string()));
  ImportedRecord out;
  out.record = record_of(plan, path.stem().string(), "unknown");
  if (planned.empty()) {
    Record r = simulator.delivered(std::move(plan), index);
    out.record.gpr = r.gpr, out.record.machine = r.machine, out.record.fault = r.fault;
    out.planned = std::move(r.planned), out.measured = std::move(r.measured);
    out.source = "simulated delivery";
    return out;
  }
  const DoseGrid p = read_dose(planned, s.spacing_mm, true), m = read_dose(measured, s.spacing_mm);
  if (p.shape[0] != 1 || m.shape[0] != 1)
    throw FileError(message("file.446", path.string(), "expected planes, got volumes of ", p.shape[0], " and ",
                            m.shape[0], " frames"));
  // The rates are those of the files' own grids; a detector's holes are no points there.
  out.record.gpr = passing_rates(m, p);
  out.planned = on_cohort_grid(p, s.pixels, s.spacing_mm);
  const bool holes = std::any_of(m.values.begin(), m.values.end(), [](double v) { return std::isnan(v); });
  out.measured = on_cohort_grid(holes ? read_dose(measured, s.spacing_mm, true) : m, s.pixels, s.spacing_mm);
  out.source = "measured";
  return out;
}

[[nodiscard]] inline ImportedRecord import_log(const std::filesystem::path& path, Simulator& simulator) {
  const DeliveryLog log = read_elekta_log(path);
  ImportedRecord out;
  out.record = record_of(log.prescribed, path.stem().string(), "unknown");
  std::tie(out.planned, out.measured) = simulator.planes_of(log.prescribed, log.delivered);
  out.record.gpr = passing_rates(out.measured, out.planned);
  out.source = "logged";
  return out;
}

[[nodiscard]] inline ImportedRecord import_openkbp(const std::filesystem::path& folder, Simulator& simulator,
                                                   std::uint64_t index) {
  const auto patient = std::make_shared<const OpenKbpPatient>(read_openkbp(folder));
  auto views = std::make_shared<std::map<double, ProjectedTarget>>();
  const TargetView view = [patient, views](double gantry, double x, double y) {
    auto [at, fresh] = views->try_emplace(gantry);
    if (fresh) at->second = project_targets(*patient, gantry);
    return at->second.contains(x, y);
  };
  Plan plan = generate_plan(simulator.settings().seed, index, "linac", simulator.settings().spread,
                            Technique::sliding_window, view, "head_and_neck");
  plan.patient = patient->id;
  ImportedRecord out;
  out.record = record_of(plan, patient->id, "head_and_neck");
  Record r = simulator.delivered(std::move(plan), index);
  out.record.gpr = r.gpr, out.record.machine = r.machine, out.record.fault = r.fault;
  out.planned = std::move(r.planned), out.measured = std::move(r.measured);
  out.source = "simulated";
  return out;
}

}  // namespace detail

/// What a path given by a user holds: a patient's folder, a folder of plans and logs, or one of them.
/// \throws FileError when there is nothing at the path.
[[nodiscard]] inline std::vector<ImportItem> find_imports(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::exists(path, error))
    throw FileError(message("file.401", path.string(), "expected a file or folder, got none"));
  if (!fs::is_directory(path, error)) return {{path, is_elekta_log(path) ? ImportKind::log : ImportKind::rtplan}};
  if (fs::exists(path / "voxel_dimensions.csv", error)) return {{path, ImportKind::openkbp}};
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(path)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  std::vector<ImportItem> out;
  for (const fs::path& entry : entries) {
    const std::string stem = entry.stem().string();
    if (fs::is_directory(entry, error)) {
      if (fs::exists(entry / "voxel_dimensions.csv", error)) out.push_back({entry, ImportKind::openkbp});
    } else if (!stem.ends_with("_planned") && !stem.ends_with("_measured")) {
      if (entry.extension() == ".dcm") out.push_back({entry, ImportKind::rtplan});
      if (entry.extension() == ".csv" && is_elekta_log(entry)) out.push_back({entry, ImportKind::log});
    }
  }
  return out;
}

/// One record; `index` keys its random numbers. \throws FileError, ValueError: why it cannot be one.
[[nodiscard]] inline ImportedRecord import_record(const ImportItem& item, Simulator& simulator, std::uint64_t index) {
  switch (item.kind) {
    case ImportKind::log:
      return detail::import_log(item.path, simulator);
    case ImportKind::openkbp:
      return detail::import_openkbp(item.path, simulator, index);
    case ImportKind::rtplan:
      break;
  }
  return detail::import_rtplan(item.path, simulator, index);
}

}  // namespace equipoise::psqa
