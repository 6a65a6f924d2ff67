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
#include <utility>
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

/// A plan's line of the table, with metrics and without rates; its texts are UTF-8.
[[nodiscard]] inline CohortRecord table_record(const Plan& plan, std::string id, std::string site) {
  CohortRecord r;
  r.id = std::move(id);
  r.patient = plan.patient.empty() ? r.id : plan.patient;
  r.site = std::move(site);
  r.machine = plan.beams[0].machine.empty() ? "unknown" : plan.beams[0].machine;
  r.fault = "unknown";
  r.metrics = table_row(plan);
  for (std::string* text : {&r.id, &r.patient, &r.site, &r.machine}) *text = table_text(*text);
  return r;
}

}  // namespace equipoise::psqa
