// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// DICOM files: plans and doses.

#include <equipoise/psqa/dicom/dicom.hpp>
#include <equipoise/psqa/dicom/rtdose_reader.hpp>
#include <equipoise/psqa/dicom/rtplan_reader.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/file_head.hpp>
#include <equipoise/psqa/plan.hpp>
#include <equipoise/psqa/readers/reader.hpp>

#include <array>
#include <filesystem>
#include <string>
#include <string_view>

namespace equipoise::psqa {

namespace detail {

/// The modality of a DICOM file, read no further than needed; empty where there is none.
[[nodiscard]] inline std::string modality_of(const std::filesystem::path& path) {
  const QuietDcmtk quiet;
  DcmFileFormat file;
  if (const OFCondition status =
          file.loadFileUntilTag(path.c_str(), EXS_Unknown, EGL_noChange, 4096, ERM_autoDetect, DCM_Manufacturer);
      status.good())
    if (const std::string modality = dicom_text(*file.getDataset(), DCM_Modality); !modality.empty()) return modality;
  try {  // a deflated file, one that is written in another way than it says, or one that does not say it
    return psqa::modality_of(*open_dicom(path));
  } catch (const FileError&) {
    return {};
  }
}

}  // namespace detail

/// DICOM as a reader of the list: the modality tells a plan from a dose.
struct DicomReader {
  static constexpr std::string_view id = "dicom";
  static constexpr std::string_view name = "DICOM";
  static constexpr std::array descriptions{
      FileDescription{"RTPLAN", "plan", "see [Plans and logs](#plans-and-logs)"},
      FileDescription{"RTDOSE", "plane or volume",
                      "16 and 32 bit, either byte order, uncompressed or run-length encoded; see "
                      "[RTDOSE files](#rtdose-files)"}};

  [[nodiscard]] static bool recognises(std::string_view head) { return detail::looks_like_dicom(head); }
  [[nodiscard]] static bool is_plan(const std::filesystem::path& path) { return detail::modality_of(path) == "RTPLAN"; }
  [[nodiscard]] static Plan read_plan(const std::filesystem::path& path, const RtplanOptions& options) {
    return read_rtplan(path, options);
  }
  [[nodiscard]] static DoseGrid read_dose(const std::filesystem::path& path, const DoseFileOptions&) {
    return read_rtdose(path);
  }
  /// Why a file of this kind becomes no record of a cohort.
  [[nodiscard]] static std::string reason_to_skip(const std::filesystem::path& path) {
    const std::string modality = detail::modality_of(path);
    if (modality.empty()) return "a damaged DICOM file, or one without modality";
    if (modality != "RTDOSE") return "a DICOM file of modality " + modality + ": neither plan nor dose";
    return "a dose without its plan beside it: neither <plan>.dcm of a <plan>_planned.* or <plan>_measured.*, nor the "
           "plan that it references";
  }
};
static_assert(CheckReader<DicomReader>::ok);

}  // namespace equipoise::psqa
