// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What all DICOM files that are written share: decimal strings, identifiers, patient and study, saving.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/random.hpp>
#include <equipoise/psqa/dicom/dicom.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace equipoise::psqa {

namespace detail {

/// The shortest text of at most 16 characters.
[[nodiscard]] inline std::string decimal(double value) {
  char buffer[32];
  for (int digits = 15; digits > 0; --digits) {
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, digits).ptr;
    if (end - buffer <= 16) return {buffer, end};
  }
  return "0";
}
/// The number that a reader gets back.
[[nodiscard]] inline double rounded_decimal(double value) {
  const std::string text = decimal(value);
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}
}  // namespace detail

/// Numbers as the text of a DICOM decimal string (DS), between backslashes.
template <class Numbers>
[[nodiscard]] std::string decimal_string(const Numbers& values) {
  std::string out;
  for (const double v : values) out += (out.empty() ? "" : "\\") + detail::decimal(v);
  return out;
}

namespace detail {

/// A UID below 2.25 (made from a UUID-sized number), from a text.
[[nodiscard]] inline std::string uid_of(std::string_view text) {
  return "2.25." + std::to_string(hash_of(text)) + std::to_string(hash_of({hash_of(text), 1}) % 1000000000ULL);
}

/// The text from which a plan's UIDs are made: its id and its content, since plans of two cohorts
/// may share an id.
[[nodiscard]] inline std::string key_of(const Plan& plan) {
  std::uint64_t h = hash_of(plan.id);
  for (const Beam& beam : plan.beams) {
    h = hash_of({h, std::bit_cast<std::uint64_t>(beam.mu)});
    for (const ControlPoint& cp : beam.control_points) {
      for (const double v : {cp.weight, cp.gantry, cp.collimator, cp.couch, cp.x1, cp.x2, cp.y1, cp.y2})
        h = hash_of({h, std::bit_cast<std::uint64_t>(v)});
      for (const LeafPositions& leaves : cp.leaves)
        for (const std::vector<double>* tips : {&leaves.a, &leaves.b})
          for (const double tip : *tips) h = hash_of({h, std::bit_cast<std::uint64_t>(tip)});
    }
  }
  return plan.id + " " + std::to_string(h) + " ";
}

[[nodiscard]] inline bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// What all files of a plan say of it and of themselves. \param key of the plan
inline void put_common(DcmItem& d, const Plan& plan, const std::string& key, const char* sop_class,
                       const std::string& kind, const char* modality) {
  bool ascii = true;
  for (const std::string* text : {&plan.vendor, &plan.tps, &plan.patient, &plan.label})
    ascii = ascii && is_ascii(*text);
  for (const Beam& beam : plan.beams) ascii = ascii && is_ascii(beam.name) && is_ascii(beam.machine);
  put(d, DCM_SpecificCharacterSet, ascii ? "ISO_IR 100" : "ISO_IR 192");  // ISO_IR 192 is UTF-8
  put(d, DCM_SOPClassUID, sop_class);
  put(d, DCM_SOPInstanceUID, uid_of(key + kind));
  put(d, DCM_StudyDate, "20250101");
  put(d, DCM_StudyTime, "120000");
  put(d, DCM_AccessionNumber, "");
  put(d, DCM_Modality, modality);
  put(d, DCM_Manufacturer, plan.vendor);
  put(d, DCM_ManufacturerModelName, plan.tps);
  put(d, DCM_ReferringPhysicianName, "");
  put(d, DCM_OperatorsName, "");
  put(d, DCM_PatientName, plan.patient);
  put(d, DCM_PatientID, plan.patient);
  put(d, DCM_PatientBirthDate, "");
  put(d, DCM_PatientSex, "O");
  put(d, DCM_StudyInstanceUID, uid_of(key + "study"));
  put(d, DCM_SeriesInstanceUID, uid_of(key + kind + "series"));
  put(d, DCM_StudyID, "1");
  put(d, DCM_SeriesNumber, "1");
  put(d, DCM_FrameOfReferenceUID, uid_of(key + "frame"));
  put(d, DCM_PositionReferenceIndicator, "");
}

/// Saves under a temporary name, then renames.
inline void save_dicom(DcmFileFormat& file, const std::filesystem::path& path) {
  const std::string temporary = path.string() + ".part";
  const OFCondition status = file.saveFile(temporary.c_str(), EXS_LittleEndianExplicit);
  std::error_code error;
  if (status.good()) std::filesystem::rename(temporary, path, error);
  if (status.good() && !error) return;
  const std::string reason = status.bad() ? status.text() : error.message();
  std::filesystem::remove(temporary, error);
  throw FileError(message("file.403", path.string(), "cannot be written: ", reason));
}

}  // namespace detail

}  // namespace equipoise::psqa
