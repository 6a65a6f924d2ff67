// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Hausdorff distance of two regions of a map, at a percentile of the distances between their
/// surfaces.
///
/// The surface of a region are its pixels of which one of the four neighbours is outside of it, or
/// outside of the map. Each surface pixel of one region has a distance to the nearest one of the
/// other, Euclidean between the centres. The distances both ways are one list, of which the
/// percentile is taken, linear between its entries. This is `hd95` of MedPy; others take the larger
/// one of the two lists' percentiles.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/statistics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace equipoise {

/// Sizes of a pixel, in the unit of the distances; > 0.
struct PixelSpacing {
  double row = 1;     ///< from a row to the next
  double column = 1;  ///< from a column to the next
};

namespace detail {

/// A region [height, width] and the distances to its surface.
class Surface {
 public:
  Surface(std::span<const bool> region, std::size_t height, std::size_t width, PixelSpacing spacing)
      : width_(width), spacing_(spacing), within_column_(height * width, kFar) {
    const auto inside = [&](std::size_t r, std::size_t c) { return region[r * width + c]; };
    for (std::size_t r = 0; r < height; ++r)
      for (std::size_t c = 0; c < width; ++c)
        if (inside(r, c) && !(r > 0 && r + 1 < height && c > 0 && c + 1 < width && inside(r - 1, c) &&
                              inside(r + 1, c) && inside(r, c - 1) && inside(r, c + 1)))
          pixels_.push_back(r * width + c);
    for (const std::size_t p : pixels_) within_column_[p] = 0;
    for (std::size_t p = width; p < height * width; ++p)  // downwards, then upwards
      within_column_[p] = std::min(within_column_[p], within_column_[p - width] + 1);
    for (std::size_t p = height * width; p-- > width;)
      within_column_[p - width] = std::min(within_column_[p - width], within_column_[p] + 1);
  }

  [[nodiscard]] bool empty() const { return pixels_.empty(); }

  /// Appends the distance of each of its pixels to the other one's nearest. \pre neither is empty
  void append_distances(const Surface& to, std::vector<double>& out) const {
    for (const std::size_t p : pixels_) out.push_back(to.distance_of(p));
  }

 private:
  static constexpr double kFar = std::numeric_limits<double>::infinity();

  /// From a pixel to the nearest one of the surface: column by column, until the columns alone are
  /// farther.
  [[nodiscard]] double distance_of(std::size_t pixel) const {
    const std::size_t column = pixel % width_;
    double best = kFar;  // squared
    for (std::size_t d = 0; d < width_; ++d) {
      const double across = static_cast<double>(d) * spacing_.column;
      if (across * across >= best) break;
      const auto look = [&](std::size_t at) {
        const double along = within_column_[at] * spacing_.row;
        best = std::min(best, along * along + across * across);
      };
      if (d <= column) look(pixel - d);
      if (column + d < width_) look(pixel + d);
    }
    return std::sqrt(best);
  }

  std::size_t width_;
  PixelSpacing spacing_;
  std::vector<std::size_t> pixels_;
  std::vector<double> within_column_;  ///< rows to the nearest surface pixel of the same column
};

}  // namespace detail

/// The distance of two regions [height, width]: with `percentile` 100 the Hausdorff distance, with
/// 95 the usual one, which a few stray pixels do not decide. NaN if both regions are empty,
/// infinite if one is.
/// \throws ShapeError for lists that are not of height * width values, ValueError for a spacing or
/// percentile out of range
[[nodiscard]] inline double hausdorff(std::span<const bool> a, std::span<const bool> b, std::size_t height,
                                      std::size_t width, PixelSpacing spacing = {}, double percentile = 95) {
  check_same_length(a.size(), height * width, "hausdorff");
  check_same_length(b.size(), height * width, "hausdorff");
  check_option(spacing.row > 0 && std::isfinite(spacing.row), "hausdorff, spacing.row", "> 0", spacing.row);
  check_option(spacing.column > 0 && std::isfinite(spacing.column), "hausdorff, spacing.column", "> 0", spacing.column);
  check_option(percentile >= 0 && percentile <= 100, "hausdorff, percentile", "in [0, 100]", percentile);
  const detail::Surface of_a(a, height, width, spacing), of_b(b, height, width, spacing);
  if (of_a.empty() && of_b.empty()) return std::numeric_limits<double>::quiet_NaN();
  if (of_a.empty() || of_b.empty()) return std::numeric_limits<double>::infinity();
  std::vector<double> distances;
  of_a.append_distances(of_b, distances);
  of_b.append_distances(of_a, distances);
  return quantile(std::move(distances), percentile / 100);
}

}  // namespace equipoise
