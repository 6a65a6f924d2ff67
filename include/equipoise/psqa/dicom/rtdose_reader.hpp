// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// DICOM RTDOSE files into dose grids: 16 and 32 bit, either byte order, uncompressed or run-length encoded, frames at
/// any places, any orientation along the patient's axes.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/psqa/dicom/dicom.hpp>
#include <equipoise/psqa/dicom/dose_orientation.hpp>
#include <equipoise/psqa/dose_grid.hpp>

#include <dcmtk/dcmdata/dcrledrg.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace equipoise::psqa {

namespace detail {

/// Shape and in-plane spacing along the image's own axes, and where those point.
[[nodiscard]] inline ImageAxes read_axes(DcmItem& data, DoseGrid& grid, const std::string& where) {
  Uint16 rows = 0, columns = 0;
  (void)data.findAndGetUint16(DCM_Rows, rows);
  (void)data.findAndGetUint16(DCM_Columns, columns);
  const std::vector<double> spacing = finite_numbers_of(data, DCM_PixelSpacing, where),
                            position = finite_numbers_of(data, DCM_ImagePositionPatient, where),
                            direction = finite_numbers_of(data, DCM_ImageOrientationPatient, where);
  const int frames = whole_number_of(data, DCM_NumberOfFrames, 1, 1, 65535, where);
  if (rows == 0 || columns == 0 || spacing.size() != 2 || !(spacing[0] > 0) || !(spacing[1] > 0))
    throw FileError(message("file.426", where, "expected rows, columns and a pixel spacing > 0"));
  grid.shape = {static_cast<std::size_t>(frames), rows, columns};
  grid.spacing = {1, spacing[0], spacing[1]};
  ImageAxes axes;
  if (position.size() != 3)
    throw FileError(
        message("file.426", where, "expected an image position of 3 numbers, got ", position.size(), " of them"));
  std::copy(position.begin(), position.end(), axes.position.begin());
  if (!direction.empty() && !axes.orient(direction))
    throw FileError(message("file.426", where,
                            "expected an image orientation of two unit vectors at a right angle, got \"",
                            dicom_text(data, DCM_ImageOrientationPatient).substr(0, 120), "\""));
  return axes;
}

/// Places (mm) of the frames along the image's normal, from the first one. Offsets are relative to the first frame
/// where they begin at 0, and the patient's coordinates where they begin at the image position: the standard's two cases.
/// A single frame lies at the image position; a warning says where its offset contradicts that.
/// \throws FileError for others
[[nodiscard]] inline std::vector<double> read_frames(DcmItem& data, DoseGrid& grid, const ImageAxes& axes,
                                                     const std::string& where) {
  constexpr double kSame = 0.01;  // mm: less than files round places to
  std::vector<double> offsets = finite_numbers_of(data, DCM_GridFrameOffsetVector, where);
  const std::size_t frames = grid.shape[0];
  if (frames > 1 && offsets.size() < frames)
    throw FileError(message("file.426", where, "expected ", frames, " frame offsets, got ", offsets.size()));
  if (offsets.size() > std::max<std::size_t>(frames, 1))
    grid.warnings.push_back(std::to_string(offsets.size()) + " frame offsets of " + std::to_string(frames) +
                            (frames == 1 ? " frame" : " frames") + ": the first ones are taken");
  if (frames == 1) {
    const std::size_t normal = axes.patient_axis(0);
    if (!offsets.empty() && std::abs(offsets[0]) > kSame &&
        !(normal < 3 && std::abs(offsets[0] - axes.position[normal]) <= kSame))
      grid.warnings.push_back("the frame offset " + dicom_text(data, DCM_GridFrameOffsetVector).substr(0, 40) +
                              " mm contradicts the image position, which is taken");
    return {0};
  }
  offsets.resize(frames);
  if (offsets[0] != 0) {
    const std::size_t patient = axes.patient_axis(0);
    const double first = offsets[0], sign = patient < 3 && axes.direction[0][patient] < 0 ? -1 : 1;
    if (patient == 3)
      throw FileError(
          message("file.426", where, "expected frame offsets from 0 of frames that lie askew, got ", first));
    if (!(std::abs(first - axes.position[patient]) <= kSame))
      throw FileError(message("file.426", where, "expected frame offsets from 0, or from the image position's ",
                              axes.position[patient], " mm, got ", first,
                              ": where the frames lie is not known (Grid Frame Offset Vector)"));
    for (double& o : offsets) o = sign * (o - first);
  }
  for (const auto& [before, offset] : views::adjacent(offsets))
    if ((offset - before) * (offsets[1] - offsets[0]) <= 0)
      throw FileError(
          message("file.426", where, "expected frames that follow one another, got offsets ", before, " and ", offset));
  return offsets;
}

/// The 32-bit pixels of a big-endian file, read in one of the two orders of words.
struct WordOrder {
  std::span<const Uint16> words;
  bool is_signed = false;
  std::size_t high = 0;  ///< which word of a pixel is the high one

