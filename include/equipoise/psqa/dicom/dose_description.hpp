// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What an RTDOSE file says about its dose beside the numbers: of which kind it is, of whom and of which plan. Two doses
/// that differ in it can be compared, but seldom should be.

#include <equipoise/psqa/dicom/dicom.hpp>
#include <equipoise/psqa/files/file_head.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <equipoise/psqa/plan.hpp>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace equipoise::psqa {

struct DoseDescription {
  std::string type;                ///< Dose Type: PHYSICAL, EFFECTIVE
  std::string summation;           ///< Dose Summation Type: PLAN, FRACTION, BEAM, …
  std::string patient;             ///< Patient ID
  std::string patient_name;        ///< as DICOM writes it: family^given
  std::string plan;                ///< SOP instance UID of the first plan referenced
  std::string frame_of_reference;  ///< UID

  /// Whether it is the dose of a plan's whole delivery, of all fractions.
  [[nodiscard]] bool of_all_fractions() const {
    return summation == "PLAN" || summation == "MULTI_PLAN" || summation == "PLAN_OVERVIEW";
  }
  /// Whether it may be taken as that of one fraction: it says so, or says nothing, as a measurement does.
  [[nodiscard]] bool of_one_fraction() const {
    return summation.empty() || summation == "FRACTION" || summation == "FRACTION_SESSION" ||
           summation == "BEAM_SESSION" || summation == "BRACHY_SESSION";
  }

  friend bool operator==(const DoseDescription&, const DoseDescription&) = default;
};

/// Texts are empty where the file is not DICOM or does not say it. \throws FileError for a damaged file
[[nodiscard]] inline DoseDescription describe_dose(const std::filesystem::path& path) {
  if (!detail::looks_like_dicom(detail::head_of(path))) return {};
  const auto file = open_dicom(path);
  DcmDataset& data = *file->getDataset();
  const auto text = [&](const DcmTagKey& tag) { return std::string(detail::trimmed(dicom_text(data, tag))); };
  DoseDescription out{.type = text(DCM_DoseType),
                      .summation = text(DCM_DoseSummationType),
                      .patient = text(DCM_PatientID),
                      .patient_name = text(DCM_PatientName),
                      .plan = {},
                      .frame_of_reference = text(DCM_FrameOfReferenceUID)};
  if (const auto plans = sequence_items(data, DCM_ReferencedRTPlanSequence); !plans.empty())
    out.plan = detail::trimmed(dicom_text(*plans[0], DCM_ReferencedSOPInstanceUID));
  return out;
}

/// The UID by which a plan and its doses belong together: a plan's own, or that of the first plan that a dose references.
/// Empty where the file does not say it, or cannot be read.
[[nodiscard]] inline std::string plan_uid(const std::filesystem::path& path, bool is_plan) {
  const auto uid = [&](DcmItem& data) -> std::string {
    if (is_plan) return std::string(detail::trimmed(dicom_text(data, DCM_SOPInstanceUID)));
    const auto plans = sequence_items(data, DCM_ReferencedRTPlanSequence);
    if (plans.empty()) return {};
    return std::string(detail::trimmed(dicom_text(*plans[0], DCM_ReferencedSOPInstanceUID)));
  };
  const QuietDcmtk quiet;
  DcmFileFormat head;
  if (head.loadFileUntilTag(path.c_str(), EXS_Unknown, EGL_noChange, 4096, ERM_autoDetect,
                            is_plan ? DCM_Manufacturer : DCM_PixelData)
          .good())
    if (const std::string found = uid(*head.getDataset()); !found.empty()) return found;
  try {  // a file that is written in another way than it says
    return uid(*open_dicom(path)->getDataset());
  } catch (const FileError&) {
    return {};
  }
}

/// One line for each thing that both say and say differently, such as "dose type: PHYSICAL (reference) and EFFECTIVE
/// (evaluated)".
[[nodiscard]] inline std::vector<std::string> differences(const DoseDescription& reference,
                                                          const DoseDescription& evaluated) {
  struct Part {
    std::string_view name;
    std::string DoseDescription::*text;
  };
  constexpr std::array parts{Part{"dose type", &DoseDescription::type},
                             Part{"dose summation type", &DoseDescription::summation},
                             Part{"patient", &DoseDescription::patient}, Part{"plan UID", &DoseDescription::plan},
                             Part{"frame of reference", &DoseDescription::frame_of_reference}};
  std::vector<std::string> out;
  for (const Part& part : parts) {
    const std::string &r = reference.*part.text, &e = evaluated.*part.text;
    if (!r.empty() && !e.empty() && r != e)
      out.push_back(std::string(part.name) + ": " + r + " (reference) and " + e + " (evaluated)");
  }
  return out;
}

/// The same of a dose and the plan beside it: its patient, and its UID as the plan of the dose.
[[nodiscard]] inline std::vector<std::string> differences(const DoseDescription& dose, const Plan& plan) {
  std::vector<std::string> out;
  for (const auto& [name, of_dose, of_plan] :
       {std::tuple{"patient", &dose.patient, &plan.patient}, {"plan UID", &dose.plan, &plan.uid}}) {
    const std::string_view theirs = detail::trimmed(*of_plan);
    if (!of_dose->empty() && !theirs.empty() && *of_dose != theirs)
      out.push_back(std::string(name) + ": " + *of_dose + " (dose) and " + std::string(theirs) + " (plan)");
  }
  return out;
}

}  // namespace equipoise::psqa
