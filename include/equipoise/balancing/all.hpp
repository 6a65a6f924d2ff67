// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The list of all balancing policies of the library. To add one, write its header and its test,
/// and add its include and its entry here (docs/adding_components.md).

#include <equipoise/balancing/agm.hpp>
#include <equipoise/balancing/any_policy.hpp>
#include <equipoise/balancing/drop_modality.hpp>
#include <equipoise/balancing/gradient_blending.hpp>
#include <equipoise/balancing/learning_speed_factors.hpp>
#include <equipoise/balancing/mla.hpp>
#include <equipoise/balancing/mmpareto.hpp>
#include <equipoise/balancing/ogm.hpp>
#include <equipoise/balancing/opm.hpp>
#include <equipoise/balancing/recon_boost.hpp>
#include <equipoise/balancing/sample_valuation.hpp>
#include <equipoise/balancing/shapley_loss_factors.hpp>
#include <equipoise/balancing/unimodal_pretraining.hpp>
#include <equipoise/core/base/type_list.hpp>

#include <tuple>

namespace equipoise {

using EveryBalancing = std::tuple<Ogm, Opm, MMPareto, Agm, Mla, ReconBoost, GradientBlending, SampleValuation,
                                  ShapleyLossFactors, LearningSpeedFactors, UnimodalPretraining, DropModality>;
static_assert(has_distinct_ids<EveryBalancing>, "equipoise: two balancing policies of the list have the same id");

}  // namespace equipoise
