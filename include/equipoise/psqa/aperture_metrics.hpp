// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a single aperture is like: its outline, the size and place of its gaps, how its leaves stand to one another.
/// Every number is NaN where the aperture does not define it.

#include <equipoise/psqa/aperture.hpp>
#include <equipoise/psqa/complexity_choices.hpp>
#include <equipoise/psqa/edge_metrics.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// The numbers of one aperture, in the order of `kApertureMetrics`.
inline constexpr std::array<std::string_view, 22> kApertureMetrics = {
    "BA_mm2", "BI",  "EM_mm-1", "PERIM_mm", "AAV",    "LSV",    "MCS", "SAS2", "SAS5", "SAS10", "SAS20",
    "MAD_mm", "CLS", "CAS",     "ALG_mm",   "AFW_mm", "EFS_mm", "TGI", "BAR",  "EAM",  "CAM",   "SQGAP_mm2"};
using ApertureValues = std::array<double, kApertureMetrics.size()>;

namespace detail {

[[nodiscard]] consteval std::size_t aperture_metric(std::string_view name) {
  for (std::size_t i = 0; i < kApertureMetrics.size(); ++i)
    if (kApertureMetrics[i] == name) return i;
  throw "no such aperture metric";
}

/// AAV and LSV (McNiven 2010) need each pair's largest opening over the beam.
struct Envelope {
  std::vector<double> left, right, gap;

