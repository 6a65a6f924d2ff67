// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Random changes of records when they are fetched for training (augmentation):
/// \code
/// const auto train = eq::transformed(records, eq::transform(eq::Flip{.dim = -1}, "dose"_n, "map"_n),
///                                    eq::transform(eq::Noise{.sd = 0.01}, "dose"_n));
/// trainer.fit(train, validation);
/// \endcode
/// The numbers come from the run's seed, the epoch, the batch and the record's place in it: a resumed run makes the same
/// changes, and so do any number of workers. `evaluate`, `infer`, `shapley` and validation see the records as they are.

#include <equipoise/core/base/random_stream.hpp>
#include <equipoise/core/batch/dataset.hpp>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace equipoise {

/// A change of one record's tensor: a callable `at::Tensor(const at::Tensor& record, RandomStream& random)` that keeps the
/// shape. `record` is without the dimension of records, and of a sequence without its padding. Tensors that are changed together are given streams with the same
/// numbers.
template <class F>
concept RecordTransform = requires(const F& f, const at::Tensor& record, RandomStream& random) {
  { f(record, random) } -> std::convertible_to<at::Tensor>;
};

/// Reverses a dimension of the record, or leaves it as it is.
struct Flip {
  std::int64_t dim = -1;     ///< of the record; -1 is the last
  double probability = 0.5;  ///< in [0, 1]

  void check() const {
    check_option(probability >= 0 && probability <= 1, "Flip.probability", "in [0, 1]", probability);
  }
  [[nodiscard]] at::Tensor operator()(const at::Tensor& record, RandomStream& random) const {
    return random.uniform() < probability ? record.flip({dim}) : record;
  }
};

/// Moves the record along a dimension by a whole number of steps, each as probable; what moves in is zero.
struct Shift {
  std::int64_t dim = -1;
  std::int64_t most = 1;  ///< steps to either side, >= 0

  void check() const { check_option(most >= 0, "Shift.most", ">= 0", most); }
  [[nodiscard]] at::Tensor operator()(const at::Tensor& record, RandomStream& random) const {
    const std::int64_t by = random.integer(-most, most), size = record.size(dim), kept = size - std::abs(by);
    at::Tensor out = at::zeros_like(record);
    if (kept > 0)
      out.narrow(dim, std::max<std::int64_t>(by, 0), kept)
          .copy_(record.narrow(dim, std::max<std::int64_t>(-by, 0), kept));
    return out;
  }
};

/// Adds independent normal numbers to a record of a floating type.
struct Noise {
  double sd = 0.01;  ///< in the unit of the record, >= 0

  void check() const { check_option(sd >= 0, "Noise.sd", ">= 0", sd); }
  [[nodiscard]] at::Tensor operator()(const at::Tensor& record, RandomStream& random) const {
    if (!record.is_floating_point())
      throw ShapeError(
          message("shape.116", "Noise", "expected a record of a floating type, got ", record.scalar_type()));
    const at::Generator generator = at::detail::createCPUGenerator(random.bits());
    const at::Tensor noise = at::randn(record.sizes(), generator, record.options().device(at::kCPU));
    return record.add(noise.to(record.device()), sd);
  }
};

/// Blurs a record of a floating type by a Gaussian. At a border the weights of the pixels that there are sum to 1.
struct Blur {
  double sd = 1;          ///< of the Gaussian, in pixels, >= 0; 0 leaves the record as it is
  std::int64_t dims = 2;  ///< the last dimensions, which are blurred: 2 of an image, 3 of a volume; > 0

  void check() const {
    check_option(sd >= 0, "Blur.sd", ">= 0", sd);
    check_option(dims > 0, "Blur.dims", "> 0", dims);
  }
  [[nodiscard]] at::Tensor operator()(const at::Tensor& record, RandomStream&) const {
    if (!record.is_floating_point() || record.dim() < dims)
      throw ShapeError(message("shape.116", "Blur", "expected a record of a floating type with ", dims,
                               " dimensions or more, got ", record.sizes(), " of ", record.scalar_type()));
    at::Tensor out = record;
    for (std::int64_t d = 1; sd > 0 && d <= dims; ++d) {
      const at::Tensor place = at::arange(record.size(-d), record.options());
      const at::Tensor weight = place.unsqueeze(0).sub(place.unsqueeze(1)).div(sd).square().div(-2).exp();  // [n, n]
      out = out.transpose(-d, -1).matmul(weight.div(weight.sum(1, true)).t()).transpose(-d, -1);
    }
    return out;
  }
};

/// Replaces values by another, each with the same probability.
struct DropValues {
  double probability = 0.1;  ///< in [0, 1]
  double value = 0;          ///< what is put in their place: 0, or NaN in a table whose encoder takes empty cells
  bool whole_rows = false;   ///< a row of the record as a whole: a step of a sequence, a token, a channel of an image

