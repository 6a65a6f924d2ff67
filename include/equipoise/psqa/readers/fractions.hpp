// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The dose of all fractions of a plan beside that of one fraction: divided by the plan's number of fractions.

#include <equipoise/psqa/dicom/dose_description.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/plan.hpp>

#include <cmath>
#include <string>

namespace equipoise::psqa {

/// A dose, the file that it was read from, and what that says about it.
struct DoseOfFile {
  DoseGrid& grid;
  std::string file;
  DoseDescription says{};
};

/// What was done to two doses, or what could not be. All texts are one line, and empty where there is nothing to say.
struct Fractions {
  double first = 1, second = 1;  ///< factors on the doses
  std::string note{}, warning{};
};

/// Divides the dose of all fractions (PLAN, MULTI_PLAN) by the plan's number of them where the other dose is of one
/// fraction: a measurement, or FRACTION. Doses that are not in Gy stay.
/// \param plan none: nothing is divided, with a warning where the other file says FRACTION, or the largest doses suggest
/// several fractions
inline Fractions to_one_fraction(const DoseOfFile& a, const DoseOfFile& b, const Plan* plan) {
  Fractions out;
  if (a.says.of_all_fractions() == b.says.of_all_fractions()) return out;
  const bool first = a.says.of_all_fractions();
  const DoseOfFile &all = first ? a : b, &one = first ? b : a;
  const auto in_gray = [](const DoseGrid& g) { return g.units == DoseUnits::gray || g.units == DoseUnits::unknown; };
  if (!one.says.of_one_fraction() || !in_gray(all.grid)) return out;
  const int n = plan ? plan->fractions : 0;
  const std::string what = all.file + ": " + all.says.summation + " dose";
  const double ratio = in_gray(one.grid) ? maximum_dose(all.grid) / maximum_dose(one.grid) : n;
  if (n <= 0) {
    if (plan || ratio > 1.5 || !one.says.summation.empty())
      out.warning = what + " of all fractions beside " + one.file + ", of one: " +
                    (plan ? "the plan does not tell their number" : "no plan tells their number (--plan)") +
                    ": it is not divided";
    return out;
  }
  if (n == 1) return out;
  for (double& v : all.grid.values) v /= n;
  (first ? out.first : out.second) = 1.0 / n;
  out.note = what + " of " + std::to_string(n) + " fractions, divided by " + std::to_string(n) +
             ", the number of fractions of the plan " + plan->id;
  // Some planning systems call the dose of one fraction that of the plan.
  if (std::abs(std::log(ratio)) < std::abs(std::log(ratio / n)))
    out.warning = what + " fits " + one.file + " better undivided: is it the dose of one fraction?";
  return out;
}

}  // namespace equipoise::psqa
