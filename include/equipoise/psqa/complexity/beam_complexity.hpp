// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The complexity metrics of one beam: means over its apertures, its motion, its fluence, and what it is.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/psqa/complexity/aperture.hpp>
#include <equipoise/psqa/complexity/aperture_metrics.hpp>
#include <equipoise/psqa/complexity/area_variability.hpp>
#include <equipoise/psqa/complexity/choices.hpp>
#include <equipoise/psqa/complexity/edge_metrics.hpp>
#include <equipoise/psqa/complexity/fluence_metrics.hpp>
#include <equipoise/psqa/complexity/motion_metrics.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// Named values, in a fixed order; NaN where a metric is not defined (jaw area without jaws).
using MetricList = std::vector<std::pair<std::string, double>>;

/// One aperture: the values of `kApertureMetrics`, and its weight.
struct ApertureComplexity {
  double mu = 0;
  double gantry = 0;  ///< degree
  ApertureValues values{};
};

struct BeamComplexity {
  int number = 0;
  MetricList metrics;
  std::vector<ApertureComplexity> apertures;  ///< in the order of delivery; those without MU are left out
};

/// A metric by name. \throws NameError
[[nodiscard]] inline double metric(const MetricList& list, std::string_view name) {
  for (const auto& [key, value] : list)
    if (key == name) return value;
  throw NameError(message("name.307", "complexity", "no metric \"", name, "\""));
}

