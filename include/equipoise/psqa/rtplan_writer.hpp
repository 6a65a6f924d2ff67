// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Plans and planes as DICOM: RTPLAN and RTDOSE files with the attributes that the standard requires. Identifiers are
/// made from the plan's id, so that the same plan gives the same file. Positions are decimal strings of at most 16
/// characters: they come back to about 1e-10 mm.

#include <equipoise/psqa/dicom.hpp>
#include <equipoise/psqa/dicom_writer.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace equipoise::psqa {

namespace detail {

inline void put_devices(DcmItem& item, const Beam& beam) {
  const auto jaw = [&](const char* type) {
    DcmItem& device = add_item(item, DCM_BeamLimitingDeviceSequence);
    put(device, DCM_RTBeamLimitingDeviceType, type);
    put(device, DCM_NumberOfLeafJawPairs, "1");
  };
  if (beam.has_x_jaw) jaw("ASYMX");
  if (beam.has_y_jaw) jaw("ASYMY");
  for (const Layer& layer : beam.layers) {
    DcmItem& device = add_item(item, DCM_BeamLimitingDeviceSequence);
    put(device, DCM_RTBeamLimitingDeviceType, layer.tag);
    put(device, DCM_NumberOfLeafJawPairs, std::to_string(layer.pairs()));
    put(device, DCM_LeafPositionBoundaries, decimals(layer.boundaries));
  }
}

inline void put_positions(DcmItem& item, const Beam& beam, const ControlPoint& cp) {
  const auto device = [&](const char* type, const std::string& positions) {
    DcmItem& d = add_item(item, DCM_BeamLimitingDevicePositionSequence);
    put(d, DCM_RTBeamLimitingDeviceType, type);
    put(d, DCM_LeafJawPositions, positions);
  };
  if (beam.has_x_jaw) device("ASYMX", decimals(std::vector{cp.x1, cp.x2}));
  if (beam.has_y_jaw) device("ASYMY", decimals(std::vector{cp.y1, cp.y2}));
  for (std::size_t l = 0; l < beam.layers.size(); ++l) {
    std::vector<double> both = cp.leaves[l].a;
    both.insert(both.end(), cp.leaves[l].b.begin(), cp.leaves[l].b.end());
    device(beam.layers[l].tag.c_str(), decimals(both));
  }
}

[[nodiscard]] inline const char* direction(Rotation r) {
  return r == Rotation::clockwise ? "CW" : r == Rotation::counter_clockwise ? "CC" : "NONE";
}

inline void put_beam(DcmItem& data, const Beam& beam) {
  DcmItem& item = add_item(data, DCM_BeamSequence);
  put(item, DCM_TreatmentMachineName, beam.machine);
  put(item, DCM_PrimaryDosimeterUnit, "MU");
  put(item, DCM_SourceAxisDistance, decimal(beam.sad));
  put_devices(item, beam);
  put(item, DCM_BeamNumber, std::to_string(beam.number));
  put(item, DCM_BeamName, beam.name);
  put(item, DCM_BeamType, beam.dynamic ? "DYNAMIC" : "STATIC");
  put(item, DCM_RadiationType, beam.radiation);
  put(item, DCM_TreatmentDeliveryType, beam.delivery);
  if (beam.fff) {
    DcmItem& mode = add_item(item, DCM_PrimaryFluenceModeSequence);
    put(mode, DCM_FluenceMode, "NON_STANDARD");
    put(mode, DCM_FluenceModeID, "FFF");
  }
  for (const DcmTagKey& none : {DCM_NumberOfWedges, DCM_NumberOfCompensators, DCM_NumberOfBoli, DCM_NumberOfBlocks})
    put(item, none, "0");
  put(item, DCM_FinalCumulativeMetersetWeight, "1");
  put(item, DCM_NumberOfControlPoints, std::to_string(beam.control_points.size()));
  for (std::size_t k = 0; k < beam.control_points.size(); ++k) {
    const ControlPoint& cp = beam.control_points[k];
    DcmItem& point = add_item(item, DCM_ControlPointSequence);
    put(point, DCM_ControlPointIndex, std::to_string(k));
    put(point, DCM_CumulativeMetersetWeight, decimal(cp.weight));
    if (k == 0) {
      put(point, DCM_NominalBeamEnergy, decimal(beam.energy_MV));
      put(point, DCM_IsocenterPosition, decimals(beam.isocentre));
      for (const DcmTagKey& still : {DCM_BeamLimitingDeviceRotationDirection, DCM_PatientSupportRotationDirection,
                                     DCM_TableTopEccentricRotationDirection})
        put(point, still, "NONE");
      put(point, DCM_TableTopEccentricAngle, "0");
      for (const DcmTagKey& unknown :
           {DCM_TableTopVerticalPosition, DCM_TableTopLongitudinalPosition, DCM_TableTopLateralPosition})
        put(point, unknown, "");
    }
    if (k == 0 || cp.dose_rate != beam.control_points[k - 1].dose_rate)
      put(point, DCM_DoseRateSet, decimal(cp.dose_rate));
    put(point, DCM_GantryAngle, decimal(cp.gantry));
    put(point, DCM_GantryRotationDirection, direction(cp.rotation));
    put(point, DCM_BeamLimitingDeviceAngle, decimal(cp.collimator));
    put(point, DCM_PatientSupportAngle, decimal(cp.couch));
    put_positions(point, beam, cp);
  }
}

}  // namespace detail

