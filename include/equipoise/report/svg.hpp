// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Charts as inline SVG: lines, points with an identity line, bars with intervals. Colours come from CSS variables of
/// the page, so that they follow its light or dark theme.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::report {

struct Series {
  std::string name;
  std::vector<double> x, y;
  std::vector<double> low, high;  ///< error bars; may be empty
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  bool identity = false;                  ///< a line y = x behind the points
  bool points = false;                    ///< points instead of lines
  bool from_zero = false;                 ///< the y axis begins at 0
  std::vector<std::string> categories{};  ///< names of x = 0, 1, …: bars instead of lines
};

[[nodiscard]] inline std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else
      out += c;
  }
  return out;
}

[[nodiscard]] inline std::string number(double value, int digits = 3) {
  if (std::isnan(value)) return "–";
  std::ostringstream out;
  out.precision(digits);
  out << value;
  return std::move(out).str();
}
[[nodiscard]] inline std::string fixed(double value, int decimals) {
  if (std::isnan(value)) return "–";
  std::ostringstream out;
  out.precision(decimals);
  out << std::fixed << value;
  return std::move(out).str();
}

namespace detail {

struct Axis {
  double low = 0, high = 1, step = 0.25;

  /// Covers the values with 4 to 7 steps of 1, 2 or 5 times a power of ten.
  [[nodiscard]] static Axis around(double low, double high) {
    if (!(high > low)) high = low + 1;
    const double raw = (high - low) / 5, power = std::pow(10, std::floor(std::log10(raw)));
    Axis a;
    a.step = 10 * power;
    for (const double m : {1.0, 2.0, 5.0})
      if (m * power >= raw) {
        a.step = m * power;
        break;
      }
    a.low = std::floor(low / a.step + 1e-9) * a.step;
    a.high = std::ceil(high / a.step - 1e-9) * a.step;
    return a;
  }
  [[nodiscard]] double place(double v) const { return (v - low) / (high - low); }
};

inline void extend(const std::vector<double>& values, double& low, double& high) {
  for (const double v : values)
    if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
}

constexpr double kLeft = 62, kTop = 14, kWide = 560, kHigh = 300, kRight = 16, kBottom = 52;

class Canvas {
 public:
  Canvas(Axis x, Axis y) : x_(x), y_(y) {}
  [[nodiscard]] double px(double v) const { return kLeft + x_.place(v) * (kWide - kLeft - kRight); }
  [[nodiscard]] double py(double v) const { return kHigh - kBottom - y_.place(v) * (kHigh - kTop - kBottom); }

  std::ostringstream out;

  void line(double x1, double y1, double x2, double y2, std::string_view style) {
    out << "<line x1='" << x1 << "' y1='" << y1 << "' x2='" << x2 << "' y2='" << y2 << "' class='" << style << "'/>";
  }
  void text(double x, double y, std::string_view words, std::string_view anchor, std::string_view more = "") {
    out << "<text x='" << x << "' y='" << y << "' text-anchor='" << anchor << "' " << more << ">" << escaped(words)
        << "</text>";
  }

