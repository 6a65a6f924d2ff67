// AGM and MLA through their hooks: which group's gradient becomes what.

#include <equipoise/balancing/agm.hpp>
#include <equipoise/balancing/mla.hpp>

#include <limits>

#include "support/known.hpp"
#include "support/worked.hpp"

namespace eq = equipoise;
using eq::Coalition;
using support::Known, support::KnownEpoch, support::KnownStep, support::leaf, support::numbers, support::Ones,
    support::printed, support::same;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

at::Tensor table(std::initializer_list<double> values, std::int64_t columns) {
  return torch::tensor(std::vector<double>(values), torch::kDouble).view({-1, columns});
}

/// One record whose responses are r_a = (1.5, -0.5) and r_b = (0.5, 1.5).
KnownStep regression_step() {
  Known known(2, 1, {support::KnownKind::regression});
  known.outputs[0] = {{Coalition(0), table({0.2, 0.1}, 2)},
                      {Coalition(1), table({1, 0}, 2)},
                      {Coalition(2), table({0, 2}, 2)},
                      {Coalition(3), table({2, 1}, 2)}};
  return KnownStep(std::move(known));
}

std::vector<double> scaled(const eq::Agm& agm, eq::Agm::State& state, KnownStep& step) {
  Ones ones(step.modalities() + 1);
  eq::Gradients gradients(ones.parameters);
  agm.on_gradients(state, step, gradients);
  return ones.gradients();
}

}  // namespace

TEST_CASE("AGM scales each modality's group of a regression, step after step", "[balancing][worked]") {
  KnownStep step = regression_step();
  const eq::Agm agm{.alpha = 0.1};
  eq::Agm::State state;
  // Errors 0.5 and 1: τ_L is their mean, s = (2/3, 4/3), and the running means were zero. The better one is damped.
  step.known.targets[0] = table({1.5, 0.5}, 2);
  same(scaled(agm, state, step), {0.909579, 1.049862, 1});
  same(state.tau, {0.75});
  same(state.running, {2.0 / 3, 4.0 / 3});
  // Errors 2.125 and 0.125: τ_L = 0.99 · 0.75 + 0.01 · 1.125.
  step.known.targets[0] = table({1, 1.5}, 2);
  same(scaled(agm, state, step), {1.206510, 0.254391, 1});
  same(state.tau, {0.75375});
  same(state.running, {1.742952, 0.749585});
}

TEST_CASE("AGM's factors do not depend on a regression's unit", "[balancing][law]") {
  KnownStep step = regression_step();
  for (auto& [coalition, z] : step.known.outputs[0]) z = z * 1000;
  step.known.targets[0] = table({1500, 500}, 2);
  eq::Agm::State state;
  same(scaled({.alpha = 0.1}, state, step), {0.909579, 1.049862, 1});
}

TEST_CASE("AGM's application to the update leaves gradients and scales rates", "[balancing][behaviour]") {
  KnownStep step = regression_step();
  step.known.targets[0] = table({1.5, 0.5}, 2);
  Ones ones(3);
  eq::Gradients gradients(ones.parameters);
  eq::Agm::State state;
  eq::Agm{.alpha = 0.1, .application = eq::Application::update}.on_gradients(state, step, gradients);
  same(ones.gradients(), {1, 1, 1}, 0);
  same({gradients.rate(0), gradients.rate(1), gradients.rate(2)}, {0.909579, 1.049862, 1});
}

TEST_CASE("AGM scales the toy batch's three groups, and no shared parameter", "[balancing][worked]") {
  const std::vector<at::Tensor> z = {table({2, 0, 0, 0, 0, 2}, 3), table({1, 0, 0, 0, 1, 0}, 3),
                                     torch::zeros({2, 3}, torch::kDouble)};
  Known known(3, 2, {support::KnownKind::classification});
  known.targets[0] = torch::tensor({0, 2}, torch::kLong);
  for (const Coalition s : eq::all_coalitions(3)) {  // a sum of the modalities' outputs: each is its own response
    at::Tensor sum = torch::zeros({2, 3}, torch::kDouble);
    for (std::size_t m = 0; m < 3; ++m)
      if (s.contains(m)) sum = sum + z[m];
    known.outputs[0][s] = sum;
  }
  KnownStep step(std::move(known));
  eq::Agm::State state;
  for (const double smoothing : {0.2, 0.0}) {  // of the loss, which is no part of how well a modality does
    step.known.smoothing = smoothing, state = {};
    same(scaled({.alpha = 1}, state, step), {0.270921, 1.374039, 1.439587, 1});
    same(state.running, {0.239545, 1.051445, 1.098612});
  }
  // A certain error counts as a probability of 1e-8 of the true class.
  for (auto& [coalition, output] : step.known.outputs[0])
    if (coalition.contains(2)) output = output + table({-100, 0, 0, 0, 0, -100}, 3);
  state = {};
  (void)scaled({.alpha = 1e-4}, state, step);
  CHECK(state.running[2] == printed(-std::log(1e-8)));
}

