// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Scripted` loads an encoder that was written in Python and saved as TorchScript
/// (`torch.jit.script(module).save(path)` or `torch.jit.trace`).
///
/// - In: what the module's `forward` takes, one tensor [B, …]
/// - Out: vector feature [B, width], what its `forward` returns
///
/// Parameters and buffers keep the names that they have in Python. They are trained, moved and
/// saved with the model; `train` and `eval` reach every part of the script. A checkpoint holds the
/// weights, so the file may have moved when it is loaded. `eq::Frozen<eq::Scripted>` keeps the
/// weights as they are.
///
/// When: The encoder exists in Python, with or without weights.
/// Cost: That of the module; the first passes also compile the script.
/// Limits: Include `equipoise/encoders/scripted.hpp`; `equipoise.hpp` does not, since the header of
/// TorchScript takes seconds to compile. A traced module does in training what it did when it was
/// traced. Constants of a trace stay on the device and of the type that they were traced with.
///
/// \code
/// auto encoder = eq::Scripted{.path = "encoder.pt", .width = 6}.build();
/// at::Tensor feature = encoder->forward(torch::randn({2, 4}));  // [2, 6]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/encoders/wrapped.hpp>

#include <torch/csrc/jit/serialization/import.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace equipoise {

/// A script's module with its parts. It has the script's own tensors, so what is done to one is
/// done to the other.
class ScriptedPart : public torch::nn::Module {
 public:
  ScriptedPart(std::string name, torch::jit::Module script)
      : torch::nn::Module(std::move(name)), script_(std::move(script)) {
    for (const auto& p : script_.named_parameters(/*recurse=*/false))
      register_parameter(p.name, p.value, p.value.requires_grad());
    for (const auto& b : script_.named_buffers(/*recurse=*/false)) register_buffer(b.name, b.value);
    for (const auto& part : script_.named_children())
      register_module(part.name, std::make_shared<ScriptedPart>("ScriptedPart", part.value));
    ScriptedPart::train(true);  // as any new module, whatever the mode in which the file was saved
  }

  void train(bool on = true) override {
    torch::nn::Module::train(on);
    if (script_.hasattr("training")) script_.setattr("training", on);
  }

 protected:
  torch::jit::Module script_;
};

class ScriptedModule : public ScriptedPart {
 public:
  ScriptedModule(torch::jit::Module script, std::int64_t width)
      : ScriptedPart("Scripted", std::move(script)), width_(width) {}

  /// \return [B, width]
  /// \throws ShapeError for an input that the script does not take, or an output of another shape
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) {
    const torch::jit::IValue out = run(x);
    if (!out.isTensor())
      throw ShapeError(
          message("shape.111", "Scripted", "expected a script that returns a tensor, got a ", out.type()->repr_str()));
    const at::Tensor& feature = out.toTensor();
    if (feature.dim() != 2 || feature.size(0) != x.size(0) || feature.size(1) != width_)
      throw ShapeError(message("shape.111", "Scripted", "expected that the script returns [", x.size(0), ", ", width_,
                               "], got ", feature.sizes()));
    return feature;
  }

  [[nodiscard]] std::int64_t width() const { return width_; }

 private:
  [[nodiscard]] torch::jit::IValue run(const at::Tensor& x) {
    try {
      return script_.forward({x});
    } catch (const std::exception& e) {             // c10::Error, and TorchScript's own
      constexpr std::string_view last = "Error: ";  // "RuntimeError: …", or one that the script raises
      std::string_view text = e.what();
      if (const auto at = text.rfind(last); at != text.npos) text.remove_prefix(at + last.size());
      throw ShapeError(message("shape.101", "Scripted", "expected what the script takes, got ", x.scalar_type(), " ",
                               x.sizes(), "; TorchScript says: ", text.substr(0, text.find('\n'))));
    }
  }

  std::int64_t width_;
};

/// `Scripted{.path = "encoder.pt", .width = 512}`.
struct Scripted {
  static constexpr std::string_view id = "scripted";

  std::string path = "";   ///< the TorchScript file
  std::int64_t width = 0;  ///< size of the feature that the script returns; > 0

  /// \throws FileError for a file that is missing or no TorchScript
  [[nodiscard]] std::shared_ptr<ScriptedModule> build() const {
    check_option(width > 0, "Scripted.width", "> 0", width);
    if (!std::filesystem::is_regular_file(path))
      throw FileError(message("file.401", path, "expected a readable file, got none"));
    try {
      return std::make_shared<ScriptedModule>(torch::jit::load(path, c10::DeviceType::CPU), width);
    } catch (const c10::Error& e) {
      const std::string_view text = e.what_without_backtrace();
      throw FileError(
          message("file.463", path, "expected a TorchScript file; LibTorch says: ", text.substr(0, text.find('\n'))));
    }
  }
};

}  // namespace equipoise

/// Its option is the width: a checkpoint does not depend on where the file lies.
template <>
struct boost::hana::accessors_impl<equipoise::Scripted> {
  static constexpr auto apply() { return equipoise::detail::accessors_of_width(); }
};
