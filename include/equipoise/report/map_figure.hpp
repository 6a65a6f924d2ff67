// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A map in its place: values on a lattice, axes in mm, a colour bar with numbers, and marked points. It is drawn as SVG in
/// a page, or as a PNG picture of its own (map_picture.hpp).

#include <equipoise/io/png.hpp>
#include <equipoise/report/markup.hpp>
#include <equipoise/report/numbers.hpp>
#include <equipoise/report/svg.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace equipoise::report {

/// A place that a ring and a short text mark.
struct MapMark {
  double x = 0, y = 0;  ///< mm
  std::string text;
};

struct MapFigure {
  std::string title;
  std::vector<float> values;              ///< [height * width], y rising from row to row; NaN where there is none
  std::size_t width = 0, height = 0;      ///< points
  double first_x = 0, first_y = 0;        ///< mm, of the first point
  double spacing_x = 1, spacing_y = 1;    ///< mm
  double low = 0, high = 1;               ///< of the colour bar
  std::string unit;                       ///< of the values
  std::function<io::Rgb(double)> colour;  ///< of a value, also of NaN
  std::vector<MapMark> marks{};
  std::string x_label = "x, mm", y_label = "y, mm";

  [[nodiscard]] double left() const { return first_x - spacing_x / 2; }
  [[nodiscard]] double bottom() const { return first_y - spacing_y / 2; }
  [[nodiscard]] double wide() const { return spacing_x * static_cast<double>(width); }
  [[nodiscard]] double tall() const { return spacing_y * static_cast<double>(height); }
};

namespace detail {

/// Round numbers from low to high, about four to seven.
[[nodiscard]] inline std::vector<double> ticks(double low, double high) {
  const Axis axis = Axis::around(low, high);
  std::vector<double> out;
  for (double i = std::ceil(low / axis.step - 1e-9); i * axis.step <= high + 1e-9 * axis.step; ++i)
    out.push_back(i == 0 ? 0 : i * axis.step);
  return out;
}

/// The numbers along an axis of a map; none where it has a single point.
[[nodiscard]] inline std::vector<double> ticks_x(const MapFigure& f) {
  return f.width > 1 ? ticks(f.left(), f.left() + f.wide()) : std::vector<double>{};
}
[[nodiscard]] inline std::vector<double> ticks_y(const MapFigure& f) {
  return f.height > 1 ? ticks(f.bottom(), f.bottom() + f.tall()) : std::vector<double>{};
}

/// Where the parts of a figure lie, in its own units.
struct MapFrame {
  double left = 56, top = 12, wide = 0, tall = 0;  ///< of the map
  double bar = 0, bar_wide = 14;                   ///< left edge of the colour bar
  double width = 0, height = 0;                    ///< of the whole

  /// The map's longer side has `side`; a side that is very much shorter has a tenth of it.
  MapFrame(const MapFigure& f, double side) {
    const double longest = std::max(f.wide(), f.tall());
    wide = std::max(side * f.wide() / longest, side / 10), tall = std::max(side * f.tall() / longest, side / 10);
    bar = left + wide + 18;
    width = bar + bar_wide + 58, height = top + std::max(tall, side / 3) + 44;
  }
  [[nodiscard]] double bar_tall(double side) const { return std::max(tall, side / 3); }
  [[nodiscard]] double px(const MapFigure& f, double x) const { return left + (x - f.left()) / f.wide() * wide; }
  [[nodiscard]] double py(const MapFigure& f, double y) const {
    return top + tall - (y - f.bottom()) / f.tall() * tall;
  }
};

/// The map's values as an image, one pixel a point, +y at the top.
[[nodiscard]] inline std::vector<io::Rgb> pixels_of(const MapFigure& f) {
  std::vector<io::Rgb> out;
  for (std::size_t j = f.height; j-- > 0;)
    for (std::size_t i = 0; i < f.width; ++i) out.push_back(f.colour(static_cast<double>(f.values[j * f.width + i])));
  return out;
}

/// The colours from high (at the top) to low.
[[nodiscard]] inline std::vector<io::Rgb> bar_of(const MapFigure& f, std::size_t steps) {
  std::vector<io::Rgb> out;
  for (std::size_t i = 0; i < steps; ++i)
    out.push_back(f.colour(f.high - (f.high - f.low) * static_cast<double>(i) / static_cast<double>(steps - 1)));
  return out;
}

}  // namespace detail

}  // namespace equipoise::report
