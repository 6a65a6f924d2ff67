// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// DICOM RTDOSE files into dose grids: 16 and 32 bit, either byte order, uncompressed or run-length encoded.

#include <equipoise/psqa/dicom.hpp>
#include <equipoise/psqa/dose_grid.hpp>

#include <dcmtk/dcmdata/dcrledrg.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace equipoise::psqa {

namespace detail {

inline void read_frames(DcmItem& data, DoseGrid& grid, bool& reversed, const std::string& where) {
  const std::vector<double> offsets = numbers_of(data, DCM_GridFrameOffsetVector);
  if (grid.shape[0] > 1 && offsets.size() < grid.shape[0])
    throw FileError(message("file.426", where, "expected ", grid.shape[0], " frame offsets, got ", offsets.size()));
  // Offsets are relative to the first frame where they begin at 0, and places otherwise.
  if (!offsets.empty() && offsets[0] != 0) grid.origin[0] = offsets[0];
  if (grid.shape[0] < 2) return;
  const double step = offsets[1] - offsets[0];
  for (std::size_t k = 1; k < grid.shape[0]; ++k)
    if (step == 0 || std::abs(offsets[k] - offsets[k - 1] - step) > 0.01 * std::abs(step))
      throw FileError(message("file.426", where, "expected evenly spaced frames, got offsets ", offsets[k - 1], " and ",
                              offsets[k]));
  reversed = step < 0;
  grid.spacing[0] = std::abs(step);
  if (reversed) grid.origin[0] += step * static_cast<double>(grid.shape[0] - 1);
}

inline void read_grid(DcmItem& data, DoseGrid& grid, std::array<bool, 3>& reversed, const std::string& where) {
  Uint16 rows = 0, columns = 0;
  (void)data.findAndGetUint16(DCM_Rows, rows);
  (void)data.findAndGetUint16(DCM_Columns, columns);
  const std::vector<double> spacing = numbers_of(data, DCM_PixelSpacing),
                            position = numbers_of(data, DCM_ImagePositionPatient),
                            direction = numbers_of(data, DCM_ImageOrientationPatient);
  const double frames = number_of(data, DCM_NumberOfFrames, 1);
  if (rows == 0 || columns == 0 || spacing.size() != 2 || !(spacing[0] > 0) || !(spacing[1] > 0) || !(frames >= 1) ||
      frames > 65535)
    throw FileError(message("file.426", where, "expected rows, columns, frames and a pixel spacing > 0"));
  grid.shape = {static_cast<std::size_t>(frames), rows, columns};
  grid.spacing = {1, spacing[0], spacing[1]};
  if (position.size() == 3) grid.origin = {position[2], position[1], position[0]};
  // A plane that is not axial (a coronal QA plane) keeps its own axes, with the first voxel's place along them.
  if (direction.size() == 6 && position.size() == 3 && std::abs(direction[0]) + std::abs(direction[4]) < 1.999) {
    double along = 0, down = 0;
    for (std::size_t k = 0; k < 3; ++k) along += direction[k] * position[k], down += direction[k + 3] * position[k];
    grid.origin = {0, down, along};
  } else if (direction.size() == 6) {
    reversed[2] = direction[0] < 0, reversed[1] = direction[4] < 0;
    if (reversed[2]) grid.origin[2] -= grid.spacing[2] * static_cast<double>(columns - 1);
    if (reversed[1]) grid.origin[1] -= grid.spacing[1] * static_cast<double>(rows - 1);
  }
  read_frames(data, grid, reversed[0], where);
}

/// 32-bit pixels of a big-endian file come as 16-bit words: the standard's writers put the low word first, others the
/// whole number big-endian. Dose is smooth: where one order is far smoother than the other it is the right one.
[[nodiscard]] inline bool high_word_first(std::span<const Uint16> words) {
  double low_first = 0, high_first = 0;
  for (std::size_t i = 2; i + 1 < words.size(); i += 2) {
    const auto value = [&](std::size_t at, bool high) {
      return static_cast<double>(words[at + (high ? 1 : 0)]) +
             65536.0 * static_cast<double>(words[at + (high ? 0 : 1)]);
    };
    low_first += std::abs(value(i, false) - value(i - 2, false));
    high_first += std::abs(value(i, true) - value(i - 2, true));
  }
  return high_first < 0.1 * low_first;
}

inline void read_pixels(DcmDataset& data, DoseGrid& grid, bool big_endian, const std::string& where) {
  const double scaling = number_of(data, DCM_DoseGridScaling, 0);
  if (!(scaling > 0)) throw FileError(message("file.426", where, "expected a dose grid scaling > 0, got ", scaling));
  Uint16 bits = 0, is_signed = 0;
  (void)data.findAndGetUint16(DCM_BitsAllocated, bits);
  (void)data.findAndGetUint16(DCM_PixelRepresentation, is_signed);
  const Uint16* words = nullptr;
  unsigned long count = 0;
  const std::size_t each = bits == 32 ? 2 : 1;
  if ((bits != 16 && bits != 32) || data.findAndGetUint16Array(DCM_PixelData, words, &count).bad() || !words ||
      count < grid.size() * each)
    throw FileError(message("file.426", where, "expected ", grid.size(), " pixels of 16 or 32 bits, got ", count * 2,
                            " bytes of ", bits, " bits"));
  const bool swapped = each == 2 && big_endian && high_word_first({words, grid.size() * each});
  grid.values.reserve(grid.size());
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const std::uint32_t pixel = each == 1 ? words[i]
                                          : words[2 * i + (swapped ? 1 : 0)] |
                                                static_cast<std::uint32_t>(words[2 * i + (swapped ? 0 : 1)]) << 16;
    const double value = is_signed == 0 ? static_cast<double>(pixel)
                         : each == 1    ? static_cast<double>(static_cast<std::int16_t>(pixel))
                                        : static_cast<double>(static_cast<std::int32_t>(pixel));
    grid.values.push_back(value * scaling);
  }
}

