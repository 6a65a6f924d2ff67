// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a task with a loss alone predicts without any modality: the constant with the smallest mean loss.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/batch/model_batch.hpp>
#include <equipoise/core/model/concepts.hpp>
#include <equipoise/core/model/mode.hpp>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::detail {

/// Whether each record has a label, bool [N].
template <class Target>
[[nodiscard]] at::Tensor has_a_label(const at::Tensor& targets) {
  return Target::missing(targets).reshape({targets.size(0), -1}).all(1).logical_not();
}

/// The weights of the records with a label over their mean, [N], 0 of the others; undefined where all have the same.
template <class Target>
[[nodiscard]] at::Tensor weights_of_labelled(const at::Tensor& targets, const at::Tensor& weights) {
  if (!weights.defined()) return {};
  const at::Tensor labelled = has_a_label<Target>(targets),
                   counted = weights.to(targets.device(), at::kDouble) * labelled;
  const double sum = host_value(counted.sum());
  return sum > 0 ? counted * (host_value(labelled.sum().to(at::kDouble)) / sum) : at::Tensor();
}

/// \throws ShapeError where a task's losses are not [C, B]
inline void check_losses(const at::Tensor& losses, const at::Tensor& prediction) {
  if (losses.dim() != 2 || losses.size(0) != prediction.size(0) || losses.size(1) != prediction.size(1))
    throw ShapeError(message("shape.117", "loss", "expected one value a record, ", prediction.sizes().slice(0, 2),
                             ", got ", losses.sizes()));
}

/// What a head predicts of one joint feature, [O]: a constant within the range of its predictions.
template <class Head>
[[nodiscard]] at::Tensor first_prediction(Head& head, const at::Tensor& joint, const std::string& task) {
  const at::NoGradGuard no_grad;
  const KeepMode mode(head);
  head.eval();
  const at::Tensor out = head.forward(joint);
  if (out.dim() != joint.dim() || out.size(0) != 1 || out.numel() != out.size(1))
    throw ShapeError(message("shape.117", "prediction of task " + task, "expected [1, O",
                             joint.dim() > 2 ? ", 1, …]" : "]", " of a joint feature ", joint.sizes(), ", got ",
                             out.sizes()));
  return out.detach().flatten().clone();
}

/// The buffer of a head that holds its best constant, as it is before anything is fitted.
[[nodiscard]] inline at::Tensor constant_of(torch::nn::Module& head, const at::Tensor& first) {
  const std::string name = "best_constant";
  const auto buffers = head.named_buffers(/*recurse=*/false);
  if (const at::Tensor* there = buffers.find(name); there != nullptr && there->sizes() == first.sizes()) return *there;
  return head.register_buffer(name, first);
}

/// The search for the constant with the smallest loss.
class BestConstant {
 public:
  /// \param loss of a constant [O] in double precision, a scalar  \param rounding of the loss, relative
  BestConstant(std::function<at::Tensor(const at::Tensor&)> loss, const at::Tensor& start, double rounding)
      : loss_(std::move(loss)), rounding_(rounding), best_(at(start)) {}

  /// The loss of the start is finite, and has a gradient.
  [[nodiscard]] bool has_a_start() const { return std::isfinite(best_.loss); }
  /// Steps by signs find the scale of each output, and descend absolute errors; the descent by gradients that follows
  /// finds the minimum of a smooth loss to rounding.
  [[nodiscard]] at::Tensor find() {
    by_signs();
    by_gradient();
    return best_.z;
  }

 private:
  struct Point {
    at::Tensor z, gradient;
    double loss;  ///< infinite where the loss or its gradient is not finite
  };

  [[nodiscard]] Point at(const at::Tensor& z) const {
    const at::AutoGradMode with_gradients(true);
    const at::Tensor x = z.detach().requires_grad_(), value = loss_(x);
    at::Tensor gradient;
    if (value.requires_grad())
      gradient = torch::autograd::grad({value}, {x}, {}, std::nullopt, false, /*allow_unused=*/true)[0];
    if (!gradient.defined()) gradient = at::zeros_like(x);
    const double loss = host_value(value.detach() + 0 * gradient.sum());
    return {x.detach(), gradient, std::isfinite(loss) ? loss : std::numeric_limits<double>::infinity()};
  }

  void keep(const Point& point) {
    if (point.loss < best_.loss) best_ = point;
  }

  /// Riedmiller and Braun, IEEE Int. Conf. Neural Networks 1993, 586: each output has a step of its own, which grows while
  /// the sign of its derivative stays.
  void by_signs() {
    constexpr int most = 250;
    Point now = best_;
    at::Tensor steps = at::full_like(now.z, 0.1);
    for (int i = 0; i < most; ++i) {
      Point next = at(now.z - steps * now.gradient.sign());
      if (!std::isfinite(next.loss)) {
        steps = steps / 4;
        continue;
      }
      const at::Tensor turn = next.gradient.sign() * now.gradient.sign();
      steps = at::where(turn.gt(0), steps * 1.5, at::where(turn.lt(0), steps * 0.5, steps));
      now = std::move(next);
      keep(now);
      const at::Tensor moves = steps * now.gradient.sign().abs() / (now.z.abs() + 1e-3);
      if (host_value(moves.max()) < 1e-9) return;
    }
  }

