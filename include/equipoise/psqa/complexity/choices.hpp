// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Choices for published formulas that can be read in more than one way. Each has a name and a
/// default (this project's reading of the source), and is written beside the values.
/// docs/complexity.md says which metrics each one touches.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/psqa/plan.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace equipoise::psqa {

/// Which apertures a beam has, and what each weighs: the one halfway through an interval with the interval's MU; the
/// one at a control point with half the MU of both its intervals, or with those of the interval that ends there.
enum class ApertureRule : std::uint8_t { interval, control_point, control_point_ending };
[[nodiscard]] constexpr std::array<std::string_view, 3> names_of(ApertureRule) {
  return {"interval", "control_point", "control_point_ending"};
}

/// Divisor of LSV: N - 1 neighbours, or N leaves.
enum class LsvDivisor : std::uint8_t { neighbours, leaves };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(LsvDivisor) {
  return {"neighbours", "leaves"};
}

/// LSV's differences between neighbours: absolute values, or with their sign.
enum class LsvDifference : std::uint8_t { absolute, with_sign };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(LsvDifference) {
  return {"absolute", "with_sign"};
}

/// What AAV compares an aperture with: per pair the way between the outermost positions of both leaves (McNiven), per
/// pair the largest gap times exposed height (UCoMX), or the area of the union of all openings. The first compares
/// lengths, the others areas; the first two take the leaves' tips, even under the jaws at the leaves' ends.
enum class AavMaximum : std::uint8_t { envelope, largest_gap, union_of_openings };
[[nodiscard]] constexpr std::array<std::string_view, 3> names_of(AavMaximum) {
  return {"envelope", "largest_gap", "union_of_openings"};
}

/// Which pairs SAS counts in its divisor: open ones, all exposed ones, or all of the bank. The last takes small gaps
/// wherever they are, as if there were no jaws.
enum class SasPairs : std::uint8_t { open, exposed, bank };
[[nodiscard]] constexpr std::array<std::string_view, 3> names_of(SasPairs) {
  return {"open", "exposed", "bank"};
}

/// Whether a pair that lies fully under a jaw is hidden or counts as exposed (and as open if its
/// gap is). It has no area in either case.
enum class LeavesUnderJaw : std::uint8_t { hidden, exposed };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(LeavesUnderJaw) {
  return {"hidden", "exposed"};
}

/// The gap that a pair must exceed to be open: `closed_gap_mm`, or the smallest gap in the plan
/// plus `closed_gap_mm` (UCoMX).
enum class ClosedGap : std::uint8_t { fixed, plan_minimum };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(ClosedGap) {
  return {"fixed", "plan_minimum"};
}

/// How SAS and CAS compare gaps with their limits, and tips with the axis: in the decimals that files hold, or as binary
/// numbers, where a gap of exactly 5.0 mm may be smaller than 5 mm by its last digit (as other programs do).
enum class Limits : std::uint8_t { decimals, binary };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(Limits) {
  return {"decimals", "binary"};
}

/// Whether EM counts leaf-side edges at which a jaw ends the field. Edges of closed leaves always
/// count.
enum class JawEdges : std::uint8_t { included, excluded };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(JawEdges) {
  return {"included", "excluded"};
}

/// LT of a beam: the mean over moving in-field leaves (Masi), or their sum over the number of pairs of the bank.
enum class TravelMean : std::uint8_t { moving_leaves, pairs };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(TravelMean) {
  return {"moving_leaves", "pairs"};
}

/// The leaves of LT for stacked collimators: strips of the virtual bank, or the leaves of each
/// layer. A layer's pair is open where it opens in its own layer.
enum class TravelLeaves : std::uint8_t { strips, physical };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(TravelLeaves) {
  return {"strips", "physical"};
}

