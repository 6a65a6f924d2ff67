// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Reading DICOM data sets through DCMTK: typed look-ups that never crash on a damaged file. DCMTK's own messages are
/// silenced.

#include <equipoise/core/errors.hpp>

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace equipoise::psqa::detail {

inline void silence_dcmtk() {
  static const bool once = [] {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    return true;
  }();
  (void)once;
}

/// A file's data set, whole in memory.
/// \throws FileError when it is missing, truncated or not DICOM.
[[nodiscard]] inline std::unique_ptr<DcmFileFormat> open_dicom(const std::filesystem::path& path) {
  silence_dcmtk();
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    throw FileError(message("file.401", path.string(), "expected a readable file, got none"));
  auto file = std::make_unique<DcmFileFormat>();
  // Some writers leave the type of elements open that the dictionary knows.
  dcmEnableUnknownVRConversion.set(OFTrue);
  const OFCondition status = file->loadFile(path.c_str(), EXS_Unknown, EGL_noChange, DCM_MaxReadLength, ERM_autoDetect);
  if (status.bad())
    throw FileError(message("file.421", path.string(),
                            "expected a whole DICOM file, got one that cannot be read: ", status.text()));
  return file;
}

[[nodiscard]] inline std::string text_of(DcmItem& item, const DcmTagKey& tag) {
  OFString value;
  return item.findAndGetOFStringArray(tag, value).good() ? std::string(value.c_str()) : std::string();
}

/// All values of a decimal or integer string; empty where there are none or one does not parse.
[[nodiscard]] inline std::vector<double> numbers_of(DcmItem& item, const DcmTagKey& tag) {
  std::vector<double> out;
  const std::string text = text_of(item, tag);
  for (const char* at = text.c_str(); *at != 0;) {
    char* end = nullptr;
    const double value = std::strtod(at, &end);
    if (end == at) return {};
    out.push_back(value);
    while (*end == ' ' || *end == '\\') ++end;
    at = end;
  }
  return out;
}

/// The first value, or `otherwise`.
[[nodiscard]] inline double number_of(DcmItem& item, const DcmTagKey& tag, double otherwise = 0) {
  const std::vector<double> values = numbers_of(item, tag);
  return values.empty() ? otherwise : values[0];
}

/// The items of a sequence; empty where there is none.
[[nodiscard]] inline std::vector<DcmItem*> items_of(DcmItem& item, const DcmTagKey& tag) {
  std::vector<DcmItem*> out;
  DcmSequenceOfItems* sequence = nullptr;
  if (item.findAndGetSequence(tag, sequence).bad() || !sequence) return out;
  for (unsigned long i = 0; i < sequence->card(); ++i) out.push_back(sequence->getItem(i));
  return out;
}

/// Writes a value, and fails loudly where DCMTK refuses it.
inline void put(DcmItem& item, const DcmTagKey& tag, const std::string& value) {
  if (item.putAndInsertString(tag, value.c_str()).bad())
    throw FileError(message("file.422", "dicom", "cannot write ", value.substr(0, 60)));
}

[[nodiscard]] inline DcmItem& add_item(DcmItem& item, const DcmTagKey& tag) {
  DcmItem* added = nullptr;
  if (item.findOrCreateSequenceItem(tag, added, -2).bad())
    throw FileError(message("file.422", "dicom", "cannot write a sequence"));
  return *added;
}

}  // namespace equipoise::psqa::detail
