// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How large the differences are between what is planned and what is delivered and measured.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>

#include <cmath>
#include <string>
#include <string_view>

namespace equipoise::psqa {

/// Sizes of the differences, standard deviations unless said otherwise; defaults within what the literature reports
/// (docs/simulator.md names the sources). All are >= 0, and 0 switches one off.
struct Mismatch {
  double tongue_groove_mm = 1;         ///< width on the machine; the planning system has none
  double commissioning_percent = 0.3;  ///< dose error that is left in the test fields after tuning the leaf gap
  double leaf_systematic_mm = 0.2;     ///< of each leaf of a machine
  double leaf_random_mm = 0.5;         ///< of each leaf at each control point
  double gap_machine_mm = 0.25;        ///< of the dosimetric leaf gap between machines, most of which tuning takes out
  double gap_day_mm = 0.05;            ///< of the dosimetric leaf gap, from day to day
  double output_day_percent = 0.4;     ///< of the machine's output
  double shift_mm = 0.58;              ///< set-up, per axis
  double rotation_deg = 0.3;           ///< set-up
  double source_mm = 0.25;             ///< of the source's size
  double extra_focal_percent = 0.5;    ///< at most, absolute, of the wide source's share
  double kernel_percent = 12;          ///< at most, of the primary kernel's reach
  double scatter_percent = 1;          ///< at most, absolute, of the scatter's share
  double transmission_percent = 0.15;  ///< at most, absolute, of the leaf transmission
  double low_mu_percent = 2;           ///< of segments of less than 3 MU; a quarter of it to 10 MU
  double noise_local_percent = 0.5;    ///< detector, of the local dose
  double noise_global_percent = 0.4;   ///< detector, of the maximum
  double fault_share = 0.01;           ///< of plans that are delivered with a fault, 0..1
  double fault_output_percent = 4;     ///< at most, at least three quarters of it
  double fault_bank_mm = 1.6;          ///< at most, at least five eighths of it
  double fault_stuck_mm = 10;          ///< at most, at least a fifth of it
  double fault_turn_deg = 2;           ///< of the collimator
};

/// The sizes for records that are fields, each measured alone by portal dosimetry: the imager stands better than a
/// phantom on a couch and has less noise; tongue and groove, which other fields fill up in a composite, shows. With them
/// a cohort of fields has the passing rates of the literature, as one of plans has with the defaults.
[[nodiscard]] inline Mismatch portal_mismatch() {
  Mismatch m;
  m.tongue_groove_mm = 1.6, m.commissioning_percent = 0.4;
  m.leaf_systematic_mm = 0.18, m.leaf_random_mm = 0.3;
  m.shift_mm = 0.3, m.source_mm = 0.28, m.transmission_percent = 0.18, m.noise_global_percent = 0.3;
  return m;
}

}  // namespace equipoise::psqa

EQUIPOISE_REFLECT(equipoise::psqa::Mismatch, tongue_groove_mm, commissioning_percent, leaf_systematic_mm,
                  leaf_random_mm, gap_machine_mm, gap_day_mm, output_day_percent, shift_mm, rotation_deg, source_mm,
                  extra_focal_percent, kernel_percent, scatter_percent, transmission_percent, low_mu_percent,
                  noise_local_percent, noise_global_percent, fault_share, fault_output_percent, fault_bank_mm,
                  fault_stuck_mm, fault_turn_deg);

namespace equipoise::psqa {

/// \throws ValueError for a size that is negative or not finite, and for a share above 1.
inline void check(const Mismatch& mm) {
  for_each_member(mm, [](std::string_view key, double value) {
    if (!(value >= 0) || !std::isfinite(value))
      throw ValueError(message("value.331", std::string("Mismatch.") + std::string(key), "expected >= 0, got ", value));
  });
  if (mm.fault_share > 1)
    throw ValueError(message("value.331", "Mismatch.fault_share", "expected within 0..1, got ", mm.fault_share));
}

}  // namespace equipoise::psqa