 private:
  Axis x_, y_;
};

inline void draw_axes(Canvas& c, const Axis& x, const Axis& y, const Chart& chart) {
  for (double v = y.low; v <= y.high + y.step / 2; v += y.step) {
    c.line(kLeft, c.py(v), kWide - kRight, c.py(v), "grid");
    c.text(kLeft - 7, c.py(v) + 4, number(std::abs(v) < 1e-9 * y.step ? 0 : v, 4), "end");
  }
  if (chart.categories.empty()) {
    for (double v = x.low; v <= x.high + x.step / 2; v += x.step)
      c.text(c.px(v), kHigh - kBottom + 17, number(std::abs(v) < 1e-9 * x.step ? 0 : v, 4), "middle");
  } else {
    for (std::size_t i = 0; i < chart.categories.size(); ++i)
      c.text(c.px(static_cast<double>(i)), kHigh - kBottom + 17, chart.categories[i], "middle");
  }
  c.line(kLeft, kHigh - kBottom, kWide - kRight, kHigh - kBottom, "axis");
  c.text((kLeft + kWide - kRight) / 2, kHigh - kBottom + 36, chart.x_label, "middle", "class='label'");
  const double middle = (kTop + kHigh - kBottom) / 2;
  std::ostringstream turn;
  turn << "class='label' transform='rotate(-90 14 " << middle << ")'";
  c.text(14, middle, chart.y_label, "middle", turn.str());
}

inline void draw_series(Canvas& c, const Series& s, std::size_t index, std::size_t count, const Chart& chart) {
  const std::string colour = "var(--c" + std::to_string(index % 8) + ")";
  const double shift = chart.categories.empty() ? 0
                                                : (static_cast<double>(index) - 0.5 * static_cast<double>(count - 1)) *
                                                      0.7 / static_cast<double>(count);
  std::string path;
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    if (!std::isfinite(s.y[i])) continue;
    const double x = c.px(s.x[i] + shift), y = c.py(s.y[i]);
    if (!chart.categories.empty()) {
      const double wide = (c.px(1) - c.px(0)) * 0.6 / static_cast<double>(count), zero = c.py(0);
      c.out << "<rect x='" << x - wide / 2 << "' y='" << std::min(y, zero) << "' width='" << wide << "' height='"
            << std::abs(zero - y) << "' fill='" << colour << "'/>";
    } else if (chart.points) {
      c.out << "<circle cx='" << x << "' cy='" << y << "' r='3' fill='" << colour << "' fill-opacity='.55'/>";
    } else {
      path += (path.empty() ? "M" : "L") + number(x, 6) + " " + number(y, 6);
    }
    if (i < s.low.size() && std::isfinite(s.low[i])) c.line(x, c.py(s.low[i]), x, c.py(s.high[i]), "whisker");
  }
  if (!path.empty())
    c.out << "<path d='" << path << "' fill='none' stroke='" << colour
          << "' stroke-width='2' stroke-linejoin='round'/>";
}

}  // namespace detail

/// The chart as a `<figure>` with a legend in words.
[[nodiscard]] inline std::string svg(const Chart& chart) {
  const double inf = std::numeric_limits<double>::infinity();
  double x_low = inf, x_high = -inf, y_low = inf, y_high = -inf;
  for (const Series& s : chart.series) {
    detail::extend(s.x, x_low, x_high);
    for (const auto* values : {&s.y, &s.low, &s.high}) detail::extend(*values, y_low, y_high);
  }
  if (y_high >= y_low && (chart.from_zero || !chart.categories.empty()))
    y_low = std::min(y_low, 0.0), y_high = std::max(y_high, 0.0);
  if (!(y_high >= y_low)) return "<p>" + escaped(chart.title) + ": nothing to draw.</p>";
  if (chart.identity) x_low = y_low = std::min(x_low, y_low), x_high = y_high = std::max(x_high, y_high);
  detail::Axis x = detail::Axis::around(x_low, x_high);
  const detail::Axis y = detail::Axis::around(y_low, y_high);
  if (!chart.categories.empty()) x = {-0.6, static_cast<double>(chart.categories.size()) - 0.4, 1};
  detail::Canvas c(x, y);
  c.out.precision(6);
  c.out << "<figure><figcaption>" << escaped(chart.title) << "</figcaption><svg viewBox='0 0 " << detail::kWide << ' '
        << detail::kHigh << "' role='img'>";
  detail::draw_axes(c, x, y, chart);
  if (chart.identity) c.line(c.px(x.low), c.py(x.low), c.px(x.high), c.py(x.high), "identity");
  for (std::size_t i = 0; i < chart.series.size(); ++i)
    detail::draw_series(c, chart.series[i], i, chart.series.size(), chart);
  c.out << "</svg>";
  if (chart.series.size() > 1) {
    c.out << "<p class='legend'>";
    for (std::size_t i = 0; i < chart.series.size(); ++i)
      c.out << "<span><i style='background:var(--c" << i % 8 << ")'></i>" << escaped(chart.series[i].name)
            << "</span> ";
    c.out << "</p>";
  }
  c.out << "</figure>";
  return c.out.str();
}

}  // namespace equipoise::report
