// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// From a named batch to a model's own order: where names end, and where targets are checked, once.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/batch/schema.hpp>

#include <ATen/ops/isfinite.h>
#include <boost/hana/type.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

// The checks of names. Each is a class whose own assertions say what is wrong; the compiler prints its template arguments,
// the names, beside them. `ok` is true, so that the `static_assert` which makes the class adds no error of its own.

/// Names of a batch, in an error of the compiler.
template <class... Names>
struct Given {
  template <class Key>
  static constexpr bool has = is_one_of<Key, Names...>;
  /// Whether one of them is not among `Known`.
  template <class... Known>
  static constexpr bool has_others_than = (!is_one_of<Names, Known...> || ...);
};

/// A modality of the model needs an input of its name.
template <class Modality, class Inputs, bool HasUnknownInput>
struct CheckInput {
  static constexpr bool found = Inputs::template has<Modality>, ok = true;
  static_assert(found || HasUnknownInput, "equipoise: the batch has no input for this modality of the model");
  static_assert(found || !HasUnknownInput,
                "equipoise: the batch has no input for this modality of the model, but one of no modality: is its name "
                "misspelt?");
};
template <class Input, class... Modalities>
struct CheckModality {
  static_assert(
      is_one_of<Input, Modalities...>,
      "equipoise: the batch has an input that is no modality of the model; batch.only(\"name\"_n, ...) leaves "
      "it out");
  static constexpr bool ok = true;
};
template <class Target, class... Tasks>
struct CheckTargetName {
  static_assert(is_one_of<Target, Tasks...>,
                "equipoise: the batch has a target that is of no task of the model; batch.only(\"name\"_n, ...) leaves "
                "it out");
  static constexpr bool ok = true;
};
template <class Wanted, class Given>
struct CheckTarget {
  static constexpr bool ok = std::is_same_v<Wanted, Given> || std::is_same_v<Given, NoTarget>;
  static_assert(ok, "equipoise: the batch's target is of another type than the task's `Target`");
};

/// A task needs a target of its name, or `NoTarget`, to train the model.
template <class Task, class Targets, bool HasUnknownTarget>
struct CheckTaskTarget {
  static constexpr bool found = Targets::template has<Task>, ok = true;
  static_assert(found || HasUnknownTarget,
                "equipoise: a task of the model has no target in the batch; "
                "eq::target<\"name\">(eq::NoTarget{}) trains without that task");
  static_assert(found || !HasUnknownTarget,
                "equipoise: a task of the model has no target in the batch; "
                "eq::target<\"name\">(eq::NoTarget{}) trains without that task. "
                "The batch has a target of no task: is its name misspelt?");
};

/// Refuses to train a model without a target for each task, but for a task that is left out by name.
template <class Tasks, class Targets>
struct CheckTargets;
template <class... Tasks, class... Targets>
struct CheckTargets<named_tuple<Tasks...>, named_tuple<Targets...>> {
  using Names = Given<typename Targets::key...>;
  static constexpr bool others = Names::template has_others_than<typename Tasks::key...>;
  static_assert((CheckTaskTarget<typename Tasks::key, Names, others>::ok && ...));
  static_assert(((!std::is_same_v<typename Targets::value_type, NoTarget>) || ...) || sizeof...(Targets) == 0,
                "equipoise: to train a model the batch needs a target");
  static constexpr bool ok = true;
};

/// A map [C, B, O, H, W] or [C, B, O, Z, H, W] that is the same everywhere may have come as one pixel.
[[nodiscard]] inline bool is_one_pixel(const at::Tensor& prediction) {
  bool one = prediction.dim() >= 5;
  for (std::int64_t d = 3; d < prediction.dim(); ++d) one = one && prediction.size(d) == 1;
  return one;
}

/// Maps that came as one pixel, on the pixels of the target [B, O, …].
[[nodiscard]] inline at::Tensor on_all_pixels(const at::Tensor& prediction, const at::Tensor& target) {
  if (!is_one_pixel(prediction) || prediction.dim() != target.dim() + 1) return prediction;
  std::vector<std::int64_t> shape = prediction.sizes().vec();
  for (std::int64_t d = 3; d < prediction.dim(); ++d) shape[static_cast<std::size_t>(d)] = target.size(d - 1);
  return prediction.expand(shape);
}

