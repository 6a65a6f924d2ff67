// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Plan complexity metrics by their published formulas (docs/complexity.md lists them with sources). Apertures are
/// those halfway between control points, weighted by the interval's MU; a plan's value is the mean of its beams'
/// weighted by MU, where the definition does not say otherwise.

#include <equipoise/core/errors.hpp>
#include <equipoise/psqa/aperture.hpp>
#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// Named values, in a fixed order; NaN where a metric is not defined (jaw area without jaws).
using MetricList = std::vector<std::pair<std::string, double>>;

struct BeamComplexity {
  int number = 0;
  MetricList metrics;
};

struct Complexity {
  MetricList plan;
  std::vector<BeamComplexity> beams;
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
  void add(double value, double w) { sum += w * value, weight += w; }
  [[nodiscard]] double value() const { return weight > 0 ? sum / weight : std::numeric_limits<double>::quiet_NaN(); }
};

/// AAV and LSV (McNiven 2010) need each pair's largest opening over the beam.
struct Envelope {
  std::vector<double> left, right;

  explicit Envelope(std::size_t pairs) : left(pairs, kInfinity), right(pairs, -kInfinity) {}
  void include(const Bank::Point& p, const std::vector<Opening>& open) {
    for (std::size_t l = 0; l < open.size(); ++l)
      if (open[l].open()) left[l] = std::min(left[l], p.a[l]), right[l] = std::max(right[l], p.b[l]);
  }
  [[nodiscard]] double total() const {
    double sum = 0;
    for (std::size_t l = 0; l < left.size(); ++l)
      if (right[l] > left[l]) sum += right[l] - left[l];
    return sum;
  }
};

[[nodiscard]] inline double aperture_area_variability(const Bank::Point& p, const std::vector<Opening>& open,
                                                      double envelope) {
  double sum = 0;
  for (std::size_t l = 0; l < open.size(); ++l)
    if (open[l].open()) sum += p.b[l] - p.a[l];
  return envelope > 0 ? sum / envelope : 0;
}

/// Leaf sequence variability of one bank's open leaves.
[[nodiscard]] inline double bank_variability(const std::vector<double>& tips, const std::vector<Opening>& open) {
  std::vector<double> p;
  for (std::size_t l = 0; l < tips.size(); ++l)
    if (open[l].open()) p.push_back(tips[l]);
  if (p.size() < 2) return 1;
  const auto [low, high] = std::minmax_element(p.begin(), p.end());
  const double range = *high - *low;
  if (range == 0) return 1;
  double sum = 0;
  for (std::size_t i = 0; i + 1 < p.size(); ++i) sum += range - std::abs(p[i] - p[i + 1]);
  return sum / (static_cast<double>(p.size() - 1) * range);
}

[[nodiscard]] inline double leaf_sequence_variability(const Bank::Point& p, const std::vector<Opening>& open) {
  return bank_variability(p.a, open) * bank_variability(p.b, open);
}

/// Area, and perimeter in its two parts: along the leaves' sides and at their ends.
struct Outline {
  double area = 0, sides = 0, ends = 0;
  [[nodiscard]] double perimeter() const { return sides + ends; }
};

[[nodiscard]] inline Outline outline(const std::vector<Opening>& open) {
  Outline out;
  for (const Opening& o : open)
    if (o.open()) out.area += o.gap() * o.height, out.ends += 2 * o.height;
  const Opening none;
  for (std::size_t l = 0; l <= open.size(); ++l) {
    const Opening& below = l == 0 || !open[l - 1].open() ? none : open[l - 1];
    const Opening& above = l == open.size() || !open[l].open() ? none : open[l];
    const double both = std::max(0.0, std::min(below.right, above.right) - std::max(below.left, above.left));
    out.sides += below.gap() + above.gap() - 2 * both;
  }
  return out;
}

/// The area of the union of a beam's openings: each pair's union along the leaves, times the most of the pair that the
/// jaws ever expose.
[[nodiscard]] inline double union_area(const std::vector<std::vector<Opening>>& apertures) {
  double area = 0;
  for (std::size_t l = 0; !apertures.empty() && l < apertures[0].size(); ++l) {
    std::vector<std::pair<double, double>> spans;
    double height = 0;
    for (const auto& aperture : apertures) {
      if (!aperture[l].open()) continue;
      spans.emplace_back(aperture[l].left, aperture[l].right);
      height = std::max(height, aperture[l].height);
    }
    std::sort(spans.begin(), spans.end());
    double covered = 0, end = -kInfinity;
    for (const auto& [left, right] : spans)
      if (right > end) covered += right - std::max(left, end), end = right;
    area += covered * height;
  }
  return area;
}

/// Leaf travel: leaves whose pair opens at least once and which move.
struct Travel {
  double total = 0;
  std::size_t leaves = 0;
};

