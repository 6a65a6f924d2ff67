// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The gamma index of a plane (Low 1998): at each reference point the least combined distance, in dose and space, to
/// the evaluated distribution.
///   Γ² = |r_e - r_r|² / dta² + (D_e(r_e) - D_r(r_r))² / tol²,   γ = min over r_e,   tol = dd · norm (global) or dd ·
///   D_r (local)
/// `ExactSearch` finds the minimum of the interpolated distribution itself, each cell of the evaluated grid as two
/// linear triangles (Ju 2008): a tighter criterion can then never pass more points. `WendlingSearch` samples the
/// bilinear interpolant on a pitch (Wendling 2007), to reproduce others' values.

#include <equipoise/core/errors.hpp>
#include <equipoise/psqa/dose_grid.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace equipoise::psqa {

struct GammaCriteria {
  double dd_percent = 2;         ///< dose difference, % of the norm (global) or of the reference dose (local); > 0
  double dta_mm = 2;             ///< distance to agreement; > 0
  bool local = false;            ///< local instead of global normalisation
  double cutoff_percent = 10;    ///< reference points below this % of the norm are not evaluated; >= 0
  std::optional<double> norm{};  ///< Gy; by default the maximum of the evaluated distribution
  double max_gamma = 2;          ///< values are capped here, and the search ends here; > 0
};

struct GammaResult {
  std::vector<float> map;     ///< [rows * columns] of the reference; NaN where not evaluated
  double pass_rate = 0;       ///< %, of the evaluated points; NaN when there are none
  double mean = 0, max = 0;   ///< of the evaluated points
  std::size_t evaluated = 0;  ///< points above the cut-off and within reach
  std::size_t points = 0;     ///< of the reference
};

namespace detail {

inline void check_gamma(const GammaCriteria& c, const DoseGrid& reference, const DoseGrid& evaluated, double norm) {
  const auto need = [](bool ok, const char* what, double got) {
    if (!ok) throw ValueError(message("value.301", "gamma", "expected ", what, ", got ", got));
  };
  need(c.dd_percent > 0, "dose difference > 0 %", c.dd_percent);
  need(c.dta_mm > 0, "distance to agreement > 0 mm", c.dta_mm);
  need(c.max_gamma > 0, "maximum gamma > 0", c.max_gamma);
  need(c.cutoff_percent >= 0, "cut-off >= 0 %", c.cutoff_percent);
  need(norm > 0, "a norm dose > 0 Gy", norm);
  for (const DoseGrid* g : {&reference, &evaluated}) {
    if (g->shape[0] != 1)
      throw ShapeError(message("shape.108", "gamma", "expected planes, got a volume of ", g->shape[0], " frames"));
    need(g->spacing[1] > 0 && g->spacing[2] > 0, "spacing > 0 mm", std::min(g->spacing[1], g->spacing[2]));
    if (g->values.size() != g->size() || g->size() == 0)
      throw ShapeError(message("shape.108", "gamma", "expected ", g->size(), " dose values, got ", g->values.size()));
  }
}

/// The least of a x² + 2 b x + c over 0 <= x <= 1.
[[nodiscard]] inline double least_on_edge(double a, double b, double c) {
  const double x = a > 0 ? std::clamp(-b / a, 0.0, 1.0) : 0.0;
  return (a * x + 2 * b) * x + c;
}

}  // namespace detail

/// The exact minimum over the piecewise linear interpolant.
class ExactSearch {
 public:
  ExactSearch(const DoseGrid& evaluated, const GammaCriteria& criteria)
      : grid_(evaluated), sx_(evaluated.spacing[2] / criteria.dta_mm), sy_(evaluated.spacing[1] / criteria.dta_mm) {}

