// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// DICOM RTPLAN files into the plan model. What vendors leave out is carried forward from control point to control
/// point; what had to be repaired or ignored is said in `Plan::warnings`.

#include <equipoise/psqa/dicom.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

struct RtplanOptions {
  std::size_t fraction_group = 0;  ///< which of the plan's fraction groups is meant
};

namespace detail {

[[nodiscard]] inline bool is_multileaf(const std::string& type) {
  return type.starts_with("MLC");
}

/// Metersets of the beams of one fraction group, by beam number.
struct FractionGroup {
  int fractions = 1;
  std::map<int, double> metersets;
};

[[nodiscard]] inline FractionGroup read_fraction_group(DcmItem& data, const RtplanOptions& options,
                                                       const std::string& where, Plan& plan) {
  const std::vector<DcmItem*> groups = items_of(data, DCM_FractionGroupSequence);
  if (options.fraction_group >= std::max<std::size_t>(groups.size(), 1))
    throw FileError(message("file.423", where, "expected fraction group ", options.fraction_group, ", got ",
                            groups.size(), " groups"));
  FractionGroup out;
  if (groups.empty()) {
    plan.warnings.push_back("no fraction group: beams have no meterset");
    return out;
  }
  if (groups.size() > 1)
    plan.warnings.push_back(std::to_string(groups.size()) + " fraction groups: group " +
                            std::to_string(options.fraction_group) + " is used");
  DcmItem& group = *groups[options.fraction_group];
  out.fractions = static_cast<int>(number_of(group, DCM_NumberOfFractionsPlanned, 1));
  for (DcmItem* beam : items_of(group, DCM_ReferencedBeamSequence))
    out.metersets[static_cast<int>(number_of(*beam, DCM_ReferencedBeamNumber, -1))] =
        number_of(*beam, DCM_BeamMeterset, 0);
  return out;
}

inline void read_devices(DcmItem& item, Beam& beam) {
  for (DcmItem* device : items_of(item, DCM_BeamLimitingDeviceSequence)) {
    const std::string type = text_of(*device, DCM_RTBeamLimitingDeviceType);
    if (type == "X" || type == "ASYMX") beam.has_x_jaw = true;
    if (type == "Y" || type == "ASYMY") beam.has_y_jaw = true;
    if (!is_multileaf(type)) continue;
    Layer layer;
    layer.axis = type.starts_with("MLCY") ? LeafAxis::y : LeafAxis::x;
    layer.boundaries = numbers_of(*device, DCM_LeafPositionBoundaries);
    layer.tag = type;
    if (layer.pairs() > 0) beam.layers.push_back(std::move(layer));
  }
}

/// Jaws and leaves of one control point; devices that are not named keep their place.
inline void read_positions(DcmItem& item, const Beam& beam, ControlPoint& cp) {
  std::vector<bool> taken(beam.layers.size(), false);
  for (DcmItem* device : items_of(item, DCM_BeamLimitingDevicePositionSequence)) {
    const std::string type = text_of(*device, DCM_RTBeamLimitingDeviceType);
    const std::vector<double> p = numbers_of(*device, DCM_LeafJawPositions);
    if ((type == "X" || type == "ASYMX") && p.size() == 2) cp.x1 = p[0], cp.x2 = p[1];
    if ((type == "Y" || type == "ASYMY") && p.size() == 2) cp.y1 = p[0], cp.y2 = p[1];
    if (!is_multileaf(type)) continue;
    // Stacked layers may share a name, and their order is not fixed: the number of leaves tells them apart.
    for (std::size_t l = 0; l < beam.layers.size(); ++l) {
      const std::size_t n = beam.layers[l].pairs();
      if (taken[l] || beam.layers[l].tag != type || p.size() != 2 * n) continue;
      taken[l] = true;
      cp.leaves[l].a.assign(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(n));
      cp.leaves[l].b.assign(p.begin() + static_cast<std::ptrdiff_t>(n), p.end());
      break;
    }
  }
}

inline void carry(DcmItem& item, const DcmTagKey& tag, double& value) {
  value = number_of(item, tag, value);
}

inline void read_control_points(DcmItem& item, Beam& beam) {
  ControlPoint cp;
  cp.leaves.resize(beam.layers.size());
  for (DcmItem* point : items_of(item, DCM_ControlPointSequence)) {
    carry(*point, DCM_GantryAngle, cp.gantry);
    carry(*point, DCM_BeamLimitingDeviceAngle, cp.collimator);
    carry(*point, DCM_PatientSupportAngle, cp.couch);
    carry(*point, DCM_CumulativeMetersetWeight, cp.weight);
    carry(*point, DCM_DoseRateSet, cp.dose_rate);
    carry(*point, DCM_NominalBeamEnergy, beam.energy_MV);
    const std::string direction = text_of(*point, DCM_GantryRotationDirection);
    if (!direction.empty())
      cp.rotation = direction == "CW"   ? Rotation::clockwise
                    : direction == "CC" ? Rotation::counter_clockwise
                                        : Rotation::none;
    const std::vector<double> isocentre = numbers_of(*point, DCM_IsocenterPosition);
    if (isocentre.size() == 3) std::copy(isocentre.begin(), isocentre.end(), beam.isocentre);
    read_positions(*point, beam, cp);
    beam.control_points.push_back(cp);
  }
}

/// Weights become fractions of the beam's MU; they must not fall.
inline void normalise_weights(DcmItem& item, Beam& beam, const std::string& where) {
  if (beam.control_points.empty()) return;
  double final_weight = number_of(item, DCM_FinalCumulativeMetersetWeight, 0);
  if (!(final_weight > 0)) final_weight = beam.control_points.back().weight;
  double before = 0;
  for (ControlPoint& cp : beam.control_points) {
    if (final_weight > 0) cp.weight /= final_weight;
    if (!(cp.weight >= before - 1e-9))
      throw FileError(message("file.424", where, "beam ", beam.number,
                              ": expected meterset weights that never fall, got ", cp.weight, " after ", before));
    before = cp.weight;
  }
}

/// Every control point must know where every leaf is.
inline void check_leaves(const Beam& beam, const std::string& where, Plan& plan) {
  std::size_t crossed = 0, pairs = 0;
  for (const ControlPoint& cp : beam.control_points)
    for (std::size_t l = 0; l < beam.layers.size(); ++l) {
      if (cp.leaves[l].a.empty())
        throw FileError(message("file.424", where, "beam ", beam.number, ": expected positions of ", beam.layers[l].tag,
                                ", got none at the first control point"));
      for (std::size_t i = 0; i < cp.leaves[l].a.size(); ++i, ++pairs) {
        if (!std::isfinite(cp.leaves[l].a[i]) || !std::isfinite(cp.leaves[l].b[i]))
          throw FileError(message("file.424", where, "beam ", beam.number, ": expected finite leaf positions"));
        crossed += cp.leaves[l].b[i] < cp.leaves[l].a[i] - 1e-6;
      }
    }
  if (crossed > 0)
    plan.warnings.push_back("beam " + std::to_string(beam.number) + ": crossed leaves in " +
                            std::to_string(100 * crossed / pairs) + " % of pairs, taken as closed");
}

[[nodiscard]] inline Beam read_beam(DcmItem& item, const std::string& where, Plan& plan) {
  Beam beam;
  beam.number = static_cast<int>(number_of(item, DCM_BeamNumber, 0));
  beam.name = text_of(item, DCM_BeamName);
  beam.dynamic = text_of(item, DCM_BeamType) == "DYNAMIC";
  if (const std::string delivery = text_of(item, DCM_TreatmentDeliveryType); !delivery.empty())
    beam.delivery = delivery;
  if (const std::string radiation = text_of(item, DCM_RadiationType); !radiation.empty()) beam.radiation = radiation;
  beam.machine = text_of(item, DCM_TreatmentMachineName);
  beam.sad = number_of(item, DCM_SourceAxisDistance, 1000);
  for (DcmItem* mode : items_of(item, DCM_PrimaryFluenceModeSequence))
    beam.fff = text_of(*mode, DCM_FluenceMode) == "NON_STANDARD" &&
               text_of(*mode, DCM_FluenceModeID).find("FFF") != std::string::npos;
  if (number_of(item, DCM_NumberOfWedges, 0) > 0)
    plan.warnings.push_back("beam " + std::to_string(beam.number) + ": wedges are ignored");
  read_devices(item, beam);
  read_control_points(item, beam);
  normalise_weights(item, beam, where);
  check_leaves(beam, where, plan);
  return beam;
}

inline void read_prescription(DcmItem& data, Plan& plan) {
  for (DcmItem* reference : items_of(data, DCM_DoseReferenceSequence)) {
    const double dose = number_of(*reference, DCM_TargetPrescriptionDose, 0);
    if (text_of(*reference, DCM_DoseReferenceType) == "TARGET" && dose > 0) return void(plan.prescription_Gy = dose);
  }
}

}  // namespace detail

