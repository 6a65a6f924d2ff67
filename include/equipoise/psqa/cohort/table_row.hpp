// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A plan as a line of a cohort's table.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/utf8.hpp>
#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace equipoise::psqa {

/// The table's row for a plan; NaN where it lacks a metric. A map without contrast has Webb's index 0 and dimension 2.
/// \throws ValueError for a plan without leaves or MU, or with a metric that is not finite.
[[nodiscard]] inline std::vector<double> table_row(const Plan& plan) {
  const Complexity c = complexity(plan);
  std::vector<double> row;
  for (const std::string& name : table_metrics()) {
    double value = metric(c.plan, name);
    if (std::isnan(value) && (name == "WMI" || name == "FD")) value = name == "FD" ? 2 : 0;
    if (!std::isfinite(value) && !(std::isnan(value) && may_be_undefined(name)))
      throw ValueError(message("value.302", plan.id, "expected apertures that define ", name, ", got none"));
    row.push_back(value);
  }
  return row;
}

/// A name from a file as a cell of records.csv.
[[nodiscard]] inline std::string table_text(const std::string& text) {
  std::string out = as_utf8(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == ',' || c == '"' || c == '\n' || c == '\r'; }, '_');
  return out;
}

}  // namespace equipoise::psqa
