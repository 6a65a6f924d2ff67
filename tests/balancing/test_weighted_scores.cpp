// Policies that compare modalities weigh records as the loss does.

#include <equipoise/balancing/learning_speed_factors.hpp>
#include <equipoise/balancing/ogm.hpp>
#include <equipoise/balancing/shapley_loss_factors.hpp>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/classification.hpp>
#include <equipoise/tasks/regression.hpp>
#include <equipoise/training/trainer.hpp>

#include "support/catch.hpp"

namespace eq = equipoise;

namespace {

/// The factors of OGM's first step, one number a modality.
template <class Head, class Data>
std::vector<double> factors(Head head, const Data& data) {
  torch::manual_seed(3);
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 2}), eq::modality<"b">(eq::Mlp{.in_features = 3}),
                           eq::task<"y">(eq::Concat{.width = 8}, head));
  eq::Trainer trainer(model, eq::Ogm{.alpha = 0.8, .noise = false},
                      {.epochs = 1, .batch_size = 64, .progress = nullptr});
  const eq::History history = trainer.fit(data);
  return {*history.epochs.at(0).find("ogm/k/a"), *history.epochs.at(0).find("ogm/k/b")};
}

}  // namespace

TEST_CASE("A record of weight 0 does not change OGM's factors, one of weight 2 counts as two", "[balancing]") {
  torch::manual_seed(1);
  const at::Tensor a = torch::randn({6, 2}), b = torch::randn({6, 3}), y = a.narrow(1, 0, 1).clone();
  const at::Tensor label = y.squeeze(1).gt(0).to(torch::kLong);
  const auto check = [&](auto head, auto target_of) {
    const auto of = [&](const std::vector<std::int64_t>& rows) {
      const at::Tensor i = torch::tensor(rows);
      return eq::batch(eq::input<"a">(a.index_select(0, i)), eq::input<"b">(b.index_select(0, i)), target_of(i));
    };
    const auto all = of({0, 1, 2, 3, 4, 5});
    const std::vector<double> weighted = factors(head, all.with_weights({1, 2, 0, 1, 0, 2}));
    const std::vector<double> repeated = factors(head, of({0, 1, 1, 3, 5, 5}));
    const std::vector<double> plain = factors(head, all);
    for (std::size_t m = 0; m < 2; ++m) CHECK(weighted[m] == Approx(repeated[m]).epsilon(1e-5));
    CHECK((weighted[0] != Approx(plain[0]).epsilon(1e-5) || weighted[1] != Approx(plain[1]).epsilon(1e-5)));
  };
  check(eq::Classification{.classes = 2},
        [&](const at::Tensor& i) { return eq::target<"y">(eq::Labels{label.index_select(0, i)}); });
  check(eq::Regression{.outputs = 1},
        [&](const at::Tensor& i) { return eq::target<"y">(eq::Values{y.index_select(0, i)}); });
}

TEST_CASE("A record of weight 2 counts as two in contributions and learning speeds where records lack a modality",
          "[balancing]") {
  torch::manual_seed(1);
  const at::Tensor a = torch::randn({6, 2}), b = torch::randn({6, 3}), y = a.narrow(1, 0, 1) + b.narrow(1, 0, 1);
  at::Tensor present = torch::ones({6, 2}, torch::kBool);
  present[1][0] = false, present[3][1] = false;  // of weights 3 and 1
  // The prior is the mean of all targets, whatever their weights: the record of weight 0 brings it to the weighted mean.
  y[2] = 6 * (y[0] + 3 * y[1] + y[3] + 2 * y[5]) / 7 - (y[0] + y[1] + y[3] + y[4] + y[5]);
  const auto of = [&](const std::vector<std::int64_t>& rows) {
    const at::Tensor i = torch::tensor(rows);
    return eq::batch(eq::input<"a">(a.index_select(0, i)), eq::input<"b">(b.index_select(0, i)),
                     eq::target<"y">(eq::Values{y.index_select(0, i)}))
        .with_presence(present.index_select(0, i));
  };
  const auto figures = [&](const auto& policy, const std::string& figure, const auto& data) {
    torch::manual_seed(3);
    auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 2}), eq::modality<"b">(eq::Mlp{.in_features = 3}),
                             eq::task<"y">(eq::Concat{.width = 8}, eq::Regression{.outputs = 1}));
    eq::Trainer trainer(
        model, policy,
        {.epochs = 12, .batch_size = 64, .optimizer = eq::Optimizer::sgd, .learning_rate = 0.1, .progress = nullptr});
    const eq::EpochRecord last = trainer.fit(data).epochs.back();
    return std::vector<double>{*last.find(figure + "/y/a"), *last.find(figure + "/y/b")};
  };
  const auto all = of({0, 1, 2, 3, 4, 5});
  const auto check = [&](const auto& policy, const std::string& figure) {
    const std::vector<double> weighted = figures(policy, figure, all.with_weights({1, 3, 0, 1, 0, 2})),
                              repeated = figures(policy, figure, of({0, 1, 1, 1, 3, 5, 5})),
                              plain = figures(policy, figure, all);
    for (std::size_t m = 0; m < 2; ++m) CHECK(weighted[m] == Approx(repeated[m]).epsilon(1e-4));
    CHECK(weighted[0] != Approx(plain[0]).epsilon(1e-4));
  };
  check(eq::ShapleyLossFactors{.momentum = 0}, "share");
  check(eq::LearningSpeedFactors{}, "left");
}

TEST_CASE("A modality that only records of weight 0 have is not compared", "[balancing]") {
  torch::manual_seed(1);
  at::Tensor present = torch::ones({6, 2}, torch::kBool);
  present.select(1, 1).fill_(false);
  present[2][1] = true;
  const auto data = eq::batch(eq::input<"a">(torch::randn({6, 2})), eq::input<"b">(torch::randn({6, 3})),
                              eq::target<"y">(eq::Labels{torch::tensor({0L, 1L, 0L, 1L, 0L, 1L})}))
                        .with_presence(present)
                        .with_weights({1, 1, 0, 1, 1, 1});
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 2}), eq::modality<"b">(eq::Mlp{.in_features = 3}),
                           eq::task<"y">(eq::Concat{.width = 8}, eq::Classification{.classes = 2}));
  eq::Trainer trainer(model, eq::Ogm{.noise = false}, {.epochs = 1, .batch_size = 64, .progress = nullptr});
  const eq::EpochRecord only = trainer.fit(data).epochs.at(0);
  CHECK(*only.find("ogm/skipped/b") == 1);
  CHECK((only.find("ogm/k/a") == nullptr || *only.find("ogm/k/a") == 1));
}
