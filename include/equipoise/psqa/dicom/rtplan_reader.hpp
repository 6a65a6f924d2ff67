// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// DICOM RTPLAN files into the plan model. Values that vendors leave out are carried forward from
/// control point to control point. `Plan::warnings` lists what was repaired or ignored.

#include <equipoise/psqa/dicom/dicom.hpp>
#include <equipoise/psqa/dicom/rtplan_beam.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

struct RtplanOptions {
  std::size_t fraction_group = 0;  ///< which of the plan's fraction groups is meant, from 0
};

namespace detail {

inline constexpr int kLargestNumber = 1000000000;

/// Metersets of the beams of one fraction group, by beam number.
struct FractionGroup {
  int fractions = 1;
  std::map<int, double> metersets;
  std::set<int> without_meterset;  ///< the beams that the group names without a number of MU
  std::set<int> of_others;         ///< the beams that other groups name
};

[[nodiscard]] inline int referenced_beam(DcmItem& reference, const std::string& where) {
  return whole_number_of(reference, DCM_ReferencedBeamNumber, -1, -1, kLargestNumber, where);
}

[[nodiscard]] inline FractionGroup read_fraction_group(DcmItem& data, const RtplanOptions& options,
                                                       const std::string& where, Plan& plan) {
  const std::vector<DcmItem*> groups = sequence_items(data, DCM_FractionGroupSequence);
  if (options.fraction_group >= std::max<std::size_t>(groups.size(), 1))
    throw FileError(message("file.423", where, "expected fraction group ", options.fraction_group, ", got ",
                            groups.size(), groups.size() == 1 ? " group" : " groups", ", counted from 0"));
  FractionGroup out;
  if (groups.empty()) {
    plan.warnings.push_back("no fraction group: beams have no meterset");
    return out;
  }
  if (groups.size() > 1)
    plan.warnings.push_back(std::to_string(groups.size()) + " fraction groups: group " +
                            std::to_string(options.fraction_group) + " is used");
  DcmItem& group = *groups[options.fraction_group];
  out.fractions = whole_number_of(group, DCM_NumberOfFractionsPlanned, 0, 0, 100000, where);
  if (out.fractions == 0)
    plan.warnings.push_back(
        "no number of fractions: the dose per fraction and what is taken relative to it are unknown");
  for (DcmItem* beam : sequence_items(group, DCM_ReferencedBeamSequence)) {
    const int number = referenced_beam(*beam, where);
    if (trimmed(dicom_text(*beam, DCM_BeamMeterset)).empty()) out.without_meterset.insert(number);
    const double mu = finite_number_of(*beam, DCM_BeamMeterset, 0, where + ": beam " + std::to_string(number));
    if (!(mu >= 0 && mu < 1e7))
      throw FileError(
          message("file.424", where, "beam ", number, ": expected a meterset within 0 .. 1e7 MU, got ", mu));
    if (!out.metersets.emplace(number, mu).second)
      throw FileError(message("file.424", where, "beam ", number, ": expected one meterset, got two"));
  }
  for (DcmItem* other : groups)
    if (other != &group)
      for (DcmItem* beam : sequence_items(*other, DCM_ReferencedBeamSequence))
        out.of_others.insert(referenced_beam(*beam, where));
  return out;
}

/// Crossed pairs are closed for every metric: one sentence a plan.
inline void warn_of_crossed_leaves(Plan& plan) {
  std::string beams;
  double maximum = 0;
  for (const Beam& beam : plan.beams) {
    const double crossed = crossed_leaf_fraction(beam);
    if (crossed == 0) continue;
    beams += (beams.empty() ? "" : ", ") + std::to_string(beam.number);
    maximum = std::max(maximum, crossed);
  }
  if (!beams.empty())
    plan.warnings.push_back("crossed leaves, taken as closed, in up to " + short_text(100 * maximum) +
                            " % of a beam's pairs: beams " + beams);
}

inline void read_prescription(DcmItem& data, Plan& plan) {
  for (DcmItem* reference : sequence_items(data, DCM_DoseReferenceSequence)) {
    const double dose = number_of(*reference, DCM_TargetPrescriptionDose, 0);
    if (dicom_text(*reference, DCM_DoseReferenceType) == "TARGET" && dose > 0 && std::isfinite(dose))
      return void(plan.prescription_Gy = dose);
  }
}

/// The reason why a beam is dropped: it does not treat, is not a photon beam, or is not measured in
/// MU (cobalt beams are timed in minutes). Empty for a beam that is kept.
[[nodiscard]] inline std::string reason_to_drop(DcmItem& item) {
  const std::string delivery = dicom_text(item, DCM_TreatmentDeliveryType),
                    radiation = dicom_text(item, DCM_RadiationType), unit = dicom_text(item, DCM_PrimaryDosimeterUnit);
  if (!delivery.empty() && delivery != "TREATMENT") return "its delivery type is " + delivery;
  if (!radiation.empty() && radiation != "PHOTON") return "its radiation is " + radiation;
  if (!unit.empty() && unit != "MU") return "its dosimeter counts " + unit;
  return {};
}

/// Reads the treatment beams of the fraction group. Other beams are dropped before their content is
/// read. A beam that no group names stays, without MU.
inline void read_beams(const std::vector<DcmItem*>& items, const FractionGroup& group, bool has_groups,
                       const std::string& where, Plan& plan) {
  std::set<int> numbers;
  for (DcmItem* item : items) {
    if (const std::string reason = reason_to_drop(*item); !reason.empty()) {
      plan.warnings.push_back("beam " + dicom_text(*item, DCM_BeamNumber) + " is dropped: " + reason);
      continue;
    }
    const int number = whole_number_of(*item, DCM_BeamNumber, 0, -1, kLargestNumber, where);
    if (!numbers.insert(number).second)
      throw FileError(message("file.424", where, "beam ", number, ": expected one beam of that number, got two"));
    const auto meterset = group.metersets.find(number);
    const bool named = meterset != group.metersets.end();
    if (!named && group.of_others.count(number)) continue;
    if (!named && has_groups)
      plan.warnings.push_back("beam " + std::to_string(number) + ": no fraction group names it: it has 0 MU");
    if (group.without_meterset.count(number))
      plan.warnings.push_back("beam " + std::to_string(number) +
                              ": the fraction group gives no meterset: its MU are unknown and taken as 0");
    else if (named && meterset->second == 0)
      plan.warnings.push_back("beam " + std::to_string(number) + ": its meterset is 0 MU: it counts in no metric");
    const double mu = named ? meterset->second : 0;
    plan.beams.push_back(read_beam(*item, mu, {where, number, plan.warnings}));
  }
}

}  // namespace detail

