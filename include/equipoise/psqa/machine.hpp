// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What turns leaf positions into dose: leaf ends, transmission, tongue and groove, source, kernel. The planning system
/// has one such model of a machine, the machine itself is another; commissioning tunes the first to the second.

#include <equipoise/psqa/plan.hpp>

#include <vector>

namespace equipoise::psqa {

struct MachineModel {
  double leaf_gap_mm = 1.4;     ///< dosimetric leaf gap: each leaf end lets half of it through
  double transmission = 0.015;  ///< of the leaves
  double jaw_transmission = 0.004;
  double tongue_groove_mm = 0;     ///< width of the strip along a leaf's side that sees only what both neighbours let
                                   ///< through; 0 in planning systems
  double source_sigma_mm = 0.9;    ///< of the Gaussian source, projected to the isocentre
  double primary_per_mm = 0.30;    ///< a of the kernel [A e^{-ar} + B e^{-br}] / r
  double scatter_per_mm = 0.0135;  ///< b
  double scatter_share = 0.28;     ///< of the kernel's integral
  double output = 1;               ///< dose per MU, relative
};

/// Leaf boundaries of a Millennium 120: 40 pairs of 5 mm between 20 of 10 mm. [61] mm
[[nodiscard]] inline std::vector<double> millennium_boundaries() {
  std::vector<double> b;
  for (int i = 0; i <= 10; ++i) b.push_back(-200 + 10.0 * i);
  for (int i = 1; i <= 40; ++i) b.push_back(-100 + 5.0 * i);
  for (int i = 1; i <= 10; ++i) b.push_back(100 + 10.0 * i);
  return b;
}

}  // namespace equipoise::psqa
