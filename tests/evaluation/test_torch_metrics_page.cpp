// The blocks of docs/metrics.md, word for word (gate.links_in_docs compares them).

#include <equipoise/contribution/imbalance.hpp>
#include <equipoise/contribution/sampling.hpp>
#include <equipoise/equipoise.hpp>
#include <equipoise/evaluation/bootstrap.hpp>
#include <equipoise/evaluation/conformal.hpp>
#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>
#include <equipoise/evaluation/metrics.hpp>
#include <equipoise/evaluation/task_metrics.hpp>
#include <iostream>
#include <sstream>

#include "support/catch.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

/// Regression with the mean absolute error and the share of errors below 1 as metrics.
struct RatesModule : eq::RegressionModule {
  using eq::RegressionModule::RegressionModule;

  std::vector<eq::Metric> metrics() const {
    const auto mae = [](const at::Tensor& prediction, const at::Tensor& target) {
      return (prediction - target).abs().nanmean().item<double>();
    };
    const auto within_1 = [](const at::Tensor& prediction, const at::Tensor& target) {
      return (prediction - target).abs().lt(1).to(torch::kDouble).mean().item<double>();
    };
    return {{.name = "mae", .larger_is_better = false, .value = mae},
            {.name = "within_1", .larger_is_better = true, .value = within_1}};
  }
};

struct Rates {
  std::shared_ptr<RatesModule> build(std::int64_t joint_width) const {
    return std::make_shared<RatesModule>(joint_width, /*outputs=*/1, eq::PointLoss::l2, /*delta=*/1.0);
  }
};

auto model_of() {
  torch::manual_seed(2);
  return eq::compose(eq::modality<"dose">(eq::Mlp{.in_features = 3, .widths = {8}}),
                     eq::modality<"metrics">(eq::Mlp{.in_features = 3, .widths = {8}}),
                     eq::task<"gpr">(eq::Sum{.width = 8}, Rates{}));
}

auto records(std::int64_t n) {
  const at::Tensor dose = torch::randn({n, 3}), metrics = torch::randn({n, 3});
  return eq::batch(eq::input<"dose">(dose), eq::input<"metrics">(metrics),
                   eq::target<"gpr">(eq::Values{dose.narrow(1, 0, 1) + 2 * metrics.narrow(1, 1, 1)}));
}

}  // namespace

TEST_CASE("a metric of the page on metrics is the monitor", "[evaluation][docs]") {
  torch::manual_seed(1);
  const auto train = records(128), validation = records(32), test = records(64);
  const auto model = model_of();
  eq::Trainer trainer(model, {.epochs = 20, .learning_rate = 0.01, .monitor = "gpr/within_1", .patience = 5});
  const eq::History history = trainer.fit(train, validation);
  double best = 0;
  for (const eq::EpochRecord& epoch : history.epochs) best = std::max(best, *epoch.find("val/gpr/within_1"));
  CHECK(history.monitor == "val/gpr/within_1");
  CHECK(*history.epochs[static_cast<std::size_t>(history.best_epoch)].find("val/gpr/within_1") == best);

  std::ostringstream text;
  std::streambuf* const before = std::cout.rdbuf(text.rdbuf());
  const auto report = eq::evaluate(*model, test);
  for (const eq::MetricValue& m : report["gpr"_n].of(model->full()).metrics)
    std::cout << m.name << " " << m.value << (m.larger_is_better ? " (larger is better)\n" : "\n");
  std::cout.rdbuf(before);
  CHECK_THAT(text.str(), Catch::StartsWith("mae 0.") && Catch::Contains("within_1 0."));
}

TEST_CASE("the functions of the page on metrics judge predictions", "[evaluation][docs]") {
  torch::manual_seed(1);
  const auto test = records(64);
  const auto model = model_of();
  const at::Tensor predicted = eq::infer(*model, test)["gpr"_n].to(torch::kDouble).flatten(),
                   truth = test.targets["gpr"_n].tensor.to(torch::kDouble).flatten();
  const std::vector<double> p(predicted.const_data_ptr<double>(), predicted.const_data_ptr<double>() + 64),
      y(truth.const_data_ptr<double>(), truth.const_data_ptr<double>() + 64);
  const double error = eq::mean_absolute_error(y, p), correlation = eq::spearman(y, p);
  std::ostringstream text;
  std::streambuf* const before = std::cout.rdbuf(text.rdbuf());
  std::vector<double> errors;
  for (std::size_t i = 0; i < y.size(); ++i) errors.push_back(std::abs(y[i] - p[i]));
  const eq::Interval interval = eq::bootstrap(test.groups, eq::mean_over_records(errors));
  std::cout << interval.value << " [" << interval.low << ", " << interval.high << "]\n";
  std::cout.rdbuf(before);
  const auto correlation_of = [&](const std::vector<std::size_t>& rows) {
    std::vector<double> a, b;
    for (const std::size_t i : rows)
      if (!std::isnan(y[i])) a.push_back(y[i]), b.push_back(p[i]);
    return eq::spearman(a, b);
  };
  const eq::Interval of_correlation = eq::bootstrap(test.groups, correlation_of, /*level=*/0.9, /*resamples=*/500);
  CHECK(of_correlation.value == Approx(correlation));
  CHECK(of_correlation.low < of_correlation.high);
  CHECK(interval.value == Approx(error));
  CHECK(interval.low < interval.high);
  CHECK(std::abs(correlation) <= 1);
}

