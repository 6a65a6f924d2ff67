// What is minimised, as coefficients of the losses: Gradient-Blending, BMMQA's two policies, uncertainty weighting.

#include <equipoise/balancing/gradient_blending.hpp>
#include <equipoise/balancing/learning_speed_factors.hpp>
#include <equipoise/balancing/shapley_loss_factors.hpp>
#include <equipoise/weighting/all.hpp>

#include "support/known.hpp"
#include "support/worked.hpp"

namespace eq = equipoise;
using eq::Coalition;
using support::GivenObjectives, support::Known, support::KnownEpoch, support::KnownStep, support::leaf, support::Ones,
    support::printed, support::same;

namespace {

/// Two regressions of two modalities; every coalition's loss is a leaf, the tasks' of different size.
KnownStep two_tasks() {
  Known known(2, 1, {support::KnownKind::regression, support::KnownKind::regression});
  for (std::size_t k = 0; k < 2; ++k) {
    const double unit = k == 0 ? 1 : 10;
    known.losses[k] = {{Coalition(0), leaf(std::vector{1.0 * unit})},
                       {Coalition(1), leaf(std::vector{0.5 * unit})},
                       {Coalition(2), leaf(std::vector{0.7 * unit})},
                       {Coalition(3), leaf(std::vector{0.3 * unit})}};
  }
  return KnownStep(std::move(known));
}

/// ∂ total / ∂ loss of {a}, {b} and all, task by task: the coefficients of what is minimised.
std::vector<double> coefficients(const KnownStep& step, GivenObjectives& objectives) {
  for (const auto& losses : step.known.losses)
    for (auto [coalition, loss] : losses) loss.mutable_grad() = at::Tensor();
  objectives.total().backward();
  std::vector<double> out;
  for (const auto& losses : step.known.losses)
    for (const std::uint64_t s : {1U, 2U, 3U}) {
      const at::Tensor grad = losses.at(Coalition(s)).grad();
      out.push_back(grad.defined() ? grad.item<double>() : 0);
    }
  return out;
}

}  // namespace

TEST_CASE("Gradient-Blending minimises each branch's loss by its weight, within the task's own",
          "[balancing][worked]") {
  KnownStep step = two_tasks();
  GivenObjectives objectives(step.known);
  objectives.with_tasks().find({.task = 1})->weight = 2;
  eq::GradientBlending::State state{{0.118033, 0.734426, 0.147541}};
  eq::GradientBlending{}.on_objectives(state, step, objectives);
  same(coefficients(step, objectives), {0.118033, 0.734426, 0.147541, 2 * 0.118033, 2 * 0.734426, 2 * 0.147541});
}

TEST_CASE("Gradient-Blending probes every branch once in a super-epoch", "[balancing][behaviour]") {
  const Known known(2, 8, {support::KnownKind::regression});
  const eq::GradientBlending policy{.super_epoch = 2, .probe_epochs = 3};
  eq::GradientBlending::State state;
  const auto measured = [&](std::int64_t index, double joint_after) {
    KnownEpoch epoch(known.schema, known.presence, index);
    epoch.probes = {{Coalition::single(0), {1.2, 1.3, 0.4, 0.9}},
                    {Coalition::single(1), {1.5, 1.55, 1.0, 1.2}},
                    {Coalition::full(2), {1.1, 1.2, 0.2, joint_after}}};
    policy.begin_epoch(state, epoch);
    return epoch.probed;
  };
  using Probed = std::vector<std::pair<std::uint64_t, std::int64_t>>;
  const Probed all = {{0b01, 3}, {0b10, 3}, {0b11, 3}};
  CHECK(measured(3, 0.7) == all);  // the first time, wherever a window begins
  same(state.weights, {0.118033, 0.734426, 0.147541});
  CHECK(measured(5, 1.3).empty());
  same(state.weights, {0.118033, 0.734426, 0.147541});
  CHECK(measured(6, 1.3) == all);                                            // the joint branch got worse
  same(state.weights, {0.118033 / 0.852459, 0.734426 / 0.852459, 0}, 3e-6);  // numbers of six digits, divided
}

