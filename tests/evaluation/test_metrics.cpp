#include <equipoise/evaluation/bootstrap.hpp>
#include <equipoise/evaluation/group_means.hpp>
#include <equipoise/evaluation/metrics.hpp>
#include <equipoise/evaluation/paired_tests.hpp>
#include <equipoise/evaluation/ssim.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <rapidcheck/catch.h>
#include "support/catch.hpp"

namespace eq = equipoise;

TEST_CASE("errors and correlations of a worked example", "[evaluation][worked]") {
  const std::vector<double> truth = {1, 2, 3, 4}, predicted = {1.5, 2, 2, 5};
  CHECK(eq::mean_absolute_error(truth, predicted) == Approx(0.625));
  CHECK(eq::root_mean_squared_error(truth, predicted) == Approx(0.75));
  CHECK(eq::r_squared(truth, predicted) == Approx(0.55));
  CHECK(eq::bias(truth, predicted) == Approx(0.125));
  CHECK(eq::spearman(truth, predicted) == Approx(0.9486832981));  // scipy.stats.spearmanr, ties at 2
  CHECK(eq::quantile({4, 1, 3, 2}, 0.9) == Approx(3.7));          // numpy.quantile
}

TEST_CASE("truths and predictions of different numbers are refused", "[evaluation][error]") {
  const std::vector<double> four = {1, 2, 3, 4}, three = {1, 2, 3};
  const auto refused = [](const std::string& where) {
    return "[equipoise.shape.130] " + where + ": expected two lists of one length, got 4 and 3 values";
  };
  CHECK_THROWS_WITH(eq::mean_absolute_error(four, three), refused("mean_absolute_error"));
  CHECK_THROWS_WITH(eq::root_mean_squared_error(four, three), refused("root_mean_squared_error"));
  CHECK_THROWS_WITH(eq::r_squared(four, three), refused("r_squared"));
  CHECK_THROWS_WITH(eq::spearman(four, three), refused("spearman"));
  CHECK_THROWS_WITH(eq::pearson(four, three), refused("pearson"));
  CHECK_THROWS_WITH(eq::bias(four, three), refused("bias"));
  CHECK_THROWS_AS(eq::mean_absolute_error(three, four), eq::ShapeError);
}

TEST_CASE("maps that are not of the size that is said are refused", "[evaluation][error]") {
  const std::vector<float> a(400), b(399);
  const bool counts[399] = {};
  CHECK_THROWS_WITH(eq::ssim(a, b, 20, 20, 20),
                    "[equipoise.shape.130] ssim: expected two lists of one length, got 399 and 400 values");
  CHECK_THROWS_AS(eq::ssim(b, a, 20, 20, 20), eq::ShapeError);
  CHECK_THROWS_AS(eq::ssim(a, a, 20, 21, 20), eq::ShapeError);
  CHECK_THROWS_AS(eq::ssim(a, a, 20, 20, 20, counts), eq::ShapeError);
  CHECK(std::isnan(eq::ssim(a, a, 10, 40, 20)));  // no window fits
}

TEST_CASE("the area under the ROC curve counts ties as half", "[evaluation][worked]") {
  CHECK(eq::area_under_curve(std::vector{.1, .4, .35, .8}, {false, false, true, true}) == Approx(0.75));
  CHECK(eq::area_under_curve(std::vector{.5, .5}, {false, true}) == Approx(0.5));
  CHECK(std::isnan(eq::area_under_curve(std::vector{.5, .5}, {true, true})));
}

TEST_CASE("a prediction that is not a number makes a figure NaN, wherever it stands", "[evaluation][property]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> truth = {1, 2, 3, 4, 5}, time = {5, 4, 3, 2, 1};
  const std::vector<bool> positive = {true, false, true, false, true}, event = {false, true, true, false, true};
  for (std::size_t i = 0; i < 5; ++i) {
    std::vector<double> z = {.1, .4, .3, .2, .5};
    z[i] = nan;
    CHECK(std::isnan(eq::mean_absolute_error(truth, z)));
    CHECK(std::isnan(eq::root_mean_squared_error(truth, z)));
    CHECK(std::isnan(eq::r_squared(truth, z)));
    CHECK(std::isnan(eq::bias(truth, z)));
    CHECK(std::isnan(eq::spearman(truth, z)));
    CHECK(std::isnan(eq::area_under_curve(z, positive)));
    CHECK(std::isnan(eq::c_index(z, time, event)));
    CHECK(std::isnan(eq::quantile(z, 0.5)));
  }
}

