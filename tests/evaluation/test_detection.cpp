#include <equipoise/core/base/random.hpp>
#include <equipoise/evaluation/conformal.hpp>
#include <equipoise/evaluation/detection.hpp>
#include <equipoise/evaluation/forest.hpp>
#include <equipoise/evaluation/metrics.hpp>
#include <equipoise/evaluation/ridge.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace eq = equipoise;

namespace {

const std::vector<double> kScore = {.1, .4, .35, .8};
const std::vector<bool> kPositive = {false, false, true, true};

}  // namespace

TEST_CASE("scores and cases of different numbers are refused", "[evaluation][error]") {
  const std::vector<double> three = {.1, .4, .35};
  const auto refused = [](const std::string& where) {
    return "[equipoise.shape.130] " + where + ": expected two lists of one length, got 3 and 4 values";
  };
  CHECK_THROWS_WITH(eq::confusion_at(0.3, three, kPositive), refused("confusion_at"));
  CHECK_THROWS_WITH(eq::average_precision(three, kPositive), refused("average_precision"));
  CHECK_THROWS_WITH(eq::cheapest_threshold(three, kPositive, 5), refused("cheapest_threshold"));
  CHECK_THROWS_WITH(eq::brier_score(three, kPositive), refused("brier_score"));
  CHECK_THROWS_WITH(eq::reliability(three, kPositive), refused("reliability"));
  CHECK_THROWS_WITH(eq::reliability(kScore, kPositive, 0), Catch::Contains("expected bins > 0, got 0"));
  CHECK_THROWS_WITH(eq::area_under_curve(three, kPositive), refused("area_under_curve"));
  CHECK_THROWS_WITH(eq::ConformalResiduals(three, kScore), refused("ConformalResiduals"));
}

TEST_CASE("tables of another size than a baseline was fitted on are refused", "[evaluation][error]") {
  const Eigen::MatrixXd x = Eigen::MatrixXd::Random(6, 3), y = Eigen::MatrixXd::Random(5, 1),
                        narrow = Eigen::MatrixXd::Random(2, 2);
  CHECK_THROWS_WITH(eq::Ridge(x, y, 1), "[equipoise.shape.130] Ridge: expected 6 rows of y, one a row of x, got 5");
  const Eigen::VectorXd z = Eigen::VectorXd::Random(6);
  CHECK_THROWS_WITH(eq::Ridge(x, z, 1).predict(narrow), "[equipoise.shape.130] Ridge: expected 3 columns, got 2");
  CHECK_THROWS_WITH(eq::RegressionForest(x, z, {.trees = 2}).predict(narrow),
                    "[equipoise.shape.130] RegressionForest: expected 3 columns, got 2");
  CHECK_THROWS_AS(eq::RegressionForest(x, y.col(0)), eq::ValueError);
}

TEST_CASE("cases are counted at a threshold", "[evaluation][worked]") {
  const eq::Confusion c = eq::confusion_at(0.38, kScore, kPositive);
  CHECK(c.true_positives == 1);
  CHECK(c.false_negatives == 1);
  CHECK(c.false_positives == 1);
  CHECK(c.true_negatives == 1);
  CHECK(c.sensitivity() == Approx(0.5));
  CHECK(eq::confusion_at(0.35, kScore, kPositive).precision() == Approx(2.0 / 3));  // a score that reaches it counts
  CHECK(std::isnan(eq::confusion_at(0.9, kScore, kPositive).precision()));
  CHECK(std::isnan(eq::confusion_at(0.9, std::vector{.5}, {false}).sensitivity()));
}

TEST_CASE("average precision of a worked example, and of a score that says nothing", "[evaluation][worked]") {
  CHECK(eq::average_precision(kScore, kPositive) == Approx(0.8333333333));  // sklearn.metrics.average_precision_score
  CHECK(eq::average_precision(std::vector{.5, .5, .5, .5}, kPositive) == Approx(0.5));  // ties come together
  CHECK(eq::average_precision(std::vector{.5, .5, .7, .9}, kPositive) == Approx(1));
  CHECK(std::isnan(eq::average_precision(std::vector{.5}, {false})));
}

TEST_CASE("the cheapest threshold follows what a miss costs", "[evaluation][worked]") {
  CHECK(eq::cheapest_threshold(kScore, kPositive, 0.5) == Approx(0.6));  // one miss: between .8 and .4
  CHECK(eq::cheapest_threshold(kScore, kPositive, 5) == Approx(0.225));  // one false alarm: between .35 and .1
  CHECK(std::isinf(eq::cheapest_threshold(kScore, {false, false, false, false}, 5)));  // nothing to find
  CHECK(eq::cheapest_threshold(std::vector{.2, .2}, {true, true}, 1) == Approx(0.2));
}

TEST_CASE("no threshold is cheaper than the cheapest", "[evaluation][property]") {
  for (std::uint64_t trial = 0; trial < 50; ++trial) {
    std::vector<double> score;
    std::vector<bool> positive;
    for (std::uint64_t i = 0; i < 30; ++i) {
      score.push_back(std::round(10 * eq::to_uniform(eq::hash_of({trial, i, 1}))));
      positive.push_back(eq::to_uniform(eq::hash_of({trial, i, 2})) < 0.3);
    }
    const double miss_cost = 1 + static_cast<double>(trial % 4);
    const auto cost = [&](double threshold) {
      const eq::Confusion c = eq::confusion_at(threshold, score, positive);
      return c.false_positives + miss_cost * c.false_negatives;
    };
    const double least = cost(eq::cheapest_threshold(score, positive, miss_cost));
    for (double t = -0.5; t < 12; t += 0.5) CHECK(least <= cost(t));
  }
}

