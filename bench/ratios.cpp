// SPDX-License-Identifier: MIT
/// \file
/// Ratios of one run: both sides alternate, each repeat gives one ratio. Prints JSON, a list of ratios a key.

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <equipoise/core/base/heap.hpp>
#include <equipoise/core/base/threads.hpp>
#include <equipoise/core/model/threads.hpp>
#include <equipoise/data/transform.hpp>
#include <equipoise/equipoise.hpp>
#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>
#include <equipoise/psqa/learning/bmmqa.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "timing.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

using bench::ratios;
using bench::seconds;

constexpr std::int64_t kMetrics = eq::psqa::PsqaSizes{}.metrics;
constexpr auto kRates = std::int64_t{eq::psqa::kCriteria.size()};

/// An image and a table, about the flagship's sizes.
auto records(std::int64_t n) {
  torch::manual_seed(1);
  return eq::batch(eq::input<"dose">(torch::rand({n, 1, 60, 60})), eq::input<"metrics">(torch::randn({n, kMetrics})),
                   eq::target<"gpr">(eq::Values{torch::randn({n, kRates})}),
                   eq::target<"dd">(eq::Maps{torch::randn({n, 1, 60, 60})}));
}

/// Those of them that a model without the map needs.
auto vector_records(std::int64_t n) {
  return records(n).only("dose"_n, "metrics"_n, "gpr"_n);
}

auto vector_model() {
  torch::manual_seed(2);
  return eq::compose(eq::modality<"dose">(eq::Cnn{.widths = {16, 32, 64, 128}}),
                     eq::modality<"metrics">(eq::Mlp{.in_features = kMetrics, .widths = {64, 64}}),
                     eq::task<"gpr">(eq::AttentionFusion{.width = 64}, eq::Regression{.outputs = kRates}));
}

