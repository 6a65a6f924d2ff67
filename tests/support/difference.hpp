#pragma once

/// \file
/// How far a tensor is from reference values.

#include <torch/types.h>

#include <span>
#include <vector>

#include "support/catch.hpp"

namespace support {

/// The largest difference from reference values.
inline double difference(const at::Tensor& got, std::span<const float> expected) {
  REQUIRE(got.numel() == static_cast<std::int64_t>(expected.size()));
  const at::Tensor values = torch::tensor(std::vector<float>(expected.begin(), expected.end())).view_as(got);
  return (got - values).abs().max().item<double>();
}

}  // namespace support
