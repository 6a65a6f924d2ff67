// What policies leave alone, or leave out, where a number is not finite or nothing can be compared; and that they go on
// in the next step as if it had not been.

#include <equipoise/balancing/agm.hpp>
#include <equipoise/balancing/ogm.hpp>
#include <equipoise/balancing/opm.hpp>
#include <equipoise/balancing/shapley_loss_factors.hpp>
#include <equipoise/weighting/contribution_weighting.hpp>

#include <limits>

#include "support/known.hpp"
#include "support/worked.hpp"

namespace eq = equipoise;
using eq::Coalition;
using support::Known, support::KnownStep, support::Ones, support::printed, support::same;

namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();

/// Gives the records of one regression the losses of ∅, a, b and both.
void say(KnownStep& step, const std::array<double, 4>& losses) {
  for (std::size_t s = 0; s < 4; ++s)
    step.known.losses[0][Coalition(s)] = torch::full({step.known.presence.records()}, losses[s], torch::kDouble);
}

KnownStep regression() {
  return KnownStep(Known(2, 4, {support::KnownKind::regression}));
}

/// What a policy makes of gradients of ones.
template <class P>
std::vector<double> gradients_of(const P& policy, typename P::State& state, KnownStep& step) {
  Ones ones(step.modalities() + 1);
  eq::Gradients gradients(ones.parameters);
  policy.on_gradients(state, step, gradients);
  return ones.gradients();
}

/// One record of two classes, of which each modality's own cross-entropy is given.
KnownStep classification(double a, double b) {
  const auto logits = [](double loss) { return torch::tensor({{-std::log(std::expm1(loss)), 0.0}}, torch::kDouble); };
  Known known(2, 1, {support::KnownKind::classification});
  known.targets[0] = torch::zeros({1}, torch::kLong);
  known.outputs[0] = {{Coalition(0), torch::zeros({1, 2}, torch::kDouble)},
                      {Coalition(1), logits(a)},
                      {Coalition(2), logits(b)},
                      {Coalition(3), logits(a) + logits(b)}};
  return KnownStep(std::move(known));
}

}  // namespace

TEST_CASE("a loss that is not finite has no score and leaves tau where it was", "[balancing][numeric]") {
  for (const double wrong : {kInfinite, kNaN}) {
    KnownStep step = regression();
    std::vector<double> tau;
    const auto scores = [&](eq::Score kind, double a, double b) {
      say(step, {0.2, a, b, 0});
      return eq::modality_scores(step, kind, tau);
    };
    for (const double s : scores(eq::Score::exp_loss, 0.04, wrong)) CHECK(std::isnan(s));  // there is no scale yet
    same(tau, {0});
    same(scores(eq::Score::exp_loss, 0.04, 0.16), {0.670320, 0.201897});
    for (const auto& [kind, known] : {std::pair(eq::Score::exp_loss, 0.670320), std::pair(eq::Score::skill, 0.8),
                                      std::pair(eq::Score::inverse_loss, 1.0)}) {
      const std::vector<double> s = scores(kind, 0.04, wrong);
      CHECK(s[0] == printed(known));
      CHECK(std::isnan(s[1]));
    }
    same(tau, {0.1}, 1e-12);
    say(step, {wrong, 0.04, 0.16, 0});
    for (const double s : eq::modality_scores(step, eq::Score::skill, tau)) CHECK(std::isnan(s));
  }
}

TEST_CASE("OGM and OPM leave out a step whose losses are not finite, say so, and act in the next one",
          "[balancing][numeric]") {
  for (const double wrong : {kInfinite, kNaN}) {
    KnownStep step = regression();
    const eq::Ogm ogm{.alpha = 0.3, .noise = false};
    const eq::Opm opm{.probability = 1};
    eq::Ogm::State ogm_state;
    eq::Opm::State opm_state;
    const auto dropped = [&] {
      const at::Tensor x = torch::ones({4, 4}, torch::kDouble);
      eq::Features features{{eq::Feature(x), eq::Feature(x)}, step.known.presence};
      opm.on_features(opm_state, step, features);
      return step.logged.at("opm/q/a");
    };
    say(step, {0.2, 0.04, wrong, 0});
    same(gradients_of(ogm, ogm_state, step), {1, 1, 1}, 0);
    CHECK(dropped() == 0);
    CHECK(step.logged.at("ogm/skipped/b") == 1);
    CHECK(step.logged.at("opm/skipped/b") == 1);
    ++step.before;
    say(step, {0.2, 0.04, 0.16, 0});
    same(gradients_of(ogm, ogm_state, step), {0.240076, 1, 1});
    CHECK(dropped() == printed(0.5 * (1 + 0.5 * std::tanh(2.320117))));
    CHECK(step.logged.at("ogm/skipped/b") == 0);
    CHECK(step.logged.at("opm/skipped/b") == 0);
  }
}

