// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `AnyPolicy` holds a policy of any type together with the memory of one run. The training loop
/// works with a list of them. Each hook that the policy has is one virtual call.

#include <equipoise/balancing/state.hpp>
#include <equipoise/core/policy/policy.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

class AnyPolicy {
 public:
  template <class P>
  requires BalancingPolicy<P> AnyPolicy(
      P policy, Window window = {})  // NOLINT(google-explicit-constructor): any policy is an AnyPolicy
      : window_(window) {
    if constexpr (detail::has_a_check<P>) policy.check();
    held_ = std::make_unique<Holder<P>>(std::move(policy));
  }

  template <class P>
  AnyPolicy(Windowed<P> windowed)  // NOLINT(google-explicit-constructor)
      : AnyPolicy(std::move(windowed.policy), windowed.window) {}

  [[nodiscard]] std::string_view id() const { return held_->id; }
  [[nodiscard]] Hooks hooks() const { return held_->hooks; }
  [[nodiscard]] const Needs& needs() const { return held_->needs; }
  [[nodiscard]] bool replaces_gradients() const { return held_->replaces_gradients; }
  [[nodiscard]] bool sets_passes() const { return held_->sets_passes; }
  [[nodiscard]] bool adds_records() const { return held_->adds_records; }
  [[nodiscard]] bool draws_records() const { return held_->draws_records; }
  [[nodiscard]] const Window& window() const { return window_; }
  [[nodiscard]] OptionList options() const { return held_->options(); }

  /// Whether it acts in an epoch on a model of M modalities. It does not act outside its window,
  /// nor on one modality unless the policy declares `acts_on_one_modality`.
  [[nodiscard]] bool acts(std::int64_t epoch, std::size_t modalities) const {
    return window_.contains(epoch) && (modalities > 1 || held_->acts_on_one_modality);
  }

  /// Whether it acts in any epoch of a run of any length.
  [[nodiscard]] bool ever_acts(std::size_t modalities) const {
    return acts(std::max<std::int64_t>(window_.from, 0), modalities);
  }

  /// Begins a run on a model with new memory.
  void start(ModelBase& model) { held_->start(model); }
  [[nodiscard]] std::vector<at::Tensor> parameters() { return held_->parameters(); }
  [[nodiscard]] StateList save() const { return held_->save(); }
  void load(const StateList& saved) { held_->load(saved); }

  void begin_epoch(Epoch& epoch) { held_->begin_epoch(epoch); }
  void on_features(Step& step, Features& features) { held_->on_features(step, features); }
  [[nodiscard]] at::Tensor on_outputs(const OutputContext& c, at::Tensor z) const {
    return held_->on_outputs(c, std::move(z));
  }
  void on_objectives(Step& step, Objectives& objectives) { held_->on_objectives(step, objectives); }
  void on_gradients(Step& step, Gradients& gradients) { held_->on_gradients(step, gradients); }
  void end_step(Step& step) { held_->end_step(step); }

 private:
  struct Base {
    std::string_view id;
    Hooks hooks;
    Needs needs;
    bool replaces_gradients, sets_passes, adds_records, draws_records, acts_on_one_modality;

    virtual ~Base() = default;
    [[nodiscard]] virtual OptionList options() const = 0;
    virtual void start(ModelBase& model) = 0;
    [[nodiscard]] virtual std::vector<at::Tensor> parameters() = 0;
    [[nodiscard]] virtual StateList save() const = 0;
    virtual void load(const StateList& saved) = 0;
    virtual void begin_epoch(Epoch& epoch) = 0;
    virtual void on_features(Step& step, Features& features) = 0;
    [[nodiscard]] virtual at::Tensor on_outputs(const OutputContext& c, at::Tensor z) const = 0;
    virtual void on_objectives(Step& step, Objectives& objectives) = 0;
    virtual void on_gradients(Step& step, Gradients& gradients) = 0;
    virtual void end_step(Step& step) = 0;
  };

  template <class P>
  struct Holder final : Base {
    explicit Holder(P p) : policy(std::move(p)) {
      this->id = P::id;
      this->hooks = P::hooks;
      this->needs = P::needs;
      this->replaces_gradients = equipoise::replaces_gradients<P>;
      this->sets_passes = equipoise::sets_passes<P>;
      this->adds_records = equipoise::adds_records<P>;
      this->draws_records = equipoise::draws_records<P>;
      this->acts_on_one_modality = equipoise::acts_on_one_modality<P>;
    }

    OptionList options() const override {
      if constexpr (Reflected<P>)
        return equipoise::options(policy);
      else
        return {};
    }
    void start(ModelBase& model) override {
      if constexpr (detail::has_a_start<P>)
        state = policy.start(model);
      else
        state = {};
    }
    std::vector<at::Tensor> parameters() override {
      if constexpr (detail::has_parameters<P>)
        return policy.parameters(state);
      else
        return {};
    }
    StateList save() const override { return save_state(state); }
    void load(const StateList& saved) override { load_state(saved, state, P::id); }
    void begin_epoch(Epoch& epoch) override {
      if constexpr (detail::has_begin_epoch<P>) policy.begin_epoch(state, epoch);
    }
    void on_features(Step& step, Features& features) override {
      if constexpr (detail::has_on_features<P>) policy.on_features(state, step, features);
    }
    at::Tensor on_outputs(const OutputContext& c, at::Tensor z) const override {
      if constexpr (detail::has_on_outputs<P>)
        return policy.on_outputs(state, c, std::move(z));
      else
        return z;
    }
    void on_objectives(Step& step, Objectives& objectives) override {
      if constexpr (detail::has_on_objectives<P>) policy.on_objectives(state, step, objectives);
    }
    void on_gradients(Step& step, Gradients& gradients) override {
      if constexpr (detail::has_on_gradients<P>) policy.on_gradients(state, step, gradients);
    }
    void end_step(Step& step) override {
      if constexpr (detail::has_end_step<P>) policy.end_step(state, step);
    }

    P policy;
    typename P::State state{};
  };

  Window window_;
  std::unique_ptr<Base> held_;
};

/// The policy inside was checked when the `AnyPolicy` was made.
template <>
struct CheckPolicy<AnyPolicy> {
  static constexpr bool ok = true;
};

/// Several policies, whose hooks run in order. At most one of them may replace gradients, and at
/// most one may set the passes. At most one may draw the records; then none may add records.
using PolicyStack = std::vector<AnyPolicy>;

/// `eq::stack(eq::Opm{}, eq::Ogm{})`.
template <class... P>
[[nodiscard]] PolicyStack stack(P... policies) {
  static_assert((0 + ... + int(equipoise::replaces_gradients<P>)) <= 1,
                "equipoise: at most one policy of a stack may replace gradients");
  static_assert((0 + ... + int(equipoise::sets_passes<P>)) <= 1,
                "equipoise: at most one policy of a stack may set the passes of an epoch");
  static_assert(
      (0 + ... + int(equipoise::draws_records<P>)) +
              int((false || ... || equipoise::draws_records<P>)&&(false || ... || equipoise::adds_records<P>)) <=
          1,
      "equipoise: at most one policy of a stack may draw the records of an epoch, beside none that adds some");
  PolicyStack out;
  if constexpr ((CheckPolicy<P>::ok && ...))  // otherwise the check has failed
    (out.emplace_back(std::move(policies)), ...);
  return out;
}

}  // namespace equipoise
