#include <equipoise/evaluation/ranking.hpp>
#include <equipoise/evaluation/search.hpp>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace eq = equipoise;
using Catch::Contains;

TEST_CASE("average ranks, Friedman's p and the critical difference", "[evaluation][ranking]") {
  // Ranks over four blocks: (1 2 3), (1 2 3), (1 3 2), (1.5 1.5 3); scipy.stats.friedmanchisquare gives p = 0.05688824.
  const eq::Ranking r = eq::rank_methods({{1, 2, 1, 5}, {2, 3, 4, 5}, {3, 9, 3, 6}});
  CHECK(r.average == std::vector<double>{1.125, 2.125, 2.75});
  CHECK(r.blocks == 4);
  CHECK(r.friedman_p == Approx(0.05688824).margin(1e-7));
  CHECK(r.critical_difference == Approx(2.343 * std::sqrt(3 * 4 / (6.0 * 4))));
  CHECK(!r.differ(0, 1));
}

TEST_CASE("methods that no critical difference separates stand together", "[evaluation][ranking]") {
  using Cliques = std::vector<std::pair<std::size_t, std::size_t>>;
  eq::Ranking r{.average = {4, 1, 1.8, 2.7, 6}, .blocks = 20};
  r.critical_difference = 1;
  CHECK(r.order() == std::vector<std::size_t>{1, 2, 3, 0, 4});
  CHECK(r.cliques() == Cliques{{0, 1}, {1, 2}});
  r.critical_difference = 2;
  CHECK(r.cliques() == Cliques{{0, 2}, {2, 3}, {3, 4}});
  r.critical_difference = 0.5;
  CHECK(r.cliques().empty());
}

TEST_CASE("blocks without a figure of every method do not count", "[evaluation][ranking]") {
  const eq::Ranking r = eq::rank_methods({{1, std::nan(""), 2}, {2, 0, 1}});
  CHECK(r.blocks == 2);
  CHECK(r.average == std::vector<double>{1.5, 1.5});
  CHECK(r.friedman_p == Approx(1));
  CHECK_THROWS_WITH(eq::rank_methods({{1}}), Contains("expected 2 to 20 methods, got 1"));
  CHECK_THROWS_WITH(eq::rank_methods({{std::nan("")}, {1}}), Contains("no block"));
  CHECK(eq::rank_methods({{1, 1}, {1, 1}}).friedman_p == 1);  // all ties
}

TEST_CASE("trials draw within their ranges, by seed, trial and name alone", "[evaluation][search]") {
  const std::vector<eq::SearchRange> space = {{.option = "rate", .low = 1e-4, .high = 1e-2, .logarithmic = true},
                                              {.option = "layers", .low = 1, .high = 3, .whole = true},
                                              {.option = "width", .choices = {"32", "64"}}};
  const auto trials = eq::draw_trials(space, 301, 7);
  REQUIRE(trials.size() == 301);
  CHECK(trials[0].empty());
  std::set<std::string> layers, widths;
  std::size_t small = 0;
  for (std::size_t t = 1; t < trials.size(); ++t) {
    const double rate = std::stod(trials[t][0].second);
    CHECK((rate >= 1e-4 && rate <= 1e-2));
    small += rate < 1e-3;
    layers.insert(trials[t][1].second), widths.insert(trials[t][2].second);
  }
  CHECK(std::abs(static_cast<double>(small) - 150) < 4 * std::sqrt(300 * 0.25));
  CHECK(layers == std::set<std::string>{"1", "2", "3"});
  CHECK(widths == std::set<std::string>{"32", "64"});
  const auto alone = eq::draw_trials(std::vector{space[1]}, 5, 7);
  for (std::size_t t = 1; t < 5; ++t) CHECK(alone[t][0] == trials[t][1]);
  CHECK(eq::draw_trials(space, 5, 8)[1] != trials[1]);
}

TEST_CASE("a search without values is refused, and a trial that failed is not chosen", "[evaluation][search]") {
  const auto draw = [](const eq::SearchRange& r) { return eq::draw_trials(std::vector{r}, 2, 1); };
  CHECK_THROWS_WITH(draw({.option = "rate", .low = 0, .high = 1, .logarithmic = true}), Contains("search of rate"));
  CHECK_THROWS_WITH(draw({.option = "rate", .low = 2, .high = 1}), Contains("low <= high"));
  CHECK_THROWS_WITH(draw({.option = "n", .low = 1.2, .high = 1.8, .whole = true}), Contains("whole number"));
  CHECK(draw({.option = "n", .low = 2, .high = 2, .whole = true})[1][0].second == "2");
  const double nan = std::nan("");
  CHECK(eq::best_trial(std::vector<double>{nan, 3, 2, 2}) == 2);
  CHECK_THROWS_WITH(eq::best_trial(std::vector<double>{nan, nan}), Contains("no trial"));
}
