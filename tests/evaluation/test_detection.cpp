#include <equipoise/core/base/random.hpp>
#include <equipoise/evaluation/boosting.hpp>
#include <equipoise/evaluation/conformal.hpp>
#include <equipoise/evaluation/detection.hpp>
#include <equipoise/evaluation/forest.hpp>
#include <equipoise/evaluation/metrics.hpp>
#include <equipoise/evaluation/ridge.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/boosted.hpp"
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
  CHECK_THROWS_WITH(eq::RegressionForest(x, z, {.leaf = 0}), Catch::Contains("ForestOptions.leaf"));
  Eigen::MatrixXd holed = x;
  holed(0, 0) = std::nan("");
  CHECK_THROWS_WITH(eq::RegressionForest(holed, z), Catch::Contains("finite features and targets"));
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

TEST_CASE("boosted trees add a part of each tree's step: one split by hand", "[evaluation][worked]") {
  Eigen::MatrixXd x(4, 1);
  x << 1, 2, 3, 4;
  Eigen::VectorXd y(4);
  y << 0, 1, 5, 6;
  // The mean is 3, what is left -3, -2, 2, 3. Splits after 1, 2 and 3 lower the squared error by 12, 25 and 12, so that
  // the leaves are -2.5 and 2.5, of which a tenth is added. The second tree finds -2.75, -1.75, 1.75, 2.75.
  eq::BoostingOptions one{.trees = 1, .rate = 0.1, .depth = 1, .leaf = 1, .subsample = 1};
  Eigen::MatrixXd at(2, 1);
  at << 2.5, 2.51;
  const Eigen::VectorXd first = eq::BoostedTrees(x, y, one).predict(at);
  CHECK(first(0) == Approx(2.75));
  CHECK(first(1) == Approx(3.25));
  one.trees = 2;
  CHECK(eq::BoostedTrees(x, y, one).predict(at)(0) == Approx(3 - 0.25 - 0.225));
  one.depth = 2;  // a second level splits -3 from -2
  one.trees = 1;
  at << 1, 2;
  CHECK(eq::BoostedTrees(x, y, one).predict(at)(0) == Approx(2.7));
  CHECK(eq::BoostedTrees(x, y, one).predict(at)(1) == Approx(2.8));
}

namespace {

/// Rows of the reference table: [rows, features] and the targets.
std::pair<Eigen::MatrixXd, Eigen::VectorXd> reference_rows(int begin, int end) {
  namespace ref = support::boosted;
  Eigen::MatrixXd x(end - begin, ref::features);
  Eigen::VectorXd y(end - begin);
  for (int i = begin; i < end; ++i) {
    const double* row = ref::table + i * (ref::features + 1);
    for (int f = 0; f < ref::features; ++f) x(i - begin, f) = row[f];
    y(i - begin) = row[ref::features];
  }
  return {x, y};
}

}  // namespace

TEST_CASE("boosted trees predict what scikit-learn's do", "[evaluation][worked]") {
  namespace ref = support::boosted;
  const auto [x, y] = reference_rows(0, ref::training_rows);
  const auto [x_new, y_new] = reference_rows(ref::training_rows, ref::rows);
  const Eigen::VectorXd exact =
      eq::BoostedTrees(x, y, {.trees = 60, .rate = 0.1, .depth = 3, .leaf = 5, .subsample = 1}).predict(x_new);
  for (Eigen::Index i = 0; i < exact.rows(); ++i) {
    INFO(i);
    CHECK(exact(i) == Approx(ref::predicted[i]).margin(1e-9));
  }
  double sum = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const eq::BoostedTrees drawn(x, y,
                                 {.trees = 200, .rate = 0.1, .depth = 3, .leaf = 5, .subsample = 0.7, .seed = seed});
    sum += std::sqrt((drawn.predict(x_new) - y_new).squaredNorm() / static_cast<double>(y_new.rows()));
  }
  // Means of ten seeds: theirs and ours differ by sqrt(2 / 10) standard deviations; three times that.
  CHECK(sum / 10 == Approx(ref::rmse_of_drawn).margin(3 * std::sqrt(0.2) * ref::rmse_sd));
  CHECK(sum / 10 < 1.1 * ref::rmse_of_binned);
}

