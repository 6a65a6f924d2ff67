// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// An estimate of the time that a long task still takes, and durations as a reader sees them.

#include <charconv>
#include <cmath>
#include <optional>
#include <string>

namespace equipoise {

/// Estimates the time left from the rate of work so far. The first item, which includes the warm-up, does not count, and
/// later items count more than early ones: work done at a time s after the first item has, at a time t, the weight
/// (s / t)². Items that come within a tenth of a second, as from parallel workers, count as one step.
///
///     RemainingTime remaining;
///     remaining.update(done, seconds);            // after each item
///     const auto left = remaining.left(all);      // none until there is a steady rate
class RemainingTime {
 public:
  /// \param done work so far, in any unit; it does not fall
  /// \param now seconds of a clock that only moves forward
  void update(double done, double now) {
    done_ = done;
    if (steps_ < 0) {
      first_ = last_ = now, counted_ = done, steps_ = 0;
      return;
    }
    if (now - last_ < kApart || !(done > counted_)) return;
    const double forget = std::pow((last_ - first_) / (now - first_), 2);
    work_ = work_ * forget + done - counted_;
    seconds_ = seconds_ * forget + now - last_;
    last_ = now, counted_ = done;
    ++steps_;
  }
  /// Seconds until `all` is done; none before two steps after the first item and two seconds.
  [[nodiscard]] std::optional<double> left(double all) const {
    if (steps_ < 2 || last_ - first_ < 2 || !(all > done_)) return std::nullopt;
    return (all - done_) * seconds_ / work_;
  }

 private:
  static constexpr double kApart = 0.1;  ///< seconds between steps

  int steps_ = -1;                 ///< -1 before the first item
  double first_ = 0, last_ = 0;    ///< times of the first item and of the last step
  double done_ = 0, counted_ = 0;  ///< work at the last update and at the last step
  double work_ = 0, seconds_ = 0;  ///< weighted sums over the steps
};

/// `40 s`, `3 min`, `2.5 h`
[[nodiscard]] inline std::string duration_text(double seconds) {
  const auto number = [](double value) {
    char text[32];
    return std::string(text, std::to_chars(text, text + sizeof(text), value, std::chars_format::general, 4).ptr);
  };
  if (seconds < 90) return number(std::round(seconds)) + " s";
  if (seconds < 5400) return number(std::round(seconds / 60)) + " min";
  return number(std::round(seconds / 360) / 10) + " h";
}

}  // namespace equipoise
