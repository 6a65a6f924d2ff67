// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Learning-rate schedules: a factor on the learning rate as a function of progress, in epochs. A schedule is any callable
/// `double(double epochs_done, double epochs_in_all)`; those here are used as a user's own would be:
/// `.schedule = eq::StepDecay{.every = 10}`. Another batch size changes the number of steps, but not the curve.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/text_stream.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <istream>
#include <memory>
#include <numbers>
#include <ostream>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace equipoise {

/// The learning rate as it is.
struct ConstantRate {
  static constexpr std::string_view id = "constant";
  [[nodiscard]] double operator()(double, double) const { return 1; }
};

/// Half a cosine from 1 to `last`. From Loshchilov & Hutter, "SGDR", 2017, arXiv:1608.03983, equation 5, one period.
struct CosineDecay {
  static constexpr std::string_view id = "cosine";
  double last = 0;  ///< factor at the end, in [0, 1]
  void check() const { check_option(last >= 0 && last <= 1, "CosineDecay.last", "in [0, 1]", last); }
  [[nodiscard]] double operator()(double done, double all) const {
    const double t = all > 0 ? std::min(done / all, 1.0) : 1;
    return last + (1 - last) * 0.5 * (1 + std::cos(std::numbers::pi * t));
  }
};

/// Multiplies by `factor` after every `every` epochs.
struct StepDecay {
  static constexpr std::string_view id = "step";
  double every = 10;    ///< epochs, > 0
  double factor = 0.1;  ///< in (0, 1]
  void check() const {
    check_option(every > 0, "StepDecay.every", "> 0", every);
    check_option(factor > 0 && factor <= 1, "StepDecay.factor", "in (0, 1]", factor);
  }
  [[nodiscard]] double operator()(double done, double) const { return std::pow(factor, std::floor(done / every)); }
};

/// Multiplies by `factor` an epoch, smoothly within it.
struct ExponentialDecay {
  static constexpr std::string_view id = "exponential";
  double factor = 0.95;  ///< in (0, 1]
  void check() const { check_option(factor > 0 && factor <= 1, "ExponentialDecay.factor", "in (0, 1]", factor); }
  [[nodiscard]] double operator()(double done, double) const { return std::pow(factor, done); }
};

/// Half a cosine up from `first` to 1 over the part `rise` of the run, then down to `last`; `learning_rate` is the peak.
/// From Smith & Topin, "Super-Convergence", 2018, arXiv:1708.07120; cosines in place of lines, as is usual now.
struct OneCycle {
  static constexpr std::string_view id = "one_cycle";
  double rise = 0.3;    ///< part of the run before the peak, in (0, 1)
  double first = 0.04;  ///< factor at the beginning, in [0, 1]
  double last = 1e-4;   ///< factor at the end, in [0, 1]
  void check() const {
    check_option(rise > 0 && rise < 1, "OneCycle.rise", "in (0, 1)", rise);
    check_option(first >= 0 && first <= 1, "OneCycle.first", "in [0, 1]", first);
    check_option(last >= 0 && last <= 1, "OneCycle.last", "in [0, 1]", last);
  }
  [[nodiscard]] double operator()(double done, double all) const {
    const double t = all > 0 ? std::min(done / all, 1.0) : 1;
    const auto between = [](double from, double to, double u) {
      return to + (from - to) * 0.5 * (1 + std::cos(std::numbers::pi * u));
    };
    return t < rise ? between(first, 1, t / rise) : between(1, last, (t - rise) / (1 - rise));
  }
};

/// Multiplies by `factor` after `patience` epochs in which the monitored figure got no better (by `min_delta`) and one
/// more, as `ReduceLROnPlateau` of PyTorch. Needs validation data; its memory is part of the checkpoint.
struct Plateau {
  static constexpr std::string_view id = "plateau";
  double factor = 0.1;        ///< in (0, 1)
  std::int64_t patience = 5;  ///< epochs to wait, >= 0
  double min_factor = 0;      ///< never below this part of the learning rate, in [0, 1]
  void check() const {
    check_option(factor > 0 && factor < 1, "Plateau.factor", "in (0, 1)", factor);
    check_option(patience >= 0, "Plateau.patience", ">= 0", patience);
    check_option(min_factor >= 0 && min_factor <= 1, "Plateau.min_factor", "in [0, 1]", min_factor);
  }
};

/// Those with a name, for the command line and configurations.
using EverySchedule = std::tuple<ConstantRate, CosineDecay, StepDecay, ExponentialDecay, OneCycle, Plateau>;

namespace detail {

template <class F>
concept is_a_schedule = requires(const F& schedule) {
  { schedule(0.5, 2.0) } -> std::convertible_to<double>;
};

}  // namespace detail

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::ConstantRate);
EQUIPOISE_REFLECT(equipoise::CosineDecay, last);
EQUIPOISE_REFLECT(equipoise::StepDecay, every, factor);
EQUIPOISE_REFLECT(equipoise::ExponentialDecay, factor);
EQUIPOISE_REFLECT(equipoise::OneCycle, rise, first, last);
EQUIPOISE_REFLECT(equipoise::Plateau, factor, patience, min_factor);

