// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How a DICOM file is written, as its bytes show it. Other readers ignore what a meta header says wrongly; so do we, with
/// a warning. What is looked at here is the meta header, the first element of the data set, and where the last one ends.

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmdata/dcxfer.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace equipoise::psqa::detail {

/// How the elements of a data set are written.
struct DicomEncoding {
  bool is_explicit = true;  ///< elements name the kind of their value
  bool big_endian = false;

  [[nodiscard]] E_TransferSyntax syntax() const {
    return big_endian ? EXS_BigEndianExplicit : is_explicit ? EXS_LittleEndianExplicit : EXS_LittleEndianImplicit;
  }
  friend bool operator==(const DicomEncoding&, const DicomEncoding&) = default;
};

[[nodiscard]] inline std::uint32_t dicom_number(std::string_view bytes, std::size_t at, std::size_t size, bool big) {
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < size; ++i)
    out = out << 8 | static_cast<unsigned char>(bytes[at + (big ? i : size - 1 - i)]);
  return out;
}

inline constexpr std::array<std::string_view, 21> kShortValues = {"AE", "AS", "AT", "CS", "DA", "DS", "DT",
                                                                  "FL", "FD", "IS", "LO", "LT", "PN", "SH",
                                                                  "SL", "SS", "ST", "TM", "UI", "UL", "US"};
inline constexpr std::array<std::string_view, 13> kLongValues = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ",
                                                                 "SV", "UC", "UN", "UR", "UT", "UV"};

