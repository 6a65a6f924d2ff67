// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a beam's fluence map is like: Webb's modulation index (2003, PMB 48:2051), the fractal dimension by variations
/// (Nauta 2011, Med Phys 38:5385) and simple image features. The map is that of ideal leaves, cut to the field.

#include <equipoise/psqa/complexity/aperture.hpp>
#include <equipoise/psqa/complexity/choices.hpp>
#include <equipoise/psqa/complexity/open_time.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// A fluence of relative numbers, its rows along the leaves' travel.
struct FluenceMap {
  std::size_t rows = 0, columns = 0;
  double pixel = 1;  ///< mm
  std::vector<double> values;

  [[nodiscard]] double at(std::size_t y, std::size_t x) const { return values[y * columns + x]; }
  /// [columns, rows]
  [[nodiscard]] Eigen::Map<const Eigen::ArrayXXd> image() const {
    return {values.data(), static_cast<Eigen::Index>(columns), static_cast<Eigen::Index>(rows)};
  }
};

namespace detail {

/// A beam's fluence (MU) over the rectangle that its openings reach. Rows sample the leaf pairs' middles.
[[nodiscard]] inline FluenceMap fluence_map(const Beam& beam, const Bank& bank, const Openings& at_points,
                                            const ComplexityChoices& choices) {
  const double pixel = choices.fluence_pixel_mm;
  double left = kInfinity, right = -kInfinity, bottom = kInfinity, top = -kInfinity;
  for (std::size_t k = 0; k < at_points.size(); ++k)
    for (const Opening& o : at_points[k])
      if (o.has_area()) {
        left = std::min(left, o.left), right = std::max(right, o.right);
        bottom = std::min(bottom, o.bottom), top = std::max(top, o.bottom + o.height);
      }
  FluenceMap map;
  map.pixel = pixel;
  if (!(right > left) || right - left > 2000 || top - bottom > 2000) return map;
  map.columns = static_cast<std::size_t>(std::ceil((right - left - choices.same_place_mm) / pixel));
  map.rows = static_cast<std::size_t>(std::ceil((top - bottom - choices.same_place_mm) / pixel));
  map.values.assign(map.rows * map.columns, 0.0);
  // Centred, so that a mirrored field has a mirrored map.
  left = 0.5 * (left + right - pixel * static_cast<double>(map.columns));
  bottom = 0.5 * (bottom + top - pixel * static_cast<double>(map.rows));
  std::vector<std::vector<double>> of_pair(bank.boundaries.size() - 1);
  for (std::size_t y = 0; y < map.rows; ++y) {
    const double place = bottom + pixel * (static_cast<double>(y) + 0.5) + kPlaceTolerance_mm;
    const auto above = std::upper_bound(bank.boundaries.begin(), bank.boundaries.end(), place);
    if (above == bank.boundaries.begin() || above == bank.boundaries.end()) continue;
    const auto l = static_cast<std::size_t>(above - bank.boundaries.begin()) - 1;
    if (of_pair[l].empty()) {
      OpenTime open(map.columns, left, pixel);
      for (std::size_t k = 1; k < at_points.size(); ++k) {
        const Opening &p = at_points[k - 1][l], &q = at_points[k][l];
        if (beam.interval_mu(k) > 0 && (p.has_area() || q.has_area()))
          open.add({p.left, p.right, q.left, q.right}, beam.interval_mu(k));
      }
      of_pair[l] = open.values();
    }
    std::copy(of_pair[l].begin(), of_pair[l].end(), map.values.begin() + static_cast<std::ptrdiff_t>(y * map.columns));
  }
  return map;
}

}  // namespace detail

/// Image features of a fluence map; NaN for a map without contrast.
struct FluenceFeatures {
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();
  double webb = none, fractal = none, max_over_mean = none, variation = none, gradient = none, steep = none,
         entropy = none;
};

namespace detail {

/// MI = ∫ z(f) df over 0 .. 0.5, z(f) the share of neighbours that differ by more than f standard deviations; mean over
/// both axes and both diagonals.
[[nodiscard]] inline double webb_index(const FluenceMap& map, double sd) {
  const std::array<std::pair<std::ptrdiff_t, std::ptrdiff_t>, 4> steps = {{{0, 1}, {1, 0}, {1, 1}, {1, -1}}};
  const auto rows = static_cast<std::ptrdiff_t>(map.rows), columns = static_cast<std::ptrdiff_t>(map.columns);
  double sum = 0;
  for (const auto& [dy, dx] : steps) {
    double direction = 0, n = 0;
    for (std::ptrdiff_t y = 0; y + dy < rows; ++y)
      for (std::ptrdiff_t x = std::max<std::ptrdiff_t>(0, -dx); x + std::max<std::ptrdiff_t>(dx, 0) < columns; ++x) {
        const double step = map.values[static_cast<std::size_t>((y + dy) * columns + x + dx)] -
                            map.values[static_cast<std::size_t>(y * columns + x)];
        direction += std::min(std::abs(step), 0.5 * sd), n += 1;
      }
    if (n > 0) sum += direction / (n * sd);
  }
  return sum / 4;
}

}  // namespace detail

