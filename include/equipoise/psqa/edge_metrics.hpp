// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How much of an aperture is edge (Götestedt 2015, Med Phys 42:3911): the edge area metric and the converted aperture
/// metric. Both look at an aperture on a raster; a leaf's rows are alike, so that they are looked at once.

#include <equipoise/psqa/aperture.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace equipoise::psqa::detail {

/// Metrics of one aperture after another; keeps its work space.
class EdgeMetrics {
 public:
  /// \param distance how far from an edge still belongs to it, in mm
  explicit EdgeMetrics(double distance) : reach_(static_cast<std::ptrdiff_t>(std::floor(distance))) {
    for (std::ptrdiff_t d = 0; d <= reach_; ++d)
      half_.push_back(std::sqrt(std::max(0.0, distance * distance - static_cast<double>(d * d))));
  }

  /// R1 / (R1 + R2), R1 the area within the distance of an edge, on both sides, R2 the open area further inside. Rows
  /// of 1 mm; along the rows exact. NaN for a closed aperture.
  [[nodiscard]] double edge_area(const std::vector<Opening>& open) {
    const std::ptrdiff_t rows = find_strips(open);
    double wide = 0, narrow = 0;
    std::size_t from = 0;
    for (std::ptrdiff_t y = -reach_; y < rows + reach_; ++y) {
      while (from < strips_.size() && strips_[from].end <= y - reach_) ++from;
      double inner_left = -kInfinity, inner_right = kInfinity, first = kInfinity, last = -kInfinity;
      std::ptrdiff_t seen = 0;
      bool one = true;  // neighbouring rows overlap almost always: one span
      for (std::size_t s = from; s < strips_.size() && strips_[s].begin <= y + reach_; ++s) {
        const Strip& strip = strips_[s];
        seen += std::min(strip.end, y + reach_ + 1) - std::max(strip.begin, y - reach_);
        const double half = half_at(strip, y);
        inner_left = std::max(inner_left, strip.left + half), inner_right = std::min(inner_right, strip.right - half);
        one = one && (s == from || (strip.left - half <= last && strip.right + half >= first));
        first = std::min(first, strip.left - half), last = std::max(last, strip.right + half);
      }
      if (seen == 2 * reach_ + 1) narrow += std::max(0.0, inner_right - inner_left);
      if (last > first) wide += one ? last - first : covered(from, y);
    }
    return wide > 0 ? 1 - narrow / wide : std::numeric_limits<double>::quiet_NaN();
  }

  /// 1 - mean(1 - e^{-dx}) · mean(1 - e^{-dy}) · (1 - e^{-√A}), dx and dy the distances between opposite edges along and
  /// across the leaves, in cm. Columns of 2.5 mm. NaN for a closed aperture. \param area of the opening, mm²
  [[nodiscard]] double converted_aperture(const std::vector<Opening>& open, double area) {
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
    double left, right;
  };
  struct Across {
    double sum = 0, runs = 0;
  };

  /// \return the rows that the open pairs reach over
  std::ptrdiff_t find_strips(const std::vector<Opening>& open) {
    double bottom = kInfinity, top = -kInfinity;
    for (const Opening& o : open)
      if (o.has_area()) bottom = std::min(bottom, o.bottom), top = std::max(top, o.bottom + o.height);
    // The first row whose middle is not below y. The maths library's ceil would be a call.
    const auto row = [&](double y) {
      const double at = std::max(0.0, y - bottom - 0.5);
      const auto down = static_cast<std::ptrdiff_t>(at);
      return down + (static_cast<double>(down) < at);
    };
    const std::ptrdiff_t rows = top > bottom ? static_cast<std::ptrdiff_t>(std::ceil(top - bottom - 1e-9)) : 0;
    strips_.clear();
    for (const Opening& o : open) {
      if (!o.has_area()) continue;
      const Strip strip = {row(o.bottom - 1e-9), std::min(rows, row(o.bottom + o.height + 1e-9)), o.left, o.right};
      // A row whose middle is on the border of two pairs is the upper pair's.
      if (!strips_.empty()) strips_.back().end = std::min(strips_.back().end, strip.begin);
      if (!strips_.empty() && strips_.back().end <= strips_.back().begin) strips_.pop_back();
      if (strip.end > strip.begin) strips_.push_back(strip);
    }
    return rows;
  }

  /// How far along a row the distance reaches from a strip's row nearest to it.
  [[nodiscard]] double half_at(const Strip& strip, std::ptrdiff_t y) const {
    return half_[static_cast<std::size_t>(std::max({std::ptrdiff_t(0), strip.begin - y, y - strip.end + 1}))];
  }

  [[nodiscard]] double covered(std::size_t from, std::ptrdiff_t y) {
    spans_.clear();
    for (std::size_t s = from; s < strips_.size() && strips_[s].begin <= y + reach_; ++s)
      spans_.emplace_back(strips_[s].left - half_at(strips_[s], y), strips_[s].right + half_at(strips_[s], y));
    std::sort(spans_.begin(), spans_.end());
    double sum = 0, end = -kInfinity;
    for (const auto& [a, b] : spans_)
      if (b > end) sum += b - std::max(a, end), end = b;
    return sum;
  }

  /// The runs of open pairs in each column; each counts once, as each row's does along the leaves.
  [[nodiscard]] Across edges_across(const std::vector<Opening>& open, double left, double right) {
    const auto columns = static_cast<std::size_t>(std::ceil((right - left) / 2.5));
    const double width = (right - left) / static_cast<double>(columns);
    const double inverse = 1 / width;
    runs_.assign(columns, 0.0), middles_.resize(columns);
    for (std::size_t c = 0; c < columns; ++c)
      middles_[c] = left + (right - left) * (static_cast<double>(c) + 0.5) / static_cast<double>(columns);
    // The first column whose middle is not before x: rounded, and mended by the middles themselves.
    const auto column = [&](double x, auto&& before) {
      auto c = static_cast<std::size_t>(std::clamp((x - left) * inverse + 0.5, 0.0, static_cast<double>(columns)));
      while (c > 0 && !before(middles_[c - 1], x)) --c;
      while (c < columns && before(middles_[c], x)) ++c;
      return c;
    };
    Across out;
    std::size_t begin = 0, end = 0;  // the pair before covers these columns
    const auto close = [&](std::size_t from, std::size_t to) {
      for (std::size_t c = from; c < to; ++c) {
        out.sum += term(runs_[c]), out.runs += 1;
        runs_[c] = 0;
      }
    };
    for (const Opening& o : open) {
      const bool opens = o.has_area();
      const std::size_t b = opens ? column(o.left, [](double m, double x) { return m < x; }) : columns,
                        e = opens ? column(o.right, [](double m, double x) { return m <= x; }) : columns;
      close(begin, std::min(end, b)), close(std::max(begin, e), end);
      for (std::size_t c = b; c < e; ++c) runs_[c] += o.height;
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

  std::ptrdiff_t reach_;
  std::vector<double> half_, runs_, middles_;
  std::vector<Strip> strips_;
  std::vector<std::pair<double, double>> spans_;
  std::array<std::pair<double, double>, 256> known_{};
};

}  // namespace equipoise::psqa::detail
