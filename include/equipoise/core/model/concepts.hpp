// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What an encoder, a fusion and a task are. Each concept is a sentence of smaller ones, and `CheckX` says in one line
/// what a type lacks.

#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/core/batch/schema.hpp>
#include <equipoise/core/model/metric.hpp>

#include <ATen/core/Tensor.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace torch::nn {
class Module;
}

namespace equipoise {

/// The input of dense heads: rows (c, b) whose map varies in space, and rows that are the same everywhere because no
/// map modality is present. The latter are decoded at one pixel. Rows in neither list have no modality at all. A fusion whose
/// joint map is a volume has `std::int64_t dimensions() const`, 3.
struct JointMap {
  at::Tensor varying;                      ///< [R1, W, H', W'] or [R1, W, Z', H', W']; undefined if none
  at::Tensor uniform;                      ///< [R2, W, 1, 1] or [R2, W, 1, 1, 1]; undefined if none
  std::vector<std::int64_t> varying_rows;  ///< [R1] of C * B, ascending
  std::vector<std::int64_t> uniform_rows;  ///< [R2]
};

namespace detail {

template <class T>
concept is_a_torch_module = std::derived_from<T, torch::nn::Module>;

template <class T>
concept is_a_feature = std::same_as<T, at::Tensor> || std::same_as<T, MapFeature> || std::same_as<T, TokenFeature>;

template <class E>
concept encodes_an_input = requires(E& encoder, const at::Tensor& input) {
  { encoder.forward(input) } -> is_a_feature;
};

/// An encoder may take the padding of sequences, bool [B, T] that is true at padding, undefined where nothing is padded.
template <class E>
concept encodes_with_padding = requires(E& encoder, const at::Tensor& input, const at::Tensor& padding) {
  { encoder.forward(input, padding) } -> is_a_feature;
};

template <class E>
concept encodes_a_batch = encodes_an_input<E> || encodes_with_padding<E>;

template <class E>
[[nodiscard]] auto encode_input(E& encoder, const at::Tensor& input) {
  if constexpr (encodes_an_input<E>)
    return encoder.forward(input);
  else
    return encoder.forward(input, at::Tensor());
}

template <class E>
concept says_its_feature = requires(const E& encoder) {
  { encoder.feature() } -> std::convertible_to<FeatureSpec>;
}
|| requires(const E& encoder) {
  { encoder.width() } -> std::convertible_to<std::int64_t>;
};

/// An encoder with taps runs in stages, and says how wide its value is after each.
template <class E>
concept says_its_stages = requires(const E& encoder, std::size_t stage) {
  { encoder.stages() } -> std::convertible_to<std::size_t>;
  { encoder.tap_width(stage) } -> std::convertible_to<std::int64_t>;
};
template <class E>
concept runs_stages_of_features = requires(E& encoder, std::size_t stage, const Feature& feature) {
  { encoder.forward_stage(stage, feature) } -> std::same_as<Feature>;
};
template <class E>
concept runs_stages_of_tensors = requires(E& encoder, std::size_t stage, const at::Tensor& value) {
  { encoder.forward_stage(stage, value) } -> std::same_as<at::Tensor>;
};

/// What `project` yields for one modality: a tensor, or whatever the fusion's own `combine` takes.
template <class F>
using projected_t = decltype(std::declval<F&>().project(std::size_t{}, std::declval<const Feature&>()));

/// Per modality once, then all coalitions at once: how the fusions of the library share work.
template <class F>
concept fuses_in_two_stages = requires(F& fusion, std::vector<projected_t<F>> projected, const Presence& presence) {
  fusion.combine(projected, presence);
};

/// A plain module: `forward(features, presence)` with features [R, D_m] a modality and presence bool [R, M].
template <class F>
concept fuses_vectors = requires(F& fusion, const std::vector<at::Tensor>& features, const at::Tensor& presence) {
  { fusion.forward(features, presence) } -> std::same_as<at::Tensor>;
};

template <class F>
concept names_an_exchange = requires {
  &F::exchange;
};

template <class T>
concept says_its_width = requires(const T& part) {
  { part.width() } -> std::convertible_to<std::int64_t>;
};

template <class T>
concept names_its_target = Target<typename T::Target>;

template <class T>
concept predicts_from_a_joint_feature = requires(T& task, const at::Tensor& joint) {
  { task.forward(joint) } -> std::same_as<at::Tensor>;
};

template <class T>
concept has_a_loss_per_record = requires(T& task, const at::Tensor& prediction, const at::Tensor& target) {
  { task.loss(prediction, target, true) } -> std::same_as<at::Tensor>;
};

// Optional members of a task, for what its loss alone does not say. Predictions are [C, B, …], targets [B, …].

template <class T>
concept says_its_outputs = requires(T& task) {
  { task.outputs() } -> std::convertible_to<std::int64_t>;
};

template <class T>
concept fits_a_weighted_prior = requires(T& task, const at::Tensor& targets, const at::Tensor& weights) {
  task.fit_prior(targets, weights);
};
template <class T>
concept fits_a_prior = fits_a_weighted_prior<T> || requires(T& task, const at::Tensor& targets) {
  task.fit_prior(targets);
};
template <class T>
concept says_its_prior = requires(T& task) {
  { task.prior() } -> std::convertible_to<at::Tensor>;
};
template <class T>
concept has_a_prior = says_its_prior<T> && fits_a_prior<T>;
template <class T>
concept has_all_of_a_prior_or_nothing = (says_its_prior<T> && fits_a_prior<T>) ||
                                        !(says_its_prior<T> || fits_a_prior<T>);

template <class T>
concept checks_its_target = requires(const T& task, const at::Tensor& targets, const Schema::Task& about,
                                     std::span<const std::int64_t> ids) {
  task.check_target(targets, about, ids);
};

template <class T>
concept has_a_score = requires(T& task, const at::Tensor& prediction, const at::Tensor& target) {
  { task.score(prediction, target) } -> std::same_as<at::Tensor>;
};
template <class T>
concept has_a_certainty = requires(T& task, const at::Tensor& prediction) {
  { task.certainty(prediction) } -> std::same_as<at::Tensor>;
};
template <class T>
concept has_probabilities = requires(T& task, const at::Tensor& prediction) {
  { task.probabilities(prediction) } -> std::same_as<at::Tensor>;
};
template <class T>
concept has_a_residual_loss = requires(T& task, const at::Tensor& prediction, const at::Tensor& target) {
  { task.residual_loss(prediction, prediction, target, true) } -> std::same_as<at::Tensor>;
};
template <class T>
concept says_what_is_correct = requires(T& task, const at::Tensor& prediction, const at::Tensor& target) {
  { task.correct(prediction, target) } -> std::same_as<at::Tensor>;
};
template <class T>
concept has_metrics = requires(const T& task) {
  { task.metrics() } -> std::convertible_to<std::vector<Metric>>;
};
template <class T>
concept names_metrics = requires(T& task) {
  task.metrics();
}
|| requires {
  &T::metrics;
};

}  // namespace detail

/// A module that turns one modality's input [B, …] into a vector, token or map feature, and says how wide it is.
template <class E>
concept Encoder = detail::is_a_torch_module<E> && detail::encodes_a_batch<E> && detail::says_its_feature<E>;

/// An encoder whose value can be read and changed between its stages: its taps. The stages one after the other are its
/// `forward`. Beside what `Encoder` asks for, it has
///   std::size_t stages() const                        at least 1
///   std::int64_t tap_width(std::size_t i) const       channels after stage i
///   at::Tensor forward_stage(std::size_t i, const at::Tensor& x)   [B, …] -> [B, tap_width(i), …]; tokens: [B, T, tap_width(i)]
/// or, for skip maps and padding, `Feature forward_stage(std::size_t i, Feature x)`. Stage 0 then takes the input as `value`
/// with its padding, and the last stage returns the encoder's feature.
template <class E>
concept EncoderWithTaps = Encoder<E> && detail::says_its_stages<E> &&
    (detail::runs_stages_of_features<E> || detail::runs_stages_of_tensors<E>);

/// One modality at a tap: of R rows (coalition, record) those that have it.
struct TapFeature {
  Feature feature;    ///< of those rows; undefined where no row has the modality
  at::Tensor rows{};  ///< int64, which rows they are, ascending; undefined where all R have it
};

/// A module that turns the present modalities' features into a joint feature.
template <class F>
concept Fusion = detail::is_a_torch_module<F> &&
    (detail::fuses_in_two_stages<F> || detail::fuses_vectors<F>)&&detail::says_its_width<F>;

/// A fusion that also exchanges something between the modalities while their encoders run: an intermediate fusion. Its
/// `taps()` exchanges come after the last `taps()` stages of every encoder: the last one after the last stage. A modality
/// that a row lacks is not among that row's features, and can neither give nor receive. What the encoders give in the end
/// is fused as by any other fusion.
///   std::size_t taps() const
///   void exchange(std::size_t tap, std::vector<TapFeature>& features, std::int64_t rows)   changes values, not their shapes
template <class F>
concept IntermediateFusion = Fusion<F> &&
    requires(F& fusion, std::size_t tap, std::vector<TapFeature>& features, std::int64_t rows) {
  { std::as_const(fusion).taps() } -> std::convertible_to<std::size_t>;
  fusion.exchange(tap, features, rows);
};

/// A module that turns a joint feature into a prediction and judges it against its target. Beside what the concept asks
/// for, a task may have any of these members; policies, contributions and evaluation use them where they are, and the
/// loss where they are not:
///   std::int64_t outputs() const              O; else the size of a prediction
///   at::Tensor prior()                        [O]: the prediction without any modality, with one of
///   void fit_prior(targets)                   which sets it from the training targets, or
///   void fit_prior(targets, weights)          of weighted records, [N], undefined without weights; else the constant with
///                                             the smallest loss, found by descent and kept in the buffer `best_constant`
///   at::Tensor score(prediction, target)      [C, B] in [0, 1]: what OGM, OPM and AGM compare; else the loss over a running mean
///   at::Tensor certainty(prediction)          [C, B], larger is surer: MLA's weights; else the modalities' running losses
///   at::Tensor probabilities(prediction)      [C, B, classes]: ReconBoost's agreement of modalities; else no agreement
///   at::Tensor residual_loss(prediction, others, target, has_missing)   [C, B] of a modality's prediction given the sum
///                                             of the others': ReconBoost; else the loss of the two together
///   at::Tensor correct(prediction, target)    bool [C, B]: accuracy, and the value of a coalition in `SampleValuation`
///   std::vector<Metric> metrics() const       figures by name, with a direction
///   static constexpr double likelihood_scale  of `UncertaintyWeighting`; else 1/2
///   static constexpr bool dense               it reads a joint map; else whether its target is `Maps`
///   static constexpr bool couples_records     its loss of a record depends on the batch's other records: see there
template <class T>
concept Task =
    detail::is_a_torch_module<T> && detail::names_its_target<T> && detail::predicts_from_a_joint_feature<T> &&
    detail::has_a_loss_per_record<T> && detail::has_all_of_a_prior_or_nothing<T>;

// The checks below say what is wrong by assertions of their own; `ok` is true, so that the `static_assert(Check…::ok)`
// which makes them adds no second error.

/// Says in one line each what `E` lacks to be an encoder.
template <class E>
struct CheckEncoder {
  static_assert(detail::is_a_torch_module<E>, "equipoise: an encoder must derive from torch::nn::Module");
  static_assert(
      detail::encodes_a_batch<E>,
      "equipoise: an encoder needs `forward(const at::Tensor&)` that returns at::Tensor, MapFeature or TokenFeature");
  static_assert(detail::says_its_feature<E>,
                "equipoise: an encoder needs a member `width()`, the size of its feature, or `feature()`; "
                "eq::encoder(module, {.width = ...}) gives it to one that has none");
  static constexpr bool ok = true;
};

/// Says in one line each what `F` lacks to be a fusion.
template <class F>
struct CheckFusion {
  static_assert(detail::is_a_torch_module<F>, "equipoise: a fusion must derive from torch::nn::Module");
  static_assert(detail::fuses_in_two_stages<F> || detail::fuses_vectors<F>,
                "equipoise: a fusion needs `project` and `combine`, or `at::Tensor forward(features, presence)`");
  static_assert(detail::says_its_width<F>,
                "equipoise: a fusion needs a member `width()`, the size of its joint feature");
  static_assert(
      !detail::names_an_exchange<F> || IntermediateFusion<F>,
      "equipoise: a fusion's `exchange(tap, std::vector<eq::TapFeature>&, rows)` needs a member `taps()`, how "
      "many exchanges there are");
  static constexpr bool ok = true;
};

/// Says in one line each what `T` lacks to be a task.
template <class T>
struct CheckTask {
  static_assert(detail::is_a_torch_module<T>, "equipoise: a task must derive from torch::nn::Module");
  static_assert(detail::names_its_target<T>,
                "equipoise: a task needs `using Target = Values`, `Labels`, `Maps` or a target type of your own");
  static_assert(detail::predicts_from_a_joint_feature<T>,
                "equipoise: a task needs `at::Tensor forward(const at::Tensor& joint)`");
  static_assert(
      detail::has_a_loss_per_record<T>,
      "equipoise: a task needs `at::Tensor loss(prediction, target, bool has_missing)` that returns one loss a record");
  static_assert(detail::has_all_of_a_prior_or_nothing<T>,
                "equipoise: a task needs both `prior()` and `fit_prior(targets)`, what it says without any "
                "modality, or neither");
  static_assert(!detail::names_metrics<T> || detail::has_metrics<T>,
                "equipoise: a task's `metrics()` is const and returns std::vector<eq::Metric>");
  static constexpr bool ok = true;
};

/// The kind of feature that encoder `E` yields, known from its `forward`.
template <detail::encodes_a_batch E>
inline constexpr FeatureKind feature_kind = [] {
  using Result = decltype(detail::encode_input(std::declval<E&>(), std::declval<const at::Tensor&>()));
  if constexpr (std::same_as<Result, MapFeature>)
    return FeatureKind::map;
  else if constexpr (std::same_as<Result, TokenFeature>)
    return FeatureKind::tokens;
  else
    return FeatureKind::vector;
}();

/// Whether fusion `F` yields a map (for dense tasks) rather than a vector.
template <class F>
inline constexpr bool yields_a_map = [] {
  if constexpr (detail::fuses_in_two_stages<F>) {
    using Joint = decltype(std::declval<F&>().combine(std::declval<const std::vector<detail::projected_t<F>>&>(),
                                                      std::declval<const Presence&>()));
    return std::same_as<Joint, JointMap>;
  } else {
    return false;
  }
}();

/// Whether fusion `F` cannot work without at least one modality whose encoder yields a map.
template <class F>
inline constexpr bool needs_a_map = [] {
  if constexpr (requires { F::needs_a_map; })
    return static_cast<bool>(F::needs_a_map);
  else
    return false;
}();

/// Whether task `T` reads a joint map rather than a joint vector.
template <class T>
inline constexpr bool is_dense = [] {
  if constexpr (requires { T::dense; })
    return static_cast<bool>(T::dense);
  else
    return std::same_as<typename T::Target, Maps>;
}();

/// Whether a record's loss in task `T` depends on the other records of the batch, as that of a partial likelihood or of a
/// contrast does. `loss` then returns each record's part of the batch's loss. Such a task is trained without micro-batches
/// and judged over the whole data set at once; the contribution of a modality to a record is that to its part, where every
/// record's prediction is of the same coalition.
template <class T>
inline constexpr bool couples_records = [] {
  if constexpr (requires { T::couples_records; })
    return static_cast<bool>(T::couples_records);
  else
    return false;
}();

/// What task `T` offers beside its loss.
template <class T>
[[nodiscard]] constexpr TaskTraits traits_of() {
  TaskTraits traits{.dense = is_dense<T>,
                    .score = detail::has_a_score<T>,
                    .certainty = detail::has_a_certainty<T>,
                    .probabilities = detail::has_probabilities<T>,
                    .residual_loss = detail::has_a_residual_loss<T>,
                    .correctness = detail::says_what_is_correct<T>,
                    .couples_records = couples_records<T>};
  if constexpr (requires { T::likelihood_scale; }) traits.likelihood_scale = T::likelihood_scale;
  return traits;
}

}  // namespace equipoise