TEST_CASE("AGM leaves gradients and memory alone where a modality cannot be compared", "[balancing][missing]") {
  KnownStep step = regression_step();
  step.known.targets[0] = table({1.5, 0.5}, 2);
  step.known.presence = eq::Presence(std::vector<std::uint64_t>{1}, 1, 2);  // nobody has b
  eq::Agm::State state;
  same(scaled({}, state, step), {1, 1, 1}, 0);
  CHECK(step.logged.at("agm/skipped") == 1);
  CHECK(state.steps == 0);
  step.now.active = Coalition::single(0);  // a pass of one modality
  same(scaled({}, state, step), {1, 1, 1}, 0);
}

TEST_CASE("MLA projects the head's gradient before each pass, on what the passes before left", "[balancing][worked]") {
  Known known(2, 2, {support::KnownKind::regression});
  // Mean head inputs r = (1, 1) of the first modality, (1, -1) of the second.
  known.joint = {{Coalition::single(0), table({0, 3, 2, -1}, 2)}, {Coalition::single(1), table({1, -1, 1, -1}, 2)}};
  known.head_weight = leaf(torch::zeros({2, 2}, torch::kDouble));
  const at::Tensor first = torch::full({2}, 0.4, torch::kDouble), second = torch::full({2}, 0.8, torch::kDouble);
  known.losses[0] = {{Coalition::single(0), first}, {Coalition::single(1), second}};
  KnownEpoch epoch(known.schema, known.presence);
  KnownStep step(std::move(known));
  const eq::Mla mla{};
  eq::Mla::State state{{torch::eye(2, torch::kDouble)}, {kNaN, kNaN}};
  mla.begin_epoch(state, epoch);
  REQUIRE(epoch.plan().passes.size() == 2);
  const auto projected = [&](std::size_t m) {
    step.number = m, step.now = epoch.plan().passes[m];
    CHECK(step.now.active == Coalition::single(m));
    CHECK(step.now.groups == Coalition::of({m, 2}).bits());  // the modality's own, and the shared head
    step.known.head_weight.mutable_grad() = table({1, 2, 3, -1}, 2);
    Ones ones(3);
    eq::Gradients gradients(ones.parameters);
    mla.on_gradients(state, step, gradients);
    same(ones.gradients(), {1, 1, 1}, 0);  // nothing but the head
    return numbers(step.known.head_weight.grad());
  };
  same(projected(0), {1, 2, 3, -1});
  same(numbers(state.projection[0]), {0.523810, -0.476190, -0.476190, 0.523810});
  same(projected(1), {-0.428571, 0.571429, 2.047619, -1.952381});
  same(numbers(state.projection[0]), {1 / 21.0, 0, 0, 1 / 21.0});  // (1, -1) was as yet untouched
  same(state.losses, {0.4, 0.8});
  // The second of two batches: a = 0.1^1.5. Along (1, 0) the rest of P shrinks by a / (a + 1/21).
  step.known.joint[Coalition::single(0)] = table({1, 0, 1, 0}, 2);
  step.known.losses[0][Coalition::single(0)] = second;
  same(projected(0), {1 / 21.0, 2 / 21.0, 3 / 21.0, -1 / 21.0});
  same(numbers(state.projection[0]), {0.0316228 / (0.0316228 + 1 / 21.0) / 21, 0, 0, 1 / 21.0});
  same(state.losses, {0.44, 0.8});  // 0.9 · 0.4 + 0.1 · 0.8
}

TEST_CASE("MLA as released projects each pass by what it has just used itself", "[balancing][worked]") {
  Known known(2, 2, {support::KnownKind::regression});
  known.joint = {{Coalition::single(0), table({0, 3, 2, -1}, 2)}};  // r = (1, 1)
  known.losses[0] = {{Coalition::single(0), torch::full({2}, 0.4, torch::kDouble)}};
  known.head_weight = leaf(torch::zeros({2, 2}, torch::kDouble));
  KnownStep step(std::move(known));
  step.now.active = Coalition::single(0);
  step.known.head_weight.mutable_grad() = table({1, 2, 3, -1}, 2);
  eq::Mla mla;
  mla.form = eq::MlaForm::released;
  eq::Mla::State state{{torch::eye(2, torch::kDouble)}, {kNaN, kNaN}};
  Ones ones(3);
  eq::Gradients gradients(ones.parameters);
  mla.on_gradients(state, step, gradients);
  const double n = std::sqrt(202.0);  // P = ((1, -10), (-10, 1)) / sqrt(202)
  same(numbers(state.projection[0]), {1 / n, -10 / n, -10 / n, 1 / n});
  same(numbers(step.known.head_weight.grad()), {-19 / n, -8 / n, 13 / n, -31 / n});
}

