// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Records of a cohort from a user's files: RTPLAN files with or without measured planes beside
/// them, decoded delivery logs, OpenKBP patients. Each record states its source: only records with
/// measured planes are measurements.

#include <equipoise/core/base/enumeration.hpp>
#include <equipoise/core/base/utf8.hpp>
#include <equipoise/psqa/beam_parts.hpp>
#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/cohort/import_find.hpp>
#include <equipoise/psqa/cohort/import_plane.hpp>
#include <equipoise/psqa/cohort/table_row.hpp>
#include <equipoise/psqa/dicom/rtplan_reader.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/gamma/passing_rates.hpp>
#include <equipoise/psqa/plan.hpp>
#include <equipoise/psqa/readers/fractions.hpp>
#include <equipoise/psqa/readers/normalise.hpp>
#include <equipoise/psqa/readers/plan_reader.hpp>
#include <equipoise/psqa/readers/plane_reader.hpp>
#include <equipoise/psqa/simulator/outlines.hpp>
#include <equipoise/psqa/simulator/plan_generator.hpp>
#include <equipoise/psqa/simulator/plane_system.hpp>
#include <equipoise/psqa/simulator/settings.hpp>
#include <equipoise/psqa/simulator/simulator.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
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
  std::vector<std::string> warnings{};  ///< of its files and of planes computed here, with the file's name
  std::vector<std::string> notes{};     ///< what its planes were divided by, and why
  Plan plan{};                          ///< of a log the prescribed one
};

/// Settings that the files do not state.
struct ImportOptions {
  std::optional<double> spacing_mm{};     ///< between the points of NPY and CSV planes
  RowsFrom rows_from = RowsFrom::bottom;  ///< where their first row lies
  RtplanOptions plan{};
  std::optional<Normalise> normalise{};     ///< of planes that are not in Gy; none: they are refused
  std::array<double, 2> at{};               ///< mm from the beam axis: where `Normalise::point` takes the dose
  std::optional<double> prescription_Gy{};  ///< of one fraction; by default the plan's
};

