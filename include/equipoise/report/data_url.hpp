// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Images within a page: their bytes as text.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace equipoise::report {

[[nodiscard]] inline std::string base64(std::span<const std::uint8_t> bytes) {
  static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16 |
                                (i + 1 < bytes.size() ? static_cast<std::uint32_t>(bytes[i + 1]) << 8 : 0U) |
                                (i + 2 < bytes.size() ? static_cast<std::uint32_t>(bytes[i + 2]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += i + k > bytes.size() ? '=' : digits[(group >> (18 - 6 * k)) & 63U];
  }
  return out;
}

/// The address of a PNG image that lies in the page itself.
[[nodiscard]] inline std::string data_url(std::span<const std::uint8_t> png) {
  return "data:image/png;base64," + base64(png);
}

}  // namespace equipoise::report
