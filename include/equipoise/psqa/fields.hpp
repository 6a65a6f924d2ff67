// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The fields of a plan, each as a plan of its own.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// A field as a plan of its own, with an equal part of the prescription.
struct Field {
  std::size_t beam;  ///< its position among the plan's beams
  Plan plan;
};

/// The fields of a plan: its beams that deliver anything. \throws ValueError when none does
[[nodiscard]] inline std::vector<Field> fields_of(Plan plan) {
  std::vector<Beam> beams = std::exchange(plan.beams, {});
  const auto n = std::count_if(beams.begin(), beams.end(), std::mem_fn(&Beam::delivers));
  if (n == 0)
    throw ValueError(message("value.302", plan.file.empty() ? plan.id : plan.file,
                             "expected a treatment beam with a multileaf collimator and MU > 0, got none"));
  plan.prescription_Gy /= static_cast<double>(n);
  std::vector<Field> out;
  for (std::size_t b = 0; b < beams.size(); ++b) {
    if (!beams[b].delivers()) continue;
    out.push_back({b, plan});
    out.back().plan.id += "_field" + std::to_string(b + 1);
    out.back().plan.beams.push_back(std::move(beams[b]));
  }
  return out;
}

}  // namespace equipoise::psqa
