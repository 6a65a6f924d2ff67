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
#include <vector>

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

/// The records as training sees them.
template <class D>
[[nodiscard]] batch_of_t<D> records_for_training(const D& data, std::span<const std::int64_t> rows,
                                                 [[maybe_unused]] std::uint64_t seed) {
  if constexpr (selects_by_seed<D>)
    return data.select(rows, seed);
  else
    return data.select(rows);
}
/// The records without their inputs, where the data set can leave them out.
template <class D>
[[nodiscard]] batch_of_t<D> targets_of_records(const D& data, std::span<const std::int64_t> rows) {
  if constexpr (selects_targets<D>)
    return data.select_targets(rows);
  else
    return data.select(rows);
}

/// \throws ShapeError where a data set gave another number of records than asked for
inline void check_selected(std::int64_t got, std::int64_t asked) {
  if (got != asked)
    throw ShapeError(message("shape.104", "select of a data set", "expected ", asked, " records, got ", got));
}

}  // namespace detail

/// Records by index: `size()`, and `select(rows)`, which gives the records `rows` in that order as a `Batch`, with ids, groups,
/// presence and weights where there are any. Without ids a record's is its position. Both are const; `select` must be safe to
/// call from several threads where `TrainerOptions::workers` is not 0. A data set may also have
///   select(rows, std::uint64_t seed)   the records for training, changed at random by `seed` (as `Transformed` does)
///   select_targets(rows)               the same records with inputs on the meta device, `torch::empty({n, …}, torch::kMeta)`,
///                                      where reading them is costly: `fit`, `evaluate` and `shapley` go through all records
///                                      once before they begin, for presence, labels and groups
template <class D>
concept Dataset = requires(const D& data, std::span<const std::int64_t> rows) {
  { data.size() } -> std::convertible_to<std::int64_t>;
  data.select(rows);
}
&&detail::is_a_batch<detail::batch_of_t<D>>;

/// Some records of a data set, in the order of `rows`; made by `part`.
template <Dataset D>
class Part {
 public:
  Part(D data, std::vector<std::int64_t> rows) : data_(std::move(data)), rows_(std::move(rows)) {
    detail::check_rows(rows_, static_cast<std::int64_t>(data_.size()));
  }

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(rows_.size()); }
  [[nodiscard]] auto select(std::span<const std::int64_t> rows) const { return data_.select(of_data(rows)); }
  [[nodiscard]] auto select(std::span<const std::int64_t> rows, std::uint64_t seed) const {
    return detail::records_for_training(data_, of_data(rows), seed);
  }
  [[nodiscard]] auto select_targets(std::span<const std::int64_t> rows) const {
    return detail::targets_of_records(data_, of_data(rows));
  }

 private:
  [[nodiscard]] std::vector<std::int64_t> of_data(std::span<const std::int64_t> rows) const {
    detail::check_rows(rows, size());
    std::vector<std::int64_t> out;
    for (const std::int64_t i : rows) out.push_back(rows_[static_cast<std::size_t>(i)]);
    return out;
  }

  D data_;
  std::vector<std::int64_t> rows_;
};

/// The given records of any data set, in that order, e.g. a part of a split: `eq::part(slides, split.train)`. Transforms stay.
/// \throws ValueError for a row that there is not
template <Dataset D>
[[nodiscard]] Part<D> part(D data, std::vector<std::int64_t> rows) {
  return {std::move(data), std::move(rows)};
}

}  // namespace equipoise
