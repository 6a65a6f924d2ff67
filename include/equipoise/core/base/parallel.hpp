// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A loop over several threads.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace equipoise {

/// Calls `work(i)` for i in 0 .. n - 1 on several threads; an exception of one is thrown here.
/// \param threads 0: as many as the machine has
template <class Work>
void parallel_for(std::size_t n, unsigned threads, Work&& work) {
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  threads = static_cast<unsigned>(std::min<std::size_t>(threads, n));
  if (threads <= 1) {
    for (std::size_t i = 0; i < n; ++i) work(i);
    return;
  }
  std::atomic<std::size_t> next{0};
  std::vector<std::exception_ptr> failures(threads);
  std::vector<std::jthread> pool;  // joined also where a thread cannot be started
  for (unsigned t = 0; t < threads; ++t)
    pool.emplace_back([&, t] {
      try {
        for (std::size_t i = next++; i < n; i = next++) work(i);
      } catch (...) {
        failures[t] = std::current_exception();
        next = n;
      }
    });
  pool.clear();
  for (const std::exception_ptr& e : failures)
    if (e) std::rethrow_exception(e);
}

}  // namespace equipoise
