// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A map as a PNG picture of its own: title, axes in mm, colour bar with numbers, marked points.

#include <equipoise/report/map_figure.hpp>
#include <equipoise/report/pixel_font.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise::report {

/// Where the parts of a picture lie, in pixels.
struct PictureFrame {
  std::int64_t left = 100, top = 0, wide = 0, tall = 0, bar = 0, bar_wide = 24, bar_tall = 0, width = 0, height = 0;

  PictureFrame(const MapFigure& f, std::size_t lines, std::int64_t longest_line) {
    constexpr double kSide = 640;
    const double longest = std::max(f.wide(), f.tall());
    wide = std::max<std::int64_t>(std::llround(kSide * f.wide() / longest), 60);
    tall = std::max<std::int64_t>(std::llround(kSide * f.tall() / longest), 60);
    top = 24 + 24 * static_cast<std::int64_t>(lines);
    bar = left + wide + 30, bar_tall = std::max<std::int64_t>(tall, 200);
    width = std::max(bar + bar_wide + 110, longest_line + 40), height = top + bar_tall + 80;
  }
};

namespace detail {

/// An image that shapes and texts are drawn on; what lies beyond it is left out.
class PixelCanvas {
 public:
  PixelCanvas(std::int64_t width, std::int64_t height)
      : width_(width), height_(height), pixels_(static_cast<std::size_t>(width * height), io::Rgb{255, 255, 255}) {}

  void set(std::int64_t x, std::int64_t y, const io::Rgb& colour) {
    if (x >= 0 && y >= 0 && x < width_ && y < height_) pixels_[static_cast<std::size_t>(y * width_ + x)] = colour;
  }
  void fill(std::int64_t x, std::int64_t y, std::int64_t wide, std::int64_t tall, const io::Rgb& colour) {
    for (std::int64_t j = y; j < y + tall; ++j)
      for (std::int64_t i = x; i < x + wide; ++i) set(i, j, colour);
  }
  void frame(std::int64_t x, std::int64_t y, std::int64_t wide, std::int64_t tall) {
    fill(x - 1, y - 1, wide + 2, 1, kInk), fill(x - 1, y + tall, wide + 2, 1, kInk);
    fill(x - 1, y - 1, 1, tall + 2, kInk), fill(x + wide, y - 1, 1, tall + 2, kInk);
  }
  /// A ring of black within white, visible on any colour.
  void ring(double x, double y, double radius) {
    const auto reach = static_cast<std::int64_t>(radius + 4);
    const auto cx = std::llround(x), cy = std::llround(y);
    for (std::int64_t j = -reach; j <= reach; ++j)
      for (std::int64_t i = -reach; i <= reach; ++i) {
        const double off = std::abs(std::hypot(static_cast<double>(i), static_cast<double>(j)) - radius);
        if (off < 2.6) set(cx + i, cy + j, off < 1.2 ? kInk : io::Rgb{255, 255, 255});
      }
  }
  /// \param share of the text's length that lies left of x: 0 begins there, 0.5 is centred
  void text(std::int64_t x, std::int64_t y, std::string_view words, double share = 0, bool halo = false) {
    x -= std::llround(share * static_cast<double>(length_of(words)));
    if (halo)
      for (const std::int64_t dy : {-2, 0, 2})
        for (const std::int64_t dx : {-2, 0, 2}) letters(x + dx, y + dy, words, {255, 255, 255}, false);
    letters(x, y, words, kInk, false);
  }
  /// Reads from below, its middle at y.
  void upright(std::int64_t x, std::int64_t y, std::string_view words) {
    letters(x, y + length_of(words) / 2, words, kInk, true);
  }
  [[nodiscard]] static std::int64_t length_of(std::string_view words) {
    return kScale * kAdvance * static_cast<std::int64_t>(words.size());
  }
  [[nodiscard]] std::vector<std::uint8_t> png() const {
    return io::encode_png(pixels_, static_cast<std::size_t>(width_), static_cast<std::size_t>(height_));
  }

  static constexpr std::int64_t kScale = 2, kAdvance = kLetterWide + 1;  ///< pixels of a letter's pixel, and letters
  static constexpr std::int64_t kTall = kScale * static_cast<std::int64_t>(kLetterHigh);
  static constexpr io::Rgb kInk{29, 35, 48};

