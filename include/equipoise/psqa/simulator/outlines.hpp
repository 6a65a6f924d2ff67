// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Outlines of real targets for simulated plans: OpenKBP patients' PTVs, projected every ten degrees.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/psqa/readers/openkbp_reader.hpp>
#include <equipoise/psqa/simulator/plan_options.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <vector>

namespace equipoise::psqa {

/// The targets of all patients below a folder, or of the one patient that it is, in the order of their names. A beam
/// sees the projection whose angle is nearest. Cost: some 0.1 MB a patient.
/// \throws FileError when there is no patient, or one that is damaged. \throws ValueError for one without targets.
[[nodiscard]] inline std::vector<Outline> read_outlines(const std::filesystem::path& folder) {
  const auto is_patient = [](const std::filesystem::path& p) { return exists(p / "voxel_dimensions.csv"); };
  std::vector<std::filesystem::path> patients;
  if (!is_directory(folder)) throw FileError(message("file.401", folder.string(), "expected a folder of patients"));
  if (is_patient(folder)) patients.push_back(folder);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_directory() && is_patient(entry.path())) patients.push_back(entry.path());
  if (patients.empty())
    throw FileError(message("file.445", folder.string(), "expected folders with voxel_dimensions.csv, got none"));
  std::sort(patients.begin(), patients.end());
  using Projections = std::array<ProjectedTarget, 36>;
  std::vector<Outline> out;
  for (const std::filesystem::path& path : patients) {
    const OpenKbpPatient patient = read_openkbp(path);
    const auto all = std::make_shared<Projections>();
    for (std::size_t n = 0; n < all->size(); ++n) (*all)[n] = project_targets(patient, 10 * static_cast<double>(n));
    out.push_back({patient.id, [all](double gantry, double x, double y) {
                     const auto n = static_cast<std::size_t>(std::lround(std::fmod(gantry + 720, 360) / 10)) % 36;
                     return (*all)[n].contains(x, y);
                   }});
  }
  return out;
}

}  // namespace equipoise::psqa
