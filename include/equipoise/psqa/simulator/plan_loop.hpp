// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A loop over a cohort's plans on several threads, whose results come in the plans' order.

#include <equipoise/core/base/parallel.hpp>
#include <equipoise/psqa/simulator/settings.hpp>
#include <equipoise/psqa/simulator/simulator.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// Calls `make(simulator, i)` for plans i in 0 .. plans - 1 on several threads, and `use(i, made)` with
/// what it returned, in the plans' order, on the calling thread. Both may throw to stop.
/// \param threads 0: as many as the machine has  \param plans_per_thread results kept at a time
template <class Make, class Use>
void for_each_plan(const CohortSettings& settings, std::int64_t plans, unsigned threads, std::size_t plans_per_thread,
                   Make&& make, Use&& use) {
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  // Each thread has a simulator of its own: the transforms keep state.
  std::vector<Simulator> simulators(threads, Simulator(settings));
  std::vector<std::invoke_result_t<Make&, Simulator&, std::int64_t>> made(plans_per_thread * threads);
  for (std::int64_t first = 0; first < plans; first += static_cast<std::int64_t>(made.size())) {
    const auto n =
        static_cast<std::size_t>(std::min<std::int64_t>(plans - first, static_cast<std::int64_t>(made.size())));
    parallel_for(threads, threads, [&](std::size_t t) {
      for (std::size_t i = t; i < n; i += threads) made[i] = make(simulators[t], first + static_cast<std::int64_t>(i));
    });
    for (std::size_t i = 0; i < n; ++i) use(first + static_cast<std::int64_t>(i), std::exchange(made[i], {}));
  }
}

}  // namespace equipoise::psqa
