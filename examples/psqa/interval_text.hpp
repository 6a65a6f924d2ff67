// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// An interval as tables and sentences have it.

#include <equipoise/evaluation/bootstrap.hpp>
#include <equipoise/report/numbers.hpp>
#include <string>

namespace psqa_program {

/// `2.58 [2.41, 2.77]` \param decimals after the point
[[nodiscard]] inline std::string with_interval(const equipoise::Interval& i, int decimals) {
  using equipoise::report::fixed;
  return fixed(i.value, decimals) + " [" + fixed(i.low, decimals) + ", " + fixed(i.high, decimals) + "]";
}

}  // namespace psqa_program
