// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Every fusion of the library. Adding one: its header, its line here, its test. The laws of tests/fusion run over
/// these lists.

#include <equipoise/fusion/attention.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/fusion/film.hpp>
#include <equipoise/fusion/gated.hpp>
#include <equipoise/fusion/late.hpp>
#include <equipoise/fusion/spatial_cascade.hpp>
#include <equipoise/fusion/sum.hpp>

#include <tuple>

namespace equipoise {

/// Fusions that yield a joint vector.
using EveryVectorFusion = std::tuple<Concat, Sum, Gated, Film, Late, AttentionFusion>;
/// Fusions that yield a joint map.
using EveryMapFusion = std::tuple<SpatialCascade>;

}  // namespace equipoise