std::vector<double> fast_forward() {
  const auto model = vector_model();
  const auto data = vector_records(32);
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

/// One epoch of 8 batches by a new trainer; repeats go on with the parameters of the last one.
template <class Model, class Data>
std::function<void()> epochs(std::shared_ptr<Model> model, std::function<eq::PolicyStack()> policies,
                             const Data& data) {
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

/// What one core takes to fetch an epoch's batches, changed by two transforms, to the epoch itself.
std::vector<double> feeding() {
  const auto data = eq::transformed(records(256), eq::transform(eq::Flip{}, "dose"_n, "dd"_n),
                                    eq::transform(eq::Noise{.sd = 0.01}, "metrics"_n));
  torch::manual_seed(3);
  const auto model = eq::psqa::bmmqa(eq::psqa::PsqaSizes{});
  const eq::Records fetched = eq::records_of(*model, data);
  const std::vector<std::int64_t> order = eq::permutation(256, 1);
  return ratios(
      [&] {
        for (std::size_t b = 0; b < order.size(); b += 32)
          eq::check_inputs(fetched.select(std::span(order).subspan(b, 32), 1 + b), model->schema());
      },
      epochs(
          model, [] { return eq::psqa::bmmqa_policies(); }, records(256)),
      9);
}

std::vector<double> plain_against_handwritten() {
  const auto data = vector_records(256);
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
  const auto data = vector_records(256);
  const auto model = vector_model();
  return ratios(epochs(
                    model, [] { return eq::stack(eq::Ogm{.noise = false}); }, data),
                epochs(
                    model, [] { return eq::PolicyStack{}; }, data),
                41);
}

/// Two tables of random numbers, and as many values to predict as a plan has rates.
auto tables(std::int64_t n) {
  torch::manual_seed(1);
  return eq::batch(eq::input<"x">(torch::randn({n, kMetrics})), eq::input<"z">(torch::randn({n, kMetrics})),
                   eq::target<"y">(eq::Values{torch::randn({n, 3})}));
}
auto small_model() {
  torch::manual_seed(2);
  return eq::compose(eq::modality<"x">(eq::Mlp{.in_features = kMetrics, .widths = {64, 64}}),
                     eq::modality<"z">(eq::Mlp{.in_features = kMetrics, .widths = {64, 64}}),
                     eq::task<"y">(eq::Concat{.width = 64}, eq::Regression{.outputs = 3}));
}
using Small = std::remove_reference_t<decltype(*small_model())>;

/// What each modality adds to the joint feature of rows [begin, begin + n), by the model's modules alone.
std::vector<at::Tensor> parts(Small& model, const decltype(tables(1))& data, std::int64_t begin, std::int64_t n) {
  auto& fusion = model.fusion("y"_n);
  const auto encoded = [&](auto& encoder, const at::Tensor& x) {
    return eq::Feature(encoder.forward(x.narrow(0, begin, n)));
  };
  return {fusion.project(0, encoded(model.encoder("x"_n), data.inputs["x"_n])),
          fusion.project(1, encoded(model.encoder("z"_n), data.inputs["z"_n]))};
}

constexpr std::int64_t kAtOnce = 8192;  // of the bare model

std::vector<double> evaluate_rows() {
  const auto data = tables(100000);
  const auto model = small_model();
  model->eval();
  const auto bare = [&] {
    const torch::NoGradGuard no_grad;
    auto& fusion = model->fusion("y"_n);
    auto& head = model->head("y"_n);
    std::array<double, 4> sums{};
    for (std::int64_t begin = 0; begin < data.size(); begin += kAtOnce) {
      const std::int64_t n = std::min(kAtOnce, data.size() - begin);
      const std::vector<at::Tensor> all = parts(*model, data, begin, n);
      const at::Tensor y = data.targets["y"_n].tensor.narrow(0, begin, n);
      const eq::Presence both(n, 2);
      const at::Tensor none = torch::zeros_like(all[0]);
      for (std::size_t s = 0; s < 4; ++s) {
        const at::Tensor z =
            s == 0 ? head.prior().expand({n, 3})
                   : head.forward(fusion.combine({s & 1U ? all[0] : none, s & 2U ? all[1] : none}, both).squeeze(0));
        sums[s] += (z - y).square().mean(1).sum().item<double>();
      }
    }
    if (!(sums[3] == sums[3])) std::cerr << "not a number\n";
  };
  return ratios([&] { (void)eq::evaluate(*model, data); }, bare, 5, 2);
}

std::vector<double> infer_rows() {
  const auto data = tables(1000000);
  const auto model = small_model();
  model->eval();
  const auto bare = [&] {
    const torch::NoGradGuard no_grad;
    at::Tensor out = torch::empty({data.size(), 3});
    for (std::int64_t begin = 0; begin < data.size(); begin += kAtOnce) {
      const std::int64_t n = std::min(kAtOnce, data.size() - begin);
      const at::Tensor joint =
          model->fusion("y"_n).combine(parts(*model, data, begin, n), eq::Presence(n, 2)).squeeze(0);
      out.narrow(0, begin, n).copy_(model->head("y"_n).forward(joint));
    }
  };
  return ratios([&] { (void)eq::infer(*model, data); }, bare, 3, 1);
}

/// 64 batches of a small model, so that what an epoch costs is spread over many steps.
template <class Model, class Data>
std::function<void()> small_epoch(std::shared_ptr<Model> model, std::function<eq::PolicyStack()> policies,
                                  const Data& data) {
  return [=] {
    eq::Trainer trainer(model, policies(), {.epochs = 1, .batch_size = 32});
    (void)trainer.fit(data);
  };
}

/// 33-64-64-3: the layers of `small_step`'s other side, and of bench/eager_step.py.
constexpr std::int64_t kSmallest = 33;
auto smallest_model() {
  torch::manual_seed(2);
  return eq::compose(eq::modality<"x">(eq::Mlp{.in_features = kSmallest, .widths = {64}}),
                     eq::task<"y">(eq::Concat{.width = 64}, eq::Regression{.outputs = 3}));
}

auto smallest_data() {
  torch::manual_seed(1);
  return eq::batch(eq::input<"x">(torch::randn({2048, kSmallest})),
                   eq::target<"y">(eq::Values{torch::randn({2048, 3})}));
}

std::vector<double> small_step() {
  const auto model = smallest_model();
  torch::nn::Sequential theirs(torch::nn::Linear(kSmallest, 64),
                               torch::nn::LayerNorm(torch::nn::LayerNormOptions({64})), torch::nn::GELU(),
                               torch::nn::Linear(64, 64), torch::nn::GELU(), torch::nn::Linear(64, 3));
  const auto all = smallest_data();
  const at::Tensor x = all.inputs["x"_n], y = all.targets["y"_n].tensor;
  const auto handwritten = [&] {
    torch::optim::AdamW optimizer(theirs->parameters(), torch::optim::AdamWOptions(1e-3).weight_decay(1e-2));
    theirs->train();
    const at::Tensor order = torch::randperm(x.size(0));
    double sum = 0;
    for (std::int64_t b = 0; b < x.size(0); b += 32) {
      const at::Tensor rows = order.narrow(0, b, 32);
      optimizer.zero_grad();
      const at::Tensor loss = (theirs->forward(x.index_select(0, rows)) - y.index_select(0, rows)).square().mean();
      loss.backward();
      optimizer.step();
      sum += loss.item<double>();
    }
    if (!(sum == sum)) std::cerr << "not a number\n";
  };
  return ratios(small_epoch(
                    model, [] { return eq::PolicyStack{}; }, all),
                handwritten, 21);
}

std::vector<double> small_ogm() {
  const auto model = small_model();
  const auto data = tables(2048);
  return ratios(small_epoch(
                    model, [] { return eq::stack(eq::Ogm{}); }, data),
                small_epoch(
                    model, [] { return eq::PolicyStack{}; }, data),
                21);
}

/// Milliseconds of a step of the image model in batches of 32, on the threads that it is given: what bench/run.py asks for
/// with and without a busy neighbour.
void threads_bench() {
  const auto data = vector_records(256);
  const auto model = vector_model();
  const int threads = eq::use_threads(*model, data);
  eq::Trainer trainer(model, {.epochs = 6, .batch_size = 32});
  std::vector<double> times;
  double begin = 0;
  trainer.on_batch([&](std::int64_t done, std::int64_t) {
    const double now = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    if (done > 1) times.push_back(1e3 * (now - begin));
    begin = now;
  });
  (void)trainer.fit(data);
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  std::cout << times[times.size() / 2] << "\n";
  std::cerr << threads << " threads\n";
}

/// Milliseconds of a plain step in batches of 32 on one thread: bench/run.py compares it with PyTorch eager.
template <class Model, class Data>
void step_bench(std::shared_ptr<Model> model, const Data& data, std::int64_t epochs) {
  torch::set_num_threads(1);
  eq::Trainer trainer(model, {.epochs = epochs, .batch_size = 32, .progress = nullptr});
  std::vector<double> times;
  double begin = 0;
  trainer.on_epoch([&](const eq::EpochRecord&) {
    const double now = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    if (begin > 0) times.push_back(1e3 * (now - begin) * 32 / static_cast<double>(data.size()));
    begin = now;
  });
  (void)trainer.fit(data);
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  std::cout << times[times.size() / 2] << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "small_step_ms") {
    eq::keep_freed_memory();
    step_bench(smallest_model(), smallest_data(), 40);
    return 0;
  }
  if (argc > 1 && std::string_view(argv[1]) == "flagship_step_ms") {
    eq::keep_freed_memory();
    torch::manual_seed(3);
    step_bench(eq::psqa::bmmqa(eq::psqa::PsqaSizes{}), records(256), 6);
    return 0;
  }
  if (argc > 1 && std::string_view(argv[1]) == "threads") {
    eq::wait_passively(argv);
    eq::keep_freed_memory();
    threads_bench();
    return 0;
  }
  eq::keep_freed_memory();  // page faults are no part of either side
  torch::set_num_threads(1);
  nlohmann::ordered_json out;
  const auto run = [&](const char* key, auto&& bench) {
    if (argc > 1 && std::string_view(argv[1]) != key) return;  // one alone
    std::cerr << key << "\n";
    out[key] = bench();
  };
  run("fast_forward.all_vs_one", fast_forward);
  run("bmmqa.step_vs_plain", bmmqa_step);
  run("data.fetch_vs_step", feeding);
  run("trainer.plain_vs_handwritten", plain_against_handwritten);
  run("policy.ogm_vs_plain", ogm_against_plain);
  run("small_step.vs_torch_optim", small_step);
  run("ogm.small_step", small_ogm);
  run("evaluate.rows_1e5", evaluate_rows);
  run("infer.rows_1e6", infer_rows);
  std::cout << out.dump() << "\n";
}