TEST_CASE("p-values that are none are refused", "[evaluation][error]") {
  for (const double p : {std::numeric_limits<double>::quiet_NaN(), -0.1, 1.1})
    CHECK_THROWS_WITH(eq::holm({0.5, p}), Catch::Contains("holm: expected p-values in [0, 1]"));
}

TEST_CASE("records of a single group have no interval", "[evaluation][behaviour]") {
  const std::vector<double> values = {1, 2, 3, 4};
  const eq::Interval one = eq::bootstrap(std::vector<std::int64_t>{7, 7, 7, 7}, eq::mean_over_records(values));
  CHECK(one.value == Approx(2.5));
  CHECK(std::isnan(one.low));
  CHECK(std::isnan(one.high));
  const eq::Interval two = eq::bootstrap(std::vector<std::int64_t>{7, 7, 8, 8}, eq::mean_over_records(values));
  CHECK(two.low == Approx(1.5));
  CHECK(two.high == Approx(3.5));
  eq::GroupMeans means(std::vector<std::int64_t>{7, 7, 7, 7}, std::vector<bool>(4, true));
  means.add(values.data());
  CHECK(means.intervals(100)[0].value == Approx(2.5));
  CHECK(std::isnan(means.intervals(100)[0].low));
}

TEST_CASE("a map is wholly similar to itself, and less to another", "[evaluation][property]") {
  std::vector<float> a(400), b(400);
  for (std::size_t i = 0; i < 400; ++i) a[i] = static_cast<float>(i % 20), b[i] = static_cast<float>(i / 20);
  CHECK(eq::ssim(a, a, 20, 20, 20) == Approx(1));
  CHECK(eq::ssim(a, b, 20, 20, 20) < 0.9);
  CHECK(eq::ssim(a, b, 20, 20, 20) == Approx(eq::ssim(b, a, 20, 20, 20)));
}

TEST_CASE("similarity counts the windows about the pixels that count", "[evaluation][behaviour]") {
  std::vector<float> a(900, 0.0F), b(900, 0.0F);
  for (std::size_t i = 0; i < 900; ++i)
    if (i % 30 >= 15) a[i] = static_cast<float>(i % 7), b[i] = static_cast<float>(i % 5);
  bool all[900], left[900], right[900], none[900];
  for (std::size_t i = 0; i < 900; ++i) all[i] = true, none[i] = false, left[i] = i % 30 < 9, right[i] = i % 30 >= 15;
  CHECK(eq::ssim(a, b, 30, 30, 7, all) == Approx(eq::ssim(a, b, 30, 30, 7)));
  CHECK(eq::ssim(a, b, 30, 30, 7, left) == Approx(1));  // both maps are empty there
  CHECK(eq::ssim(a, b, 30, 30, 7, right) < eq::ssim(a, b, 30, 30, 7));
  CHECK(std::isnan(eq::ssim(a, b, 30, 30, 7, none)));
}

TEST_CASE("bootstrap intervals cover the value, and shrink as groups grow in number", "[evaluation][property]") {
  const auto interval = [](std::size_t n) {
    std::vector<std::int64_t> groups;
    std::vector<double> x;
    for (std::size_t i = 0; i < n; ++i)
      groups.push_back(static_cast<std::int64_t>(i / 2)), x.push_back(eq::to_uniform(eq::hash_of({9, i})));
    return eq::bootstrap(groups, [&](const std::vector<std::size_t>& rows) {
      double sum = 0;
      for (const std::size_t r : rows) sum += x[r];
      return sum / static_cast<double>(rows.size());
    });
  };
  const eq::Interval few = interval(40), many = interval(800);
  CHECK(few.low <= few.value);
  CHECK(few.value <= few.high);
  CHECK(many.high - many.low < few.high - few.low);
}

