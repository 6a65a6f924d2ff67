// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A table of numbers on the host as an Eigen matrix.

#include <ATen/core/Tensor.h>

#include <Eigen/Core>

namespace equipoise::detail {

/// [R, N] as double.
[[nodiscard]] inline Eigen::MatrixXd as_matrix(const at::Tensor& table) {
  const at::Tensor t = table.to(at::kDouble).contiguous();
  return Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
      t.const_data_ptr<double>(), t.size(0), t.size(1));
}

}  // namespace equipoise::detail
