// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// An interval as tables and sentences have it.

#include <cmath>
#include <equipoise/evaluation/bootstrap.hpp>
#include <equipoise/report/numbers.hpp>
#include <string>

namespace psqa_program {

/// `2.58 [2.41, 2.77]`; the value alone where it has no interval, a dash where it is not known. \param decimals after the
/// point
[[nodiscard]] inline std::string with_interval(const equipoise::Interval& i, int decimals) {
  using equipoise::report::fixed;
  if (!std::isfinite(i.low) || !std::isfinite(i.high)) return fixed(i.value, decimals);
  return fixed(i.value, decimals) + " [" + fixed(i.low, decimals) + ", " + fixed(i.high, decimals) + "]";
}

}  // namespace psqa_program
