// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The edge area metric and the converted aperture metric (Götestedt 2015, Med Phys 42:3911). Both
/// sample an aperture on a raster. The rows of one leaf are equal and are computed once.

#include <equipoise/psqa/complexity/aperture.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace equipoise::psqa::detail {

/// Metrics of one aperture after another; keeps its work space.
class EdgeMetrics {
 public:
  /// \param distance how far from an edge still belongs to it, in mm
  /// \param tolerance in mm: less than this of a row or column more is none
  explicit EdgeMetrics(double distance, double tolerance = kPlaceTolerance_mm)
      : tolerance_(tolerance), reach_(static_cast<std::ptrdiff_t>(std::floor(distance))) {
    for (std::ptrdiff_t d = 0; d <= reach_; ++d)
      half_.push_back(std::sqrt(std::max(0.0, distance * distance - static_cast<double>(d * d))));
  }

  /// R1 / (R1 + R2), R1 the area within the distance of an edge, on both sides, R2 the open area further inside. Rows
  /// of 1 mm; along the rows exact. NaN for a closed aperture.
  [[nodiscard]] double edge_area(std::span<const Opening> open) {
    find_strips(open);
    double wide = 0, narrow = 0;
    const double* half = halves_.data();
    for (const Row& row : rows_) {
      if (row.from == row.to) continue;
      Sides inner = sides_[row.from] + *half, outer = sides_[row.from] - *half;
      ++half;
      for (std::size_t s = row.from + 1; s < row.to; ++s, ++half)
        inner = inner.max(sides_[s] + *half), outer = outer.min(sides_[s] - *half);
      if (row.whole) narrow += std::max(0.0, -inner[1] - inner[0]);
      // Pairs that touch the one below leave one span; they do so almost always.
      wide += apart_[row.from] >= row.to ? -outer[1] - outer[0] : covered(row, half);
    }
    return wide > 0 ? 1 - narrow / wide : std::numeric_limits<double>::quiet_NaN();
  }

  /// 1 - mean(1 - e^{-dx}) · mean(1 - e^{-dy}) · (1 - e^{-√A}), dx and dy the distances between opposite edges along and
  /// across the leaves, in cm. Columns of 2.5 mm. NaN for a closed aperture. \param area of the opening, mm²
  [[nodiscard]] double converted_aperture(std::span<const Opening> open, double area) {
    double along = 0, heights = 0, left = kInfinity, right = -kInfinity;
    for (const Opening& o : open) {
      if (!o.has_area()) continue;
      along += o.height * (1 - std::exp(-o.gap() / 10)), heights += o.height;
      left = std::min(left, o.left), right = std::max(right, o.right);
    }
    if (heights == 0) return std::numeric_limits<double>::quiet_NaN();
    const Across across = edges_across(open, left, right);
    return 1 -
           along / heights * (across.runs > 0 ? across.sum / across.runs : 0) * (1 - std::exp(-std::sqrt(area) / 10));
  }

 private:
  /// The rows of an open pair.
  struct Strip {
    std::ptrdiff_t begin, end;
    bool operator==(const Strip&) const = default;
  };
  /// The strips that a row's distance reaches.
  struct Row {
    std::size_t from, to;
    bool whole;  ///< they fill all rows within the distance
  };
  /// Left, and right with its sign turned: what is further inside is larger.
  using Sides = Eigen::Array2d;
  /// Columns of equal width over an aperture.
  struct Columns {
    double left, right;  ///< mm
    std::size_t count;

    [[nodiscard]] double middle(std::size_t c) const {
      return left + (right - left) * (static_cast<double>(c) + 0.5) / static_cast<double>(count);
    }
    /// The first column whose middle does not lie before x. \pre x is at least `left - 1`
    template <class Before>
    [[nodiscard]] std::size_t first(double x, Before&& before) const {
      const double place = (x - left) * (static_cast<double>(count) / (right - left)) + 0.5;
      auto c = static_cast<std::size_t>(std::max(0.0, place));
      // Next to a middle, a last digit must not decide.
      if (const double beside = place - static_cast<double>(c); beside > 1e-3 && beside < 1 - 1e-3)
        return std::min(c, count);
      if (c > 0) --c;
      while (c < count && before(middle(c), x)) ++c;
      return c;
    }
  };
  struct Across {
    double sum = 0, runs = 0;
  };

