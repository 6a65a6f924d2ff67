// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Metrics of a single aperture: its outline, the size and position of its gaps, and differences
/// between neighbouring leaves. A metric that the aperture does not define is NaN.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/psqa/complexity/aperture.hpp>
#include <equipoise/psqa/complexity/area_variability.hpp>
#include <equipoise/psqa/complexity/choices.hpp>
#include <equipoise/psqa/complexity/edge_metrics.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <string_view>
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

/// Leaf sequence variability of one bank's open leaves; 1 where they stand in line, each within `same_place_mm`,
/// of a log all within `log_line_mm`: errors of leaves are no shape of a field.
[[nodiscard]] inline double bank_variability(const std::vector<double>& tips, std::span<const Opening> open,
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
  if (n < 2 || range <= std::max(2 * choices.same_place_mm, choices.log_line_mm)) return 1;
  const double neighbours = static_cast<double>(n - 1),
               divisor = choices.lsv_divisor == LsvDivisor::neighbours ? neighbours : static_cast<double>(n);
  return (neighbours * range - steps) / (divisor * range);
}

[[nodiscard]] inline double leaf_sequence_variability(const Bank::Point& p, std::span<const Opening> open,
                                                      const ComplexityChoices& choices) {
  return bank_variability(p.a, open, choices) * bank_variability(p.b, open, choices);
}

/// Area, and perimeter in its two parts: along the leaves' sides and at their ends.
struct Outline {
  double area = 0, sides = 0, ends = 0;
  [[nodiscard]] double perimeter() const { return sides + ends; }
};

[[nodiscard]] inline Outline outline(std::span<const Opening> open) {
  Outline out;
  const Opening none;
  for (std::size_t l = 0; l <= open.size(); ++l) {
    const Opening& below = l == 0 || !open[l - 1].has_area() ? none : open[l - 1];
    const Opening& above = l == open.size() || !open[l].has_area() ? none : open[l];
    const double both = std::max(0.0, std::min(below.right, above.right) - std::max(below.left, above.left));
    out.sides += below.gap() + above.gap() - 2 * both;
    if (l < open.size() && open[l].has_area())
      out.area += open[l].gap() * open[l].height, out.ends += 2 * open[l].height;
  }
  return out;
}

/// Of an outline's sides those that a jaw makes, in mm: it lies within the open pair or on its border.
[[nodiscard]] inline double jaw_sides(const Bank& bank, const Bank::Point& p, std::span<const Opening> open,
                                      double tolerance) {
  double out = 0;
  for (std::size_t l = 0; l < open.size(); ++l)
    if (open[l].has_area())
      out += open[l].gap() *
             ((p.y1 >= bank.boundaries[l] - tolerance ? 1 : 0) + (p.y2 <= bank.boundaries[l + 1] + tolerance ? 1 : 0));
  return out;
}

/// Gaps below this many mm are small: SAS2, SAS5, SAS10, SAS20.
inline constexpr std::array<double, 4> kSmallGaps = {2, 5, 10, 20};

/// Whether a gap is smaller than a limit, as `choices.limits` says.
[[nodiscard]] inline bool is_small_gap(double gap, double limit, const ComplexityChoices& choices) {
  return choices.limits == Limits::decimals ? is_smaller(gap, limit, choices.same_place_mm) : gap < limit;
}

/// How many pairs have a small gap, anywhere in the bank and as if it had no jaws.
[[nodiscard]] inline std::array<double, 4> small_in_bank(const Bank::Point& p, const ComplexityChoices& choices) {
  std::array<double, 4> out{};
  for (const auto& [a, b] : views::zip(p.a, p.b)) {
    const double gap = b - a;
    if (!is_wide(gap, choices)) continue;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += is_small_gap(gap, kSmallGaps[i], choices);
  }
  return out;
}

/// What an aperture's pairs are like. \param largest `largest_opening` of the beam
inline void add_pair_values(const Bank::Point& p, std::span<const Opening> open, double largest,
                            const ComplexityChoices& choices, ApertureValues& out) {
  double n = 0, exposed = 0, gaps = 0, squares = 0, offset = 0, crossed = 0, steps = 0, sizes = 0;
  std::array<double, 4> small{};
  const double axis = choices.limits == Limits::decimals ? choices.same_place_mm : 0;  // half its width
  for (std::size_t l = 0; l < open.size(); ++l) {
    exposed += open[l].exposed;
    if (!open[l].open()) continue;
    const Opening& o = open[l];
    n += 1, gaps += o.gap(), squares += o.gap() * o.gap();
    offset += std::abs(0.5 * (o.left + o.right));
    crossed += o.left > axis || o.right < -axis;
    for (std::size_t i = 0; i < small.size(); ++i) small[i] += is_small_gap(o.gap(), kSmallGaps[i], choices);
    if (l + 1 < open.size() && open[l + 1].open()) {
      steps += std::abs(o.left - open[l + 1].left) + std::abs(o.right - open[l + 1].right);
      sizes += o.gap() + open[l + 1].gap();
    }
  }
  const double aav = aperture_area_variability(p, open, choices, largest),
               lsv = leaf_sequence_variability(p, open, choices);
  out[aperture_metric("AAV")] = aav, out[aperture_metric("LSV")] = lsv, out[aperture_metric("MCS")] = aav * lsv;
  if (exposed > 0) out[aperture_metric("CLS")] = (exposed - n) / exposed;
  double pairs = choices.sas_pairs == SasPairs::open ? n : exposed;
  if (choices.sas_pairs == SasPairs::bank) small = small_in_bank(p, choices), pairs = static_cast<double>(open.size());
  static_assert(aperture_metric("SAS20") == aperture_metric("SAS2") + kSmallGaps.size() - 1);
  if (pairs > 0)
    for (std::size_t i = 0; i < small.size(); ++i) out[aperture_metric("SAS2") + i] = small[i] / pairs;
  if (n == 0) return;
  out[aperture_metric("MAD_mm")] = offset / n, out[aperture_metric("CAS")] = crossed / n;
  out[aperture_metric("ALG_mm")] = gaps / n, out[aperture_metric("SQGAP_mm2")] = squares / n;
  out[aperture_metric("TGI")] = sizes > 0 ? steps / sizes : 0;
}

/// What an aperture's outline is like. \param jaw_area of the jaws' opening; infinite without jaws
inline void add_shape_values(const Bank& bank, const Bank::Point& p, std::span<const Opening> open, double jaw_area,
                             const ComplexityChoices& choices, EdgeMetrics& edges, ApertureValues& out) {
  const Outline shape = outline(open);
  out[aperture_metric("BA_mm2")] = shape.area;
  if (!(shape.area > 0)) return;
  const double perimeter = shape.perimeter(), uncounted = choices.jaw_edges == JawEdges::included
                                                              ? 0
                                                              : jaw_sides(bank, p, open, choices.same_place_mm);
  out[aperture_metric("AFW_mm")] = 2 * shape.area / shape.ends;
  out[aperture_metric("EFS_mm")] = 4 * shape.area / perimeter;
  out[aperture_metric("BI")] = perimeter * perimeter / (4 * std::numbers::pi * shape.area);
  out[aperture_metric("EM_mm-1")] = (shape.sides - uncounted) / shape.area;
  out[aperture_metric("PERIM_mm")] = perimeter;
  if (std::isfinite(jaw_area) && jaw_area > 0) out[aperture_metric("BAR")] = shape.area / jaw_area;
  out[aperture_metric("EAM")] = edges.edge_area(open);
  out[aperture_metric("CAM")] = edges.converted_aperture(open, shape.area);
}

}  // namespace detail

}  // namespace equipoise::psqa
