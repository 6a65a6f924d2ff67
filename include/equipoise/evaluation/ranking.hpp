// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Ranks of several methods over blocks (data sets, runs, patients), and how far average ranks must lie apart. Demšar,
/// Journal of Machine Learning Research 2006, 7, 1.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/evaluation/metrics.hpp>

#include <boost/math/distributions/chi_squared.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace equipoise {

/// Average ranks of methods, 1 the best.
struct Ranking {
  std::vector<double> average;     ///< [K] ranks; ties share the mean of their ranks
  std::size_t blocks = 0;          ///< those in which every method has a figure
  double friedman_p = 1;           ///< of all methods being alike: Friedman's test with correction for ties
  double critical_difference = 0;  ///< average ranks farther apart differ at 5 % (Nemenyi)

  /// Whether two methods differ at 5 %.
  [[nodiscard]] bool differ(std::size_t a, std::size_t b) const {
    return std::abs(average[a] - average[b]) > critical_difference;
  }

  /// The methods by average rank, the best first.
  [[nodiscard]] std::vector<std::size_t> order() const {
    std::vector<std::size_t> out(average.size());
    std::iota(out.begin(), out.end(), std::size_t{0});
    std::stable_sort(out.begin(), out.end(), [&](std::size_t a, std::size_t b) { return average[a] < average[b]; });
    return out;
  }

  /// The largest groups of two or more methods of which no two differ, as places [first, last] in `order`.
  [[nodiscard]] std::vector<std::pair<std::size_t, std::size_t>> cliques() const {
    const std::vector<std::size_t> by_rank = order();
    std::vector<std::pair<std::size_t, std::size_t>> out;
    for (std::size_t first = 0; first < by_rank.size(); ++first) {
      std::size_t last = first;
      while (last + 1 < by_rank.size() && !differ(by_rank[first], by_rank[last + 1])) ++last;
      if (last > first && (out.empty() || last > out.back().second)) out.emplace_back(first, last);
    }
    return out;
  }
};

namespace detail {

/// The 95 % point of the studentized range of k means with infinite degrees of freedom, over the root of 2; k = 2 .. 20.
inline constexpr std::array<double, 19> kNemenyi = {1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031,
                                                    3.102, 3.164, 3.219, 3.268, 3.313, 3.354, 3.391,
                                                    3.426, 3.458, 3.489, 3.517, 3.544};

/// The sum of t³ - t over groups of t equal ranks.
[[nodiscard]] inline double ties_in(std::span<const double> ranks) {
  double out = 0;
  for (const double rank : ranks) {
    const auto same = static_cast<double>(std::count(ranks.begin(), ranks.end(), rank));
    out += same * same - 1;  // of each of the t
  }
  return out;
}

}  // namespace detail

/// Ranks methods by a figure that is better the smaller it is. \param figures [K][N] of each method in each block; blocks
/// with a NaN do not count \throws ValueError for fewer than 2 or more than 20 methods, or where no block is left;
/// ShapeError for methods with other numbers of blocks
[[nodiscard]] inline Ranking rank_methods(const std::vector<std::vector<double>>& figures) {
  const std::size_t k = figures.size();
  if (k < 2 || k > detail::kNemenyi.size() + 1)
    throw ValueError(message("value.247", "rank_methods", "expected 2 to 20 methods, got ", k));
  for (const auto& of_method : figures) check_same_length(of_method.size(), figures[0].size(), "rank_methods");
  Ranking out{std::vector<double>(k, 0.0)};
  double ties = 0;
  for (std::size_t b = 0; b < figures[0].size(); ++b) {
    std::vector<double> block;
    for (const auto& of_method : figures) block.push_back(of_method[b]);
    if (std::any_of(block.begin(), block.end(), [](double x) { return std::isnan(x); })) continue;
    const std::vector<double> ranks = detail::ranks(block);
    for (std::size_t m = 0; m < k; ++m) out.average[m] += ranks[m];
    ties += detail::ties_in(ranks), ++out.blocks;
  }
  if (out.blocks == 0) throw ValueError(message("value.247", "rank_methods", "no block has a figure of every method"));
  const double n = static_cast<double>(out.blocks), methods = static_cast<double>(k);
  double squares = 0;
  for (double& rank : out.average) rank /= n, squares += (rank - (methods + 1) / 2) * (rank - (methods + 1) / 2);
  const double chi = 12 * n * squares / (methods * (methods + 1)),
               left = 1 - ties / (n * methods * (methods * methods - 1));
  if (left > 0) out.friedman_p = cdf(complement(boost::math::chi_squared(methods - 1), chi / left));
  out.critical_difference = detail::kNemenyi[k - 2] * std::sqrt(methods * (methods + 1) / (6 * n));
  return out;
}

}  // namespace equipoise
