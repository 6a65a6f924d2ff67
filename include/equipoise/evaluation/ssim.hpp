// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Structural similarity of two maps: 11 x 11 Gaussian window with sigma 1.5, a fixed data range L. Wang, Bovik,
/// Sheikh, Simoncelli, 2004. It depends on L and on the window: compare only values with the same ones, and list that
/// of a zero map beside them.

#include <equipoise/core/base/errors.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace equipoise {

namespace detail {

/// Gaussian window, valid part only: [(h - 10), (w - 10)].
[[nodiscard]] inline Eigen::ArrayXXd window_mean(const Eigen::ArrayXXd& x) {
  constexpr Eigen::Index size = 11;
  Eigen::ArrayXd g(size);
  for (Eigen::Index i = 0; i < size; ++i) g(i) = std::exp(-0.5 * std::pow(static_cast<double>(i - 5) / 1.5, 2));
  g /= g.sum();
  Eigen::ArrayXXd rows = Eigen::ArrayXXd::Zero(x.rows(), x.cols() - size + 1),
                  out = Eigen::ArrayXXd::Zero(x.rows() - size + 1, x.cols() - size + 1);
  for (Eigen::Index i = 0; i < size; ++i) rows += g(i) * x.middleCols(i, rows.cols());
  for (Eigen::Index i = 0; i < size; ++i) out += g(i) * rows.middleRows(i, out.rows());
  return out;
}

/// Moments of two maps in each window, [(h - 10), (w - 10)].
struct WindowMoments {
  WindowMoments(const Eigen::ArrayXXd& x, const Eigen::ArrayXXd& y)
      : mx(window_mean(x)),
        my(window_mean(y)),
        vx(window_mean(x * x) - mx * mx),
        vy(window_mean(y * y) - my * my),
        vxy(window_mean(x * y) - mx * my) {}

  Eigen::ArrayXXd mx, my, vx, vy, vxy;  ///< means, variances, covariance
};

}  // namespace detail

/// Mean SSIM of two maps [height, width]. \param range L > 0: the largest difference
/// that the data can have  \param counts which pixels' windows count, [height, width], or empty for all; NaN where none
/// does, and where a side is below 11: no window fits  \throws ShapeError for lists that are not of height * width values
[[nodiscard]] inline double ssim(std::span<const float> a, std::span<const float> b, std::size_t height,
                                 std::size_t width, double range, std::span<const bool> counts = {}) {
  check_same_length(a.size(), height * width, "ssim");
  check_same_length(b.size(), height * width, "ssim");
  if (!counts.empty()) check_same_length(counts.size(), height * width, "ssim");
  if (height < 11 || width < 11) return std::numeric_limits<double>::quiet_NaN();
  using Map = Eigen::Map<const Eigen::Array<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
  const auto h = static_cast<Eigen::Index>(height), w = static_cast<Eigen::Index>(width);
  const Eigen::ArrayXXd x = Map(a.data(), h, w).cast<double>(), y = Map(b.data(), h, w).cast<double>();
  const double c1 = std::pow(0.01 * range, 2), c2 = std::pow(0.03 * range, 2);
  const auto [mx, my, vx, vy, vxy] = detail::WindowMoments(x, y);
  const Eigen::ArrayXXd local = ((2 * mx * my + c1) * (2 * vxy + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2));
  if (counts.empty()) return local.mean();
  using Counts = Eigen::Map<const Eigen::Array<bool, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
  const Eigen::ArrayXXd weight =
      Counts(counts.data(), h, w).cast<double>().block(5, 5, local.rows(), local.cols());  // the windows' centres
  return weight.sum() > 0 ? (weight * local).sum() / weight.sum() : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace equipoise
