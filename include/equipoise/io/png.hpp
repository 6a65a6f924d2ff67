// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// PNG images of maps: a sequential and a diverging colour map. Encoded by libpng.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/io/atomic_file.hpp>

#include <png.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace equipoise::io {

using Rgb = std::array<std::uint8_t, 3>;

namespace detail {

/// Between equally spaced stops.
template <std::size_t N>
[[nodiscard]] Rgb between(const std::array<std::array<double, 3>, N>& stops, double t) {
  t = std::clamp(t, 0.0, 1.0) * static_cast<double>(N - 1);
  const auto i = std::min(static_cast<std::size_t>(t), N - 2);
  Rgb out{};
  for (std::size_t c = 0; c < 3; ++c)
    out[c] = static_cast<std::uint8_t>(
        std::lround(255 * (stops[i][c] + (t - static_cast<double>(i)) * (stops[i + 1][c] - stops[i][c]))));
  return out;
}

}  // namespace detail

/// Dark blue over green to yellow, lightness rising evenly; for t in [0, 1]. NaN is grey.
[[nodiscard]] inline Rgb sequential_colour(double t) {
  static constexpr std::array<std::array<double, 3>, 6> stops{
      {{.27, .00, .33}, {.25, .27, .53}, {.16, .47, .56}, {.13, .66, .52}, {.48, .82, .32}, {.99, .91, .14}}};
  return std::isnan(t) ? Rgb{128, 128, 128} : detail::between(stops, t);
}
/// Blue over white to red; for t in [-1, 1]. NaN is grey.
[[nodiscard]] inline Rgb diverging_colour(double t) {
  static constexpr std::array<std::array<double, 3>, 5> stops{
      {{.13, .25, .60}, {.55, .70, .90}, {.97, .97, .97}, {.95, .60, .50}, {.65, .07, .15}}};
  return std::isnan(t) ? Rgb{128, 128, 128} : detail::between(stops, (t + 1) / 2);
}

/// The bytes of an RGB image. \param pixels [height * width], rows from the top
/// \throws FileError when libpng fails.
[[nodiscard]] inline std::vector<std::uint8_t> encode_png(std::span<const Rgb> pixels, std::size_t width,
                                                          std::size_t height) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  if (!png_image_write_to_memory(&image, nullptr, &size, 0, pixels.data(), 0, nullptr))
    throw FileError(message("file.414", "png", image.message));
  std::vector<std::uint8_t> out(size);
  if (!png_image_write_to_memory(&image, out.data(), &size, 0, pixels.data(), 0, nullptr))
    throw FileError(message("file.414", "png", image.message));
  out.resize(size);
  return out;
}

/// A map [height, width] as an image, each value through `colour(value)`, enlarged `zoom` times.
template <class T, class Colour>
[[nodiscard]] std::vector<std::uint8_t> map_png(std::span<const T> values, std::size_t width, std::size_t height,
                                                Colour&& colour, std::size_t zoom = 1) {
  std::vector<Rgb> pixels(width * height * zoom * zoom);
  for (std::size_t y = 0; y < height * zoom; ++y)
    for (std::size_t x = 0; x < width * zoom; ++x)
      pixels[y * width * zoom + x] = colour(static_cast<double>(values[(y / zoom) * width + x / zoom]));
  return encode_png(pixels, width * zoom, height * zoom);
}

inline void write_bytes(const std::filesystem::path& path, std::span<const std::uint8_t> bytes) {
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

}  // namespace equipoise::io
