// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a virtual cohort is made of: plans, machines, detector, planes, mismatches, and what a record is.

#include <equipoise/core/base/enumeration.hpp>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/plan.hpp>
#include <equipoise/psqa/simulator/detector.hpp>
#include <equipoise/psqa/simulator/mismatch.hpp>
#include <equipoise/psqa/simulator/plan_options.hpp>
#include <equipoise/psqa/simulator/plane_system.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise::psqa {

/// Of what a record's passing rates are: of the plane of all fields together, or the mean over its fields' own planes
/// (portal dosimetry field by field).
enum class RatesOf : std::uint8_t { composite, fields };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(RatesOf) {
  return {"composite", "fields"};
}

/// What a record is: a plan, or each field of a plan (portal dosimetry, one prediction a field).
enum class RecordsOf : std::uint8_t { plans, fields };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(RecordsOf) {
  return {"plans", "fields"};
}

/// In which system of coordinates the planes of such records lie: portal images of single fields along the leaves.
[[nodiscard]] inline PlaneSystem plane_system(RecordsOf records) {
  return records == RecordsOf::fields ? PlaneSystem::collimator : PlaneSystem::gantry;
}

/// The mismatches that a cohort of such records starts from.
[[nodiscard]] inline Mismatch usual_mismatch(RecordsOf records) {
  return records == RecordsOf::fields ? portal_mismatch() : Mismatch{};
}

struct CohortSettings {
  std::int64_t plans = 300;
  std::uint64_t seed = 1;
  std::int64_t machines = 8;
  LinacModel model = LinacModel::millennium_120;  ///< of all machines
  std::size_t pixels = 120;                       ///< of the stored square planes
  double spacing_mm = 2;                          ///< of the stored planes; fluence and dose are computed at half of it
  std::array<double, 3> techniques = {1, 0, 0};   ///< relative shares of sliding windows, step-and-shoot, arcs
  Detector detector = Detector::epid;
  RecordsOf records = RecordsOf::plans;
  RatesOf rates = RatesOf::composite;  ///< of records that are plans
  DosePlane plane{};                   ///< of what is planned and measured
  Mismatch mismatch{};
  ComplexitySpread spread{};
  std::vector<Outline> outlines{};  ///< targets of real patients, taken in turn; none: random ones of all sites
  std::vector<Plan> real_plans{};   ///< delivered as the first records; the plans after them are made
};

/// \throws ValueError for settings that no cohort can have.
inline void check(const CohortSettings& s) {
  const auto expect = [](bool good, const char* where, const char* what, double got) {
    if (!good)
      throw ValueError(message("value.331", std::string("CohortSettings.") + where, "expected ", what, ", got ", got));
  };
  expect(s.plans >= 1, "plans", ">= 1", static_cast<double>(s.plans));
  expect(s.machines >= 1 && s.machines <= 1000, "machines", "within 1..1000", static_cast<double>(s.machines));
  expect(s.pixels >= 8 && s.pixels <= 1024, "pixels", "within 8..1024", static_cast<double>(s.pixels));
  expect(s.spacing_mm > 0 && s.spacing_mm <= 10, "spacing_mm", "within (0, 10]", s.spacing_mm);
  const double depth = s.plane.depth_mm;
  expect(depth == 0 || (depth >= 20 && depth <= 200), "plane.depth_mm", "0 or within 20..200", depth);
  if (s.plane.kind == PlaneKind::epid) {
    expect(depth == 0, "plane.depth_mm", "0, since a portal image (epid) has no depth in water", depth);
    if (s.detector != Detector::epid)
      throw ValueError(message("value.331", "CohortSettings.detector", "expected epid, which takes portal images, got ",
                               name_of(s.detector)));
  }
  double shares = 0;
  for (const double t : s.techniques) {
    expect(t >= 0 && std::isfinite(t), "techniques", "shares >= 0", t);
    shares += t;
  }
  expect(shares > 0, "techniques", "a share > 0", shares);
  for (const double sd : {s.spread.amplitude, s.spread.length, s.spread.speed})
    expect(sd >= 0 && sd <= 2, "spread", "within 0..2", sd);
  check(s.mismatch);
}

}  // namespace equipoise::psqa