struct ComplexityChoices {
  ApertureRule apertures = ApertureRule::interval;
  LsvDivisor lsv_divisor = LsvDivisor::neighbours;
  LsvDifference lsv_difference = LsvDifference::absolute;
  AavMaximum aav_maximum = AavMaximum::envelope;
  SasPairs sas_pairs = SasPairs::open;
  LeavesUnderJaw leaves_under_jaw = LeavesUnderJaw::hidden;
  JawEdges jaw_edges = JawEdges::included;
  TravelMean travel_mean = TravelMean::moving_leaves;
  TravelLeaves travel_leaves = TravelLeaves::strips;
  ClosedGap closed_gap = ClosedGap::fixed;
  Limits limits = Limits::decimals;
  double closed_gap_mm = 1e-6;     ///< a pair is open when its gap exceeds this by `same_place_mm` (see `closed_gap`)
  double edge_distance_mm = 5;     ///< EAM: how far from an edge still belongs to it
  double park_k = 0.5;             ///< upper limit of the integral of MIs, MIa, MIt: 0.2, 0.5, 1 or 2
  double default_dose_rate = 600;  ///< MU/min, where the plan gives none
  double gantry_speed_deg_per_s = 6;          ///< the fastest
  double fluence_pixel_mm = 2.5;              ///< of the maps for WMI, FD and the fluence features
  double same_place_mm = kPlaceTolerance_mm;  ///< places of leaves and jaws that differ by less are the same
  double log_band_mm = 0.2;   ///< delivery logs: jitter of leaves and jaws up to ± this is no motion; 0 keeps all
  double log_band_deg = 0.2;  ///< the same of the angles of gantry, collimator and couch
  double log_line_mm = 1;     ///< delivery logs: tips of a bank within this stand in line (TG-142's leaf tolerance)
};

}  // namespace equipoise::psqa

EQUIPOISE_REFLECT(equipoise::psqa::ComplexityChoices, apertures, lsv_divisor, lsv_difference, aav_maximum, sas_pairs,
                  leaves_under_jaw, jaw_edges, travel_mean, travel_leaves, closed_gap, limits, closed_gap_mm,
                  edge_distance_mm, park_k, default_dose_rate, gantry_speed_deg_per_s, fluence_pixel_mm, same_place_mm,
                  log_band_mm, log_band_deg, log_line_mm);

namespace equipoise::psqa {

/// \throws ValueError for a choice that is out of its range.
inline void check(const ComplexityChoices& c) {
  const auto need = [](bool ok, const char* what, double got) {
    if (!ok) throw ValueError(message("value.306", "complexity", "expected ", what, ", got ", got));
  };
  need(c.closed_gap_mm >= 0 && c.closed_gap_mm <= 1000, "closed_gap_mm within 0 .. 1000", c.closed_gap_mm);
  need(c.edge_distance_mm > 0 && c.edge_distance_mm <= 100, "edge_distance_mm within 0 .. 100", c.edge_distance_mm);
  need(c.park_k > 0 && c.park_k <= 100, "park_k within 0 .. 100", c.park_k);
  need(c.default_dose_rate > 0 && std::isfinite(c.default_dose_rate), "default_dose_rate > 0", c.default_dose_rate);
  need(c.gantry_speed_deg_per_s > 0 && std::isfinite(c.gantry_speed_deg_per_s), "gantry_speed_deg_per_s > 0",
       c.gantry_speed_deg_per_s);
  need(c.fluence_pixel_mm >= 0.1 && c.fluence_pixel_mm <= 100, "fluence_pixel_mm within 0.1 .. 100",
       c.fluence_pixel_mm);
  need(c.same_place_mm >= 0 && c.same_place_mm <= 1, "same_place_mm within 0 .. 1", c.same_place_mm);
  need(c.log_band_mm >= 0 && c.log_band_mm <= 10, "log_band_mm within 0 .. 10", c.log_band_mm);
  need(c.log_band_deg >= 0 && c.log_band_deg <= 10, "log_band_deg within 0 .. 10", c.log_band_deg);
  need(c.log_line_mm >= 0 && c.log_line_mm <= 10, "log_line_mm within 0 .. 10", c.log_line_mm);
}

}  // namespace equipoise::psqa
