// Weights of records in the means that are trained on.

#include <equipoise/data/weights.hpp>

#include "support/catch.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::eager, support::Kind;

namespace {

auto data() {
  return support::toy_data<2, Kind::regression>(16);
}

template <class Data>
at::Tensor trained(const Data& train, eq::TrainerOptions o, eq::PolicyStack policies = {}) {
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  eq::Trainer(model, std::move(policies), o).fit(train);
  return support::flat_parameters(*model);
}

eq::TrainerOptions whole_batches() {
  eq::TrainerOptions o = support::toy_options(2);
  o.batch_size = 64;
  return o;
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace

TEST_CASE("weights are the same as repeated records", "[training][law]") {
  std::vector<std::int64_t> repeated;
  std::vector<double> weights;
  for (std::int64_t i = 0; i < 16; ++i) {
    weights.push_back(static_cast<double>(i % 3));
    for (std::int64_t j = 0; j < i % 3; ++j) repeated.push_back(i);
  }
  // The prior is that of all records, and does not take part in training.
  const auto model = [&](const auto& train) {
    const auto m = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
    eq::Trainer(m, whole_batches()).fit(train);
    return support::flat_parameters(*m);
  };
  // Sums in another order.
  CHECK(difference(model(data().with_weights(weights)), model(data().select(repeated))) < 1e-12);
}

TEST_CASE("equal weights change nothing but rounding, and micro-batches add up", "[training][law]") {
  std::vector<double> weights;
  for (std::int64_t i = 0; i < 16; ++i) weights.push_back(1 + static_cast<double>(i) / 4);
  CHECK(difference(trained(data().with_weights(std::vector<double>(16, 2.5)), whole_batches()),
                   trained(data(), whole_batches())) < 1e-12);
  eq::TrainerOptions cut = whole_batches();
  cut.micro_batches = 4;
  const auto weighted = data().with_weights(weights);
  CHECK(difference(trained(weighted, cut, eq::stack(eq::Ogm{})),
                   trained(weighted, whole_batches(), eq::stack(eq::Ogm{}))) < 1e-9);
  CHECK(difference(trained(weighted, whole_batches()), trained(data(), whole_batches())) > 1e-4);
}

TEST_CASE("the loss of the history is the weighted mean", "[training][worked]") {
  eq::TrainerOptions o = whole_batches();
  o.epochs = 1, o.learning_rate = 1e-14, o.batch_size = 8;
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  std::vector<double> weights(16, 0.0);
  weights[3] = 2, weights[5] = 1;
  const eq::EpochRecord e = eq::Trainer(model, o).fit(data().with_weights(weights)).epochs[0];
  const at::Tensor losses = (model->predict(data())["y"_n] - data().targets["y"_n].tensor).square().mean(1);
  CHECK(*e.find("train/y") == Approx((2 * losses[3].item<double>() + losses[5].item<double>()) / 3).epsilon(1e-6));
}

TEST_CASE("balanced weights make classes count alike", "[training][worked]") {
  const eq::Labels labels{torch::tensor({0, 0, 0, 2, -1}, torch::kLong)};
  const std::vector<double> w = eq::balanced_weights(labels);
  CHECK(w[0] == Approx(4.0 / 6));
  CHECK(w[3] == 2);
  CHECK(w[4] == 1);
  CHECK(w[0] + w[1] + w[2] == Approx(w[3]));
}

TEST_CASE("weights go with their records, and wrong ones are refused", "[training][error]") {
  std::vector<double> weights(16, 1.0);
  weights[4] = 7;
  CHECK(data().with_weights(weights).select(std::array<std::int64_t, 2>{4, 0}).weights == std::vector<double>{7, 1});
  CHECK_THROWS_AS(data().with_weights({1, 2}), eq::ShapeError);
  weights[0] = -1;
  CHECK_THROWS_WITH(data().with_weights(weights), Catch::Contains("value.235"));
  CHECK_THROWS_WITH(data().with_weights(std::vector<double>(16, 0.0)), Catch::Contains("only zeros"));
}
