#pragma once

/// \file
/// Weights and inputs from a formula of a name and an index, which by_formula.py computes too.

#include <torch/nn/module.h>

#include <cmath>
#include <cstdint>
#include <string>

namespace support {

/// Numbers in [0, 1) of a name.
inline at::Tensor uniform_of(const std::string& name, at::IntArrayRef shape) {
  std::uint32_t start = 2166136261U;  // FNV-1a
  for (const char c : name) start = (start ^ static_cast<unsigned char>(c)) * 16777619U;
  const at::Tensor out = torch::empty(shape, torch::kDouble);
  auto* at = out.data_ptr<double>();
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    std::uint32_t u = start + static_cast<std::uint32_t>(i) * 2654435761U;
    u = (u ^ (u >> 16)) * 0x45d9f3bU;
    at[i] = static_cast<double>(u ^ (u >> 16)) / 4294967296.0;
  }
  return out;
}

/// An input: numbers in [-1, 1).
inline at::Tensor input_of(const std::string& name, at::IntArrayRef shape) {
  return ((uniform_of(name, shape) - 0.5) * 2).to(torch::kFloat);
}

/// Weights of sizes that keep activations in range.
inline void fill_by_formula(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  auto all = module.named_parameters();
  for (const auto& buffer : module.named_buffers()) all.insert(buffer.key(), buffer.value());
  for (const auto& [name, tensor] : all.pairs()) {
    if (!tensor.is_floating_point()) continue;
    const at::Tensor u = uniform_of(name, tensor.sizes());
    const bool scale = name.ends_with("weight") || name.ends_with("running_var");
    if (tensor.dim() >= 2)
      tensor.copy_((u - 0.5) *
                   (2 * std::sqrt(3.0 * static_cast<double>(tensor.size(0)) / static_cast<double>(tensor.numel()))));
    else
      tensor.copy_(scale ? u + 0.5 : u - 0.5);
  }
}

}  // namespace support
