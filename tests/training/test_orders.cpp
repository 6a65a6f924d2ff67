// What a run does with numbers that leave it, and what the order of a stack may not change.

#include <cmath>

#include "support/catch.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using support::Kind;

namespace {

eq::TrainerOptions options(double rate = 0.01) {
  return {.epochs = 2, .batch_size = 8, .seed = 5, .optimizer = eq::Optimizer::sgd, .learning_rate = rate};
}

at::Tensor trained(eq::PolicyStack policies, std::int64_t micro_batches = 1) {
  const auto model = support::toy_model<3, Kind::classification>(eq::Sum{.width = 6});
  eq::TrainerOptions o = options();
  o.micro_batches = micro_batches;
  eq::Trainer(model, std::move(policies), o).fit(support::toy_data<3, Kind::classification>(32));
  return support::flat_parameters(*model);
}

}  // namespace

TEST_CASE("parameters that leave the numbers end the run, though the loss before them was finite",
          "[training][error]") {
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  auto data = support::toy_data<2, Kind::regression>(8);
  data.targets.for_each([](auto, auto& t) { t.tensor.mul_(1e100); });
  CHECK_THROWS_WITH(eq::Trainer(model, options(1e300)).fit(data),
                    Catch::Contains("numeric.504") && Catch::Contains("after epoch 1"));
}

TEST_CASE("a validation loss that leaves the numbers ends the run", "[training][error]") {
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  const auto data = support::toy_data<2, Kind::regression>(16);
  auto far = support::toy_data<2, Kind::regression>(8);
  far.targets.for_each([](auto, auto& t) { t.tensor.mul_(1e200); });
  CHECK_THROWS_WITH(eq::Trainer(model, options()).fit(data, far),
                    Catch::Contains("numeric.503") && Catch::Contains("task y"));
}

TEST_CASE("validation without a label chooses no epoch", "[training][behaviour]") {
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6}),
             same = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  const auto data = support::toy_data<2, Kind::regression>(16);
  auto unlabelled = support::toy_data<2, Kind::regression>(8);
  unlabelled.targets.for_each([](auto, auto& t) { t.tensor.fill_(std::nan("")); });
  CHECK(eq::Trainer(model, options()).fit(data, unlabelled).best_epoch == -1);
  eq::Trainer(same, options()).fit(data);
  CHECK(torch::equal(support::flat_parameters(*model), support::flat_parameters(*same)));
}

TEST_CASE("task weights reach MMPareto's unimodal losses, whichever comes first", "[training][law]") {
  const eq::MMPareto pareto;
  const eq::ContributionWeighting contributions{.momentum = 0};
  CHECK(torch::equal(trained(eq::stack(contributions, pareto)), trained(eq::stack(pareto, contributions))));
}

TEST_CASE("MMPareto before any task has an objective leaves the gradients alone", "[training][behaviour]") {
  const eq::ReconBoost boost{.alternate_epochs = 2, .rectify_epochs = 0};
  CHECK(torch::equal(trained(eq::stack(eq::MMPareto{}, boost)), trained(eq::stack(boost))));
}

TEST_CASE("contributions of three modalities do not depend on micro-batches", "[training][law]") {
  const auto stack = [] {
    return eq::stack(eq::ShapleyLossFactors{.momentum = 0.5}, eq::ContributionWeighting{.momentum = 0.5});
  };
  CHECK((trained(stack()) - trained(stack(), 4)).abs().max().item<double>() < 1e-9);
}

TEST_CASE("factors and task weights of any exponent are finite, and keep their mean", "[balancing][property]") {
  const std::vector<double> share = {0.9, 0.1, 0};
  for (const eq::FactorForm form : {eq::FactorForm::power, eq::FactorForm::exponential, eq::FactorForm::linear})
    for (const double gamma : {0.0, 1.0, 80.0, 5000.0}) {
      const std::vector<double> a = eq::ShapleyLossFactors::factors(share, form, gamma, 0.25, 4);
      CHECK(a[0] + a[1] + a[2] == Approx(3));
      for (const double x : a) CHECK((x >= 0.25 && x <= 4));
    }
  for (const double gamma : {-5000.0, 0.0, 5000.0}) {
    const std::vector<double> w = eq::ContributionWeighting{.gamma = gamma}.from_imbalance({0.1, 0.9});
    CHECK(w[0] + w[1] == Approx(2));
  }
}
