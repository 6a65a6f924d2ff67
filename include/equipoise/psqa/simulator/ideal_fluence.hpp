// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a synthetic field should deliver: a target's outline as the beam sees it, and within it a fluence that two
/// Gaussian random fields modulate. Rows are the collimator's leaf pairs about the axis.

#include <equipoise/core/base/random_stream.hpp>
#include <equipoise/psqa/simulator/leaf_sequence.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <numbers>
#include <utility>
#include <vector>

namespace equipoise::psqa {

namespace detail {

/// Smooths rows and columns with a Gaussian of the given length and makes the variance one.
inline void correlate(FluenceRows& f, double length, double row_height) {
  const auto weights = [](double sigma) {
    const auto reach = static_cast<std::ptrdiff_t>(std::ceil(2.5 * sigma));
    std::vector<double> w;
    double squares = 0;
    for (std::ptrdiff_t i = -reach; i <= reach; ++i) {
      w.push_back(std::exp(-0.5 * static_cast<double>(i * i) / std::max(sigma * sigma, 1e-6)));
      squares += w.back() * w.back();
    }
    for (double& x : w) x /= std::sqrt(squares);
    return w;
  };
  const auto apply = [](auto&& get, std::ptrdiff_t n, const std::vector<double>& w) {
    const auto reach = static_cast<std::ptrdiff_t>(w.size() / 2);
    std::vector<double> out(static_cast<std::size_t>(n), 0.0);
    for (std::ptrdiff_t i = 0; i < n; ++i)
      for (std::ptrdiff_t k = -reach; k <= reach; ++k)
        out[static_cast<std::size_t>(i)] += w[static_cast<std::size_t>(k + reach)] * get((i + k % n + n) % n);
    return out;
  };
  const std::vector<double> along = weights(length / kFluenceStep_mm / std::sqrt(2.0)),
                            across = weights(length / row_height / std::sqrt(2.0));
  for (auto& row : f) {
    const std::vector<double> s = apply([&](std::ptrdiff_t i) { return row[static_cast<std::size_t>(i)]; },
                                        static_cast<std::ptrdiff_t>(kFluenceSamples), along);
    std::copy(s.begin(), s.end(), row.begin());
  }
  for (std::size_t x = 0; x < kFluenceSamples; ++x) {
    const std::vector<double> s = apply([&](std::ptrdiff_t i) { return f[static_cast<std::size_t>(i)][x]; },
                                        static_cast<std::ptrdiff_t>(f.size()), across);
    for (std::size_t l = 0; l < f.size(); ++l) f[l][x] = s[l];
  }
}

}  // namespace detail

/// A Gaussian random field: made of variance one on even lines as high as the narrowest row; what a wider pair of leaves
/// can deliver of it is the mean of the lines that it covers.
[[nodiscard]] inline FluenceRows gaussian_random_field(RandomStream random, const LeafRows& rows, double length) {
  std::size_t count = 0;
  const auto lines_of = [&](std::size_t l) { return static_cast<std::size_t>(std::lround(rows.weight(l))); };
  for (std::size_t l = 0; l < rows.size(); ++l) count += lines_of(l);
  FluenceRows lines(count);
  for (auto& line : lines)
    for (double& v : line) v = random.normal();
  detail::correlate(lines, length, rows.pitch());
  FluenceRows f(rows.size());
  std::size_t first = 0;
  for (std::size_t l = 0; l < rows.size(); first += lines_of(l), ++l)
    for (std::size_t x = 0; x < kFluenceSamples; ++x) {
      double sum = 0;
      for (std::size_t i = first; i < first + lines_of(l); ++i) sum += lines[i][x];
      f[l][x] = sum / rows.weight(l);
    }
  return f;
}

namespace detail {

/// A target of 2-4 random ellipsoids about the isocentre: every beam, and every angle of an arc, sees the same one.
class RandomTarget {
 public:
  RandomTarget(RandomStream random, double half_x, double half_y) {
    const std::int64_t n = random.integer(2, 4);
    for (std::int64_t i = 0; i < n; ++i) {
      Ellipsoid e;
      for (std::size_t k = 0; k < 3; ++k) e.centre[k] = random.normal(0, k == 2 ? 0.18 * half_y : 0.1 * half_x);
      e.half[0] = half_x * random.uniform(0.6, 1.05), e.half[1] = e.half[0] * random.uniform(0.85, 1.15);
      e.half[2] = half_y * random.uniform(0.6, 1.05);
      ellipsoids_.push_back(e);
    }
  }

  /// The outline along x at height y, as a beam at a gantry angle (degree) sees it; empty where second <= first.
  [[nodiscard]] std::pair<double, double> span(double gantry, double y) const {
    const double angle = gantry * std::numbers::pi / 180, c = std::cos(angle), s = std::sin(angle);
    std::pair<double, double> out = {kFluenceExtent_mm, -kFluenceExtent_mm};
    for (const Ellipsoid& e : ellipsoids_) {
      const double v = (y - e.centre[2]) / e.half[2];
      if (v * v >= 1) continue;
      const double middle = e.centre[0] * c + e.centre[1] * s,
                   half = std::hypot(e.half[0] * c, e.half[1] * s) * std::sqrt(1 - v * v);
      out = {std::min(out.first, middle - half), std::max(out.second, middle + half)};
    }
    return {std::max(out.first, -kFluenceExtent_mm), std::min(out.second, kFluenceExtent_mm)};
  }