TEST_CASE("AGM's running means follow a factor that has come to zero, and let it go", "[balancing][numeric]") {
  KnownStep step = classification(0.1, 8);
  eq::Agm::State state;
  // ratio = exp(±7.9) against τ = 1: κ_a = exp(1 - 2697) is less than any number.
  same(gradients_of(eq::Agm{.alpha = 1}, state, step), {0, std::exp(1 - std::exp(-7.9)), 1});
  CHECK(step.logged.at("agm/skipped") == 0);
  same(state.running, {0.1, 8});
  same(gradients_of(eq::Agm{.alpha = 1}, state, step), {1, 1, 1});  // its own mean is what it is
}

TEST_CASE("AGM's running means follow a factor that is beyond all numbers, which is left out", "[balancing][numeric]") {
  KnownStep step = classification(0.1, 8);
  const eq::Agm steep{.alpha = 1e4};
  eq::Agm::State state;
  same(gradients_of(steep, state, step), {1, 1, 1}, 0);  // κ_b = exp(1e4 (1 - exp(-7.9)))
  CHECK(step.logged.at("agm/skipped") == 1);
  same(state.running, {0.1, 8});
  same(gradients_of(steep, state, step), {1, 1, 1});
  CHECK(step.logged.at("agm/skipped") == 0);
}

TEST_CASE("a batch of which the prior is exactly right weighs no more than any other in running contributions",
          "[balancing][numeric]") {
  const auto follows = [](const auto& policy) {
    KnownStep step = regression();
    typename std::decay_t<decltype(policy)>::State state;
    say(step, {1, .5, .7, .3});
    (void)gradients_of(policy, state, step);
    same(state.contributions, {.45, .25});
    say(step, {0, .5, .7, .3});  // a part of l(∅) would be without end
    (void)gradients_of(policy, state, step);
    same(state.contributions, {.95 * .45 - .05 * .05, .95 * .25 - .05 * .25});
    const std::vector<double> before = state.contributions;
    say(step, {std::numeric_limits<double>::infinity(), .5, .7, .3});
    (void)gradients_of(policy, state, step);
    same(state.contributions, before, 0);
  };
  follows(eq::ShapleyLossFactors{});
  follows(eq::ContributionWeighting{});
}

TEST_CASE("a modality contributes over the records that have it, and stays what it was where nobody has",
          "[balancing][missing]") {
  const auto follows = [](const auto& policy) {
    KnownStep step = regression();
    typename std::decay_t<decltype(policy)>::State state;
    const auto batch = [&](std::vector<std::uint64_t> masks) {
      std::vector<double> b, both;
      for (const std::uint64_t mask : masks) b.push_back(mask == 3 ? .7 : 1), both.push_back(mask == 3 ? .3 : .5);
      step.known.presence = eq::Presence(std::move(masks), 1, 2);
      say(step, {1, .5, .7, .3});
      step.known.losses[0][Coalition(2)] = torch::tensor(b, torch::kDouble);
      step.known.losses[0][Coalition(3)] = torch::tensor(both, torch::kDouble);
      (void)gradients_of(policy, state, step);
      return state.contributions;
    };
    const std::vector<double> first = batch({1, 1, 1, 1});
    CHECK(first[0] == printed(.5));
    CHECK(std::isnan(first[1]));  // nothing is known of b
    same(batch({3, 3, 1, 1}), {.95 * .5 + .05 * .475, .25});
    same(batch({1, 1, 1, 1}), {.95 * (.95 * .5 + .05 * .475) + .05 * .5, .25});
  };
  follows(eq::ShapleyLossFactors{});
  follows(eq::ContributionWeighting{});
}

TEST_CASE("a modality of which nothing is known has an equal share", "[balancing][missing]") {
  KnownStep step = regression();
  say(step, {1, .5, .7, .3});
  eq::ShapleyLossFactors::State state{{.5, kNaN}};
  support::GivenObjectives objectives(step.known);
  eq::ShapleyLossFactors{}.on_objectives(state, step, objectives.with_tasks());
  same({step.logged.at("share/y/a"), step.logged.at("share/y/b")}, {.5, .5});
}

TEST_CASE("a task whose contributions are not known has no part in the others' weights", "[balancing][missing]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto weights = [&](std::vector<double> contributions, std::size_t tasks) {
    KnownStep step{support::Known(2, 4, std::vector(tasks, support::KnownKind::regression))};
    eq::ContributionWeighting::State state{std::move(contributions)};
    support::GivenObjectives objectives(step.known);
    for (std::size_t k = 0; k < tasks; ++k) objectives.add({.task = k}, torch::ones({}, torch::kDouble));
    eq::ContributionWeighting{}.on_objectives(state, step, objectives);
    std::vector<double> out;
    for (const eq::Objective& o : objectives.list()) out.push_back(o.weight);
    return out;
  };
  same(weights({.9, .1, nan, nan}, 2), {1, 1});
  const std::vector<double> two = weights({.9, .1, .4, .6}, 2);
  same(weights({.9, .1, nan, nan, .4, .6}, 3), {two[0], 1, two[1]});
}