namespace equipoise {

/// Any schedule. Its text is `cosine`, or with options `step(every=10,factor=0.1)`; that of a callable without a name is
/// `own`.
class Schedule {
 public:
  static const Schedule constant, cosine;

  Schedule() = default;  ///< constant
  template <class F>
  requires(!std::same_as<F, Schedule> && (detail::is_a_schedule<F> || std::same_as<F, Plateau>))
      Schedule(F schedule)  // NOLINT(google-explicit-constructor): a schedule is written in its place
      : held_(std::make_shared<const Holder<F>>(std::move(schedule))) {}

  /// The factor on the learning rate after `done` of `all` epochs. 1 for `Plateau`, whose factor is not known before.
  [[nodiscard]] double operator()(double done, double all) const { return held_ ? held_->factor(done, all) : 1; }
  [[nodiscard]] std::string text() const { return held_ ? held_->text() : std::string(ConstantRate::id); }
  /// Null for any other schedule.
  [[nodiscard]] const Plateau* plateau() const { return held_ ? held_->plateau() : nullptr; }
  /// \throws ValueError for an option out of its range.
  void check() const {
    if (held_) held_->check();
  }

  friend bool operator==(const Schedule& a, const Schedule& b) { return a.held_ == b.held_ || a.text() == b.text(); }
  friend std::ostream& operator<<(std::ostream& out, const Schedule& s) { return out << s.text(); }
  friend std::istream& operator>>(std::istream& in, Schedule& s) {
    std::string text;
    if (!(in >> text) || !s.read(text)) in.setstate(std::ios::failbit);
    return in;
  }

 private:
  struct Base {
    virtual ~Base() = default;
    [[nodiscard]] virtual double factor(double done, double all) const = 0;
    [[nodiscard]] virtual std::string text() const = 0;
    [[nodiscard]] virtual const Plateau* plateau() const = 0;
    virtual void check() const = 0;
  };
  template <class F>
  struct Holder final : Base {
    explicit Holder(F f) : schedule(std::move(f)) {}
    double factor(double done, double all) const override {
      if constexpr (std::same_as<F, Plateau>)
        return 1;
      else
        return schedule(done, all);
    }
    std::string text() const override {
      if constexpr (requires { F::id; } && Reflected<F>) {
        std::string list;
        for (const auto& [key, value] : options(schedule)) list += (list.empty() ? "" : ",") + key + "=" + value;
        return std::string(F::id) + (list.empty() || is_default(list) ? "" : "(" + list + ")");
      } else {
        return "own";
      }
    }
    [[nodiscard]] bool is_default(const std::string& list) const {
      std::string usual;
      for (const auto& [key, value] : options(F{})) usual += (usual.empty() ? "" : ",") + key + "=" + value;
      return list == usual;
    }
    const Plateau* plateau() const override {
      if constexpr (std::same_as<F, Plateau>)
        return &schedule;
      else
        return nullptr;
    }
    void check() const override {
      if constexpr (requires { schedule.check(); }) schedule.check();
    }
    F schedule;
  };

  [[nodiscard]] bool read(const std::string& text) {
    const std::size_t open = text.find('(');
    const std::string name = text.substr(0, open);
    if (open != std::string::npos && !text.ends_with(')')) return false;
    OptionList list;
    if (open != std::string::npos) {
      TextReader parts(text.substr(open + 1, text.size() - open - 2));
      for (std::string part; std::getline(parts, part, ',');) {
        const std::size_t equals = part.find('=');
        if (equals == std::string::npos) return false;
        list.emplace_back(part.substr(0, equals), part.substr(equals + 1));
      }
    }
    bool found = false;
    [&]<class... F>(std::tuple<F...>*) {
      const auto take = [&](auto schedule) {
        if (schedule.id != name) return;
        set_options(schedule, list, "schedule " + name);
        *this = Schedule(schedule), found = true;
      };
      (take(F{}), ...);
    }(static_cast<EverySchedule*>(nullptr));
    return found;
  }

  std::shared_ptr<const Base> held_;
};

inline const Schedule Schedule::constant{};
inline const Schedule Schedule::cosine{CosineDecay{}};

/// The factor of a schedule behind a linear warm-up of `warmup` epochs, for the step from `done` to `after` of `all`
/// epochs: the warm-up is taken at the step's end, so that the first step moves, the schedule at its beginning.
/// \throws ValueError for a factor that is negative or not finite.
[[nodiscard]] inline double factor_at(const Schedule& schedule, double warmup, double done, double after, double all) {
  const double rest = std::max(all - warmup, 0.0);
  const double factor = schedule(std::clamp(done - warmup, 0.0, rest), rest);
  if (!(factor >= 0) || !std::isfinite(factor))
    throw ValueError(message("value.233", "TrainerOptions.schedule", "expected a finite factor >= 0 after ", done,
                             " of ", all, " epochs, got ", factor));
  return after < warmup ? factor * (after / warmup) : factor;
}

}  // namespace equipoise
