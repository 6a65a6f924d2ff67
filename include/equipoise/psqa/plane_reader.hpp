// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A dose distribution from any file that can hold one: DICOM RTDOSE, NPY, CSV, detector exports. The kind is told from
/// the content, not from the name.

#include <equipoise/io/npy.hpp>
#include <equipoise/psqa/detector_reader.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/rtdose_reader.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// A table of doses, one line a row (film scans, planning systems): comma, semicolon, tab or blanks between them. The
/// plane's centre is the origin. Empty cells and `nan` are NaN. \param spacing_mm of a pixel, which the file does not say
[[nodiscard]] inline DoseGrid read_csv_plane(const std::filesystem::path& path, double spacing_mm) {
  const detail::TextFile file(path);
  std::vector<double> values;
  std::size_t rows = 0, columns = 0;
  for (std::size_t i = 0; i < file.lines().size(); ++i) {
    const std::string_view line = detail::trimmed(file.lines()[i]);
    if (line.empty() || line.front() == '#') continue;
    const char separator = line.find(',') != std::string_view::npos    ? ','
                           : line.find(';') != std::string_view::npos  ? ';'
                           : line.find('\t') != std::string_view::npos ? '\t'
                                                                       : ' ';
    std::size_t n = 0;
    for (const std::string_view cell : detail::cells_of(line, separator)) {
      const std::string_view text = detail::trimmed(cell);
      if (text.empty() && separator == ' ') continue;
      const bool missing = text.empty() || text == "nan" || text == "NaN";
      values.push_back(missing ? std::numeric_limits<double>::quiet_NaN() : file.number(i, text));
      ++n;
    }
    if (rows++ > 0 && n != columns)
      file.fail(i, "expected " + std::to_string(columns) + " columns, got " + std::to_string(n));
    columns = n;
  }
  if (rows < 2 || columns < 2)
    throw FileError(
        message("file.443", file.where(), "expected a table of doses, got ", rows, " rows and ", columns, " columns"));
  DoseGrid g = DoseGrid::plane(rows, columns, spacing_mm);
  g.values = std::move(values);
  return g;
}

/// NPY [H, W] or [D, H, W], float32 or float64; the centre is the origin.
[[nodiscard]] inline DoseGrid read_npy_dose(const std::filesystem::path& path, double spacing_mm) {
  DoseGrid g;
  const auto take = [&](const auto& array) {
    if (array.shape.size() != 2 && array.shape.size() != 3)
      throw FileError(
          message("file.435", path.string(), "expected [H, W] or [D, H, W], got ", array.shape.size(), " dimensions"));
    const bool volume = array.shape.size() == 3;
    g.shape = {volume ? array.shape[0] : 1, array.shape[volume ? 1 : 0], array.shape[volume ? 2 : 1]};
    g.spacing = {spacing_mm, spacing_mm, spacing_mm};
    for (std::size_t k = 0; k < 3; ++k) g.origin[k] = -0.5 * spacing_mm * (static_cast<double>(g.shape[k]) - 1);
    g.values.assign(array.values.begin(), array.values.end());
  };
  if (io::npy_type_of(path) == "<f8")
    take(io::read_npy<double>(path));
  else
    take(io::read_npy<float>(path));
  if (g.size() == 0) throw FileError(message("file.435", path.string(), "expected doses, got an empty array"));
  return g;
}

/// A plane or volume from a file of any known kind.
/// \param spacing_mm of a pixel, for NPY and CSV, which do not say it
/// \param interpolated of a MapCHECK file take the interpolated plane, not the diodes
/// \throws FileError that names the file and what is wrong with it.
[[nodiscard]] inline DoseGrid read_dose(const std::filesystem::path& path, double spacing_mm = 1,
                                        bool interpolated = false) {
  std::ifstream in(path, std::ios::binary);
  std::string head(4096, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  const auto has = [&](std::string_view text) { return head.find(text) != std::string::npos; };
  if (head.starts_with("\x93NUMPY")) return read_npy_dose(path, spacing_mm);
  if (has("MapCHECK") || has("SNC Patient"))
    return read_mapcheck(path, interpolated ? MapcheckPlane::interpolated : MapcheckPlane::measured);
  if (has("BEGIN_SCAN_DATA")) return read_mcc(path);
  if (has("<opimrtascii>")) return read_opg(path);
  if (has("DosePtsxy")) return read_xio_plane(path);
  const bool text = !head.empty() && std::none_of(head.begin(), head.end(), [](char c) {
    return static_cast<unsigned char>(c) < 32 && c != '\n' && c != '\r' && c != '\t';
  });
  return text ? read_csv_plane(path, spacing_mm) : read_rtdose(path);
}

}  // namespace equipoise::psqa
