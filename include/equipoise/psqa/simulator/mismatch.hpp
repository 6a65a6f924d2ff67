// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What differs between what is planned and what is delivered and measured: the knobs, rare faults, and one delivery's
/// draw of them. Every draw is a hash of where it is used, so that any delivery can be repeated alone.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/simulator/detector.hpp>
#include <equipoise/psqa/simulator/noise.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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

/// Where a measurement stands: shifts across and along the couch, the turn about the vertical, and the collimator's.
struct SetUp {
  double across = 0, along = 0;     ///< mm
  double turn = 0, collimator = 0;  ///< degree
};

namespace detail {

/// A normal number from one hash: the sum of the hash's four 16-bit parts. Its tails end at 3.4 standard deviations, as
/// those of a leaf do.
[[nodiscard]] inline double quick_normal(std::uint64_t h) {
  const double sum = static_cast<double>(h & 0xffff) + static_cast<double>((h >> 16) & 0xffff) +
                     static_cast<double>((h >> 32) & 0xffff) + static_cast<double>(h >> 48);
  return (sum / 65535 - 2) * 1.7320508075688772;
}

/// What goes wrong with a plan; the same at every delivery of it.
struct Fault {
  std::string name = "none";  ///< "none", "output", "bank", "stuck_leaf", "collimator"
  double output = 1, bank_shift = 0, stuck_mm = 0, rotation = 0;
  std::size_t stuck = 0;  ///< pair whose second leaf is stuck; 0: none
};

/// \param middle_pair of the bank: the stuck leaf is near it
[[nodiscard]] inline Fault draw_fault(const Mismatch& mm, std::uint64_t seed, std::uint64_t index,
                                      std::size_t middle_pair) {
  Noise noise({seed, index}, "fault");
  Fault f;
  if (!(noise.uniform() < mm.fault_share)) return f;
  const auto kind = noise.integer(0, 3);
  const double sign = noise.uniform() < 0.5 ? -1 : 1;
  if (kind == 0) f.name = "output", f.output = 1 + sign * noise.uniform(0.75, 1) * mm.fault_output_percent / 100;
  if (kind == 1) f.name = "bank", f.bank_shift = sign * noise.uniform(0.625, 1) * mm.fault_bank_mm;
  if (kind == 2) {
    f.name = "stuck_leaf", f.stuck = static_cast<std::size_t>(noise.integer(0, 9)) + middle_pair - 5;
    f.stuck_mm = noise.uniform(0.2, 1) * mm.fault_stuck_mm;
  }
  if (kind == 3) f.name = "collimator", f.rotation = sign * mm.fault_turn_deg;
  return f;
}

/// One delivery of a plan: the machine of the day, and where the measurement stands.
struct Day {
  MachineModel real;
  Fault fault;
  SetUp at;
};

/// \param machine as it is on average  \param delivery which of the plan's deliveries
[[nodiscard]] inline Day draw_day(const MachineModel& machine, const Mismatch& mm, Detector detector,
                                  std::uint64_t seed, std::uint64_t index, std::uint64_t delivery,
                                  std::size_t middle_pair) {
  Noise noise({seed, index, delivery}, "day");
  Day day{machine, draw_fault(mm, seed, index, middle_pair), {}};
  day.real.output *= (1 + noise.normal(0, mm.output_day_percent / 100)) * day.fault.output;
  day.at.across = noise.normal(0, mm.shift_mm), day.at.along = noise.normal(0, mm.shift_mm);
  day.at.turn = noise.normal(0, mm.rotation_deg), day.at.collimator = day.fault.rotation;
  day.real.leaf_gap_mm = std::max(0.0, day.real.leaf_gap_mm + noise.normal(0, mm.gap_day_mm));
  day.real.low_mu_error = noise.normal(0, mm.low_mu_percent / 100);
  day.real.source_sigma_mm = std::hypot(day.real.source_sigma_mm, detector_blur_mm(detector));
  return day;
}

/// How far each leaf of a machine stands from where it should, on average: a draw a leaf, each only once.
class LeafOffsets {
 public:
  LeafOffsets() = default;
  LeafOffsets(std::uint64_t seed, std::uint64_t machine, double sd_mm) {
    for (std::uint64_t bank = 0; bank < 2; ++bank)
      for (std::uint64_t l = 0; l < kPairs; ++l)
        offsets_.push_back(sd_mm * Noise({seed, machine, bank, l}, "leaf").normal());
  }
  /// mm; imported plans may have more pairs than any one machine of ours: they begin again.
  [[nodiscard]] double of(int bank, std::size_t pair) const {
    return offsets_[static_cast<std::size_t>(bank) * kPairs + pair % kPairs];
  }

 private:
  static constexpr std::size_t kPairs = 160;
  std::vector<double> offsets_;
};

/// The displacement (mm) of each leaf tip at each control point of a delivery, as `plan_fluence` asks for it.
struct LeafErrors {
  const LeafOffsets& offsets;
  const Fault& fault;
  double random_mm;
  std::uint64_t key;  ///< of the delivery

  [[nodiscard]] double operator()(std::size_t beam, std::size_t point, int bank, std::size_t pair) const {
    const double random = random_mm * quick_normal(hash_of({key, beam, point, static_cast<std::uint64_t>(bank), pair}));
    const double shift = bank == 0 ? fault.bank_shift : fault.stuck == pair && pair != 0 ? -fault.stuck_mm : 0;
    return offsets.of(bank, pair) + random + shift;
  }
};

}  // namespace detail
}  // namespace equipoise::psqa

BOOST_HANA_ADAPT_STRUCT(equipoise::psqa::Mismatch, tongue_groove_mm, commissioning_percent, leaf_systematic_mm,
                        leaf_random_mm, gap_machine_mm, gap_day_mm, output_day_percent, shift_mm, rotation_deg,
                        source_mm, extra_focal_percent, kernel_percent, scatter_percent, transmission_percent,
                        low_mu_percent, noise_local_percent, noise_global_percent, fault_share, fault_output_percent,
                        fault_bank_mm, fault_stuck_mm, fault_turn_deg);

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
