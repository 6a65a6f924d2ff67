// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// For how long each pixel of a row is open between two leaves that move evenly: exact, as the difference of the
/// cumulated passages of the two tips.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace equipoise::psqa::detail {

/// For how long (MU) each pixel of a row is to the right of a moving edge; pixel averages. `begin` is the left border
/// of pixel 0, in mm.
class Passages {
 public:
  Passages(std::size_t pixels, double begin, double size)
      : mean_(pixels, 0.0), beyond_(pixels + 1, 0.0), begin_(begin), size_(size) {}

  /// The edge moves evenly from `from` to `to` while `mu` are delivered.
  void add(double from, double to, double mu) {
    const double low = (std::min(from, to) - begin_) / size_, high = (std::max(from, to) - begin_) / size_;
    const auto n = static_cast<double>(mean_.size());
    if (low >= n) return;
    if (high - low < 1e-9) return add_point(low, mu);
    const double density = mu / (high - low), stop = std::min(high, n);
    if (low < 0) beyond_[0] += density * (std::min(high, 0.0) - low);
    double at = std::max(low, 0.0);
    for (auto i = static_cast<std::size_t>(at); at < stop; ++i) {
      const double right = static_cast<double>(i + 1), next = std::min(right, stop), passing = density * (next - at);
      mean_[i] += passing * (right - 0.5 * (at + next));
      beyond_[i + 1] += passing;
      at = next;
    }
  }

  /// [pixels]
  [[nodiscard]] std::vector<double> values() const {
    std::vector<double> out(mean_.size());
    double passed = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      passed += beyond_[i];
      out[i] = passed + mean_[i];
    }
    return out;
  }

 private:
  void add_point(double at, double mu) {
    if (at < 0) return void(beyond_[0] += mu);
    const auto i = static_cast<std::size_t>(at);
    if (i >= mean_.size()) return;
    mean_[i] += mu * (static_cast<double>(i + 1) - at);
    beyond_[i + 1] += mu;
  }

  std::vector<double> mean_, beyond_;
  double begin_, size_;
};

/// The pair's opening at both ends of an interval.
struct Span {
  double a0, b0, a1, b1;
  [[nodiscard]] bool closed() const { return b0 <= a0 && b1 <= a1; }
};

/// Open time (MU) of each pixel for a sequence of openings.
class OpenTime {
 public:
  OpenTime(std::size_t pixels, double begin, double size) : left_(pixels, begin, size), right_(pixels, begin, size) {}
  void add(const Span& s, double mu) {
    if (s.closed()) return;
    left_.add(s.a0, s.a1, mu);
    right_.add(std::max(s.a0, s.b0), std::max(s.a1, s.b1), mu);
  }
  [[nodiscard]] std::vector<double> values() const {
    std::vector<double> l = left_.values();
    const std::vector<double> r = right_.values();
    for (std::size_t i = 0; i < l.size(); ++i) l[i] -= r[i];
    return l;
  }

 private:
  Passages left_, right_;
};

}  // namespace equipoise::psqa::detail
