// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Records with named inputs and targets. A `Batch` is also a data set in memory: `select` takes records out of it.
/// \code
/// auto data = eq::batch(eq::input<"dose">(planes), eq::input<"metrics">(table), eq::target<"gpr">(eq::Values{rates}));
/// \endcode
/// Records that do not fit in memory are a `Dataset` (core/batch/dataset.hpp), which gives batches by index.
/// What a model works on is a `ModelBatch`: the same tensors in the model's own order, without names.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/named_tuple.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/core/batch/sequence.hpp>
#include <equipoise/core/batch/target.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <boost/hana/type.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

/// One modality's input [N, …] under its name.
template <FixedString Text>
[[nodiscard]] slot<Text, at::Tensor> input(at::Tensor tensor) {
  return {std::move(tensor)};
}
/// The same of sequences of different lengths.
template <FixedString Text>
[[nodiscard]] slot<Text, Sequences> input(Sequences sequences) {
  return {std::move(sequences)};
}

/// One task's target under its name: `Values`, `Labels`, `Maps` or a type of your own that models `Target`; `NoTarget{}` where
/// a model is to be trained without that task.
template <FixedString Text, class T>
[[nodiscard]] slot<Text, T> target(T values) {
  static_assert(
      Target<T>,
      "equipoise: a target needs a type around its tensor that says what is missing: eq::Values, Labels, Maps "
      "or one of your own, e.g. eq::Values{tensor}");
  return {std::move(values)};
}

namespace detail {

[[nodiscard]] inline at::Tensor index_tensor(std::span<const std::int64_t> indices, const at::Tensor& like) {
  // from_blob needs a mutable pointer but clone() only reads it.
  auto* data = const_cast<std::int64_t*>(indices.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  return at::from_blob(data, {static_cast<std::int64_t>(indices.size())}, at::kLong).clone().to(like.device());
}

/// \throws ValueError for a row that there is not among `records`.
inline void check_rows(std::span<const std::int64_t> rows, std::int64_t records) {
  for (const std::int64_t i : rows)
    if (i < 0 || i >= records)
      throw ValueError(message("value.217", "select", "expected rows below ", records, ", got ", i));
}

/// \throws ValueError unless 0 <= begin <= end <= records.
inline void check_range(std::int64_t begin, std::int64_t end, std::int64_t records) {
  if (begin < 0 || begin > end || end > records)
    throw ValueError(message("value.217", "slice", "expected a range within the ", records, " records, got [", begin,
                             ", ", end, ")"));
}

/// The rows begin, …, end - 1.
[[nodiscard]] inline std::vector<std::int64_t> rows_between(std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), begin);
  return rows;
}

/// A view of the records [begin, end).
[[nodiscard]] inline at::Tensor slice_records(const at::Tensor& from, std::int64_t begin, std::int64_t end) {
  return from.defined() ? from.narrow(0, begin, end - begin) : from;
}
template <class T>
[[nodiscard]] std::vector<T> slice_records(const std::vector<T>& from, std::int64_t begin, std::int64_t end) {
  return {from.begin() + begin, from.begin() + end};
}

[[nodiscard]] inline Sequences slice_records(const Sequences& from, std::int64_t begin, std::int64_t end) {
  return {slice_records(from.tensor, begin, end), slice_records(from.padding, begin, end)};
}

/// Selects the same records of several tensors; the index is made once a device.
class RecordIndex {
 public:
  explicit RecordIndex(std::span<const std::int64_t> rows) : rows_(rows) {}
  [[nodiscard]] at::Tensor of(const at::Tensor& from) {
    if (!from.defined()) return from;
    if (!index_.defined() || index_.device() != from.device()) index_ = index_tensor(rows_, from);
    return from.index_select(0, index_);
  }

 private:
  std::span<const std::int64_t> rows_;
  at::Tensor index_;
};