[[nodiscard]] constexpr bool is_one_of(const auto& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

/// Tag, length and place of the value of one element. \pre 8 bytes follow `at`
struct DicomElement {
  std::uint32_t group = 0, element = 0, length = 0;
  std::size_t value = std::string_view::npos;  ///< npos where the header is not whole or no header
  std::string_view kind;                       ///< empty where it is implicit

  static constexpr std::uint32_t kUndefined = 0xffffffff;

  DicomElement(std::string_view bytes, std::size_t at, DicomEncoding encoding)
      : group(dicom_number(bytes, at, 2, encoding.big_endian)),
        element(dicom_number(bytes, at + 2, 2, encoding.big_endian)) {
    if (!encoding.is_explicit || group == 0xfffe) {
      length = dicom_number(bytes, at + 4, 4, encoding.big_endian), value = at + 8;
      return;
    }
    kind = bytes.substr(at + 4, 2);
    if (is_one_of(kShortValues, kind))
      length = dicom_number(bytes, at + 6, 2, encoding.big_endian), value = at + 8;
    else if (is_one_of(kLongValues, kind) && at + 12 <= bytes.size())
      length = dicom_number(bytes, at + 8, 4, encoding.big_endian), value = at + 12;
  }
  [[nodiscard]] bool is(std::uint32_t g, std::uint32_t e) const { return group == g && element == e; }
};

/// Where an element ends, or npos where it is not whole. Sequences of undefined length are followed to their end.
[[nodiscard]] inline std::size_t end_of_element(std::string_view bytes, std::size_t at, DicomEncoding encoding,
                                                int depth = 0) {
  constexpr std::size_t none = std::string_view::npos;
  if (at + 8 > bytes.size() || depth > 64) return none;
  const DicomElement e(bytes, at, encoding);
  if (e.value == none || e.value > bytes.size()) return none;
  if (e.length != DicomElement::kUndefined) return e.length <= bytes.size() - e.value ? e.value + e.length : none;
  const bool items = !e.is(0xfffe, 0xe000);  // an item holds elements, a sequence items
  if (e.kind == "UN") encoding = {false, false};
  for (at = e.value; at + 8 <= bytes.size();) {
    const DicomElement next(bytes, at, encoding);
    if (next.is(0xfffe, items ? 0xe0dd : 0xe00d)) return at + 8;
    if ((at = end_of_element(bytes, at, encoding, depth + 1)) == none) return none;
  }
  return none;
}

/// Where the last whole element of a data set ends that is followed by nothing, by less than a header, or by zeros; npos
/// where an element is not whole.
[[nodiscard]] inline std::size_t end_of_elements(std::string_view bytes, std::size_t at, DicomEncoding encoding) {
  while (at + 8 <= bytes.size()) {
    const std::string_view rest = bytes.substr(at);
    if (rest.front() == '\0' && rest.find_first_not_of('\0') == std::string_view::npos) break;
    if ((at = end_of_element(bytes, at, encoding)) == std::string_view::npos) break;
  }
  return at;
}

/// Whether bytes after the last element are padding, and not the beginning of a header that was cut off.
[[nodiscard]] inline bool is_padding(std::string_view bytes) {
  return bytes.size() == 1 || (!bytes.empty() && bytes.find_first_not_of("\r\n ") == std::string_view::npos) ||
         (!bytes.empty() && std::string_view("\0 \r\n\xff", 5).find(bytes.front()) != std::string_view::npos &&
          bytes.find_first_not_of(bytes.front()) == std::string_view::npos);
}

/// What the head of a file says of its data set, and what its bytes show.
struct DicomHead {
  std::size_t data_at = 0;                    ///< where the data set begins
  bool has_meta = false;                      ///< there is a meta header
  std::string syntax, sop_class;              ///< as it says
  std::optional<std::uint32_t> group_length;  ///< as it says
  std::uint32_t length = 0;                   ///< of what follows the group length
  std::optional<DicomEncoding> encoding;      ///< as the data set's first element shows; none where it is no element

  [[nodiscard]] bool wrong_length() const { return group_length && *group_length != length; }
  /// The syntax that it says; `EXS_Unknown` where it says none, or one that is not known.
  [[nodiscard]] E_TransferSyntax said() const { return DcmXfer(syntax.c_str()).getXfer(); }
  /// Whether the data set's elements are not written as it says.
  [[nodiscard]] bool wrong_syntax() const {
    if (!has_meta || !encoding) return false;
    const DcmXfer xfer(said());
    return xfer.getXfer() == EXS_Unknown || xfer.getStreamCompression() == ESC_zlib ||
           DicomEncoding{xfer.isExplicitVR() == OFTrue, xfer.getByteOrder() == EBO_BigEndian} != *encoding;
  }
};

/// The encoding that an element of one of the first groups shows, or nothing.
[[nodiscard]] inline std::optional<DicomEncoding> encoding_at(std::string_view bytes, std::size_t at) {
  if (at + 8 > bytes.size()) return std::nullopt;
  for (const bool big : {false, true}) {
    const std::uint32_t group = dicom_number(bytes, at, 2, big), element = dicom_number(bytes, at + 2, 2, big);
    if (group < 4 || group > 0x20 || group % 2 != 0 || element > 0x1fff) continue;
    const std::string_view kind = bytes.substr(at + 4, 2);
    return DicomEncoding{is_one_of(kShortValues, kind) || is_one_of(kLongValues, kind), big};
  }
  return std::nullopt;
}

/// \param bytes the first of the file
[[nodiscard]] inline DicomHead read_head(std::string_view bytes) {
  DicomHead out;
  const bool preamble = bytes.size() >= 132 && bytes.substr(128, 4) == "DICM";
  std::size_t at = preamble ? 132 : 0, counted = at;
  while (at + 8 <= bytes.size() && dicom_number(bytes, at, 2, false) == 2) {
    const std::string_view kind = bytes.substr(at + 4, 2);
    const DicomElement e(bytes, at, {is_one_of(kShortValues, kind) || is_one_of(kLongValues, kind), false});
    if (e.value > bytes.size() || e.length > bytes.size() - e.value) return {};
    const std::string_view value = bytes.substr(e.value, e.length);
    const auto text = [&] {
      return std::string(value.substr(0, value.find_last_not_of(std::string_view("\0 ", 2)) + 1));
    };
    at = e.value + e.length;
    if (e.element == 0 && value.size() == 4) out.group_length = dicom_number(value, 0, 4, false), counted = at;
    if (e.element == 0x0002) out.sop_class = text();
    if (e.element == 0x0010) out.syntax = text();
    out.has_meta = true;
  }
  out.data_at = at, out.length = static_cast<std::uint32_t>(at - counted);
  out.encoding = encoding_at(bytes, at);
  return out;
}

}  // namespace equipoise::psqa::detail
