// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Two sides timed in turn, so that what slows the machine slows both.

#include <chrono>
#include <functional>
#include <vector>

namespace bench {

inline double seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Ratios of `a`'s time to `b`'s, alternating which goes first.
inline std::vector<double> ratios(const std::function<void()>& a, const std::function<void()>& b, int repeats) {
  a(), b();
  std::vector<double> out;
  for (int r = 0; r < repeats; ++r) {
    double ta = 0, tb = 0;
    if (r % 2 == 0)
      ta = seconds(a), tb = seconds(b);
    else
      tb = seconds(b), ta = seconds(a);
    out.push_back(ta / tb);
  }
  return out;
}

}  // namespace bench
