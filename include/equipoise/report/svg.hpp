// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Charts as inline SVG: lines, points with an identity line, bars with intervals. Colours come from CSS variables of
/// the page, so that they follow its light or dark theme.

#include <equipoise/report/markup.hpp>
#include <equipoise/report/numbers.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::report {

struct Series {
  std::string name;
  std::vector<double> x, y;
  std::vector<double> low, high;                               ///< error bars; may be empty
  std::optional<std::size_t> colour{};                         ///< of the page's eight; by place if not given
  bool dashed = false;                                         ///< a dashed line
  double marked_x = std::numeric_limits<double>::quiet_NaN();  ///< where a line has a ring; NaN for none
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  bool identity = false;                                  ///< a line y = x behind the points
  bool points = false;                                    ///< points instead of lines
  bool from_zero = false;                                 ///< the y axis begins at 0
  std::vector<std::string> categories{};                  ///< names of x = 0, 1, …: bars instead of lines
  std::vector<std::pair<double, std::string>> x_ticks{};  ///< named places of the x axis; none: round numbers
};

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
  /// \param svg element to draw in
  Canvas(pugi::xml_node svg, Axis x, Axis y) : svg_(svg), x_(x), y_(y) {}
  [[nodiscard]] double px(double v) const { return kLeft + x_.place(v) * (kWide - kLeft - kRight); }
  [[nodiscard]] double py(double v) const { return kHigh - kBottom - y_.place(v) * (kHigh - kTop - kBottom); }

  void shape(const char* name, std::initializer_list<Attribute> attributes) { append(svg_, name, attributes); }
  void line(double x1, double y1, double x2, double y2, const char* style) {
    shape(
        "line",
        {{"x1", number(x1, 6)}, {"y1", number(y1, 6)}, {"x2", number(x2, 6)}, {"y2", number(y2, 6)}, {"class", style}});
  }
  pugi::xml_node text(double x, double y, const std::string& words, const char* anchor) {
    return append(svg_, "text", {{"x", number(x, 6)}, {"y", number(y, 6)}, {"text-anchor", anchor}}, words);
  }
  /// The name of an axis.
  pugi::xml_node label(double x, double y, const std::string& words) {
    pugi::xml_node node = text(x, y, words, "middle");
    node.append_attribute("class").set_value("label");
    return node;
  }

 private:
  pugi::xml_node svg_;
  Axis x_, y_;
};

inline void draw_axes(Canvas& c, const Axis& x, const Axis& y, const Chart& chart) {
  for (double v = y.low; v <= y.high + y.step / 2; v += y.step) {
    c.line(kLeft, c.py(v), kWide - kRight, c.py(v), "grid");
    c.text(kLeft - 7, c.py(v) + 4, number(std::abs(v) < 1e-9 * y.step ? 0 : v, 4), "end");
  }
  if (!chart.x_ticks.empty()) {
    for (const auto& [place, name] : chart.x_ticks) c.text(c.px(place), kHigh - kBottom + 17, name, "middle");
  } else if (chart.categories.empty()) {
    for (double v = x.low; v <= x.high + x.step / 2; v += x.step)
      c.text(c.px(v), kHigh - kBottom + 17, number(std::abs(v) < 1e-9 * x.step ? 0 : v, 4), "middle");
  } else {
    for (std::size_t i = 0; i < chart.categories.size(); ++i)
      c.text(c.px(static_cast<double>(i)), kHigh - kBottom + 17, chart.categories[i], "middle");
  }
  c.line(kLeft, kHigh - kBottom, kWide - kRight, kHigh - kBottom, "axis");
  c.label((kLeft + kWide - kRight) / 2, kHigh - kBottom + 36, chart.x_label);
  const double middle = (kTop + kHigh - kBottom) / 2;
  c.label(14, middle, chart.y_label)
      .append_attribute("transform")
      .set_value(("rotate(-90 14 " + number(middle, 6) + ")").c_str());
}

/// Of the series in a place; the page's style has eight.
[[nodiscard]] inline std::string colour_of(const Series& s, std::size_t index) {
  return "var(--c" + std::to_string(s.colour.value_or(index) % 8) + ")";
}

