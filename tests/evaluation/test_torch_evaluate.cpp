#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>
#include <equipoise/evaluation/robustness.hpp>
#include <equipoise/evaluation/task_metrics.hpp>

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>

#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::Kind;

TEST_CASE("a model is scored task by task and coalition by coalition", "[evaluation][behaviour]") {
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  auto data = support::toy_data<2, Kind::classification>(40);
  eq::Trainer(model, support::toy_options(3)).fit(data);
  data.targets["y"_n].tensor[3] = -1;  // a label is missing
  std::vector<std::int64_t> pairs;
  for (std::int64_t i = 0; i < 40; ++i) pairs.push_back(i / 2);
  const auto report = eq::evaluate(*model, data.with_groups(pairs));
  const eq::TaskScores& y = report["y"_n];
  CHECK(y.records == 39);
  REQUIRE(y.coalitions.size() == 4);
  for (const eq::CoalitionScore& s : y.coalitions) {
    CHECK(s.loss.low <= s.loss.value);
    CHECK(s.loss.value <= s.loss.high);
    const at::Tensor z = model->predict(data, {&s.coalition, 1})["y"_n][0];
    const at::Tensor kept = data.targets["y"_n].tensor.ge(0).nonzero().squeeze(1);
    const at::Tensor right = z.argmax(1).eq(data.targets["y"_n].tensor).index_select(0, kept).to(torch::kDouble);
    CHECK(s.accuracy.value == Approx(right.mean().item<double>()));
    CHECK(s.loss.value ==
          Approx(torch::cross_entropy_loss(z.index_select(0, kept), data.targets["y"_n].tensor.index_select(0, kept))
                     .item<double>()));
  }
  CHECK(y.of(eq::Coalition::full(2)).loss.value < y.of(eq::Coalition::none()).loss.value);
  std::ostringstream text;
  text << report;
  CHECK(text.str().find("y (39 records)") != std::string::npos);
  CHECK(text.str().find("a + b") != std::string::npos);
  const eq::Coalition only_a = eq::Coalition::single(0);
  CHECK_THROWS_WITH(eq::evaluate(*model, data, {&only_a, 1})["y"_n].of(eq::Coalition::full(2)),
                    Catch::Contains("name.312"));
}

TEST_CASE("scores of a regression have no accuracy, and data without targets has no scores",
          "[evaluation][behaviour]") {
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  const auto data = support::toy_data<2, Kind::regression>(8);
  CHECK(std::isnan(eq::evaluate(*model, data)["y"_n].coalitions[3].accuracy.value));
  const auto inputs = eq::batch(eq::input<"a">(data.inputs["a"_n]), eq::input<"b">(data.inputs["b"_n]));
  CHECK(eq::evaluate(*model, inputs)["y"_n].coalitions.empty());
  CHECK(std::isnan(eq::shapley(*model, inputs)["a"_n]["y"_n]));
}

TEST_CASE("modules of LibTorch's are encoders with the width that they are said to have", "[encoders][behaviour]") {
  torch::manual_seed(4);
  torch::nn::Sequential layers(torch::nn::Linear(4, 7), torch::nn::Tanh());
  const auto model = eq::compose(eq::modality<"a">(eq::encoder(layers, {.width = 7})),
                                 eq::modality<"b">(eq::encoder(torch::nn::Linear(4, 5), {.width = 5})),
                                 eq::task<"y">(eq::Concat{.width = 6}, eq::Regression{.outputs = 2}));
  model->to(torch::kDouble);
  const auto data = support::toy_data<2, Kind::regression>(32);
  const double before = eq::evaluate(*model, data)["y"_n].of(eq::Coalition::full(2)).loss.value;
  eq::Trainer(model, support::toy_options(4)).fit(data);
  CHECK(eq::evaluate(*model, data)["y"_n].of(eq::Coalition::full(2)).loss.value < before);
  CHECK(model->named_parameters().contains("encoders.a.module.0.weight"));
  CHECK(model->parameter_groups()[0].size() == 3);  // weight, bias, and the fusion's part for it
}