TEST_CASE("modality loss factors are those of the contributions so far, and the tasks' weights hold for all of it",
          "[balancing][worked]") {
  KnownStep step = two_tasks();
  // Shares (.75, .25) of the first task: factors (0.5, 1.5), times their mean a_0 = 0.5; equal ones of the second.
  eq::ShapleyLossFactors::State factors{{.6, .2, .3, .3}};
  GivenObjectives objectives(step.known);
  objectives.with_tasks().find({.task = 1})->weight = 3;
  eq::ShapleyLossFactors{}.on_objectives(factors, step, objectives);
  same(coefficients(step, objectives), {0.25, 0.75, 1, 1.5, 1.5, 3});
  // Nothing is known before the first step: all factors are a_0.
  eq::ShapleyLossFactors::State unknown;
  GivenObjectives first(step.known);
  eq::ShapleyLossFactors{.mean = 2}.on_objectives(unknown, step, first.with_tasks());
  same(coefficients(step, first), {2, 2, 1, 2, 2, 1});
}

TEST_CASE("complements: the losses of all modalities but one have the mean factor of those that are left",
          "[balancing][worked]") {
  Known known(3, 1, {support::KnownKind::regression});
  for (std::uint64_t s = 0; s < 8; ++s)
    known.losses[0].emplace(Coalition(s), leaf(std::vector{1 - 0.1 * static_cast<double>(s)}));
  KnownStep step(std::move(known));
  // Shares (.6, .3, .1), a ∝ 1 / c: (1, 2, 6) of mean 1 is (1, 2, 6) / 3; times 0.5.
  eq::ShapleyLossFactors::State state{{.6, .3, .1}};
  GivenObjectives objectives(step.known);
  eq::ShapleyLossFactors{.complements = true}.on_objectives(state, step, objectives.with_tasks());
  objectives.total().backward();
  const auto coefficient = [&](std::uint64_t s) { return step.known.losses[0].at(Coalition(s)).grad().item<double>(); };
  const double a = 0.5 / 3, b = 1.0 / 3, c = 1;
  same({coefficient(1), coefficient(2), coefficient(4)}, {a, b, c});
  same({coefficient(3), coefficient(5), coefficient(6)}, {(a + b) / 2, (a + c) / 2, (b + c) / 2});
  same({coefficient(7)}, {1});
  // Two modalities have no others: nothing changes.
  KnownStep two = two_tasks();
  eq::ShapleyLossFactors::State factors{{.6, .2, .3, .3}};
  GivenObjectives of_two(two.known);
  eq::ShapleyLossFactors{.complements = true}.on_objectives(factors, two, of_two.with_tasks());
  same(coefficients(two, of_two), {0.25, 0.75, 1, 0.5, 0.5, 1});
}

TEST_CASE("learning speed factors are ratios of an epoch's mean losses to those of the first epoch, or the one before",
          "[balancing][worked]") {
  KnownStep step = two_tasks();
  Ones ones(3);
  eq::Gradients gradients(ones.parameters);
  // The mean losses of {a} and {b} over three epochs: a falls to a half and a quarter, b to 0.9 and 0.9. The second
  // task stays as it is.
  const auto factors_after = [&](const eq::LearningSpeedFactors& policy, std::size_t epochs) {
    eq::LearningSpeedFactors::State state;
    const std::vector<std::pair<double, double>> means = {{.8, 1}, {.4, .9}, {.2, .9}};
    for (std::size_t e = 0; e <= epochs; ++e) {
      KnownEpoch epoch(step.known.schema, step.known.presence, static_cast<std::int64_t>(e));
      policy.begin_epoch(state, epoch);
      if (e == epochs) break;
      for (const double part : {-0.1, 0.1}) {  // of two steps
        step.known.losses[0][Coalition(1)] = leaf(std::vector{means[e].first + part});
        step.known.losses[0][Coalition(2)] = leaf(std::vector{means[e].second - part});
        policy.on_gradients(state, step, gradients);
      }
    }
    GivenObjectives objectives(step.known);
    policy.on_objectives(state, step, objectives.with_tasks());
    same(ones.gradients(), {1, 1, 1}, 0);
    return coefficients(step, objectives);
  };
  const eq::LearningSpeedFactors start{}, previous{.since = eq::SpeedSince::previous};
  // Nothing is known of a speed before two epochs; the mean factor is 0.5.
  for (const std::size_t epochs : {0U, 1U}) same(factors_after(start, epochs), {0.5, 0.5, 1, 0.5, 0.5, 1});
  // r = (.5, .9): factors 2 (.5, .9) / 1.4, times 0.5.
  same(factors_after(start, 2), {.5 / 1.4, .9 / 1.4, 1, 0.5, 0.5, 1});
  same(factors_after(previous, 2), {.5 / 1.4, .9 / 1.4, 1, 0.5, 0.5, 1});
  // r = (.25, .9) since the start, (.5, 1) since the epoch before.
  same(factors_after(start, 3), {.25 / 1.15, .9 / 1.15, 1, 0.5, 0.5, 1});
  same(factors_after(previous, 3), {.5 / 1.5, 1 / 1.5, 1, 0.5, 0.5, 1});
  same(factors_after({.gamma = 2}, 2), {.25 / 1.06, .81 / 1.06, 1, 0.5, 0.5, 1});
  same(factors_after({.gamma = 0}, 2), {0.5, 0.5, 1, 0.5, 0.5, 1});
  same(factors_after({.gamma = 1e4}, 2), {0.125, 0.875, 1, 0.5, 0.5, 1});  // within the limits
  same(factors_after({.min_factor = 0.8}, 2), {0.4, 0.6, 1, 0.5, 0.5, 1});
}

