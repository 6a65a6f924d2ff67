// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a single aperture is like: its outline, the size and place of its gaps, how its leaves stand to one another.
/// Every number is NaN where the aperture does not define it.

#include <equipoise/psqa/aperture.hpp>
#include <equipoise/psqa/complexity_choices.hpp>

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

[[nodiscard]] constexpr std::size_t aperture_metric(std::string_view name) {
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
  std::vector<double> out(apertures.empty() ? 0 : apertures[0].size(), 0.0);
  std::vector<std::pair<double, double>> spans;
  for (std::size_t l = 0; l < out.size(); ++l) {
    spans.clear();
    for (const auto& aperture : apertures)
      if (aperture[l].open()) spans.emplace_back(aperture[l].left, aperture[l].right);
    std::sort(spans.begin(), spans.end());
    double end = -kInfinity;
    for (const auto& [left, right] : spans)
      if (right > end) out[l] += right - std::max(left, end), end = right;
  }
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

/// Edge area metric (Götestedt 2015): R1 / (R1 + R2), R1 the area within a distance of an edge, on both sides, R2 the
/// open area further inside. Rows of 1 mm; along the rows exact.
class EdgeArea {
 public:
  explicit EdgeArea(double distance) {
    const auto reach = static_cast<std::ptrdiff_t>(std::floor(distance));
    for (std::ptrdiff_t d = -reach; d <= reach; ++d)
      half_.push_back(std::sqrt(std::max(0.0, distance * distance - static_cast<double>(d * d))));
  }

  [[nodiscard]] double operator()(const std::vector<Opening>& open) {
    rasterise(open);
    double wide = 0, narrow = 0;
    const std::size_t window = half_.size();
    for (std::size_t y = 0; y + window <= left_.size(); ++y) {
      const double *l = &left_[y], *r = &right_[y];
      double low = -kInfinity, high = kInfinity, first = kInfinity, last = -kInfinity;
      bool one = true;
      for (std::size_t d = 0; d < window; ++d) {
        const double half = half_[d];
        low = std::max(low, l[d] + half), high = std::min(high, r[d] - half);
        if (!(r[d] > l[d])) continue;
        // Rows next to one another overlap almost always: one span, without sorting.
        one = one && (last == -kInfinity || (l[d] - half <= last && r[d] + half >= first));
        first = std::min(first, l[d] - half), last = std::max(last, r[d] + half);
      }
      narrow += std::max(0.0, high - low);
      if (last > first) wide += one ? last - first : covered(y);
    }
    return wide > 0 ? 1 - narrow / wide : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  /// Each row's opening, among as many empty rows as the distance reaches over.
  void rasterise(const std::vector<Opening>& open) {
    double bottom = kInfinity, top = -kInfinity;
    for (const Opening& o : open)
      if (o.open()) bottom = std::min(bottom, o.bottom), top = std::max(top, o.bottom + o.height);
    const std::size_t rows = top > bottom ? static_cast<std::size_t>(std::ceil(top - bottom - 1e-9)) : 0,
                      margin = half_.size() - 1;
    left_.assign(rows + 2 * margin, kInfinity), right_.assign(rows + 2 * margin, -kInfinity);
    for (const Opening& o : open) {
      if (!o.open()) continue;
      const auto first = static_cast<std::size_t>(std::max(0.0, std::ceil(o.bottom - bottom - 0.5 - 1e-9)));
      for (std::size_t y = first; y < rows && static_cast<double>(y) + 0.5 < o.bottom + o.height - bottom + 1e-9; ++y)
        left_[y + margin] = o.left, right_[y + margin] = o.right;
    }
  }
  [[nodiscard]] double covered(std::size_t y) {
    spans_.clear();
    for (std::size_t d = 0; d < half_.size(); ++d)
      if (right_[y + d] > left_[y + d]) spans_.emplace_back(left_[y + d] - half_[d], right_[y + d] + half_[d]);
    std::sort(spans_.begin(), spans_.end());
    double sum = 0, end = -kInfinity;
    for (const auto& [a, b] : spans_)
      if (b > end) sum += b - std::max(a, end), end = b;
    return sum;
  }

  std::vector<double> half_, left_, right_;
  std::vector<std::pair<double, double>> spans_;
};

/// Converted aperture metric (Götestedt 2015): 1 - mean(1 - e^{-dx}) · mean(1 - e^{-dy}) · (1 - e^{-√A}), dx and dy the
/// distances between opposite edges along and across the leaves, in cm. Columns of 2.5 mm.
[[nodiscard]] inline double converted_aperture(const std::vector<Opening>& open, double area) {
  double along = 0, heights = 0, left = kInfinity, right = -kInfinity;
  for (const Opening& o : open) {
    if (!o.open()) continue;
    along += o.height * (1 - std::exp(-o.gap() / 10)), heights += o.height;
    left = std::min(left, o.left), right = std::max(right, o.right);
  }
  if (heights == 0) return std::numeric_limits<double>::quiet_NaN();
  const auto columns = static_cast<std::size_t>(std::ceil((right - left) / 2.5));
  double across = 0, runs = 0, known = 0, term = 0;  // neighbouring columns have the same runs
  for (std::size_t c = 0; c < columns; ++c) {
    const double x = left + (right - left) * (static_cast<double>(c) + 0.5) / static_cast<double>(columns);
    double run = 0;
    const auto close = [&] {
      if (run > 0 && run != known) known = run, term = run * (1 - std::exp(-run / 10));
      if (run > 0) across += term, runs += run;
      run = 0;
    };
    for (const Opening& o : open)
      if (o.open() && o.left <= x && x <= o.right)
        run += o.height;
      else
        close();
    close();
  }
  return 1 - along / heights * (runs > 0 ? across / runs : 0) * (1 - std::exp(-std::sqrt(area) / 10));
}

/// \param jaw_area of the jaws' opening; infinite without jaws  \param aav, lsv of this aperture
[[nodiscard]] inline ApertureValues aperture_values(const std::vector<Opening>& open, double jaw_area, double aav,
                                                    double lsv, const ComplexityChoices& choices, EdgeArea& edge_area) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  ApertureValues out;
  out.fill(nan);
  const auto set = [&](std::string_view name, double value) { out[aperture_metric(name)] = value; };
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
  set("AAV", aav), set("LSV", lsv), set("MCS", aav * lsv), set("BA_mm2", shape.area);
  if (exposed > 0) set("CLS", (exposed - n) / exposed);
  if (n == 0) return out;
  const double pairs = choices.sas_pairs == SasPairs::open ? n : exposed;
  set("SAS2", small[0] / pairs), set("SAS5", small[1] / pairs);
  set("SAS10", small[2] / pairs), set("SAS20", small[3] / pairs);
  set("MAD_mm", offset / n), set("CAS", crossed / n), set("ALG_mm", gaps / n), set("SQGAP_mm2", squares / n);
  set("AFW_mm", shape.area / heights), set("EFS_mm", 4 * shape.area / shape.perimeter());
  set("BI", shape.perimeter() * shape.perimeter() / (4 * std::numbers::pi * shape.area));
  set("EM_mm-1", (shape.sides - (choices.jaw_edges == JawEdges::included ? 0 : shape.rim)) / shape.area);
  set("PERIM_mm", shape.perimeter()), set("TGI", sizes > 0 ? steps / sizes : 0);
  if (std::isfinite(jaw_area) && jaw_area > 0) set("BAR", shape.area / jaw_area);
  set("EAM", edge_area(open)), set("CAM", converted_aperture(open, shape.area));
  return out;
}

}  // namespace detail

}  // namespace equipoise::psqa
