// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Gamma criteria as people write them: `3%/2mm`, `3/2`, `0.05Gy/2 mm`.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/text_stream.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

namespace equipoise::psqa {

/// A dose difference that counts as one: a share of the norm or of the local dose, or a dose.
struct DoseTolerance {
  double value = 2;   ///< % or Gy; > 0
  bool gray = false;  ///< a dose in Gy

  /// In % of a norm dose (Gy).
  [[nodiscard]] double percent_of(double norm) const { return gray ? 100 * value / norm : value; }
  friend bool operator==(const DoseTolerance&, const DoseTolerance&) = default;
};

/// Dose difference and distance to agreement.
struct GammaCriterion {
  DoseTolerance dd;
  double dta_mm = 2;  ///< > 0
  friend bool operator==(const GammaCriterion&, const GammaCriterion&) = default;
};

namespace detail {

[[nodiscard]] inline std::string_view without_blanks(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{}
                                         : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// The number > 0 before a unit. \returns 0 where there is none
[[nodiscard]] inline double number_before(std::string_view text, std::string_view unit) {
  double value = 0;
  const bool ends =
      text.ends_with(unit) && parse_option(without_blanks(text.substr(0, text.size() - unit.size())), value);
  return ends && value > 0 && std::isfinite(value) ? value : 0;
}

}  // namespace detail

/// `3`, `3%`, `0.05Gy` or `5cGy`, with or without a blank before the unit; a number alone is in %.
/// \param where the option's name \throws ValueError
[[nodiscard]] inline DoseTolerance parse_dose_tolerance(std::string_view text, const std::string& where) {
  const std::string_view t = detail::without_blanks(text);
  using detail::number_before;
  if (const double percent = number_before(t, "%"); percent > 0) return {percent, false};
  if (const double centi = number_before(t, "cGy"); centi > 0) return {centi / 100, true};
  if (const double gray = number_before(t, "Gy"); gray > 0) return {gray, true};
  if (const double bare = number_before(t, ""); bare > 0) return {bare, false};
  throw ValueError(
      message("value.212", where, "expected a dose difference > 0 such as 3, 3% or 0.05Gy, got \"", text, "\""));
}

/// `2`, `2mm` or `2 mm`. \returns mm \param where the option's name \throws ValueError
[[nodiscard]] inline double parse_distance(std::string_view text, const std::string& where) {
  const std::string_view t = detail::without_blanks(text);
  const double mm = std::max(detail::number_before(t, "mm"), detail::number_before(t, ""));
  if (!(mm > 0))
    throw ValueError(message("value.212", where, "expected a distance > 0 in mm such as 2 or 2mm, got \"", text, "\""));
  return mm;
}

/// Dose difference and distance with a slash between them: `3%/2mm`, `3/2`, `0.05Gy/2 mm`; distances are in mm.
/// \param where the option's name \throws ValueError
[[nodiscard]] inline GammaCriterion parse_gamma_criterion(std::string_view text, const std::string& where) {
  const auto slash = text.find('/');
  const std::string_view distance =
      slash == std::string_view::npos ? std::string_view{} : detail::without_blanks(text.substr(slash + 1));
  const double mm = std::max(detail::number_before(distance, "mm"), detail::number_before(distance, ""));
  if (!(mm > 0))
    throw ValueError(message("value.212", where, "expected criteria such as 3%/2mm or 0.05Gy/2mm, got \"", text, "\""));
  return {parse_dose_tolerance(text.substr(0, slash), where), mm};
}

/// `3 %` or `0.05 Gy`.
[[nodiscard]] inline std::string text_of(const DoseTolerance& dd) {
  TextWriter out;
  out << dd.value << (dd.gray ? " Gy" : " %");
  return std::move(out).str();
}
/// `3 %/2 mm`.
[[nodiscard]] inline std::string text_of(const GammaCriterion& c) {
  TextWriter out;
  out << text_of(c.dd) << "/" << c.dta_mm << " mm";
  return std::move(out).str();
}

}  // namespace equipoise::psqa
