// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Shapley values where a table of all coalitions is too large: permutation sampling with antithetic pairs (an order and
/// its reverse) and a standard error; and the weighted least squares of KernelSHAP (Lundberg and Lee, 2017), exact when
/// it sees every coalition.

#include <equipoise/contribution/shapley.hpp>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/random.hpp>
#include <equipoise/core/batch/coalition.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace equipoise {

/// What each player adds when players join in this order; the sum is v(all) - v(none), whatever the order.
/// \param order each player once  \param value called with a coalition  \throws ValueError for another order
template <class Game>
[[nodiscard]] std::vector<double> marginals(std::span<const std::size_t> order, Game&& value) {
  std::vector<double> out(order.size());
  Coalition s;
  double before = value(s);
  check_option(order.size() <= 64, "marginals", "at most 64 players", order.size());
  for (const std::size_t m : order) {
    check_option(m < order.size() && !s.contains(m), "marginals", "each player once", m);
    s = s.with(m);
    const double after = value(s);
    out[m] = after - before;
    before = after;
  }
  return out;
}

struct SampledShapley {
  std::vector<double> values, standard_errors;  ///< [M]
  std::size_t evaluations = 0;                  ///< coalitions that were evaluated, each once
};

/// Shapley values from `pairs` antithetic pairs of random orders; exactly efficient for any number of them.
/// \param value called once a coalition
/// \throws ValueError for fewer than two pairs, from which no error can be told.
template <class Game>
[[nodiscard]] SampledShapley sampled_shapley(std::size_t players, Game&& value, std::size_t pairs, std::uint64_t seed) {
  if (pairs < 2)
    throw ValueError(message("value.213", "sampled_shapley", "expected at least 2 pairs of orders, got ", pairs));
  std::map<Coalition, double> known;
  const auto cached = [&](Coalition s) {
    const auto [at, added] = known.try_emplace(s);
    if (added) at->second = value(s);
    return at->second;
  };
  std::vector<double> sum(players, 0.0), squares(players, 0.0);
  for (std::size_t p = 0; p < pairs; ++p) {
    const std::vector<std::int64_t> drawn = permutation(static_cast<std::int64_t>(players), hash_of({seed, p}));
    std::vector<std::size_t> order(drawn.begin(), drawn.end());
    const std::vector<double> forward = marginals(order, cached);
    std::reverse(order.begin(), order.end());
    const std::vector<double> backward = marginals(order, cached);
    for (std::size_t m = 0; m < players; ++m) {
      const double mean = 0.5 * (forward[m] + backward[m]);
      sum[m] += mean, squares[m] += mean * mean;
    }
  }
  const double n = static_cast<double>(pairs);
  SampledShapley out;
  for (std::size_t m = 0; m < players; ++m) {
    out.values.push_back(sum[m] / n);
    out.standard_errors.push_back(std::sqrt(std::max(squares[m] / n - sum[m] / n * sum[m] / n, 0.0) / (n - 1)));
  }
  out.evaluations = known.size();
  return out;
}

/// π(s) = (M - 1) / (C(M, s) s (M - s)), the weight of a coalition of s players, 0 < s < M.
[[nodiscard]] inline double kernel_weight(std::size_t players, std::size_t size) {
  double binomial = 1;
  for (std::size_t i = 0; i < size; ++i)
    binomial = binomial * static_cast<double>(players - i) / static_cast<double>(i + 1);
  return static_cast<double>(players - 1) /
         (binomial * static_cast<double>(size) * static_cast<double>(players - size));
}

/// Shapley values [M] by weighted least squares over all coalitions, with Σ φ = v(all) - v(none) built in.
/// \param values [2^M] in mask order
[[nodiscard]] inline std::vector<double> kernel_shapley(std::span<const double> values) {
  const std::size_t players = detail::players_of(values.size());
  const double all = values.back() - values.front();
  if (players < 2) return {all};
  const auto n = static_cast<Eigen::Index>(players - 1);
  Eigen::MatrixXd a = Eigen::MatrixXd::Zero(n, n);
  Eigen::VectorXd b = Eigen::VectorXd::Zero(n);
  for (std::uint64_t bits = 1; bits + 1 < values.size(); ++bits) {
    const Coalition s(bits);
    const double last = s.contains(players - 1) ? 1 : 0, w = kernel_weight(players, s.size());
    Eigen::VectorXd x(n);
    for (Eigen::Index m = 0; m < n; ++m) x(m) = (s.contains(static_cast<std::size_t>(m)) ? 1 : 0) - last;
    a += w * x * x.transpose();
    b += w * (values[static_cast<std::size_t>(bits)] - values.front() - last * all) * x;
  }
  const Eigen::VectorXd phi = a.ldlt().solve(b);
  std::vector<double> out(phi.data(), phi.data() + phi.size());
  out.push_back(all - phi.sum());
  return out;
}

}  // namespace equipoise
