// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Standardised columns: less their mean, over their standard deviation, both of the training records alone. A module, so
/// that checkpoints and `torch::save` keep the two with the model.
///   in   [N, F] of a floating type, NaN where a cell is missing   out   [N, F], 0 where a cell was missing
/// Of sequences of different lengths (`Sequences`, [N, T, F]), padding does not count, and stays 0.
/// \code
/// auto standardizer = std::make_shared<eq::Standardizer>(2);
/// model->register_module("standardizer", standardizer);
/// standardizer->fit(train.numbers({"age", "mu"}));
/// const at::Tensor x = standardizer->forward(test.numbers({"age", "mu"}));
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/batch/sequence.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isinf.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/ones.h>
#include <torch/nn/module.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

namespace equipoise {

/// Columns with mean 0 and standard deviation 1 on the training records. Its buffers are of double precision.
class Standardizer : public torch::nn::Module {
 public:
  /// \param width columns, F > 0
  explicit Standardizer(std::int64_t width) : torch::nn::Module("Standardizer") {
    check_option(width > 0, "Standardizer", "a width > 0", width);
    // NaN until it is fitted or read from a file.
    mean_ = register_buffer("mean", at::full({width}, std::numeric_limits<double>::quiet_NaN(), at::kDouble));
    scale_ = register_buffer("scale", at::ones({width}, at::kDouble));
  }

  /// Takes each column's mean and standard deviation (of a population) over the cells that are not NaN; 1 in place of the
  /// deviation of a column that is constant. \param training [N, F], the training records
  /// \throws ShapeError, and ValueError for a column without any value or with an infinite one.
  void fit(const at::Tensor& training) {
    check_shape(training);
    const at::NoGradGuard no_grad;
    const at::Tensor x = training.detach().to(at::kDouble).reshape({-1, width()}), known = at::isnan(x).logical_not();
    check_columns(known.any(0), "a value in the training records, got none");
    check_columns(at::isinf(x).any(0).logical_not(), "finite values, or NaN where one is missing, got an infinite one");
    const at::Tensor none = known.logical_not(), n = known.sum(0).to(at::kDouble);
    constexpr double infinite = std::numeric_limits<double>::infinity();
    const at::Tensor lowest = x.masked_fill(none, infinite).amin(0), highest = x.masked_fill(none, -infinite).amax(0);
    const at::Tensor constant = lowest.eq(highest);  // whose sums may round to another mean
    const at::Tensor mean = lowest.where(constant, x.masked_fill(none, 0).sum(0).div(n));
    const at::Tensor deviation = x.sub(mean).masked_fill(none, 0).square().sum(0).div(n).sqrt();
    mean_.copy_(mean);
    scale_.copy_(deviation.masked_fill(constant, 1));
  }

  /// The same over the steps of sequences, without their padding. \param training [N, T, F]
  void fit(const Sequences& training) {
    training.check();
    check_shape(training.tensor);
    fit(detail::fill_padding(training.tensor, training.padding, std::numeric_limits<double>::quiet_NaN()));
  }

  /// (x - mean) / scale, in the type of `x`; 0, the training mean, where a cell is NaN.
  /// \throws ShapeError, and ValueError before `fit`
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) const {
    check_shape(x);
    check_fitted();
    return x.sub(mean_.to(x.device())).div(scale_.to(x.device())).masked_fill(at::isnan(x), 0).to(x.scalar_type());
  }

  /// The same of sequences [N, T, F]; 0 at padding.
  [[nodiscard]] Sequences forward(const Sequences& x) const {
    x.check();
    return {detail::zero_padding(forward(x.tensor), x.padding), x.padding};
  }

  /// z scale + mean: what `forward` was given, but for missing cells. \throws ShapeError, and ValueError before `fit`
  [[nodiscard]] at::Tensor inverse(const at::Tensor& z) const {
    check_shape(z);
    check_fitted();
    return z.mul(scale_.to(z.device())).add(mean_.to(z.device())).to(z.scalar_type());
  }

  [[nodiscard]] std::int64_t width() const { return mean_.size(0); }
  [[nodiscard]] const at::Tensor& mean() const { return mean_; }    ///< [F]
  [[nodiscard]] const at::Tensor& scale() const { return scale_; }  ///< [F], > 0

 private:
  void check_shape(const at::Tensor& x) const {
    if (x.defined() && x.is_floating_point() && x.dim() > 1 && x.size(-1) == width()) return;
    if (!x.defined())
      throw ShapeError(message("shape.101", "Standardizer", "expected [N, ", width(), "], got an undefined tensor"));
    throw ShapeError(message("shape.101", "Standardizer", "expected [N, ", width(), "] of a floating type, got ",
                             x.sizes(), " of ", x.scalar_type()));
  }

  void check_fitted() const {
    if (std::isnan(host_value(mean_.sum())))
      throw ValueError(message("value.263", "Standardizer", "expected fit(training) first, got a call before it"));
  }

  /// \throws ValueError that names the first column of which `good` [F] is false
  static void check_columns(const at::Tensor& good, const std::string& expected) {
    if (good.all().item<bool>()) return;
    const auto column = good.to(at::kLong).argmin().item<std::int64_t>();
    throw ValueError(message("value.242", "Standardizer", "column ", column, ": expected ", expected));
  }

  at::Tensor mean_, scale_;
};

}  // namespace equipoise
