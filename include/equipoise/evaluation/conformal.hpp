// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Split conformal prediction (Papadopoulos et al., ECML 2002; Lei et al., JASA 2018, 113:1094): the residuals of records
/// that did not train the model say how far off it may be on others, whatever the model is. It holds as far as
/// calibration and new records are exchangeable: records that also chose an epoch or a penalty promise a little too much.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/ranges.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace equipoise {

class ConformalResiduals {
 public:
  /// \param truth, predicted of the calibration records; a record without a finite truth does not count
  /// \throws ShapeError for lists of different lengths; ValueError for a prediction of a counted record that is not finite
  ConformalResiduals(std::span<const double> truth, std::span<const double> predicted) {
    check_same_length(truth.size(), predicted.size(), "ConformalResiduals");
    for (const auto [y, z] : views::zip(truth, predicted))
      if (std::isfinite(y)) {
        check_option(std::isfinite(z), "ConformalResiduals", "finite predictions", z);
        residual_.push_back(y - z);
      }
    std::sort(residual_.begin(), residual_.end());
    for (const double r : residual_) size_.push_back(std::abs(r));
    std::sort(size_.begin(), size_.end());
  }

  /// Calibration records.
  [[nodiscard]] std::size_t size() const { return size_.size(); }

  /// Prediction ± this holds a new record's truth with a probability of at least `level`: the ceil((n + 1) level)-th
  /// smallest absolute residual, infinite where n records cannot promise so much.
  [[nodiscard]] double half_width(double level) const {
    const auto rank = static_cast<std::size_t>(std::ceil((static_cast<double>(size_.size()) + 1) * level - 1e-9));
    if (rank > size_.size()) return std::numeric_limits<double>::infinity();
    return size_[std::max<std::size_t>(rank, 1) - 1];
  }

  /// The chance that the truth is below a limit: the share of residuals that would bring it there, the new record
  /// counting as one of which nothing is known. NaN of a prediction that is NaN.
  [[nodiscard]] double probability_below(double limit, double predicted) const {
    if (std::isnan(predicted)) return predicted;
    const auto below = std::lower_bound(residual_.begin(), residual_.end(), limit - predicted) - residual_.begin();
    return (static_cast<double>(below) + 0.5) / (static_cast<double>(residual_.size()) + 1);
  }

 private:
  std::vector<double> residual_, size_;  ///< ascending: truth - predicted, and its absolute values
};

}  // namespace equipoise