  [[nodiscard]] std::size_t size() const { return words.size() / 2; }
  [[nodiscard]] bool high_is_zero(std::size_t i) const { return words[2 * i + high] == 0; }
  [[nodiscard]] double operator[](std::size_t i) const {
    const auto bits = words[2 * i + 1 - high] | static_cast<std::uint32_t>(words[2 * i + high]) << 16;
    return is_signed ? static_cast<double>(static_cast<std::int32_t>(bits)) : static_cast<double>(bits);
  }

  /// The sum of the steps between pixels whose words are both other than 0, divided by the range of these.
  [[nodiscard]] double roughness() const {
    double steps = 0, minimum = 1e300, maximum = -1e300, before = 0;
    for (std::size_t i = 0, n = 0; i < size(); ++i) {
      if (words[2 * i] == 0 || words[2 * i + 1] == 0) continue;
      const double value = (*this)[i];
      if (n++ > 0) steps += std::abs(value - before);
      minimum = std::min(minimum, value), maximum = std::max(maximum, value), before = value;
    }
    return maximum > minimum ? steps / (maximum - minimum) : 0;
  }
  /// How many pixels are plausible doses other than 0: at most 1000 Gy, and not below 0.01 % of the largest of these
  /// with a high word of 0 (a dose that the order of words has lost).
  [[nodiscard]] std::size_t plausible(double scaling) const {
    constexpr double most = 1000, least = 1e-3;
    double largest = 0;
    for (std::size_t i = 0; i < size(); ++i)
      if (const double dose = scaling * std::abs((*this)[i]); dose <= most) largest = std::max(largest, dose);
    if (largest < least) return 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < size(); ++i) {
      const double dose = scaling * std::abs((*this)[i]);
      count += dose > 0 && dose <= most && !(high_is_zero(i) && dose < 1e-4 * largest);
    }
    return count;
  }
};

/// 32-bit pixels of a big-endian file come as 16-bit words: some writers hold plain big-endian numbers (high word first),
/// others swap each word alone (low word first), and nothing in the file says which. The order is taken whose steps are
/// clearly smaller; else the one with more plausible doses; else small numbers decide, whose high word is 0; else the
/// numbers are plain.
[[nodiscard]] inline bool low_word_first(std::span<const Uint16> words, double scaling, bool is_signed) {
  const WordOrder plain{words, is_signed, 0}, swapped{words, is_signed, 1};
  std::size_t both = 0, small_swapped = 0, small_plain = 0;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    both += !plain.high_is_zero(i) && !swapped.high_is_zero(i);
    small_swapped += !plain.high_is_zero(i) && swapped.high_is_zero(i);
    small_plain += plain.high_is_zero(i) && !swapped.high_is_zero(i);
  }
  const double clearly = both < 64 ? 0.1 : 0.5, rough = plain.roughness(), rough_swapped = swapped.roughness();
  if (rough_swapped < clearly * rough) return true;
  if (rough < clearly * rough_swapped) return false;
  const std::size_t few = plain.size() / 50, doses = plain.plausible(scaling),
                    doses_swapped = swapped.plausible(scaling);
  if (doses > doses_swapped + few) return false;
  if (doses_swapped > doses + few) return true;
  return small_swapped > few && small_swapped > 4 * small_plain;
}

/// Eclipse marks a planar dose with six pixels of the largest signed number, near three of its corners: no dose.
inline void drop_marks(DoseGrid& grid, double scaling) {
  const std::size_t h = grid.shape[1], w = grid.shape[2];
  if (grid.shape[0] != 1 || h < 4 || w < 4) return;
  double* marks[] = {&grid.at(0, 0, 0),     &grid.at(0, 0, 2),     &grid.at(0, 2, 0),
                     &grid.at(0, 0, w - 1), &grid.at(0, h - 1, 0), &grid.at(0, h - 1, w - 1)};
  const double mark = 2147483647.0 * scaling;
  if (!std::all_of(std::begin(marks), std::end(marks), [&](const double* p) { return *p == mark; })) return;
  for (double* p : marks) *p = std::numeric_limits<double>::quiet_NaN();
}

inline void read_pixels(DcmDataset& data, DoseGrid& grid, bool big_endian, const std::string& where) {
  const double scaling = finite_number_of(data, DCM_DoseGridScaling, 0, where);
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
  const bool high_first =
      each == 2 && big_endian && !low_word_first({words, grid.size() * each}, scaling, is_signed != 0);
  grid.values.reserve(grid.size());
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const std::uint32_t pixel = each == 1 ? words[i]
                                          : words[2 * i + (high_first ? 1 : 0)] |
                                                static_cast<std::uint32_t>(words[2 * i + (high_first ? 0 : 1)]) << 16;
    const double value = is_signed == 0 ? static_cast<double>(pixel)
                         : each == 1    ? static_cast<double>(static_cast<std::int16_t>(pixel))
                                        : static_cast<double>(static_cast<std::int32_t>(pixel));
    grid.values.push_back(value * scaling);
  }
  if (each == 2) drop_marks(grid, scaling);
}

