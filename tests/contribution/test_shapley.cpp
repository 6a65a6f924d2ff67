#include <cmath>
#include <equipoise/contribution/imbalance.hpp>
#include <equipoise/contribution/shapley.hpp>
#include <equipoise/contribution/value.hpp>
#include <equipoise/core/base/random.hpp>

#include "support/games.hpp"
#include "support/worked.hpp"

namespace eq = equipoise;
using support::printed, support::random_game, support::same;

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
      std::vector<double> mixed(u.size()), shifted(u.size());
      for (std::size_t s = 0; s < u.size(); ++s) mixed[s] = 2 * u[s] - 3 * w[s], shifted[s] = u[s] + 7;
      const std::vector<double> a = eq::shapley(mixed), b = eq::shapley(shifted);
      for (std::size_t m = 0; m < players; ++m) {
        CHECK(a[m] == Approx(2 * phi[m] - 3 * psi[m]).margin(1e-12));
        CHECK(b[m] == Approx(phi[m]).margin(1e-12));
      }
    }
}

TEST_CASE("players who change their names keep their values, whatever the game and the names",
          "[contribution][property]") {
  for (std::size_t players = 1; players <= 6; ++players)
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      const std::vector<double> v = random_game(players, seed), phi = eq::shapley(v);
      const std::vector<std::int64_t> name = eq::permutation(static_cast<std::int64_t>(players), seed);
      std::vector<double> renamed(v.size());
      for (std::size_t s = 0; s < v.size(); ++s) {
        eq::Coalition t;
        for (std::size_t m = 0; m < players; ++m)
          if (eq::Coalition(s).contains(m)) t = t.with(static_cast<std::size_t>(name[m]));
        renamed[static_cast<std::size_t>(t.bits())] = v[s];
      }
      const std::vector<double> psi = eq::shapley(renamed);
      for (std::size_t m = 0; m < players; ++m) CHECK(psi[static_cast<std::size_t>(name[m])] == printed(phi[m], 1e-12));
    }
}

TEST_CASE("a player that always adds the same gets exactly that, and the others what they had without it",
          "[contribution][property]") {
  for (std::size_t players = 1; players <= 6; ++players)
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      const std::size_t dummy = seed % players;
      const double adds = eq::to_uniform(eq::hash_of({seed, 99})) - 0.5;
      const std::vector<double> others = random_game(players - 1, seed), without = eq::shapley(others);
      std::vector<double> v(std::size_t{1} << players);
      for (std::size_t s = 0; s < v.size(); ++s) {
        const std::size_t below = s & ((std::size_t{1} << dummy) - 1), above = (s >> (dummy + 1)) << dummy;
        v[s] = others[above | below] + (eq::Coalition(s).contains(dummy) ? adds : 0);
      }
      const std::vector<double> phi = eq::shapley(v);
      REQUIRE(phi.size() == players);
      for (std::size_t m = 0; m < players; ++m)
        CHECK(phi[m] == printed(m == dummy ? adds : without[m < dummy ? m : m - 1], 1e-12));
    }
}

TEST_CASE("values of records average to the value of the average game", "[contribution][property]") {
  Eigen::MatrixXd games(8, 20);
  for (Eigen::Index s = 0; s < 8; ++s)
    for (Eigen::Index n = 0; n < 20; ++n)
      games(s, n) = eq::to_uniform(eq::hash_of({3, static_cast<std::uint64_t>(s), static_cast<std::uint64_t>(n)}));
  const Eigen::MatrixXd each = eq::shapley(games), mean = eq::shapley(Eigen::MatrixXd(games.rowwise().mean()));
  for (Eigen::Index m = 0; m < 3; ++m) CHECK(each.row(m).mean() == Approx(mean(m, 0)).margin(1e-12));
}

TEST_CASE("losses become values: loss reduction and explained variance", "[contribution][worked]") {
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

TEST_CASE("where the prior has no loss, or a negative one, a part of it is nothing; other columns are as they are",
          "[contribution][numeric]") {
  Eigen::MatrixXd losses(4, 5);
  losses << 1, 0, -1, 1e-7, 1e-5,  //
      .5, .5, .5, .5, .5,          //
      .7, .7, .7, .7, .7,          //
      .3, .3, .3, .3, .3;
  const Eigen::MatrixXd part = eq::coalition_values(losses, eq::Value::relative_reduction),
                        reduction = eq::coalition_values(losses, eq::Value::loss_reduction);
  for (const Eigen::Index n : {1, 2, 3}) CHECK(part.col(n).array().isNaN().all());
  CHECK(part(3, 0) == Approx(0.7));
  CHECK(part(3, 4) == Approx(1 - .3e5));
  CHECK(reduction.array().isFinite().all());
  CHECK(reduction(3, 1) == Approx(-0.3));
  // A loss's unit does not matter.
  const Eigen::MatrixXd small = eq::coalition_values(losses * 1e-20, eq::Value::relative_reduction);
  CHECK(small(3, 0) == Approx(0.7));
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

TEST_CASE("a table that is not of 2^M coalitions is refused", "[contribution][error]") {
  CHECK_THROWS_AS(eq::shapley(std::vector<double>(3)), eq::ShapeError);
  CHECK_THROWS_AS(eq::all_coalitions(17), eq::ValueError);
}
