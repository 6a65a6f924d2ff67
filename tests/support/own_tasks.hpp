// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Two tasks that use nothing of the library's tasks, as a user would write them: survival with censored times (Cox's
/// partial likelihood) and ordered classes. Nothing of the library knows them.

#include <torch/nn/modules/linear.h>

#include <equipoise/equipoise.hpp>

#include "support/catch.hpp"

namespace support {

namespace eq = equipoise;

// ---- survival

/// Times and whether the event was seen, [N, 2]: (time > 0, 1) or (time > 0, 0) where it is censored; NaN where missing.
struct Times {
  at::Tensor tensor;

  static at::Tensor missing(const at::Tensor& t) {
    return torch::isnan(t).any(1, true).expand_as(t);  // a time without its event is no target
  }
  static void check(const at::Tensor& t, const eq::Schema::Task& task, std::span<const std::int64_t> ids = {}) {
    if (t.dim() != 2 || t.size(1) != 2)
      throw eq::ShapeError(
          eq::message("shape.110", "target of task " + task.name, "expected times and events [B, 2], got ", t.sizes()));
    const auto bad = eq::records_where(t, ids, [](const at::Tensor& some) { return some.select(1, 0).le(0); });
    if (!bad.empty())
      throw eq::ValueError(eq::message("value.224", "target of task " + task.name, "expected times > 0, got others in ",
                                       eq::named_records(bad)));
  }
};

/// Harrell's C: of the pairs whose order is known, the share in which the record with the earlier event has the larger
/// risk; ties count half.
inline double c_index(const at::Tensor& risk, const at::Tensor& target) {
  const at::Tensor time = target.select(1, 0), event = target.select(1, 1), eta = risk.select(1, 0);
  double right = 0, pairs = 0;
  for (std::int64_t i = 0; i < time.size(0); ++i)
    for (std::int64_t j = 0; j < time.size(0); ++j) {
      if (event[i].item<double>() == 0 || !(time[i].item<double>() < time[j].item<double>())) continue;
      const double difference = (eta[i] - eta[j]).item<double>();
      right += difference > 0 ? 1 : difference == 0 ? 0.5 : 0, pairs += 1;
    }
  return pairs > 0 ? right / pairs : std::numeric_limits<double>::quiet_NaN();
}

/// Cox's proportional hazards: the prediction is a logarithm of the relative risk. A record's loss is its term of the
/// negative partial log likelihood (Breslow), whose mean over the batch is the batch's loss: zero for a censored record.
struct CoxModule : torch::nn::Module {
  using Target = Times;
  static constexpr bool couples_records = true;

  explicit CoxModule(std::int64_t width) {
    linear = register_module("linear", torch::nn::Linear(torch::nn::LinearOptions(width, 1).bias(false)));
    zero = register_buffer("zero", torch::zeros({1}));
  }
  std::int64_t outputs() const { return 1; }
  at::Tensor weight() const { return linear->weight; }
  at::Tensor prior() const { return zero; }
  void fit_prior(const at::Tensor&) {}  // a constant risk orders nothing: its value is of no consequence
  at::Tensor forward(const at::Tensor& joint) { return linear->forward(joint); }

  at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    const at::Tensor missing = torch::isnan(target).any(1), time = target.select(1, 0).masked_fill(missing, -1),
                     event = target.select(1, 1).masked_fill(missing, 0);
    const at::Tensor at_risk = (time.unsqueeze(0) >= time.unsqueeze(1)).logical_and(missing.logical_not().unsqueeze(0));
    const at::Tensor eta = prediction.select(2, 0);  // [C, B]
    const at::Tensor all = eta.unsqueeze(1).expand({-1, eta.size(1), -1});
    const at::Tensor denominator =
        all.masked_fill(at_risk.logical_not().unsqueeze(0), -std::numeric_limits<double>::infinity()).logsumexp(2);
    return (denominator - eta).masked_fill(event.eq(0).unsqueeze(0), 0);
  }
  std::vector<eq::Metric> metrics() const {
    return {{"c_index", true, [](const at::Tensor& z, const at::Tensor& y) { return c_index(z, y); }}};
  }

  torch::nn::Linear linear{nullptr};
  at::Tensor zero;
};

struct Cox {
  static constexpr std::string_view id = "cox";
  std::shared_ptr<CoxModule> build(std::int64_t width) const { return std::make_shared<CoxModule>(width); }
};

// ---- ordered classes

/// Classes 0 < 1 < … < classes - 1 by cumulative logits (proportional odds): P(y > k) = σ(f - b_k).
struct OrdinalModule : torch::nn::Module {
  using Target = eq::Labels;
  static constexpr double likelihood_scale = 1;

  OrdinalModule(std::int64_t width, std::int64_t classes) : classes_(classes) {
    linear = register_module("linear", torch::nn::Linear(width, 1));
    steps = register_parameter("steps", torch::linspace(-1, 1, classes - 1));
    prior_ = register_buffer("prior", torch::zeros({classes}));
  }
  std::int64_t outputs() const { return classes_; }
  at::Tensor prior() const { return prior_; }
  void fit_prior(const at::Tensor& targets) {
    const torch::NoGradGuard no_grad;
    const at::Tensor counts = targets.masked_select(targets.ge(0)).bincount({}, classes_).clamp_min(0.5);
    prior_.copy_((counts / counts.sum()).log());
  }
  /// Logarithms of the classes' probabilities, [R, classes].
  at::Tensor forward(const at::Tensor& joint) {
    const at::Tensor above = torch::sigmoid(linear->forward(joint) - std::get<0>(steps.sort()));  // [R, classes - 1]
    const at::Tensor ones = torch::ones_like(above.narrow(1, 0, 1)), zeros = torch::zeros_like(ones);
    const at::Tensor upper = torch::cat({ones, above}, 1), lower = torch::cat({above, zeros}, 1);
    return (upper - lower).clamp_min(1e-9).log();
  }
  at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    return score(prediction, target).log().neg().masked_fill(target.lt(0).unsqueeze(0), 0);
  }
  at::Tensor score(const at::Tensor& prediction, const at::Tensor& target) const {
    const at::Tensor wanted = target.clamp_min(0).view({1, -1, 1}).expand({prediction.size(0), -1, 1});
    return prediction.log_softmax(2).gather(2, wanted).squeeze(2).exp();
  }
  at::Tensor correct(const at::Tensor& prediction, const at::Tensor& target) const {
    return prediction.argmax(2).eq(target.unsqueeze(0));
  }
  std::vector<eq::Metric> metrics() const {
    return {{"mean_class_error", false, [](const at::Tensor& z, const at::Tensor& y) {
               return (z.argmax(1) - y).abs().to(torch::kDouble).mean().item<double>();
             }}};
  }

  std::int64_t classes_;
  torch::nn::Linear linear{nullptr};
  at::Tensor steps, prior_;
};

struct Ordinal {
  static constexpr std::string_view id = "ordinal";
  std::int64_t classes = 4;
  std::shared_ptr<OrdinalModule> build(std::int64_t width) const {
    return std::make_shared<OrdinalModule>(width, classes);
  }
};

}  // namespace support

BOOST_HANA_ADAPT_STRUCT(support::Ordinal, classes);
static_assert(equipoise::Task<support::CoxModule> && equipoise::Task<support::OrdinalModule>);
static_assert(equipoise::Target<support::Times>);