[[nodiscard]] inline Travel leaf_travel(const Bank& bank) {
  std::vector<bool> in_field(bank.boundaries.size() - 1, false);
  for (const Bank::Point& p : bank.points) {
    const std::vector<Opening> open = openings(bank, p);
    for (std::size_t l = 0; l < open.size(); ++l) in_field[l] = in_field[l] || open[l].open();
  }
  Travel out;
  for (std::size_t l = 0; l < in_field.size(); ++l) {
    if (!in_field[l]) continue;
    double a = 0, b = 0;
    for (std::size_t k = 1; k < bank.points.size(); ++k) {
      a += std::abs(bank.points[k].a[l] - bank.points[k - 1].a[l]);
      b += std::abs(bank.points[k].b[l] - bank.points[k - 1].b[l]);
    }
    for (const double travel : {a, b})
      if (travel > 1e-9) out.total += travel, ++out.leaves;
  }
  return out;
}

[[nodiscard]] inline double gantry_travel(const Beam& beam) {
  double sum = 0;
  for (std::size_t k = 1; k < beam.control_points.size(); ++k)
    sum += std::abs(std::remainder(beam.control_points[k].gantry - beam.control_points[k - 1].gantry, 360.0));
  return sum;
}

/// What is averaged over the apertures of a beam.
struct ApertureMeans {
  WeightedMean area, irregularity, edge, perimeter, aav, lsv, mcs, small[4], mad, cls, cas, gap, width, square, tongue,
      jaw_ratio;
  double small_field_mu = 0;
};

/// \param jaw_area the mean of the jaws' area at the interval's ends; infinite without jaws
inline void add_pairs(const std::vector<Opening>& open, double jaw_area, double w, ApertureMeans& means) {
  static constexpr double limits[4] = {2, 5, 10, 20};
  double n = 0, exposed = 0, gaps = 0, heights = 0, offset = 0, crossed = 0, small[4] = {}, steps = 0, sizes = 0;
  for (std::size_t l = 0; l < open.size(); ++l) {
    exposed += open[l].exposed();
    if (!open[l].open()) continue;
    const Opening& o = open[l];
    n += 1, gaps += o.gap(), heights += o.height;
    offset += std::abs(0.5 * (o.left + o.right));
    crossed += o.left > 0 || o.right < 0;
    for (int i = 0; i < 4; ++i) small[i] += o.gap() < limits[i];
    if (l + 1 < open.size() && open[l + 1].open()) {
      steps += std::abs(o.left - open[l + 1].left) + std::abs(o.right - open[l + 1].right);
      sizes += o.gap() + open[l + 1].gap();
    }
  }
  if (exposed > 0) means.cls.add((exposed - n) / exposed, w);
  if (n == 0) return;
  for (int i = 0; i < 4; ++i) means.small[i].add(small[i] / n, w);
  means.mad.add(offset / n, w);
  means.cas.add(crossed / n, w);
  means.gap.add(gaps / n, w);
  const Outline shape = outline(open);
  means.width.add(shape.area / heights, w);
  means.square.add(4 * shape.area / shape.perimeter(), w);
  means.irregularity.add(shape.perimeter() * shape.perimeter() / (4 * std::numbers::pi * shape.area), w);
  means.edge.add(shape.sides / shape.area, w);
  means.perimeter.add(shape.perimeter(), w);
  means.tongue.add(sizes > 0 ? steps / sizes : 0, w);
  if (std::isfinite(jaw_area) && jaw_area > 0) means.jaw_ratio.add(shape.area / jaw_area, w);
  if (shape.area < 400) means.small_field_mu += w;
}

