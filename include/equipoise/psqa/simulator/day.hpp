// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// One delivery of a plan: faults, the machine of the day, where the measurement stands, and the errors of the leaves.
/// Every draw is a hash of where it is used, so that any delivery can be repeated alone.

#include <equipoise/core/base/random.hpp>
#include <equipoise/core/base/random_stream.hpp>
#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/simulator/detector.hpp>
#include <equipoise/psqa/simulator/mismatch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// Where a measurement stands: shifts across and along the couch, the turn about the vertical, and the collimator's.
struct SetUp {
  double across = 0, along = 0;     ///< mm
  double turn = 0, collimator = 0;  ///< degree
};

/// What goes wrong with a plan; the same at every delivery of it.
struct Fault {
  std::string name = "none";  ///< "none", "output", "bank", "stuck_leaf", "collimator"
  double output = 1, bank_shift = 0, stuck_mm = 0, rotation = 0;
  std::size_t stuck = 0;  ///< pair whose second leaf is stuck; 0: none
};

/// The fault of a cohort's plan `index`, drawn by the share of faults. \param middle_pair of the bank: the stuck leaf is near it
[[nodiscard]] inline Fault draw_fault(const Mismatch& mm, std::uint64_t seed, std::uint64_t index,
                                      std::size_t middle_pair) {
  RandomStream random({seed, index}, "fault");
  Fault f;
  if (!(random.uniform() < mm.fault_share)) return f;
  const auto kind = random.integer(0, 3);
  const double sign = random.uniform() < 0.5 ? -1 : 1;
  if (kind == 0) f.name = "output", f.output = 1 + sign * random.uniform(0.75, 1) * mm.fault_output_percent / 100;
  if (kind == 1) f.name = "bank", f.bank_shift = sign * random.uniform(0.625, 1) * mm.fault_bank_mm;
  if (kind == 2) {
    f.name = "stuck_leaf", f.stuck = static_cast<std::size_t>(random.integer(0, 9)) + middle_pair - 5;
    f.stuck_mm = random.uniform(0.2, 1) * mm.fault_stuck_mm;
  }
  if (kind == 3) f.name = "collimator", f.rotation = sign * mm.fault_turn_deg;
  return f;
}

/// The mean position error of each leaf of a machine; drawn once per leaf.
class LeafOffsets {
 public:
  LeafOffsets() = default;
  LeafOffsets(std::uint64_t seed, std::uint64_t machine, double sd_mm) {
    for (std::uint64_t bank = 0; bank < 2; ++bank)
      for (std::uint64_t l = 0; l < kPairs; ++l)
        offsets_.push_back(sd_mm * RandomStream({seed, machine, bank, l}, "leaf").normal());
  }
  /// mm; imported plans may have more pairs than any one machine of ours: they begin again.
  [[nodiscard]] double of(int bank, std::size_t pair) const {
    return offsets_[static_cast<std::size_t>(bank) * kPairs + pair % kPairs];
  }

 private:
  static constexpr std::size_t kPairs = 160;
  std::vector<double> offsets_;
};

namespace detail {

/// A normal number from one hash: the sum of the hash's four 16-bit parts. Its tails end at 3.4 standard deviations, as
/// those of a leaf do.
[[nodiscard]] inline double quick_normal(std::uint64_t h) {
  const double sum = static_cast<double>(h & 0xffff) + static_cast<double>((h >> 16) & 0xffff) +
                     static_cast<double>((h >> 32) & 0xffff) + static_cast<double>(h >> 48);
  return (sum / 65535 - 2) * 1.7320508075688772;
}

/// One delivery of a plan: the machine of the day, and where the measurement stands.
struct Day {
  MachineModel real;
  Fault fault;
  SetUp at;
};

/// \param machine as it is on average  \param delivery which of the plan's deliveries
[[nodiscard]] inline Day draw_day(const MachineModel& machine, const Mismatch& mm, Detector detector,
                                  std::uint64_t seed, std::uint64_t index, std::uint64_t delivery, Fault fault) {
  RandomStream random({seed, index, delivery}, "day");
  Day day{machine, std::move(fault), {}};
  day.real.output *= (1 + random.normal(0, mm.output_day_percent / 100)) * day.fault.output;
  day.at.across = random.normal(0, mm.shift_mm), day.at.along = random.normal(0, mm.shift_mm);
  day.at.turn = random.normal(0, mm.rotation_deg), day.at.collimator = day.fault.rotation;
  day.real.leaf_gap_mm = std::max(0.0, day.real.leaf_gap_mm + random.normal(0, mm.gap_day_mm));
  day.real.low_mu_error = random.normal(0, mm.low_mu_percent / 100);
  day.real.source_sigma_mm = std::hypot(day.real.source_sigma_mm, detector_blur_mm(detector));
  return day;
}

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
