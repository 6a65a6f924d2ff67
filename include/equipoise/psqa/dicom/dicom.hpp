// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Reading DICOM data sets through DCMTK: typed look-ups that never crash on a damaged file. DCMTK's own messages are
/// silenced.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/utf8.hpp>
#include <equipoise/psqa/dicom/as_written.hpp>
#include <equipoise/psqa/dicom/deflated.hpp>
#include <equipoise/psqa/dicom/encoding.hpp>
#include <equipoise/psqa/files/file_head.hpp>
#include <equipoise/psqa/files/no_file.hpp>

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace equipoise::psqa {

/// Sets up DCMTK for readers and writers while the object is alive: it prints no messages, since
/// errors are exceptions here, and takes unknown types from its dictionary. The destructor restores
/// the program's settings.
class QuietDcmtk {
 public:
  QuietDcmtk() {
    const std::lock_guard lock(mutex_);
    if (users_++ > 0) return;
    level_ = DCM_dcmdataLogger.getLogLevel();
    conversion_ = dcmEnableUnknownVRConversion.get();
    DCM_dcmdataLogger.setLogLevel(OFLogger::OFF_LOG_LEVEL);
    dcmEnableUnknownVRConversion.set(OFTrue);
  }
  QuietDcmtk(const QuietDcmtk&) = delete;
  QuietDcmtk& operator=(const QuietDcmtk&) = delete;
  ~QuietDcmtk() {
    const std::lock_guard lock(mutex_);
    if (--users_ > 0) return;
    DCM_dcmdataLogger.setLogLevel(level_);
    dcmEnableUnknownVRConversion.set(conversion_);
  }

 private:
  static inline std::mutex mutex_;
  static inline int users_ = 0;
  static inline dcmtk::log4cplus::LogLevel level_ = dcmtk::log4cplus::NOT_SET_LOG_LEVEL;
  static inline OFBool conversion_ = OFFalse;
};

namespace detail {

/// A data set as a file whose meta header says its SOP class.
[[nodiscard]] inline std::unique_ptr<DcmFileFormat> file_of(std::unique_ptr<DcmDataset> data, const DicomHead& head) {
  auto file = std::make_unique<DcmFileFormat>(data.release(), OFFalse);
  if (!head.sop_class.empty())
    (void)file->getMetaInfo()->putAndInsertString(DCM_MediaStorageSOPClassUID, head.sop_class.c_str());
  return file;
}

/// \throws FileError with the reason why DCMTK cannot read a file
[[noreturn]] inline void refuse_dicom(const std::filesystem::path& path, const OFCondition& reason) {
  const std::string bytes = head_of(path);
  if (!looks_like_dicom(bytes))
    throw FileError(message("file.421", path.string(), "not a DICOM file: expected a DICOM header, got ",
                            bytes.empty()            ? "an empty file"
                            : looks_like_text(bytes) ? "text"
                                                     : "other bytes"));
  const bool cut = reason == EC_StreamNotifyClient || reason == EC_EndOfStream || reason == EC_InvalidStream;
  throw FileError(message("file.421", path.string(), "expected a whole DICOM file, got one that ",
                          cut ? "ends early" : "cannot be read: ", cut ? "" : reason.text()));
}

}  // namespace detail

/// A file's data set, whole in memory. A meta header that says wrongly how the data set is written, and padding at the
/// file's end, are passed over. \param warnings get a line for each of them
/// \throws FileError when it is missing, truncated, not DICOM, or expands to an implausible size.
[[nodiscard]] inline std::unique_ptr<DcmFileFormat> open_dicom(const std::filesystem::path& path,
                                                               std::vector<std::string>* warnings = nullptr) {
  const QuietDcmtk quiet;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) throw no_file(path);
  const detail::DicomHead head = detail::read_head(detail::head_of(path, 1 << 16));
  std::vector<std::string> passed_over;
  std::vector<std::string>& to = warnings ? *warnings : passed_over;
  if (head.has_meta && (head.wrong_length() || head.wrong_syntax()))
    if (auto data = detail::read_as_written(path, head, to)) return detail::file_of(std::move(data), head);
  if (auto data = detail::read_deflated(path)) return detail::file_of(std::move(data), head);
  auto file = std::make_unique<DcmFileFormat>();
  const OFCondition status = file->loadFile(path.c_str(), EXS_Unknown, EGL_noChange, DCM_MaxReadLength, ERM_autoDetect);
  if (status.good()) return file;
  if (auto data = detail::read_as_written(path, head, to)) return detail::file_of(std::move(data), head);
  detail::refuse_dicom(path, status);
}

/// An element's text, as UTF-8 whatever the file's character set is.
[[nodiscard]] inline std::string dicom_text(DcmItem& item, const DcmTagKey& tag) {
  OFString value;
  return item.findAndGetOFStringArray(tag, value).good() ? as_utf8(value.c_str()) : std::string();
}