TEST_CASE("intervals are those of the bootstrap over groups, and can be left out", "[evaluation][law]") {
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  auto data = support::toy_data<2, Kind::classification>(60);
  data.targets["y"_n].tensor[3] = -1;
  std::vector<std::int64_t> triples;
  for (std::int64_t i = 0; i < 60; ++i) triples.push_back(100 + (i * 7 % 60) / 3);
  data = data.with_groups(triples);
  const auto report = eq::evaluate(*model, data);
  const eq::CoalitionTable table = eq::coalition_table(*model, model->to_model_batch(data), eq::all_coalitions(2));
  std::vector<std::int64_t> groups;
  for (std::size_t i = 0; i < 60; ++i)
    if (i != 3) groups.push_back(triples[i]);
  for (std::int64_t c = 0; c < 4; ++c) {
    std::vector<double> losses;
    for (std::int64_t i = 0; i < 60; ++i)
      if (i != 3) losses.push_back(table.losses[0][c][i].item<double>());
    const eq::Interval expected = eq::bootstrap(groups, [&](const std::vector<std::size_t>& rows) {
      double sum = 0;
      for (const std::size_t i : rows) sum += losses[i];
      return sum / static_cast<double>(rows.size());
    });
    const eq::Interval& loss = report["y"_n].coalitions[static_cast<std::size_t>(c)].loss;
    CHECK(loss.value == Approx(expected.value).epsilon(1e-12));
    CHECK(loss.low == Approx(expected.low).epsilon(1e-12));
    CHECK(loss.high == Approx(expected.high).epsilon(1e-12));
  }
  const auto bare = eq::evaluate(*model, data, {.intervals = false});
  const eq::Interval& loss = bare["y"_n].coalitions[3].loss;
  CHECK(loss.value == report["y"_n].coalitions[3].loss.value);
  CHECK((std::isnan(loss.low) && std::isnan(loss.high)));
  CHECK_THROWS_WITH(eq::evaluate(*model, data, {.resamples = 0}), Catch::Contains("EvaluateOptions.resamples"));
}

TEST_CASE("the number of records at a time does not change what a model says", "[evaluation][law]") {
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  model->to(torch::kDouble);
  const auto data = support::toy_data<2, Kind::classification>(200);
  const at::Tensor whole = eq::infer(*model, data)["y"_n], parts = eq::infer(*model, data, 7)["y"_n];
  CHECK(torch::allclose(whole, parts, 1e-12, 1e-12));
  const auto all = eq::all_coalitions(2);
  CHECK(torch::allclose(eq::infer(*model, data, all)["y"_n], eq::infer(*model, data, all, 7)["y"_n], 1e-12, 1e-12));
  const double once = eq::evaluate(*model, data)["y"_n].coalitions[2].loss.value;
  CHECK(eq::evaluate(*model, data, {.batch_size = 13})["y"_n].coalitions[2].loss.value == Approx(once).epsilon(1e-12));
}