TEST_CASE("an interval about a value that is not finite is none, whichever record makes it so",
          "[evaluation][property]") {
  rc::prop("of a statistic, and of means over groups", [] {
    const auto n = *rc::gen::inRange<std::size_t>(1, 60);
    const auto bad = *rc::gen::inRange<std::size_t>(0, n);
    const double value = *rc::gen::element(std::nan(""), HUGE_VAL, -HUGE_VAL);
    std::vector<std::int64_t> ids;
    std::vector<double> x, good;
    for (std::size_t i = 0; i < n; ++i) {
      ids.push_back(*rc::gen::inRange<std::int64_t>(-5, 20));
      good.push_back(eq::to_uniform(eq::hash_of({4, i})));
      x.push_back(i == bad ? value : good.back());
    }
    eq::GroupMeans means(ids, std::vector<bool>(n, true));
    means.add(x.data()), means.add(good.data());
    const std::vector<eq::Interval> both = means.intervals(50);
    const eq::Interval one = eq::bootstrap(
        ids,
        [&](const std::vector<std::size_t>& rows) {
          double sum = 0;
          for (const std::size_t r : rows) sum += x[r];
          return sum / static_cast<double>(rows.size());
        },
        0.95, 50);
    for (const eq::Interval& i : {both[0], one})
      RC_ASSERT(!std::isfinite(i.value) && std::isnan(i.low) && std::isnan(i.high));
    const bool one_group = std::all_of(ids.begin(), ids.end(), [&](std::int64_t id) { return id == ids[0]; });
    RC_ASSERT((one_group ? std::isnan(both[1].low) : both[1].low <= both[1].high && std::isfinite(both[1].low)));
  });
}

TEST_CASE("many groups are drawn in blocks, which hardly move an interval", "[evaluation][property]") {
  const std::size_t n = 20000;
  std::vector<std::int64_t> ids;
  std::vector<double> x;
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    ids.push_back(static_cast<std::int64_t>(i));
    x.push_back(-std::log(1 - eq::to_uniform(eq::hash_of({7, i}))));  // skewed
    sum += x.back(), squares += x.back() * x.back();
  }
  eq::GroupMeans means(ids, std::vector<bool>(n, true));
  means.add(x.data());
  const eq::Interval i = means.intervals(2000)[0];
  const double mean = sum / n, deviation = std::sqrt((squares / n - mean * mean) / n);
  CHECK(i.value == Approx(mean));
  // The ends' own noise is 0.06 deviations each by 2,000 resamples, and 0.03 by 2,048 blocks; four times that.
  CHECK(std::abs(i.low - (mean - 1.96 * deviation)) < 0.28 * deviation);
  CHECK(std::abs(i.high - (mean + 1.96 * deviation)) < 0.28 * deviation);
}

TEST_CASE("signed ranks of the worked differences, with ties", "[evaluation][worked]") {
  // Ranks 1.5, 1.5, 3, 4, 5 of which the negative one has 1.5: W+ = 13.5, mean 7.5, variance 13.75 - 6 / 48.
  const double z = (6 - 0.5) / std::sqrt(13.75 - 6.0 / 48);
  CHECK(eq::wilcoxon_signed_rank({1, -1, 2, 3, 4, 0}) == Approx(std::erfc(z / std::sqrt(2.0))));
  CHECK(eq::wilcoxon_signed_rank({1, -1, 2, -2}) == Approx(1));
  CHECK(eq::wilcoxon_signed_rank({0, 0}) == 1);
  std::vector<double> shifted;
  for (int i = 1; i <= 40; ++i) shifted.push_back(0.1 * i);
  CHECK(eq::wilcoxon_signed_rank(shifted) < 1e-6);
}

TEST_CASE("signed ranks of published differences", "[evaluation][worked]") {
  // Depression scores of nine patients before and after (Hollander and Wolfe 1973), and Darwin's maize: scipy.stats.wilcoxon, approximate, with continuity.
  CHECK(eq::wilcoxon_signed_rank({.952, -.147, 1.022, .43, .62, .59, .49, -.08, .01}) == Approx(0.04401098401295143));
  CHECK(eq::wilcoxon_signed_rank({6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75}) ==
        Approx(0.043772323763041174));
}

TEST_CASE("a difference that is NaN is refused", "[evaluation][error]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(eq::wilcoxon_signed_rank({1, nan, -2}),
                    "[equipoise.value.226] wilcoxon_signed_rank: expected differences that are numbers, got nan");
  CHECK_THROWS_AS(eq::wilcoxon_signed_rank({nan}), eq::ValueError);
  CHECK(eq::wilcoxon_signed_rank({std::numeric_limits<double>::infinity(), 1, 2}) < 1);
}

TEST_CASE("Holm's correction keeps the order and never exceeds one", "[evaluation][worked]") {
  const std::vector<double> p = eq::holm({0.01, 0.04, 0.03, 0.005});
  CHECK(p[3] == Approx(0.02));
  CHECK(p[0] == Approx(0.03));
  CHECK(p[2] == Approx(0.06));
  CHECK(p[1] == Approx(0.06));
  CHECK(eq::holm({0.9, 0.8}) == std::vector<double>{1, 1});
}
