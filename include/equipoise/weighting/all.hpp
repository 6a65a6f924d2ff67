// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The list of all task weightings of the library. A task weighting is a policy. To add one, write
/// its header and its test, and add its include and its entry here (docs/adding_components.md).

#include <equipoise/core/base/type_list.hpp>
#include <equipoise/weighting/contribution_weighting.hpp>
#include <equipoise/weighting/uncertainty.hpp>

#include <tuple>

namespace equipoise {

using EveryWeighting = std::tuple<ContributionWeighting, UncertaintyWeighting>;
static_assert(has_distinct_ids<EveryWeighting>, "equipoise: two task weightings of the list have the same id");

}  // namespace equipoise
