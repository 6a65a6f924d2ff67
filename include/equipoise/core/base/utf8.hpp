// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Text of unknown encoding made UTF-8, which JSON and its readers want: names of files, machines and patients come in
/// whatever their writer used.

#include <cstddef>
#include <string>
#include <string_view>

namespace equipoise {

namespace detail {

/// Bytes of the UTF-8 character at the beginning of a text; 0 where there is none. Overlong forms, surrogates and
/// numbers beyond U+10FFFF are none.
[[nodiscard]] inline std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xc2 && first < 0xe0   ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const unsigned char second = byte(1);
  const bool wrong = (first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
                     (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
  return wrong ? 0 : length;
}

}  // namespace detail

[[nodiscard]] inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = detail::utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// The text with its UTF-8 as it is. Other bytes are taken as Latin-1, the commonest of the rest in DICOM and in file
/// names; those without a letter (0x80 .. 0x9f) become U+FFFD. Each on its own: a message may join a name and a text of
/// different encodings.
[[nodiscard]] inline std::string as_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = detail::utf8_length(text);
    const auto byte = static_cast<unsigned char>(text[0]);
    if (length > 0)
      out += text.substr(0, length);
    else if (byte < 0xa0)
      out += "\xef\xbf\xbd";
    else
      out += static_cast<char>(0xc0 | byte >> 6), out += static_cast<char>(0x80 | (byte & 0x3f));
    text.remove_prefix(length > 0 ? length : 1);
  }
  return out;
}

}  // namespace equipoise
