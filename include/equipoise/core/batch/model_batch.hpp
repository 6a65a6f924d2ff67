// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// From a named batch to a model's own order: where names end, and where targets are checked, once.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/batch/schema.hpp>

#include <boost/hana/type.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace equipoise::detail {

/// Says which modality or task a batch lacks or has of the wrong kind.
template <class Key, class... Present>
struct CheckBatchInput {
  static_assert(is_one_of<Key, Present...>, "equipoise: the batch has no input for this modality of the model");
  static constexpr bool ok = is_one_of<Key, Present...>;
};
template <class Wanted, class Given>
struct CheckTarget {
  static_assert(std::is_same_v<Wanted, Given>,
                "equipoise: the batch's target is of another type than the task's `Target`");
  static constexpr bool ok = std::is_same_v<Wanted, Given>;
};

/// Refuses to train with targets that cannot be meant: a task for whose name there is none, beside one that no task has.
template <class Tasks, class Targets>
struct CheckTargets;
template <class... Tasks, class... Targets>
struct CheckTargets<named_tuple<Tasks...>, named_tuple<Targets...>> {
  static constexpr bool served = (is_one_of<typename Tasks::key, typename Targets::key...> && ...);
  static constexpr bool used = (is_one_of<typename Targets::key, typename Tasks::key...> && ...);
  static_assert(served || used,
                "equipoise: a task of the model has no target in the batch, which has one of another name");
  static_assert(sizeof...(Targets) > 0, "equipoise: to train a model the batch needs a target");
  static constexpr bool ok = (served || used) && sizeof...(Targets) > 0;
};

/// The presence [1, B, M] of a model whose m-th modality is the batch's column `columns[m]`.
[[nodiscard]] inline Presence in_model_order(const Presence& given, std::span<const std::size_t> columns) {
  std::vector<std::uint64_t> masks;
  masks.reserve(given.masks().size());
  for (const std::uint64_t mask : given.masks()) {
    std::uint64_t out = 0;
    for (std::size_t m = 0; m < columns.size(); ++m) out |= ((mask >> columns[m]) & 1U) << m;
    masks.push_back(out);
  }
  return {std::move(masks), 1, columns.size()};
}

/// A map [C, B, O, H, W] that is the same everywhere may have come as one pixel.
[[nodiscard]] inline bool is_one_pixel(const at::Tensor& prediction) {
  return prediction.dim() == 5 && prediction.size(3) == 1 && prediction.size(4) == 1;
}

/// \param prediction [C, B, …]  \param target [B, …]  \throws ShapeError for maps of different sizes
inline void check_map_size(const at::Tensor& prediction, const at::Tensor& target) {
  if (prediction.dim() != 5 || is_one_pixel(prediction)) return;
  if (prediction.size(3) != target.size(2) || prediction.size(4) != target.size(3))
    throw ShapeError(message("shape.113", "target", "expected maps of ", prediction.size(3), "x", prediction.size(4),
                             ", as they are predicted, got ", target.size(2), "x", target.size(3)));
}

/// Puts task `k`'s target where the model wants it; undefined where the batch has none.
/// A tensor that would be broadcast against the predictions, or a class that does not exist, must not be learned from.
/// \throws ShapeError, ValueError that name the task.
template <class Key, class Wanted, class... Out>
void append_target(const named_tuple<Out...>& targets, std::size_t k, const Schema::Task& task, ModelBatch& out) {
  if constexpr (is_one_of<Key, typename Out::key...>) {
    const auto& target = targets[boost::hana::type_c<Key>];
    if constexpr (CheckTarget<Wanted, std::decay_t<decltype(target)>>::ok) {
      Wanted::check(target.tensor, task);
      const MissingTargets missing = missing_of(target);
      out.targets.push_back(target.tensor);
      if (missing.any) out.incomplete |= std::uint64_t{1} << k;
      for (std::size_t i = 0; i < missing.labelled.size(); ++i)
        if (missing.labelled[i]) out.labelled[i] |= std::uint64_t{1} << k;
    }
  } else {
    out.targets.emplace_back();
  }
}

}  // namespace equipoise::detail