TEST_CASE("probabilities are scored and compared with what came", "[evaluation][worked]") {
  const std::vector<double> said = {.1, .9, .8, .3};
  const std::vector<bool> came = {false, true, true, false};
  CHECK(eq::brier_score(said, came) == Approx(0.0375));  // sklearn.metrics.brier_score_loss
  const std::vector<eq::ReliabilityBin> bins = eq::reliability(said, came, 2);
  REQUIRE(bins.size() == 2);
  CHECK(bins[0].n == 2);
  CHECK(bins[0].probability == Approx(0.2));
  CHECK(bins[0].frequency == 0);
  CHECK(bins[1].probability == Approx(0.85));
  CHECK(bins[1].frequency == 1);
  CHECK(eq::reliability(std::vector{1.0}, {true}, 5).size() == 1);  // 1 belongs to the last bin
}

TEST_CASE("conformal intervals take the residual of the promised rank", "[evaluation][worked]") {
  const std::vector<double> truth = {1, -2, 3, -4, 5, -6, 7, -8, 9}, predicted(9, 0.0);
  const eq::ConformalResiduals r(truth, predicted);
  CHECK(r.half_width(0.5) == 5);
  CHECK(r.half_width(0.9) == 9);  // the ninth of nine: ceil(10 * 0.9)
  CHECK(std::isinf(r.half_width(0.95)));
  CHECK(r.probability_below(0, 0) == Approx(4.5 / 10));  // four of nine fell below, the new one counts half
  CHECK(r.probability_below(-100, 0) == Approx(0.5 / 10));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(eq::ConformalResiduals(std::vector{nan, 1.0}, std::vector{0.0, 0.0}).size() == 1);
}

TEST_CASE("conformal intervals hold what they promise on average", "[evaluation][property]") {
  const auto noise = [](std::uint64_t trial, std::uint64_t i) {
    return std::pow(eq::to_uniform(eq::hash_of({7, trial, i})), 3);  // far from normal
  };
  double covered = 0, n = 0;
  for (std::uint64_t trial = 0; trial < 300; ++trial) {
    std::vector<double> truth;
    for (std::uint64_t i = 0; i < 39; ++i) truth.push_back(noise(trial, i));
    const eq::ConformalResiduals r(truth, std::vector<double>(truth.size(), 0.3));
    for (std::uint64_t i = 100; i < 120; ++i, ++n)
      covered += std::abs(noise(trial, i) - 0.3) <= r.half_width(0.8) ? 1 : 0;
  }
  CHECK(covered / n == Approx(0.8).margin(0.015));  // exactly 32 / 40 on average; SD of this mean 0.004
}

TEST_CASE("a ridge shrinks slopes and keeps the mean", "[evaluation][worked]") {
  Eigen::MatrixXd x(3, 1), y(3, 1);
  x << 4, 5, 6;
  y << 8, 10, 12;
  const eq::Ridge model(x, y, 1.0 / 3);  // slope 4 / (2 + 3 / 3)
  CHECK(model.weights()(0, 0) == Approx(4.0 / 3));
  CHECK(model.predict(x)(1, 0) == Approx(10));
  CHECK(eq::Ridge(x, y, 1e-9).predict(x)(2, 0) == Approx(12));
  CHECK(eq::Ridge(x, y, 1e9).predict(x)(2, 0) == Approx(10));
}

namespace {

/// Of each record one feature that matters by its size alone, and seven that do not.
std::pair<Eigen::MatrixXd, Eigen::VectorXd> sizes(std::uint64_t key, Eigen::Index n) {
  Eigen::MatrixXd x(n, 8);
  for (Eigen::Index i = 0; i < x.size(); ++i)
    x(i) = 2 * eq::to_uniform(eq::hash_of({key, static_cast<std::uint64_t>(i)})) - 1;
  return {x, (x.col(3).array().abs() - 0.5).sign().matrix()};
}

}  // namespace

TEST_CASE("a forest of one leaf is the mean, and a step is a step", "[evaluation][worked]") {
  Eigen::MatrixXd x(8, 1);
  x << 1, 2, 3, 4, 5, 6, 7, 8;
  Eigen::VectorXd y(8);
  y << 0, 0, 0, 0, 10, 10, 10, 10;
  const eq::RegressionForest steps(x, y, {.trees = 400, .leaf = 1});
  Eigen::MatrixXd at(2, 1);
  at << 1, 100;
  const Eigen::VectorXd guess = steps.predict(at);
  CHECK(guess(0) == Approx(0).margin(0.1));  // a tree in 256 has drawn neither half: 10 or 0 everywhere
  CHECK(guess(1) == Approx(10).margin(0.1));
  const Eigen::VectorXd mean = eq::RegressionForest(x, y, {.trees = 4000, .leaf = 8}).predict(at);
  CHECK(mean(0) == mean(1));
  CHECK(mean(0) == Approx(5).margin(0.15));  // SD of this mean 10 / 2 / sqrt(8) / sqrt(4000) = 0.03
}

TEST_CASE("a forest finds a size that no ridge finds, the same each time", "[evaluation][behaviour]") {
  const auto [x, y] = sizes(1, 400);
  const auto [x_new, y_new] = sizes(2, 200);
  const auto error = [&, &y_new = y_new](const Eigen::VectorXd& guess) { return (guess - y_new).cwiseAbs().mean(); };
  const Eigen::VectorXd guess = eq::RegressionForest(x, y, {.features = 8}).predict(x_new);
  CHECK(error(guess) < 0.1);
  CHECK(error(eq::Ridge(x, y, 1e-3).predict(x_new)) > 0.9);
  CHECK(eq::RegressionForest(x, y, {.features = 8}).predict(x_new) == guess);
  CHECK(eq::RegressionForest(x, y, {.features = 8, .seed = 2}).predict(x_new) != guess);
}