TEST_CASE("MLA's mean head input is of the records that have the modality and a label", "[balancing][missing]") {
  Known known(2, 4, {support::KnownKind::regression});
  known.joint = {{Coalition::single(0), table({0, 3, 2, -1, 50, 50, 0, 0}, 2)}};
  known.losses[0] = {{Coalition::single(0), torch::full({4}, 0.4, torch::kDouble)}};
  known.head_weight = leaf(torch::zeros({2, 2}, torch::kDouble));
  known.label[2] = 0;
  known.presence = eq::Presence(std::vector<std::uint64_t>{3, 1, 3, 2}, 1, 2);
  KnownStep step(std::move(known));
  step.now.active = Coalition::single(0);
  eq::Mla::State state{{torch::eye(2, torch::kDouble)}, {kNaN, kNaN}};
  Ones ones(3);
  eq::Gradients gradients(ones.parameters);
  eq::Mla{}.on_gradients(state, step, gradients);
  same(numbers(state.projection[0]), {0.523810, -0.476190, -0.476190, 0.523810});  // r = (1, 1)
}

TEST_CASE("MLA leaves the projection alone in a pass that no record takes part in", "[balancing][missing]") {
  Known known(2, 1, {support::KnownKind::regression});
  known.joint = {{Coalition::single(0), at::Tensor()}};
  known.presence = eq::Presence(std::vector<std::uint64_t>{2}, 1, 2);
  known.head_weight = leaf(torch::zeros({2, 2}, torch::kDouble));
  KnownStep step(std::move(known));
  step.now.active = Coalition::single(0);
  step.known.head_weight.mutable_grad() = table({1, 2, 3, -1}, 2);
  eq::Mla::State state{{table({0.5, 0, 0, 0.5}, 2)}, {kNaN, kNaN}};
  Ones ones(3);
  eq::Gradients gradients(ones.parameters);
  eq::Mla{}.on_gradients(state, step, gradients);
  same(numbers(state.projection[0]), {0.5, 0, 0, 0.5}, 0);
}

TEST_CASE("MLA weighs a regression's modalities by their running losses", "[balancing][worked]") {
  const eq::Presence both(2, 2);
  const at::Tensor a = torch::ones({1, 2, 1}, torch::kDouble), b = torch::zeros({1, 2, 1}, torch::kDouble);
  const eq::OutputContext context{0, both, [&](const eq::Presence& p) { return p.anywhere(0) ? a : b; }};
  // exp(-u / τ) with u = (0.1, 0.3), τ = 0.2: softmax of (-0.5, -1.5).
  const at::Tensor fused = eq::Mla{}.on_outputs({{}, {0.1, 0.3}}, context, a);
  same(numbers(fused), {0.731059, 0.731059});
}

TEST_CASE("MLA tells a regression's perfect modality from one of which no loss is known", "[balancing][missing]") {
  const eq::Presence presence(std::vector<std::uint64_t>{3, 1}, 1, 2);  // the second record has a alone
  const at::Tensor a = torch::ones({1, 2, 1}, torch::kDouble), b = torch::zeros({1, 2, 1}, torch::kDouble);
  const eq::OutputContext context{0, presence, [&](const eq::Presence& p) { return p.anywhere(0) ? a : b; }};
  const auto fused = [&](double u_a, double u_b) {
    return numbers(eq::Mla{}.on_outputs({{}, {u_a, u_b}}, context, a));
  };
  same(fused(0, 0.3), {0.880797, 1});  // τ = 0.15: softmax of (0, -2)
  same(fused(kNaN, 0.3), {0, 1});      // b alone, and a where there is nothing else
  same(fused(0.3, kNaN), {1, 1});
  same(fused(kNaN, kNaN), {0.5, 1});
}

TEST_CASE("MLA's running loss is that of the first batch, and goes on from a perfect one", "[balancing][worked]") {
  Known known(2, 1, {support::KnownKind::regression});
  known.joint = {{Coalition::single(0), table({1, 1}, 2)}};
  KnownStep step(std::move(known));
  step.now.active = Coalition::single(0);
  eq::Mla::State state{{torch::eye(2, torch::kDouble)}, {kNaN, kNaN}};
  Ones ones(3);
  eq::Gradients gradients(ones.parameters);
  const auto after = [&](double loss) {
    step.known.losses[0] = {{Coalition::single(0), torch::full({1}, loss, torch::kDouble)}};
    eq::Mla{}.on_gradients(state, step, gradients);
    CHECK(std::isnan(state.losses[1]));
    return state.losses[0];
  };
  CHECK(after(0) == 0);
  CHECK(after(0.4) == printed(0.04));
}