namespace {

/// The sum of the features, so that a model of `Identity` encoders is linear.
struct PlainSumModule : torch::nn::Module {
  explicit PlainSumModule(std::int64_t joint_width) : size(joint_width) {}
  [[nodiscard]] std::int64_t width() const { return size; }
  [[nodiscard]] static at::Tensor forward(const std::vector<at::Tensor>& features, const at::Tensor&) {
    return features[0] + features[1];
  }
  std::int64_t size;
};
struct PlainSum {
  [[nodiscard]] static std::shared_ptr<PlainSumModule> build(std::span<const eq::FeatureSpec> features) {
    return std::make_shared<PlainSumModule>(features[0].width);
  }
};

/// y = a + b weighted by (1, 2, 2).
auto linear_model() {
  const auto model =
      eq::compose(eq::modality<"a">(eq::Identity{.width = 3}), eq::modality<"b">(eq::Identity{.width = 3}),
                  eq::task<"y">(PlainSum{}, eq::Regression{.metrics = {eq::metric::rmse()}}));
  model->to(torch::kDouble);
  const torch::NoGradGuard no_grad;
  for (auto& item : model->named_parameters())
    item.value().copy_(item.value().dim() == 2 ? torch::tensor({{1., 2., 2.}}, torch::kDouble)
                                               : torch::zeros({1}, torch::kDouble));
  return model;
}

/// Records whose target is the linear model's prediction plus 1, two a group.
auto linear_data(std::int64_t n) {
  torch::manual_seed(6);
  const at::Tensor a = torch::randn({n, 3}, torch::kDouble), b = torch::randn({n, 3}, torch::kDouble);
  const at::Tensor y = (a + b).matmul(torch::tensor({{1.}, {2.}, {2.}}, torch::kDouble)) + 1;
  std::vector<std::int64_t> pairs;
  for (std::int64_t i = 0; i < n; ++i) pairs.push_back(i / 2);
  return eq::batch(eq::input<"a">(a), eq::input<"b">(b), eq::target<"y">(eq::Values{y})).with_groups(pairs);
}

}  // namespace

TEST_CASE("noise of variance s^2 adds |w|^2 s^2 to the loss of a linear model", "[evaluation][worked]") {
  const auto model = linear_model();
  const auto data = linear_data(4000);
  const auto curves = eq::robustness(*model, data, "a"_n, eq::corruption::noise, {0, 0.5, 1, 2});
  const eq::RobustnessCurve& loss = curves["y"_n].of("loss");
  CHECK(curves["y"_n].records == 4000);
  CHECK(loss.clean.value == Approx(1).epsilon(1e-12));
  CHECK(loss.values[0].value == loss.clean.value);
  // The mean of (e - 1)^2 over n records has variance (2 v^2 + 4 v) / n for noise of variance v in the prediction.
  const auto five_sigma = [](double v) { return 5 * std::sqrt((2 * v * v + 4 * v) / 4000); };
  CHECK(loss.values[1].value == Approx(1 + 9 * 0.25).margin(five_sigma(9 * 0.25)));
  CHECK(loss.values[2].value == Approx(1 + 9).margin(five_sigma(9)));
  CHECK(std::isnan(loss.values[1].low));
  // The random numbers are the same at every strength, so the loss is 1 + p s^2 + q s.
  const double half = loss.values[1].value - 1, one = loss.values[2].value - 1;
  const double p = 2 * one - 4 * half, q = one - p;
  CHECK(loss.values[3].value == Approx(1 + 4 * p + 2 * q).epsilon(1e-9));
  CHECK(loss.area.value ==
        Approx((0.25 * (2 + half) + 0.25 * (2 + half + one) + 0.5 * (1 + one + loss.values[3].value)) / 2));
  const eq::RobustnessCurve& rmse = curves["y"_n].of("rmse");
  CHECK(rmse.values[2].value == Approx(std::sqrt(loss.values[2].value)).epsilon(1e-9));
  CHECK_THROWS_WITH(curves["y"_n].of("mae"), Catch::Contains("no figure \"mae\"; there are: loss, rmse"));
  // Without the modality's values the error is w a + 1.
  const auto dropped = eq::robustness(*model, data, "a"_n, eq::corruption::dropout, {1});
  const at::Tensor w = torch::tensor({1., 2., 2.}, torch::kDouble);
  const double all_gone = (data.inputs["a"_n].matmul(w) + 1).square().mean().item<double>();
  CHECK(dropped["y"_n].of("loss").values[0].value == Approx(all_gone).epsilon(1e-12));
  CHECK(dropped["y"_n].of("loss").area.value == Approx(all_gone).epsilon(1e-12));
}