TEST_CASE("learning speed factors are equal where a loss is not positive, and follow only passes of all modalities",
          "[balancing][worked]") {
  KnownStep step = two_tasks();
  Ones ones(3);
  eq::Gradients gradients(ones.parameters);
  const eq::LearningSpeedFactors policy{};
  eq::LearningSpeedFactors::State state{{1, -.5, 1, 1}, {.5, -.9, .5, .9}, {0, 0, 0, 0}, {0, 0, 0, 0}};
  GivenObjectives objectives(step.known);
  policy.on_objectives(state, step, objectives.with_tasks());
  same(coefficients(step, objectives), {0.5, 0.5, 1, .5 / 1.4, .9 / 1.4, 1});
  step.now.active = Coalition::single(0);
  policy.on_gradients(state, step, gradients);
  same(state.records, {0, 0, 0, 0}, 0);
  // An epoch that shows nothing leaves what was known.
  KnownEpoch epoch(step.known.schema, step.known.presence, 5);
  policy.begin_epoch(state, epoch);
  same(state.last, {.5, -.9, .5, .9}, 0);
}

TEST_CASE("BMMQA's two policies minimise Σ w_t [l_t + Σ a_tm l_tm], in either order", "[balancing][worked]") {
  KnownStep step = two_tasks();
  // Shares (.9, .1) and (.4, .6); the second one lives on the modality that is used less.
  const double u = .9 / 1.3 + .1 / .7, v = .4 / 1.3 + .6 / .7, w = 2 * u / (u + v), x = 2 * v / (u + v);
  eq::ShapleyLossFactors::State factors{{.9, .1, .4, .6}};
  eq::ContributionWeighting::State weights{{.9, .1, .4, .6}};
  // a ∝ 1 / c of mean 1 and within [0.25, 4], times 0.5: 2 (.1, .9) → (.25, 1.75), and (1.2, .8).
  const std::vector<double> expected = {w * .125, w * .875, w, 2 * x * .6, 2 * x * .4, 2 * x};
  const eq::ShapleyLossFactors factor{};
  const eq::ContributionWeighting weight{};
  for (const bool factors_first : {true, false}) {
    GivenObjectives objectives(step.known);
    objectives.with_tasks().find({.task = 1})->weight = 2;  // what somebody else has given it
    if (factors_first) factor.on_objectives(factors, step, objectives);
    weight.on_objectives(weights, step, objectives);
    if (!factors_first) factor.on_objectives(factors, step, objectives);
    same(coefficients(step, objectives), expected);
  }
}

