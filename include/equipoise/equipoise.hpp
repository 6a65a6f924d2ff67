// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Everything of the library but the radiotherapy part.

#include <equipoise/balancing/all.hpp>
#include <equipoise/contribution/data_set.hpp>
#include <equipoise/core/compose.hpp>
#include <equipoise/core/summary.hpp>
#include <equipoise/encoders/all.hpp>
#include <equipoise/fusion/all.hpp>
#include <equipoise/tasks/all.hpp>
#include <equipoise/training/trainer.hpp>
#include <equipoise/weighting/all.hpp>
