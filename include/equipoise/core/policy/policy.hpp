// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a balancing policy is: an aggregate of hyper-parameters with up to six hooks, all `const`, found by concept.
/// The hooks get the run's memory, the nested `State`, and see any model through `Step`, `Objectives`, `Gradients` and
/// `Epoch`, so that a policy compiles once for all models.
/// \code
/// struct MyPolicy {
///   static constexpr std::string_view id = "my_policy";
///   static constexpr Hooks hooks = Hook::gradients;                        // a misspelt member is an error, not a no-op
///   static constexpr Needs needs{.outputs = Coverage::singletons};         // what each step must compute for it
///   double strength = 1;                                                   // options: reflected, they come from a CLI
///   struct State {};                                                       // one run's memory, saved in the checkpoint
///   void check() const;                                                    // optional: are the options within range?
///   void on_gradients(State& state, Step& step, Gradients& gradients) const;
///   static MyPolicy example();                                             // optional: options that act in three epochs
///   static MyPolicy deterministic();                                       // optional: that draw nothing at random
/// };
/// \endcode

#include <equipoise/core/base/options.hpp>
#include <equipoise/core/policy/gradients.hpp>
#include <equipoise/core/policy/step.hpp>

#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace equipoise {

/// A set of hook points.
struct Hooks {
  std::uint32_t bits = 0;
  [[nodiscard]] constexpr bool has(Hooks other) const { return (bits & other.bits) == other.bits; }
  friend constexpr Hooks operator|(Hooks a, Hooks b) { return {a.bits | b.bits}; }
  friend constexpr bool operator==(Hooks, Hooks) = default;
};

/// The six hook points.
struct Hook {
  static constexpr Hooks epoch{1};     ///< `begin_epoch(State&, Epoch&)`: set the plan, evaluate, probe
  static constexpr Hooks features{2};  ///< `on_features(State&, Step&, Features&)`: mask, scale, drop
  static constexpr Hooks outputs{
      4};  ///< `on_outputs(const State&, const OutputContext&, at::Tensor) -> at::Tensor`; also at inference
  static constexpr Hooks objectives{8};  ///< `on_objectives(State&, Step&, Objectives&)`: add and weigh objectives
  static constexpr Hooks gradients{16};  ///< `on_gradients(State&, Step&, Gradients&)`: observe, scale, project, route
  static constexpr Hooks step{32};       ///< `end_step(State&, Step&)`: after the optimiser's step
};

/// Which coalitions a policy wants in every step.
enum class Coverage : std::uint8_t { none, singletons, all };

/// What a policy needs from the step and the model; the trainer computes the union over the policies in use.
struct Needs {
  Coverage outputs = Coverage::none;     ///< coalitions whose losses and outputs it reads, without gradient
  Coverage objectives = Coverage::none;  ///< coalitions whose mean losses become objectives, with gradient
  bool objective_gradients = false;      ///< J[k][g]: one backward pass an objective
  bool holdout = false;                  ///< a part of the training records that is not trained on
  bool linear_head = false;              ///< every task's head is one linear layer
};

/// Epochs in which a policy acts: from <= epoch < to.
struct Window {
  std::int64_t from = 0;
  std::int64_t to = std::int64_t{1} << 40;
  [[nodiscard]] constexpr bool contains(std::int64_t epoch) const { return epoch >= from && epoch < to; }
};

/// A policy that acts only in some epochs; outside them the step is a plain joint step. Made by `windowed`.
template <class P>
struct Windowed {
  P policy;
  Window window;
};

namespace detail {

template <class P>
concept has_begin_epoch = requires(const P& p, typename P::State& s, Epoch& e) {
  p.begin_epoch(s, e);
};
template <class P>
concept has_on_features = requires(const P& p, typename P::State& s, Step& t, Features& f) {
  p.on_features(s, t, f);
};
template <class P>
concept has_on_outputs = requires(const P& p, const typename P::State& s, const OutputContext& c, at::Tensor z) {
  { p.on_outputs(s, c, z) } -> std::same_as<at::Tensor>;
};
template <class P>
concept has_on_objectives = requires(const P& p, typename P::State& s, Step& t, Objectives& o) {
  p.on_objectives(s, t, o);
};
template <class P>
concept has_on_gradients = requires(const P& p, typename P::State& s, Step& t, Gradients& g) {
  p.on_gradients(s, t, g);
};
template <class P>
concept has_end_step = requires(const P& p, typename P::State& s, Step& t) {
  p.end_step(s, t);
};

/// The hooks that `P` really has.
template <class P>
inline constexpr Hooks detected_hooks{(has_begin_epoch<P> ? 1U : 0U) | (has_on_features<P> ? 2U : 0U) |
                                      (has_on_outputs<P> ? 4U : 0U) | (has_on_objectives<P> ? 8U : 0U) |
                                      (has_on_gradients<P> ? 16U : 0U) | (has_end_step<P> ? 32U : 0U)};

template <class P>
concept has_a_state = requires {
  typename P::State;
}
&&std::default_initializable<typename P::State>;
template <class P>
concept declares_hooks = requires {
  { P::hooks } -> std::convertible_to<Hooks>;
  { P::needs } -> std::convertible_to<Needs>;
  { P::id } -> std::convertible_to<std::string_view>;
};
template <class S>
inline constexpr bool can_be_saved = std::is_empty_v<S> || Reflected<S>;

/// A policy that learns parameters of its own: `std::vector<at::Tensor> parameters(State&) const`.
template <class P>
concept has_parameters = requires(const P& p, typename P::State& s) {
  { p.parameters(s) } -> std::same_as<std::vector<at::Tensor>>;
};
/// A policy whose memory depends on the model: `State start(ModelBase&) const`.
template <class P>
concept has_a_start = requires(const P& p, ModelBase& m) {
  { p.start(m) } -> std::same_as<typename P::State>;
};

/// A policy that can tell whether its options are within range: `void check() const`.
template <class P>
concept has_a_check = requires(const P& p) {
  p.check();
};

}  // namespace detail

