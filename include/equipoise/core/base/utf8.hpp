// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Text of unknown encoding made UTF-8, which JSON and its readers want: names of files, machines and patients come in
/// whatever their writer used. What is UTF-8 is for utfcpp to say; the bytes that are not are ours.

#include <utf8.h>

#include <string>
#include <string_view>

namespace equipoise {

[[nodiscard]] inline bool is_utf8(std::string_view text) {
  return utf8::is_valid(text.begin(), text.end());
}

/// The text with its UTF-8 as it is. Other bytes are taken as Latin-1, the commonest of the rest in DICOM and in file
/// names; those without a letter (0x80 .. 0x9f) become U+FFFD. Each on its own: a message may join a name and a text of
/// different encodings.
[[nodiscard]] inline std::string as_utf8(std::string_view text) {
  std::string out;
  for (auto begin = text.begin(); begin != text.end();) {
    const auto invalid = utf8::find_invalid(begin, text.end());
    out.append(begin, invalid);
    begin = invalid;
    if (begin == text.end()) break;
    const auto byte = static_cast<unsigned char>(*begin++);
    utf8::append(byte < 0xa0 ? char32_t{0xfffd} : char32_t{byte}, out);
  }
  return out;
}

}  // namespace equipoise