TEST_CASE("metrics of tasks on the page have intervals", "[evaluation][docs]") {
  torch::manual_seed(1);
  const at::Tensor table = torch::randn({80, 3}), noise = torch::randn({80});
  const auto model = eq::compose(eq::modality<"table">(eq::Mlp{.in_features = 3, .widths = {8}}),
                                 eq::task<"label">(eq::Sum{.width = 8}, eq::Classification{.classes = 2}),
                                 eq::task<"death">(eq::Sum{.width = 8}, eq::Survival{}));
  const at::Tensor times = torch::stack({(noise - table.select(1, 1)).exp(), torch::ones({80})}, 1);
  const auto test = eq::batch(eq::input<"table">(table),
                              eq::target<"label">(eq::Labels{(table.select(1, 0) + noise).gt(0).to(torch::kLong)}),
                              eq::target<"death">(eq::SurvivalTimes{times}))
                        .with_groups([] {
                          std::vector<std::int64_t> patients;
                          for (std::int64_t i = 0; i < 80; ++i) patients.push_back(i / 2);
                          return patients;
                        }());
  eq::Trainer(model, {.epochs = 30, .batch_size = 80, .learning_rate = 0.02, .progress = nullptr}).fit(test);

  const auto of_rows = [](const eq::Metric& metric, const at::Tensor& z, const at::Tensor& y) {
    return [=](const std::vector<std::size_t>& rows) {
      const at::Tensor i = torch::tensor(std::vector<std::int64_t>(rows.begin(), rows.end()));
      return metric.value(z.index_select(0, i), y.index_select(0, i));
    };
  };
  const auto z = eq::infer(*model, test);
  const eq::Interval auroc =
      eq::bootstrap(test.groups, of_rows(eq::metric::auroc(), z["label"_n], test.targets["label"_n].tensor));
  const eq::Interval c_index =
      eq::bootstrap(test.groups, of_rows(eq::metric::c_index(), z["death"_n], test.targets["death"_n].tensor));
  CHECK(auroc.value == eq::metric::auroc().value(z["label"_n], test.targets["label"_n].tensor));
  CHECK(c_index.value == eq::metric::c_index().value(z["death"_n], test.targets["death"_n].tensor));
  for (const eq::Interval& i : {auroc, c_index}) {
    CHECK((0.5 < i.low && i.low < i.value));
    CHECK((i.value < i.high && i.high <= 1));
  }
}

TEST_CASE("the page on metrics has conformal intervals", "[evaluation][docs]") {
  const std::vector<double> truth = {91, 94, 96, 97, 93, 99, 95, 98, 92}, predicted(9, 95.0);
  const double prediction = 96;
  std::ostringstream text;
  std::streambuf* const before = std::cout.rdbuf(text.rdbuf());
  const eq::ConformalResiduals residuals(truth, predicted);
  const double half = residuals.half_width(/*level=*/0.9);
  std::cout << prediction - half << " to " << prediction + half << "\n";
  const double low_rate = residuals.probability_below(/*limit=*/95, prediction);
  std::cout.rdbuf(before);
  CHECK(text.str() == "92 to 100\n");   // the largest of nine residuals, which are -4, -3, …, 4
  CHECK(low_rate == Approx(3.5 / 10));  // three of them are below -1
  CHECK(std::isinf(residuals.half_width(0.95)));
}

TEST_CASE("the contributions of the page on evaluation have an interval", "[evaluation][docs]") {
  torch::manual_seed(1);
  const auto train = records(64), test = records(40);
  const auto model = model_of();
  eq::Trainer trainer(model, eq::DropModality{.probability = 0.3}, {.epochs = 20});
  trainer.fit(train);
  const auto phi = eq::shapley(*model, test);  // training has shown every coalition
  const std::vector<double> of_dose = phi.tasks[0].of_records(/*modality=*/0);
  const eq::Interval interval = eq::bootstrap(test.groups, eq::mean_over_records(of_dose));
  CHECK(interval.value / phi.tasks[0].losses[0] == Approx(phi["dose"_n]["gpr"_n]));
  CHECK(interval.low < interval.value);
  CHECK_THROWS_AS(phi.tasks[0].of_records(2), eq::ValueError);
}

TEST_CASE("the contributions of the page on evaluation become shares and samples", "[evaluation][docs]") {
  torch::manual_seed(1);
  const auto test = records(64);
  const auto model = model_of();
  const auto phi = eq::shapley(*model, test);
  const std::vector<double> share = eq::shares(phi.tasks[0].mean);  // >= 0, sum 1
  const double imbalance = eq::imbalance_degree(share);             // 0 balanced, 1 one modality alone
  CHECK(share[0] + share[1] == Approx(1));
  CHECK((imbalance >= 0 && imbalance <= 1));

  const auto value = [&](eq::Coalition s) {  // of a game of your own: what a coalition reaches
    return -eq::evaluate(*model, test, std::vector{s}, {.intervals = false})["gpr"_n].of(s).loss.value;
  };
  const eq::SampledShapley sampled = eq::sampled_shapley(2, value, /*pairs=*/50, /*seed=*/1);
  CHECK(sampled.values[0] + sampled.values[1] ==
        Approx(value(eq::Coalition::full(2)) - value(eq::Coalition::none())).margin(1e-9));
}
