#include <algorithm>
#include <cmath>
#include <equipoise/contribution/imbalance.hpp>
#include <equipoise/contribution/sampling.hpp>
#include <equipoise/contribution/shapley.hpp>
#include <equipoise/contribution/value.hpp>
#include <equipoise/core/random.hpp>
#include <numeric>

#include "support/worked.hpp"
// after Catch2
#include <rapidcheck/catch.h>

namespace eq = equipoise;
using support::printed, support::same;

namespace {

std::vector<double> random_game(std::size_t players, std::uint64_t seed) {
  std::vector<double> v(std::size_t{1} << players);
  for (std::size_t s = 0; s < v.size(); ++s) v[s] = eq::to_uniform(eq::hash_of({seed, s}));
  return v;
}

}  // namespace

TEST_CASE("Shapley values of the worked games", "[contribution][worked]") {
  same(eq::shapley(std::vector<double>{0, .6, .5, .8}), {0.45, 0.35});
  same(eq::shapley(std::vector{.1, .5, .4, .65, .3, .6, .55, .8}), {0.308333, 0.233333, 0.158333});
  same(eq::shapley(std::vector<double>{0, .3, .2, .45, .25, .5, .4, .6, .05, .35, .3, .55, .28, .58, .5, .75}),
       {0.266667, 0.181667, 0.213333, 0.088333});
  same(eq::shapley(std::vector<double>{0, 0, 0, 0, 0, 1, 1, 1}), {1.0 / 6, 1.0 / 6, 2.0 / 3});
  same(eq::shapley(std::vector<double>{0, 1, 1, 2, 0, 1, 1, 2}), {1, 1, 0});
}

TEST_CASE("Shapley values obey their axioms for any game", "[contribution][property]") {
  for (std::size_t players = 1; players <= 6; ++players)
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      const std::vector<double> u = random_game(players, seed), w = random_game(players, seed + 1000);
      const std::vector<double> phi = eq::shapley(u), psi = eq::shapley(w);
      double sum = 0;
      for (const double p : phi) sum += p;
      CHECK(sum == Approx(u.back() - u.front()).margin(1e-12));
      std::vector<double> mixed(u.size()), shifted(u.size()), swapped(u.size());
      for (std::size_t s = 0; s < u.size(); ++s) {
        mixed[s] = 2 * u[s] - 3 * w[s];
        shifted[s] = u[s] + 7;
        const eq::Coalition c(s);
        eq::Coalition t = c;
        if (players > 1) {
          t = t.without(0).without(1);
          if (c.contains(0)) t = t.with(1);
          if (c.contains(1)) t = t.with(0);
        }
        swapped[t.bits()] = u[s];
      }
      const std::vector<double> a = eq::shapley(mixed), b = eq::shapley(shifted), c = eq::shapley(swapped);
      for (std::size_t m = 0; m < players; ++m) {
        CHECK(a[m] == Approx(2 * phi[m] - 3 * psi[m]).margin(1e-12));
        CHECK(b[m] == Approx(phi[m]).margin(1e-12));
      }
      if (players > 1) {
        CHECK(c[0] == Approx(phi[1]).margin(1e-12));
        CHECK(c[1] == Approx(phi[0]).margin(1e-12));
      }
    }
}

TEST_CASE("a player that always adds the same gets exactly that", "[contribution][property]") {
  std::vector<double> v = random_game(4, 5);
  for (std::size_t s = 0; s < 8; ++s) v[s + 8] = v[s] + 0.25;
  CHECK(eq::shapley(v)[3] == Approx(0.25).margin(1e-12));
}

TEST_CASE("values of records average to the value of the average game", "[contribution][property]") {
  Eigen::MatrixXd games(8, 20);
  for (Eigen::Index s = 0; s < 8; ++s)
    for (Eigen::Index n = 0; n < 20; ++n)
      games(s, n) = eq::to_uniform(eq::hash_of({3, static_cast<std::uint64_t>(s), static_cast<std::uint64_t>(n)}));
  const Eigen::MatrixXd each = eq::shapley(games), mean = eq::shapley(Eigen::MatrixXd(games.rowwise().mean()));
  for (Eigen::Index m = 0; m < 3; ++m) CHECK(each.row(m).mean() == Approx(mean(m, 0)).margin(1e-12));
}