  /// γ² at a point, at most `limit`² (returned when nothing nearer is in reach). \param x, y in cells of the evaluated
  /// grid \param tol Gy With `pass_only` the search ends as soon as γ <= 1 is certain.
  [[nodiscard]] double operator()(double x, double y, double dose, double tol, double limit, bool pass_only) const {
    const auto columns = static_cast<std::int64_t>(grid_.shape[2]), rows = static_cast<std::int64_t>(grid_.shape[1]);
    if (columns < 2 || rows < 2) return limit * limit;
    const std::int64_t cx = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(x)), 0, columns - 2);
    const std::int64_t cy = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(y)), 0, rows - 2);
    const double scale = 1 / tol, target = dose * scale;
    double best = limit * limit;
    for (std::int64_t ring = 0;; ++ring) {
      // Nothing in this ring or beyond is nearer than its distance.
      const double dx =
          ring == 0
              ? 0
              : std::max(0.0, std::min(x - static_cast<double>(cx - ring + 1), static_cast<double>(cx + ring) - x)) *
                    sx_;
      const double dy =
          ring == 0
              ? 0
              : std::max(0.0, std::min(y - static_cast<double>(cy - ring + 1), static_cast<double>(cy + ring) - y)) *
                    sy_;
      const double nearest = std::min(dx, dy);
      if (nearest * nearest >= best ||
          (cx - ring < 0 && cy - ring < 0 && cx + ring > columns - 2 && cy + ring > rows - 2))
        return best;
      for (std::int64_t j = std::max<std::int64_t>(cy - ring, 0); j <= std::min(cy + ring, rows - 2); ++j) {
        const bool whole = j == cy - ring || j == cy + ring;
        for (std::int64_t i = cx - ring; i <= cx + ring; i += whole || ring == 0 ? 1 : 2 * ring)
          if (i >= 0 && i <= columns - 2) cell(i, j, x, y, target, scale, best);
        if (pass_only && best <= 1) return best;
      }
    }
  }

 private:
  void cell(std::int64_t i, std::int64_t j, double x, double y, double target, double scale, double& best) const {
    const double* at = grid_.values.data() + static_cast<std::size_t>(j) * grid_.shape[2] + static_cast<std::size_t>(i);
    const double ex = (x - static_cast<double>(i)) * sx_,
                 ey = (y - static_cast<double>(j)) * sy_;  // the point, seen from the cell's corner
    const double gap_x = std::max({0.0, -ex, ex - sx_}), gap_y = std::max({0.0, -ey, ey - sy_});
    const double space = gap_x * gap_x + gap_y * gap_y;
    if (space >= best) return;
    const double d00 = at[0] * scale - target, d10 = at[1] * scale - target;
    const double d01 = at[grid_.shape[2]] * scale - target, d11 = at[grid_.shape[2] + 1] * scale - target;
    const double low = std::min(std::min(d00, d10), std::min(d01, d11)),
                 high = std::max(std::max(d00, d10), std::max(d01, d11));
    const double gap = std::max({0.0, low, -high});
    if (space + gap * gap >= best) return;
    // A cell is two triangles, on either side of the diagonal from (0, 0) to (1, 1).
    triangle(-ex, -ey, d00, sx_ - ex, -ey, d10, sx_ - ex, sy_ - ey, d11, best);
    triangle(-ex, -ey, d00, -ex, sy_ - ey, d01, sx_ - ex, sy_ - ey, d11, best);
  }

  /// The least squared norm of the points of a triangle in (x, y, dose) space, the reference point at the origin.
  static void triangle(double ax, double ay, double ad, double bx, double by, double bd, double cx, double cy,
                       double cd, double& best) {
    const double ux = bx - ax, uy = by - ay, ud = bd - ad, vx = cx - ax, vy = cy - ay, vd = cd - ad;
    const double uu = ux * ux + uy * uy + ud * ud, vv = vx * vx + vy * vy + vd * vd, uv = ux * vx + uy * vy + ud * vd;
    const double au = ax * ux + ay * uy + ad * ud, av = ax * vx + ay * vy + ad * vd, aa = ax * ax + ay * ay + ad * ad;
    const double det = uu * vv - uv * uv;
    const double s = av * uv - au * vv, t = au * uv - av * uu;  // barycentric coordinates of the foot, times det
    if (s >= 0 && t >= 0 && s + t <= det && det > 0) {
      best = std::min(best, std::max(0.0, aa + (au * s + av * t) / det));
      return;
    }
    const double bb = aa + 2 * au + uu;
    best = std::min(best, std::max(0.0, std::min({detail::least_on_edge(uu, au, aa), detail::least_on_edge(vv, av, aa),
                                                  detail::least_on_edge(uu + vv - 2 * uv, av + uv - au - uu, bb)})));
  }

  const DoseGrid& grid_;
  double sx_, sy_;  ///< cell sizes in units of dta
};

/// The minimum over offsets on a pitch, of the bilinear interpolant; Wendling 2007.
class WendlingSearch {
 public:
  /// \param pitch_mm of the offsets; dta / 10 is usual
  WendlingSearch(const DoseGrid& evaluated, const GammaCriteria& criteria, double pitch_mm, double radius_mm)
      : grid_(evaluated) {
    const auto n = static_cast<std::int64_t>(std::floor(radius_mm / pitch_mm + 1e-6));
    for (std::int64_t j = -n; j <= n; ++j)
      for (std::int64_t i = -n; i <= n; ++i) {
        const double dx = static_cast<double>(i) * pitch_mm, dy = static_cast<double>(j) * pitch_mm,
                     r = std::hypot(dx, dy);
        if (r <= radius_mm + 1e-6)
          offsets_.push_back(
              {dx / evaluated.spacing[2], dy / evaluated.spacing[1], r * r / (criteria.dta_mm * criteria.dta_mm)});
      }
    std::stable_sort(offsets_.begin(), offsets_.end(),
                     [](const Offset& a, const Offset& b) { return a.space < b.space; });
  }