  explicit Envelope(std::size_t pairs) : left(pairs, kInfinity), right(pairs, -kInfinity), gap(pairs, 0.0) {}
  void include(const Bank::Point& p, const std::vector<Opening>& open) {
    for (std::size_t l = 0; l < open.size(); ++l)
      if (open[l].open()) {
        left[l] = std::min(left[l], p.a[l]), right[l] = std::max(right[l], p.b[l]);
        gap[l] = std::max(gap[l], p.b[l] - p.a[l]);
      }
  }
  /// \param union_lengths of each pair's union of openings
  [[nodiscard]] double total(AavMaximum maximum, const std::vector<double>& union_lengths) const {
    double sum = 0;
    for (std::size_t l = 0; l < left.size(); ++l) {
      if (!(right[l] > left[l])) continue;
      sum += maximum == AavMaximum::envelope      ? right[l] - left[l]
             : maximum == AavMaximum::largest_gap ? gap[l]
                                                  : union_lengths[l];
    }
    return sum;
  }
};

/// The length along the leaves' travel that each pair's openings cover together.
[[nodiscard]] inline std::vector<double> union_lengths(const std::vector<std::vector<Opening>>& apertures) {
  const std::size_t pairs = apertures.empty() ? 0 : apertures[0].size();
  std::vector<std::vector<std::pair<double, double>>> covered(pairs);  // apart from one another, in order: mostly one
  for (const auto& aperture : apertures)
    for (std::size_t l = 0; l < pairs; ++l) {
      if (!aperture[l].open()) continue;
      auto& spans = covered[l];
      std::pair<double, double> all = {aperture[l].left, aperture[l].right};
      const auto first = std::find_if(spans.begin(), spans.end(), [&](auto& span) { return span.second >= all.first; });
      auto last = first;
      for (; last != spans.end() && last->first <= all.second; ++last)
        all = {std::min(all.first, last->first), std::max(all.second, last->second)};
      if (last == first)
        spans.insert(first, all);
      else
        *first = all, spans.erase(first + 1, last);
    }
  std::vector<double> out(pairs, 0.0);
  for (std::size_t l = 0; l < pairs; ++l)
    for (const auto& [left, right] : covered[l]) out[l] += right - left;
  return out;
}

/// The area of the union of a beam's openings: each pair's union along the leaves, times the most of the pair that the
/// jaws ever expose.
[[nodiscard]] inline double union_area(const std::vector<std::vector<Opening>>& apertures,
                                       const std::vector<double>& lengths) {
  double area = 0;
  for (std::size_t l = 0; l < lengths.size(); ++l) {
    double height = 0;
    for (const auto& aperture : apertures)
      if (aperture[l].open()) height = std::max(height, aperture[l].height);
    area += lengths[l] * height;
  }
  return area;
}

[[nodiscard]] inline double aperture_area_variability(const Bank::Point& p, const std::vector<Opening>& open,
                                                      double largest) {
  double sum = 0;
  for (std::size_t l = 0; l < open.size(); ++l)
    if (open[l].open()) sum += p.b[l] - p.a[l];
  return largest > 0 ? sum / largest : 0;
}

/// Leaf sequence variability of one bank's open leaves.
[[nodiscard]] inline double bank_variability(const std::vector<double>& tips, const std::vector<Opening>& open,
                                             const ComplexityChoices& choices) {
  double low = kInfinity, high = -kInfinity, before = 0, steps = 0;
  std::size_t n = 0;
  for (std::size_t l = 0; l < tips.size(); ++l) {
    if (!open[l].open()) continue;
    const double step = before - tips[l];
    if (n > 0) steps += choices.lsv_difference == LsvDifference::absolute ? std::abs(step) : step;
    low = std::min(low, tips[l]), high = std::max(high, tips[l]);
    before = tips[l], ++n;
  }
  const double range = high - low;
  if (n < 2 || range == 0) return 1;
  const double neighbours = static_cast<double>(n - 1),
               divisor = choices.lsv_divisor == LsvDivisor::neighbours ? neighbours : static_cast<double>(n);
  return (neighbours * range - steps) / (divisor * range);
}

[[nodiscard]] inline double leaf_sequence_variability(const Bank::Point& p, const std::vector<Opening>& open,
                                                      const ComplexityChoices& choices) {
  return bank_variability(p.a, open, choices) * bank_variability(p.b, open, choices);
}

/// Area, and perimeter in its two parts: along the leaves' sides and at their ends.
struct Outline {
  double area = 0, sides = 0, ends = 0;
  double rim = 0;  ///< of the sides, those above the last and below the first open pair
  [[nodiscard]] double perimeter() const { return sides + ends; }
};

[[nodiscard]] inline Outline outline(const std::vector<Opening>& open) {
  Outline out;
  const Opening none;
  for (std::size_t l = 0; l <= open.size(); ++l) {
    const Opening& below = l == 0 || !open[l - 1].open() ? none : open[l - 1];
    const Opening& above = l == open.size() || !open[l].open() ? none : open[l];
    const double both = std::max(0.0, std::min(below.right, above.right) - std::max(below.left, above.left));
    out.sides += below.gap() + above.gap() - 2 * both;
    if (l < open.size() && open[l].open()) out.area += open[l].gap() * open[l].height, out.ends += 2 * open[l].height;
  }
  for (std::size_t l = 0; l < open.size(); ++l)
    if (open[l].open()) {
      out.rim += open[l].gap();
      break;
    }
  for (std::size_t l = open.size(); l-- > 0;)
    if (open[l].open()) {
      out.rim += open[l].gap();
      break;
    }
  return out;
}

/// \param jaw_area of the jaws' opening; infinite without jaws  \param aav, lsv of this aperture
[[nodiscard]] inline ApertureValues aperture_values(const std::vector<Opening>& open, double jaw_area, double aav,
                                                    double lsv, const ComplexityChoices& choices, EdgeMetrics& edges) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  ApertureValues out;
  out.fill(nan);
  constexpr std::array<double, 4> limits = {2, 5, 10, 20};
  double n = 0, exposed = 0, gaps = 0, squares = 0, heights = 0, offset = 0, crossed = 0, small[4] = {}, steps = 0,
         sizes = 0;
  for (std::size_t l = 0; l < open.size(); ++l) {
    exposed += open[l].exposed();
    if (!open[l].open()) continue;
    const Opening& o = open[l];
    n += 1, gaps += o.gap(), squares += o.gap() * o.gap(), heights += o.height;
    offset += std::abs(0.5 * (o.left + o.right));
    crossed += o.left > 0 || o.right < 0;
    for (std::size_t i = 0; i < 4; ++i) small[i] += o.gap() < limits[i];
    if (l + 1 < open.size() && open[l + 1].open()) {
      steps += std::abs(o.left - open[l + 1].left) + std::abs(o.right - open[l + 1].right);
      sizes += o.gap() + open[l + 1].gap();
    }
  }
  const Outline shape = outline(open);
  out[aperture_metric("AAV")] = aav, out[aperture_metric("LSV")] = lsv, out[aperture_metric("MCS")] = aav * lsv,
  out[aperture_metric("BA_mm2")] = shape.area;
  if (exposed > 0) out[aperture_metric("CLS")] = (exposed - n) / exposed;
  if (n == 0) return out;
  const double pairs = choices.sas_pairs == SasPairs::open ? n : exposed;
  out[aperture_metric("SAS2")] = small[0] / pairs, out[aperture_metric("SAS5")] = small[1] / pairs;
  out[aperture_metric("SAS10")] = small[2] / pairs, out[aperture_metric("SAS20")] = small[3] / pairs;
  out[aperture_metric("MAD_mm")] = offset / n, out[aperture_metric("CAS")] = crossed / n,
  out[aperture_metric("ALG_mm")] = gaps / n, out[aperture_metric("SQGAP_mm2")] = squares / n;
  out[aperture_metric("AFW_mm")] = shape.area / heights,
  out[aperture_metric("EFS_mm")] = 4 * shape.area / shape.perimeter();
  out[aperture_metric("BI")] = shape.perimeter() * shape.perimeter() / (4 * std::numbers::pi * shape.area);
  out[aperture_metric("EM_mm-1")] =
      (shape.sides - (choices.jaw_edges == JawEdges::included ? 0 : shape.rim)) / shape.area;
  out[aperture_metric("PERIM_mm")] = shape.perimeter(), out[aperture_metric("TGI")] = sizes > 0 ? steps / sizes : 0;
  if (std::isfinite(jaw_area) && jaw_area > 0) out[aperture_metric("BAR")] = shape.area / jaw_area;
  out[aperture_metric("EAM")] = edges.edge_area(open),
  out[aperture_metric("CAM")] = edges.converted_aperture(open, shape.area);
  return out;
}

}  // namespace detail

}  // namespace equipoise::psqa