  void check() const {
    check_option(probability >= 0 && probability <= 1, "DropValues.probability", "in [0, 1]", probability);
  }
  [[nodiscard]] at::Tensor operator()(const at::Tensor& record, RandomStream& random) const {
    std::vector<std::int64_t> shape = record.sizes().vec();
    if (whole_rows) std::fill(shape.begin() + std::min<std::ptrdiff_t>(1, record.dim()), shape.end(), 1);
    const at::Generator generator = at::detail::createCPUGenerator(random.bits());
    const at::Tensor drawn = at::rand(shape, generator, record.options().dtype(at::kFloat).device(at::kCPU));
    return record.masked_fill(drawn.lt(probability).to(record.device()), value);
  }
};

namespace detail {

/// A record's change. \throws ShapeError where it has another shape than the record
template <RecordTransform F>
[[nodiscard]] at::Tensor changed_record(const F& change, const at::Tensor& record, RandomStream& random,
                                        std::string_view name) {
  at::Tensor out = change(record, random);
  if (out.sizes() != record.sizes())
    throw ShapeError(message("shape.116", "transform of " + std::string(name), "expected ", record.sizes(),
                             ", as the record is, got ", out.sizes()));
  return out;
}

/// Each record of an input [N, …] changed by itself, a sequence without its padding. The random numbers of record i come
/// from the seed, the place of the transform and `rows[i]`.
template <RecordTransform F>
[[nodiscard]] at::Tensor changed_records(const F& change, const at::Tensor& whole, const at::Tensor& padding,
                                         std::uint64_t seed, std::uint64_t place, std::span<const std::int64_t> rows,
                                         std::string_view name) {
  at::Tensor changed = whole.clone();
  for (std::int64_t i = 0; i < whole.size(0); ++i) {
    RandomStream random({seed, place, static_cast<std::uint64_t>(rows[static_cast<std::size_t>(i)])}, "transform");
    if (!padding.defined()) {
      changed[i].copy_(changed_record(change, whole[i], random, name));
      continue;
    }
    const at::Tensor steps = padding[i].logical_not().nonzero().squeeze(1);  // those that are there
    changed[i].index_copy_(0, steps, changed_record(change, whole[i].index_select(0, steps), random, name));
  }
  return changed;
}

/// A transform and the inputs and targets that it changes together.
template <class F, class... Names>
struct NamedTransform {
  F change;

  /// Changes the records of a batch that was fetched with `seed`. \param place among the transforms
  template <class In, class Out>
  void apply(Batch<In, Out>& batch, std::uint64_t seed, std::uint64_t place) const {
    (change_one<Names>(batch, seed, place), ...);
  }

 private:
  template <class Name, class In, class Out>
  void change_one(Batch<In, Out>& batch, std::uint64_t seed, std::uint64_t place) const {
    constexpr bool is_input = In::template has<Name>, is_target = Out::template has<Name>;
    static_assert(is_input || is_target,
                  "equipoise: a transform names an input or target that the records do not have");
    at::Tensor* whole = nullptr;
    if constexpr (is_input)
      whole = &tensor_of(batch.inputs[boost::hana::type_c<Name>]);
    else if constexpr (is_target)
      whole = &batch.targets[boost::hana::type_c<Name>].tensor;
    if (whole == nullptr || !whole->defined()) return;
    at::Tensor padding;
    if constexpr (is_input) padding = padding_of(batch.inputs[boost::hana::type_c<Name>]);
    *whole = changed_records(change, *whole, padding, seed, place, rows_between(0, batch.size()), Name::text);
  }
};

}  // namespace detail

/// A transform of the named inputs and targets, all changed in the same way. \throws ValueError for an option out of range
template <RecordTransform F, class... Names>
[[nodiscard]] detail::NamedTransform<F, Names...> transform(F change, boost::hana::basic_type<Names>...) {
  static_assert(sizeof...(Names) > 0, "equipoise: a transform needs the name of an input or target");
  if constexpr (requires { change.check(); }) change.check();
  return {std::move(change)};
}

/// A data set whose records are changed when they are fetched for training; made by `transformed`.
template <Dataset D, class... T>
class Transformed {
 public:
  Transformed(D data, T... transforms) : data_(std::move(data)), transforms_(std::move(transforms)...) {}

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(data_.size()); }
  /// The records as they are.
  [[nodiscard]] auto select(std::span<const std::int64_t> rows) const { return data_.select(rows); }
  [[nodiscard]] auto select_targets(std::span<const std::int64_t> rows) const {
    return detail::targets_of_records(data_, rows);
  }
  /// The records as training sees them.
  [[nodiscard]] auto select(std::span<const std::int64_t> rows, std::uint64_t seed) const {
    auto out = detail::records_for_training(data_, rows, hash_of({seed, hash_of("inner")}));
    std::uint64_t place = 0;
    std::apply([&](const auto&... t) { (t.apply(out, seed, place++), ...); }, transforms_);
    return out;
  }

 private:
  D data_;
  std::tuple<T...> transforms_;
};

/// \param data a batch or another data set; it is kept (the tensors of a batch are shared, not copied)
template <Dataset D, class... T>
[[nodiscard]] Transformed<D, T...> transformed(D data, T... transforms) {
  return {std::move(data), std::move(transforms)...};
}

}  // namespace equipoise
