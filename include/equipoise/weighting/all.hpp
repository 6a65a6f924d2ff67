// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Every task weighting of the library; they are policies like the others.

#include <equipoise/weighting/contribution_weighting.hpp>
#include <equipoise/weighting/uncertainty.hpp>

#include <tuple>

namespace equipoise {

using EveryWeighting = std::tuple<ContributionWeighting, UncertaintyWeighting>;

}  // namespace equipoise