 private:
  struct Ellipsoid {
    std::array<double, 3> centre{}, half{};  ///< mm; across, front to back, along the patient
  };
  std::vector<Ellipsoid> ellipsoids_;
};

/// The first and last place along a row at y (mm) where `inside` holds.
template <class Inside>
[[nodiscard]] std::pair<double, double> row_span(Inside&& inside, double y) {
  std::pair<double, double> out = {kFluenceExtent_mm, -kFluenceExtent_mm};
  for (std::size_t x = 0; x < kFluenceSamples; ++x)
    if (const double px = -kFluenceExtent_mm + kFluenceStep_mm * static_cast<double>(x); inside(px, y))
      out = {std::min(out.first, px), px};
  return out;
}

/// A row smoothed by a Gaussian of 2 mm within the outline: a source cannot deliver steps, and no optimiser asks for
/// them.
[[nodiscard]] inline FluenceRow smoothed(const FluenceRow& f) {
  static constexpr std::array<double, 5> weights = {0.1353, 0.6065, 1, 0.6065, 0.1353};  // 2 mm are one sample
  FluenceRow out{};
  for (std::size_t x = 0; x < kFluenceSamples; ++x) {
    if (!(f[x] > 0)) continue;
    double sum = 0, all = 0;
    for (std::size_t k = 0; k < weights.size(); ++k)
      if (const std::size_t at = x + k - 2; at < kFluenceSamples && f[at] > 0)
        sum += weights[k] * f[at], all += weights[k];
    out[x] = sum / all;
  }
  return out;
}

/// A field's ideal fluence for any amplitude of its modulation.
class IdealFluence {
 public:
  /// \param key of the field's random numbers  \param length of the modulation, mm
  template <class Inside>
  IdealFluence(std::initializer_list<std::uint64_t> key, double length, LeafRows rows, Inside&& inside)
      : rows_(std::move(rows)),
        modulation_(gaussian_random_field(RandomStream(key, "coarse"), rows_, length)),
        inside_(rows_.size()) {
    const FluenceRows fine = gaussian_random_field(RandomStream(key, "fine"), rows_, 0.45 * length);
    for (std::size_t l = 0; l < rows_.size(); ++l)
      for (std::size_t x = 0; x < kFluenceSamples; ++x) {
        modulation_[l][x] = 0.75 * modulation_[l][x] + 0.45 * fine[l][x];
        inside_[l][x] = inside(-kFluenceExtent_mm + kFluenceStep_mm * static_cast<double>(x), rows_.middle(l));
      }
  }

  [[nodiscard]] const LeafRows& rows() const { return rows_; }

  /// Of mean one within the outline.
  [[nodiscard]] FluenceRows of_amplitude(double amplitude) const {
    FluenceRows f(rows_.size());
    double sum = 0, count = 0;
    for (std::size_t l = 0; l < rows_.size(); ++l) {
      for (std::size_t x = 0; x < kFluenceSamples; ++x)
        f[l][x] = inside_[l][x] ? std::max(0.05, 1 + amplitude * modulation_[l][x]) : 0;
      f[l] = smoothed(f[l]);
      const double weight = rows_.weight(l);
      for (const double v : f[l]) sum += weight * v, count += v > 0 ? weight : 0;
    }
    for (auto& row : f)
      for (double& v : row) v *= sum > 0 ? count / sum : 0;
    return f;
  }

  /// Makes the fields of a plan complement one another, as optimised ones do whose sum should be even: takes most of
  /// their mean modulation out of each, which keeps its variance.
  friend void complement(std::vector<IdealFluence>& fields) {
    constexpr double share = 0.4;
    const double n = static_cast<double>(fields.size());
    FluenceRows mean(fields.at(0).rows_.size());
    for (auto& row : mean) row.fill(0);
    for (const IdealFluence& f : fields)
      for (std::size_t l = 0; l < mean.size(); ++l)
        for (std::size_t x = 0; x < kFluenceSamples; ++x) mean[l][x] += f.modulation_[l][x] / n;
    const double sd = std::sqrt(1 - (2 - share) * share / n);
    for (IdealFluence& f : fields)
      for (std::size_t l = 0; l < mean.size(); ++l)
        for (std::size_t x = 0; x < kFluenceSamples; ++x)
          f.modulation_[l][x] = (f.modulation_[l][x] - share * mean[l][x]) / sd;
  }

 private:
  LeafRows rows_;
  FluenceRows modulation_;
  std::vector<std::array<bool, kFluenceSamples>> inside_;
};

}  // namespace detail

}  // namespace equipoise::psqa
