// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Texts as JSON writes them.

#include <string>
#include <string_view>

namespace equipoise {

/// A text in quotation marks, for a JSON document. UTF-8 is kept as it is.
[[nodiscard]] inline std::string json_text(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20) {
      out += {'\\', 'u', '0', '0', hex[code >> 4U], hex[code & 15U]};
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace equipoise
