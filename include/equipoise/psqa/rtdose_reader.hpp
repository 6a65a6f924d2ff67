// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// DICOM RTDOSE files into dose grids: 16 and 32 bit, either byte order, uncompressed or run-length encoded.

#include <equipoise/psqa/dicom.hpp>
#include <equipoise/psqa/dose_grid.hpp>

#include <dcmtk/dcmdata/dcrledrg.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace equipoise::psqa {

namespace detail {

inline void read_grid(DcmItem& data, DoseGrid& grid, const std::string& where) {
  Uint16 rows = 0, columns = 0;
  (void)data.findAndGetUint16(DCM_Rows, rows);
  (void)data.findAndGetUint16(DCM_Columns, columns);
  const std::vector<double> spacing = numbers_of(data, DCM_PixelSpacing),
                            position = numbers_of(data, DCM_ImagePositionPatient);
  const double frames = number_of(data, DCM_NumberOfFrames, 1);
  if (rows == 0 || columns == 0 || spacing.size() != 2 || !(spacing[0] > 0) || !(spacing[1] > 0) || !(frames >= 1) ||
      frames > 65535)
    throw FileError(message("file.426", where, "expected rows, columns, frames and a pixel spacing > 0"));
  grid.shape = {static_cast<std::size_t>(frames), rows, columns};
  grid.spacing = {1, spacing[0], spacing[1]};
  if (position.size() == 3) grid.origin = {position[2], position[1], position[0]};
  const std::vector<double> offsets = numbers_of(data, DCM_GridFrameOffsetVector);
  if (offsets.size() > 1) grid.spacing[0] = offsets[1] - offsets[0];
  if (!offsets.empty() && offsets[0] != 0) grid.origin[0] = offsets[0];
}

}  // namespace detail

/// Reads an RTDOSE file; doses in Gy (or relative, where the file says so).
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
  detail::read_grid(data, grid, where);
  if (data.chooseRepresentation(EXS_LittleEndianExplicit, nullptr).bad())
    throw FileError(
        message("file.426", where, "expected uncompressed or run-length encoded pixels, got another transfer syntax"));
  const double scaling = detail::number_of(data, DCM_DoseGridScaling, 0);
  if (!(scaling > 0)) throw FileError(message("file.426", where, "expected a dose grid scaling > 0, got ", scaling));
  Uint16 bits = 0;
  (void)data.findAndGetUint16(DCM_BitsAllocated, bits);
  const Uint16* words = nullptr;
  unsigned long count = 0;
  const std::size_t each = bits == 32 ? 2 : 1;
  if ((bits != 16 && bits != 32) || data.findAndGetUint16Array(DCM_PixelData, words, &count).bad() || !words ||
      count < grid.size() * each)
    throw FileError(message("file.426", where, "expected ", grid.size(), " pixels of 16 or 32 bits, got ", count * 2,
                            " bytes of ", bits, " bits"));
  grid.values.reserve(grid.size());
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const std::uint32_t pixel =
        each == 1 ? words[i] : words[2 * i] | static_cast<std::uint32_t>(words[2 * i + 1]) << 16;
    grid.values.push_back(static_cast<double>(pixel) * scaling);
  }
  return grid;
}

}  // namespace equipoise::psqa
