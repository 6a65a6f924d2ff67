// MMPareto through its hooks: what becomes of the gradients of the joint loss and of each modality's own.

#include <ATen/CPUGeneratorImpl.h>

#include <equipoise/balancing/mmpareto.hpp>

#include "support/known.hpp"
#include "support/worked.hpp"

namespace eq = equipoise;
using eq::Coalition;
using support::GivenObjectives, support::Known, support::KnownStep, support::leaf, support::numbers, support::same;

namespace {

at::Tensor table(std::initializer_list<double> values, std::int64_t columns) {
  return torch::tensor(std::vector<double>(values), torch::kDouble).view({-1, columns});
}

}  // namespace

TEST_CASE("MMPareto combines each modality's gradients, and sums the shared ones", "[balancing][worked]") {
  // Linear losses, whose gradients are the worked vectors; every modality's own loss also reaches the shared tensor.
  const std::vector<at::Tensor> g = {table({1, 0}, 2), table({1, 0}, 2), table({1, 0}, 2)},
                                u = {table({-0.5, 1}, 2), table({-0.2, 3}, 2), table({1, 1}, 2)};
  eq::ParameterGroups groups;
  for (std::size_t m = 0; m < 4; ++m) groups.push_back({leaf(torch::zeros({1, 2}, torch::kDouble))});
  const at::Tensor lonely = leaf(std::vector{0.0});  // of the joint loss alone: no part of the angle
  groups[0].push_back(lonely);
  const auto combined = [&](double weight) {
    Known known(3, 1, {support::KnownKind::regression});
    at::Tensor joint = groups[3][0].sum() * 2 + lonely.sum();
    for (std::size_t m = 0; m < 3; ++m) {
      joint = joint + (groups[m][0] * g[m]).sum();
      known.losses[0][Coalition::single(m)] = ((groups[m][0] * u[m]).sum() + groups[3][0].sum()).unsqueeze(0);
    }
    known.losses[0][Coalition::full(3)] = joint.unsqueeze(0);
    for (auto& group : groups)
      for (at::Tensor& p : group) p.mutable_grad() = at::Tensor();
    KnownStep step(std::move(known));
    GivenObjectives objectives(step.known);
    objectives.with_tasks().list()[0].weight = weight;
    const eq::MMPareto policy{};
    eq::MMPareto::State state;
    policy.on_objectives(state, step, objectives);
    eq::Gradients gradients(groups);
    objectives.collect(gradients);
    policy.on_gradients(state, step, gradients);
  };
  for (const double weight : {1.0, 2.0}) {  // a task's weight is its unimodal losses' too
    combined(weight);
    const auto expected = [&](double x, double y) { return std::vector{weight * x, weight * y}; };
    same(numbers(groups[0][0].grad()), expected(0.930261, 1.395391), 2e-6);  // twice a number of six digits
    same(numbers(groups[1][0].grad()), expected(4.324150, 1.729660), 2e-6);
    same(numbers(groups[2][0].grad()), expected(3, 1.5));
    same(numbers(groups[3][0].grad()), expected(5, 5));
    same(numbers(lonely.grad()), {weight});
  }
}

namespace {

/// What MMPareto makes of one modality's parameters, of which the joint loss has the gradients g and its own u.
std::vector<double> combined(const std::vector<at::Tensor>& g, const std::vector<at::Tensor>& u, bool per_tensor) {
  eq::ParameterGroups groups(3);
  groups[1].push_back(leaf(std::vector{0.0}));
  Known known(2, 1, {support::KnownKind::regression});
  at::Tensor joint = groups[1][0].sum(), own = torch::zeros({}, torch::kDouble);
  for (std::size_t p = 0; p < g.size(); ++p) {
    groups[0].push_back(leaf(torch::zeros_like(g[p])));
    joint = joint + (groups[0][p] * g[p]).sum(), own = own + (groups[0][p] * u[p]).sum();
  }
  known.losses[0] = {{Coalition::full(2), joint.unsqueeze(0)},
                     {Coalition::single(0), own.unsqueeze(0)},
                     {Coalition::single(1), groups[1][0].sum().unsqueeze(0)}};
  KnownStep step(std::move(known));
  GivenObjectives objectives(step.known);
  objectives.with_tasks();
  const eq::MMPareto policy{.per_tensor = per_tensor};
  eq::MMPareto::State state;
  policy.on_objectives(state, step, objectives);
  eq::Gradients gradients(groups);
  objectives.collect(gradients);
  policy.on_gradients(state, step, gradients);
  std::vector<double> out;
  for (const at::Tensor& p : groups[0])
    for (const double x : numbers(p.grad())) out.push_back(x);
  return out;
}

}  // namespace

TEST_CASE("MMPareto keeps the magnitude of the group, or of each tensor", "[balancing][worked]") {
  // g = (1, 0 | 0.2, 0), u = (-0.5, 1 | 0.1, 0.1): λ = 0.535168 of the whole group in both forms.
  const std::vector<at::Tensor> g = {table({1, 0}, 2), table({0.2, 0}, 2)},
                                u = {table({-0.5, 1}, 2), table({0.1, 0.1}, 2)};
  same(combined(g, u, false), {0.913748, 1.402927, 0.463335, 0.140293});
  // |g + u| / |h| = 1.007724, and 0.985749 < 1
  same(combined(g, u, true), {0.915273, 1.405267, 0.460550, 0.139450});
}

TEST_CASE("MMPareto keeps the sum of a tensor's gradients that cancel in h", "[balancing][worked]") {
  // λ = (2 + 3) / (12 + 2 + 6) = 1/4: h = (3 - 3) / 2 of the first tensor; (.5, .5, .5, 1.5) of the second, whose factor
  // is 1.5 · 2 / √3 = √3.
  const std::vector<at::Tensor> g = {table({3}, 1), table({1, 1, 1, 0}, 4)},
                                u = {table({-1}, 1), table({0, 0, 0, 1}, 4)};
  const double x = std::sqrt(3.0) / 2;
  same(combined(g, u, true), {2, x, x, x, 3 * x});
}

TEST_CASE("MMPareto keeps the sum of gradients that cancel in h but for rounding", "[balancing][numeric]") {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
  for (const auto dtype : {torch::kFloat, torch::kDouble})
    for (const bool per_tensor : {false, true})
      for (int draw = 0; draw < 20; ++draw) {
        const at::Tensor x = torch::randn({50}, generator, torch::kDouble).to(dtype);
        const std::vector<double> got = combined({x * 3.3}, {x * -1.1}, per_tensor);
        const double error = dtype == torch::kFloat ? 1e-5 : 1e-12;
        CHECK((torch::tensor(got, torch::kDouble) - x * 2.2).abs().max().item<double>() < error);
      }
}
