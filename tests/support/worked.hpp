// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Comparison with numbers that a document prints to some digits: absolute, without Catch's own relative tolerance.

#include <vector>

#include "support/catch.hpp"

namespace support {

/// Within `margin` of a printed number; by default one unit of the sixth decimal.
inline Approx printed(double value, double margin = 1e-6) {
  return Approx(value).epsilon(0).margin(margin);
}

inline void same(const std::vector<double>& got, const std::vector<double>& expected, double margin = 1e-6) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == printed(expected[i], margin));
}

}  // namespace support
