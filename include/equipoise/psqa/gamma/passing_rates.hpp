// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The passing rates of a record, as cohorts hold them.

#include <equipoise/psqa/criteria.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/gamma/gamma.hpp>

#include <cstddef>

namespace equipoise::psqa {

/// The passing rates of a measured against a planned dose at the criteria of `kCriteria`. Norm: the planned maximum.
[[nodiscard]] inline RateNumbers passing_rates(const DoseGrid& measured, const DoseGrid& planned) {
  RateNumbers out{};
  for (std::size_t c = 0; c < out.size(); ++c)
    out[c] = gamma_pass_rate(measured, planned, {.dd_percent = kCriteria[c].dd_percent, .dta_mm = kCriteria[c].dta_mm});
  return out;
}

}  // namespace equipoise::psqa