TEST_CASE("losses become values: reduction V3 and explained variance V4", "[contribution][worked]") {
  Eigen::MatrixXd losses(4, 1);
  losses << 1, .5, .7, .3;
  const Eigen::MatrixXd v3 = eq::shapley(eq::coalition_values(losses, eq::Value::loss_reduction));
  CHECK(v3(0, 0) == Approx(0.45));
  CHECK(v3(1, 0) == Approx(0.25));
  same(eq::shares(std::vector{v3(0, 0), v3(1, 0)}), {0.642857, 0.357143});
  // y = 2a + b with unit variances: losses 5, 1 (only a), 4 (only b), 0
  losses << 5, 1, 4, 0;
  const Eigen::MatrixXd v4 = eq::shapley(eq::coalition_values(losses, eq::Value::relative_reduction));
  CHECK(v4(0, 0) == Approx(0.8));
  CHECK(v4(1, 0) == Approx(0.2));
}

TEST_CASE("measures of imbalance of the worked shares", "[contribution][worked]") {
  const std::vector<double> c = eq::shares(std::vector{0.308333, 0.233333, 0.158333});
  same(c, {0.440476, 0.333333, 0.226190});
  CHECK(eq::imbalance_degree(c) == printed(0.031911));
  CHECK(eq::mean_pairwise_difference(c) == printed(0.142857));
  CHECK(eq::gini(c) == printed(0.142857));
  CHECK(eq::imbalance_degree(std::vector{.75, .25}) == printed(1 - 0.811278));
  CHECK(eq::gini(std::vector{.75, .25}) == Approx(0.25));
  CHECK(eq::coefficient_of_variation(c) == printed(0.262445));
  CHECK(eq::coefficient_of_variation(std::vector{.75, .25}) == printed(0.5));
  CHECK(eq::range_of(c) == printed(0.214286));
  const double without_second = eq::conditional_utilisation(.80, .75),
               without_first = eq::conditional_utilisation(.80, .50);
  CHECK(without_second == printed(0.0625));
  CHECK(without_first == printed(0.375));
  CHECK(without_second - without_first == printed(-0.3125));
  same(eq::shares(std::vector{-1.0, -2.0}), {0.5, 0.5});
}

TEST_CASE("a contribution that is not a number is no balance", "[contribution][error]") {
  CHECK_THROWS_AS(eq::shares(std::vector{std::nan(""), 1.0}), eq::NumericError);
}

TEST_CASE("the interaction index of two players is what they are worth together beyond apart",
          "[contribution][worked]") {
  CHECK(eq::shapley_interactions(std::vector<double>{0, .6, .5, .8})(0, 1) == Approx(-0.3));
  // Glove game: the third player needs either of the others, who replace each other.
  const Eigen::MatrixXd i = eq::shapley_interactions(std::vector<double>{0, 0, 0, 0, 0, 1, 1, 1});
  CHECK(i(0, 1) == Approx(-0.5));
  CHECK(i(0, 2) == Approx(0.5));
}

namespace {

const std::vector<double> kThree = {.1, .5, .4, .65, .3, .6, .55, .8};
const std::vector<double> kFour = {0, .3, .2, .45, .25, .5, .4, .6, .05, .35, .3, .55, .28, .58, .5, .75};

auto game(const std::vector<double>& v) {
  return [&v](eq::Coalition s) { return v[static_cast<std::size_t>(s.bits())]; };
}

}  // namespace

TEST_CASE("one order and its reverse give the worked marginals", "[contribution][worked]") {
  const std::vector<std::size_t> order = {0, 1, 2}, reverse = {2, 1, 0};
  same(eq::marginals(order, game(kThree)), {.4, .15, .15});
  same(eq::marginals(reverse, game(kThree)), {.25, .25, .2});
}

