// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a task with a loss alone predicts without any modality: the constant with the smallest mean loss.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/model/concepts.hpp>
#include <equipoise/core/model/mode.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::detail {

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

/// Gradient descent with the steps of Barzilai and Borwein (IMA J. Numer. Anal. 1988, 8, 141), each halved until the loss
/// falls. A loss that is not finite counts as too large, so that a constant stays where its loss is defined.
/// \param loss of a constant [O]  \return the best constant that was seen
[[nodiscard]] inline at::Tensor descend(const std::function<at::Tensor(const at::Tensor&)>& loss, at::Tensor start) {
  struct Point {
    at::Tensor z, gradient;
    double loss;
  };
  const auto at_point = [&](const at::Tensor& z) {
    const at::AutoGradMode with_gradients(true);
    const at::Tensor x = z.detach().requires_grad_();
    const at::Tensor value = loss(x);
    at::Tensor gradient;
    if (value.requires_grad())
      gradient = torch::autograd::grad({value}, {x}, {}, std::nullopt, false, /*allow_unused=*/true)[0];
    return Point{x.detach(), gradient.defined() ? gradient : at::zeros_like(z), host_value(value.detach())};
  };
  const auto product = [](const at::Tensor& a, const at::Tensor& b) { return host_value((a * b).sum()); };
  constexpr int steps = 500, halvings = 60;
  constexpr double armijo = 1e-4, converged = 1e-12;
  const double rounding = start.scalar_type() == at::kDouble ? 1e-15 : 1e-7;
  Point best = at_point(start);
  double step = 1;
  for (int i = 0, still = 0; i < steps && still < 3 && std::isfinite(best.loss); ++i) {
    const double square = product(best.gradient, best.gradient);
    if (!(square > 0)) break;
    Point next = at_point(best.z - step * best.gradient);
    const auto enough = [&] {
      return next.loss <= best.loss - armijo * step * square + rounding * std::abs(best.loss);
    };
    for (int h = 0; h < halvings && !enough(); ++h) next = at_point(best.z - (step /= 2) * best.gradient);
    if (!enough()) break;
    const at::Tensor moved = next.z - best.z, turned = next.gradient - best.gradient;
    const double curvature = product(moved, turned);
    still = best.loss - next.loss > converged * std::abs(best.loss) ? 0 : still + 1;
    step = curvature > 0 ? product(moved, moved) / curvature : 2 * step;
    best = std::move(next);
  }
  return best.z;
}

/// Evenly spaced records, so that a large data set has at most four million numbers.
[[nodiscard]] inline at::Tensor thinned(const at::Tensor& records, std::int64_t numbers) {
  constexpr std::int64_t budget = 4'000'000;
  const std::int64_t every = (numbers + budget - 1) / budget;
  return every > 1 && records.defined() ? records.slice(0, 0, records.size(0), every) : records;
}

/// Sets `constant` to the one with the smallest mean loss of the targets. \param weights [N] or undefined
template <class Head>
void fit_constant(Head& head, const at::Tensor& targets, const at::Tensor& weights, const at::Tensor& constant) {
  const KeepMode mode(head);
  head.eval();
  // A record's loss may depend on all others: then none is left out.
  const std::int64_t numbers = couples_records<Head> ? 0 : targets.numel();
  const at::Tensor y = thinned(targets, numbers), w = thinned(weights, numbers);
  const auto mean_loss = [&](const at::Tensor& z) {
    std::vector<std::int64_t> shape = {1, 1, z.numel()};
    if (is_dense<Head>) shape.resize(static_cast<std::size_t>(y.dim()) + 1, 1);
    std::vector<std::int64_t> all = shape;
    all[1] = y.size(0);
    const at::Tensor losses = head.loss(z.view(shape).expand(all), y, /*has_missing=*/true);
    return w.defined() ? (losses * w.to(losses.scalar_type())).mean() : losses.mean();
  };
  const at::Tensor best = descend(mean_loss, constant);
  const at::NoGradGuard no_grad;
  constant.copy_(best);
}

}  // namespace equipoise::detail