  [[nodiscard]] double operator()(double x, double y, double dose, double tol, double limit, bool pass_only) const {
    double best = limit * limit;
    for (const Offset& o : offsets_) {
      if (o.space >= best || (pass_only && best <= 1)) break;
      const double d = interpolated(x + o.x, y + o.y);
      if (std::isnan(d)) continue;
      const double e = (d - dose) / tol;
      best = std::min(best, o.space + e * e);
    }
    return best;
  }

 private:
  struct Offset {
    double x, y, space;
  };

  [[nodiscard]] double interpolated(double x, double y) const {
    const double last_x = static_cast<double>(grid_.shape[2] - 1), last_y = static_cast<double>(grid_.shape[1] - 1),
                 rim = 1e-9;
    if (x < -rim || y < -rim || x > last_x + rim || y > last_y + rim) return std::numeric_limits<double>::quiet_NaN();
    x = std::clamp(x, 0.0, last_x), y = std::clamp(y, 0.0, last_y);
    const auto i = std::min(static_cast<std::size_t>(x), grid_.shape[2] - 2),
               j = std::min(static_cast<std::size_t>(y), grid_.shape[1] - 2);
    const double fx = x - static_cast<double>(i), fy = y - static_cast<double>(j);
    return (1 - fy) * ((1 - fx) * grid_.at(0, j, i) + fx * grid_.at(0, j, i + 1)) +
           fy * ((1 - fx) * grid_.at(0, j + 1, i) + fx * grid_.at(0, j + 1, i + 1));
  }

  const DoseGrid& grid_;
  std::vector<Offset> offsets_;
};

/// γ of every reference point above the cut-off, found by `search`. A point that nothing evaluated is in reach of is
/// NaN.
template <class Search>
[[nodiscard]] GammaResult gamma(const DoseGrid& reference, const DoseGrid& evaluated, const GammaCriteria& c,
                                const Search& search, bool pass_rate_only = false) {
  const double norm = c.norm ? *c.norm : *std::max_element(evaluated.values.begin(), evaluated.values.end());
  detail::check_gamma(c, reference, evaluated, norm);
  GammaResult out;
  out.points = reference.size();
  if (!pass_rate_only) out.map.assign(reference.size(), std::numeric_limits<float>::quiet_NaN());
  std::size_t passed = 0;
  double sum = 0;
  for (std::size_t j = 0; j < reference.shape[1]; ++j)
    for (std::size_t i = 0; i < reference.shape[2]; ++i) {
      const double dose = reference.at(0, j, i);
      const double tol = (c.local ? dose : norm) * c.dd_percent / 100;
      if (!(dose >= norm * c.cutoff_percent / 100) || !(tol > 0)) continue;
      const double x = (reference.origin[2] + static_cast<double>(i) * reference.spacing[2] - evaluated.origin[2]) /
                       evaluated.spacing[2];
      const double y = (reference.origin[1] + static_cast<double>(j) * reference.spacing[1] - evaluated.origin[1]) /
                       evaluated.spacing[1];
      const double away_x = std::max({0.0, -x, x - static_cast<double>(evaluated.shape[2] - 1)}) * evaluated.spacing[2];
      const double away_y = std::max({0.0, -y, y - static_cast<double>(evaluated.shape[1] - 1)}) * evaluated.spacing[1];
      if (std::hypot(away_x, away_y) > c.max_gamma * c.dta_mm) continue;
      const double g = std::sqrt(search(x, y, dose, tol, c.max_gamma, pass_rate_only));
      ++out.evaluated;
      passed += g <= 1 + 1e-9;
      sum += g;
      out.max = std::max(out.max, g);
      if (!pass_rate_only) out.map[j * reference.shape[2] + i] = static_cast<float>(g);
    }
  const double n = static_cast<double>(out.evaluated), nan = std::numeric_limits<double>::quiet_NaN();
  out.pass_rate = out.evaluated ? 100 * static_cast<double>(passed) / n : nan;
  out.mean = out.evaluated ? sum / n : nan;
  if (!out.evaluated) out.max = nan;
  return out;
}

/// γ by the exact minimum. \param reference the distribution whose points are judged (the measurement)  \param
/// evaluated the one that is interpolated (the plan) \throws ValueError for criteria out of range, ShapeError for
/// volumes or incomplete planes.
[[nodiscard]] inline GammaResult gamma(const DoseGrid& reference, const DoseGrid& evaluated,
                                       const GammaCriteria& criteria) {
  return gamma(reference, evaluated, criteria, ExactSearch(evaluated, criteria));
}

/// The pass rate alone, in %: points are left as soon as they are known to pass.
[[nodiscard]] inline double gamma_pass_rate(const DoseGrid& reference, const DoseGrid& evaluated,
                                            const GammaCriteria& criteria) {
  GammaCriteria c = criteria;
  // Beyond one a point fails whatever its value; a hair above, so that a capped point is not one that passes.
  c.max_gamma = 1.000001;
  return gamma(reference, evaluated, c, ExactSearch(evaluated, c), true).pass_rate;
}

}  // namespace equipoise::psqa
