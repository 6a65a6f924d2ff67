// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Measured and predicted values of some records. All figures of a method are computed from these.

#include <equipoise/psqa/criteria.hpp>

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <string>
#include <vector>

namespace equipoise::psqa {

using Rates = std::vector<RateNumbers>;  ///< [N] %, in the order of `kCriteria`; NaN where not measured

struct MethodPredictions {
  std::string method;
  std::vector<std::string> patients, sites, machines;  ///< [N]
  std::vector<double> mcs;                             ///< [N] modulation complexity score, for strata of complexity
  Rates truth, predicted;
  Rates calibration_truth, calibration_predicted;  ///< of the validation records, which also chose the epoch
  at::Tensor dd_truth, dd_predicted;  ///< [N, 1, h, w] in % of the norm; NaN in the truth where a pixel is not valid
  Rates map_rates;                    ///< recomputed from the planned dose and the predicted map; may be empty

  [[nodiscard]] std::size_t size() const { return truth.size(); }
};

}  // namespace equipoise::psqa
