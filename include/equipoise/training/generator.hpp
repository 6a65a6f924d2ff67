// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// LibTorch's generators, from which dropout and layers of the user's own draw: a run sets them from its own seed and leaves
/// the host's as it was.

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <mutex>

namespace equipoise::detail {

/// Saves LibTorch's generator on the host and puts it back.
class GeneratorGuard {
 public:
  GeneratorGuard() {
    at::Generator generator = at::detail::getDefaultCPUGenerator();
    const std::lock_guard<std::mutex> lock(generator.mutex());
    saved_ = generator.get_state();
  }
  GeneratorGuard(const GeneratorGuard&) = delete;
  GeneratorGuard& operator=(const GeneratorGuard&) = delete;
  ~GeneratorGuard() {
    try {
      at::Generator generator = at::detail::getDefaultCPUGenerator();
      const std::lock_guard<std::mutex> lock(generator.mutex());
      generator.set_state(saved_);
    } catch (...) {  // a destructor throws nothing
    }
  }

 private:
  at::Tensor saved_;
};

/// Seeds the generators of the host and of a device, whatever was drawn from them before.
inline void seed_generators(c10::Device device, std::uint64_t seed) {
  const auto set = [&](at::Generator generator) {
    const std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_current_seed(seed);
  };
  set(at::detail::getDefaultCPUGenerator());
  if (!device.is_cpu() && !device.is_meta()) set(at::globalContext().defaultGenerator(device));
}

}  // namespace equipoise::detail
