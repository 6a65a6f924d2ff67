// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The places where a computation waits for a device: one number, or one table, read by the host. On the meta device,
/// where tensors have shapes but no values, both are ones, so that everything around them can be run there.

#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>

namespace equipoise {

/// The value of a tensor with one element.
[[nodiscard]] inline double host_value(const at::Tensor& scalar) {
  return scalar.is_meta() ? 1.0 : scalar.item<double>();
}

/// A copy in the host's memory.
[[nodiscard]] inline at::Tensor host_copy(const at::Tensor& t) {
  return t.is_meta() ? at::ones(t.sizes(), t.options().device(at::kCPU)) : t.to(at::kCPU).contiguous();
}

}  // namespace equipoise