inline void draw_series(Canvas& c, const Series& s, std::size_t index, std::size_t count, const Chart& chart) {
  const std::string colour = colour_of(s, index);
  const double shift = chart.categories.empty() ? 0
                                                : (static_cast<double>(index) - 0.5 * static_cast<double>(count - 1)) *
                                                      0.7 / static_cast<double>(count);
  std::string path;
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    if (!std::isfinite(s.x[i]) || !std::isfinite(s.y[i])) continue;
    const double x = c.px(s.x[i] + shift), y = c.py(s.y[i]);
    if (!chart.categories.empty()) {
      const double wide = (c.px(1) - c.px(0)) * 0.6 / static_cast<double>(count), zero = c.py(0);
      c.shape("rect", {{"x", number(x - wide / 2, 6)},
                       {"y", number(std::min(y, zero), 6)},
                       {"width", number(wide, 6)},
                       {"height", number(std::abs(zero - y), 6)},
                       {"fill", colour}});
    } else if (chart.points) {
      c.shape("circle",
              {{"cx", number(x, 6)}, {"cy", number(y, 6)}, {"r", "3"}, {"fill", colour}, {"fill-opacity", ".55"}});
    } else {
      path += (path.empty() ? "M" : "L") + number(x, 6) + " " + number(y, 6);
    }
    if (i < s.low.size() && std::isfinite(s.low[i])) c.line(x, c.py(s.low[i]), x, c.py(s.high[i]), "whisker");
  }
  if (path.empty()) return;
  c.shape("path", {{"d", path},
                   {"fill", "none"},
                   {"stroke", colour},
                   {"stroke-width", "2"},
                   {"stroke-linejoin", "round"},
                   {"stroke-dasharray", s.dashed ? "6 4" : "none"}});
  for (std::size_t i = 0; i < s.x.size(); ++i)
    if (s.x[i] == s.marked_x && std::isfinite(s.y[i]))
      c.shape("circle", {{"cx", number(c.px(s.x[i]), 6)},
                         {"cy", number(c.py(s.y[i]), 6)},
                         {"r", "5"},
                         {"fill", "var(--bg)"},
                         {"stroke", colour},
                         {"stroke-width", "2.5"}});
}

/// The series' names with their colours. \param patches squares instead of lines
inline void append_legend(pugi::xml_node figure, const std::vector<Series>& series, bool patches) {
  pugi::xml_node legend = append(figure, "p", {{"class", "legend"}});
  for (std::size_t i = 0; i < series.size(); ++i) {
    pugi::xml_node entry = append(legend, "span");
    const Series& s = series[i];
    append(entry, "i",
           {{"class", patches    ? "patch"
                      : s.dashed ? "dashed"
                                 : "line"},
            {"style", (s.dashed ? "color:" : "background:") + colour_of(s, i)}},
           "");
    append_text(entry, s.name);
    append_text(legend, " ");
  }
}

/// Draws the chart as a `<figure>`, with a legend in words.
inline void append_chart(pugi::xml_node to, const Chart& chart) {
  const double inf = std::numeric_limits<double>::infinity();
  double x_low = inf, x_high = -inf, y_low = inf, y_high = -inf;
  for (const Series& s : chart.series) {
    extend(s.x, x_low, x_high);
    for (const auto* values : {&s.y, &s.low, &s.high}) extend(*values, y_low, y_high);
  }
  if (y_high >= y_low && (chart.from_zero || !chart.categories.empty()))
    y_low = std::min(y_low, 0.0), y_high = std::max(y_high, 0.0);
  if (!(y_high >= y_low)) {
    append(to, "p", {}, chart.title + ": nothing to draw.");
    return;
  }
  if (chart.identity) x_low = y_low = std::min(x_low, y_low), x_high = y_high = std::max(x_high, y_high);
  Axis x = Axis::around(x_low, x_high);
  const Axis y = Axis::around(y_low, y_high);
  if (!chart.categories.empty()) x = {-0.6, static_cast<double>(chart.categories.size()) - 0.4, 1};
  pugi::xml_node figure = append(to, "figure");
  append(figure, "figcaption", {}, chart.title);
  Canvas c(append(figure, "svg", {{"viewBox", "0 0 " + number(kWide) + " " + number(kHigh)}, {"role", "img"}}), x, y);
  draw_axes(c, x, y, chart);
  if (chart.identity) c.line(c.px(x.low), c.py(x.low), c.px(x.high), c.py(x.high), "identity");
  for (std::size_t i = 0; i < chart.series.size(); ++i) draw_series(c, chart.series[i], i, chart.series.size(), chart);
  if (chart.series.size() > 1) append_legend(figure, chart.series, chart.points || !chart.categories.empty());
}

}  // namespace detail

/// The chart as a `<figure>` of HTML, with a legend in words.
[[nodiscard]] inline std::string svg(const Chart& chart) {
  pugi::xml_document document;
  detail::append_chart(document, chart);
  return detail::written(document);
}

}  // namespace equipoise::report