/// Ascending coordinates along every axis.
inline void turn_ascending(DoseGrid& grid, const std::array<bool, 3>& reversed) {
  if (!reversed[0] && !reversed[1] && !reversed[2]) return;
  DoseGrid out = grid;
  const auto turn = [&](std::size_t axis, std::size_t i) { return reversed[axis] ? grid.shape[axis] - 1 - i : i; };
  for (std::size_t z = 0; z < grid.shape[0]; ++z)
    for (std::size_t y = 0; y < grid.shape[1]; ++y)
      for (std::size_t x = 0; x < grid.shape[2]; ++x) out.at(turn(0, z), turn(1, y), turn(2, x)) = grid.at(z, y, x);
  grid = std::move(out);
}

}  // namespace detail

/// Reads an RTDOSE file; doses in Gy (or relative, where the file says so), coordinates ascending.
/// \throws FileError when the file is missing, damaged, of another kind, or compressed otherwise.
[[nodiscard]] inline DoseGrid read_rtdose(const std::filesystem::path& path) {
  const std::string where = path.string();
  static const bool registered = (DcmRLEDecoderRegistration::registerCodecs(), true);
  (void)registered;
  const auto file = detail::open_dicom(path);
  DcmDataset& data = *file->getDataset();
  if (detail::text_of(data, DCM_SOPClassUID) != UID_RTDoseStorage)
    throw FileError(
        message("file.425", where, "expected an RTDOSE, got SOP class ", detail::text_of(data, DCM_SOPClassUID)));
  DoseGrid grid;
  std::array<bool, 3> reversed{};
  detail::read_grid(data, grid, reversed, where);
  const bool big_endian = data.getOriginalXfer() == EXS_BigEndianExplicit;
  if (data.chooseRepresentation(EXS_LittleEndianExplicit, nullptr).bad())
    throw FileError(
        message("file.426", where, "expected uncompressed or run-length encoded pixels, got another transfer syntax"));
  detail::read_pixels(data, grid, big_endian, where);
  detail::turn_ascending(grid, reversed);
  return grid;
}

}  // namespace equipoise::psqa