TEST_CASE("strength 0 is what evaluate says, with its intervals", "[evaluation][law]") {
  const auto model = linear_model();
  const auto data = linear_data(60);
  // Of 41 resamples the limits are order statistics, without interpolation.
  const auto report = eq::evaluate(*model, data, {.resamples = 41});
  const eq::CoalitionScore& all = report["y"_n].of(model->full());
  const std::vector<double> strengths = {0, 1};
  const auto noise = eq::corruption::noise;
  const auto curves = eq::robustness(*model, data, "b"_n, noise, strengths, {.resamples = 41});
  const eq::RobustnessCurve &loss = curves["y"_n].curves[0], &rmse = curves["y"_n].curves[1];
  for (const eq::Interval& i : {loss.clean, loss.values[0]}) {
    CHECK(i.value == Approx(all.loss.value).epsilon(1e-12));
    CHECK(i.low == Approx(all.loss.low).epsilon(1e-12));
    CHECK(i.high == Approx(all.loss.high).epsilon(1e-12));
  }
  CHECK(rmse.values[0].value == Approx(all.metrics[0].value).epsilon(1e-12));
  CHECK(rmse.values[1].low == Approx(std::sqrt(loss.values[1].low)).epsilon(1e-9));  // of the same resamples
  CHECK((loss.area.low < loss.area.value && loss.area.value < loss.area.high));

  const auto again = eq::robustness(*model, data, "b"_n, noise, strengths, {.batch_size = 7});
  CHECK(again["y"_n].curves[0].values[1].value == Approx(loss.values[1].value).epsilon(1e-12));
  const auto other = eq::robustness(*model, data, "b"_n, noise, strengths, {.seed = 2});
  CHECK(other["y"_n].curves[0].values[1].value != Approx(loss.values[1].value).epsilon(1e-3));

  CHECK_THROWS_WITH(eq::robustness(*model, data, "b"_n, noise, {}), Catch::Contains("robustness.strengths"));
  CHECK_THROWS_WITH(eq::robustness(*model, data, "b"_n, noise, {1, 1}), Catch::Contains("that increase, got 1 1"));
  CHECK_THROWS_WITH(eq::robustness(*model, data, "b"_n, noise, {-1, 1}), Catch::Contains("Noise.sd: expected >= 0"));
  CHECK_THROWS_WITH(eq::robustness(*model, data.select({}), "b"_n, noise, {1}), Catch::Contains("got none"));
}

TEST_CASE("accuracy has a curve, and records without a label do not count", "[evaluation][behaviour]") {
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  auto data = support::toy_data<2, Kind::classification>(40);
  data.targets["y"_n].tensor[3] = -1;
  const double clean = eq::evaluate(*model, data)["y"_n].of(model->full()).accuracy.value;
  const auto faded = [](double strength) {
    return [strength](const at::Tensor& record, eq::RandomStream&) { return record * (1 - strength); };
  };
  const auto curves = eq::robustness(*model, data, "a"_n, faded, {0, 1});
  CHECK(curves["y"_n].records == 39);
  CHECK(curves["y"_n].of("accuracy").larger_is_better);
  CHECK(curves["y"_n].of("accuracy").values[0].value == Approx(clean));
  data.inputs["a"_n] = torch::zeros_like(data.inputs["a"_n]);
  CHECK(curves["y"_n].of("loss").values[1].value ==
        Approx(eq::evaluate(*model, data)["y"_n].of(model->full()).loss.value).epsilon(1e-12));
  std::ostringstream text;
  text << curves;
  CHECK(text.str().find("y (39 records), a corrupted\n  strength                  clean          0          1") == 0);
}

TEST_CASE("a table of curves shows the intervals that there are", "[evaluation][worked]") {
  const auto model = linear_model();
  auto curves = eq::robustness(*model, linear_data(6), "b"_n, eq::corruption::noise, {0.5});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  curves.tasks["y"_n] = {"y",
                         6,
                         {{"loss", false, {1234.5, nan, nan}, {{2, nan, nan}}, {0.001620, nan, nan}},
                          {"accuracy", true, {0.87, 0.78612, 0.94349}, {{0.5, 0.25, 0.75}}, {0.57471, 0.5, 0.6}}}};
  std::ostringstream text;
  text << curves;
  CHECK(text.str() ==
        "y (6 records), b corrupted\n"
        "  strength                             clean                   0.5                  area\n"
        "  loss                                1234.5                     2               0.00162\n"
        "  accuracy             0.87 [0.7861, 0.9435]      0.5 [0.25, 0.75]     0.5747 [0.5, 0.6]\n");
}