/// Reads an RTPLAN file. Beams that do not treat, are not of photons, or are not measured in MU are dropped with a
/// warning; beams without meterset, and those that no fraction group names, stay, with MU 0; beams without multileaf
/// collimator stay, without layers.
/// \throws FileError when the file is missing, damaged, not an RTPLAN, or a treatment beam contradicts itself.
[[nodiscard]] inline Plan read_rtplan(const std::filesystem::path& path, const RtplanOptions& options = {}) {
  const std::string where = path.string();
  const auto file = open_dicom(path);
  DcmItem& data = *file->getDataset();
  Plan plan;
  plan.id = path.filename().string(), plan.file = where;
  plan.fraction_group = options.fraction_group;
  const std::vector<DcmItem*> beams = sequence_items(data, DCM_BeamSequence);
  const std::string modality = dicom_text(data, DCM_Modality);
  if (modality != "RTPLAN")
    throw FileError(message("file.425", where, "expected an RTPLAN, got ",
                            modality.empty() ? "no modality" : "modality " + modality));
  if (beams.empty()) throw FileError(message("file.425", where, "expected beams, got an RTPLAN without any"));
  if (dicom_text(data, DCM_SOPClassUID) != UID_RTPlanStorage)
    plan.warnings.push_back("private SOP class " + dicom_text(data, DCM_SOPClassUID));
  plan.label = dicom_text(data, DCM_RTPlanLabel);
  plan.patient = dicom_text(data, DCM_PatientID);
  plan.vendor = dicom_text(data, DCM_Manufacturer);
  plan.tps = dicom_text(data, DCM_ManufacturerModelName);
  plan.frame = dicom_text(data, DCM_FrameOfReferenceUID);
  detail::read_prescription(data, plan);
  const detail::FractionGroup group = detail::read_fraction_group(data, options, where, plan);
  plan.fractions = group.fractions;
  detail::read_beams(beams, group, !sequence_items(data, DCM_FractionGroupSequence).empty(), where, plan);
  detail::warn_of_crossed_leaves(plan);
  if (plan.beams.empty())
    throw FileError(
        message("file.425", where, "expected beams of photons for treatment in MU, got none: ", plan.warnings.back()));
  return plan;
}

}  // namespace equipoise::psqa
