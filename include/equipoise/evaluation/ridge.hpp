// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Ridge regression: the linear baseline on a table.

#include <equipoise/core/base/errors.hpp>

#include <Eigen/Dense>

namespace equipoise {

/// Least squares with a penalty on the weights, none on the offsets.
class Ridge {
 public:
  /// \param x [N, F], of comparable scales  \param y [N, K]  \param penalty > 0, times N
  /// \throws ShapeError unless there is a row of `y` for each of `x`
  Ridge(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y, double penalty)
      : mean_x_(x.colwise().mean()), mean_y_(y.colwise().mean()) {
    if (x.rows() != y.rows())
      throw ShapeError(
          message("shape.130", "Ridge", "expected ", x.rows(), " rows of y, one a row of x, got ", y.rows()));
    const Eigen::MatrixXd cx = x.rowwise() - mean_x_, cy = y.rowwise() - mean_y_;
    Eigen::MatrixXd normal = cx.transpose() * cx;
    normal.diagonal().array() += penalty * static_cast<double>(x.rows());
    weights_ = normal.ldlt().solve(cx.transpose() * cy);
  }

  /// [N, K]. \throws ShapeError for another number of columns than it was fitted on
  [[nodiscard]] Eigen::MatrixXd predict(const Eigen::MatrixXd& x) const {
    if (x.cols() != weights_.rows())
      throw ShapeError(message("shape.130", "Ridge", "expected ", weights_.rows(), " columns, got ", x.cols()));
    return ((x.rowwise() - mean_x_) * weights_).rowwise() + mean_y_;
  }
  [[nodiscard]] const Eigen::MatrixXd& weights() const { return weights_; }  ///< [F, K]

 private:
  Eigen::RowVectorXd mean_x_, mean_y_;
  Eigen::MatrixXd weights_;
};

}  // namespace equipoise
