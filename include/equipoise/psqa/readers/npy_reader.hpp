// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Doses as NumPy arrays.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/io/npy.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/readers/reader.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace equipoise::psqa {

/// NPY [H, W] or [D, H, W] of real numbers, NaN where there is no dose; the centre is the origin.
/// \param spacing_mm between the points
/// \throws ValueError for a volume of unknown spacing along z, FileError for another shape or type, or an infinite dose.
[[nodiscard]] inline DoseGrid read_npy_dose(const std::filesystem::path& path, const PointSpacing& spacing_mm,
                                            RowsFrom rows_from = RowsFrom::bottom) {
  DoseGrid g;
  io::NpyArray<double> array = io::read_npy_as_doubles(path);
  if (array.shape.size() != 2 && array.shape.size() != 3)
    throw FileError(message("file.435", path.string(), "expected [H, W] or [D, H, W], got ", array.shape.size(),
                            " dimensions",
                            array.shape.size() == 4 ? ": save one of its volumes as a file of its own" : ""));
  const bool volume = array.shape.size() == 3;
  g.shape = {volume ? array.shape[0] : 1, array.shape[volume ? 1 : 0], array.shape[volume ? 2 : 1]};
  if (volume && !(spacing_mm.z > 0))
    throw ValueError(message("value.301", path.string(), "expected a spacing along x, y and z, as in 2,2,3, for ",
                             g.shape[0], " frames, got two numbers"));
  g.spacing = {volume ? spacing_mm.z : spacing_mm.y, spacing_mm.y, spacing_mm.x};
  g.spacing_assumed = true;
  g.centre();
  g.values = std::move(array.values);
  if (g.size() == 0) throw FileError(message("file.435", path.string(), "expected doses, got an empty array"));
  if (std::any_of(g.values.begin(), g.values.end(), [](double v) { return std::isinf(v); }))
    throw FileError(message("file.436", path.string(), "expected finite doses, and NaN where there is none, got inf"));
  if (rows_from == RowsFrom::top) g.mirror(1);
  return g;
}

/// NPY as a reader of the list.
struct NpyReader {
  static constexpr std::string_view id = "npy";
  static constexpr std::string_view name = "NPY array";
  static constexpr std::array descriptions{FileDescription{
      "NPY", "plane or volume", "any real type, C or Fortran order; options `--spacing MM` and `--rows-from`"}};
  static constexpr bool needs_spacing = true;

  [[nodiscard]] static bool recognises(std::string_view head) { return head.starts_with("\x93NUMPY"); }
  [[nodiscard]] static DoseGrid read_dose(const std::filesystem::path& path, const DoseFileOptions& options) {
    return read_npy_dose(path, options.spacing_mm, options.rows_from);
  }
  /// A small file of this kind, for tests.
  [[nodiscard]] static std::string example() {
    constexpr std::array<std::size_t, 2> shape{2, 3};
    return io::detail::npy_header("|u1", shape) + "\1\2\3\4\5\6";
  }
};
static_assert(CheckReader<NpyReader>::ok);

}  // namespace equipoise::psqa