/// Whether `P` keeps balancing with a single modality (`static constexpr bool acts_on_one_modality`); by default it does
/// not act, since there is nothing to balance.
template <class P>
inline constexpr bool acts_on_one_modality = [] {
  if constexpr (requires { P::acts_on_one_modality; })
    return static_cast<bool>(P::acts_on_one_modality);
  else
    return false;
}();
/// Whether `P` changes the training of a model with a single task (`static constexpr bool acts_on_one_task`); by default
/// it does. A policy that only weighs tasks against each other does not.
template <class P>
inline constexpr bool acts_on_one_task = [] {
  if constexpr (requires { P::acts_on_one_task; })
    return static_cast<bool>(P::acts_on_one_task);
  else
    return true;
}();
/// Whether `P` puts gradients of its own in place of the summed ones (`static constexpr bool replaces_gradients`).
template <class P>
inline constexpr bool replaces_gradients = [] {
  if constexpr (requires { P::replaces_gradients; })
    return static_cast<bool>(P::replaces_gradients);
  else
    return false;
}();
/// Whether `P` sets the passes of an epoch's plan (`static constexpr bool sets_passes`).
template <class P>
inline constexpr bool sets_passes = [] {
  if constexpr (requires { P::sets_passes; })
    return static_cast<bool>(P::sets_passes);
  else
    return false;
}();
/// Whether `P` adds records to an epoch's plan (`static constexpr bool adds_records`).
template <class P>
inline constexpr bool adds_records = [] {
  if constexpr (requires { P::adds_records; })
    return static_cast<bool>(P::adds_records);
  else
    return false;
}();

/// Whether `P` chooses the records of an epoch's plan (`static constexpr bool draws_records`): it acts before the policies
/// of its stack that see or change them.
template <class P>
inline constexpr bool draws_records = [] {
  if constexpr (requires { P::draws_records; })
    return static_cast<bool>(P::draws_records);
  else
    return false;
}();

/// What of a policy depends on the order in which a model declares its modalities.
enum class OrderDependence : std::uint8_t {
  none,   ///< nothing: exchanging two modalities exchanges what it does to them
  turns,  ///< modalities take turns by their number; during the first one's turn the others are alike
  steps,  ///< each step goes through the modalities in their order
};
/// How `P` depends on it (`static constexpr OrderDependence order_dependence`); by default not at all.
template <class P>
inline constexpr OrderDependence order_dependence = [] {
  if constexpr (requires { P::order_dependence; })
    return static_cast<OrderDependence>(P::order_dependence);
  else
    return OrderDependence::none;
}();

/// An aggregate with an id, declared hooks that are exactly the ones it has, declared needs, and a state that can be
/// saved.
template <class P>
concept BalancingPolicy = detail::has_a_state<P> && detail::declares_hooks<P> && detail::detected_hooks<P>
== P::hooks&& detail::can_be_saved<typename P::State> && (P::hooks.bits != 0);

/// Says in one line each what `P` lacks to be a balancing policy.
template <class P>
struct CheckPolicy {
  static_assert(detail::has_a_state<P>,
                "equipoise: a policy needs a nested `struct State`, its memory of a run (it may be empty)");
  static_assert(detail::declares_hooks<P>, "equipoise: a policy needs static constexpr `id`, `hooks` and `needs`");
  static constexpr bool hooks_fit = [] {
    if constexpr (detail::has_a_state<P> && detail::declares_hooks<P>)
      return P::hooks == detail::detected_hooks<P>;
    else
      return true;
  }();
  static_assert(
      hooks_fit,
      "equipoise: a policy's declared hooks are not the ones it has: is one misspelt or of another signature?");
  static constexpr bool savable = [] {
    if constexpr (detail::has_a_state<P>)
      return detail::can_be_saved<typename P::State>;
    else
      return true;
  }();
  static_assert(
      savable,
      "equipoise: a policy's State must be empty or reflected with BOOST_HANA_ADAPT_STRUCT, so that it can be saved");
  static constexpr bool ok = BalancingPolicy<P>;
};
template <class P>
struct CheckPolicy<Windowed<P>> : CheckPolicy<P> {};

/// Says what the model lacks that the policy needs; the compiler's note names the policy.
template <class P, bool HasLinearHeads>
struct CheckNeeds {
  static_assert(!P::needs.linear_head || HasLinearHeads,
                "equipoise: this policy needs every task of the model to have a linear head (a member `weight()`)");
  static constexpr bool ok = true;
};
template <class P, bool L>
struct CheckNeeds<Windowed<P>, L> : CheckNeeds<P, L> {};

/// `eq::windowed(eq::Ogm{}, {.from = 10, .to = 80})`. A policy that changes the deployed function (hook `on_outputs`)
/// cannot be switched off.
template <class P>
[[nodiscard]] Windowed<P> windowed(P policy, Window window) {
  static_assert(!detail::has_on_outputs<P>,
                "equipoise: a policy with on_outputs changes the deployed model and cannot have a window");
  return {std::move(policy), window};
}

}  // namespace equipoise
