// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `eq::encoder` makes an encoder of any module, your own or LibTorch's. You give the width,
/// because the module does not state it: `eq::encoder(torch::nn::Sequential(…), {.width = 128})`.

#include <equipoise/core/base/errors.hpp>

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <utility>

namespace equipoise {

/// The size that `eq::encoder` needs of a module.
struct EncoderSize {
  std::int64_t width = 0;  ///< last size of the feature, or channels of a map; > 0
};

/// A module with a width. Its parameters have the names `encoders.<modality>.module.…`.
template <class M>
class SizedEncoder : public torch::nn::Module {
 public:
  SizedEncoder(std::shared_ptr<M> module, std::int64_t width)
      : torch::nn::Module("SizedEncoder"), module_(register_module("module", std::move(module))), width_(width) {
    check_option(width > 0, "encoder.width", "> 0", width);
  }

  [[nodiscard]] auto forward(const at::Tensor& x) { return module_->forward(x); }
  [[nodiscard]] std::int64_t width() const { return width_; }

 private:
  std::shared_ptr<M> module_;
  std::int64_t width_;
};

/// \param module a module whose `forward(at::Tensor)` returns a tensor [B, width] or a `MapFeature`
template <class M>
[[nodiscard]] std::shared_ptr<SizedEncoder<M>> encoder(std::shared_ptr<M> module, EncoderSize size) {
  return std::make_shared<SizedEncoder<M>>(std::move(module), size.width);
}
template <class M>
[[nodiscard]] std::shared_ptr<SizedEncoder<M>> encoder(const torch::nn::ModuleHolder<M>& module, EncoderSize size) {
  return encoder(module.ptr(), size);
}

}  // namespace equipoise