[[nodiscard]] inline at::Tensor select_records(const at::Tensor& from, std::span<const std::int64_t> indices) {
  return from.defined() ? from.index_select(0, index_tensor(indices, from)) : from;
}
/// Values of records, or none where there are none.
[[nodiscard]] inline std::vector<double> select_records(const std::vector<double>& from,
                                                        std::span<const std::int64_t> indices) {
  std::vector<double> out;
  if (!from.empty())
    for (const std::int64_t i : indices) out.push_back(from[static_cast<std::size_t>(i)]);
  return out;
}
[[nodiscard]] inline Sequences select_records(const Sequences& from, std::span<const std::int64_t> indices) {
  return {select_records(from.tensor, indices), select_records(from.padding, indices)};
}

[[nodiscard]] inline const at::Tensor& tensor_of(const at::Tensor& input) {
  return input;
}
[[nodiscard]] inline const at::Tensor& tensor_of(const Sequences& input) {
  return input.tensor;
}
[[nodiscard]] inline at::Tensor& tensor_of(at::Tensor& input) {
  return input;
}
[[nodiscard]] inline at::Tensor& tensor_of(Sequences& input) {
  return input.tensor;
}
[[nodiscard]] inline at::Tensor padding_of(const at::Tensor&) {
  return {};
}
[[nodiscard]] inline at::Tensor padding_of(const Sequences& input) {
  return input.padding;
}

/// What is missing of one target: `labelled[i]` and whether any entry at all is missing.
struct MissingTargets {
  std::vector<bool> labelled;
  bool any = false;
};

/// Nothing is known to be missing of a target without values (the meta device).
template <Target T>
[[nodiscard]] MissingTargets missing_of(const T& target) {
  if (target.tensor.is_meta()) return {std::vector<bool>(static_cast<std::size_t>(target.tensor.size(0)), true), false};
  MissingTargets out;
  for_each_slice(target.tensor, [&](const at::Tensor& some) {
    const at::Tensor flat = T::missing(some).unsqueeze(1).flatten(1);  // [n, …] bool; of no record, too
    out.any = out.any || flat.any().template item<bool>();
    const at::Tensor whole = host_copy(flat.all(1));
    for (std::int64_t i = 0; i < whole.size(0); ++i) out.labelled.push_back(!whole.template const_data_ptr<bool>()[i]);
  });
  return out;
}

}  // namespace detail

/// A batch in the model's order. Tensors may be on any device; presence and labels are known on the host.
struct ModelBatch {
  std::vector<at::Tensor> inputs;       ///< [M], each [B, …]
  std::vector<at::Tensor> targets;      ///< [K], each [B, …]; undefined where the batch has none
  Presence presence;                    ///< [1, B, M]
  std::vector<std::uint64_t> labelled;  ///< [B] bit k: the record has a target of task k
  std::uint64_t incomplete = 0;         ///< bit k: some entry of task k's targets is missing
  std::vector<std::int64_t> ids;        ///< [B] stable record ids
  std::vector<std::int64_t> groups;     ///< [B] records of one group (a patient) stay together in every split
  std::vector<double> weights{};        ///< [B] in the means that are trained on; empty where all are 1
  std::vector<at::Tensor> paddings{};  ///< [M] bool [B, T], true at a sequence's padding; undefined, or empty, for none

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(ids.size()); }
  /// The padding of modality `m`; undefined where it is no sequence.
  [[nodiscard]] at::Tensor padding(std::size_t m) const { return m < paddings.size() ? paddings[m] : at::Tensor(); }

  /// The given records, in that order. \throws ValueError for a row that there is not
  [[nodiscard]] ModelBatch select(std::span<const std::int64_t> records) const {
    detail::check_rows(records, size());
    ModelBatch out;
    detail::RecordIndex index(records);
    for (const at::Tensor& x : inputs) out.inputs.push_back(index.of(x));
    for (const at::Tensor& y : targets) out.targets.push_back(index.of(y));
    for (const at::Tensor& p : paddings) out.paddings.push_back(index.of(p));
    out.presence = presence.select(records);
    out.incomplete = incomplete;
    out.weights = detail::select_records(weights, records);
    for (const std::int64_t i : records) {
      out.labelled.push_back(labelled[static_cast<std::size_t>(i)]);
      out.ids.push_back(ids[static_cast<std::size_t>(i)]);
      out.groups.push_back(groups[static_cast<std::size_t>(i)]);
    }
    return out;
  }

  /// The records [begin, end), without a copy of their tensors. \throws ValueError for a range that there is not
  [[nodiscard]] ModelBatch slice(std::int64_t begin, std::int64_t end) const {
    detail::check_range(begin, end, size());
    ModelBatch out;
    for (const at::Tensor& x : inputs) out.inputs.push_back(detail::slice_records(x, begin, end));
    for (const at::Tensor& y : targets) out.targets.push_back(detail::slice_records(y, begin, end));
    for (const at::Tensor& p : paddings) out.paddings.push_back(detail::slice_records(p, begin, end));
    out.presence = presence.slice(begin, end);
    out.labelled = detail::slice_records(labelled, begin, end);
    out.incomplete = incomplete;
    out.ids = detail::slice_records(ids, begin, end);
    out.groups = detail::slice_records(groups, begin, end);
    if (!weights.empty()) out.weights = detail::slice_records(weights, begin, end);
    return out;
  }

  [[nodiscard]] ModelBatch to(c10::Device device) const {
    ModelBatch out = *this;
    for (auto* tensors : {&out.inputs, &out.targets, &out.paddings})
      for (at::Tensor& t : *tensors)
        if (t.defined()) t = t.to(device);
    return out;
  }
};

