// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Numbers as a reader sees them in tables, charts and on the terminal; NaN is a dash.

#include <equipoise/core/base/text_stream.hpp>

#include <cmath>
#include <string>
#include <utility>

namespace equipoise::report {

/// \param digits that count
[[nodiscard]] inline std::string number(double value, int digits = 3) {
  if (std::isnan(value)) return "–";
  TextWriter out;
  out.precision(digits);
  out << value;
  return std::move(out).str();
}

/// \param decimals after the point
[[nodiscard]] inline std::string fixed(double value, int decimals) {
  if (std::isnan(value)) return "–";
  TextWriter out;
  out.precision(decimals);
  out << std::fixed << value;
  return std::move(out).str();
}

}  // namespace equipoise::report
