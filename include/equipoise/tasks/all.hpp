// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The list of all tasks of the library. To add one, write its header and its test, and add its
/// include and its entry here (docs/adding_components.md).

#include <equipoise/core/base/type_list.hpp>
#include <equipoise/tasks/classification.hpp>
#include <equipoise/tasks/dense_regression.hpp>
#include <equipoise/tasks/regression.hpp>

#include <tuple>

namespace equipoise {

using EveryTask = std::tuple<Regression, Classification, DenseRegression>;
static_assert(has_distinct_ids<EveryTask>, "equipoise: two tasks of the list have the same id");

}  // namespace equipoise
