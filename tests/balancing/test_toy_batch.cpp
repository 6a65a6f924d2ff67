// The common toy batch of the literature's methods, seen by whole policies: C = 3, B = 2, y = (0, 2), logits of three
// modalities, the third of which says nothing.

#include "support/known.hpp"
#include "support/toy.hpp"
#include "support/worked.hpp"

namespace eq = equipoise;
using support::Known, support::KnownStep, support::GivenObjectives, support::Ones, support::printed, support::same;

namespace {

KnownStep toy_step(std::size_t modalities, double smoothing = 0) {
  const std::vector<at::Tensor> z = {torch::tensor({{2.0, 0.0, 0.0}, {0.0, 0.0, 2.0}}, torch::kDouble),
                                     torch::tensor({{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}}, torch::kDouble),
                                     torch::zeros({2, 3}, torch::kDouble)};
  Known known(modalities, 2, {support::KnownKind::classification});
  known.targets[0] = torch::tensor({0, 2}, torch::kLong);
  known.smoothing = smoothing;
  for (std::size_t m = 0; m < modalities; ++m) {
    known.outputs[0][eq::Coalition::single(m)] = z[m];
    known.losses[0][eq::Coalition::single(m)] = known.loss(0, z[m].unsqueeze(0))[0];
  }
  return KnownStep(std::move(known));
}

/// Two unimodal regression losses, and the prior's.
KnownStep regression_step(double a, double b, double prior) {
  Known known(2, 4, {support::KnownKind::regression});
  const auto value = [](double x) { return torch::full({4}, x, torch::kDouble); };
  known.losses[0] = {{eq::Coalition::none(), value(prior)},
                     {eq::Coalition::single(0), value(a)},
                     {eq::Coalition::single(1), value(b)}};
  return KnownStep(std::move(known));
}

}  // namespace

TEST_CASE("scores of the toy batch are the true classes' probabilities, however the loss is smoothed",
          "[balancing][worked]") {
  for (const double smoothing : {0.0, 0.2}) {
    KnownStep step = toy_step(3, smoothing);
    std::vector<double> tau;
    // Means of (0.786986, 0.786986), (0.576117, 0.211942) and a third each: cross-entropy with τ = 1 is that score.
    same(eq::modality_scores(step, eq::Score::exp_loss, tau), {0.786986, 0.394029, 1.0 / 3});
    CHECK(tau == std::vector<double>{1.0});
  }
}

TEST_CASE("scores of two regression losses", "[balancing][worked]") {
  KnownStep step = regression_step(0.04, 0.16, 0.2);
  std::vector<double> tau = {0.1};  // which is their mean: it stays
  same(eq::modality_scores(step, eq::Score::exp_loss, tau), {0.670320, 0.201897});
  CHECK(tau[0] == printed(0.1, 1e-12));
  const std::vector<double> inverse = eq::modality_scores(step, eq::Score::inverse_loss, tau);
  CHECK(inverse[0] / inverse[1] == printed(4));
  same(eq::modality_scores(step, eq::Score::skill, tau), {0.8, 0.2});
}

TEST_CASE("inverse losses of several tasks do not depend on a task's unit", "[balancing][law]") {
  for (const double unit : {1.0, 1000.0}) {
    Known known(2, 1, {support::KnownKind::regression, support::KnownKind::regression});
    const auto value = [](double x) { return torch::full({1}, x, torch::kDouble); };
    known.losses[0] = {{eq::Coalition::single(0), value(0.04)}, {eq::Coalition::single(1), value(0.16)}};
    known.losses[1] = {{eq::Coalition::single(0), value(0.3 * unit)}, {eq::Coalition::single(1), value(0.1 * unit)}};
    KnownStep step(std::move(known));
    std::vector<double> tau;
    // (25, 6.25) and (10/3, 10), each over its mean: (1.6, 0.4) and (0.5, 1.5).
    same(eq::modality_scores(step, eq::Score::inverse_loss, tau), {1.05, 0.95});
  }
}