/// The SOP class of a file, which some give in the meta header alone. \param warnings get a line where they do
[[nodiscard]] inline std::string sop_class_of(DcmFileFormat& file, std::vector<std::string>* warnings = nullptr) {
  const std::string in_data = dicom_text(*file.getDataset(), DCM_SOPClassUID);
  if (!in_data.empty()) return in_data;
  const std::string in_meta = dicom_text(*file.getMetaInfo(), DCM_MediaStorageSOPClassUID);
  if (!in_meta.empty() && warnings)
    warnings->push_back("the SOP class stands in the meta header alone: taken from there");
  return in_meta;
}

/// The modality of a file; of one that does not say it, that of its SOP class if it is a plan or a dose.
[[nodiscard]] inline std::string modality_of(DcmFileFormat& file) {
  const std::string modality = dicom_text(*file.getDataset(), DCM_Modality);
  if (!modality.empty()) return modality;
  const std::string sop_class = sop_class_of(file);
  return sop_class == UID_RTPlanStorage ? "RTPLAN" : sop_class == UID_RTDoseStorage ? "RTDOSE" : "";
}

/// The items of a sequence; empty where there is none.
[[nodiscard]] inline std::vector<DcmItem*> sequence_items(DcmItem& item, const DcmTagKey& tag) {
  std::vector<DcmItem*> out;
  DcmSequenceOfItems* sequence = nullptr;
  if (item.findAndGetSequence(tag, sequence).bad() || !sequence) return out;
  for (unsigned long i = 0; i < sequence->card(); ++i) out.push_back(sequence->getItem(i));
  return out;
}

/// Appends an item to a sequence, which is made where there is none. \throws FileError where DCMTK refuses it
[[nodiscard]] inline DcmItem& add_sequence_item(DcmItem& item, const DcmTagKey& tag) {
  DcmItem* added = nullptr;
  if (item.findOrCreateSequenceItem(tag, added, -2).bad())
    throw FileError(message("file.422", "dicom", "cannot write a sequence"));
  return *added;
}

namespace detail {

/// All values of a decimal or integer string; empty where there are none or one does not parse. The decimal sign is a
/// point whatever the locale.
[[nodiscard]] inline std::vector<double> numbers_of(DcmItem& item, const DcmTagKey& tag) {
  std::vector<double> out;
  const std::string text = dicom_text(item, tag);
  const char *at = text.data(), *const last = at + text.size();
  const auto skip = [&](std::string_view what) {
    while (at != last && what.find(*at) != std::string_view::npos) ++at;
  };
  for (skip(" \t\r\n"); at != last; skip(" \t\r\n\\")) {
    if (*at == '+') ++at;
    double value = 0;
    const auto [end, error] = std::from_chars(at, last, value);
    if (error != std::errc()) return {};
    out.push_back(value);
    at = end;
  }
  return out;
}

/// The first value, or `otherwise`.
[[nodiscard]] inline double number_of(DcmItem& item, const DcmTagKey& tag, double otherwise = 0) {
  const std::vector<double> values = numbers_of(item, tag);
  return values.empty() ? otherwise : values[0];
}

/// As `numbers_of`. \throws FileError for text that is not a list of finite numbers
[[nodiscard]] inline std::vector<double> finite_numbers_of(DcmItem& item, const DcmTagKey& tag,
                                                           const std::string& where) {
  std::vector<double> out = numbers_of(item, tag);
  const bool finite = std::all_of(out.begin(), out.end(), [](double v) { return std::isfinite(v); });
  if (!finite || (out.empty() && !trimmed(dicom_text(item, tag)).empty()))
    throw FileError(message("file.427", where, DcmTag(tag).getTagName(), ": expected numbers, got \"",
                            dicom_text(item, tag).substr(0, 60), "\""));
  return out;
}
[[nodiscard]] inline double finite_number_of(DcmItem& item, const DcmTagKey& tag, double otherwise,
                                             const std::string& where) {
  const std::vector<double> values = finite_numbers_of(item, tag, where);
  return values.empty() ? otherwise : values[0];
}

/// A whole number. \throws FileError when the value is not a whole number within `low` .. `high`
[[nodiscard]] inline int whole_number_of(DcmItem& item, const DcmTagKey& tag, int otherwise, int low, int high,
                                         const std::string& where) {
  const double value = finite_number_of(item, tag, otherwise, where);
  if (value != std::floor(value) || value < low || value > high)
    throw FileError(message("file.427", where, DcmTag(tag).getTagName(), ": expected a whole number within ", low,
                            " .. ", high, ", got ", value));
  return static_cast<int>(value);
}

/// Writes a value, and fails loudly where DCMTK refuses it.
inline void put(DcmItem& item, const DcmTagKey& tag, const std::string& value) {
  if (item.putAndInsertString(tag, value.c_str()).bad())
    throw FileError(message("file.422", "dicom", "cannot write ", value.substr(0, 60)));
}

}  // namespace detail

}  // namespace equipoise::psqa
