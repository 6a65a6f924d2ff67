// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The area of the union of a beam's apertures (Du 2014), and aperture area variability (McNiven
/// 2010), which compares one aperture with the largest openings of the beam.

#include <equipoise/psqa/complexity/aperture.hpp>
#include <equipoise/psqa/complexity/choices.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace equipoise::psqa::detail {

/// The length in mm along the leaves' travel that each pair's openings cover together.
[[nodiscard]] inline std::vector<double> union_lengths(const Openings& apertures) {
  const std::size_t pairs = apertures.pairs();
  std::vector<std::vector<std::pair<double, double>>> covered(pairs);  // apart from one another, in order: mostly one
  for (std::size_t k = 0; k < apertures.size(); ++k)
    for (std::size_t l = 0; l < pairs; ++l) {
      const Opening& opening = apertures[k][l];
      if (!opening.has_area()) continue;
      auto& spans = covered[l];
      std::pair<double, double> all = {opening.left, opening.right};
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

/// The area in mm² of the union of a beam's openings: each pair's union along the leaves, times the most of the pair that
/// the jaws ever expose.
[[nodiscard]] inline double union_area(const Openings& apertures) {
  const std::vector<double> lengths = union_lengths(apertures);
  double area = 0;
  for (std::size_t l = 0; l < lengths.size(); ++l) {
    double height = 0;
    for (std::size_t k = 0; k < apertures.size(); ++k)
      if (apertures[k][l].has_area()) height = std::max(height, apertures[k][l].height);
    area += lengths[l] * height;
  }
  return area;
}

/// The area in mm² of a pair as UCoMX has it: the jaws along the leaves neither cut nor close it. 0 where it is closed.
[[nodiscard]] inline double uncut_area(const Bank::Point& p, const Opening& opening, std::size_t pair,
                                       const ComplexityChoices& choices) {
  const double gap = p.b[pair] - p.a[pair];
  return is_wide(gap, choices) ? gap * opening.height : 0;
}

/// What AAV compares each of a beam's apertures with: the envelope in mm, else mm².
[[nodiscard]] inline double largest_opening(const std::vector<Bank::Point>& points, const Openings& apertures,
                                            const ComplexityChoices& choices) {
  if (choices.aav_maximum == AavMaximum::union_of_openings) return union_area(apertures);
  const std::size_t pairs = apertures.pairs();
  std::vector<double> left(pairs, kInfinity), right(pairs, -kInfinity), area(pairs, 0.0);
  for (std::size_t j = 0; j < points.size(); ++j)
    for (std::size_t l = 0; l < pairs; ++l) {
      const Opening& opening = apertures[j][l];
      if (choices.aav_maximum == AavMaximum::largest_gap)
        area[l] = std::max(area[l], uncut_area(points[j], opening, l, choices));
      else if (opening.open())
        left[l] = std::min(left[l], points[j].a[l]), right[l] = std::max(right[l], points[j].b[l]);
    }
  double sum = 0;
  for (std::size_t l = 0; l < pairs; ++l) sum += right[l] > left[l] ? right[l] - left[l] : area[l];
  return sum;
}

/// AAV of one aperture. \param largest `largest_opening` of the beam
[[nodiscard]] inline double aperture_area_variability(const Bank::Point& p, std::span<const Opening> open,
                                                      const ComplexityChoices& choices, double largest) {
  double sum = 0;
  for (std::size_t l = 0; l < open.size(); ++l) {
    if (choices.aav_maximum == AavMaximum::largest_gap)
      sum += uncut_area(p, open[l], l, choices);
    else if (open[l].open())
      sum += choices.aav_maximum == AavMaximum::envelope ? p.b[l] - p.a[l] : open[l].gap() * open[l].height;
  }
  return largest > 0 ? sum / largest : 0;
}

}  // namespace equipoise::psqa::detail
