// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Counter-based random numbers: a value is a hash of where it is used (seed, epoch, step, purpose, record …), so that
/// nothing needs to be saved for a resume, and the numbers do not depend on how a batch is cut into micro-batches or
/// ranks.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

/// What splitmix64 adds to its state for each number.
inline constexpr std::uint64_t kMixStep = 0x9e3779b97f4a7c15ULL;

/// The splitmix64 finaliser: a bijection whose output bits all depend on all input bits.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) {
  x += kMixStep;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// One number out of several; the order matters.
[[nodiscard]] constexpr std::uint64_t hash_of(std::initializer_list<std::uint64_t> parts) {
  std::uint64_t h = 0;
  for (const std::uint64_t part : parts) h = mix(h ^ mix(part));
  return h;
}

/// FNV-1a of a purpose's name.
[[nodiscard]] constexpr std::uint64_t hash_of(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325ULL;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return h;
}

/// Uniform in [0, 1).
[[nodiscard]] constexpr double to_uniform(std::uint64_t h) {
  return static_cast<double>(h >> 11) * 0x1.0p-53;
}

/// 0 .. n-1 in an order that depends on `key` alone (Fisher-Yates).
[[nodiscard]] inline std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t key) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(to_uniform(hash_of({key, i})) * static_cast<double>(i))]);
  return order;
}

}  // namespace equipoise
