// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The unit of doses as text files state it.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/text_file.hpp>

#include <array>
#include <string>
#include <string_view>
#include <utility>

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

}  // namespace equipoise::psqa
