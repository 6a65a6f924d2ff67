// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Numbers with intervals in rows that have names: methods by error, methods by rank. A row's name stands above its dots,
/// so that it can be read at the width of a phone. A name that is longer than the drawing is drawn narrower.

#include <equipoise/report/markup.hpp>
#include <equipoise/report/numbers.hpp>
#include <equipoise/report/svg.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::report {

struct DotPlot {
  std::string title, x_label;
  std::vector<std::string> rows;                             ///< names, from above
  std::vector<Series> series;                                ///< x: the row, y: the number, low and high: its interval
  bool from_zero = false;                                    ///< the axis begins at 0
  std::vector<std::pair<std::size_t, std::size_t>> spans{};  ///< rows [first, last] that a bar at the right joins
  double scale = 0;                                          ///< length of a bar above the rows; 0 for none
  std::string scale_label{};
};

namespace detail {

/// Places of a dot plot: the drawing is as wide as a chart, and as high as its rows need.
class DotCanvas {
 public:
  DotCanvas(const DotPlot& plot, Axis x)
      : x_(x),
        row_(kName + kDot * static_cast<double>(std::max<std::size_t>(plot.series.size(), 1)) + 6),
        top_(plot.scale > 0 ? 34 : 6),
        right_(16 + kSpan * static_cast<double>(plot.spans.size())),
        bottom_(top_ + row_ * static_cast<double>(plot.rows.size())) {}

  [[nodiscard]] double px(double v) const { return kEdge + x_.place(v) * (kWide - kEdge - right_); }
  /// The line of a series in a row, and a row's name above them.
  [[nodiscard]] double py(std::size_t row, std::size_t series) const {
    return name(row) + 12 + kDot * static_cast<double>(series);
  }
  [[nodiscard]] double name(std::size_t row) const { return top_ + row_ * static_cast<double>(row) + 16; }
  [[nodiscard]] double span(std::size_t place) const {
    return kWide - right_ + 14 + kSpan * static_cast<double>(place);
  }
  [[nodiscard]] double top() const { return top_; }
  [[nodiscard]] double bottom() const { return bottom_; }
  [[nodiscard]] double high() const { return bottom_ + 46; }
  [[nodiscard]] const Axis& x() const { return x_; }
  [[nodiscard]] double middle() const { return (kEdge + kWide - right_) / 2; }

 private:
  static constexpr double kEdge = 14, kName = 20, kDot = 14, kSpan = 14;
  Axis x_;
  double row_, top_, right_, bottom_;
};

inline void append_line(pugi::xml_node svg, double x1, double y1, double x2, double y2, const char* style) {
  append(
      svg, "line",
      {{"x1", number(x1, 6)}, {"y1", number(y1, 6)}, {"x2", number(x2, 6)}, {"y2", number(y2, 6)}, {"class", style}});
}
inline void append_words(pugi::xml_node svg, double x, double y, const std::string& words, const char* anchor,
                         const char* style) {
  append(svg, "text", {{"x", number(x, 6)}, {"y", number(y, 6)}, {"text-anchor", anchor}, {"class", style}}, words);
}

inline void draw_frame(pugi::xml_node svg, const DotCanvas& c, const DotPlot& plot) {
  const Axis& x = c.x();
  for (double v = x.low; v <= x.high + x.step / 2; v += x.step) {
    append_line(svg, c.px(v), c.top(), c.px(v), c.bottom(), "grid");
    append_words(svg, c.px(v), c.bottom() + 17, number(std::abs(v) < 1e-9 * x.step ? 0 : v, 4), "middle", "tick");
  }
  append_words(svg, c.middle(), c.bottom() + 38, plot.x_label, "middle", "label");
  const double place = c.px(x.high) - c.px(x.low) - 2;  // of a row's name
  for (std::size_t row = 0; row < plot.rows.size(); ++row) {
    append_words(svg, c.px(x.low) + 2, c.name(row), plot.rows[row], "start", "row");
    constexpr double letter = 6.6;  // mean width of the page's font at its size in a drawing
    if (letter * static_cast<double>(plot.rows[row].size()) <= place) continue;
    svg.last_child().append_attribute("textLength") = number(place, 6).c_str();
    svg.last_child().append_attribute("lengthAdjust") = "spacingAndGlyphs";
  }
  for (std::size_t s = 0; s < plot.spans.size(); ++s)
    append_line(svg, c.span(s), c.py(plot.spans[s].first, 0), c.span(s),
                c.py(plot.spans[s].second, plot.series.size() - 1), "span");
  if (plot.scale <= 0) return;
  append_line(svg, c.px(x.low), 24, c.px(x.low + plot.scale), 24, "span");
  append_words(svg, c.px(x.low), 14, plot.scale_label, "start", "label");
}

inline void draw_dots(pugi::xml_node svg, const DotCanvas& c, const Series& s, std::size_t place) {
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    if (!std::isfinite(s.y[i])) continue;
    const double y = c.py(static_cast<std::size_t>(s.x[i]), place);
    if (i < s.low.size() && std::isfinite(s.low[i])) append_line(svg, c.px(s.low[i]), y, c.px(s.high[i]), y, "whisker");
    append(svg, "circle",
           {{"cx", number(c.px(s.y[i]), 6)}, {"cy", number(y, 6)}, {"r", "4.5"}, {"fill", colour_of(s, place)}});
  }
}

/// Draws the plot as a `<figure>`, with a legend in words where there are several series.
inline void append_dots(pugi::xml_node to, const DotPlot& plot) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Series& s : plot.series)
    for (const auto* values : {&s.y, &s.low, &s.high}) extend(*values, low, high);
  if (!(high >= low)) {
    append(to, "p", {}, plot.title + ": nothing to draw.");
    return;
  }
  if (plot.from_zero) low = std::min(low, 0.0), high = std::max(high, 0.0);
  high = std::max(high, low + plot.scale);
  const DotCanvas c(plot, Axis::around(low, high));
  pugi::xml_node figure = append(to, "figure");
  append(figure, "figcaption", {}, plot.title);
  pugi::xml_node svg =
      append(figure, "svg", {{"viewBox", "0 0 " + number(kWide) + " " + number(c.high(), 6)}, {"role", "img"}});
  draw_frame(svg, c, plot);
  for (std::size_t i = 0; i < plot.series.size(); ++i) draw_dots(svg, c, plot.series[i], i);
  if (plot.series.size() > 1) append_legend(figure, plot.series, true);
}

}  // namespace detail

/// The plot as a `<figure>` of HTML.
[[nodiscard]] inline std::string svg(const DotPlot& plot) {
  pugi::xml_document document;
  detail::append_dots(document, plot);
  return detail::written(document);
}

}  // namespace equipoise::report
