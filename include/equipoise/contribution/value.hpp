// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Value functions: from the losses (or correctness) of coalitions to the game that Shapley values divide.

#include <equipoise/core/batch/coalition.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace equipoise {

enum class Value : std::uint8_t {
  loss_reduction,      ///< l(∅) - l(S): in the loss's unit
  relative_reduction,  ///< (l(∅) - l(S)) / l(∅): no unit, tasks compare; with squared error and the mean as prior it is
                       ///< explained variance
};
[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(Value) {
  return {"loss_reduction", "relative_reduction"};
}

/// \param losses [2^M, N] of coalitions in mask order
/// \return the values, [2^M, N], zero for the empty coalition. Relative ones are NaN in a column whose l(∅) is negative
/// or less than a millionth of another loss: a part of nothing says nothing (ours)
[[nodiscard]] inline Eigen::MatrixXd coalition_values(const Eigen::MatrixXd& losses, Value value) {
  Eigen::MatrixXd v(losses.rows(), losses.cols());
  for (Eigen::Index n = 0; n < v.cols(); ++n) {
    const double empty = losses(0, n);
    double largest = 0, unit = 1;
    for (Eigen::Index s = 0; s < v.rows(); ++s) largest = std::max(largest, std::abs(losses(s, n)));
    if (value == Value::relative_reduction)
      unit = empty > 1e-6 * largest ? empty : std::numeric_limits<double>::quiet_NaN();
    for (Eigen::Index s = 0; s < v.rows(); ++s) v(s, n) = (empty - losses(s, n)) / unit;
  }
  return v;
}

/// Sample-level valuation: |S| where coalition S predicts the right class, else 0; of S only what the record has counts.
/// \param correct [2^M, N] of 0 and 1  \param masks [N] the records' modalities
/// Wei, Feng, Wang, Hu, CVPR 2024, arXiv:2309.06255.
[[nodiscard]] inline Eigen::MatrixXd valuation_values(const Eigen::MatrixXd& correct,
                                                      std::span<const std::uint64_t> masks) {
  Eigen::MatrixXd v = correct;
  for (Eigen::Index s = 0; s < v.rows(); ++s)
    for (Eigen::Index i = 0; i < v.cols(); ++i)
      v(s, i) *= static_cast<double>(
          (Coalition(static_cast<std::uint64_t>(s)) & Coalition(masks[static_cast<std::size_t>(i)])).size());
  return v;
}

}  // namespace equipoise
