// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Threads that wait without burning a core. LibTorch's CPU kernels run on OpenMP, whose idle threads spin: where another
/// program wants the cores too, each barrier then waits for a thread that has no core, and a training step takes 9 to 50
/// times as long. Threads that sleep instead cost microseconds a barrier. How many threads a model deserves is
/// `use_threads` (core/model/threads.hpp).

#include <cstdlib>
#include <string_view>

#if defined(__linux__)
#include <unistd.h>
#endif

namespace equipoise {

/// Makes OpenMP's idle threads sleep. OpenMP reads `OMP_WAIT_POLICY` when the program is loaded, before `main`, so that this
/// sets it and starts the program anew, in the same process and with the same arguments; call it first in `main`. Does
/// nothing where the user has decided (`OMP_WAIT_POLICY`, `GOMP_SPINCOUNT`, or `OMP_NUM_THREADS=1`, with which nothing
/// waits), and outside Linux, where the variable is to be set before the program starts.
/// \param argv of `main`
inline void wait_passively([[maybe_unused]] char** argv) {
#if defined(__linux__)
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  if (const char* threads = std::getenv("OMP_NUM_THREADS"); threads != nullptr && std::string_view(threads) == "1")
    return;
  if (setenv("OMP_WAIT_POLICY", "PASSIVE", 1) == 0) execv("/proc/self/exe", argv);  // returns only where it fails
#endif
}

}  // namespace equipoise
