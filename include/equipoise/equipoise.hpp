// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Models, their parts, training and contributions. Beside them, each with an include of its own: evaluation/, data/,
/// report/, io/, contribution/sampling.hpp and imbalance.hpp, training/logs.hpp and tensorboard_log.hpp,
/// training/policies.hpp (by name), psqa/.

#include <equipoise/balancing/all.hpp>
#include <equipoise/contribution/data_set.hpp>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/core/model/summary.hpp>
#include <equipoise/encoders/all.hpp>
#include <equipoise/fusion/all.hpp>
#include <equipoise/tasks/all.hpp>
#include <equipoise/training/trainer.hpp>
#include <equipoise/weighting/all.hpp>
