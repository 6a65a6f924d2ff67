// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What `cohort.json` says of the settings that a cohort was simulated with, written and read.

#include <equipoise/core/base/enumeration.hpp>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/simulator/settings.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace equipoise::psqa {

/// The `cohort.json` of a simulated cohort; the writer sets the number of its records.
[[nodiscard]] inline nlohmann::ordered_json cohort_description(const CohortSettings& s) {
  nlohmann::ordered_json mismatch;
  for_each_member(s.mismatch, [&](std::string_view key, double value) { mismatch[std::string(key)] = value; });
  return {{"schema", kCohortSchema},
          {"provenance", "simulated"},
          {"records", 0},
          {"plans", s.plans},
          {"records_of", name_of(s.records)},
          {"seed", s.seed},
          {"machines", s.machines},
          {"planes",
           {{"height", s.pixels},
            {"width", s.pixels},
            {"spacing_mm", s.spacing_mm},
            {"unit", "Gy per fraction"},
            {"geometry", s.records == RecordsOf::fields
                             ? "one field, in the collimator's system"
                             : "composite, all fields at one gantry angle, each turned by its collimator's"},
            {"kind", name_of(s.plane.kind)},
            {"depth_mm", s.plane.depth_mm}}},
          {"linac_model", name_of(s.model)},
          {"outlines", s.outlines.empty() ? "random" : "real"},
          {"plans_from_files", s.real_plans.size()},
          {"detector", name_of(s.detector)},
          {"techniques",
           {{"sliding_window", s.techniques[0]}, {"step_and_shoot", s.techniques[1]}, {"arc", s.techniques[2]}}},
          {"gamma",
           {{"rates", s.records == RecordsOf::fields ? "of the record's field" : name_of(s.rates)},
            {"reference", "measured"},
            {"evaluated", "planned"},
            {"norm", "maximum of planned"},
            {"cutoff_percent", 10},
            {"search", "exact minimum"}}},
          {"mismatch", mismatch}};
}

/// What `cohort.json` says of how deliveries are simulated and planes computed, also that of an imported cohort.
[[nodiscard]] inline nlohmann::ordered_json delivery_description(const CohortSettings& s) {
  nlohmann::ordered_json out, about = cohort_description(s);
  for (const char* key : {"seed", "machines", "planes", "linac_model", "detector", "mismatch"}) out[key] = about[key];
  return out;
}

namespace detail {

/// Reads the value of an enumeration that an object of `cohort.json` names under `key`, where it does.
/// \throws ValueError for a name that is none of the enumeration's
template <class E>
void read_choice(const nlohmann::ordered_json& object, const char* key, E& value) {
  const std::string name = object.value(key, std::string(name_of(value)));
  if (parse_option(name, value)) return;
  const auto names = names_of(value);
  throw ValueError(message("value.331", std::string("cohort.json ") + key, "got \"", name, "\"; ",
                           nearest_name(name, {names.begin(), names.end()})));
}

}  // namespace detail

/// Reads from `cohort.json` what a record is and the settings with which planned planes are
/// computed. Missing entries keep their defaults. \throws ValueError for planes that are not
/// square, and for names that are not known
[[nodiscard]] inline CohortSettings plane_settings(const nlohmann::ordered_json& about) {
  CohortSettings s;
  const nlohmann::ordered_json planes = about.value("planes", nlohmann::ordered_json::object()),
                               made = about.value(kSimulatedDeliveries, about);
  s.seed = made.value("seed", s.seed), s.machines = made.value("machines", s.machines);
  s.pixels = planes.value("height", s.pixels);
  if (const std::size_t width = planes.value("width", s.pixels); width != s.pixels)
    throw ValueError(
        message("value.331", "cohort.json planes", "expected square planes, got ", s.pixels, " x ", width));
  s.spacing_mm = planes.value("spacing_mm", s.spacing_mm);
  s.plane.depth_mm = planes.value("depth_mm", s.plane.depth_mm);
  detail::read_choice(planes, "kind", s.plane.kind);
  detail::read_choice(about, "records_of", s.records);
  detail::read_choice(made, "linac_model", s.model);
  // The planning system is tuned to machines that differ from it by the mismatches.
  const nlohmann::ordered_json mismatch = made.value("mismatch", nlohmann::ordered_json::object());
  for (const auto& [key, value] : mismatch.items()) set_option(s.mismatch, key, value.dump(), "cohort.json mismatch");
  return s;
}

/// Reads from `cohort.json` the settings that a cohort was simulated with, so that its deliveries can be
/// repeated. Outlines and plans of files stand in files of their own. \throws ValueError for a cohort
/// that was not simulated as a whole, and as `plane_settings` does
[[nodiscard]] inline CohortSettings cohort_settings(const nlohmann::ordered_json& about) {
  if (const std::string provenance = about.value("provenance", "unknown"); provenance != "simulated")
    throw ValueError(
        message("value.331", "cohort.json provenance", "expected \"simulated\", got \"", provenance, "\""));
  CohortSettings s = plane_settings(about);
  s.plans = about.value("plans", s.plans);
  detail::read_choice(about, "detector", s.detector);
  const nlohmann::ordered_json none = nlohmann::ordered_json::object(), shares = about.value("techniques", none);
  for (std::size_t t = 0; t < s.techniques.size(); ++t)
    s.techniques[t] = shares.value(std::string(name_of(static_cast<Technique>(t))), s.techniques[t]);
  if (s.records == RecordsOf::plans) detail::read_choice(about.value("gamma", none), "rates", s.rates);
  return s;
}

}  // namespace equipoise::psqa