template <class Inputs, class Targets>
struct Batch;

namespace detail {

template <class Out, class Slots, class... Names>
struct keep_slots;
template <class... Out, class... Names>
struct keep_slots<named_tuple<Out...>, named_tuple<>, Names...> {
  using type = named_tuple<Out...>;
};
template <class... Out, class First, class... Rest, class... Names>
struct keep_slots<named_tuple<Out...>, named_tuple<First, Rest...>, Names...>
    : std::conditional_t<is_one_of<typename First::key, Names...>,
                         keep_slots<named_tuple<Out..., First>, named_tuple<Rest...>, Names...>,
                         keep_slots<named_tuple<Out...>, named_tuple<Rest...>, Names...>> {};

/// The slots called one of the names, in their own order.
template <class Slots, class... Names>
using kept_slots = typename keep_slots<named_tuple<>, Slots, Names...>::type;

/// The modalities of each record under other columns: column `m` of the result is column `columns[m]` of `given`.
[[nodiscard]] inline Presence with_columns(const Presence& given, std::span<const std::size_t> columns) {
  std::vector<std::uint64_t> masks;
  masks.reserve(given.masks().size());
  for (const std::uint64_t mask : given.masks()) {
    std::uint64_t out = 0;
    for (std::size_t m = 0; m < columns.size(); ++m) out |= ((mask >> columns[m]) & 1U) << m;
    masks.push_back(out);
  }
  return {std::move(masks), 1, columns.size()};
}

template <class Inputs, class Targets, class Source>
[[nodiscard]] Batch<Inputs, Targets> kept(const Source& from) {
  Batch<Inputs, Targets> out;
  std::vector<std::size_t> columns;
  out.inputs.for_each([&](auto key, auto& x) {
    x = from.inputs[key];
    columns.push_back(decltype(from.inputs)::template index<typename decltype(key)::type>());
  });
  out.targets.for_each([&](auto key, auto& y) { y = from.targets[key]; });
  out.presence = with_columns(from.presence, columns);
  out.ids = from.ids, out.groups = from.groups, out.weights = from.weights;
  return out;
}

}  // namespace detail

