// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How commands that make cohorts name the delivery maps in them.

#include <equipoise/psqa/delivery_channels.hpp>
#include <string>
#include <vector>

#include "common.hpp"

namespace psqa_program {

/// The channels of the maps that a cohort holds; none where it holds no maps.
[[nodiscard]] inline std::vector<std::string> map_names(bool maps) {
  const auto names = names_of(psqa::DeliveryChannel{});
  return maps ? std::vector<std::string>(names.begin(), names.end()) : std::vector<std::string>();
}

/// The same for the end of a line.
[[nodiscard]] inline std::string maps_text(bool maps) {
  return maps ? ", delivery maps " + listed(map_names(maps), " and ") : "";
}

}  // namespace psqa_program