TEST_CASE("OGM scales the toy batch's gradients, with every ratio", "[balancing][worked]") {
  const auto scaled = [](eq::Ratio ratio, std::size_t modalities) {
    KnownStep step = toy_step(modalities);
    Ones ones(modalities + 1);
    eq::Gradients gradients(ones.parameters);
    eq::Ogm::State state;
    eq::Ogm{.alpha = 0.3, .noise = false, .ratio = ratio}.on_gradients(state, step, gradients);
    return ones.gradients();
  };
  same(scaled(eq::Ratio::mean_of_others, 2), {0.463532, 1, 1});
  same(scaled(eq::Ratio::mean_of_others, 3), {0.428880, 1, 1, 1});
  same(scaled(eq::Ratio::min, 3), {0.390398, 0.659528, 1, 1});
  same(scaled(eq::Ratio::sum_of_others, 3), {1 - std::tanh(0.3 * 0.786986 / (0.394029 + 1.0 / 3)), 1, 1, 1}, 2e-6);
}

TEST_CASE("OGM's application to the update leaves gradients and scales rates; biases can be left alone",
          "[balancing][behaviour]") {
  KnownStep step = toy_step(2);
  Ones ones(3);
  ones.parameters[0].push_back(torch::ones({2}, torch::kDouble).set_requires_grad(true));
  ones.parameters[0][1].mutable_grad() = torch::ones({2}, torch::kDouble);
  eq::Gradients gradients(ones.parameters);
  eq::Ogm::State state;
  eq::Ogm{.noise = false, .application = eq::Application::update}.on_gradients(state, step, gradients);
  same(ones.gradients(), {1, 1, 1});
  same({gradients.rate(0), gradients.rate(1)}, {0.463532, 1});
  eq::Ogm{.noise = false, .skip_1d = true}.on_gradients(state, step, gradients);
  same(ones.gradients(), {0.463532, 1, 1});
  CHECK(ones.parameters[0][1].grad()[0].item<double>() == 1);
}

namespace {

constexpr std::int64_t kEntries = 40000;

/// Groups of the two modalities and of what they share: parameters whose gradients have the deviations 3 and 0.01.
eq::ParameterGroups noisy_groups() {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
  eq::ParameterGroups groups(3);
  for (auto& group : groups)
    for (const double deviation : {3.0, 0.01}) {
      group.push_back(support::leaf(torch::zeros({200, 200}, torch::kDouble)));
      group.back().mutable_grad() = torch::randn({200, 200}, generator, torch::kDouble) * deviation + 1;
    }
  return groups;
}

/// What OGM-GE makes of them.
std::vector<at::Tensor> with_noise(std::uint64_t run) {
  KnownStep step = toy_step(2);
  step.run = run;
  const eq::ParameterGroups groups = noisy_groups();
  eq::Gradients gradients(groups);
  eq::Ogm::State state;
  eq::Ogm{.alpha = 0.3}.on_gradients(state, step, gradients);
  std::vector<at::Tensor> out;
  for (const auto& group : groups)
    for (const at::Tensor& p : group) out.push_back(p.grad());
  return out;
}

double correlation(const at::Tensor& a, const at::Tensor& b) {
  return ((a - a.mean()) * (b - b.mean())).mean().item<double>() / (a.std() * b.std()).item<double>();
}

}  // namespace

TEST_CASE("GE's noise has no mean, and tensor by tensor the deviation of the gradient before it was damped",
          "[balancing][property]") {
  const eq::ParameterGroups groups = noisy_groups();
  const std::vector<at::Tensor> got = with_noise(0);
  const double k[] = {0.463532, 1};                      // of b too, which is not damped
  const double error = 4 / std::sqrt(double(kEntries));  // four standard errors
  std::vector<at::Tensor> noise;
  for (std::size_t m = 0; m < 2; ++m)
    for (std::size_t p = 0; p < 2; ++p) {
      const at::Tensor g = groups[m][p].grad(), n = (got[2 * m + p] - k[m] * g) / g.std();
      CHECK(n.mean().item<double>() == printed(0, error));
      CHECK(n.std().item<double>() == printed(1, error / std::sqrt(2.0)));
      CHECK(correlation(n, g) == printed(0, error));
      noise.push_back(n);
    }
  for (std::size_t i = 0; i < noise.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) CHECK(correlation(noise[i], noise[j]) == printed(0, error));
  for (std::size_t p = 0; p < 2; ++p) CHECK(torch::equal(got[4 + p], groups[2][p].grad()));  // what is shared has none
}

