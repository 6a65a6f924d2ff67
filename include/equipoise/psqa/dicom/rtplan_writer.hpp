// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Plans and planes as DICOM: RTPLAN and RTDOSE files with the attributes that the standard requires. Identifiers are
/// made from the plan's id, so that the same plan gives the same file. Positions are decimal strings of at most 16
/// characters: they come back to about 1e-10 mm.

#include <equipoise/psqa/dicom/dicom.hpp>
#include <equipoise/psqa/dicom/writer.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

namespace detail {

inline void put_devices(DcmItem& item, const Beam& beam) {
  const auto jaw = [&](const char* type) {
    DcmItem& device = add_sequence_item(item, DCM_BeamLimitingDeviceSequence);
    put(device, DCM_RTBeamLimitingDeviceType, type);
    put(device, DCM_NumberOfLeafJawPairs, "1");
  };
  if (beam.has_x_jaw) jaw("ASYMX");
  if (beam.has_y_jaw) jaw("ASYMY");
  for (const Layer& layer : beam.layers) {
    DcmItem& device = add_sequence_item(item, DCM_BeamLimitingDeviceSequence);
    put(device, DCM_RTBeamLimitingDeviceType, layer.tag);
    put(device, DCM_NumberOfLeafJawPairs, std::to_string(layer.pairs()));
    put(device, DCM_LeafPositionBoundaries, decimal_string(layer.boundaries));
  }
}

inline void put_positions(DcmItem& item, const Beam& beam, const ControlPoint& cp) {
  const auto device = [&](const char* type, const std::string& positions) {
    DcmItem& d = add_sequence_item(item, DCM_BeamLimitingDevicePositionSequence);
    put(d, DCM_RTBeamLimitingDeviceType, type);
    put(d, DCM_LeafJawPositions, positions);
  };
  if (beam.has_x_jaw) device("ASYMX", decimal_string(std::vector{cp.x1, cp.x2}));
  if (beam.has_y_jaw) device("ASYMY", decimal_string(std::vector{cp.y1, cp.y2}));
  for (std::size_t l = 0; l < beam.layers.size(); ++l) {
    std::vector<double> both = cp.leaves[l].a;
    both.insert(both.end(), cp.leaves[l].b.begin(), cp.leaves[l].b.end());
    device(beam.layers[l].tag.c_str(), decimal_string(both));
  }
}

[[nodiscard]] inline const char* direction(Rotation r) {
  return r == Rotation::clockwise ? "CW" : r == Rotation::counter_clockwise ? "CC" : "NONE";
}

inline void put_beam(DcmItem& data, const Beam& beam) {
  DcmItem& item = add_sequence_item(data, DCM_BeamSequence);
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
    DcmItem& mode = add_sequence_item(item, DCM_PrimaryFluenceModeSequence);
    put(mode, DCM_FluenceMode, "NON_STANDARD");
    put(mode, DCM_FluenceModeID, "FFF");
  }
  for (const DcmTagKey& none : {DCM_NumberOfWedges, DCM_NumberOfCompensators, DCM_NumberOfBoli, DCM_NumberOfBlocks})
    put(item, none, "0");
  put(item, DCM_FinalCumulativeMetersetWeight, "1");
  put(item, DCM_NumberOfControlPoints, std::to_string(beam.control_points.size()));
  for (std::size_t k = 0; k < beam.control_points.size(); ++k) {
    const ControlPoint& cp = beam.control_points[k];
    DcmItem& point = add_sequence_item(item, DCM_ControlPointSequence);
    put(point, DCM_ControlPointIndex, std::to_string(k));
    put(point, DCM_CumulativeMetersetWeight, decimal(cp.weight));
    if (k == 0) {
      put(point, DCM_NominalBeamEnergy, decimal(beam.energy_MV));
      put(point, DCM_IsocenterPosition, decimal_string(beam.isocentre));
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

/// The first characters of a UTF-8 text, at most so many bytes.
[[nodiscard]] inline std::string cut(const std::string& text, std::size_t bytes) {
  std::size_t n = std::min(bytes, text.size());
  while (n > 0 && n < text.size() && (static_cast<unsigned char>(text[n]) & 0xc0) == 0x80) --n;
  return text.substr(0, n);
}

/// Where a dose's pixels lie. Axes are the patient's z, y and x where the grid does not say.
inline void put_places(DcmItem& d, const DoseGrid& dose) {
  const PatientAxes axes = dose.axes.value_or(kAxial);
  std::vector<double> position(3), cosines, offsets;
  for (std::size_t k = 0; k < 3; ++k)
    for (std::size_t axis = 0; axis < 3; ++axis) position[k] += axes[axis][k] * dose.origin[axis];
  for (const std::size_t axis : {2, 1}) cosines.insert(cosines.end(), axes[axis].begin(), axes[axis].end());
  for (std::size_t z = 0; z < dose.shape[0]; ++z) offsets.push_back(dose.spacing[0] * static_cast<double>(z));
  put(d, DCM_ImagePositionPatient, decimal_string(position));
  put(d, DCM_ImageOrientationPatient, decimal_string(cosines));
  put(d, DCM_PixelSpacing, decimal_string(std::vector{dose.spacing[1], dose.spacing[2]}));
  put(d, DCM_GridFrameOffsetVector, decimal_string(offsets));
}

/// Doses as 32-bit pixels; what is negative or NaN becomes 0.
inline void put_pixels(DcmItem& d, const DoseGrid& dose) {
  double maximum = 0;
  for (const double v : dose.values)
    if (v > maximum) maximum = v;
  const double scaling = maximum > 0 ? rounded_decimal(maximum / 4294967295.0 * (1 + 1e-9)) : 1;
  std::vector<Uint16> words;  // little-endian halves
  words.reserve(2 * dose.size());
  for (const double v : dose.values) {
    const auto pixel = static_cast<std::uint32_t>(v > 0 ? std::llround(v / scaling) : 0);
    words.push_back(static_cast<Uint16>(pixel & 0xffff)), words.push_back(static_cast<Uint16>(pixel >> 16));
  }
  put(d, DCM_DoseGridScaling, decimal(scaling));
  bool ok = d.putAndInsertUint16Array(DCM_PixelData, words.data(), words.size()).good();
  for (const auto& [tag, value] : {std::pair{DCM_SamplesPerPixel, std::size_t{1}},
                                   {DCM_Rows, dose.shape[1]},
                                   {DCM_Columns, dose.shape[2]},
                                   {DCM_BitsAllocated, 32},
                                   {DCM_BitsStored, 32},
                                   {DCM_HighBit, 31},
                                   {DCM_PixelRepresentation, 0}})
    ok = ok && d.putAndInsertUint16(tag, static_cast<Uint16>(value)).good();
  if (!ok) throw FileError(message("file.422", "dicom", "cannot write pixels"));
}

}  // namespace detail

/// Writes a plan as RTPLAN.
/// \throws FileError when the file cannot be written; an older one is then untouched.
inline void write_rtplan(const Plan& plan, const std::filesystem::path& path) {
  const QuietDcmtk quiet;
  DcmFileFormat file;
  DcmItem& d = *file.getDataset();
  detail::put_common(d, plan, detail::key_of(plan), UID_RTPlanStorage, "plan", "RTPLAN");
  detail::put(d, DCM_RTPlanLabel, detail::cut(plan.label, 16));
  detail::put(d, DCM_RTPlanDate, "20250101");
  detail::put(d, DCM_RTPlanTime, "120000");
  detail::put(d, DCM_RTPlanGeometry, "TREATMENT_DEVICE");
  detail::put(d, DCM_ApprovalStatus, "UNAPPROVED");
  if (plan.prescription_Gy > 0) {
    DcmItem& dose = add_sequence_item(d, DCM_DoseReferenceSequence);
    detail::put(dose, DCM_DoseReferenceNumber, "1");
    detail::put(dose, DCM_DoseReferenceStructureType, "SITE");
    detail::put(dose, DCM_DoseReferenceType, "TARGET");
    detail::put(dose, DCM_TargetPrescriptionDose, detail::decimal(plan.prescription_Gy));
  }
  DcmItem& group = add_sequence_item(d, DCM_FractionGroupSequence);
  detail::put(group, DCM_FractionGroupNumber, "1");
  detail::put(group, DCM_NumberOfFractionsPlanned, std::to_string(plan.fractions));
  detail::put(group, DCM_NumberOfBeams, std::to_string(plan.beams.size()));
  detail::put(group, DCM_NumberOfBrachyApplicationSetups, "0");
  for (const Beam& beam : plan.beams) {
    DcmItem& reference = add_sequence_item(group, DCM_ReferencedBeamSequence);
    detail::put(reference, DCM_BeamMeterset, detail::decimal(beam.mu));
    detail::put(reference, DCM_ReferencedBeamNumber, std::to_string(beam.number));
  }
  for (const Beam& beam : plan.beams) detail::put_beam(d, beam);
  detail::save_dicom(file, path);
}

/// Writes a plane or volume of one fraction as RTDOSE with 32-bit pixels; its axes are the patient's z, y and x where the
/// grid does not say. DICOM has no pixel for "no dose": NaN becomes 0. \param plan whose dose it is
/// \throws ShapeError for a grid without points, or longer than 65535 along an axis.
/// \throws FileError when the file cannot be written.
inline void write_rtdose(const DoseGrid& dose, const Plan& plan, const std::string& kind,
                         const std::filesystem::path& path) {
  using detail::put;
  const auto fits = [](std::size_t n) { return n > 0 && n <= 65535; };
  if (!std::all_of(dose.shape.begin(), dose.shape.end(), fits) || dose.values.size() != dose.size())
    throw ShapeError(message("shape.108", path.string(), "expected a grid of 1 .. 65535 points an axis, got ",
                             dose.shape[0], " x ", dose.shape[1], " x ", dose.shape[2], " with ", dose.values.size(),
                             " doses"));
  const QuietDcmtk quiet;
  DcmFileFormat file;
  DcmItem& d = *file.getDataset();
  const std::string key = detail::key_of(plan);
  detail::put_common(d, plan, key, UID_RTDoseStorage, kind, "RTDOSE");
  put(d, DCM_PhotometricInterpretation, "MONOCHROME2");
  put(d, DCM_InstanceNumber, "1");
  put(d, DCM_NumberOfFrames, std::to_string(dose.shape[0]));
  (void)d.putAndInsertTagKey(DCM_FrameIncrementPointer, DCM_GridFrameOffsetVector);
  put(d, DCM_SliceThickness, "");
  put(d, DCM_DoseUnits, dose.units == DoseUnits::relative ? "RELATIVE" : "GY");
  put(d, DCM_DoseType, "PHYSICAL");
  put(d, DCM_DoseSummationType, "FRACTION");
  detail::put_places(d, dose);
  DcmItem& reference = add_sequence_item(d, DCM_ReferencedRTPlanSequence);
  put(reference, DCM_ReferencedSOPClassUID, UID_RTPlanStorage);
  put(reference, DCM_ReferencedSOPInstanceUID, detail::uid_of(key + "plan"));
  put(add_sequence_item(reference, DCM_ReferencedFractionGroupSequence), DCM_ReferencedFractionGroupNumber, "1");
  detail::put_pixels(d, dose);
  detail::save_dicom(file, path);
}

}  // namespace equipoise::psqa
