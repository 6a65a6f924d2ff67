// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Records of which one modality is corrupted, for evaluation.
/// \code
/// const auto noisy = eq::corrupted(test, "dose"_n, eq::Noise{.sd = 0.1});
/// const auto report = eq::evaluate(*model, noisy);
/// \endcode
/// The random numbers come from the seed and the record's position in the data set: the batch size
/// does not matter. `eq::robustness` (evaluation/robustness.hpp) evaluates several strengths.

#include <equipoise/data/transform.hpp>

#include <concepts>
#include <cstdint>
#include <span>
#include <utility>

namespace equipoise {

/// A callable that gives the change of a record at a strength, such as
/// `[](double strength) { return eq::Noise{.sd = strength}; }`.
template <class C>
concept Corruption = requires(const C& corruption, double strength) {
  { corruption(strength) } -> RecordTransform;
};

/// Says what `C` lacks.
template <class C>
struct CheckCorruption {
  static_assert(Corruption<C>,
                "equipoise: a corruption needs a call with a strength, a double, that returns a change of a record: a "
                "callable at::Tensor(const at::Tensor&, equipoise::RandomStream&)");
  static constexpr bool ok = Corruption<C>;
};

namespace corruption {

/// Normal noise. Strength: its standard deviation, in the unit of the input.
inline constexpr auto noise = [](double strength) { return Noise{.sd = strength}; };
/// Gaussian blur of images. Strength: its standard deviation in pixels.
inline constexpr auto blur = [](double strength) { return Blur{.sd = strength}; };
/// Values become 0. Strength: the probability of each.
inline constexpr auto dropout = [](double strength) { return DropValues{.probability = strength}; };
/// All values of a step or token become 0. Strength: the probability of each step.
inline constexpr auto step_dropout = [](double strength) {
  return DropValues{.probability = strength, .whole_rows = true};
};

}  // namespace corruption

/// A data set in which each record's input of one modality is changed; made by `corrupted`.
template <Dataset D, class Name, RecordTransform F>
class Corrupted {
 public:
  Corrupted(D data, F change, std::uint64_t seed) : data_(std::move(data)), change_(std::move(change)), seed_(seed) {}

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(data_.size()); }
  [[nodiscard]] auto select(std::span<const std::int64_t> rows) const {
    auto out = data_.select(rows);
    auto& input = out.inputs[boost::hana::type_c<Name>];
    at::Tensor& x = detail::tensor_of(input);
    x = detail::changed_records(change_, x, detail::padding_of(input), seed_, 0, rows, Name::text);
    return out;
  }
  [[nodiscard]] auto select_targets(std::span<const std::int64_t> rows) const {
    return detail::targets_of_records(data_, rows);
  }

 private:
  D data_;
  F change_;
  std::uint64_t seed_;
};

/// \param data a batch or another data set; it is kept (the tensors of a batch are shared, not
/// copied)
/// \throws ValueError for an option of the change that is out of range
template <Dataset D, class Name, RecordTransform F>
[[nodiscard]] Corrupted<D, Name, F> corrupted(D data, boost::hana::basic_type<Name>, F change, std::uint64_t seed = 1) {
  if constexpr (requires { change.check(); }) change.check();
  return {std::move(data), std::move(change), seed};
}

}  // namespace equipoise