/// Reads an RTPLAN file. Setup and electron beams are dropped with a warning; beams without meterset stay, with MU 0; a
/// plan without multileaf collimators is read, but has no layers. \throws FileError when the file is missing, damaged,
/// not an RTPLAN, or a beam contradicts itself.
[[nodiscard]] inline Plan read_rtplan(const std::filesystem::path& path, const RtplanOptions& options = {}) {
  const std::string where = path.string();
  const auto file = detail::open_dicom(path);
  DcmItem& data = *file->getDataset();
  Plan plan;
  plan.id = path.filename().string();
  const std::vector<DcmItem*> beams = detail::items_of(data, DCM_BeamSequence);
  const std::string modality = detail::text_of(data, DCM_Modality);
  if (modality != "RTPLAN")
    throw FileError(message("file.425", where, "expected an RTPLAN, got ",
                            modality.empty() ? "no modality" : "modality " + modality));
  if (beams.empty()) throw FileError(message("file.425", where, "expected beams, got an RTPLAN without any"));
  if (detail::text_of(data, DCM_SOPClassUID) != UID_RTPlanStorage)
    plan.warnings.push_back("private SOP class " + detail::text_of(data, DCM_SOPClassUID));
  plan.label = detail::text_of(data, DCM_RTPlanLabel);
  plan.patient = detail::text_of(data, DCM_PatientID);
  plan.vendor = detail::text_of(data, DCM_Manufacturer);
  plan.tps = detail::text_of(data, DCM_ManufacturerModelName);
  detail::read_prescription(data, plan);
  const detail::FractionGroup group = detail::read_fraction_group(data, options, where, plan);
  plan.fractions = group.fractions;
  for (DcmItem* item : beams) {
    Beam beam = detail::read_beam(*item, where, plan);
    const auto meterset = group.metersets.find(beam.number);
    if (beam.delivery != "TREATMENT" || beam.radiation == "ELECTRON") {
      plan.warnings.push_back("beam " + std::to_string(beam.number) + " (" + beam.delivery + ", " + beam.radiation +
                              ") is dropped");
    } else if (!group.metersets.empty() && meterset == group.metersets.end()) {
      continue;  // of another fraction group
    } else {
      beam.mu = meterset == group.metersets.end() ? 0 : meterset->second;
      plan.beams.push_back(std::move(beam));
    }
  }
  if (plan.beams.empty())
    throw FileError(message("file.425", where, "expected treatment beams, got only setup or electron beams"));
  return plan;
}

}  // namespace equipoise::psqa