  /// Gradient descent with the steps of Barzilai and Borwein (IMA J. Numer. Anal. 1988, 8, 141), each halved until the loss
  /// falls.
  void by_gradient() {
    constexpr double armijo = 1e-4, converged = 1e-13;
    const auto product = [](const at::Tensor& a, const at::Tensor& b) { return host_value((a * b).sum()); };
    Point now = best_;
    double step = 1e-3;
    for (int left = 300, still = 0; left > 0 && still < 5;) {
      const double square = product(now.gradient, now.gradient);
      if (!(square > 0) || !std::isfinite(square)) return;
      Point next = at(now.z - step * now.gradient);
      --left;
      while (left > 0 && !(next.loss <= now.loss - armijo * step * square + rounding_ * std::abs(now.loss))) {
        next = at(now.z - (step /= 4) * now.gradient);
        --left;
      }
      if (!std::isfinite(next.loss)) return;
      const at::Tensor moved = next.z - now.z, turned = next.gradient - now.gradient;
      const double curvature = product(moved, turned);
      still = now.loss - next.loss > converged * std::abs(now.loss) ? 0 : still + 1;
      step = curvature > 0 ? product(moved, moved) / curvature : 4 * step;
      now = std::move(next);
      keep(now);
    }
  }

  std::function<at::Tensor(const at::Tensor&)> loss_;
  double rounding_;
  Point best_;
};

/// The records that a constant is fitted to: those with a label and a weight, of a large data set some at random.
/// \param numbers of each record in predictions or targets
template <class Head>
[[nodiscard]] at::Tensor fitted_records(const at::Tensor& targets, const at::Tensor& weights, std::int64_t numbers) {
  at::Tensor some = has_a_label<typename Head::Target>(targets);
  if (weights.defined()) some = some.logical_and(weights.gt(0));
  const at::Tensor rows = some.nonzero().squeeze(1);
  // The loss is computed some hundred times. One that depends on all records may need a matrix of them.
  constexpr std::int64_t budget = 1'000'000, least = 16, coupled = 1024;
  const std::int64_t most =
      couples_records<Head> ? coupled : std::max(budget / std::max<std::int64_t>(numbers, 1), least);
  if (rows.numel() <= most) return rows;
  const at::Generator generator = at::detail::createCPUGenerator(1);
  const at::Tensor order = at::randperm(rows.numel(), generator, at::TensorOptions(at::kLong)).narrow(0, 0, most);
  return rows.index_select(0, std::get<0>(order.sort()).to(rows.device()));
}

/// Sets `constant` to the one with the smallest mean loss of the targets. \param weights [N] or undefined
/// \throws NumericError where the loss of the constant is not finite to begin with
template <class Head>
void fit_constant(Head& head, const at::Tensor& targets, const at::Tensor& weights, const std::string& task,
                  const at::Tensor& constant) {
  const KeepMode mode(head);
  head.eval();
  const std::int64_t of_target = targets.numel() / std::max<std::int64_t>(targets.size(0), 1),
                     of_prediction = is_dense<Head> ? of_target * constant.numel() : constant.numel();
  const at::Tensor rows = fitted_records<Head>(targets, weights, std::max(of_target, of_prediction));
  if (rows.numel() == 0) return;
  const at::Tensor y = targets.index_select(0, rows);
  const bool is_half = constant.scalar_type() != at::kDouble && constant.scalar_type() != at::kFloat;
  const at::ScalarType type = is_half ? at::kFloat : constant.scalar_type();
  std::vector<std::int64_t> one = {1, 1, constant.numel()}, all = {1, y.size(0), constant.numel()};
  if (is_dense<Head>)
    for (std::int64_t d = 2; d < y.dim(); ++d) one.push_back(1), all.push_back(y.size(d));
  at::Tensor w;
  if (weights.defined()) w = weights.index_select(0, rows).to(at::kDouble);
  const auto mean_loss = [&](const at::Tensor& z) {
    const at::Tensor prediction = z.to(type).view(one).expand(all).contiguous();
    const at::Tensor losses = head.loss(prediction, y, /*has_missing=*/true);
    check_losses(losses, prediction);
    const at::Tensor each = losses.to(at::kDouble);
    return w.defined() ? (each * w).mean() : each.mean();
  };
  BestConstant search(mean_loss, constant.to(at::kDouble), type == at::kDouble ? 1e-15 : 1e-8);
  if (!search.has_a_start())
    throw NumericError(
        message("numeric.506", "prior of task " + task, "expected a finite loss of a constant prediction ",
                "with a finite gradient; give the task `prior()` and `fit_prior(targets)` of its own"),
        {});
  const at::Tensor best = search.find();
  const at::NoGradGuard no_grad;
  constant.copy_(best);
}

}  // namespace equipoise::detail
