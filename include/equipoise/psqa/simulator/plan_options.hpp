// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What is chosen of simulated plans: the technique, the spread of their complexity, and real patients' targets.

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace equipoise::psqa {

/// How a plan is delivered.
enum class Technique : std::uint8_t { sliding_window, step_and_shoot, arc };
[[nodiscard]] constexpr std::array<std::string_view, 3> names_of(Technique) {
  return {"sliding_window", "step_and_shoot", "arc"};
}

/// Whether a beam at a gantry angle (degree) sees the target at (x, y), mm.
using TargetView = std::function<bool(double gantry, double x, double y)>;

/// A real patient's target.
struct Outline {
  std::string patient;
  TargetView view;
};

/// Spread of the plans' complexity within a site: standard deviations of the logarithms.
struct ComplexitySpread {
  double amplitude = 0.45, length = 0.35, speed = 0.30;
};

}  // namespace equipoise::psqa
