// The names of the modalities mean nothing to a policy: exchanging them exchanges what it does.

#include "support/catch.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::Kind;

namespace {

eq::TrainerOptions options(std::int64_t batch_size = 8) {
  return {.epochs = 3,
          .batch_size = batch_size,
          .seed = 5,
          .optimizer = eq::Optimizer::sgd,
          .learning_rate = 0.05,
          .holdout = 0.25};
}

/// Options with which a policy draws nothing at random, since a draw knows its modality by number.
template <class P>
P without_chance() {
  if constexpr (requires { P::deterministic(); })
    return P::deterministic();
  else
    return eq::example_of<P>();
}

/// Trains two models on the same records, modality m of the first called to[m] in the second.
template <Kind K, class P>
void permutes(const P& policy, const std::array<std::size_t, 3>& to, const eq::TrainerOptions& o) {
  const auto data = support::toy_data<3, K>(32);
  const std::array<at::Tensor, 3> x = {data.inputs["a"_n], data.inputs["b"_n], data.inputs["c"_n]};
  std::array<at::Tensor, 3> renamed;
  for (std::size_t m = 0; m < 3; ++m) renamed[to[m]] = x[m];
  const auto model = support::toy_model<3, K>(eq::Sum{.width = 6}),
             other = support::toy_model<3, K>(eq::Sum{.width = 6});
  const auto a = model->parameter_groups(), b = other->parameter_groups();
  {
    const torch::NoGradGuard no_grad;
    for (std::size_t m = 0; m < 3; ++m)
      for (std::size_t p = 0; p < a[m].size(); ++p) b[to[m]][p].copy_(a[m][p]);
  }
  eq::Trainer(model, eq::stack(policy), o).fit(data);
  eq::Trainer(other, eq::stack(policy), o)
      .fit(eq::batch(eq::input<"a">(renamed[0]), eq::input<"b">(renamed[1]), eq::input<"c">(renamed[2]),
                     eq::target<"y">(data.targets["y"_n])));
  // Sums over modalities in another order: rounding of doubles, grown over the run.
  for (std::size_t g = 0; g < 4; ++g)
    for (std::size_t p = 0; p < a[g].size(); ++p)
      CHECK((a[g][p] - b[g < 3 ? to[g] : g][p]).abs().max().template item<double>() < 1e-9);
}

}  // namespace

TEST_CASE("task weights do not depend on the order of the modalities", "[weighting][law]") {
  // A run with one task shows nothing of them.
  for (const eq::TaskWeightForm form : {eq::TaskWeightForm::underused, eq::TaskWeightForm::imbalance}) {
    const eq::ContributionWeighting policy{.form = form};
    const auto w = policy.weights({{.7, .2, .1}, {.1, .3, .6}}), turned = policy.weights({{.1, .7, .2}, {.6, .1, .3}});
    for (std::size_t k = 0; k < 2; ++k) CHECK(w[k] == Approx(turned[k]).epsilon(1e-12));
    CHECK(std::abs(w[0] - w[1]) > 0.01);
  }
}

TEMPLATE_LIST_TEST_CASE("relabelling the modalities permutes what a policy does", "[training][law]", eq::EveryPolicy) {
  const auto policy = without_chance<TestType>();
  if constexpr (eq::order_dependence<TestType> == eq::OrderDependence::steps) {
    SUCCEED("each modality's pass sees what those before it have trained: the order is part of the method");
  } else if constexpr (eq::order_dependence<TestType> == eq::OrderDependence::turns) {
    // During the first turn, a's, the others are alike.
    eq::TrainerOptions o = options();
    o.epochs = 2;
    permutes<Kind::regression>(policy, {0, 2, 1}, o);
    permutes<Kind::classification>(policy, {0, 2, 1}, o);
  } else {
    // Records are added modality by modality: only a batch of everything has the same records again.
    const eq::TrainerOptions o = options(eq::adds_records<TestType> ? 1000 : 8);
    for (const std::array<std::size_t, 3>& to : {std::array<std::size_t, 3>{1, 2, 0}, {2, 1, 0}}) {
      permutes<Kind::regression>(policy, to, o);
      permutes<Kind::classification>(policy, to, o);
    }
  }
}
