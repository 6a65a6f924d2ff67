#include <algorithm>
#include <cmath>
#include <equipoise/contribution/sampling.hpp>
#include <equipoise/contribution/shapley.hpp>
#include <equipoise/core/base/random.hpp>
#include <numeric>

#include "support/games.hpp"
#include "support/worked.hpp"
// after Catch2
#include <rapidcheck/catch.h>

namespace eq = equipoise;
using support::random_game, support::same;

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

namespace {

/// Of each player over all orders: a marginal's variance, its covariance with the reverse order's, and the variance of
/// the mean of the two.
struct Spread {
  std::vector<double> variance, covariance, of_pair;
};

Spread spread(const std::vector<double>& v) {
  const std::vector<double> exact = eq::shapley(v);
  const std::size_t n = exact.size();
  Spread out{std::vector<double>(n, 0.0), std::vector<double>(n, 0.0), std::vector<double>(n, 0.0)};
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  double orders = 0;
  do {
    const std::vector<std::size_t> reverse(order.rbegin(), order.rend());
    const std::vector<double> a = eq::marginals(order, game(v)), b = eq::marginals(reverse, game(v));
    for (std::size_t m = 0; m < n; ++m) {
      const double x = a[m] - exact[m], y = b[m] - exact[m];
      out.variance[m] += x * x, out.covariance[m] += x * y, out.of_pair[m] += (x + y) * (x + y) / 4;
    }
    orders += 1;
  } while (std::next_permutation(order.begin(), order.end()));
  for (auto* numbers : {&out.variance, &out.covariance, &out.of_pair})
    for (double& x : *numbers) x /= orders;
  return out;
}

/// The variance of a pair's mean against that of two independent orders'.
std::vector<double> sharpened(const Spread& s) {
  std::vector<double> out;
  for (std::size_t m = 0; m < s.variance.size(); ++m) out.push_back(s.of_pair[m] / (s.variance[m] / 2));
  return out;
}

}  // namespace

TEST_CASE("over all orders of three and four players, marginals vary as worked, and antithetic pairs less",
          "[contribution][worked]") {
  const Spread three = spread(kThree), four = spread(kFour);
  same(three.variance, {0.0045139, 0.0030556, 0.0011806}, 1e-7);
  same(three.covariance, {-0.0034028, -0.0019444, -0.0000694}, 1e-7);
  same(three.of_pair, {0.00055556, 0.00055556, 0.00055556}, 1e-8);
  same(sharpened(three), {0.246, 0.364, 0.941}, 1e-3);
  same(four.of_pair, {0.00013889, 0.00002222, 0.00018889, 0.00018889}, 1e-8);
  same(sharpened(four), {0.286, 0.032, 0.469, 0.214}, 1e-3);
}

TEST_CASE("KernelSHAP's weights of coalitions of every size", "[contribution][worked]") {
  const auto weights = [](std::size_t players) {
    std::vector<double> pi;
    for (std::size_t s = 1; s < players; ++s) pi.push_back(eq::kernel_weight(players, s));
    return pi;
  };
  same(weights(2), {1.0 / 2}, 1e-15);
  same(weights(3), {1.0 / 3, 1.0 / 3}, 1e-15);
  same(weights(4), {1.0 / 4, 1.0 / 8, 1.0 / 4}, 1e-15);
  same(weights(5), {1.0 / 5, 1.0 / 15, 1.0 / 15, 1.0 / 5}, 1e-15);            // 4 / (5 · 4), 4 / (10 · 6)
  same(weights(6), {1.0 / 6, 1.0 / 24, 1.0 / 36, 1.0 / 24, 1.0 / 6}, 1e-15);  // 5 / (6 · 5), / (15 · 8), / (20 · 9)
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
  for (std::size_t players = 2; players <= 6; ++players)
    for (std::uint64_t seed = 0; seed < 20; ++seed)
      same(eq::kernel_shapley(random_game(players, seed)), eq::shapley(random_game(players, seed)), 1e-9);
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

TEST_CASE("an order that is no order of the players is refused", "[contribution][error]") {
  const auto refused = [](const std::vector<std::size_t>& order) {
    CHECK_THROWS_WITH(eq::marginals(order, game(kThree)), Catch::Contains("marginals: expected each player once"));
  };
  refused({3, 1});
  refused({0, 0, 1});
  CHECK_THROWS_WITH(eq::sampled_shapley(
                        65, [](eq::Coalition) { return 0.0; }, 2, 1),
                    Catch::Contains("at most 64 players, got 65"));
}
