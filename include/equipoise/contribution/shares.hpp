// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// From contributions to shares of their sum.

#include <equipoise/core/base/errors.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

namespace equipoise {

/// c_m = max(φ_m, 0) / Σ max(φ, 0); equal shares where no modality contributes. The sum is 1.
/// \throws NumericError for a contribution that is not finite.
[[nodiscard]] inline std::vector<double> shares(std::span<const double> contributions) {
  std::vector<double> c;
  for (const double phi : contributions) {
    if (!std::isfinite(phi))
      throw NumericError(message("numeric.502", "shares", "expected finite contributions, got ", phi));
    c.push_back(std::max(phi, 0.0));
  }
  const double sum = std::accumulate(c.begin(), c.end(), 0.0);
  for (double& x : c) x = sum > 0 ? x / sum : 1.0 / static_cast<double>(c.size());
  return c;
}

}  // namespace equipoise
