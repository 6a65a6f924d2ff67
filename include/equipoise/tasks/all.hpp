// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Every task of the library.

#include <equipoise/tasks/classification.hpp>
#include <equipoise/tasks/dense_regression.hpp>
#include <equipoise/tasks/regression.hpp>

#include <tuple>

namespace equipoise {

using EveryTask = std::tuple<Regression, Classification, DenseRegression>;

}  // namespace equipoise