/// Checks before decoding that run-length data can hold the declared pixels: a run of two bytes
/// gives at most 128 bytes of pixels.
/// \throws FileError
inline void check_run_lengths(DcmDataset& data, const DoseGrid& grid, const std::filesystem::path& path) {
  if (data.getOriginalXfer() != EXS_RLELossless) return;
  Uint16 bits = 0, samples = 1;
  (void)data.findAndGetUint16(DCM_BitsAllocated, bits);
  (void)data.findAndGetUint16(DCM_SamplesPerPixel, samples);
  const std::uintmax_t size = std::filesystem::file_size(path), maximum = std::numeric_limits<Uint32>::max();
  if (samples != 1 || bits > 32 || grid.size() * bits / 8 > std::min<std::uintmax_t>(64 * size, maximum))
    throw FileError(message("file.426", path.string(), "expected run-length encoded pixels for ", grid.size(),
                            " numbers of ", bits, " bits, got a file of ", size, " bytes"));
}

/// Even frames keep their numbers; others are interpolated.
inline void arrange_frames(DoseGrid& grid, std::vector<double> places, ImageAxes& axes, const std::string& where) {
  if (grid.shape[0] < 2) return;
  if (places[1] < 0) {  // the frames run against their normal
    for (double& p : places) p = -p;
    for (double& d : axes.direction[0]) d = -d;
  }
  const double step = places.back() / static_cast<double>(places.size() - 1);
  double smallest = step, largest = step;
  for (const auto& [below, above] : views::adjacent(places))
    smallest = std::min(smallest, above - below), largest = std::max(largest, above - below);
  grid.spacing[0] = step;
  if (largest - smallest <= 0.01 * step) return;
  if (step > 20 * smallest)
    throw FileError(message("file.426", where, "expected frames at most 20 times as far apart as the nearest two, got ",
                            smallest, " and on average ", step, " mm"));
  space_evenly(grid, places);
}

/// \throws FileError for a map of dose errors
inline void read_kind_of_dose(DcmItem& data, DoseGrid& grid, const std::string& where) {
  const std::string units = dicom_text(data, DCM_DoseUnits), type = dicom_text(data, DCM_DoseType);
  if (type == "ERROR") throw FileError(message("file.426", where, "expected a dose, got the dose type ERROR"));
  grid.units = units == "GY"         ? DoseUnits::gray
               : units == "RELATIVE" ? DoseUnits::relative
               : units.empty()       ? DoseUnits::unknown
                                     : DoseUnits::other;
  grid.unit = units;
}

}  // namespace detail

/// Reads an RTDOSE file; doses in Gy or relative, as `DoseGrid::units` says. Axes are the patient's, ascending
/// (`DoseGrid::axes`); a coronal or sagittal plane has rows along z. What lies askew keeps its own axes, with the first
/// voxel's place along them. \throws FileError when the file is missing, damaged, of another kind, or compressed otherwise.
[[nodiscard]] inline DoseGrid read_rtdose(const std::filesystem::path& path) {
  const std::string where = path.string();
  static const bool registered = (DcmRLEDecoderRegistration::registerCodecs(), true);
  (void)registered;
  DoseGrid grid;
  const auto file = open_dicom(path, &grid.warnings);
  DcmDataset& data = *file->getDataset();
  const std::string sop_class = sop_class_of(*file, &grid.warnings), modality = modality_of(*file);
  if (sop_class.empty() && modality == "RTDOSE")
    grid.warnings.push_back("no SOP class: taken as a dose by its modality");
  else if (sop_class != UID_RTDoseStorage)
    throw FileError(message("file.425", where, "expected an RTDOSE, got ",
                            sop_class.empty() ? "no SOP class" : "SOP class " + sop_class,
                            modality.empty() ? " and no modality" : " of modality " + modality));
  detail::read_kind_of_dose(data, grid, where);
  detail::ImageAxes axes = detail::read_axes(data, grid, where);
  const std::vector<double> places = detail::read_frames(data, grid, axes, where);
  const bool big_endian = data.getOriginalXfer() == EXS_BigEndianExplicit;
  detail::check_run_lengths(data, grid, path);
  if (data.chooseRepresentation(EXS_LittleEndianExplicit, nullptr).bad())
    throw FileError(
        message("file.426", where, "expected uncompressed or run-length encoded pixels, got another transfer syntax"));
  detail::read_pixels(data, grid, big_endian, where);
  detail::arrange_frames(grid, places, axes, where);
  if (axes.aligned()) return detail::to_patient_axes(grid, axes);
  grid.axes = axes.direction;
  grid.origin = along(axes.direction, axes.position);
  return grid;
}

}  // namespace equipoise::psqa
