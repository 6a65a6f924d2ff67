// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// For how long leaf ends lie at each pixel of a row.

#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace equipoise::psqa::detail {

/// The weight of a line at a distance from a pixel's middle, in pixels: it falls evenly to 0 at the
/// neighbour's middle, so that a line between two pixels belongs to both.
[[nodiscard]] inline double share_of_line(double distance) {
  return std::max(0.0, 1 - std::abs(distance));
}

/// The integral of `share_of_line` up to a distance.
[[nodiscard]] inline double sum_of_line(double distance) {
  const double d = std::clamp(distance, -1.0, 1.0);
  return d < 0 ? 0.5 * (1 + d) * (1 + d) : 1 - 0.5 * (1 - d) * (1 - d);
}

/// MU for which leaf ends lie at each pixel of a row, per mm of the row, and the same times the
/// ends' speed. `begin` is the left border of pixel 0, in mm.
class LeafEndTime {
 public:
  LeafEndTime(std::size_t pixels, double begin, double size)
      : time_(pixels, 0.0), speed_(pixels, 0.0), first_(begin + size / 2), per_mm_(1 / size) {}

  /// An end moves evenly from `from` to `to` (mm) while `mu` are delivered. Only its way between
  /// the jaws counts, and half of the time for which it rests at one of them: an error outwards
  /// then lies under the jaw.
  void add(double from, double to, double x1, double x2, double mu, double mm_per_s) {
    double low = std::min(from, to), high = std::max(from, to);
    const double way = high - low;
    const auto at_jaw = [&](double jaw) { return std::abs(low - jaw) < kPlaceTolerance_mm; };
    if (way < kPlaceTolerance_mm && (at_jaw(x1) || at_jaw(x2))) {
      mu *= 0.5;
    } else {
      low = std::max(low, x1), high = std::min(high, x2);
      if (high < low) return;
      if (way > 0) mu *= (high - low) / way;
    }
    low = (low - first_) * per_mm_, high = (high - first_) * per_mm_;
    const double last = static_cast<double>(time_.size() - 1);
    if (high <= -1 || low >= last + 1) return;
    const auto begin = static_cast<std::size_t>(std::max(0.0, std::ceil(low - 1))),
               end = static_cast<std::size_t>(std::min(last, std::floor(high + 1)));
    for (std::size_t i = begin; i <= end; ++i) {
      const double at = static_cast<double>(i);
      // The ends of a way of less than a billionth of a pixel are one place.
      const double share =
          high - low > 1e-9 ? (sum_of_line(high - at) - sum_of_line(low - at)) / (high - low) : share_of_line(low - at);
      const double added = share * mu * per_mm_;
      time_[i] += added, speed_[i] += added * mm_per_s;
    }
  }

  [[nodiscard]] const std::vector<double>& time() const { return time_; }    ///< [pixels] MU/mm
  [[nodiscard]] const std::vector<double>& speed() const { return speed_; }  ///< [pixels] MU/mm times mm/s

 private:
  std::vector<double> time_, speed_;
  double first_, per_mm_;  ///< the middle of pixel 0 in mm; pixels per mm
};

}  // namespace equipoise::psqa::detail
