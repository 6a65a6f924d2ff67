// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A machine model turns leaf positions into dose: leaf ends, transmission, tongue and groove,
/// source, kernel. The planning system and the real machine have one each; commissioning tunes the
/// first to the second.

#include <equipoise/psqa/plan.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace equipoise::psqa {

struct MachineModel {
  double leaf_gap_mm = 1.4;     ///< dosimetric leaf gap: each leaf end lets half of it through
  double transmission = 0.015;  ///< of the leaves
  double jaw_transmission = 0.004;
  double tongue_groove_mm = 0;      ///< width of the strip along a leaf's side that sees only what both neighbours let
                                    ///< through; 0 in planning systems
  double source_sigma_mm = 0.7;     ///< of the Gaussian source, projected to the isocentre
  double primary_per_mm = 0.30;     ///< a of the kernel [A e^{-ar} + B e^{-br}] / r
  double scatter_per_mm = 0.0135;   ///< b
  double scatter_share = 0.28;      ///< of the kernel's integral
  double extra_focal_share = 0.03;  ///< of the source that is wide: scatter in the head
  double extra_focal_sigma_mm = 20;
  double output = 1;        ///< dose per MU, relative
  double low_mu_error = 0;  ///< relative error of segments of less than 3 MU (step-and-shoot); a quarter to 10 MU

  /// What a static segment of some MU delivers, relative to what it should.
  [[nodiscard]] double linearity(double mu) const {
    return 1 + (mu < 3 ? low_mu_error : mu < 10 ? 0.25 * low_mu_error : 0);
  }
};

/// A 6 MV kernel at a depth in water, mm: two exponentials fitted to the cumulative shares of matRad's open base data at
/// 50 and 100 mm (within 0.04 of them), linear between them and beyond, for 20 .. 200 mm.
inline void set_kernel_at_depth(MachineModel& m, double depth_mm) {
  const double t = (std::clamp(depth_mm, 20.0, 200.0) - 50) / 50;
  m.primary_per_mm = 0.112 + 0.004 * t;
  m.scatter_per_mm = 0.017;
  m.scatter_share = std::min(0.51 + 0.14 * t, 0.85);
}

/// What a plane shows: dose in water, or what a portal imager (EPID) sees of the beam.
enum class PlaneKind : std::uint8_t { water, epid };
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(PlaneKind) {
  return {"water", "epid"};
}

/// The plane in which doses are planned and measured; it decides the kernel.
struct DosePlane {
  PlaneKind kind = PlaneKind::water;
  double depth_mm = 0;  ///< in water, 20 .. 200; 0: the general kernel of `MachineModel`
};

/// Gives a machine the kernel of a plane. A portal imager's phosphor spreads far less than water: its primary part and
/// its glare are the middle of what is published (a 0.5 to 1, b 0.03 to 0.05 /mm, share 0.05 to 0.12).
inline void set_kernel(MachineModel& m, const DosePlane& plane) {
  if (plane.kind == PlaneKind::epid)
    m.primary_per_mm = 0.75, m.scatter_per_mm = 0.04, m.scatter_share = 0.085;
  else if (plane.depth_mm > 0)
    set_kernel_at_depth(m, plane.depth_mm);
}

/// Neighbouring pairs of leaves of one width.
struct LeafGroup {
  int pairs;
  double width_mm;
};

/// The boundaries of groups of leaves, centred on the axis. [pairs + 1] mm
[[nodiscard]] inline std::vector<double> leaf_boundaries(std::initializer_list<LeafGroup> groups) {
  double extent = 0;
  for (const LeafGroup& g : groups) extent += g.pairs * g.width_mm;
  std::vector<double> out = {-extent / 2};
  for (const LeafGroup& g : groups)
    for (int i = 0; i < g.pairs; ++i) out.push_back(out.back() + g.width_mm);
  return out;
}

[[nodiscard]] inline std::vector<double> millennium_boundaries() {
  return leaf_boundaries({{10, 10}, {40, 5}, {10, 10}});
}
[[nodiscard]] inline std::vector<double> hd120_boundaries() {
  return leaf_boundaries({{14, 5}, {32, 2.5}, {14, 5}});
}

/// What the delivery may do; the defaults are those of a Varian C-arm.
struct MachineLimits {
  double leaf_speed_mm_per_s = 25;
  double dose_rate_MU_per_min = 600;
  double gantry_speed_deg_per_s = 6;
  double least_gap_mm = 0.5;

  /// The farthest that a leaf may go while some MU are delivered at the full rate.
  [[nodiscard]] double leaf_travel_per_MU() const { return leaf_speed_mm_per_s * 60 / dose_rate_MU_per_min; }
};

/// Which collimator a cohort's machines have.
enum class LinacModel : std::uint8_t { millennium_120, agility, halcyon, hd120 };
[[nodiscard]] constexpr std::array<std::string_view, 4> names_of(LinacModel) {
  return {"millennium_120", "agility", "halcyon", "hd120"};
}

/// A collimator's leaves, limits, and the ranges within which its machines' leaf ends and leaves lie. Leaves of
/// neighbouring pairs may pass one another (interdigitation): all designs here allow it.
struct LinacDesign {
  std::vector<double> boundaries;  ///< mm
  MachineLimits limits{};
  double leaf_gap_mm = 1.4, least_leaf_gap_mm = 1.0, most_leaf_gap_mm = 1.8;
  double least_transmission = 0.012, most_transmission = 0.018;
  bool jaws = true;
};

/// Millennium 120; Agility of 80 pairs; Halcyon, whose two layers of 10 mm leaves, offset by half a leaf, are one
/// virtual bank of 5 mm here; HD120, whose leaves are of 2.5 mm within 40 mm of the axis.
[[nodiscard]] inline LinacDesign design_of(LinacModel model) {
  if (model == LinacModel::agility)
    return {leaf_boundaries({{80, 5}}), {.leaf_speed_mm_per_s = 35}, 0.3, 0.1, 0.4, 0.004, 0.006, true};
  if (model == LinacModel::halcyon)
    return {leaf_boundaries({{56, 5}}),
            {.leaf_speed_mm_per_s = 50, .dose_rate_MU_per_min = 800, .gantry_speed_deg_per_s = 24},
            0.3,
            0.1,
            0.4,
            0.004,
            0.006,
            false};
  if (model == LinacModel::hd120) return {hd120_boundaries(), {}, 1.2, 1.0, 1.8, 0.011, 0.013, true};
  return {millennium_boundaries()};
}

}  // namespace equipoise::psqa
