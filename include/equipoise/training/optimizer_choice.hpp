// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Which optimiser trains, and what each parameter group has of its own: members of `TrainerOptions`. An optimiser of
/// another kind than `adamw`, `adam` and `sgd` comes from `eq::optimizer` (optimizer.hpp).

#include <ATen/core/Tensor.h>

#include <array>
#include <istream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torch::optim {
class Optimizer;
}

namespace equipoise {

/// What a modality's parameters have of their own, or those that are shared.
struct GroupOptions {
  std::optional<double> learning_rate{};  ///< else the optimiser's; the schedule's factor applies to it too
  std::optional<double> weight_decay{};   ///< else the optimiser's
  bool frozen = false;                    ///< no gradient, and evaluation mode, in this trainer's runs
};

namespace detail {

/// Parameters that share a learning rate and a decay.
struct OptimizerGroup {
  std::vector<at::Tensor> parameters;
  std::optional<double> learning_rate{}, weight_decay{};
};

/// Makes an optimiser over groups, known by its interface only.
class OptimizerMaker {
 public:
  virtual ~OptimizerMaker() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::unique_ptr<torch::optim::Optimizer> make(
      const std::vector<OptimizerGroup>& groups) const = 0;
};

}  // namespace detail

/// The choice of an optimiser: one of the three by name, whose options are those of `TrainerOptions`, or any of
/// `torch::optim` with options of its own (`eq::optimizer`).
class Optimizer {
 public:
  static const Optimizer adamw, adam, sgd;

  constexpr Optimizer() = default;  ///< adamw

  /// \param maker of an optimiser with options of its own; `eq::optimizer` makes one
  explicit Optimizer(std::shared_ptr<const detail::OptimizerMaker> maker) : maker_(std::move(maker)) {}

  [[nodiscard]] std::string_view name() const { return maker_ ? maker_->name() : name_; }
  /// Null for one of the three.
  [[nodiscard]] const detail::OptimizerMaker* maker() const { return maker_.get(); }

  friend bool operator==(const Optimizer&, const Optimizer&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Optimizer& o) { return out << o.name(); }
  /// Reads the name of one of the three.
  friend std::istream& operator>>(std::istream& in, Optimizer& o);

 private:
  constexpr explicit Optimizer(std::string_view name) : name_(name) {}

  std::string_view name_ = "adamw";
  std::shared_ptr<const detail::OptimizerMaker> maker_;
};

inline constinit const Optimizer Optimizer::adamw{std::string_view("adamw")};
inline constinit const Optimizer Optimizer::adam{std::string_view("adam")};
inline constinit const Optimizer Optimizer::sgd{std::string_view("sgd")};

inline std::istream& operator>>(std::istream& in, Optimizer& o) {
  std::string name;
  in >> name;
  for (const Optimizer* known : {&Optimizer::adamw, &Optimizer::adam, &Optimizer::sgd})
    if (known->name() == name) return o = *known, in;
  in.setstate(std::ios::failbit);
  return in;
}

}  // namespace equipoise
