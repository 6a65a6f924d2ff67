// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How two doses that are compared come to one unit and to one fraction.

#include <array>
#include <equipoise/psqa/cohort/import_find.hpp>
#include <equipoise/psqa/readers/fractions.hpp>
#include <equipoise/psqa/readers/normalise.hpp>
#include <equipoise/psqa/readers/plan_reader.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common.hpp"

namespace psqa_program {

/// How the user wants two doses to come to one unit.
struct DosePairOptions {
  std::optional<psqa::Normalise> normalise;
  std::vector<double> at;  ///< mm; empty where it is not given
  std::optional<double> prescription;
};

/// \throws ValueError for an option that only another normalisation uses
inline void check_dose_pair_options(const DosePairOptions& options) {
  if (!options.at.empty() && options.normalise != psqa::Normalise::point)
    throw eq::ValueError(eq::message("value.212", "--at", "expected --normalise point with it"));
  if (options.prescription && options.normalise != psqa::Normalise::prescription)
    throw eq::ValueError(eq::message("value.212", "--prescription", "expected --normalise prescription with it"));
}

/// The plan of two doses: the one that is given, else the one beside a dose, `<plan>.dcm` beside `<plan>_planned.*`, where
/// it is needed: for a dose of all fractions, or for the isocentre.
/// \param warn is told where patient or UID say that a dose is of another plan
inline std::optional<psqa::Plan> plan_of(const std::string& given, const std::vector<std::string>& doses,
                                         bool isocentre, const std::function<void(const std::string&)>& warn) {
  const auto checked = [&](const fs::path& file) {
    psqa::Plan plan = psqa::read_plan(file);
    for (const std::string& dose : doses)
      for (const std::string& line : psqa::differences(psqa::describe_dose(dose), plan))
        warn(dose + " and the plan " + file.string() + " differ in " + line);
    return plan;
  };
  if (!given.empty()) return checked(given);
  for (const std::string& dose : doses) {
    const bool wanted = isocentre || psqa::describe_dose(dose).of_all_fractions();
    const fs::path beside = wanted ? psqa::plan_beside(dose) : fs::path();
    if (beside.empty()) continue;
    try {
      return checked(beside);
    } catch (const eq::Error&) {  // it is not asked for: without it nothing is divided
    }
  }
  return std::nullopt;
}

/// Where the point of normalisation lies in a grid: as given, else the plan's isocentre in a patient's coordinates, else
/// the origin.
inline std::array<double, 3> place_in(const psqa::DoseGrid& g, const DosePairOptions& options,
                                      const std::optional<psqa::Plan>& plan) {
  if (!options.at.empty()) return {options.at[0], options.at[1], options.at.size() > 2 ? options.at[2] : 0};
  if (!plan || !g.axes || plan->beams.empty() || !plan->beams[0].has_isocentre) return {};
  const std::array<double, 3> zyx = psqa::along(*g.axes, plan->beams[0].isocentre);
  return {zyx[2], zyx[1], zyx[0]};
}

/// Brings two doses to one fraction and one unit.
/// \param warn is told what makes that doubtful
/// \param centred both lie about the origin, wherever a plan's isocentre was
/// \param aligned the evaluated dose was moved to the reference's coordinates
/// \returns what was done, one line each
inline std::vector<std::string> bring_together(const DosePairOptions& options, const std::optional<psqa::Plan>& plan,
                                               bool centred, bool aligned, psqa::DoseGrid& reference,
                                               const std::string& reference_file, psqa::DoseGrid& evaluated,
                                               const std::string& evaluated_file,
                                               const std::function<void(const std::string&)>& warn) {
  const psqa::DoseOfFile r{reference, reference_file, psqa::describe_dose(reference_file)},
      e{evaluated, evaluated_file, psqa::describe_dose(evaluated_file)};
  const psqa::Fractions fractions = psqa::to_one_fraction(r, e, plan ? &*plan : nullptr);
  if (!fractions.warning.empty()) warn(fractions.warning);
  const std::optional<psqa::Plan> with_isocentre = centred ? std::nullopt : plan;
  const psqa::Normalised normalised =
      psqa::to_one_unit(reference, reference_file, evaluated, evaluated_file,
                        {.by = options.normalise,
                         .first_at = place_in(reference, options, with_isocentre),
                         .second_at = place_in(aligned ? reference : evaluated, options, with_isocentre),
                         .prescription_Gy = options.prescription.value_or(plan ? plan->dose_per_fraction() : 0)});
  std::vector<std::string> lines;
  for (const std::string& line : {fractions.note, normalised.line})
    if (!line.empty()) lines.push_back(line);
  return lines;
}

}  // namespace psqa_program
