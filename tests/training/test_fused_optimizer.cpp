// The steps of the fused kernels are those of torch::optim.

#include <equipoise/training/fused_optimizer.hpp>
#include <equipoise/training/optimizer.hpp>

#include <torch/serialize.h>

#include <sstream>
#include <vector>

#include "support/catch.hpp"

namespace eq = equipoise;
using eq::FusedAdam, eq::FusedAdamW, eq::FusedSgd;
namespace optim = torch::optim;

namespace {

/// Two groups of parameters, the second with a rate and a decay of its own.
template <class O, class Options>
struct Run {
  std::vector<at::Tensor> parameters;
  std::unique_ptr<O> optimizer;

  explicit Run(const Options& options, at::ScalarType type = at::kDouble) {
    at::Generator generator = at::detail::createCPUGenerator(3);
    for (const std::vector<std::int64_t>& size : {std::vector<std::int64_t>{5, 3}, {3}, {4, 2, 3, 3}, {1}})
      parameters.push_back(torch::randn(size, generator, at::TensorOptions().dtype(type)).requires_grad_());
    auto own = std::make_unique<Options>(options);
    own->weight_decay(0.3);
    std::vector<optim::OptimizerParamGroup> groups;
    groups.emplace_back(std::vector<at::Tensor>{parameters[0], parameters[1]});
    groups.emplace_back(std::vector<at::Tensor>{parameters[2], parameters[3]}, std::move(own));
    optimizer = std::make_unique<O>(groups, options);
  }

  /// Step `i` of a run: other rates in every step, and now and then a parameter without gradient.
  void step(int i) {
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      at::Generator generator = at::detail::createCPUGenerator(static_cast<std::uint64_t>(100 * i) + p);
      parameters[p].mutable_grad() =
          (i + static_cast<int>(p)) % 4 == 0
              ? at::Tensor()
              : torch::randn(parameters[p].sizes(), generator, at::TensorOptions().dtype(parameters[p].scalar_type()));
    }
    optimizer->param_groups()[0].options().set_lr(0.01 * (1 + i % 3));
    optimizer->param_groups()[1].options().set_lr(0.1 / (1 + i));
    optimizer->step();
  }
};

template <class A, class B>
void same(const A& a, const B& b, double tolerance) {
  for (std::size_t p = 0; p < a.parameters.size(); ++p) {
    const at::Tensor &x = a.parameters[p], &y = b.parameters[p];
    CHECK(x.sub(y).abs().max().template item<double>() <= tolerance * y.abs().max().template item<double>());
  }
}

template <class Fused, class Plain, class Options>
void equals(const Options& options) {
  Run<Fused, Options> fused(options);
  Run<Plain, Options> plain(options);
  for (int i = 0; i < 20; ++i) fused.step(i), plain.step(i);
  same(fused, plain, 1e-12);
}

/// A run that goes on from an archive, of its own kind or of torch::optim's, is the run that was not cut.
template <class Fused, class Plain, class Options>
void resumes(const Options& options) {
  Run<Fused, Options> whole(options), first(options), second(options);
  Run<Plain, Options> plain(options), after(options);
  for (int i = 0; i < 20; ++i) whole.step(i);
  for (int i = 0; i < 9; ++i) first.step(i), plain.step(i);
  const auto moved = [](auto& from, auto& to) {
    std::stringstream memory;
    torch::save(*from.optimizer, memory);
    torch::load(*to.optimizer, memory);
    const torch::NoGradGuard no_grad;
    for (std::size_t p = 0; p < to.parameters.size(); ++p) to.parameters[p].copy_(from.parameters[p]);
  };
  moved(first, second), moved(plain, after);
  for (int i = 9; i < 20; ++i) second.step(i), after.step(i);
  same(second, whole, 0);
  same(after, whole, 1e-12);
  Run<Fused, Options> crossed(options);
  moved(plain, crossed);
  for (int i = 9; i < 20; ++i) crossed.step(i);
  same(crossed, whole, 1e-12);
}

const auto kAdamW = optim::AdamWOptions(0.02).weight_decay(0.1);
const auto kAdam = optim::AdamOptions(0.02).weight_decay(0.1);
const auto kSgd = optim::SGDOptions(0.02).momentum(0.9).weight_decay(0.1);

}  // namespace

TEST_CASE("the fused optimisers make the steps of torch::optim", "[training][law]") {
  equals<FusedAdamW, optim::AdamW>(kAdamW);
  equals<FusedAdam, optim::Adam>(kAdam);
  equals<FusedAdam, optim::Adam>(optim::AdamOptions(0.02).amsgrad(true));
  equals<FusedSgd, optim::SGD>(kSgd);
  equals<FusedSgd, optim::SGD>(optim::SGDOptions(0.02));
  equals<FusedSgd, optim::SGD>(optim::SGDOptions(0.02).momentum(0.9).nesterov(true));
  equals<FusedSgd, optim::SGD>(optim::SGDOptions(0.02).momentum(0.9).dampening(0.2));
}

TEST_CASE("the fused optimisers go on from archives, theirs and torch::optim's", "[training][law]") {
  resumes<FusedAdamW, optim::AdamW>(kAdamW);
  resumes<FusedAdam, optim::Adam>(kAdam);
  resumes<FusedSgd, optim::SGD>(kSgd);
}

TEST_CASE("what no kernel fits is stepped all the same", "[training][behaviour]") {
  Run<FusedAdamW, optim::AdamWOptions> fused(kAdamW);
  Run<optim::AdamW, optim::AdamWOptions> plain(kAdamW);
  for (auto* parameters : {&fused.parameters, &plain.parameters})
    for (at::Tensor& p : *parameters) p.mutable_grad() = torch::ones_like(p);
  fused.parameters[0].mutable_grad() = torch::ones({3, 5}, torch::kDouble).t();  // lies in another order
  for (int i = 0; i < 3; ++i) fused.optimizer->step(), plain.optimizer->step();
  same(fused, plain, 0);
  at::Tensor on_meta = torch::ones({2}, torch::TensorOptions(torch::kMeta)).requires_grad_();
  on_meta.mutable_grad() = torch::ones_like(on_meta);
  FusedAdamW meta(std::vector<at::Tensor>{on_meta}, kAdamW);
  CHECK_NOTHROW(meta.step());
}
