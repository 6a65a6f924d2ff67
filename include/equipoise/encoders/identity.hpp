// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Identity` passes vectors on as they are.
///
/// - In: vectors [B, width] of B records
/// - Out: vector feature [B, width], the input
///
/// When: The features were computed before, by a large model that is not trained here; or the
/// columns of a small table go to the fusion directly.
/// Cost: None.
/// Limits: It does not scale its inputs (`eq::Standardizer`). It has no parameters, so that
/// policies which act on the gradients of encoders act on the fusion alone.
///
/// \code
/// auto encoder = eq::Identity{.width = 512}.build();
/// at::Tensor feature = encoder->forward(torch::randn({8, 512}));  // [8, 512]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string_view>

namespace equipoise {

class IdentityModule : public torch::nn::Module {
 public:
  explicit IdentityModule(std::int64_t width) : torch::nn::Module("Identity"), width_(width) {}

  /// \param x [B, width]  \throws ShapeError for another shape, or integers
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) const {
    if (x.dim() != 2 || x.size(1) != width_ || !x.is_floating_point())
      throw ShapeError(message("shape.101", "Identity", "expected [B, ", width_, "] of a floating type, got ",
                               x.sizes(), " of ", x.scalar_type()));
    return x;
  }
  [[nodiscard]] std::int64_t width() const { return width_; }

 private:
  std::int64_t width_;
};

/// `Identity{.width = 512}`.
struct Identity {
  static constexpr std::string_view id = "identity";

  std::int64_t width = 1;  ///< columns of the input; > 0

  /// A small encoder and an input for it, for tests.
  [[nodiscard]] static Identity example() { return {.width = 4}; }
  [[nodiscard]] static at::Tensor example_input(std::int64_t records) { return torch::randn({records, 4}); }

  [[nodiscard]] std::shared_ptr<IdentityModule> build() const {
    check_option(width > 0, "Identity.width", "> 0", width);
    return std::make_shared<IdentityModule>(width);
  }
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Identity, width);