/// Named inputs and targets of N records; made by `eq::batch`.
template <class Inputs, class Targets>
struct Batch {
  Inputs inputs;
  Targets targets;
  Presence presence;                 ///< [1, N, M], columns in the order of `inputs`
  std::vector<std::int64_t> ids;     ///< [N]
  std::vector<std::int64_t> groups;  ///< [N] records of one group (a patient) stay together in every split
  std::vector<double> weights{};     ///< [N] in the means that are trained on; empty where all are 1

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(ids.size()); }

  /// The same records, of which only the modalities with a true entry count. `entries` is bool [N, M],
  /// columns in the order of the inputs.
  /// \throws ShapeError when the tensor is of another size.
  [[nodiscard]] Batch with_presence(const at::Tensor& entries) const {
    Batch out = *this;
    out.presence = Presence(entries);
    if (out.presence.records() != size() || out.presence.modalities() != Inputs::size())
      throw ShapeError(message("shape.103", "presence", "expected [", size(), ", ", Inputs::size(), "], got [",
                               out.presence.records(), ", ", out.presence.modalities(), "]"));
    return out;
  }

  /// The same records under the caller's own stable ids; where each record is its own group, it is so under its new id.
  [[nodiscard]] Batch with_ids(std::vector<std::int64_t> stable) const {
    if (stable.size() != ids.size())
      throw ShapeError(message("shape.104", "ids", "expected ", ids.size(), " record ids, got ", stable.size()));
    Batch out = *this;
    if (groups == ids) out.groups = stable;
    out.ids = std::move(stable);
    return out;
  }

  /// The same records in groups that no split may cut, e.g. patients; by default each record is its own.
  [[nodiscard]] Batch with_groups(std::vector<std::int64_t> of_records) const {
    if (of_records.size() != ids.size())
      throw ShapeError(message("shape.104", "groups", "expected ", ids.size(), " group ids, got ", of_records.size()));
    Batch out = *this;
    out.groups = std::move(of_records);
    return out;
  }

  /// The same records with weights: a batch's loss is Σ w l / Σ w over its records. They apply to training, not to
  /// validation, evaluation and contributions. `eq::balanced_weights` gives those that make classes count alike.
  /// \throws ShapeError, ValueError unless there is a finite weight >= 0 a record, and one that is > 0.
  [[nodiscard]] Batch with_weights(std::vector<double> of_records) const {
    if (of_records.size() != ids.size())
      throw ShapeError(message("shape.104", "weights", "expected ", ids.size(), " weights, got ", of_records.size()));
    bool any = of_records.empty();
    for (const double w : of_records) {
      if (!(w >= 0) || std::isinf(w))
        throw ValueError(message("value.235", "weights", "expected finite values >= 0, got ", w));
      any = any || w > 0;
    }
    if (!any) throw ValueError(message("value.235", "weights", "expected a value > 0, got only zeros"));
    Batch out = *this;
    out.weights = std::move(of_records);
    return out;
  }

  /// The same records with the named inputs and targets alone: `data.only("dose"_n, "gpr"_n)`. A name that the batch does
  /// not have does not compile.
  template <class... Names>
  [[nodiscard]] auto only(boost::hana::basic_type<Names>...) const {
    static_assert(((Inputs::template has<Names> || Targets::template has<Names>)&&...),
                  "equipoise: the batch has no input or target of that name");
    return detail::kept<detail::kept_slots<Inputs, Names...>, detail::kept_slots<Targets, Names...>>(*this);
  }

  /// The records [begin, end), without a copy of their tensors. \throws ValueError for a range that there is not
  [[nodiscard]] Batch slice(std::int64_t begin, std::int64_t end) const {
    detail::check_range(begin, end, size());
    Batch out{inputs, targets, presence.slice(begin, end), detail::slice_records(ids, begin, end),
              detail::slice_records(groups, begin, end)};
    if (!weights.empty()) out.weights = detail::slice_records(weights, begin, end);
    out.inputs.for_each([&](auto, auto& x) { x = detail::slice_records(x, begin, end); });
    out.targets.for_each([&](auto, auto& y) { y.tensor = detail::slice_records(y.tensor, begin, end); });
    return out;
  }

  /// The given records without the values of their inputs, whose tensors are on the meta device.
  /// \throws ValueError for a row that there is not
  [[nodiscard]] Batch select_targets(std::span<const std::int64_t> records) const {
    Batch bare = *this;
    bare.inputs = {};
    Batch out = bare.select(records);
    out.inputs.for_each([&](auto key, auto& x) {
      const at::Tensor& whole = detail::tensor_of(inputs[key]);
      std::vector<std::int64_t> shape = whole.sizes().vec();
      shape[0] = out.size();
      detail::tensor_of(x) = at::empty(shape, whole.options().device(at::kMeta));
    });
    return out;
  }

  /// The given records, in that order. \throws ValueError for a row that there is not
  [[nodiscard]] Batch select(std::span<const std::int64_t> records) const {
    detail::check_rows(records, size());
    Batch out{inputs, targets, presence.select(records), {}, {}};
    out.inputs.for_each([&](auto, auto& x) { x = detail::select_records(x, records); });
    out.targets.for_each([&](auto, auto& y) { y.tensor = detail::select_records(y.tensor, records); });
    out.ids.reserve(records.size());
    out.groups.reserve(records.size());
    for (const std::int64_t i : records) {
      out.ids.push_back(ids[static_cast<std::size_t>(i)]);
      out.groups.push_back(groups[static_cast<std::size_t>(i)]);
    }
    out.weights = detail::select_records(weights, records);
    return out;
  }
};