/// \param prediction [C, B, …]  \param target [B, …]  \throws ShapeError for maps of different sizes
inline void check_map_size(const at::Tensor& prediction, const at::Tensor& target) {
  if (prediction.dim() < 5) return;
  const at::IntArrayRef predicted = prediction.sizes().slice(3), wanted = target.sizes().slice(2);
  if (predicted.size() == wanted.size() && (is_one_pixel(prediction) || predicted == wanted)) return;
  const auto text = [](at::IntArrayRef sizes) {
    std::string out;
    for (const std::int64_t n : sizes) out += (out.empty() ? "" : "x") + std::to_string(n);
    return out;
  };
  throw ShapeError(message("shape.113", "target", "expected maps of ", text(predicted), ", as they are predicted, got ",
                           text(wanted)));
}

/// Puts task `k`'s target where the model wants it; undefined where the batch has none.
/// A tensor that would be broadcast against the predictions, or a class that does not exist, must not be learned from.
/// \throws ShapeError, ValueError that name the task.
template <class Key, class Wanted, class... Out>
void append_target(const named_tuple<Out...>& targets, std::size_t k, const Schema::Task& task, ModelBatch& out) {
  if constexpr (is_one_of<Key, typename Out::key...>) {
    const auto& target = targets[boost::hana::type_c<Key>];
    using Given = std::decay_t<decltype(target)>;
    if constexpr (!CheckTarget<Wanted, Given>::ok || std::is_same_v<Given, NoTarget>) {
      out.targets.emplace_back();
    } else {
      if constexpr (names_records<Wanted>)
        Wanted::check(target.tensor, task, out.ids);
      else
        Wanted::check(target.tensor, task);
      if constexpr (!may_be_infinite<Wanted>) check_finite(target.tensor, task, out.ids);
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

/// Whether the ids of a batch are those that it has where nobody gave it any: 0, 1, …
[[nodiscard]] inline bool counts_its_records(const ModelBatch& part) {
  for (std::size_t i = 0; i < part.ids.size(); ++i)
    if (part.ids[i] != static_cast<std::int64_t>(i)) return false;
  return true;
}

/// The rows that have modality `m` and of whose input some entry is NaN or infinite; padding is not looked at.
[[nodiscard]] inline std::vector<std::int64_t> rows_not_finite(const ModelBatch& batch, std::size_t m) {
  const at::Tensor x = zero_padding(batch.inputs[m], batch.padding(m));
  if (batch.presence.everywhere(m) && std::isfinite(host_value(x.sum()))) return {};
  const at::Tensor finite = host_copy(at::isfinite(x).unsqueeze(1).flatten(1).all(1));
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < batch.ids.size(); ++i)
    if (batch.presence.of_row(i).contains(m) && !finite.const_data_ptr<bool>()[i])
      out.push_back(static_cast<std::int64_t>(i));
  return out;
}

/// Where the first entry of a row stands that is NaN or infinite, as `[3]` or `[0, 12, 5]`; empty for a number a record.
[[nodiscard]] inline std::string place_not_finite(const ModelBatch& batch, std::size_t m, std::int64_t row) {
  if (batch.inputs[m].dim() < 2) return "";
  const at::Tensor x = zero_padding(batch.inputs[m], batch.padding(m))[row];
  const at::Tensor places = host_copy(at::isfinite(x).logical_not().nonzero());
  std::string out;
  for (std::int64_t d = 0; d < places.size(1); ++d)
    out += (d == 0 ? "" : ", ") + std::to_string(places.const_data_ptr<std::int64_t>()[d]);
  return "[" + out + "]";
}

}  // namespace detail

/// What a model is given to encode has numbers in it, labelled or not.
/// \throws NumericError for NaN or infinity in the input of a record that has the modality, naming both and the entry
inline void check_inputs(const ModelBatch& batch, const Schema& schema) {
  for (std::size_t m = 0; m < batch.inputs.size(); ++m) {
    const at::Tensor& x = batch.inputs[m];
    if (!x.defined() || x.is_meta() || !x.is_floating_point() || x.numel() == 0 || !batch.presence.anywhere(m))
      continue;
    const std::vector<std::int64_t> rows = detail::rows_not_finite(batch, m);
    if (rows.empty()) continue;
    const std::string place = detail::place_not_finite(batch, m, rows.front());
    std::vector<std::int64_t> bad;
    for (const std::int64_t i : rows) bad.push_back(batch.ids[static_cast<std::size_t>(i)]);
    throw NumericError(message("numeric.505", "input of modality " + schema.modalities[m],
                               "expected finite values in every record that has the modality, got NaN or infinity in ",
                               named_records(bad), place.empty() ? "" : "; first at entry ", place,
                               place.empty() ? "" : " of record " + std::to_string(bad.front())),
                       bad);
  }
}

}  // namespace equipoise
