// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The gamma criteria at which passing rates are taken.

#include <array>

namespace equipoise::psqa {

/// The three criteria of BMMQA: name, dose difference in %, distance in mm.
struct NamedCriteria {
  const char* name;
  double dd_percent, dta_mm;
};
inline constexpr std::array<NamedCriteria, 3> kCriteria{{{"gpr_3_3", 3, 3}, {"gpr_2_3", 2, 3}, {"gpr_2_2", 2, 2}}};

}  // namespace equipoise::psqa
