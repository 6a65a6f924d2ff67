// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A table of numbers on the host as an Eigen matrix.

#include <ATen/core/Tensor.h>

#include <Eigen/Core>

#include <algorithm>

namespace equipoise::detail {

/// [R, N] as double.
[[nodiscard]] inline Eigen::MatrixXd as_matrix(const at::Tensor& table) {
  const at::Tensor columns = table.to(at::kDouble).t().contiguous();  // Eigen's matrices are stored by column
  Eigen::MatrixXd out(table.size(0), table.size(1));
  std::copy_n(columns.const_data_ptr<double>(), columns.numel(), out.data());
  return out;
}

}  // namespace equipoise::detail