/// Writes a plan as RTPLAN.
/// \throws FileError when the file cannot be written; an older one is then untouched.
inline void write_rtplan(const Plan& plan, const std::filesystem::path& path) {
  detail::silence_dcmtk();
  DcmFileFormat file;
  DcmItem& d = *file.getDataset();
  detail::put_common(d, plan, detail::key_of(plan), UID_RTPlanStorage, "plan", "RTPLAN");
  detail::put(d, DCM_RTPlanLabel, plan.label.substr(0, 16));
  detail::put(d, DCM_RTPlanDate, "20250101");
  detail::put(d, DCM_RTPlanTime, "120000");
  detail::put(d, DCM_RTPlanGeometry, "TREATMENT_DEVICE");
  detail::put(d, DCM_ApprovalStatus, "UNAPPROVED");
  if (plan.prescription_Gy > 0) {
    DcmItem& dose = detail::add_item(d, DCM_DoseReferenceSequence);
    detail::put(dose, DCM_DoseReferenceNumber, "1");
    detail::put(dose, DCM_DoseReferenceStructureType, "SITE");
    detail::put(dose, DCM_DoseReferenceType, "TARGET");
    detail::put(dose, DCM_TargetPrescriptionDose, detail::decimal(plan.prescription_Gy));
  }
  DcmItem& group = detail::add_item(d, DCM_FractionGroupSequence);
  detail::put(group, DCM_FractionGroupNumber, "1");
  detail::put(group, DCM_NumberOfFractionsPlanned, std::to_string(plan.fractions));
  detail::put(group, DCM_NumberOfBeams, std::to_string(plan.beams.size()));
  detail::put(group, DCM_NumberOfBrachyApplicationSetups, "0");
  for (const Beam& beam : plan.beams) {
    DcmItem& reference = detail::add_item(group, DCM_ReferencedBeamSequence);
    detail::put(reference, DCM_BeamMeterset, detail::decimal(beam.mu));
    detail::put(reference, DCM_ReferencedBeamNumber, std::to_string(beam.number));
  }
  for (const Beam& beam : plan.beams) detail::put_beam(d, beam);
  detail::save_dicom(file, path);
}

/// Writes a plane or volume of one fraction as RTDOSE with 32-bit pixels; its axes are the patient's z, y and x where the
/// grid does not say. \param plan whose dose it is
/// \throws FileError when the file cannot be written.
inline void write_rtdose(const DoseGrid& dose, const Plan& plan, const std::string& kind,
                         const std::filesystem::path& path) {
  detail::silence_dcmtk();
  DcmFileFormat file;
  DcmItem& d = *file.getDataset();
  const std::string key = detail::key_of(plan);
  detail::put_common(d, plan, key, UID_RTDoseStorage, kind, "RTDOSE");
  const double most = *std::max_element(dose.values.begin(), dose.values.end());
  const double scaling = most > 0 ? detail::rounded_decimal(most / 4294967295.0 * (1 + 1e-9)) : 1;
  const auto us = [&](const DcmTagKey& tag, Uint16 v) { (void)d.putAndInsertUint16(tag, v); };
  us(DCM_SamplesPerPixel, 1);
  us(DCM_Rows, static_cast<Uint16>(dose.shape[1]));
  us(DCM_Columns, static_cast<Uint16>(dose.shape[2]));
  us(DCM_BitsAllocated, 32);
  us(DCM_BitsStored, 32);
  us(DCM_HighBit, 31);
  us(DCM_PixelRepresentation, 0);
  using detail::decimals, detail::put;
  put(d, DCM_PhotometricInterpretation, "MONOCHROME2");
  put(d, DCM_InstanceNumber, "1");
  put(d, DCM_NumberOfFrames, std::to_string(dose.shape[0]));
  (void)d.putAndInsertTagKey(DCM_FrameIncrementPointer, DCM_GridFrameOffsetVector);
  const PatientAxes axes = dose.axes.value_or(kAxial);
  std::vector<double> position(3), cosines;
  for (std::size_t k = 0; k < 3; ++k)
    for (std::size_t axis = 0; axis < 3; ++axis) position[k] += axes[axis][k] * dose.origin[axis];
  for (const std::size_t axis : {2, 1}) cosines.insert(cosines.end(), axes[axis].begin(), axes[axis].end());
  put(d, DCM_ImagePositionPatient, decimals(position));
  put(d, DCM_ImageOrientationPatient, decimals(cosines));
  put(d, DCM_PixelSpacing, decimals(std::vector{dose.spacing[1], dose.spacing[2]}));
  put(d, DCM_SliceThickness, "");
  put(d, DCM_DoseUnits, dose.units == DoseUnits::relative ? "RELATIVE" : "GY");
  put(d, DCM_DoseType, "PHYSICAL");
  put(d, DCM_DoseSummationType, "FRACTION");
  std::vector<double> offsets;
  for (std::size_t z = 0; z < dose.shape[0]; ++z) offsets.push_back(dose.spacing[0] * static_cast<double>(z));
  put(d, DCM_GridFrameOffsetVector, decimals(offsets));
  put(d, DCM_DoseGridScaling, detail::decimal(scaling));
  DcmItem& reference = detail::add_item(d, DCM_ReferencedRTPlanSequence);
  put(reference, DCM_ReferencedSOPClassUID, UID_RTPlanStorage);
  put(reference, DCM_ReferencedSOPInstanceUID, detail::uid_of(key + "plan"));
  put(detail::add_item(reference, DCM_ReferencedFractionGroupSequence), DCM_ReferencedFractionGroupNumber, "1");
  std::vector<Uint16> words;  // little-endian halves of 32-bit pixels
  for (const double v : dose.values) {
    const auto pixel = static_cast<std::uint32_t>(std::llround(std::max(v, 0.0) / scaling));
    words.push_back(static_cast<Uint16>(pixel & 0xffff));
    words.push_back(static_cast<Uint16>(pixel >> 16));
  }
  (void)d.putAndInsertUint16Array(DCM_PixelData, words.data(), words.size());
  detail::save_dicom(file, path);
}

}  // namespace equipoise::psqa
