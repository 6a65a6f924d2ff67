// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Moments, correlation and quantiles of a list of numbers. Moments and correlation are Boost.Math's; it has no quantile
/// between order statistics. A NaN among the numbers makes the result NaN, and so does an empty list.

#include <equipoise/core/base/errors.hpp>

#include <boost/math/tools/config.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

// Without Boost.Math's parallel versions: they include <execution>, with which a program must link TBB wherever TBB's
// headers are installed, and <future>, which takes the compiler longer than all the rest.
#pragma push_macro("BOOST_MATH_EXEC_COMPATIBLE")
#pragma push_macro("BOOST_HAS_THREADS")
#undef BOOST_MATH_EXEC_COMPATIBLE
#undef BOOST_HAS_THREADS
#include <boost/math/statistics/bivariate_statistics.hpp>
#include <boost/math/statistics/univariate_statistics.hpp>
#pragma pop_macro("BOOST_HAS_THREADS")
#pragma pop_macro("BOOST_MATH_EXEC_COMPATIBLE")

namespace equipoise {

namespace detail {

inline constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();

[[nodiscard]] inline bool any_nan(std::span<const double> x) {
  return std::any_of(x.begin(), x.end(), [](double v) { return std::isnan(v); });
}

}  // namespace detail

[[nodiscard]] inline double mean(std::span<const double> x) {
  return x.empty() ? detail::kNotANumber : boost::math::statistics::mean(x);
}

/// Of a population: the mean squared distance from the mean, Σ (x - mean)² / n.
[[nodiscard]] inline double variance(std::span<const double> x) {
  return x.empty() ? detail::kNotANumber : boost::math::statistics::variance(x);
}

/// Of a population: the root of the mean squared distance from the mean.
[[nodiscard]] inline double standard_deviation(std::span<const double> x) {
  return std::sqrt(variance(x));
}

/// Estimated from a sample, with n - 1 in the denominator; NaN for fewer than two numbers.
[[nodiscard]] inline double sample_standard_deviation(std::span<const double> x) {
  return x.size() < 2 ? detail::kNotANumber : std::sqrt(boost::math::statistics::sample_variance(x));
}

/// Of a population: the third central moment over the cubed standard deviation; 0 where all numbers are equal.
[[nodiscard]] inline double skewness(std::span<const double> x) {
  return x.empty() ? detail::kNotANumber : boost::math::statistics::skewness(x);
}

/// Pearson's correlation coefficient; NaN where one of the lists is constant. \throws ShapeError for lists of different
/// lengths
[[nodiscard]] inline double pearson(std::span<const double> a, std::span<const double> b) {
  check_same_length(a.size(), b.size(), "pearson");
  return a.empty() ? detail::kNotANumber : boost::math::statistics::correlation_coefficient(a, b);
}

/// The q-quantile, linear between order statistics (NumPy's default, R's type 7). q in [0, 1]
[[nodiscard]] inline double quantile(std::vector<double> x, double q) {
  if (x.empty() || detail::any_nan(x)) return detail::kNotANumber;
  std::sort(x.begin(), x.end());
  const double at = q * static_cast<double>(x.size() - 1);
  const auto i = std::min(static_cast<std::size_t>(at), x.size() - 1), j = std::min(i + 1, x.size() - 1);
  return x[i] + (at - static_cast<double>(i)) * (x[j] - x[i]);
}

}  // namespace equipoise
