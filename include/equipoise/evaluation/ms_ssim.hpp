// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Structural similarity of two maps at several scales, from Wang, Simoncelli, Bovik, "Multiscale
/// structural similarity for image quality assessment", 2003, eq. 7:
///
///     MS-SSIM = SSIM_n^w_n  Π_j cs_j^w_j,   j = 1 … n - 1
///
/// cs is the mean over all windows of SSIM without its factor for the luminance
/// (evaluation/ssim.hpp), as in the program of its authors. Each scale halves the sides of the one
/// before by means of 2 x 2 pixels; at an odd side the last row or column is repeated. The weights
/// w are those of the paper, (0.0448, 0.2856, 0.3001, 0.2363, 0.1333). With fewer than five scales
/// the first ones are divided by their sum (ours). A negative factor counts as 0.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/evaluation/ssim.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>

namespace equipoise {

namespace detail {

inline constexpr std::array kScaleWeights{0.0448, 0.2856, 0.3001, 0.2363, 0.1333};

/// Half the sides, rounded up: `reduce` of each 2 x 2 pixels.
template <class Reduce>
[[nodiscard]] Eigen::ArrayXXd halved(const Eigen::ArrayXXd& x, const Reduce& reduce) {
  Eigen::ArrayXXd out((x.rows() + 1) / 2, (x.cols() + 1) / 2);
  for (Eigen::Index c = 0; c < out.cols(); ++c)
    for (Eigen::Index r = 0; r < out.rows(); ++r) {
      const Eigen::Index below = std::min(2 * r + 1, x.rows() - 1), right = std::min(2 * c + 1, x.cols() - 1);
      out(r, c) = reduce(x(2 * r, 2 * c), x(below, 2 * c), x(2 * r, right), x(below, right));
    }
  return out;
}

/// How many scales, of at most five, have sides of at least 11 pixels.
[[nodiscard]] constexpr std::size_t scales_that_fit(std::size_t height, std::size_t width) {
  std::size_t scales = 0;
  for (std::size_t side = std::min(height, width); side >= 11 && scales < kScaleWeights.size(); side = (side + 1) / 2)
    ++scales;
  return scales;
}

/// \throws ShapeError for maps that are too small
inline void check_scales(std::size_t height, std::size_t width, std::size_t scales) {
  check_option(scales > 0 && scales <= kScaleWeights.size(), "ms_ssim, scales", "1 to 5", scales);
  const std::size_t fit = scales_that_fit(height, width), least = (std::size_t{10} << (scales - 1)) + 1;
  if (fit < scales)
    throw ShapeError(message("shape.118", "ms_ssim", "expected sides of at least ", least, " pixels for ", scales,
                             " scales, got ", height, "x", width, ": the option scales = ", fit,
                             " is the most that fits"));
}

}  // namespace detail

/// MS-SSIM of two maps [height, width]. \param range L > 0: the largest difference that the data
/// can have
/// \param scales 1 to 5  \param counts which pixels count, [height, width], or empty for all:
/// windows around them, and at coarser scales around pixels that are made of them alone; NaN where
/// a scale has none
/// \throws ShapeError for lists that are not of height * width values, and for sides below 11, 21,
/// 41, 81 or 161 pixels for 1, 2, 3, 4 or 5 scales
[[nodiscard]] inline double ms_ssim(std::span<const float> a, std::span<const float> b, std::size_t height,
                                    std::size_t width, double range, std::size_t scales = 5,
                                    std::span<const bool> counts = {}) {
  check_same_length(a.size(), height * width, "ms_ssim");
  check_same_length(b.size(), height * width, "ms_ssim");
  if (!counts.empty()) check_same_length(counts.size(), height * width, "ms_ssim");
  detail::check_scales(height, width, scales);
  using Map = Eigen::Map<const Eigen::Array<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
  using Counts = Eigen::Map<const Eigen::Array<bool, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
  const auto h = static_cast<Eigen::Index>(height), w = static_cast<Eigen::Index>(width);
  Eigen::ArrayXXd x = Map(a.data(), h, w).cast<double>(), y = Map(b.data(), h, w).cast<double>(),
                  valid = Eigen::ArrayXXd::Ones(h, w);
  if (!counts.empty()) valid = Counts(counts.data(), h, w).cast<double>();
  const double c1 = std::pow(0.01 * range, 2), c2 = std::pow(0.03 * range, 2);
  const auto* const weights = detail::kScaleWeights.data();
  const double sum = scales == detail::kScaleWeights.size() ? 1 : std::accumulate(weights, weights + scales, 0.0);
  const auto mean = [](double p, double q, double r, double s) { return (p + q + r + s) / 4; };
  const auto all = [](double p, double q, double r, double s) { return std::min({p, q, r, s}); };
  double product = 1;
  for (std::size_t j = 0; j < scales; ++j) {
    if (j > 0) x = detail::halved(x, mean), y = detail::halved(y, mean), valid = detail::halved(valid, all);
    const auto [mx, my, vx, vy, vxy] = detail::WindowMoments(x, y);
    const auto centres = valid.block(5, 5, mx.rows(), mx.cols());
    const auto over_windows = [&](const Eigen::ArrayXXd& local) { return (centres * local).sum() / centres.sum(); };
    const Eigen::ArrayXXd cs = (2 * vxy + c2) / (vx + vy + c2);
    const double factor =
        j + 1 < scales ? over_windows(cs) : over_windows((2 * mx * my + c1) / (mx * mx + my * my + c1) * cs);
    if (std::isnan(factor)) return factor;
    product *= std::pow(std::max(factor, 0.0), weights[j] / sum);
  }
  return product;
}

}  // namespace equipoise
