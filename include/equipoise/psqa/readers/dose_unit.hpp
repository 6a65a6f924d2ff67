// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The unit of doses as text files state it.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/text_file.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// The unit of a file's numbers, and what they are multiplied with to be in Gy, or in % where they are relative.
struct DoseUnit {
  double factor = 1;
  DoseUnits units = DoseUnits::unknown;
  std::string text{};  ///< as the file has it
};

/// From a text such as `cGy`, `%`, `1/10 %`, `Relative` or `cnt`, in any case. What is no unit of dose is `other`; an empty
/// text says nothing.
[[nodiscard]] inline DoseUnit parse_dose_unit(std::string_view text) {
  DoseUnit out;
  out.text = detail::unquoted(text);
  std::string unit;  // lower case, without blanks
  for (const char c : out.text)
    if (c != ' ' && c != '\t') unit += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (unit.empty()) return out;
  constexpr std::array<std::pair<std::string_view, double>, 4> absolute{
      {{"gy", 1}, {"gray", 1}, {"cgy", 0.01}, {"mgy", 0.001}}};
  for (const auto& [name, factor] : absolute)
    if (unit == name) return {factor, DoseUnits::gray, out.text};
  out.units = DoseUnits::other;
  if (unit == "percent") unit = out.text = "%";
  if (unit.find('%') != std::string::npos) out.factor = unit == "1/10%" || unit == "0.1%" ? 0.1 : 1;
  if (unit.find('%') != std::string::npos || unit == "relative" || unit == "rel") out.units = DoseUnits::relative;
  return out;
}

namespace detail {

/// The unit that a text of a table names: `unit: %`, or one in brackets, as in `Dose [cGy]`; else a corner that is one.
/// Lengths are none.
[[nodiscard]] inline DoseUnit unit_in(std::string_view text, bool corner) {
  std::string lower;
  for (const char c : text) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  std::vector<std::string_view> candidates;
  for (const char* brackets : {"[]", "()"})
    for (std::size_t open = text.find(brackets[0]); open != std::string_view::npos;
         open = text.find(brackets[0], open + 1))
      if (const std::size_t close = text.find(brackets[1], open); close != std::string_view::npos)
        candidates.push_back(text.substr(open + 1, close - open - 1));
  if (const std::size_t at = lower.find("unit"); at != std::string::npos)
    if (const std::size_t colon = text.find_first_of(":=", at); colon != std::string_view::npos)
      candidates.push_back(text.substr(colon + 1));
  if (corner) candidates.push_back(text);
  for (const std::string_view candidate : candidates) {
    const DoseUnit unit = parse_dose_unit(candidate);
    if (unit.units == DoseUnits::gray || unit.units == DoseUnits::relative) return unit;
    for (const std::string_view counts : {"cnt", "counts", "Counts", "COUNTS", "CNT"})
      if (unit.text == counts) return unit;
  }
  return {};
}

}  // namespace detail

}  // namespace equipoise::psqa
