// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Every task weighting of the library; they are policies like the others. Adding one: its header, its include and its
/// entry here, its test (docs/adding_components.md).

#include <equipoise/core/base/type_list.hpp>
#include <equipoise/weighting/contribution_weighting.hpp>
#include <equipoise/weighting/uncertainty.hpp>

#include <tuple>

namespace equipoise {

using EveryWeighting = std::tuple<ContributionWeighting, UncertaintyWeighting>;
static_assert(has_distinct_ids<EveryWeighting>, "equipoise: two task weightings of the list have the same id");

}  // namespace equipoise