/// The fractal dimension D of a map by variations.
///   D = 3 - slope of log V(r) against log r; V(r) the mean of max - min over windows of 2r + 1 pixels, r = 1 .. 5.
[[nodiscard]] inline double fractal_dimension(const FluenceMap& map) {
  if (map.rows < 3 || map.columns < 3) return FluenceFeatures::none;
  Eigen::ArrayXXd high = map.image(), low = -high, next;  // the lowest as the highest of what is turned over
  // A window of radius r is the 3 x 3 neighbourhood of those of radius r - 1.
  const auto widen = [&next, x = high.rows() - 1, y = high.cols() - 1](Eigen::ArrayXXd& maximum) {
    next = maximum;
    next.topRows(x) = next.topRows(x).max(maximum.bottomRows(x));
    next.bottomRows(x) = next.bottomRows(x).max(maximum.topRows(x));
    maximum = next;
    maximum.leftCols(y) = maximum.leftCols(y).max(next.rightCols(y));
    maximum.rightCols(y) = maximum.rightCols(y).max(next.leftCols(y));
  };
  double sx = 0, sy = 0, sxx = 0, sxy = 0, n = 0;
  for (int r = 1; r <= 5; ++r) {
    widen(high), widen(low);
    const double sum = (high + low).sum();
    if (!(sum > 0)) return FluenceFeatures::none;
    const double x = std::log(static_cast<double>(r)), y = std::log(sum / static_cast<double>(high.size()));
    sx += x, sy += y, sxx += x * x, sxy += x * y, n += 1;
  }
  return 3 - (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

/// Webb's index, fractal dimension, contrast, gradients and entropy of a map. \param same_place how far apart in mm leaves
/// in line may stand
[[nodiscard]] inline FluenceFeatures fluence_features(const FluenceMap& map, double same_place = kPlaceTolerance_mm) {
  FluenceFeatures out;
  const auto n = static_cast<double>(map.values.size());
  if (map.rows < 2 || map.columns < 2) return out;
  double mean = 0, maximum = 0, squares = 0;
  for (const double v : map.values) mean += v, maximum = std::max(maximum, v);
  mean /= n;
  for (const double v : map.values) squares += (v - mean) * (v - mean);
  const double sd = std::sqrt(squares / n);
  if (!(mean > 0)) return out;
  out.max_over_mean = maximum / mean, out.variation = sd / mean;
  // Leaves that are not quite in line make no contrast.
  const double noise = kPlaceTolerance_mm / map.pixel;
  if (sd > same_place / map.pixel * mean) out.webb = detail::webb_index(map, sd), out.fractal = fractal_dimension(map);
  std::vector<double> slopes;
  slopes.reserve(map.values.size());
  std::array<double, 32> bins{};
  const double level = 32 / maximum, steepness = 0.5 / (map.pixel * maximum);
  for (std::size_t y = 0; y < map.rows; ++y)
    for (std::size_t x = 0; x < map.columns; ++x) {
      // Levels of a step-and-shoot map lie on the bins' edges: noise of the leaves must not move them across.
      bins[std::min<std::size_t>(31, static_cast<std::size_t>(level * map.at(y, x) + 32 * noise))] += 1;
      if (x + 1 == map.columns || y + 1 == map.rows) continue;
      const double a = map.at(y, x), b = map.at(y, x + 1), c = map.at(y + 1, x), d = map.at(y + 1, x + 1);
      const double dx = b - a + d - c, dy = c - a + d - b;
      slopes.push_back(steepness * std::sqrt(dx * dx + dy * dy));
    }
  double sum = 0;
  for (const double s : slopes) sum += s;
  out.gradient = sum / static_cast<double>(slopes.size());
  const auto rank = static_cast<std::ptrdiff_t>(0.99 * static_cast<double>(slopes.size() - 1));
  std::nth_element(slopes.begin(), slopes.begin() + rank, slopes.end());
  out.steep = slopes[static_cast<std::size_t>(rank)];
  out.entropy = 0;
  for (const double p : bins)
    if (p > 0) out.entropy -= p / n * std::log2(p / n);
  return out;
}

}  // namespace equipoise::psqa
