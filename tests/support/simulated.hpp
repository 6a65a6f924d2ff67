// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A simulator and a record for tests that need any: its machine is commissioned once for all of them.

#include <equipoise/psqa/simulator/simulator.hpp>

namespace support {

/// Default settings, but for one machine.
inline equipoise::psqa::Simulator& one_machine() {
  static equipoise::psqa::Simulator simulator({.machines = 1});
  return simulator;
}

/// The first record of it.
inline const equipoise::psqa::Record& first_record() {
  static const equipoise::psqa::Record record = one_machine().record(0);
  return record;
}

/// Settings of a cohort of one machine.
inline equipoise::psqa::CohortSettings few(std::int64_t plans) {
  return {.plans = plans, .machines = 1};
}

/// A delivery as planned.
inline equipoise::psqa::Mismatch none() {
  equipoise::psqa::Mismatch m;
  for (const auto& [key, value] : equipoise::options(m)) equipoise::set_option(m, key, "0");
  return m;
}

}  // namespace support
