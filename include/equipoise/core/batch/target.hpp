// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Targets: a type around a tensor [N, …] that says which entries are missing, and which tensors fit a task. `Values`,
/// `Labels` and `Maps` are the library's; a type of your own that models `Target` is used in the same places.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/batch/schema.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/isinf.h>
#include <ATen/ops/isnan.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

template <class T>
concept holds_a_tensor = requires(const T& target) {
  { target.tensor } -> std::convertible_to<const at::Tensor&>;
}
&&requires(at::Tensor tensor) {
  T{std::move(tensor)};
};

template <class T>
concept says_what_is_missing = requires(const at::Tensor& tensor) {
  { T::missing(tensor) } -> std::same_as<at::Tensor>;
};

template <class T>
concept checks_itself = requires(const at::Tensor& tensor, const Schema::Task& task) {
  T::check(tensor, task);
};

/// The check of a target type that also takes the ids of the records.
template <class T>
concept names_records = requires(const at::Tensor& tensor, const Schema::Task& task,
                                 std::span<const std::int64_t> ids) {
  T::check(tensor, task, ids);
};

}  // namespace detail

/// A task's target, made of one tensor whose first dimension is the records: `T{tensor}` makes it, `tensor` is it,
/// `T::missing(tensor)` is a bool tensor [N, …] that is true where an entry is missing (a record all of whose entries are
/// missing has no label), and `T::check(tensor, task)` throws where the tensor does not fit a task. With a third argument
/// that has a default, `T::check(tensor, task, ids)`, it is given the records' ids for its messages. Infinite entries are
/// refused, but for a type with `static constexpr bool may_be_infinite = true`. Records are selected and moved to a device
/// along the first dimension.
template <class T>
concept Target = detail::holds_a_tensor<T> && detail::says_what_is_missing<T> && detail::checks_itself<T>;

namespace detail {

/// Calls `f` with consecutive records of a tensor [N, …], as many as are 64 MB: one that is mapped from a file may be larger
/// than the memory.
template <class F>
void for_each_slice(const at::Tensor& t, F&& f) {
  constexpr std::int64_t budget = 64 << 20;
  const std::int64_t n = t.size(0);
  const std::int64_t bytes = t.numel() / std::max<std::int64_t>(n, 1) * static_cast<std::int64_t>(t.element_size());
  const std::int64_t at_once = std::max<std::int64_t>(budget / std::max<std::int64_t>(bytes, 1), 1);
  for (std::int64_t begin = 0; begin < n; begin += at_once) f(t.narrow(0, begin, std::min(at_once, n - begin)));
}

}  // namespace detail

/// The ids of the records of which an entry is wrong. \param ids of the records; without any they count from 0
/// \param wrong is given some of the records, [n, …], and returns a bool tensor of n rows
template <class Wrong>
[[nodiscard]] std::vector<std::int64_t> records_where(const at::Tensor& t, std::span<const std::int64_t> ids,
                                                      const Wrong& wrong) {
  std::vector<std::int64_t> out;
  std::size_t row = 0;
  detail::for_each_slice(t, [&](const at::Tensor& some) {
    const at::Tensor entries = wrong(some);
    if (entries.any().template item<bool>()) {
      const at::Tensor rows = host_copy(entries.unsqueeze(1).flatten(1).any(1));
      for (std::int64_t i = 0; i < rows.size(0); ++i)
        if (rows.const_data_ptr<bool>()[i]) {
          const std::size_t at = row + static_cast<std::size_t>(i);
          out.push_back(ids.empty() ? static_cast<std::int64_t>(at) : ids[at]);
        }
    }
    row += static_cast<std::size_t>(some.size(0));
  });
  return out;
}

namespace detail {

/// \throws ShapeError unless the target is of a floating type and [N, O] or [N, O, H, W]
inline void check_real_target(const at::Tensor& t, const Schema::Task& task, std::int64_t dims, const char* shape) {
  if (t.dim() != dims || t.size(1) != task.outputs || !t.is_floating_point())
    throw ShapeError(message("shape.110", "target of task " + task.name, "expected [B, ", task.outputs, shape,
                             "] of a floating type, got ", t.sizes(), " of ", t.scalar_type()));
}

/// A target type whose infinite entries have a meaning, as an open end of an interval: `static constexpr bool
/// may_be_infinite = true`.
template <class T>
concept may_be_infinite = requires {
  requires T::may_be_infinite;
};

/// \throws ValueError where an entry is infinite, with the ids of its records
inline void check_finite(const at::Tensor& t, const Schema::Task& task, const std::vector<std::int64_t>& ids) {
  if (t.is_meta() || !t.is_floating_point()) return;
  const std::vector<std::int64_t> bad = records_where(t, ids, [](const at::Tensor& some) { return at::isinf(some); });
  if (!bad.empty())
    throw ValueError(message("value.224", "target of task " + task.name,
                             "expected finite values, or NaN where one is missing, got an infinite one in ",
                             named_records(bad)));
}

/// \throws ValueError for a class beyond those of the task, with the ids of its records
inline void check_classes_exist(const at::Tensor& t, const Schema::Task& task, std::span<const std::int64_t> ids,
                                const char* classes) {
  if (t.is_meta()) return;
  const std::vector<std::int64_t> bad =
      records_where(t, ids, [&](const at::Tensor& some) { return some.ge(task.outputs); });
  if (!bad.empty())
    throw ValueError(message("value.214", "target of task " + task.name, "expected ", classes, " below ", task.outputs,
                             " (negative where missing), got ", classes, " up to ", t.max().item<std::int64_t>(),
                             " in ", named_records(bad)));
}

}  // namespace detail

/// Targets of a regression, [N, O]; NaN where a value is missing.
struct Values {
  at::Tensor tensor;

  [[nodiscard]] static at::Tensor missing(const at::Tensor& t) { return at::isnan(t); }
  static void check(const at::Tensor& t, const Schema::Task& task) { detail::check_real_target(t, task, 2, ""); }
};

/// Targets of a classification, int64 [N] in 0..C-1; negative where the label is missing.
struct Labels {
  at::Tensor tensor;

  [[nodiscard]] static at::Tensor missing(const at::Tensor& t) { return t.lt(0); }
  static void check(const at::Tensor& t, const Schema::Task& task, std::span<const std::int64_t> ids = {}) {
    if (t.dim() != 1 || t.scalar_type() != at::kLong)
      throw ShapeError(message("shape.110", "target of task " + task.name, "expected int64 [B], got ", t.scalar_type(),
                               " ", t.sizes()));
    detail::check_classes_exist(t, task, ids, "labels");
  }
};

/// Targets of a dense regression, [N, C, H, W], or [N, C, Z, H, W] of volumes; NaN where a pixel is not valid.
struct Maps {
  at::Tensor tensor;

  [[nodiscard]] static at::Tensor missing(const at::Tensor& t) { return at::isnan(t); }
  static void check(const at::Tensor& t, const Schema::Task& task) {
    t.dim() == 5 ? detail::check_real_target(t, task, 5, ", Z, H, W") : detail::check_real_target(t, task, 4, ", H, W");
  }
};

/// Says that there is no target of a task on purpose: `eq::target<"map">(eq::NoTarget{})` trains a model without that task.
struct NoTarget {
  at::Tensor tensor{};  ///< undefined

  [[nodiscard]] static at::Tensor missing(const at::Tensor& t) { return t; }
  static void check(const at::Tensor&, const Schema::Task&) {}
};

}  // namespace equipoise
