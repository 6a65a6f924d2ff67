// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The list of all fusions of the library. To add one, write its header and its test, and add its
/// include and its entry here (docs/adding_components.md).

#include <equipoise/core/base/type_list.hpp>
#include <equipoise/core/model/concepts.hpp>
#include <equipoise/fusion/any_fusion.hpp>
#include <equipoise/fusion/attention.hpp>
#include <equipoise/fusion/bilinear.hpp>
#include <equipoise/fusion/bottleneck.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/fusion/cross_attention.hpp>
#include <equipoise/fusion/film.hpp>
#include <equipoise/fusion/gated.hpp>
#include <equipoise/fusion/late.hpp>
#include <equipoise/fusion/low_rank_tensor.hpp>
#include <equipoise/fusion/mixture_of_experts.hpp>
#include <equipoise/fusion/mmtm.hpp>
#include <equipoise/fusion/spatial_cascade.hpp>
#include <equipoise/fusion/sum.hpp>
#include <equipoise/fusion/tensor_fusion.hpp>
#include <equipoise/fusion/tiled_concat.hpp>

#include <cstdint>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

namespace equipoise {

using EveryFusion = std::tuple<AttentionFusion, Concat, Sum, Gated, Film, Late, Bilinear, LowRankTensor, TensorFusion,
                               CrossAttention, Bottleneck, MixtureOfExperts, TiledConcat, SpatialCascade, Mmtm<>>;
static_assert(has_distinct_ids<EveryFusion>, "equipoise: two fusions of the list have the same id");

/// The module that a fusion's spec builds.
template <class Spec>
using fusion_module_t =
    typename decltype(std::declval<const Spec&>().build(std::declval<std::span<const FeatureSpec>>()))::element_type;

namespace detail {

template <class Spec>
using fuses_to_a_map = std::bool_constant<yields_a_map<fusion_module_t<Spec>>>;
template <class Spec>
using fuses_stages = std::bool_constant<IntermediateFusion<fusion_module_t<Spec>>>;
template <class Spec>
using fuses_to_a_vector = std::bool_constant<!fuses_to_a_map<Spec>::value && !fuses_stages<Spec>::value>;

}  // namespace detail

/// Fusions of features that yield a joint vector.
using EveryVectorFusion = filtered_t<EveryFusion, detail::fuses_to_a_vector>;
/// Fusions that yield a joint map.
using EveryMapFusion = filtered_t<EveryFusion, detail::fuses_to_a_map>;
/// Fusions that exchange features between the stages of encoders with taps.
using EveryIntermediateFusion = filtered_t<EveryFusion, detail::fuses_stages>;

/// A fusion with default options. Where `width` is an option, it is set.
template <class Spec>
[[nodiscard]] Spec fusion_of_width(std::int64_t width) {
  Spec fusion{};
  if constexpr (requires { fusion.width = width; }) fusion.width = width;
  return fusion;
}

}  // namespace equipoise