TEST_CASE("the area under a curve is the mean height relative to the clean value", "[evaluation][worked]") {
  const std::vector<double> strengths = {0, 1, 3}, values = {2, 4, 1};
  CHECK(eq::relative_area(strengths, values, 2) == Approx((1 * 3 + 2 * 2.5) / (3 * 2)));
  CHECK(eq::relative_area(strengths, std::vector<double>{5, 5, 5}, 5) == Approx(1));
  CHECK(std::isnan(eq::relative_area(strengths, values, 0)));
}

TEST_CASE("blur and dropout of values do what their options say", "[evaluation][worked]") {
  eq::RandomStream random({1}, "test");
  const double e = std::exp(-0.5), e2 = std::exp(-2.0);
  const at::Tensor blurred = eq::Blur{.sd = 1, .dims = 1}(torch::tensor({0., 1., 0.}, torch::kDouble), random);
  CHECK(blurred[0].item<double>() == Approx(e / (1 + e + e2)));
  CHECK(blurred[1].item<double>() == Approx(1 / (1 + 2 * e)));
  const at::Tensor image = torch::randn({2, 5, 4}, torch::kDouble), flat = torch::full({1, 5, 4}, 3., torch::kDouble);
  CHECK(torch::equal(eq::Blur{.sd = 0}(image, random), image));
  CHECK(torch::allclose(eq::Blur{.sd = 2}(flat, random), flat));
  CHECK(torch::allclose(eq::Blur{.sd = 1e6}(image, random), image.mean({1, 2}, true).expand({2, 5, 4})));
  CHECK_THROWS_WITH(eq::Blur{}(torch::zeros({3}), random), Catch::Contains("Blur: expected a record"));

  const at::Tensor dropped = eq::DropValues{.probability = 0.25, .value = 7}(torch::zeros({40000}), random);
  CHECK(dropped.eq(7).to(torch::kDouble).mean().item<double>() ==
        Approx(0.25).margin(5 * std::sqrt(0.25 * 0.75 / 40000)));
  const at::Tensor rows = eq::DropValues{.probability = 0.5, .whole_rows = true}(torch::ones({200, 3}), random);
  CHECK(rows.sum(1).eq(0).logical_or(rows.sum(1).eq(3)).all().item<bool>());
  CHECK(rows.sum().item<double>() > 0);
  CHECK(rows.sum().item<double>() < 600);
}

TEST_CASE("a record is corrupted in the same way alone and with others, and padding stays", "[evaluation][law]") {
  const at::Tensor x = torch::randn({6, 4, 2}, torch::kDouble);
  x[2].narrow(0, 3, 1).fill_(std::nan(""));
  const std::vector<std::int64_t> lengths = {4, 4, 3, 4, 4, 4}, third = {2}, all = {0, 1, 2, 3, 4, 5};
  const auto data = eq::batch(eq::input<"a">(eq::Sequences::of_lengths(x, lengths)), eq::input<"b">(x));
  const auto noisy = eq::corrupted(data, "a"_n, eq::Noise{.sd = 1});
  const at::Tensor whole = noisy.select(all).inputs["a"_n].tensor, alone = noisy.select(third).inputs["a"_n].tensor;
  CHECK(torch::equal(whole[2].narrow(0, 0, 3), alone[0].narrow(0, 0, 3)));
  CHECK(whole[2][3].isnan().all().item<bool>());
  CHECK(!torch::allclose(whole[0], x[0]));
  CHECK(torch::equal(noisy.select(all).inputs["b"_n][0], x[0]));
  CHECK(torch::equal(x[0], data.inputs["a"_n].tensor[0]));  // the data set itself stays
}
