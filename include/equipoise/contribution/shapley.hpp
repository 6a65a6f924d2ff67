// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Shapley values of the game whose players are modalities, from the table of all 2^M coalitions' values, in the order
/// of `all_coalitions`.
///   φ_m = Σ_{S ∌ m} |S|! (M - |S| - 1)! / M! · [v(S ∪ m) - v(S)]

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/batch/coalition.hpp>

#include <Eigen/Core>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace equipoise {

namespace detail {

/// M of a table of 2^M values.
[[nodiscard]] inline std::size_t players_of(std::size_t table_size) {
  if (!std::has_single_bit(table_size))
    throw ShapeError(message("shape.106", "shapley", "expected a table of 2^M coalitions, got ", table_size));
  return static_cast<std::size_t>(std::countr_zero(table_size));
}

/// |S|! (M - |S| - 1)! / M! for |S| = 0 … M - 1.
[[nodiscard]] inline std::vector<double> shapley_weights(std::size_t players) {
  std::vector<double> weights(players);
  double w = players > 0 ? 1.0 / static_cast<double>(players) : 0;  // |S| = 0: (M-1)! / M!
  for (std::size_t s = 0; s < players; ++s) {
    weights[s] = w;
    w *= static_cast<double>(s + 1) / static_cast<double>(players - s - 1 == 0 ? 1 : players - s - 1);
  }
  return weights;
}

/// \param phi [M], zero
inline void add_shapley(std::span<const double> values, std::span<const double> weights, std::span<double> phi) {
  for (std::size_t bits = 0; bits < values.size(); ++bits) {
    const Coalition s(bits);
    for (std::size_t m = 0; m < phi.size(); ++m)
      if (!s.contains(m))
        phi[m] += weights[s.size()] * (values[static_cast<std::size_t>(s.with(m).bits())] - values[bits]);
  }
}

}  // namespace detail

/// Exact Shapley values of one game. \param values [2^M]  \return [M]
/// \throws ShapeError when the number of values is not a power of two.  Cost: M 2^(M-1).
[[nodiscard]] inline std::vector<double> shapley(std::span<const double> values) {
  std::vector<double> phi(detail::players_of(values.size()));
  detail::add_shapley(values, detail::shapley_weights(phi.size()), phi);
  return phi;
}

/// Exact Shapley values of many games. \param values [2^M, N], a column a game (record, output)  \return [M, N]
/// \throws ShapeError when the number of rows is not a power of two.
[[nodiscard]] inline Eigen::MatrixXd shapley(const Eigen::MatrixXd& values) {
  const auto rows = static_cast<std::size_t>(values.rows());
  const std::size_t players = detail::players_of(rows);
  const std::vector<double> weights = detail::shapley_weights(players);
  Eigen::MatrixXd phi = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(players), values.cols());
  for (Eigen::Index n = 0; n < values.cols(); ++n)
    detail::add_shapley({values.data() + n * values.rows(), rows}, weights, {phi.data() + n * phi.rows(), players});
  return phi;
}

/// The Shapley interaction index of each pair, [M, M] symmetric with a zero diagonal: what two modalities are worth
/// together beyond apart. Grabisch and Roubens, 1999.
[[nodiscard]] inline Eigen::MatrixXd shapley_interactions(std::span<const double> values) {
  const std::size_t players = detail::players_of(values.size());
  Eigen::MatrixXd index = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(players), static_cast<Eigen::Index>(players));
  const std::vector<double> weights = detail::shapley_weights(players > 1 ? players - 1 : 0);
  for (std::size_t a = 0; a < players; ++a)
    for (std::size_t b = a + 1; b < players; ++b) {
      double sum = 0;
      for (std::uint64_t s = 0; s < values.size(); ++s) {
        const Coalition c(s);
        if (c.contains(a) || c.contains(b)) continue;
        const auto v = [&](Coalition x) { return values[static_cast<std::size_t>(x.bits())]; };
        sum += weights[c.size()] * (v(c.with(a).with(b)) - v(c.with(a)) - v(c.with(b)) + v(c));
      }
      index(static_cast<Eigen::Index>(a), static_cast<Eigen::Index>(b)) =
          index(static_cast<Eigen::Index>(b), static_cast<Eigen::Index>(a)) = sum;
    }
  return index;
}

}  // namespace equipoise
