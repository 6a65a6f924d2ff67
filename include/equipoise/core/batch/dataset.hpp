// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Dataset`: what `fit`, `evaluate`, `infer` and `shapley` take. A `Batch` is one that lies in memory; one of your own reads
/// or makes records when they are asked for:
/// \code
/// struct Slides {
///   std::int64_t size() const;
///   auto select(std::span<const std::int64_t> rows) const {  // the records `rows`, in that order
///     return eq::batch(eq::input<"image">(images(rows)), eq::target<"label">(eq::Labels{labels(rows)})).with_ids(…);
///   }
/// };
/// \endcode

#include <equipoise/core/batch/batch.hpp>

#include <concepts>
#include <cstdint>
#include <span>
#include <utility>

namespace equipoise {

namespace detail {

template <class T>
inline constexpr bool is_a_batch = false;
template <class Inputs, class Targets>
inline constexpr bool is_a_batch<Batch<Inputs, Targets>> = true;

template <class D>
using batch_of_t = decltype(std::declval<const D&>().select(std::declval<std::span<const std::int64_t>>()));

template <class D>
using targets_of_t = decltype(std::declval<batch_of_t<D>>().targets);

template <class D>
concept selects_targets = requires(const D& data, std::span<const std::int64_t> rows) {
  { data.select_targets(rows) } -> std::same_as<batch_of_t<D>>;
};

/// Selects otherwise in training: with transforms whose random numbers come from `seed`.
template <class D>
concept selects_by_seed = requires(const D& data, std::span<const std::int64_t> rows, std::uint64_t seed) {
  { data.select(rows, seed) } -> std::same_as<batch_of_t<D>>;
};

}  // namespace detail

/// Records by index: `size()`, and `select(rows)`, which gives the records `rows` in that order as a `Batch`, with ids, groups,
/// presence and weights where there are any. Without ids a record's is its position. Both are const; `select` must be safe to
/// call from several threads where `TrainerOptions::workers` is not 0. A data set may also have
///   select(rows, std::uint64_t seed)   the records for training, changed at random by `seed` (as `Transformed` does)
///   select_targets(rows)               the same records with undefined inputs, where reading them is cheaper: the trainer
///                                      goes through all records once before the first epoch, for presence, labels and
///                                      groups
template <class D>
concept Dataset = requires(const D& data, std::span<const std::int64_t> rows) {
  { data.size() } -> std::convertible_to<std::int64_t>;
  data.select(rows);
}
&&detail::is_a_batch<detail::batch_of_t<D>>;

}  // namespace equipoise