  void find_strips(std::span<const Opening> open) {
    double bottom = kInfinity, top = -kInfinity;
    for (const Opening& o : open)
      if (o.has_area()) bottom = std::min(bottom, o.bottom), top = std::max(top, o.bottom + o.height);
    // The first row whose middle is not below y. The maths library's ceil would be a call.
    const auto row = [&](double y) {
      const double at = std::max(0.0, y - bottom - 0.5);
      const auto down = static_cast<std::ptrdiff_t>(at);
      return down + (static_cast<double>(down) < at);
    };
    const std::ptrdiff_t rows = top > bottom ? static_cast<std::ptrdiff_t>(std::ceil(top - bottom - tolerance_)) : 0;
    std::swap(strips_, strips_before_);
    strips_.clear(), sides_.clear();
    for (const Opening& o : open) {
      if (!o.has_area()) continue;
      const Strip strip = {row(o.bottom - kPlaceTolerance_mm),
                           std::min(rows, row(o.bottom + o.height + kPlaceTolerance_mm))};
      // A row whose middle is on the border of two pairs is the upper pair's.
      if (!strips_.empty()) strips_.back().end = std::min(strips_.back().end, strip.begin);
      if (!strips_.empty() && strips_.back().end <= strips_.back().begin) strips_.pop_back(), sides_.pop_back();
      if (strip.end > strip.begin) strips_.push_back(strip), sides_.emplace_back(o.left, -o.right);
    }
    if (strips_ != strips_before_) find_rows();
    apart_.resize(sides_.size());
    for (std::size_t s = sides_.size(); s-- > 0;) {
      const bool last = s + 1 == sides_.size();
      const bool touches = !last && sides_[s][0] <= -sides_[s + 1][1] && sides_[s + 1][0] <= -sides_[s][1];
      apart_[s] = touches ? apart_[s + 1] : s + 1;
    }
  }

  /// Which strips each row reaches, and how far along the row the distance then goes: alike for most apertures.
  void find_rows() {
    rows_.clear(), halves_.clear();
    if (strips_.empty()) return;
    std::size_t from = 0;
    for (std::ptrdiff_t y = strips_.front().begin - reach_; y < strips_.back().end + reach_; ++y) {
      while (from < strips_.size() && strips_[from].end <= y - reach_) ++from;
      std::size_t to = from;
      std::ptrdiff_t seen = 0;
      for (; to < strips_.size() && strips_[to].begin <= y + reach_; ++to) {
        const Strip& strip = strips_[to];
        seen += std::min(strip.end, y + reach_ + 1) - std::max(strip.begin, y - reach_);
        const std::ptrdiff_t away = std::max({std::ptrdiff_t(0), strip.begin - y, y - strip.end + 1});
        halves_.push_back(half_[static_cast<std::size_t>(away)]);
      }
      rows_.push_back({from, to, seen == 2 * reach_ + 1});
    }
  }

  /// What the spans of a row cover. \param half past those of the row's strips
  [[nodiscard]] double covered(const Row& row, const double* half) {
    spans_.clear();
    half -= row.to - row.from;
    double first = kInfinity, last = -kInfinity;
    bool one = true;  // each reaches those before it
    for (std::size_t s = row.from; s < row.to; ++s, ++half) {
      const auto& [a, b] = spans_.emplace_back(sides_[s][0] - *half, *half - sides_[s][1]);
      one = one && (s == row.from || (a <= last && b >= first));
      first = std::min(first, a), last = std::max(last, b);
    }
    if (one) return last - first;
    std::sort(spans_.begin(), spans_.end());
    double sum = 0, end = -kInfinity;
    for (const auto& [a, b] : spans_)
      if (b > end) sum += b - std::max(a, end), end = b;
    return sum;
  }

  /// The runs of open pairs in each column; each counts once, as each row's does along the leaves.
  [[nodiscard]] Across edges_across(std::span<const Opening> open, double left, double right) {
    const Columns columns{left, right, static_cast<std::size_t>(std::ceil((right - left - tolerance_) / 2.5))};
    starts_.resize(columns.count);
    Across out;
    std::size_t begin = 0, end = 0;  // the columns that the pair before covers
    double bottom = 0;               // where runs begin or, at the pair before, end
    const auto close = [&](std::size_t from, std::size_t to) {
      for (std::size_t c = from; c < to; ++c) out.sum += term(bottom - starts_[c]), out.runs += 1;
    };
    const auto start = [&](std::size_t from, std::size_t to) {
      for (std::size_t c = from; c < to; ++c) starts_[c] = bottom;
    };
    for (const Opening& o : open) {
      const bool opens = o.has_area();
      const std::size_t b = opens ? columns.first(o.left - kPlaceTolerance_mm, std::less<>()) : columns.count,
                        e = opens ? columns.first(o.right + kPlaceTolerance_mm, std::less_equal<>()) : columns.count;
      close(begin, std::min(end, b)), close(std::max(begin, e), end);
      if (opens) {
        bottom = o.bottom;
        start(b, std::min(begin, e)), start(std::max(end, b), e);
        bottom += o.height;
      }
      begin = b, end = e;
    }
    close(begin, end);
    return out;
  }

  /// 1 - e^{-dy} of a run: lengths are sums of leaf widths, the same ones again and again.
  [[nodiscard]] double term(double run) {
    auto& [length, value] = known_[static_cast<std::size_t>(2 * run) % known_.size()];
    if (length != run) length = run, value = 1 - std::exp(-run / 10);
    return value;
  }

  double tolerance_;
  std::ptrdiff_t reach_;
  std::vector<double> half_, halves_, starts_;
  std::vector<Strip> strips_, strips_before_;
  std::vector<Row> rows_;
  std::vector<Sides> sides_;
  std::vector<std::size_t> apart_;  ///< the first strip above a strip that does not follow touching ones
  std::vector<std::pair<double, double>> spans_;
  std::array<std::pair<double, double>, 256> known_{};
};

}  // namespace equipoise::psqa::detail
