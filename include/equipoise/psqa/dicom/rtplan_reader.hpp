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

/// The first prescription to a target. Where others differ from it, a warning says which one is taken.
inline void read_prescription(DcmItem& data, Plan& plan) {
  std::vector<double> doses;  // each once
  for (DcmItem* reference : sequence_items(data, DCM_DoseReferenceSequence)) {
    const double dose = number_of(*reference, DCM_TargetPrescriptionDose, 0);
    if (dicom_text(*reference, DCM_DoseReferenceType) == "TARGET" && dose > 0 && std::isfinite(dose) &&
        std::find(doses.begin(), doses.end(), dose) == doses.end())
      doses.push_back(dose);
  }
  if (doses.empty()) return;
  plan.prescription_Gy = doses[0];
  if (doses.size() == 1) return;
  std::string list;
  for (const double dose : doses) list += (list.empty() ? "" : ", ") + short_text(dose, 6);
  plan.warnings.push_back(std::to_string(doses.size()) + " prescriptions to targets (" + list +
                          " Gy): the first one, " + short_text(doses[0], 6) + " Gy, is taken");
}

/// The reason why a beam is dropped: it does not treat, is not a photon beam, or is not measured in
/// MU (cobalt beams are timed in minutes). Empty for a beam that is kept. A beam that continues an interrupted treatment
/// treats.
[[nodiscard]] inline std::string reason_to_drop(DcmItem& item) {
  const std::string delivery = dicom_text(item, DCM_TreatmentDeliveryType),
                    radiation = dicom_text(item, DCM_RadiationType), unit = dicom_text(item, DCM_PrimaryDosimeterUnit);
  if (!delivery.empty() && delivery != "TREATMENT" && delivery != "CONTINUATION")
    return "the delivery type is " + delivery;
  if (!radiation.empty() && radiation != "PHOTON") return "the radiation is " + radiation;
  if (!unit.empty() && unit != "MU") return "the dosimeter counts " + unit;
  return {};
}

/// Reads the treatment beams of the fraction group. Other beams are dropped before their content is
/// read. A beam that no group names stays, without MU. \returns why beams were dropped: each reason, and its beams
inline std::map<std::string, std::string> read_beams(const std::vector<DcmItem*>& items, const FractionGroup& group,
                                                     bool has_groups, const std::string& where, Plan& plan) {
  std::set<int> numbers;
  std::map<std::string, std::string> dropped;
  std::vector<int> without_mu;  // beams
  for (DcmItem* item : items) {
    if (const std::string reason = reason_to_drop(*item); !reason.empty()) {
      const std::string beam = dicom_text(*item, DCM_BeamNumber);
      plan.warnings.push_back("beam " + beam + " is dropped: " + reason);
      dropped[reason] += (dropped[reason].empty() ? "" : ", ") + beam;
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
      without_mu.push_back(number);
    const double mu = named ? meterset->second : 0;
    plan.beams.push_back(read_beam(*item, mu, {where, number, plan.warnings}));
  }
  if (!without_mu.empty()) {
    std::string list;
    for (const int number : without_mu) list += (list.empty() ? "" : ", ") + std::to_string(number);
    plan.warnings.push_back(without_mu.size() == 1
                                ? "beam " + list + ": its meterset is 0 MU: it counts in no metric"
                                : "beams " + list + ": their metersets are 0 MU: they count in no metric");
  }
  return dropped;
}

/// What a plan without external beams is, in words.
[[nodiscard]] inline std::string plan_without_beams(DcmItem& data) {
  const std::string brachy = dicom_text(data, DCM_BrachyTreatmentType);
  if (!brachy.empty() || !sequence_items(data, DCM_ApplicationSetupSequence).empty())
    return "a brachytherapy plan" + (brachy.empty() ? "" : " (" + brachy + ")") + ", which has none";
  if (!sequence_items(data, DCM_IonBeamSequence).empty()) return "a plan of ion beams";
  return "an RTPLAN without any";
}

/// \throws FileError that says why a plan has no beam left \param dropped as `read_beams` returns it
[[noreturn]] inline void refuse_plan_without_beams(const std::map<std::string, std::string>& dropped,
                                                   const std::string& where) {
  std::string why;
  for (const auto& [reason, beams] : dropped)
    why += std::string(why.empty() ? "" : "; ") + (beams.find(',') == std::string::npos ? "beam " : "beams ") + beams +
           ": " + reason;
  throw FileError(message("file.425", where, "expected beams of photons for treatment in MU, got none: ",
                          why.empty() ? "all are of other fraction groups" : why));
}

}  // namespace detail

/// Reads an RTPLAN file. Beams that do not treat, are not of photons, or are not measured in MU are dropped with a
/// warning; beams without meterset, and those that no fraction group names, stay, with MU 0; beams without multileaf
/// collimator stay, without layers.
/// \throws FileError when the file is missing, damaged, not an RTPLAN, or a treatment beam contradicts itself.
[[nodiscard]] inline Plan read_rtplan(const std::filesystem::path& path, const RtplanOptions& options = {}) {
  const std::string where = path.string();
  Plan plan;
  const auto file = open_dicom(path, &plan.warnings);
  DcmItem& data = *file->getDataset();
  plan.id = path.filename().string(), plan.file = where;
  plan.fraction_group = options.fraction_group;
  const std::vector<DcmItem*> beams = sequence_items(data, DCM_BeamSequence);
  const std::string modality = modality_of(*file);
  if (modality != "RTPLAN")
    throw FileError(message("file.425", where, "expected an RTPLAN, got ",
                            modality.empty() ? "no modality" : "modality " + modality));
  if (beams.empty())
    throw FileError(message("file.425", where, "expected beams of photons, got ", detail::plan_without_beams(data)));
  if (const std::string sop_class = sop_class_of(*file, &plan.warnings); sop_class != UID_RTPlanStorage)
    plan.warnings.push_back(sop_class.empty() ? "no SOP class: taken as a plan by its modality"
                                              : "private SOP class " + sop_class +
                                                    ": taken as a plan by its modality, and read like any other");
  plan.label = dicom_text(data, DCM_RTPlanLabel);
  plan.patient = dicom_text(data, DCM_PatientID);
  plan.uid = detail::trimmed(dicom_text(data, DCM_SOPInstanceUID));
  plan.vendor = dicom_text(data, DCM_Manufacturer);
  plan.tps = dicom_text(data, DCM_ManufacturerModelName);
  plan.frame = dicom_text(data, DCM_FrameOfReferenceUID);
  detail::read_prescription(data, plan);
  const detail::FractionGroup group = detail::read_fraction_group(data, options, where, plan);
  plan.fractions = group.fractions;
  const auto dropped =
      detail::read_beams(beams, group, !sequence_items(data, DCM_FractionGroupSequence).empty(), where, plan);
  if (plan.beams.empty()) detail::refuse_plan_without_beams(dropped, where);
  detail::warn_of_crossed_leaves(plan);
  return plan;
}

}  // namespace equipoise::psqa
