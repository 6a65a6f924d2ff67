// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A layer that says something else to each batch in training mode, and learns statistics from it.

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>

namespace support {

struct NormedLayer : torch::nn::Module {
  explicit NormedLayer(std::int64_t inputs)
      : linear(register_module("linear", torch::nn::Linear(inputs, 6))),
        norm(register_module("norm", torch::nn::BatchNorm1d(6))),
        dropout(register_module("dropout", torch::nn::Dropout(0.5))) {}
  std::int64_t width() const { return 6; }
  at::Tensor rows(const at::Tensor& x) { return dropout->forward(norm->forward(linear->forward(x))); }
  torch::nn::Linear linear;
  torch::nn::BatchNorm1d norm;
  torch::nn::Dropout dropout;
};

}  // namespace support
