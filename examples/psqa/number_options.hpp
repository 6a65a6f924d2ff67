// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Options of several numbers, as `--at 0,0` or `--at 0 0`, beside arguments that are files.

#include <algorithm>
#include <cstddef>
#include <equipoise/core/base/options.hpp>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "command_line.hpp"

namespace psqa_program {

/// Numbers with `,` or `x` between them. \returns none where a part is no number
[[nodiscard]] inline std::vector<double> numbers_in(std::string_view text) {
  std::vector<double> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find_first_of("x,", at), text.size());
    if (!eq::parse_option(text.substr(at, end - at), out.emplace_back())) return {};
    at = end + 1;
  }
  return out;
}

/// The words of the command line, with the numbers that follow an option of several numbers in one word with it:
/// `--at 0 0 plan.dcm` is `--at=0,0 plan.dcm`. CLI11 would take the file as a third number, or a number as a file.
[[nodiscard]] inline std::vector<std::string> with_numbers_together(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  bool takes_numbers = false, first = false;  // of the last word of `out`
  for (const std::string& word : words) {
    const std::string_view number = std::string_view(word).substr(0, word.size() - word.ends_with(','));
    if (takes_numbers && !numbers_in(number).empty()) {
      out.back().append(first ? "=" : ",").append(number);
      first = false;
      continue;
    }
    const std::string name = word.substr(0, word.find('='));
    takes_numbers = name == "--at" || name == "--shift" || name == "--spacing" || name == "--spacing-evaluated";
    first = name == word;
    out.push_back(word);
  }
  return out;
}

/// Adds an option of places along x, y and perhaps z in mm. \param most how many numbers it takes at most, 2 or 3
inline CLI::Option* add_places(CLI::App& c, const std::string& name, std::vector<double>& mm, std::size_t most,
                               const std::string& help) {
  const std::string form = most == 2 ? "x,y" : "x,y[,z]";
  return c
      .add_option_function<std::string>(
          name,
          [&mm, name, most, form](const std::string& text) {
            mm = numbers_in(text);
            if (mm.size() < 2 || mm.size() > most || text.find('x') != std::string::npos)
              throw CLI::ValidationError(name, "expected numbers in mm as " + form + ", got \"" + text + "\"");
          },
          help)
      ->type_name(form);
}

/// Checks that an argument is a file: a number that is none was meant for an option.
[[nodiscard]] inline CLI::Validator a_file() {
  return {[](std::string& text) {
            std::error_code none;
            return numbers_in(text).empty() || fs::exists(text, none)
                       ? std::string()
                       : "expected a file, got the number \"" + text + "\"";
          },
          ""};
}

}  // namespace psqa_program
