// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Brings the evaluated distribution to the reference's place. A detector counts from the beam axis, an RTDOSE file from
/// the patient's origin: of such a pair, the plan's isocentre says where the axis goes through the patient.

#include <array>
#include <cmath>
#include <equipoise/psqa/dicom/dose_description.hpp>
#include <equipoise/psqa/readers/file_kind.hpp>
#include <equipoise/report/numbers.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gamma_comparison.hpp"

namespace psqa_program {

/// Whether a dose counts from the patient's origin.
inline bool in_patient(const std::string& file) {
  return psqa::file_kind(file) == psqa::kind_of<psqa::DicomReader>;
}

/// Why the plan cannot tell where the beam axis goes through a dose; empty where it can.
inline std::string no_isocentre(const std::optional<psqa::Plan>& plan, const psqa::DoseGrid& dose,
                                const std::string& frame) {
  if (!plan) return "no plan tells where the axis is (--plan or --centre)";
  if (plan->beams.empty() || !plan->beams[0].has_isocentre) return "the plan tells no isocentre (--centre)";
  if (!frame.empty() && !plan->frame.empty() && frame != plan->frame)
    return "the plan's frame of reference is another one (--centre)";
  const std::array<double, 3> at = psqa::along(dose.axes.value_or(psqa::kAxial), plan->beams[0].isocentre);
  return dose.covers(at[2], at[1]) ? "" : "the plan's isocentre lies beyond the dose (--centre)";
}

/// Whether one dose counts from the beam axis and the other from the patient's origin, and the user has not placed them.
[[nodiscard]] inline bool needs_isocentre(const GammaArguments& a) {
  return !a.centre && in_patient(a.reference) != in_patient(a.evaluated);
}

/// Moves the evaluated dose so that the beam axis goes through one place in both.
/// \returns what was done, or nothing where it could not be done, of which `warn` is told
[[nodiscard]] inline std::string align_axes(const GammaArguments& a, const std::optional<psqa::Plan>& plan,
                                            const psqa::DoseGrid& reference, psqa::DoseGrid& evaluated,
                                            const std::function<void(const std::string&)>& warn) {
  const bool first = in_patient(a.reference);
  const psqa::DoseGrid& dose = first ? reference : evaluated;
  const std::string &patient = first ? a.reference : a.evaluated, &detector = first ? a.evaluated : a.reference;
  const std::string why = no_isocentre(plan, dose, psqa::describe_dose(patient).frame_of_reference);
  if (!why.empty()) {
    if (a.shift[0] == 0 && a.shift[1] == 0)
      warn(detector + " counts from the beam axis, " + patient + " from the patient's origin, and " + why +
           ": the axis is taken at that origin");
    return {};
  }
  const std::array<double, 3> at = psqa::along(dose.axes.value_or(psqa::kAxial), plan->beams[0].isocentre);
  for (std::size_t axis = 0; axis < 3; ++axis) evaluated.origin[axis] += first ? at[axis] : -at[axis];
  return "the beam axis of " + detector + " is put at the isocentre of the plan " + plan->id + ", x " +
         eq::report::number(at[2], 5) + ", y " + eq::report::number(at[1], 5) + " mm in " + patient;
}

/// Flips the evaluated dose within its place, puts both middles together and shifts it, as the user asks.
inline void place(const GammaArguments& a, psqa::DoseGrid& reference, psqa::DoseGrid& evaluated,
                  const std::function<void(const std::string&)>& warn) {
  if (!a.flip.empty()) evaluated.mirror(a.flip == "x" ? 2 : 1);
  if (a.centre) reference.centre(), evaluated.centre();
  evaluated.origin[2] += a.shift[0], evaluated.origin[1] += a.shift[1];
  if (a.centre || !reference.axes || !evaluated.axes || reference.shape[0] > 1 || evaluated.shape[0] > 1) return;
  const double apart = std::abs(reference.origin[0] - evaluated.origin[0]);
  if (apart > 0.5)
    warn("the planes are " + eq::report::number(apart, 4) +
         " mm apart along their normal, which does not count within a plane");
}

/// What the options have done to the evaluated dose's place; empty for nothing.
[[nodiscard]] inline std::string moved_text(const GammaArguments& a) {
  std::vector<std::string> parts;
  if (a.centre) parts.emplace_back("both middles together");
  if (!a.flip.empty()) parts.push_back("evaluated doses flipped along " + a.flip);
  if (a.shift[0] != 0 || a.shift[1] != 0)
    parts.push_back("evaluated doses moved by " + eq::report::number(a.shift[0], 5) + ", " +
                    eq::report::number(a.shift[1], 5) + " mm (x, y)");
  return listed(parts);
}

/// Warns where the files' kinds or names say that reference and evaluated are the wrong way round.
inline void warn_of_roles(const GammaArguments& a, const std::function<void(const std::string&)>& warn) {
  const auto of_detector = [](const psqa::FileKind& kind) {
    bool out = false;
    psqa::for_reader_of(kind, [&]<class R>() { out = psqa::reads_detectors<R>; });
    return out;
  };
  const auto of_planning = [](const psqa::FileKind& kind) {
    return kind == psqa::kind_of<psqa::DicomReader> || kind == psqa::kind_of<psqa::XioReader>;
  };
  const auto named = [](const std::string& file, const char* end) {
    return fs::path(file).stem().string().ends_with(end);
  };
  const psqa::FileKind r = psqa::file_kind(a.reference), e = psqa::file_kind(a.evaluated);
  if ((of_planning(r) && of_detector(e)) || (named(a.reference, "_planned") && named(a.evaluated, "_measured")))
    warn("the reference, whose points are judged, is " + a.reference + ", and the evaluated dose is " + a.evaluated +
         ": are they swapped? The measurement comes first");
}

}  // namespace psqa_program
