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

}  // namespace support
