// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Plan complexity metrics by their published formulas (docs/complexity.md lists them with sources, units and ranges).
/// `ComplexityChoices` names the reading of formulas that can be read in more than one way. A
/// plan's value is the MU-weighted mean over its beams, unless the definition differs.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/base/text_stream.hpp>
#include <equipoise/psqa/complexity/beam_complexity.hpp>
#include <equipoise/psqa/complexity/choices.hpp>
#include <equipoise/psqa/complexity/log_jitter.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

struct Complexity {
  MetricList plan;
  std::vector<BeamComplexity> beams;  ///< those with apertures
  ComplexityChoices choices;
  std::vector<std::string> warnings;  ///< which beams have MU but no apertures
};

namespace detail {

/// A plan's value of a beam metric: the sum, or the mean weighted by MU over the beams in which it is defined.
[[nodiscard]] inline double over_beams(const std::vector<BeamComplexity>& beams, std::string_view name, bool sum) {
  WeightedMean mean;
  double total = 0;
  for (const BeamComplexity& b : beams) {
    const double value = metric(b.metrics, name);
    total += value;
    mean.add(value, metric(b.metrics, "MU"));
  }
  return sum ? total : mean.value();
}

/// The mean direction of the beams' collimators weighted by MU, within 0 .. 360 degree; NaN where they cancel out.
[[nodiscard]] inline double mean_collimator(const std::vector<BeamComplexity>& beams) {
  if (beams.empty()) return std::numeric_limits<double>::quiet_NaN();
  // Counted from the first beam's angle, which so comes back to the last digit where all have it.
  const double first = metric(beams[0].metrics, "COLL_deg"), degree = std::numbers::pi / 180;
  double x = 0, y = 0, mu = 0;
  for (const BeamComplexity& b : beams) {
    const double w = metric(b.metrics, "MU"), turn = degree * (metric(b.metrics, "COLL_deg") - first);
    x += w * std::cos(turn), y += w * std::sin(turn), mu += w;
  }
  if (!(std::hypot(x, y) > 1e-9 * mu)) return std::numeric_limits<double>::quiet_NaN();
  double mean = std::fmod(first + std::atan2(y, x) / degree, 360);
  if (mean < -1e-9) mean += 360;
  return mean > 360 - 1e-9 ? mean - 360 : mean;
}

/// The warning about a plan's beams without apertures; empty if every beam with MU has apertures.
[[nodiscard]] inline std::string beams_without_apertures(const std::vector<const Beam*>& beams) {
  std::string numbers;
  double mu = 0;
  for (const Beam* b : beams) numbers += (numbers.empty() ? "" : ", ") + std::to_string(b->number), mu += b->mu;
  TextWriter out;
  if (!beams.empty())
    out << "no multileaf collimator, or a single control point, in beams " << numbers << " (" << mu
        << " MU): they count in MU, PMU, MF and NBEAM, and have no aperture metrics";
  return std::move(out).str();
}

/// Why a plan has no metrics: what each of its beams lacks.
[[nodiscard]] inline std::string reason_without_metrics(const Plan& plan) {
  std::string without_leaves, without_mu, single_points;
  for (const Beam& b : plan.beams) {
    std::string& list = b.layers.empty() ? without_leaves : b.mu > 0 ? single_points : without_mu;
    list += (list.empty() ? "" : ", ") + std::to_string(b.number);
  }
  std::string out;
  for (const auto& [list, what] : {std::pair{without_leaves, "without multileaf collimator (jaws alone)"},
                                   {without_mu, "without MU"},
                                   {single_points, "with a single control point"}})
    if (!list.empty())
      out += (out.empty() ? ": beam" : "; beam") + std::string(list.find(',') == std::string::npos ? " " : "s ") +
             list + " " + what;
  return out;
}

/// Metrics of the plan from those of its beams. \param mu of all treatment beams
[[nodiscard]] inline MetricList plan_metrics(const Plan& plan, const std::vector<BeamComplexity>& beams, double mu,
                                             std::size_t treated) {
  const auto sum = [&](std::string_view name) { return over_beams(beams, name, true); };
  const auto mean = [&](std::string_view name) { return over_beams(beams, name, false); };
  const auto maximum = [&](std::string_view name) {
    double out = std::numeric_limits<double>::quiet_NaN();
    for (const BeamComplexity& b : beams) out = std::fmax(out, metric(b.metrics, name));
    return out;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN(), dose = plan.dose_per_fraction(), arc = sum("ARC_deg");
  MetricList out = {{"MU", mu}, {"NBEAM", static_cast<double>(treated)}, {"NCP", sum("NCP")}, {"NSEG", sum("NSEG")}};
  for (const char* name :
       {"MUCA",     "AAV",        "LSV",          "MCS",      "MCSv",     "LT_mm",   "LTi",     "LTMCS",
        "SAS2",     "SAS5",       "SAS10",        "SAS20",    "MAD_mm",   "CLS",     "CAS",     "ALG_mm",
        "SDGAP_mm", "AFW_mm",     "EFS_mm",       "FSMALL4",  "TGI",      "EM_mm-1", "EAM",     "CAM",
        "PERIM_mm", "BAR",        "MIs",          "MIa",      "MIt",      "WMI",     "FD",      "FMAX",
        "FCOV",     "FGRAD_mm-1", "FGRAD99_mm-1", "FENT_bit", "MUSEG_MU", "JAWX_mm", "JAWY_mm", "LEAFW_mm"})
    out.emplace_back(name, mean(name));
  for (const char* name : {"ENERGY_MV", "FFF", "crossed_leaf_fraction"}) out.emplace_back(name, mean(name));
  out.emplace_back("COLL_deg", mean_collimator(beams));
  out.emplace_back("PM", mean("BM")), out.emplace_back("PI", mean("BI"));
  out.emplace_back("PA_mm2", mean("BA_mm2")), out.emplace_back("MFA_mm2", mean("BA_mm2"));
  out.emplace_back("LTSUM_mm", sum("LTSUM_mm")), out.emplace_back("LTMU_mm_per_MU", sum("LTSUM_mm") / mu);
  out.emplace_back("ARC_deg", arc);
  out.emplace_back("MUDEG_MU_per_deg", arc > 1 ? mu / arc : nan);
  out.emplace_back("LTAL_mm_per_deg", arc > 1 ? sum("LTSUM_mm") / arc : nan);
  out.emplace_back("SEG5MU", sum("SEG5MU"));
  for (const char* name : {"VMAX_mm_per_s", "MAXDISP_mm", "JAWXMAX_mm", "JAWYMAX_mm"})
    out.emplace_back(name, maximum(name));
  out.emplace_back("DPF_Gy", dose > 0 ? dose : nan);
  out.emplace_back("PMU", dose > 0 ? mu * 2 / dose : nan);
  out.emplace_back("MF_MU_per_cGy", dose > 0 ? mu / (100 * dose) : nan);
  return out;
}

/// The smallest gap in mm of a plan's leaf pairs, of all layers at all control points of its beams with MU; that of
/// crossed leaves is 0.
[[nodiscard]] inline double smallest_gap(const Plan& plan) {
  double gap = kInfinity;
  for (const Beam& beam : plan.beams) {
    if (!(beam.mu > 0)) continue;
    for (const ControlPoint& cp : beam.control_points)
      for (const LeafPositions& leaves : cp.leaves)
        for (const auto& [a, b] : views::zip(leaves.a, leaves.b)) gap = std::min(gap, std::max(0.0, b - a));
  }
  return gap;
}

/// \throws ValueError when a leaf is missing, NaN, or too far away for any collimator
inline void check_leaves(const Plan& plan, const Beam& beam) {
  const std::string& where = plan.file.empty() ? plan.id : plan.file;
  for (const ControlPoint& cp : beam.control_points) {
    bool whole = cp.leaves.size() == beam.layers.size();
    for (std::size_t l = 0; whole && l < cp.leaves.size(); ++l)
      whole = cp.leaves[l].a.size() == beam.layers[l].pairs() && cp.leaves[l].b.size() == beam.layers[l].pairs();
    if (!whole)
      throw ValueError(message("value.309", where, "beam ", beam.number,
                               ": expected both leaves of each pair at each control point"));
  }
  const auto within = [](double v) { return std::abs(v) <= kFarthest_mm; };
  const auto all = [&](const std::vector<double>& places) { return std::all_of(places.begin(), places.end(), within); };
  bool ok = std::all_of(beam.layers.begin(), beam.layers.end(), [&](const Layer& l) { return all(l.boundaries); });
  for (const ControlPoint& cp : beam.control_points)
    for (const LeafPositions& leaves : cp.leaves) ok = ok && all(leaves.a) && all(leaves.b);
  if (!ok) throw ValueError(message("value.309", where, "beam ", beam.number, ": expected leaves within ±2000 mm"));
}

}  // namespace detail

/// All metrics of a plan, of each of its beams that has leaves and MU, and of their apertures. MU, PMU, MF and NBEAM
/// count every beam with MU. A delivery log's plan is taken without its jitter (`without_jitter`), and places within half
/// of its dead band are the same.
/// \throws ValueError when no beam has both, a leaf is missing or farther than 2 m from the axis, or a choice is out of
/// its range.
[[nodiscard]] inline Complexity complexity(const Plan& given, const ComplexityChoices& choices = {}) {
  check(choices);
  Complexity out;
  out.choices = choices;
  ComplexityChoices used = choices;
  std::optional<Plan> calm;
  if (given.logged) {
    for (const Beam& beam : given.beams) detail::check_leaves(given, beam);
    calm = without_jitter(given, choices);
    used.same_place_mm = std::max(used.same_place_mm, 0.5 * used.log_band_mm);
  } else {
    used.log_line_mm = 0;
  }
  const Plan& plan = calm ? *calm : given;
  if (choices.closed_gap == ClosedGap::plan_minimum) used.closed_gap_mm += detail::smallest_gap(plan);
  double mu = 0;
  std::size_t treated = 0;
  std::vector<const Beam*> without;
  for (const Beam& beam : plan.beams) {
    if (!(beam.mu > 0)) continue;
    mu += beam.mu, ++treated;
    if (beam.layers.empty() || beam.control_points.size() < 2) {
      without.push_back(&beam);
      continue;
    }
    detail::check_leaves(plan, beam);
    out.beams.push_back(detail::beam_complexity(beam, used));
  }
  if (out.beams.empty())
    throw ValueError(message("value.302", plan.file.empty() ? plan.id : plan.file,
                             "expected a treatment beam with a multileaf collimator and MU > 0, got none",
                             detail::reason_without_metrics(plan)));
  if (!without.empty()) out.warnings.push_back(detail::beams_without_apertures(without));
  out.plan = detail::plan_metrics(plan, out.beams, mu, treated);
  return out;
}

}  // namespace equipoise::psqa
