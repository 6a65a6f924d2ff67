// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What monthly quality assurance measured of a machine: how far it is from what the planning
/// system takes it to be.

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace equipoise::psqa {

/// A figure of monthly quality assurance, named as its column.
enum class MachineFigure : std::uint8_t {
  leaf_gap_mm,           ///< dosimetric leaf gap
  transmission_percent,  ///< of the leaves
  output_percent,        ///< dose per MU; 100 is nominal
  picket_fence_mean_mm,  ///< mean of the leaves' offsets, with their sign
  picket_fence_sd_mm,    ///< their standard deviation
  picket_fence_max_mm    ///< the largest, without its sign
};
inline constexpr std::size_t kMachineFigures = 6;
[[nodiscard]] constexpr std::array<std::string_view, kMachineFigures> names_of(MachineFigure) {
  return {"leaf_gap_mm",          "transmission_percent", "output_percent",
          "picket_fence_mean_mm", "picket_fence_sd_mm",   "picket_fence_max_mm"};
}

/// What a figure can be. Values beyond are slips, such as an output of 0.4 for a deviation from
/// nominal.
struct FigureRange {
  double low, high;
};
inline constexpr std::array<FigureRange, kMachineFigures> kFigureRanges = {
    {{0, 10}, {0, 20}, {50, 150}, {-10, 10}, {0, 10}, {0, 50}}};

/// One line of machines.csv.
struct MachineQa {
  std::string machine, clinic;  ///< the machine's name as in records.csv; clinic may be empty
  std::array<double, kMachineFigures> figures = unmeasured();  ///< NaN where it was not measured

  [[nodiscard]] double& at(MachineFigure f) { return figures[static_cast<std::size_t>(f)]; }
  [[nodiscard]] double at(MachineFigure f) const { return figures[static_cast<std::size_t>(f)]; }

 private:
  [[nodiscard]] static constexpr std::array<double, kMachineFigures> unmeasured() {
    std::array<double, kMachineFigures> out{};
    out.fill(std::numeric_limits<double>::quiet_NaN());
    return out;
  }
};

/// Standard deviations of what monthly quality assurance measures of one and the same machine
/// state: a tenth of the tolerances of AAPM TG-142 (output 2 %, leaf position 1 mm, transmission
/// 0.5 %), since what judges a tolerance has to be several times finer. The leaf gap has no
/// tolerance there.
struct MachineQaNoise {
  double leaf_gap_mm = 0.05, transmission_percent = 0.05, output_percent = 0.2;
  double leaf_mm = 0.1;  ///< of each leaf's place in a picket fence
};

}  // namespace equipoise::psqa
