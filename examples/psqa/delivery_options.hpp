// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The options of every command that delivers plans in simulation: machines, planes, detector, mismatches.

#include <algorithm>
#include <cstddef>
#include <equipoise/psqa/simulator/settings.hpp>
#include <string>
#include <vector>

#include "command_line.hpp"

namespace psqa_program {

/// Adds an option whose values are an enumeration's names. \param value its default; set when the command is parsed
template <class E>
CLI::Option* add_choice(CLI::App& command, const std::string& option, E& value, const std::string& help) {
  const auto names = names_of(value);
  const std::vector<std::string> known(names.begin(), names.end());
  return command
      .add_option_function<std::string>(
          option,
          [&value, known](const std::string& given) {
            value = static_cast<E>(std::find(known.begin(), known.end(), given) - known.begin());
          },
          help)
      ->check(CLI::IsMember(known))
      ->default_str(known[static_cast<std::size_t>(value)]);
}

/// Deliveries as the command line asks for them.
struct DeliveryArguments {
  psqa::CohortSettings settings;
  std::vector<std::string> mismatches;  ///< key=value, for `set_mismatches`
};

/// Adds `--seed`, `--machines`, `--linac-model`, `--plane`, `--depth`, `--detector` and `--mismatch`, which set `a` when
/// the command is parsed. \pre `a` outlives the parsing
void add_delivery_options(CLI::App& command, DeliveryArguments& a);

/// Sets the mismatches that were given, once those that they are to change are known.
void set_mismatches(DeliveryArguments& a);

}  // namespace psqa_program
