// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The list of all tasks of the library. To add one, write its header and its test, and add its
/// include and its entry here (docs/adding_components.md).

#include <equipoise/core/base/type_list.hpp>
#include <equipoise/tasks/bounded_regression.hpp>
#include <equipoise/tasks/classification.hpp>
#include <equipoise/tasks/dense_regression.hpp>
#include <equipoise/tasks/dense_segmentation.hpp>
#include <equipoise/tasks/discrete_survival.hpp>
#include <equipoise/tasks/gaussian_regression.hpp>
#include <equipoise/tasks/multi_label_classification.hpp>
#include <equipoise/tasks/ordinal_classification.hpp>
#include <equipoise/tasks/quantile_regression.hpp>
#include <equipoise/tasks/regression.hpp>
#include <equipoise/tasks/survival.hpp>

#include <tuple>

namespace equipoise {

using EveryTask = std::tuple<Regression, GaussianRegression, QuantileRegression, BoundedRegression, Classification,
                             OrdinalClassification, MultiLabelClassification, DenseRegression, DenseSegmentation,
                             Survival, DiscreteSurvival>;
static_assert(has_distinct_ids<EveryTask>, "equipoise: two tasks of the list have the same id");

}  // namespace equipoise
