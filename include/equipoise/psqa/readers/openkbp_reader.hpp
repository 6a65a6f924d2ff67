// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Patients of the OpenKBP challenge (Babier 2021, Med Phys 48:5549): sparse CSV files over a cube of 128³ voxels, with
/// dose, structures and voxel size. Axes i, j, k of the flat C-order index are the grid's z, y, x.

#include <equipoise/core/base/utf8.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <equipoise/psqa/readers/reader.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

inline constexpr std::size_t kOpenKbpSide = 128;

struct OpenKbpPatient {
  std::string id;
  std::array<double, 3> voxel_mm{};                              ///< along i, j, k
  DoseGrid dose;                                                 ///< Gy; no values where the file is missing
  std::map<std::string, std::vector<std::uint32_t>> structures;  ///< flat indices of the voxels, ascending
};

/// Reads `(index, value)` of each line of a sparse CSV file; an empty value is 1. \throws FileError for a damaged file
[[nodiscard]] inline std::vector<std::pair<std::uint32_t, double>> read_openkbp_csv(const std::filesystem::path& path) {
  const detail::TextFile file(path);
  constexpr double voxels = static_cast<double>(kOpenKbpSide * kOpenKbpSide * kOpenKbpSide);
  if (file.lines().empty() || detail::trimmed(file.lines()[0]) != ",data")
    throw FileError(message("file.445", file.where(), "expected a first line \",data\""));
  std::vector<std::pair<std::uint32_t, double>> out;
  for (std::size_t i = 1; i < file.lines().size(); ++i) {
    const std::string_view line = detail::trimmed(file.lines()[i]);
    if (line.empty()) continue;
    const std::size_t comma = line.find(',');
    if (comma == std::string_view::npos) file.fail(i, "expected an index and a value");
    const double index = file.number(i, line.substr(0, comma));
    if (!(index >= 0 && index < voxels) || index != std::floor(index))
      file.fail(i, "expected an index within 0 .. 2097151");
    const std::string_view value = detail::trimmed(line.substr(comma + 1));
    out.emplace_back(static_cast<std::uint32_t>(index), value.empty() ? 1.0 : file.number(i, value));
  }
  return out;
}

/// Reads a patient's folder: voxel size, dose where there is one, and every structure. CT and dose mask are not read.
/// \throws FileError for a folder without voxel_dimensions.csv or with a damaged file.
[[nodiscard]] inline OpenKbpPatient read_openkbp(const std::filesystem::path& folder) {
  OpenKbpPatient out;
  // The name of the folder, also of one that is given as "." or with a slash at its end.
  const std::filesystem::path whole = (std::filesystem::absolute(folder) / "").lexically_normal();
  out.id = as_utf8(whole.parent_path().filename().string());
  const detail::TextFile voxels(folder / "voxel_dimensions.csv");
  for (std::size_t k = 0; k < 3; ++k) {
    if (voxels.lines().size() <= k) voxels.fail(k, "expected three voxel sizes");
    out.voxel_mm[k] = voxels.number(k, voxels.lines()[k]);
    if (!(out.voxel_mm[k] > 0)) voxels.fail(k, "expected a voxel size > 0 mm");
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    const std::string name = file.stem().string();
    if (file.extension() != ".csv" || name == "ct" || name == "voxel_dimensions" || name == "possible_dose_mask")
      continue;
    if (name == "dose") {
      out.dose.shape = {kOpenKbpSide, kOpenKbpSide, kOpenKbpSide};
      out.dose.spacing = out.voxel_mm;
      out.dose.values.assign(out.dose.size(), 0.0);
      for (const auto& [index, value] : read_openkbp_csv(file)) out.dose.values[index] = value;
      continue;
    }
    std::vector<std::uint32_t>& structure = out.structures[name];
    for (const auto& [index, value] : read_openkbp_csv(file)) structure.push_back(index);
    std::sort(structure.begin(), structure.end());
  }
  return out;
}

/// The tables of a patient as a reader of the list: a file of them alone is no dose and no plan.
struct OpenKbpReader {
  static constexpr std::string_view id = "openkbp";
  static constexpr std::string_view name = "OpenKBP table";
  static constexpr std::array descriptions{FileDescription{"OpenKBP patient", "dose and structures",
                                                           "a folder with `voxel_dimensions.csv`, for `psqa import`"}};