TEST_CASE("GE's noise is the same for a seed, and another for another", "[balancing][law]") {
  const std::vector<at::Tensor> one = with_noise(0), again = with_noise(0), other = with_noise(1);
  for (std::size_t i = 0; i < one.size(); ++i) {
    CHECK(torch::equal(one[i], again[i]));
    CHECK(torch::equal(one[i], other[i]) == (i >= 4));
  }
}

TEST_CASE("OGM-GE applied to the update is OGM-GE applied to the gradient, for plain SGD", "[balancing][law]") {
  const auto moved = [](eq::Application application) {  // gradient times rate
    KnownStep step = toy_step(2);
    const eq::ParameterGroups groups = noisy_groups();
    eq::Gradients gradients(groups);
    eq::Ogm::State state;
    eq::Ogm{.alpha = 0.3, .application = application}.on_gradients(state, step, gradients);
    std::vector<at::Tensor> out;
    for (std::size_t g = 0; g < groups.size(); ++g)
      for (const at::Tensor& p : groups[g]) out.push_back(p.grad() * gradients.rate(g));
    return out;
  };
  const std::vector<at::Tensor> gradient = moved(eq::Application::gradient), update = moved(eq::Application::update);
  for (std::size_t i = 0; i < gradient.size(); ++i) CHECK(torch::allclose(gradient[i], update[i], 0, 1e-12));
}

TEST_CASE("OGM-GE applied to the update of another optimiser keeps the size of the noise", "[balancing][behaviour]") {
  KnownStep step = toy_step(2);
  const eq::ParameterGroups groups = noisy_groups(), before = noisy_groups();
  eq::Gradients gradients(groups, /*plain_steps=*/false);
  eq::Ogm::State state;
  eq::Ogm{.alpha = 0.3, .application = eq::Application::update}.on_gradients(state, step, gradients);
  CHECK(gradients.rate(0) == printed(0.463532));
  const double error = 4 / std::sqrt(double(kEntries));
  for (std::size_t p = 0; p < 2; ++p) {
    const at::Tensor g = before[0][p].grad(), n = (groups[0][p].grad() - g) / g.std();
    CHECK(n.std().item<double>() == printed(1, error / std::sqrt(2.0)));
  }
  CHECK_THROWS_WITH((eq::Ogm{.application = eq::Application::update, .skip_1d = true}.check()),
                    Catch::Contains("Ogm.skip_1d"));
}

TEST_CASE("OPM keeps the dominant modality with probability 1 - q", "[balancing][worked]") {
  KnownStep step = toy_step(2);
  constexpr std::int64_t n = 4000;
  eq::Features features{
      {eq::Feature(torch::ones({n, 4}, torch::kDouble)), eq::Feature(torch::ones({n, 4}, torch::kDouble))},
      eq::Presence(n, 2)};
  eq::Opm::State state;
  eq::Opm{.base = 0.5, .lambda = 0.5, .probability = 1}.on_features(state, step, features);
  CHECK(step.logged.at("opm/q/a") == printed(0.690112));
  CHECK(step.logged.at("opm/q/b") == 0);
  CHECK(features.items[0].value[0][0].item<double>() == printed(1.526848, 2e-6));
  double kept = 0;
  for (std::size_t i = 0; i < n; ++i) {
    kept += features.presence.of_row(i).contains(0);
    REQUIRE(features.presence.of_row(i).contains(1));
  }
  const double q = 0.690112, sigma = std::sqrt(q * (1 - q) / n);
  CHECK(kept / n == printed(1 - q, 3 * sigma));
}