TEST_CASE("contributions follow the step's own losses, and only where all modalities are in the pass",
          "[balancing][worked]") {
  KnownStep step = two_tasks();
  Ones ones(3);
  eq::Gradients gradients(ones.parameters);
  const auto follows = [&](const auto& policy) {
    typename std::decay_t<decltype(policy)>::State state;
    policy.on_gradients(state, step, gradients);
    same(state.contributions, {0.45, 0.25, 4.5, 2.5});  // of l = (1, .5, .7, .3) l(∅), in the loss's unit
    state.contributions = {1, 0, 0, 1};
    policy.on_gradients(state, step, gradients);
    same(state.contributions, {0.8 + 0.2 * 0.45, 0.2 * 0.25, 0.2 * 4.5, 0.8 + 0.2 * 2.5});
    step.now.active = Coalition::single(0);
    policy.on_gradients(state, step, gradients);
    same(state.contributions, {0.8 + 0.2 * 0.45, 0.2 * 0.25, 0.2 * 4.5, 0.8 + 0.2 * 2.5}, 1e-12);
    step.now.active = step.full();
    same(ones.gradients(), {1, 1, 1}, 0);
  };
  follows(eq::ShapleyLossFactors{.momentum = 0.8});
  follows(eq::ContributionWeighting{.momentum = 0.8});
}

TEST_CASE("uncertainty weighting of the worked losses, and its gradient", "[weighting][worked]") {
  KnownStep step(Known(2, 1, {support::KnownKind::regression}));
  eq::UncertaintyWeighting::State state{leaf(std::vector{0.2})};
  const auto total = [&](double loss) {
    GivenObjectives objectives(step.known);
    objectives.add({.task = 0}, torch::tensor(loss, torch::kDouble));
    eq::UncertaintyWeighting{}.on_objectives(state, step, objectives);
    return objectives.list()[0].value;
  };
  const at::Tensor first = total(1);
  first.backward();
  CHECK(state.log_variance.grad()[0].item<double>() == printed(0.090635));
  state.log_variance = leaf(std::vector{-0.1});
  const at::Tensor second = total(0.5);
  second.backward();
  CHECK(state.log_variance.grad()[0].item<double>() == printed(0.223707));
  CHECK((first + second).item<double>() == printed(0.735658));
  // The best s for a loss is its logarithm: there the gradient vanishes.
  state.log_variance = leaf(std::vector{std::log(0.5)});
  total(0.5).backward();
  CHECK(state.log_variance.grad()[0].item<double>() == printed(0, 1e-12));
}

TEST_CASE("uncertainty weighting of a classification has no half before the loss, and derived losses share its factor",
          "[weighting][worked]") {
  KnownStep step(Known(2, 1, {support::KnownKind::regression, support::KnownKind::classification}));
  eq::UncertaintyWeighting::State state{leaf(std::vector{0.2, -0.1})};
  const at::Tensor loss = leaf(std::vector{1.0}), own = leaf(std::vector{3.0}), other = leaf(std::vector{1.0});
  GivenObjectives objectives(step.known);
  objectives.add({.task = 0}, other[0]);
  objectives.add({.task = 1}, loss[0]);
  objectives.add({.task = 1, .kind = eq::ObjectiveKind::unimodal}, own[0]);
  eq::UncertaintyWeighting{}.on_objectives(state, step, objectives);
  objectives.total().backward();
  // e^0.1 (1 + 3) - 0.05, and e^-0.2 / 2 + 0.1 of the regression
  CHECK(objectives.total().item<double>() == printed(4 * 1.105171 - 0.05 + 0.509365, 4e-6));  // four times six digits
  same({loss.grad().item<double>(), own.grad().item<double>(), other.grad().item<double>()},
       {1.105171, 1.105171, 0.409365});
  same(support::numbers(state.log_variance.grad()), {-0.409365 + 0.5, -4 * 1.105171 + 0.5}, 4e-6);
}

TEST_CASE("uncertainty weighting's own term is a micro-batch's part of it", "[weighting][worked]") {
  KnownStep step(Known(2, 1, {support::KnownKind::classification}));
  eq::UncertaintyWeighting::State state{leaf(std::vector{0.4})};
  GivenObjectives quarter(step.known, 0.25);
  quarter.add({.task = 0}, torch::zeros({}, torch::kDouble));
  eq::UncertaintyWeighting{}.on_objectives(state, step, quarter);
  CHECK(quarter.total().item<double>() == printed(0.25 * 0.2, 1e-12));
}
