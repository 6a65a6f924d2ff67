// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A stream of random numbers of its own for every purpose: (cohort seed, machine, plan, field, purpose) give the key,
/// so that any record can be made alone, in any order, with any number of threads.

#include <equipoise/core/base/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numbers>
#include <string_view>

namespace equipoise::psqa {

class RandomStream {
 public:
  RandomStream(std::initializer_list<std::uint64_t> key, std::string_view purpose)
      : key_(hash_of({hash_of(key), hash_of(purpose)})) {}

  [[nodiscard]] double uniform() { return to_uniform(hash_of({key_, ++count_})); }
  [[nodiscard]] double uniform(double low, double high) { return low + (high - low) * uniform(); }
  [[nodiscard]] std::int64_t integer(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(uniform() * static_cast<double>(high - low + 1));
  }
  /// Standard normal (Box-Muller).
  [[nodiscard]] double normal() {
    const double u = 1 - uniform(), v = uniform();
    return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
  }
  [[nodiscard]] double normal(double mean, double sd) { return mean + sd * normal(); }
  /// exp(N(0, sd)), cut off at 1.6 sd: no clinic plans what lies beyond.
  [[nodiscard]] double lognormal(double sd) { return std::exp(sd * std::clamp(normal(), -1.6, 1.6)); }

 private:
  std::uint64_t key_, count_ = 0;
};

}  // namespace equipoise::psqa