namespace detail {

template <class Slot>
inline constexpr bool is_input =
    std::is_same_v<typename Slot::value_type, at::Tensor> || std::is_same_v<typename Slot::value_type, Sequences>;

/// Splits the arguments of `batch` into the inputs' and the targets' slots, by type.
template <class In, class Out, class... Slots>
struct split_slots {
  using inputs = In;
  using targets = Out;
};
template <class... In, class... Out, class First, class... Rest>
struct split_slots<named_tuple<In...>, named_tuple<Out...>, First, Rest...>
    : std::conditional_t<is_input<First>, split_slots<named_tuple<In..., First>, named_tuple<Out...>, Rest...>,
                         split_slots<named_tuple<In...>, named_tuple<Out..., First>, Rest...>> {};

template <class Record, class... Slots>
struct gather;
template <class... Wanted, class... Slots>
struct gather<named_tuple<Wanted...>, Slots...> {
  static named_tuple<Wanted...> from(const Slots&... slots) {
    const named_tuple<Slots...> all{slots...};
    return {Wanted{all[boost::hana::type_c<typename Wanted::key>]}...};
  }
};

/// The number of records of a batch. \param sizes of each input and target \throws ShapeError where they differ
[[nodiscard]] inline std::int64_t common_records(const std::vector<std::pair<std::string_view, std::int64_t>>& sizes) {
  std::string all;
  bool differ = false;
  for (const auto& [name, records] : sizes) {
    all += (all.empty() ? "" : ", ") + std::string(name) + " " + std::to_string(records);
    differ = differ || records != sizes[0].second;
  }
  if (differ)
    throw ShapeError(
        message("shape.105", "batch", "expected the same number of records in every input and target, got ", all));
  return sizes.empty() ? 0 : sizes[0].second;
}

}  // namespace detail

/// Records from named inputs and targets, in any order; every record has every modality until `with_presence` says
/// otherwise. \throws ShapeError when the first dimensions differ.
template <class... Slots>
[[nodiscard]] auto batch(Slots... slots) {
  static_assert(detail::CheckDistinctNames<typename Slots::key...>::ok);
  using Split = detail::split_slots<named_tuple<>, named_tuple<>, Slots...>;
  using Inputs = typename Split::inputs;
  using Targets = typename Split::targets;
  Inputs inputs = detail::gather<Inputs, Slots...>::from(slots...);
  Targets targets = detail::gather<Targets, Slots...>::from(slots...);
  std::vector<std::pair<std::string_view, std::int64_t>> sizes;  // of each input and target
  const auto check = [&](std::string_view what, const at::Tensor& t) {
    if (!t.defined() || t.dim() == 0)
      throw ShapeError(message("shape.105", what, "expected a tensor whose first dimension is the records, got ",
                               t.defined() ? "a single number" : "an undefined tensor"));
    sizes.emplace_back(what, t.size(0));
  };
  inputs.for_each([&](auto key, const auto& x) {
    check(decltype(key)::type::text, detail::tensor_of(x));
    if constexpr (std::is_same_v<std::decay_t<decltype(x)>, Sequences>) x.check();
  });
  targets.for_each([&](auto key, const auto& y) {
    if constexpr (!std::is_same_v<std::decay_t<decltype(y)>, NoTarget>) check(decltype(key)::type::text, y.tensor);
  });
  const std::int64_t n = detail::common_records(sizes);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(n));
  std::iota(ids.begin(), ids.end(), 0);
  return Batch<Inputs, Targets>{std::move(inputs), std::move(targets), Presence(n, Inputs::size()), ids, ids};
}

}  // namespace equipoise
