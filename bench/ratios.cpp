// SPDX-License-Identifier: MIT
/// \file
/// Ratios of one run: both sides alternate, each repeat gives one ratio. Prints JSON, a list of ratios a key.

#include <equipoise/core/base/heap.hpp>
#include <equipoise/equipoise.hpp>
#include <equipoise/psqa/learning/bmmqa.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "timing.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

using bench::ratios;
using bench::seconds;

constexpr std::int64_t kMetrics = eq::psqa::PsqaSizes{}.metrics;

/// An image and a table, about the flagship's sizes.
auto records(std::int64_t n) {
  torch::manual_seed(1);
  return eq::batch(eq::input<"dose">(torch::rand({n, 1, 60, 60})), eq::input<"metrics">(torch::randn({n, kMetrics})),
                   eq::target<"gpr">(eq::Values{torch::randn({n, 3})}),
                   eq::target<"dd">(eq::Maps{torch::randn({n, 1, 60, 60})}));
}

auto vector_model() {
  torch::manual_seed(2);
  return eq::compose(eq::modality<"dose">(eq::Cnn{.widths = {16, 32, 64, 128}}),
                     eq::modality<"metrics">(eq::Mlp{.in_features = kMetrics, .widths = {64, 64}}),
                     eq::task<"gpr">(eq::AttentionFusion{.width = 64}, eq::Regression{.outputs = 3}));
}

std::vector<double> fast_forward() {
  const auto model = vector_model();
  const auto data = records(32);
  const auto all = eq::all_coalitions(2);
  const torch::NoGradGuard no_grad;
  model->eval();
  const auto times = [&](auto&& f) {
    return [f] {
      for (int i = 0; i < 4; ++i) f();
    };
  };
  return ratios(times([&] { (void)model->predict(data, all); }), times([&] { (void)model->predict(data); }), 21);
}

/// One epoch of 8 batches. The trainer keeps its optimiser, so repeats go on where the last one ended.
template <class Model>
std::function<void()> epochs(std::shared_ptr<Model> model, std::function<eq::PolicyStack()> policies,
                             const decltype(records(1))& data) {
  return [=] {
    eq::Trainer trainer(model, policies(), {.epochs = 1, .batch_size = 32});
    (void)trainer.fit(data);
  };
}

std::vector<double> bmmqa_step() {
  const auto data = records(256);
  const eq::psqa::PsqaSizes sizes;
  torch::manual_seed(3);
  const auto model = eq::psqa::bmmqa(sizes);
  return ratios(epochs(
                    model, [] { return eq::psqa::bmmqa_policies(); }, data),
                epochs(
                    model, [] { return eq::PolicyStack{}; }, data),
                9);
}

std::vector<double> plain_against_handwritten() {
  const auto data = records(256);
  const auto ours = vector_model(), theirs = vector_model();
  const at::Tensor dose = data.inputs["dose"_n], metrics = data.inputs["metrics"_n], y = data.targets["gpr"_n].tensor;
  const auto handwritten = [&] {
    torch::optim::AdamW optimizer(theirs->parameters(), torch::optim::AdamWOptions(1e-3).weight_decay(1e-2));
    theirs->train();
    const at::Tensor order = torch::randperm(256);
    double sum = 0;
    for (std::int64_t b = 0; b < 256; b += 32) {
      const at::Tensor rows = order.narrow(0, b, 32);
      optimizer.zero_grad();
      auto& fusion = theirs->fusion("gpr"_n);
      using Part = eq::AttentionFusionModule::Projected;
      const std::vector<Part> parts = {
          fusion.project(0, eq::Feature(theirs->encoder("dose"_n).forward(dose.index_select(0, rows)))),
          fusion.project(1, eq::Feature(theirs->encoder("metrics"_n).forward(metrics.index_select(0, rows))))};
      const at::Tensor w = torch::cat({parts[0].score, parts[1].score}, 1).softmax(1);
      const at::Tensor joint = w.narrow(1, 0, 1) * parts[0].value + w.narrow(1, 1, 1) * parts[1].value;
      const at::Tensor loss = (theirs->head("gpr"_n).forward(joint) - y.index_select(0, rows)).square().mean();
      loss.backward();
      optimizer.step();
      sum += loss.item<double>();  // any loop watches its loss
    }
    if (!(sum == sum)) std::cerr << "not a number\n";
  };
  return ratios(epochs(
                    ours, [] { return eq::PolicyStack{}; }, data),
                handwritten, 15);
}

std::vector<double> ogm_against_plain() {
  const auto data = records(256);
  const auto model = vector_model();
  return ratios(epochs(
                    model, [] { return eq::stack(eq::Ogm{.noise = false}); }, data),
                epochs(
                    model, [] { return eq::PolicyStack{}; }, data),
                41);
}

}  // namespace

int main() {
  eq::keep_freed_memory();  // page faults are no part of either side
  torch::set_num_threads(1);
  nlohmann::ordered_json out;
  const auto run = [&](const char* key, auto&& bench) {
    std::cerr << key << "\n";
    out[key] = bench();
  };
  run("fast_forward.all_vs_one", fast_forward);
  run("bmmqa.step_vs_plain", bmmqa_step);
  run("trainer.plain_vs_handwritten", plain_against_handwritten);
  run("policy.ogm_vs_plain", ogm_against_plain);
  std::cout << out.dump() << "\n";
}
