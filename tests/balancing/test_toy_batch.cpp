// The common toy batch of the literature's methods, seen by whole policies: C = 3, B = 2, y = (0, 2), logits of three
// modalities, the third of which says nothing.

#include <map>

#include "support/toy.hpp"
#include "support/worked.hpp"

namespace eq = equipoise;
using support::printed, support::same;

namespace {

/// A step whose losses are known: one task, one number a coalition and record.
class KnownStep final : public eq::Step {
 public:
  KnownStep(eq::TaskKind kind, std::map<eq::Coalition, at::Tensor> losses, std::size_t modalities)
      : losses_(std::move(losses)), pass_{eq::Coalition::full(modalities), ~std::uint64_t{0}} {
    for (std::size_t m = 0; m < modalities; ++m)
      schema_.modalities.emplace_back(1, support::letter(m)), schema_.widths.push_back(4);
    schema_.tasks.push_back({"y", kind, 3});
  }

  const eq::Schema& schema() const override { return schema_; }
  std::int64_t epoch() const override { return 0; }
  std::int64_t index() const override { return 0; }
  std::size_t pass_index() const override { return 0; }
  const eq::Pass& pass() const override { return pass_; }
  at::Tensor losses(std::size_t, std::span<const eq::Coalition> coalitions, double) override {
    std::vector<at::Tensor> rows;
    for (const eq::Coalition s : coalitions) rows.push_back(losses_.at(s));
    return torch::stack(rows);
  }
  at::Tensor outputs(std::size_t, std::span<const eq::Coalition>) override { return {}; }
  at::Tensor loss_of(std::size_t, const at::Tensor&) override { return {}; }
  at::Tensor joint(std::size_t, eq::Coalition) override { return {}; }
  at::Tensor head_weight(std::size_t) override { return {}; }
  at::Tensor mean(std::size_t, const at::Tensor& values, eq::Coalition, double) override { return values.mean(); }
  std::int64_t count(std::size_t, eq::Coalition, double) const override { return losses_.begin()->second.numel(); }
  double uniform(std::string_view purpose, std::int64_t row, std::uint64_t column) const override {
    return eq::to_uniform(eq::hash_of({eq::hash_of(purpose), static_cast<std::uint64_t>(row), column}));
  }
  std::uint64_t seed(std::string_view purpose) const override { return eq::hash_of(purpose); }
  void log(std::string_view name, double value) override { logged[std::string(name)] = value; }

  std::map<std::string, double> logged;

 private:
  eq::Schema schema_;
  std::map<eq::Coalition, at::Tensor> losses_;
  eq::Pass pass_;
};

KnownStep toy_step(std::size_t modalities) {
  const std::vector<at::Tensor> z = {torch::tensor({{2.0, 0.0, 0.0}, {0.0, 0.0, 2.0}}, torch::kDouble),
                                     torch::tensor({{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}}, torch::kDouble),
                                     torch::zeros({2, 3}, torch::kDouble)};
  const at::Tensor y = torch::tensor({0, 2}, torch::kLong);
  std::map<eq::Coalition, at::Tensor> losses;
  for (std::size_t m = 0; m < modalities; ++m)
    losses[eq::Coalition::single(m)] = torch::cross_entropy_loss(z[m], y, {}, at::Reduction::None);
  return {eq::TaskKind::classification, std::move(losses), modalities};
}

/// Two unimodal regression losses, and the prior's.
KnownStep regression_step(double a, double b, double prior) {
  const auto value = [](double x) { return torch::full({4}, x, torch::kDouble); };
  return {eq::TaskKind::regression,
          {{eq::Coalition::none(), value(prior)},
           {eq::Coalition::single(0), value(a)},
           {eq::Coalition::single(1), value(b)}},
          2};
}

/// Objectives that already are there.
class GivenObjectives final : public eq::Objectives {
 public:
  at::Tensor mean_losses(std::size_t, std::span<const eq::Coalition>, double) override { return {}; }
  at::Tensor outputs(std::size_t, std::span<const eq::Coalition>) override { return {}; }
  at::Tensor loss_of(std::size_t, const at::Tensor&) override { return {}; }
  const at::Tensor& target(std::size_t) const override { return none_; }
  at::Tensor mean(std::size_t, const at::Tensor&, eq::Coalition) override { return {}; }
  const eq::Presence& presence() const override { return presence_; }
  double part_of_batch() const override { return 1; }

 private:
  at::Tensor none_;
  eq::Presence presence_;
};

/// One parameter a group, each with a gradient of one.
struct Ones {
  explicit Ones(std::size_t groups) {
    for (std::size_t g = 0; g < groups; ++g) {
      parameters.push_back({torch::ones({2, 2}, torch::kDouble).set_requires_grad(true)});
      parameters.back()[0].mutable_grad() = torch::ones({2, 2}, torch::kDouble);
    }
  }
  [[nodiscard]] std::vector<double> gradients() const {
    std::vector<double> out;
    for (const auto& group : parameters) out.push_back(group[0].grad()[0][0].item<double>());
    return out;
  }
  eq::ParameterGroups parameters;
};

}  // namespace

TEST_CASE("scores of the toy batch are the true classes' probabilities", "[balancing][worked]") {
  KnownStep step = toy_step(3);
  std::vector<double> tau;
  // Means of (0.786986, 0.786986), (0.576117, 0.211942) and a third each: cross-entropy with τ = 1 is that score.
  same(eq::modality_scores(step, eq::Score::exp_loss, tau), {0.786986, 0.394029, 1.0 / 3});
  CHECK(tau == std::vector<double>{1.0});
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

TEST_CASE("uncertainty weighting of the worked losses, and its gradient", "[weighting][worked]") {
  KnownStep step = regression_step(1, 1, 1);
  eq::UncertaintyWeighting::State state{torch::tensor({0.2}, torch::kDouble).set_requires_grad(true)};
  const auto total = [&](double loss) {
    GivenObjectives objectives;
    objectives.add("y", torch::tensor(loss, torch::kDouble));
    eq::UncertaintyWeighting{}.on_objectives(state, step, objectives);
    return objectives.list()[0].value;
  };
  const at::Tensor first = total(1);
  first.backward();
  CHECK(state.log_variance.grad()[0].item<double>() == printed(0.090635));
  state.log_variance = torch::tensor({-0.1}, torch::kDouble).set_requires_grad(true);
  const at::Tensor second = total(0.5);
  second.backward();
  CHECK(state.log_variance.grad()[0].item<double>() == printed(0.223707));
  CHECK((first + second).item<double>() == printed(0.735658));
  // The best s for a loss is its logarithm: there the gradient vanishes.
  state.log_variance = torch::tensor({std::log(0.5)}, torch::kDouble).set_requires_grad(true);
  total(0.5).backward();
  CHECK(state.log_variance.grad()[0].item<double>() == printed(0, 1e-12));
}
