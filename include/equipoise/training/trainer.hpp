// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Trainer`: fits a model with balancing policies.
/// \code
/// eq::Trainer trainer(model, eq::ShapleyLossFactors{}, eq::ContributionWeighting{}, {.epochs = 40, .seed = 7});
/// eq::History history = trainer.fit(train, validation);
/// \endcode

#include <equipoise/balancing/any_policy.hpp>
#include <equipoise/core/model/model.hpp>
#include <equipoise/core/model/records_of.hpp>
#include <equipoise/training/fit.hpp>
#include <equipoise/training/options.hpp>

#include <concepts>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

template <class H>
concept is_linear_head = requires(H& head) {
  head.weight();
};

template <class M>
inline constexpr bool has_linear_heads = false;
template <FixedString... A, class... E, FixedString... B, class... F, class... H>
inline constexpr bool
    has_linear_heads<Model<named_tuple<slot<A, EncoderEntry<E>>...>, named_tuple<slot<B, TaskEntry<F, H>>...>>> =
        (is_linear_head<H> && ...);

template <class M, class... P>
[[nodiscard]] PolicyStack checked_stack(P... policies) {
  static_assert((CheckNeeds<P, has_linear_heads<M>>::ok && ...));
  return stack(std::move(policies)...);
}

// Options in braces that are not TrainerOptions fit an array of these: a constructor that says so is then the only one, and
// the compiler names what the braces name. It is no match for a constructor that takes the model as it is.
struct AnyModel {
  template <class M>
  AnyModel(const std::shared_ptr<M>&) {}  // NOLINT(google-explicit-constructor)
};
struct AnyOption {
  template <class T>
  AnyOption(const T&) {}  // NOLINT(google-explicit-constructor)
};

/// Says that there are more policies than the constructors take.
template <class Fourth>
struct CheckStack {
  static constexpr bool ok = sizeof(Fourth) == 0;
  static_assert(ok,
                "equipoise: more than three policies go into eq::stack, as in eq::Trainer(model, eq::stack(p, q, "
                "r, s), options)");
};

/// Says that a policy stands behind the options.
template <class Policy>
struct CheckPlace {
  static constexpr bool ok = sizeof(Policy) == 0;
  static_assert(ok, "equipoise: policies stand before the options, as in eq::Trainer(model, eq::Ogm{}, options)");
};

/// Says that options in braces do not fit.
template <std::size_t N>
struct CheckOptions {
  static_assert(N == 0,
                "equipoise: a name among these options is not one of TrainerOptions, or not in their order: epochs, "
                "batch_size, micro_batches, workers, device, seed, optimizer, learning_rate, weight_decay, momentum, "
                "groups, schedule, warmup_epochs, clip_norm, monitor, min_delta, patience, keep_best, holdout, "
                "checkpoint, progress");
  static constexpr bool ok = true;
};

}  // namespace detail

template <class M>
class Trainer {
 public:
  explicit Trainer(std::shared_ptr<M> model, TrainerOptions options = {})
      : Trainer(std::move(model), PolicyStack{}, std::move(options)) {}

  template <class P>
  requires(!std::same_as<P, PolicyStack> && !std::same_as<P, TrainerOptions>)
      Trainer(std::shared_ptr<M> model, P policy, TrainerOptions options = {})
      : Trainer(std::move(model), detail::checked_stack<M>(std::move(policy)), std::move(options)) {}

  template <class P, class Q>
  requires(!std::same_as<P, TrainerOptions> && !std::same_as<Q, TrainerOptions>)
      Trainer(std::shared_ptr<M> model, P first, Q second, TrainerOptions options = {})
      : Trainer(std::move(model), detail::checked_stack<M>(std::move(first), std::move(second)), std::move(options)) {}

  template <class P, class Q, class R>
  requires(!std::same_as<P, TrainerOptions> && !std::same_as<R, TrainerOptions>)
      Trainer(std::shared_ptr<M> model, P first, Q second, R third, TrainerOptions options = {})
      : Trainer(std::move(model), detail::checked_stack<M>(std::move(first), std::move(second), std::move(third)),
                std::move(options)) {}

  // The options' type is deduced, so that {} in their place is not meant here.
  template <std::same_as<TrainerOptions> Options, class P, class... More>
  requires(!std::same_as<P, TrainerOptions>) Trainer(std::shared_ptr<M>, Options, P, More...)
      : Trainer(std::shared_ptr<M>()) {
    static_assert(detail::CheckPlace<P>::ok);
  }
  template <class P, class Q, class R, class S, class... More>
  requires(!std::same_as<S, TrainerOptions>) Trainer(std::shared_ptr<M>, P, Q, R, S, More...)
      : Trainer(std::shared_ptr<M>()) {
    static_assert(detail::CheckStack<S>::ok);
  }
  template <class P, class Q, class R, class S>
  requires(!std::same_as<S, TrainerOptions>) Trainer(std::shared_ptr<M>, P, Q, R, S, TrainerOptions)
      : Trainer(std::shared_ptr<M>()) {
    static_assert(detail::CheckStack<S>::ok);
  }

