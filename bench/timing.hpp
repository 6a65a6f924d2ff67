// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Two sides timed in turn, so that what slows the machine slows both.

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <vector>

namespace bench {

inline double seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Ratios of `a`'s time to `b`'s. The two take turns, and which goes first alternates; a ratio is that of the least
/// times of a few turns, since whatever else the machine does can only add to a time.
inline std::vector<double> ratios(const std::function<void()>& a, const std::function<void()>& b, int repeats,
                                  int turns = 3) {
  a(), b();
  std::vector<double> out;
  for (int r = 0; r < repeats; ++r) {
    double ta = std::numeric_limits<double>::infinity(), tb = ta;
    for (int t = 0; t < turns; ++t) {
      if ((r + t) % 2 == 0)
        ta = std::min(ta, seconds(a)), tb = std::min(tb, seconds(b));
      else
        tb = std::min(tb, seconds(b)), ta = std::min(ta, seconds(a));
    }
    out.push_back(ta / tb);
  }
  return out;
}

}  // namespace bench
