// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Games for tests of Shapley values.

#include <equipoise/core/base/random.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace support {

/// The values in [0, 1) of all coalitions, in mask order.
inline std::vector<double> random_game(std::size_t players, std::uint64_t seed) {
  std::vector<double> v(std::size_t{1} << players);
  for (std::size_t s = 0; s < v.size(); ++s)
    v[s] = equipoise::to_uniform(equipoise::hash_of({seed, static_cast<std::uint64_t>(s)}));
  return v;
}

}  // namespace support