  /// Policies chosen at run time; `eq::stack(…)` or a list of `AnyPolicy`. Its type is deduced, since braces alone are
  /// options.
  template <std::same_as<PolicyStack> Stack>
  Trainer(std::shared_ptr<M> model, Stack policies)
      : Trainer(std::move(model), std::move(policies), TrainerOptions{}) {}

  /// `Trainer(model, {}, {.epochs = 3})`: braces alone are no policies.
  Trainer(std::shared_ptr<M> model, PolicyStack policies, TrainerOptions options)
      : model_(std::move(model)),
        fit_(std::make_unique<detail::Fit>(*model_, std::move(policies), std::move(options))) {}

  template <std::size_t N>
  Trainer(detail::AnyModel, const detail::AnyOption (&)[N]) : Trainer(std::shared_ptr<M>()) {
    static_assert(detail::CheckOptions<N>::ok);
  }
  template <class P, std::size_t N>
  Trainer(detail::AnyModel, P, const detail::AnyOption (&)[N]) : Trainer(std::shared_ptr<M>()) {
    static_assert(detail::CheckOptions<N>::ok);
  }
  template <class P, class Q, std::size_t N>
  Trainer(detail::AnyModel, P, Q, const detail::AnyOption (&)[N]) : Trainer(std::shared_ptr<M>()) {
    static_assert(detail::CheckOptions<N>::ok);
  }

  /// Trains for the epochs that are left and returns the whole history. However it ends, by its last epoch, early, on
  /// request or by an exception: the model is in evaluation mode and without gradients, with the parameters of the best
  /// epoch so far (`keep_best`, with validation data) or else the last ones that the optimiser made; `history()` has the
  /// epochs that were finished, and why it ended. A second `fit` goes on from the last parameters, not from the best epoch;
  /// an epoch that was not finished begins anew.
  /// \throws NumericError when an objective is no longer finite, naming the batch's records; FileError when the checkpoint
  /// or a log cannot be written; ValueError where monitor, patience or schedule lack what they need.
  template <Dataset D>
  History fit(const D& train) {
    static_assert(detail::CheckTargets<typename M::Tasks, detail::targets_of_t<D>>::ok);
    return fit_->run(records_of(*model_, train));
  }
  template <Dataset D, Dataset V>
  History fit(const D& train, const V& validation) {
    static_assert(detail::CheckTargets<typename M::Tasks, detail::targets_of_t<D>>::ok);
    static_assert(detail::CheckTargets<typename M::Tasks, detail::targets_of_t<V>>::ok);
    return fit_->run(records_of(*model_, train), records_of(*model_, validation));
  }

  /// Continues from a checkpoint: the next `fit` goes on after its last epoch, bit for bit on the CPU.
  void resume(const std::filesystem::path& checkpoint) { fit_->resume(checkpoint); }

  /// Takes the parameters of the best epoch (or the last one) from a checkpoint, ready for inference, whatever seed and
  /// hold-out it was trained with. The trainer may lack policies that do not act at inference, or have another optimiser:
  /// `history()` is then empty, and a `fit` begins a new run.
  void resume_best(const std::filesystem::path& checkpoint) { fit_->resume_best(checkpoint); }

  /// Adds a callback (callbacks.hpp), told after those added before. With a shared pointer the caller keeps hold of it.
  template <class C>
  void add(C callback) {
    add(std::make_shared<C>(std::move(callback)));
  }
  template <class C>
  void add(std::shared_ptr<C> callback) {
    static_assert(CheckCallback<C>::ok);
    fit_->callbacks().add(std::move(callback));
  }

  /// Called after every epoch, and after the callbacks that were added.
  void on_epoch(std::function<void(const EpochRecord&)> callback) { fit_->on_epoch = std::move(callback); }
  /// Called after every batch with the batches done and to do in the epoch.
  void on_batch(std::function<void(std::int64_t, std::int64_t)> callback) { fit_->on_batch = std::move(callback); }
  /// Asked before every batch; true ends the run; a resume goes on after the last whole epoch that was saved.
  void stop_when(std::function<bool()> condition) { fit_->should_stop = std::move(condition); }

  [[nodiscard]] const PolicyStack& policies() const { return fit_->policies(); }
  [[nodiscard]] M& model() { return *model_; }
  /// Of all epochs so far, those before a resume too; after an exception of `fit` as well.
  [[nodiscard]] const History& history() const { return fit_->history(); }

 private:
  std::shared_ptr<M> model_;
  std::unique_ptr<detail::Fit> fit_;  ///< in its place, whose parts refer to each other, when a trainer is moved
};

template <class M, std::size_t N>
Trainer(std::shared_ptr<M>, const detail::AnyOption (&)[N]) -> Trainer<M>;
template <class M, class P, std::size_t N>
Trainer(std::shared_ptr<M>, P, const detail::AnyOption (&)[N]) -> Trainer<M>;
template <class M, class P, class Q, std::size_t N>
Trainer(std::shared_ptr<M>, P, Q, const detail::AnyOption (&)[N]) -> Trainer<M>;

template <class M, class... Rest>
Trainer(std::shared_ptr<M>, Rest...) -> Trainer<M>;

}  // namespace equipoise