namespace detail {

/// Reads a plane of a plan. \throws FileError when neither the file nor `options` give its spacing
[[nodiscard]] inline DoseGrid import_plane(const std::filesystem::path& path, const ImportOptions& options,
                                           bool interpolated) {
  if (const FileKind kind = file_kind(path); needs_spacing(kind) && !options.spacing_mm)
    throw FileError(message("file.446", path.string(),
                            "expected the spacing of its points (--spacing MM), which a file of this kind (", kind.name,
                            ") does not say"));
  return read_dose(path, options.spacing_mm.value_or(1), interpolated, options.rows_from);
}

/// \throws FileError where records are fields and a plan has none or several: its planes would be composites
inline void check_fields(const Plan& plan, const std::filesystem::path& path, RecordsOf records) {
  const auto n = std::count_if(plan.beams.begin(), plan.beams.end(), std::mem_fn(&Beam::delivers));
  if (records == RecordsOf::fields && n != 1)
    throw FileError(message("file.446", path.string(), "expected a plan of one field where records are fields, got ", n,
                            " fields"));
}

/// What reading a plan said of it, and what its planes do not show, or may show otherwise than they are taken.
/// \param computed its planes are, from the plan; else they are files
inline void add_plan_warnings(const Plan& plan, const std::filesystem::path& path, bool computed, RecordsOf records,
                              ImportedRecord& out) {
  for (const std::string& w : plan.warnings) out.warnings.push_back(path.string() + ": " + w);
  if (records == RecordsOf::fields) return;
  if (const std::string w = couch_warning(plan); computed && !w.empty())
    out.warnings.push_back(path.string() + ": " + w);
  std::vector<const Beam*> fields;
  for (const Beam& beam : plan.beams)
    if (beam.delivers()) fields.push_back(&beam);
  if (computed || fields.size() != 1) return;
  if (const double angle = mean_collimator_angle(*fields[0]); !same_angle(angle, 0))
    out.warnings.push_back(path.string() + ": planes of one field, taken as turned by its collimator's angle of " +
                           four_digits(angle) + " degrees; planes along the leaves need --records fields");
}

/// Brings a plan's planes to one fraction and to Gy, as far as the options ask for it, and notes what was done.
/// \returns the factor on the measured plane \throws FileError where the largest doses differ more than tenfold
inline double to_common_dose(DoseGrid& planned, PlanePoint planned_axis, DoseGrid& measured, PlanePoint measured_axis,
                             const ImportItem& item, const Plan& plan, const ImportOptions& options,
                             ImportedRecord& out) {
  const DoseOfFile m{measured, item.measured.string(), describe_dose(item.measured)},
      p{planned, item.planned.string(), describe_dose(item.planned)};
  for (const std::string& line : differences(m.says, p.says))
    out.warnings.push_back(m.file + " (reference) and " + p.file + " (evaluated) differ in " + line);
  for (const DoseOfFile* dose : {&m, &p})
    for (const std::string& line : differences(dose->says, plan))
      out.warnings.push_back(dose->file + " and its plan " + item.path.string() + " differ in " + line);
  const Fractions fractions = to_one_fraction(m, p, &plan);
  if (!fractions.note.empty()) out.notes.push_back(fractions.note);
  if (!fractions.warning.empty()) out.warnings.push_back(fractions.warning);
  const auto place = [&](PlanePoint axis) {
    return std::array<double, 3>{axis.x + options.at[0], axis.y + options.at[1], 0};
  };
  const Normalised normalised =
      to_one_unit(measured, m.file, planned, p.file,
                  {.by = options.normalise,
                   .first_at = place(measured_axis),
                   .second_at = place(planned_axis),
                   .prescription_Gy = options.prescription_Gy.value_or(plan.dose_per_fraction()),
                   .in_gray = true});
  if (!normalised.line.empty()) out.notes.push_back(normalised.line);
  const double m_largest = maximum_dose(measured), p_largest = maximum_dose(planned);
  if (m_largest > 10 * p_largest || p_largest > 10 * m_largest)
    throw FileError(message("file.446", m.file, "expected doses in the unit of ", p.file, ", got a largest dose of ",
                            four_digits(m_largest), " beside ", four_digits(p_largest),
                            ": write both in Gy of one fraction"));
  return fractions.first * normalised.first;
}

[[nodiscard]] inline ImportedRecord import_rtplan(const ImportItem& item, Simulator& simulator, std::uint64_t index,
                                                  const ImportOptions& options) {
  const CohortSettings& s = simulator.settings();
  const std::string where = item.path.string();
  Plan plan = read_plan(item.path, options.plan);
  if (item.planned.empty() != item.measured.empty())
    throw FileError(message("file.446", where, "expected both a planned and a measured plane beside it, got only ",
                            item.planned.empty() ? item.measured.string() : item.planned.string(), ": name the other ",
                            item.path.stem().string(), item.planned.empty() ? "_planned.*" : "_measured.*"));
  ImportedRecord out;
  check_fields(plan, item.path, s.records);
  out.plan = plan;
  out.record = table_record(plan, item.path.stem().string(), "unknown");
  add_plan_warnings(plan, item.path, item.planned.empty(), s.records, out);
  if (item.planned.empty()) {
    Record r = simulator.delivered(std::move(plan), index);
    out.record.gpr = r.gpr, out.record.machine = r.machine, out.record.fault = r.fault;
    out.planned = std::move(r.planned), out.measured = std::move(r.measured);
    out.source = "simulated delivery";
    return out;
  }
  DoseGrid p = import_plane(item.planned, options, true);
  DoseGrid m = import_plane(item.measured, options, false);
  for (const auto& [g, path] : {std::pair{&p, &item.planned}, {&m, &item.measured}})
    for (const std::string& w : g->warnings) out.warnings.push_back(path->string() + ": " + w);
  if (p.shape[0] != 1 || m.shape[0] != 1)
    throw FileError(
        message("file.446", where, "expected planes, got volumes of ", p.shape[0], " and ", m.shape[0], " frames"));
  for (const auto& [g, path] : {std::pair{&p, &item.planned}, {&m, &item.measured}})
    if (g->shape[1] < 2 || g->shape[2] < 2)
      throw FileError(
          message("file.446", path->string(), "expected at least 2 x 2 points, got ", g->shape[1], " x ", g->shape[2]));
  // Planes of one coordinate system are compared where their files put them. A detector's plane and
  // a patient's plane are aligned on the beam axis.
  const PlaneFrame of_p = frame_of(item.planned), of_m = frame_of(item.measured);
  const bool together = of_p.dicom == of_m.dicom && same_frame(of_p.uid, of_m.uid);
  const PlanePoint axis_p = beam_axis(p, of_p, plan), axis_m = together ? axis_p : beam_axis(m, of_m, plan);
  check_on_grid(p, axis_p, s.pixels, s.spacing_mm, item.planned.string());
  check_on_grid(m, axis_m, s.pixels, s.spacing_mm, item.measured.string());
  const double factor = to_common_dose(p, axis_p, m, axis_m, item, plan, options, out);
  const bool holes = std::any_of(m.values.begin(), m.values.end(), [](double v) { return std::isnan(v); });
  out.planned = on_cohort_grid(p, axis_p, s.pixels, s.spacing_mm);
  DoseGrid dense = holes ? import_plane(item.measured, options, true) : m;
  if (holes)
    for (double& v : dense.values) v *= factor;
  out.measured = on_cohort_grid(dense, axis_m, s.pixels, s.spacing_mm);
  fill_holes(out.planned, out.measured, item.measured.string());
  // Rates are computed on the files' own grids, where points between detectors do not count.
  if (!together) m.origin[2] += axis_p.x - axis_m.x, m.origin[1] += axis_p.y - axis_m.y;
  out.record.gpr = passing_rates(m, p);
  if (std::isnan(out.record.gpr[0]))
    throw FileError(message("file.446", where,
                            "expected planes that overlap, got no measured point with a planned "
                            "dose in reach"));
  out.source = "measured";
  return out;
}

[[nodiscard]] inline ImportedRecord import_log(const std::filesystem::path& path, Simulator& simulator) {
  const DeliveryLog log = read_log(path);
  check_fields(log.prescribed, path, simulator.settings().records);
  ImportedRecord out;
  out.plan = log.prescribed;
  out.record = table_record(log.prescribed, path.stem().string(), "unknown");
  add_plan_warnings(log.delivered, path, true, simulator.settings().records, out);
  std::tie(out.planned, out.measured) = simulator.planes_of(log.prescribed, log.delivered);
  out.record.gpr = passing_rates(out.measured, out.planned);
  out.source = "logged";
  return out;
}

[[nodiscard]] inline ImportedRecord import_openkbp(const std::filesystem::path& folder, Simulator& simulator,
                                                   std::uint64_t index) {
  const auto [patient, view] = read_outlines(folder).at(0);
  const CohortSettings& s = simulator.settings();
  Plan plan =
      generate_plan(s.seed, index, "linac", s.spread, Technique::sliding_window, view, "head_and_neck", s.model);
  check_fields(plan, folder, s.records);
  plan.patient = patient;
  ImportedRecord out;
  out.plan = plan;
  out.record = table_record(plan, patient, "head_and_neck");
  Record r = simulator.delivered(std::move(plan), index);
  out.record.gpr = r.gpr, out.record.machine = r.machine, out.record.fault = r.fault;
  out.planned = std::move(r.planned), out.measured = std::move(r.measured);
  out.source = "simulated";
  return out;
}

}  // namespace detail

/// One record; `index` keys its random numbers. \throws FileError, ValueError with the reason why
/// it cannot be imported.
[[nodiscard]] inline ImportedRecord import_record(const ImportItem& item, Simulator& simulator, std::uint64_t index,
                                                  const ImportOptions& options = {}) {
  switch (item.kind) {
    case ImportKind::log:
      return detail::import_log(item.path, simulator);
    case ImportKind::openkbp:
      return detail::import_openkbp(item.path, simulator, index);
    case ImportKind::none:
      throw ValueError(message("file.446", item.path.string(), item.reason));
    case ImportKind::rtplan:
      break;
  }
  return detail::import_rtplan(item, simulator, index, options);
}

}  // namespace equipoise::psqa
