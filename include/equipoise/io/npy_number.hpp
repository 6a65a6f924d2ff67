// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The numbers of NPY files, of any real type and byte order, as doubles.

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace equipoise::io::detail {

/// A number of 16 bits: sign, 5 bits of exponent, 10 of fraction (IEEE 754 binary16).
[[nodiscard]] inline double half_precision(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == 0x1f)
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}

/// One number of `size` bytes, of the kind that an NPY type's letter says: f, i, u or b.
[[nodiscard]] inline double npy_number(const char* at, char kind, std::size_t size, bool big_endian) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < size; ++i)
    bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(at[big_endian ? size - 1 - i : i])) << (8 * i);
  if (kind == 'f') {
    if (size == 2) return half_precision(static_cast<std::uint16_t>(bits));
    if (size == 8) return std::bit_cast<double>(bits);
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  if (kind != 'i') return static_cast<double>(bits);
  const std::size_t unused = 64 - 8 * size;  // the sign is that of the highest bit there is
  return static_cast<double>(static_cast<std::int64_t>(bits << unused) >> unused);
}

}  // namespace equipoise::io::detail