namespace detail {

/// Running MU-weighted mean of a quantity over the apertures in which it is defined.
struct WeightedMean {
  double sum = 0, weight = 0;
  void add(double value, double w) {
    if (!std::isnan(value)) sum += w * value, weight += w;
  }
  [[nodiscard]] double value() const { return weight > 0 ? sum / weight : std::numeric_limits<double>::quiet_NaN(); }
};

/// A beam as its metrics see it.
struct BeamShape {
  std::vector<double> boundaries;   ///< of all strips of the virtual bank, in mm
  Bank bank;                        ///< of those that can matter
  Openings at_points;               ///< at each control point
  std::vector<Bank::Point> points;  ///< apertures by `ComplexityChoices::apertures`
  Openings apertures;
  std::vector<double> weights, jaw_areas, gantry;
};

[[nodiscard]] inline double jaw_area(const Bank::Point& p) {
  return (p.x2 - p.x1) * (p.y2 - p.y1);
}

[[nodiscard]] inline BeamShape shape_of(const Beam& beam, const ComplexityChoices& choices) {
  BeamShape s;
  s.boundaries = strip_boundaries(beam);
  const bool hidden_count = choices.leaves_under_jaw == LeavesUnderJaw::exposed || choices.sas_pairs == SasPairs::bank;
  s.bank = merged_bank(beam, hidden_count ? s.boundaries : exposed_boundaries(beam, s.boundaries));
  s.at_points = s.apertures = Openings(s.bank.boundaries.size() - 1, s.bank.points.size());
  for (const Bank::Point& p : s.bank.points) s.at_points.add(s.bank, p, choices);
  const std::size_t n = s.bank.points.size();
  const auto mu = [&](std::size_t k) {
    return k >= 1 && k < n ? delivered_mu(beam, beam.control_points[k - 1], beam.control_points[k]) : 0.0;
  };
  for (std::size_t k = 0; k < n; ++k) {
    const bool between = choices.apertures == ApertureRule::interval;
    const double w = choices.apertures == ApertureRule::control_point ? 0.5 * (mu(k) + mu(k + 1)) : mu(k);
    if (!(w > 0)) continue;
    s.points.push_back(between ? midway(s.bank.points[k - 1], s.bank.points[k]) : s.bank.points[k]);
    s.apertures.add(s.bank, s.points.back(), choices);
    s.weights.push_back(w);
    s.gantry.push_back(beam.control_points[k].gantry);
    s.jaw_areas.push_back(between ? 0.5 * (jaw_area(s.bank.points[k - 1]) + jaw_area(s.bank.points[k]))
                                  : jaw_area(s.bank.points[k]));
  }
  return s;
}

/// MCSv (Masi 2013): AAV and LSV at control points, their means over each interval.
[[nodiscard]] inline double mcsv(const Beam& beam, const BeamShape& s, const ComplexityChoices& choices) {
  const double largest = largest_opening(s.bank.points, s.at_points, choices);
  WeightedMean mean;
  double aav = 0, lsv = 0;
  for (std::size_t k = 0; k < s.at_points.size(); ++k) {
    const double a = aperture_area_variability(s.bank.points[k], s.at_points[k], choices, largest),
                 l = leaf_sequence_variability(s.bank.points[k], s.at_points[k], choices);
    if (k > 0) mean.add(0.25 * (aav + a) * (lsv + l), beam.interval_mu(k));
    aav = a, lsv = l;
  }
  return mean.value();
}

[[nodiscard]] inline std::vector<ApertureComplexity> apertures_of(const BeamShape& s,
                                                                  const ComplexityChoices& choices) {
  const double largest = largest_opening(s.points, s.apertures, choices);
  EdgeMetrics edges(choices.edge_distance_mm, choices.same_place_mm);
  std::vector<ApertureComplexity> out;
  for (std::size_t j = 0; j < s.points.size(); ++j) {
    ApertureComplexity& aperture = out.emplace_back();
    aperture.mu = s.weights[j], aperture.gantry = s.gantry[j];
    aperture.values.fill(std::numeric_limits<double>::quiet_NaN());
    add_pair_values(s.points[j], s.apertures[j], largest, choices, aperture.values);
    add_shape_values(s.bank, s.points[j], s.apertures[j], s.jaw_areas[j], choices, edges, aperture.values);
  }
  return out;
}

/// What a beam is, apart from its apertures' shapes.
inline void add_descriptors(const Beam& beam, const BeamShape& s, const ComplexityChoices& choices, MetricList& out) {
  double jaw_x = 0, jaw_y = 0, widest = 0, highest = 0, displaced = 0, few_mu = 0, small_mu = 0;
  // Not the bank's jaws: there x is along the leaves.
  for (const ControlPoint& cp : beam.control_points)
    widest = std::max(widest, cp.x2 - cp.x1), highest = std::max(highest, cp.y2 - cp.y1);
  for (const auto& [from, to] : views::adjacent(beam.control_points)) {
    const double share = beam.interval_mu(from, to) / beam.mu;
    if (!(share > 0)) continue;
    jaw_x += 0.5 * share * (to.x2 - to.x1 + from.x2 - from.x1);
    jaw_y += 0.5 * share * (to.y2 - to.y1 + from.y2 - from.y1);
  }
  for (std::size_t j = 0; j < s.points.size(); ++j) {
    double area = 0, along = 0, across = 0, heights = 0;  // the leaves
    for (const Opening& o : s.apertures[j]) {
      if (!o.open()) continue;
      const double part = o.gap() * o.height;
      heights += o.height, area += part, along += part * 0.5 * (o.left + o.right),
          across += part * (o.bottom + 0.5 * o.height);
    }
    if (area > 0) displaced = std::max(displaced, std::hypot(along, across) / area);
    if (area > 0 && is_smaller(area, 400, choices.same_place_mm * heights)) small_mu += s.weights[j];
    few_mu += is_smaller(s.weights[j], 5, kWeightTolerance * beam.mu);
  }
  const auto finite = [](double v) { return std::isfinite(v) ? v : std::numeric_limits<double>::quiet_NaN(); };
  const auto centre = std::upper_bound(s.boundaries.begin(), s.boundaries.end(), 0.0);
  const bool inside = centre != s.boundaries.begin() && centre != s.boundaries.end();
  out.emplace_back("FSMALL4", beam.mu > 0 ? small_mu / beam.mu : 0);
  out.emplace_back("SEG5MU", few_mu);
  out.emplace_back("MUSEG_MU", s.points.empty() ? 0 : beam.mu / static_cast<double>(s.points.size()));
  out.emplace_back("JAWX_mm", finite(jaw_x)), out.emplace_back("JAWY_mm", finite(jaw_y));
  out.emplace_back("JAWXMAX_mm", finite(widest)), out.emplace_back("JAWYMAX_mm", finite(highest));
  out.emplace_back("MAXDISP_mm", displaced);
  out.emplace_back("COLL_deg", beam.control_points[0].collimator);
  out.emplace_back("LEAFW_mm", inside ? *centre - *(centre - 1) : std::numeric_limits<double>::quiet_NaN());
  const bool known = beam.energy_MV > 0;  // a log states neither
  out.emplace_back("ENERGY_MV", finite(known ? beam.energy_MV : kInfinity));
  out.emplace_back("FFF", beam.fff ? 1 : finite(known ? 0 : kInfinity));
  out.emplace_back("crossed_leaf_fraction", crossed_leaf_fraction(beam, choices.same_place_mm));
}

inline void add_motion(const Beam& beam, const BeamShape& s, const ComplexityChoices& choices, MetricList& out) {
  const std::vector<bool> in_field = pairs_in_field(s.at_points);
  const Eigen::ArrayXXd paths = leaf_paths(s.bank, in_field);
  const Travel travel = choices.travel_leaves == TravelLeaves::strips
                            ? leaf_travel(paths, s.boundaries.size() - 1, choices)
                            : physical_travel(beam, choices);
  const double over = static_cast<double>(choices.travel_mean == TravelMean::pairs ? travel.pairs : travel.leaves),
               lt = travel.leaves ? travel.total / over : 0, arc = gantry_travel(beam);
  const ModulationIndices mi = modulation_indices(beam, paths, choices);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  out.emplace_back("LT_mm", lt), out.emplace_back("LTSUM_mm", travel.total);
  out.emplace_back("NMOV", static_cast<double>(travel.leaves));
  out.emplace_back("LTi", (1000 - lt) / 1000);
  out.emplace_back("LTMCS", (1000 - lt) / 1000 * metric(out, "MCSv"));
  out.emplace_back("ARC_deg", arc);
  out.emplace_back("LTMU_mm_per_MU", beam.mu > 0 ? travel.total / beam.mu : 0);
  out.emplace_back("MUDEG_MU_per_deg", arc > 1 ? beam.mu / arc : nan);
  out.emplace_back("LTAL_mm_per_deg", arc > 1 ? travel.total / arc : nan);
  out.emplace_back("MIs", mi.speed), out.emplace_back("MIa", mi.acceleration), out.emplace_back("MIt", mi.total);
  out.emplace_back("VMAX_mm_per_s", mi.fastest_leaf);
}

inline void add_fluence_metrics(const Beam& beam, const BeamShape& s, const ComplexityChoices& choices,
                                MetricList& out) {
  const FluenceFeatures f = fluence_features(fluence_map(beam, s.bank, s.at_points, choices), choices.same_place_mm);
  out.emplace_back("WMI", f.webb), out.emplace_back("FD", f.fractal), out.emplace_back("FMAX", f.max_over_mean);
  out.emplace_back("FCOV", f.variation), out.emplace_back("FGRAD_mm-1", f.gradient);
  out.emplace_back("FGRAD99_mm-1", f.steep), out.emplace_back("FENT_bit", f.entropy);
}

[[nodiscard]] inline BeamComplexity beam_complexity(const Beam& beam, const ComplexityChoices& choices) {
  const BeamShape s = shape_of(beam, choices);
  BeamComplexity out;
  out.number = beam.number;
  out.apertures = apertures_of(s, choices);
  std::array<WeightedMean, kApertureMetrics.size()> means;
  for (const ApertureComplexity& a : out.apertures)
    for (std::size_t i = 0; i < means.size(); ++i) means[i].add(a.values[i], a.mu);
  MetricList& m = out.metrics;
  m = {{"MU", beam.mu},
       {"NCP", static_cast<double>(beam.control_points.size())},
       {"NSEG", static_cast<double>(s.points.size())},
       {"MUCA", beam.mu / static_cast<double>(beam.control_points.size() - 1)}};
  for (std::size_t i = 0; i < means.size(); ++i)
    if (kApertureMetrics[i] != "SQGAP_mm2") m.emplace_back(kApertureMetrics[i], means[i].value());
  const double gap = means[aperture_metric("ALG_mm")].value(), squares = means[aperture_metric("SQGAP_mm2")].value();
  m.emplace_back("SDGAP_mm", std::sqrt(std::max(0.0, squares - gap * gap)));
  const double area = union_area(s.apertures);
  m.emplace_back("UNION_mm2", area);
  m.emplace_back("BM", area > 0 ? std::max(0.0, 1 - means[aperture_metric("BA_mm2")].value() / area) : 0);
  m.emplace_back("MCSv", mcsv(beam, s, choices));
  add_motion(beam, s, choices, m);
  add_fluence_metrics(beam, s, choices, m);
  add_descriptors(beam, s, choices, m);
  return out;
}

}  // namespace detail

}  // namespace equipoise::psqa
