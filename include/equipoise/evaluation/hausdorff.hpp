// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Hausdorff distance of two regions of a map or volume, at a percentile of the distances between
/// their surfaces.
///
/// The surface of a region are its pixels of which one of the four neighbours, of voxels one of the
/// six, is outside of it, or outside of the map. Each surface pixel of one region has a distance to the nearest one of the
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

/// Sizes of a pixel or voxel, in the unit of the distances; > 0.
struct PixelSpacing {
  double row = 1;     ///< from a row to the next
  double column = 1;  ///< from a column to the next
  double slice = 1;   ///< of volumes: from a slice to the next
};

namespace detail {

/// Sides of a map, of one slice, or of a volume.
struct MapSides {
  std::size_t slices, height, width;
  bool volume;  ///< whether the first and the last slice are at the border

  [[nodiscard]] std::size_t of_slice() const { return height * width; }
  [[nodiscard]] std::size_t size() const { return slices * of_slice(); }
};

/// A region [slices, height, width] and the distances to its surface.
class Surface {
 public:
  Surface(std::span<const bool> region, MapSides sides, PixelSpacing spacing)
      : sides_(sides), spacing_(spacing), within_column_(sides.size(), kFar) {
    const std::size_t h = sides.height, w = sides.width, slice = sides.of_slice();
    const auto enclosed = [&](std::size_t at, std::size_t n, std::size_t p, std::size_t step) {
      return at > 0 && at + 1 < n && region[p - step] && region[p + step];
    };
    for (std::size_t p = 0; p < sides.size(); ++p)
      if (region[p] && !(enclosed(p / w % h, h, p, w) && enclosed(p % w, w, p, 1) &&
                         (!sides.volume || enclosed(p / slice, sides.slices, p, slice))))
        pixels_.push_back(p);
    for (const std::size_t p : pixels_) within_column_[p] = 0;
    for (std::size_t p = w; p < sides.size(); ++p)  // downwards, then upwards
      if (p % slice >= w) within_column_[p] = std::min(within_column_[p], within_column_[p - w] + 1);
    for (std::size_t p = sides.size(); p-- > w;)
      if (p % slice >= w) within_column_[p - w] = std::min(within_column_[p - w], within_column_[p] + 1);
  }

  [[nodiscard]] bool empty() const { return pixels_.empty(); }

  /// Appends the distance of each of its pixels to the other one's nearest. \pre neither is empty
  void append_distances(const Surface& to, std::vector<double>& out) const {
    for (const std::size_t p : pixels_) out.push_back(to.distance_of(p));
  }

 private:
  static constexpr double kFar = std::numeric_limits<double>::infinity();

  /// From a pixel to the nearest one of the surface: slice by slice and column by column, until
  /// these alone are farther.
  [[nodiscard]] double distance_of(std::size_t pixel) const {
    double best = kFar;  // squared
    outwards(pixel, pixel / sides_.of_slice(), sides_.slices, sides_.of_slice(), spacing_.slice, 0, best,
             [&](std::size_t in_slice, double to_slice) {
               outwards(in_slice, pixel % sides_.width, sides_.width, 1, spacing_.column, to_slice, best,
                        [&](std::size_t at, double to_column) {
                          const double along = within_column_[at] * spacing_.row;
                          best = std::min(best, along * along + to_column);
                        });
             });
    return std::sqrt(best);
  }

  /// Calls `look` with the pixels at growing distances to both sides along an axis, and the squared
  /// distance, until it reaches `best`.
  template <class Look>
  static void outwards(std::size_t pixel, std::size_t place, std::size_t n, std::size_t step, double spacing,
                       double already, const double& best, const Look& look) {
    for (std::size_t d = 0; d < n; ++d) {
      const double across = static_cast<double>(d) * spacing, squared = already + across * across;
      if (squared >= best) break;
      if (d <= place) look(pixel - d * step, squared);
      if (d > 0 && place + d < n) look(pixel + d * step, squared);
    }
  }

  MapSides sides_;
  PixelSpacing spacing_;
  std::vector<std::size_t> pixels_;
  std::vector<double> within_column_;  ///< rows to the nearest surface pixel of the same column
};

[[nodiscard]] inline double hausdorff_of(std::span<const bool> a, std::span<const bool> b, MapSides sides,
                                         PixelSpacing spacing, double percentile) {
  check_same_length(a.size(), sides.size(), "hausdorff");
  check_same_length(b.size(), sides.size(), "hausdorff");
  check_option(spacing.row > 0 && std::isfinite(spacing.row), "hausdorff, spacing.row", "> 0", spacing.row);
  check_option(spacing.column > 0 && std::isfinite(spacing.column), "hausdorff, spacing.column", "> 0", spacing.column);
  check_option(spacing.slice > 0 && std::isfinite(spacing.slice), "hausdorff, spacing.slice", "> 0", spacing.slice);
  check_option(percentile >= 0 && percentile <= 100, "hausdorff, percentile", "in [0, 100]", percentile);
  const Surface of_a(a, sides, spacing), of_b(b, sides, spacing);
  if (of_a.empty() && of_b.empty()) return std::numeric_limits<double>::quiet_NaN();
  if (of_a.empty() || of_b.empty()) return std::numeric_limits<double>::infinity();
  std::vector<double> distances;
  of_a.append_distances(of_b, distances);
  of_b.append_distances(of_a, distances);
  return quantile(std::move(distances), percentile / 100);
}

}  // namespace detail

/// The distance of two regions [height, width]: with `percentile` 100 the Hausdorff distance, with
/// 95 the usual one, which a few stray pixels do not decide. NaN if both regions are empty,
/// infinite if one is.
/// \throws ShapeError for lists that are not of height * width values, ValueError for a spacing or
/// percentile out of range
[[nodiscard]] inline double hausdorff(std::span<const bool> a, std::span<const bool> b, std::size_t height,
                                      std::size_t width, PixelSpacing spacing = {}, double percentile = 95) {
  return detail::hausdorff_of(a, b, {1, height, width, /*volume=*/false}, spacing, percentile);
}

/// The same of two regions of volumes, [slices, height, width]. The first and the last slice are at
/// the border.
[[nodiscard]] inline double volume_hausdorff(std::span<const bool> a, std::span<const bool> b, std::size_t slices,
                                             std::size_t height, std::size_t width, PixelSpacing spacing = {},
                                             double percentile = 95) {
  return detail::hausdorff_of(a, b, {slices, height, width, /*volume=*/true}, spacing, percentile);
}

}  // namespace equipoise
