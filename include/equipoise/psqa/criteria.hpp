// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The gamma criteria at which passing rates are taken. Everything that holds or prints a rate for each of them
/// follows this list: cohorts, simulator, floors, models, tables.

#include <array>
#include <cstddef>
#include <string_view>

namespace equipoise::psqa {

/// A criterion: the column of a table, how people write it, dose difference in %, distance in mm.
struct NamedCriteria {
  const char *name, *label;
  double dd_percent, dta_mm;
};

/// The three criteria of BMMQA and that of TG-218 (3 %/2 mm). A looser one stands before a stricter one.
inline constexpr std::array<NamedCriteria, 4> kCriteria{{{"gpr_3_3", "3%/3 mm", 3, 3},
                                                         {"gpr_3_2", "3%/2 mm", 3, 2},
                                                         {"gpr_2_3", "2%/3 mm", 2, 3},
                                                         {"gpr_2_2", "2%/2 mm", 2, 2}}};

/// One thing for each criterion, in the order of `kCriteria`.
template <class T>
using PerCriterion = std::array<T, kCriteria.size()>;
/// Passing rates in %, or errors in points; NaN where a rate is not known.
using RateNumbers = PerCriterion<double>;

/// The position of a criterion in `kCriteria`; a name that is not in the list does not compile.
[[nodiscard]] consteval std::size_t criterion(std::string_view name) {
  std::size_t c = 0;
  while (kCriteria[c].name != name) ++c;
  return c;
}

/// The strictest criterion: failing plans, intervals, ranks and verdicts are reported at 2 %/2 mm.
inline constexpr std::size_t kStrictest = criterion("gpr_2_2");

/// Whether every point that passes `b` also passes `a`.
[[nodiscard]] constexpr bool is_looser(const NamedCriteria& a, const NamedCriteria& b) {
  return a.dd_percent >= b.dd_percent && a.dta_mm >= b.dta_mm;
}

/// Whether no criterion passes more than a looser one. Rates that are not known are in order.
[[nodiscard]] constexpr bool are_ordered(const RateNumbers& rates) {
  for (std::size_t a = 0; a < rates.size(); ++a)
    for (std::size_t b = 0; b < rates.size(); ++b)
      if (is_looser(kCriteria[a], kCriteria[b]) && rates[a] < rates[b]) return false;
  return true;
}

}  // namespace equipoise::psqa
