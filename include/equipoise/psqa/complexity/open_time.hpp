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

/// For how long (MU) each pixel of a row is to the right of moving edges; pixel averages. `begin` is the left border of
/// pixel 0, in mm.
class Passages {
 public:
  Passages(std::size_t pixels, double begin, double size)
      : mean_(pixels, 0.0), beyond_(pixels + 1, 0.0), begin_(begin), per_mm_(1 / size) {}

  /// An edge moves evenly from `from` to `to` while `mu` are delivered.
  void add(double from, double to, double mu) {
    const double low = (std::min(from, to) - begin_) * per_mm_, high = (std::max(from, to) - begin_) * per_mm_;
    const auto n = static_cast<double>(mean_.size());
    if (low >= n) return;
    if (high < 0) return void(beyond_[0] += mu);
    const auto first = static_cast<std::size_t>(std::max(low, 0.0));
    if (const double right = static_cast<double>(first + 1); low >= 0 && high < right) {
      mean_[first] += mu * (right - 0.5 * (low + high));
      beyond_[first + 1] += mu;
      return;
    }
    const double density = mu / (high - low), stop = std::min(high, n);
    if (low < 0) beyond_[0] -= density * low;
    double at = std::max(low, 0.0);
    for (std::size_t i = first; at < stop; ++i) {
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
  std::vector<double> mean_, beyond_;
  double begin_, per_mm_;
};

/// The pair's opening at both ends of an interval.
struct Span {
  double a0, b0, a1, b1;
  [[nodiscard]] bool closed() const { return b0 <= a0 && b1 <= a1; }
};

/// Open time (MU) of each pixel for a sequence of openings: right of the left tip, and not of the right one.
class OpenTime {
 public:
  OpenTime(std::size_t pixels, double begin, double size) : passages_(pixels, begin, size) {}
  void add(const Span& s, double mu) {
    if (s.closed()) return;
    passages_.add(s.a0, s.a1, mu);
    passages_.add(std::max(s.a0, s.b0), std::max(s.a1, s.b1), -mu);
  }
  [[nodiscard]] std::vector<double> values() const { return passages_.values(); }

 private:
  Passages passages_;
};

/// Adds to `time` where two pairs are open together, from where both are to where they no longer are.
inline void add_shared(const Span& p, const Span& q, double mu, OpenTime& time) {
  Span s{std::max(p.a0, q.a0), std::min(p.b0, q.b0), std::max(p.a1, q.a1), std::min(p.b1, q.b1)};
  if (s.closed()) return;
  const double before = s.b0 - s.a0, after = s.b1 - s.a1;
  if (before < 0 || after < 0) {  // they meet on the way
    const double met = before / (before - after), at = s.a0 + met * (s.a1 - s.a0);
    (before < 0 ? s.a0 : s.a1) = at, (before < 0 ? s.b0 : s.b1) = at;
    mu *= before < 0 ? 1 - met : met;
  }
  time.add(s, mu);
}

}  // namespace equipoise::psqa::detail
