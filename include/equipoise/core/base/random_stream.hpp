// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A stream of random numbers of its own for every purpose: seeds, the place of what it is for and the purpose's name give
/// the key, so that any record can be made alone, in any order, with any number of threads.

#include <equipoise/core/base/random.hpp>

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numbers>
#include <string_view>

namespace equipoise {

class RandomStream {
 public:
  RandomStream(std::initializer_list<std::uint64_t> key, std::string_view purpose)
      : key_(hash_of({hash_of(key), hash_of(purpose)})) {}

  /// 64 random bits, e.g. to seed a generator.
  [[nodiscard]] std::uint64_t bits() { return hash_of({key_, ++count_}); }
  /// Uniform in [0, 1).
  [[nodiscard]] double uniform() { return to_uniform(bits()); }
  [[nodiscard]] double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// One of low, …, high, each as probable.
  [[nodiscard]] std::int64_t integer(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(uniform() * static_cast<double>(high - low + 1));
  }
  /// Standard normal (Box-Muller).
  [[nodiscard]] double normal() {
    const double u = 1 - uniform(), v = uniform();
    return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
  }
  [[nodiscard]] double normal(double mean, double sd) { return mean + sd * normal(); }

 private:
  std::uint64_t key_, count_ = 0;
};

}  // namespace equipoise