 private:
  void letters(std::int64_t x, std::int64_t y, std::string_view words, const io::Rgb& colour, bool upright) {
    for (std::size_t n = 0; n < words.size(); ++n) {
      const Letter& letter = letter_of(words[n]);
      for (std::size_t i = 0; i < kLetterWide; ++i)
        for (std::size_t j = 0; j < kLetterHigh; ++j) {
          if ((letter[i] >> j & 1U) == 0) continue;
          const std::int64_t along = kScale * (kAdvance * static_cast<std::int64_t>(n) + static_cast<std::int64_t>(i)),
                             down = kScale * static_cast<std::int64_t>(j);
          upright ? fill(x + down, y - along - kScale, kScale, kScale, colour)
                  : fill(x + along, y + down, kScale, kScale, colour);
        }
    }
  }

  std::int64_t width_, height_;
  std::vector<io::Rgb> pixels_;
};

inline void draw_axes(PixelCanvas& c, const MapFigure& f, const PictureFrame& p) {
  const auto px = [&](double x) {
    return p.left + std::llround((x - f.left()) / f.wide() * static_cast<double>(p.wide));
  };
  const auto py = [&](double y) {
    return p.top + p.tall - std::llround((y - f.bottom()) / f.tall() * static_cast<double>(p.tall));
  };
  const std::int64_t base = p.top + p.tall;
  for (const double x : ticks_x(f)) {
    c.fill(px(x), base, 2, 7, PixelCanvas::kInk);
    c.text(px(x), base + 12, number(x, 4), 0.5);
  }
  for (const double y : ticks_y(f)) {
    c.fill(p.left - 7, py(y), 7, 2, PixelCanvas::kInk);
    c.text(p.left - 12, py(y) - PixelCanvas::kTall / 2, number(y, 4), 1);
  }
  if (f.width > 1) c.text(p.left + p.wide / 2, base + 40, f.x_label, 0.5);
  if (f.height > 1) c.upright(12, p.top + p.tall / 2, f.y_label);
  for (const MapMark& mark : f.marks) {
    const double x = static_cast<double>(px(mark.x)), y = static_cast<double>(py(mark.y));
    c.ring(x, y, 10);
    const bool right = px(mark.x) > p.left + p.wide - 40;
    c.text(px(mark.x) + (right ? -14 : 14), py(mark.y) - 22, mark.text, right ? 1 : 0, true);
  }
}

inline void draw_bar(PixelCanvas& c, const MapFigure& f, const PictureFrame& p) {
  const std::vector<io::Rgb> colours = bar_of(f, static_cast<std::size_t>(p.bar_tall));
  for (std::int64_t j = 0; j < p.bar_tall; ++j)
    c.fill(p.bar, p.top + j, p.bar_wide, 1, colours[static_cast<std::size_t>(j)]);
  c.frame(p.bar, p.top, p.bar_wide, p.bar_tall);
  for (const double v : ticks(f.low, f.high)) {
    const std::int64_t y = p.top + std::llround((f.high - v) / (f.high - f.low) * static_cast<double>(p.bar_tall - 1));
    c.fill(p.bar + p.bar_wide, y, 7, 2, PixelCanvas::kInk);
    c.text(p.bar + p.bar_wide + 12, y - PixelCanvas::kTall / 2, number(v, 4));
  }
  c.text(p.bar, p.top + p.bar_tall + 12, f.unit);
}

}  // namespace detail

/// The figure as a PNG file's bytes. \param lines below the title, in ASCII \throws FileError when libpng fails
[[nodiscard]] inline std::vector<std::uint8_t> map_picture(const MapFigure& f,
                                                           const std::vector<std::string>& lines = {}) {
  using detail::PixelCanvas;
  std::int64_t longest = PixelCanvas::length_of(f.title);
  for (const std::string& line : lines) longest = std::max(longest, PixelCanvas::length_of(line));
  const PictureFrame p(f, 1 + lines.size(), longest);
  PixelCanvas canvas(p.width, p.height);
  canvas.text(20, 14, f.title);
  for (std::size_t i = 0; i < lines.size(); ++i) canvas.text(20, 38 + 24 * static_cast<std::int64_t>(i), lines[i]);
  const std::vector<io::Rgb> pixels = detail::pixels_of(f);
  const auto cell = [](std::int64_t at, std::int64_t length, std::size_t count) {
    return std::min(static_cast<std::size_t>((static_cast<double>(at) + 0.5) / static_cast<double>(length) *
                                             static_cast<double>(count)),
                    count - 1);
  };
  for (std::int64_t j = 0; j < p.tall; ++j)
    for (std::int64_t i = 0; i < p.wide; ++i)
      canvas.set(p.left + i, p.top + j, pixels[cell(j, p.tall, f.height) * f.width + cell(i, p.wide, f.width)]);
  canvas.frame(p.left, p.top, p.wide, p.tall);
  detail::draw_axes(canvas, f, p);
  detail::draw_bar(canvas, f, p);
  return canvas.png();
}

}  // namespace equipoise::report