TEST_CASE("boosted trees stop where validation records say so, the same each time", "[evaluation][behaviour]") {
  const auto [x, y] = sizes(1, 400);
  const auto [x_validation, y_validation] = sizes(3, 100);
  const auto [x_new, y_new] = sizes(2, 200);
  const auto error = [&, &y_new = y_new](const Eigen::VectorXd& guess) { return (guess - y_new).cwiseAbs().mean(); };
  const eq::BoostedTrees model(x, y, x_validation, y_validation, {.seed = 7});
  CHECK(error(model.predict(x_new)) < 0.1);
  CHECK(eq::BoostedTrees(x, y, x_validation, y_validation, {.seed = 7}).predict(x_new) == model.predict(x_new));
  CHECK(eq::BoostedTrees(x, y, x_validation, y_validation, {.seed = 8}).predict(x_new) != model.predict(x_new));
  // Targets that the table says nothing of: no tree helps the validation records for long.
  Eigen::VectorXd noise = y, noise_validation = y_validation;
  for (Eigen::Index i = 0; i < noise.rows(); ++i)
    noise(i) = eq::to_uniform(eq::hash_of({11, static_cast<std::uint64_t>(i)}));
  for (Eigen::Index i = 0; i < noise_validation.rows(); ++i)
    noise_validation(i) = eq::to_uniform(eq::hash_of({12, static_cast<std::uint64_t>(i)}));
  CHECK(eq::BoostedTrees(x, noise, x_validation, noise_validation, {.trees = 300}).trees() < 40);
  CHECK(eq::BoostedTrees(x, noise, {.trees = 30}).trees() == 30);  // without them all are grown
}

TEST_CASE("options and tables that boosted trees cannot use are refused", "[evaluation][error]") {
  const auto [x, y] = sizes(1, 20);
  CHECK_THROWS_WITH(eq::BoostedTrees(x, y, {.rate = 0}),
                    Catch::Contains("BoostingOptions.rate: expected within (0, 1]"));
  CHECK_THROWS_WITH(eq::BoostedTrees(x, y, {.subsample = 1.5}), Catch::Contains("BoostingOptions.subsample"));
  CHECK_THROWS_WITH(eq::BoostedTrees(x, y, {.trees = 1}).predict(Eigen::MatrixXd::Zero(1, 3)),
                    "[equipoise.shape.130] BoostedTrees: expected 8 columns, got 3");
  CHECK_THROWS_AS(eq::BoostedTrees(x.topRows(3), y), eq::ValueError);
}

TEST_CASE("a score that is not a number makes a figure of detection NaN, wherever it stands",
          "[evaluation][property]") {
  const std::vector<bool> positive = {true, false, true, false};
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<double> score = {.1, .4, .3, .2};
    score[i] = std::nan("");
    CHECK(std::isnan(eq::average_precision(score, positive)));
    CHECK(std::isnan(eq::cheapest_threshold(score, positive, 2)));
    CHECK(std::isnan(eq::brier_score(score, positive)));
    const eq::Confusion c = eq::confusion_at(0.25, score, positive);
    CHECK(std::isnan(c.sensitivity()));
    CHECK(std::isnan(c.specificity()));
    CHECK(std::isnan(c.precision()));
    CHECK_THROWS_WITH(eq::reliability(score, positive), Catch::Contains("probabilities in [0, 1]"));
    CHECK_THROWS_WITH(eq::ConformalResiduals(std::vector<double>{1, 2, 3, 4}, score),
                      Catch::Contains("finite predictions"));
    CHECK(std::isnan(
        eq::ConformalResiduals(std::vector<double>{1, 2}, std::vector<double>{1, 2}).probability_below(1, score[i])));
  }
}