[[nodiscard]] inline MetricList beam_metrics(const Beam& beam) {
  const Bank bank = merged_bank(beam);
  const std::size_t pairs = bank.boundaries.size() - 1;
  std::vector<Bank::Point> points;
  std::vector<std::vector<Opening>> apertures;
  std::vector<double> weights, jaw_areas;
  const auto jaws = [](const Bank::Point& p) { return (p.x2 - p.x1) * (p.y2 - p.y1); };
  for (std::size_t k = 1; k < bank.points.size(); ++k) {
    if (!(beam.interval_mu(k) > 0)) continue;
    points.push_back(midway(bank.points[k - 1], bank.points[k]));
    apertures.push_back(openings(bank, points.back()));
    weights.push_back(beam.interval_mu(k));
    jaw_areas.push_back(0.5 * (jaws(bank.points[k - 1]) + jaws(bank.points[k])));
  }
  Envelope envelope(pairs);
  for (std::size_t j = 0; j < points.size(); ++j) envelope.include(points[j], apertures[j]);
  const double widest = envelope.total();
  ApertureMeans means;
  for (std::size_t j = 0; j < points.size(); ++j) {
    const double aav = aperture_area_variability(points[j], apertures[j], widest),
                 lsv = leaf_sequence_variability(points[j], apertures[j]);
    means.aav.add(aav, weights[j]), means.lsv.add(lsv, weights[j]), means.mcs.add(aav * lsv, weights[j]);
    means.area.add(outline(apertures[j]).area, weights[j]);
    add_pairs(apertures[j], jaw_areas[j], weights[j], means);
  }
  Envelope at_points(pairs);
  std::vector<std::vector<Opening>> open;
  for (const Bank::Point& p : bank.points) open.push_back(openings(bank, p)), at_points.include(p, open.back());
  const double widest_at_points = at_points.total();
  std::vector<double> aav, lsv;
  for (std::size_t k = 0; k < open.size(); ++k) {
    aav.push_back(aperture_area_variability(bank.points[k], open[k], widest_at_points));
    lsv.push_back(leaf_sequence_variability(bank.points[k], open[k]));
  }
  WeightedMean mcsv;
  for (std::size_t k = 1; k < open.size(); ++k)
    mcsv.add(0.25 * (aav[k - 1] + aav[k]) * (lsv[k - 1] + lsv[k]), beam.interval_mu(k));
  const Travel travel = leaf_travel(bank);
  const double lt = travel.leaves ? travel.total / static_cast<double>(travel.leaves) : 0,
               area_union = union_area(apertures);
  return {{"MU", beam.mu},
          {"NCP", static_cast<double>(beam.control_points.size())},
          {"NSEG", static_cast<double>(points.size())},
          {"MUCA", beam.mu / static_cast<double>(beam.control_points.size() - 1)},
          {"BA_mm2", means.area.value()},
          {"BI", means.irregularity.value()},
          {"EM_mm-1", means.edge.value()},
          {"PERIM_mm", means.perimeter.value()},
          {"UNION_mm2", area_union},
          {"BM", area_union > 0 ? 1 - means.area.value() / area_union : 0},
          {"AAV", means.aav.value()},
          {"LSV", means.lsv.value()},
          {"MCS", means.mcs.value()},
          {"MCSv", mcsv.value()},
          {"LT_mm", lt},
          {"LTSUM_mm", travel.total},
          {"NMOV", static_cast<double>(travel.leaves)},
          {"LTMCS", (1000 - lt) / 1000 * mcsv.value()},
          {"SAS2", means.small[0].value()},
          {"SAS5", means.small[1].value()},
          {"SAS10", means.small[2].value()},
          {"SAS20", means.small[3].value()},
          {"MAD_mm", means.mad.value()},
          {"CLS", means.cls.value()},
          {"CAS", means.cas.value()},
          {"ALG_mm", means.gap.value()},
          {"AFW_mm", means.width.value()},
          {"EFS_mm", means.square.value()},
          {"FSMALL4", beam.mu > 0 ? means.small_field_mu / beam.mu : 0},
          {"TGI", means.tongue.value()},
          {"BAR", means.jaw_ratio.value()},
          {"ARC_deg", gantry_travel(beam)},
          {"LTMU_mm_per_MU", beam.mu > 0 ? travel.total / beam.mu : 0}};
}

/// A plan's value of a beam metric: the sum, or the mean weighted by MU over the beams in which it is defined.
[[nodiscard]] inline double over_beams(const std::vector<BeamComplexity>& beams, std::string_view name, bool sum) {
  WeightedMean mean;
  double total = 0;
  for (const BeamComplexity& b : beams) {
    const double value = metric(b.metrics, name);
    total += value;
    if (!std::isnan(value)) mean.add(value, metric(b.metrics, "MU"));
  }
  return sum ? total : mean.value();
}

}  // namespace detail

/// All metrics of a plan and of each of its beams that has leaves and MU.
/// \throws ValueError when no beam has both.
[[nodiscard]] inline Complexity complexity(const Plan& plan) {
  Complexity out;
  for (const Beam& beam : plan.beams)
    if (!beam.layers.empty() && beam.mu > 0 && beam.control_points.size() > 1)
      out.beams.push_back({beam.number, detail::beam_metrics(beam)});
  if (out.beams.empty())
    throw ValueError(
        message("value.302", plan.id, "expected a treatment beam with a multileaf collimator and MU > 0, got none"));
  const auto sum = [&](std::string_view name) { return detail::over_beams(out.beams, name, true); };
  const auto mean = [&](std::string_view name) { return detail::over_beams(out.beams, name, false); };
  const double mu = sum("MU"), dose = plan.dose_per_fraction();
  out.plan = {{"MU", mu}, {"NBEAM", static_cast<double>(out.beams.size())}, {"NCP", sum("NCP")}, {"NSEG", sum("NSEG")}};
  for (const char* name :
       {"MUCA",   "AAV", "LSV", "MCS",    "MCSv",   "LT_mm",  "LTMCS",   "SAS2", "SAS5",    "SAS10",    "SAS20",
        "MAD_mm", "CLS", "CAS", "ALG_mm", "AFW_mm", "EFS_mm", "FSMALL4", "TGI",  "EM_mm-1", "PERIM_mm", "BAR"})
    out.plan.emplace_back(name, mean(name));
  out.plan.emplace_back("PM", mean("BM"));
  out.plan.emplace_back("PI", mean("BI"));
  out.plan.emplace_back("PA_mm2", mean("BA_mm2"));
  out.plan.emplace_back("LTSUM_mm", sum("LTSUM_mm"));
  out.plan.emplace_back("ARC_deg", sum("ARC_deg"));
  if (dose > 0) {
    out.plan.emplace_back("DPF_Gy", dose);
    out.plan.emplace_back("PMU", mu * 2 / dose);
    out.plan.emplace_back("MF_MU_per_cGy", mu / (100 * dose));
  }
  return out;
}

}  // namespace equipoise::psqa