  [[nodiscard]] static bool recognises(std::string_view head) {
    return head.starts_with(",data\n") || head.starts_with(",data\r\n");
  }
  /// Voxels and their values.
  [[nodiscard]] static std::vector<std::pair<std::uint32_t, double>> read(const std::filesystem::path& path) {
    return read_openkbp_csv(path);
  }
  /// Why a file of this kind becomes no record of a cohort.
  [[nodiscard]] static std::string reason_to_skip(const std::filesystem::path&) {
    return "a table of an OpenKBP patient outside a patient's folder with voxel_dimensions.csv";
  }
  /// A small file of this kind, for tests.
  [[nodiscard]] static std::string example() { return ",data\n5,1.25\n6,\n2097151,3\n"; }
};
static_assert(CheckReader<OpenKbpReader>::ok);

/// A target as a beam at a gantry angle sees it: mm in the plane through its middle, x across, y along the patient.
struct ProjectedTarget {
  double step = 2.5;
  std::size_t columns = 0, rows = 0;
  std::vector<bool> inside;  ///< [rows * columns], centred on the target's middle

  [[nodiscard]] bool contains(double x, double y) const {
    const double i = x / step + 0.5 * static_cast<double>(columns), j = y / step + 0.5 * static_cast<double>(rows);
    if (!(i >= 0) || !(j >= 0) || i >= static_cast<double>(columns) || j >= static_cast<double>(rows)) return false;
    return inside[static_cast<std::size_t>(j) * columns + static_cast<std::size_t>(i)];
  }
};

/// The union of a patient's targets (PTV…), projected in parallel at a gantry angle (degree) about the couch's long
/// axis k. \throws ValueError when the patient has none.
[[nodiscard]] inline ProjectedTarget project_targets(const OpenKbpPatient& patient, double gantry_degree) {
  std::vector<std::array<double, 3>> points;
  for (const auto& [name, voxels] : patient.structures) {
    if (!name.starts_with("PTV")) continue;
    for (const std::uint32_t v : voxels) {
      const auto i = v / (kOpenKbpSide * kOpenKbpSide), j = v / kOpenKbpSide % kOpenKbpSide, k = v % kOpenKbpSide;
      points.push_back({static_cast<double>(i) * patient.voxel_mm[0], static_cast<double>(j) * patient.voxel_mm[1],
                        static_cast<double>(k) * patient.voxel_mm[2]});
    }
  }
  if (points.empty()) throw ValueError(message("value.304", patient.id, "expected a structure PTV…, got none"));
  std::array<double, 3> middle{};
  for (const auto& p : points)
    for (std::size_t k = 0; k < 3; ++k) middle[k] += p[k] / static_cast<double>(points.size());
  const double angle = gantry_degree * 3.14159265358979323846 / 180;
  ProjectedTarget out;
  out.columns = out.rows = 2 * static_cast<std::size_t>(std::ceil(200 / out.step));
  out.inside.assign(out.columns * out.rows, false);
  // A voxel covers the pixels whose middles lie within its shadow.
  const double across = 0.5 * (patient.voxel_mm[0] * std::abs(std::cos(angle)) +
                               patient.voxel_mm[1] * std::abs(std::sin(angle))),
               along = 0.5 * patient.voxel_mm[2];
  const auto first = [&out](double at) {  // the first pixel whose middle is not before a place, of those that there are
    const double pixels = static_cast<double>(out.columns);
    return static_cast<std::size_t>(std::clamp(std::ceil(at / out.step + 0.5 * pixels - 0.5), 0.0, pixels));
  };
  for (const auto& p : points) {
    const double x = (p[0] - middle[0]) * std::cos(angle) + (p[1] - middle[1]) * std::sin(angle), y = p[2] - middle[2];
    for (std::size_t j = first(y - along); j < first(y + along); ++j)
      for (std::size_t i = first(x - across); i < first(x + across); ++i) out.inside[j * out.columns + i] = true;
  }
  return out;
}

}  // namespace equipoise::psqa