TEST_CASE("the average over all orders is exact, and each pair is efficient", "[contribution][property]") {
  std::vector<std::size_t> order = {0, 1, 2, 3};
  std::vector<double> mean(4, 0.0);
  do {
    const std::vector<double> m = eq::marginals(order, game(kFour));
    double sum = 0;
    for (std::size_t i = 0; i < 4; ++i) mean[i] += m[i] / 24, sum += m[i];
    CHECK(sum == Approx(0.75));
  } while (std::next_permutation(order.begin(), order.end()));
  same(mean, eq::shapley(kFour), 1e-12);
}

TEST_CASE("sampled values are within their standard errors, and antithetic pairs sharpen them as worked",
          "[contribution][property]") {
  const eq::SampledShapley s = eq::sampled_shapley(4, game(kFour), 4000, 3);
  const std::vector<double> exact = eq::shapley(kFour);
  const double pair_variance[] = {0.00013889, 0.00002222, 0.00018889, 0.00018889};
  for (std::size_t m = 0; m < 4; ++m) {
    CHECK(std::abs(s.values[m] - exact[m]) < 5 * s.standard_errors[m]);
    CHECK(s.standard_errors[m] * s.standard_errors[m] * 4000 == Approx(pair_variance[m]).epsilon(0.15));
  }
  CHECK(s.evaluations <= 16);
}

TEST_CASE("KernelSHAP over all coalitions is exact", "[contribution][worked]") {
  same(eq::kernel_shapley(kThree), eq::shapley(kThree), 1e-9);
  same(eq::kernel_shapley(kFour), eq::shapley(kFour), 1e-9);
  CHECK(eq::kernel_weight(3, 1) == Approx(1.0 / 3));
  CHECK(eq::kernel_weight(4, 2) == Approx(1.0 / 8));
  for (std::size_t players = 2; players <= 6; ++players)
    for (std::uint64_t seed = 0; seed < 20; ++seed)
      same(eq::kernel_shapley(random_game(players, seed)), eq::shapley(random_game(players, seed)), 1e-9);
}

TEST_CASE("a table that is not of 2^M coalitions is refused", "[contribution][error]") {
  CHECK_THROWS_AS(eq::shapley(std::vector<double>(3)), eq::ShapeError);
  CHECK_THROWS_AS(eq::all_coalitions(17), eq::ValueError);
}

TEST_CASE("exact values, the average over all orders, and KernelSHAP agree for any game", "[contribution][property]") {
  rc::prop("they agree", [] {
    const auto players = *rc::gen::inRange<std::size_t>(1, 6);
    const std::vector<int> drawn =
        *rc::gen::container<std::vector<int>>(std::size_t{1} << players, rc::gen::inRange(-1000, 1000));
    const std::vector<double> v(drawn.begin(), drawn.end());
    const std::vector<double> exact = eq::shapley(v), kernel = eq::kernel_shapley(v);
    std::vector<double> average(players, 0.0);
    std::vector<std::size_t> order(players);
    std::iota(order.begin(), order.end(), std::size_t{0});
    double orders = 0;
    do {
      const std::vector<double> added =
          eq::marginals(order, [&](eq::Coalition s) { return v[static_cast<std::size_t>(s.bits())]; });
      for (std::size_t m = 0; m < players; ++m) average[m] += added[m];
      orders += 1;
    } while (std::next_permutation(order.begin(), order.end()));
    for (std::size_t m = 0; m < players; ++m) {
      RC_ASSERT(std::abs(exact[m] - average[m] / orders) < 1e-9);
      RC_ASSERT(std::abs(exact[m] - kernel[m]) < 1e-8);
    }
    RC_ASSERT(std::abs(std::accumulate(exact.begin(), exact.end(), 0.0) - (v.back() - v.front())) < 1e-9);
  });
}
