// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A map as inline SVG: its pixels are an image, and axes, colour bar and marks are drawn over it.

#include <equipoise/report/data_url.hpp>
#include <equipoise/report/map_figure.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace equipoise::report::detail {

/// Pixels stretched to a rectangle, without smoothing.
inline void append_pixels(pugi::xml_node svg, const std::vector<io::Rgb>& pixels, std::size_t width, std::size_t height,
                          double x, double y, double wide, double tall) {
  append(svg, "image",
         {{"x", number(x, 6)},
          {"y", number(y, 6)},
          {"width", number(wide, 6)},
          {"height", number(tall, 6)},
          {"preserveAspectRatio", "none"},
          {"style", "image-rendering:pixelated"},
          {"href", data_url(io::encode_png(pixels, width, height))}});
  append(svg, "rect",
         {{"x", number(x, 6)},
          {"y", number(y, 6)},
          {"width", number(wide, 6)},
          {"height", number(tall, 6)},
          {"fill", "none"},
          {"class", "axis"}});
}

/// A tick and its number.
inline void append_tick(pugi::xml_node svg, double x, double y, double dx, double dy, double value,
                        const char* anchor) {
  append(svg, "line",
         {{"x1", number(x, 6)},
          {"y1", number(y, 6)},
          {"x2", number(x + dx, 6)},
          {"y2", number(y + dy, 6)},
          {"class", "axis"}});
  append(svg, "text",
         {{"x", number(x + 1.6 * dx, 6)}, {"y", number(y + (dy > 0 ? 17 : 4), 6)}, {"text-anchor", anchor}},
         number(value, 4));
}

inline void append_marks(pugi::xml_node svg, const MapFigure& f, const MapFrame& frame) {
  for (const MapMark& mark : f.marks) {
    const double x = frame.px(f, mark.x), y = frame.py(f, mark.y);
    for (const auto& [colour, width] : {std::pair{"#fff", "4"}, std::pair{"#000", "1.6"}})
      append(svg, "circle",
             {{"cx", number(x, 6)},
              {"cy", number(y, 6)},
              {"r", "7"},
              {"fill", "none"},
              {"stroke", colour},
              {"stroke-width", width}});
    const bool right = x > frame.left + frame.wide - 24;
    append(svg, "text",
           {{"x", number(x + (right ? -10 : 10), 6)},
            {"y", number(y - 6, 6)},
            {"class", "place"},
            {"text-anchor", right ? "end" : "start"}},
           mark.text);
  }
}

/// The map as a `<figure>`.
inline void append_map(pugi::xml_node to, const MapFigure& f) {
  constexpr double kSide = 320;
  constexpr std::size_t kSteps = 64;
  const MapFrame frame(f, kSide);
  pugi::xml_node figure = append(to, "figure");
  append(figure, "figcaption", {}, f.title);
  pugi::xml_node svg = append(
      figure, "svg", {{"viewBox", "0 0 " + number(frame.width, 6) + " " + number(frame.height, 6)}, {"role", "img"}});
  append_pixels(svg, pixels_of(f), f.width, f.height, frame.left, frame.top, frame.wide, frame.tall);
  const double base = frame.top + frame.tall, tall = frame.bar_tall(kSide);
  for (const double x : ticks_x(f)) append_tick(svg, frame.px(f, x), base, 0, 4, x, "middle");
  for (const double y : ticks_y(f)) append_tick(svg, frame.left, frame.py(f, y), -4, 0, y, "end");
  append(svg, "text",
         {{"x", number(frame.left + frame.wide / 2, 6)},
          {"y", number(base + 36, 6)},
          {"text-anchor", "middle"},
          {"class", "label"}},
         f.x_label);
  const std::string middle = number(frame.top + frame.tall / 2, 6);
  append(svg, "text",
         {{"x", "14"},
          {"y", middle},
          {"text-anchor", "middle"},
          {"class", "label"},
          {"transform", "rotate(-90 14 " + middle + ")"}},
         f.y_label);
  append_pixels(svg, bar_of(f, kSteps), 1, kSteps, frame.bar, frame.top, frame.bar_wide, tall);
  for (const double v : ticks(f.low, f.high))
    append_tick(svg, frame.bar + frame.bar_wide, frame.top + tall * (f.high - v) / (f.high - f.low), 4, 0, v, "start");
  append(svg, "text",
         {{"x", number(frame.bar, 6)},
          {"y", number(frame.top + tall + 17, 6)},
          {"text-anchor", "start"},
          {"class", "label"}},
         f.unit);
  append_marks(svg, f, frame);
}

}  // namespace equipoise::report::detail
