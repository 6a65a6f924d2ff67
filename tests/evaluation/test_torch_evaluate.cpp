#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>

#include <cmath>
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
