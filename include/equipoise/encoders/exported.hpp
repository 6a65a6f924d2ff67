// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Exported` runs an encoder that Python compiled ahead of time by AOTInductor
/// (`torch.export.export`, then `torch._inductor.aoti_compile_and_package`).
///
/// - In: single precision, [B, …]: `input` are the sizes of one record
/// - Out: vector feature [B, width], the first output of the package
///
/// The weights are part of the package. There are no parameters, and no gradient goes through it:
/// the rest of the model is trained on its features, as with `eq::Frozen`. An input that requires
/// a gradient is an error. The number of records must be a dynamic dimension:
/// `torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("records")},))`.
/// A package gives wrong features for a number of records that it was not compiled for. `build`
/// runs a few records and refuses a fixed number where the features show it. With
/// `AOTI_RUNTIME_CHECK_INPUTS=1` in the environment, the package checks each input itself.
///
/// When: A trained encoder of Python is only evaluated, and its forward pass is to be fast.
/// Cost: That of the compiled code. Loading unpacks a shared library to a temporary folder.
/// Limits: Include `equipoise/encoders/exported.hpp`; `equipoise.hpp` does not. It runs packages
/// for the CPU. A package fits the processor, the operating system and the release of LibTorch that
/// it was compiled with. It is code that your program runs: load only packages that you trust.
/// `eq::summary` does not see its multiply-adds.
///
/// \code
/// auto encoder = eq::Exported{.path = package, .input = {4}, .width = 6}.build();
/// at::Tensor feature = encoder->forward(torch::randn({2, 4}));  // [2, 6]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/encoders/wrapped.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

class ExportedModule : public torch::nn::Module {
 public:
  /// \throws FileError for a file that is no package that this program can load, or one of a fixed
  /// number of records
  ExportedModule(const std::string& path, std::vector<std::int64_t> input, std::int64_t width)
      : torch::nn::Module("Exported"), input_(std::move(input)), width_(width) {
    ExportedModule::train(false);
    bool fits = false;
    try {
      package_ = std::make_unique<torch::inductor::AOTIModelPackageLoader>(path);
      fits = has_dynamic_records();
    } catch (const std::exception& e) {
      const std::string_view text = e.what();
      throw FileError(message("file.464", path,
                              "expected an AOTInductor package for this machine and input; LibTorch says: ",
                              text.substr(0, text.find('\n'))));
    }
    if (!fits)
      throw FileError(message("file.464", path,
                              "expected a package with a dynamic number of records, got other "
                              "features for two records alone than in a larger batch"));
  }

  /// \return [B, width], without a graph
  /// \throws ShapeError for an input or output of another shape or type, ValueError for an input
  /// that requires a gradient
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) {
    if (x.requires_grad() && at::GradMode::is_enabled())
      throw ValueError(message("value.261", "Exported",
                               "expected an input without gradient, got one that requires it: "
                               "a package has no backward pass"));
    if (x.dim() != static_cast<std::int64_t>(input_.size()) + 1 || x.sizes().slice(1) != at::IntArrayRef(input_) ||
        x.scalar_type() != at::kFloat)
      throw ShapeError(message("shape.101", "Exported", "expected Float [B, ", c10::Join(", ", input_), "], got ",
                               x.scalar_type(), " ", x.sizes()));
    const at::Tensor feature = run(x);
    if (!feature.defined() || feature.dim() != 2 || feature.size(0) != x.size(0) || feature.size(1) != width_)
      throw ShapeError(message("shape.111", "Exported", "expected that the package returns [", x.size(0), ", ", width_,
                               "], got ", feature.defined() ? c10::str(feature.sizes()) : "nothing"));
    return feature;
  }

  [[nodiscard]] std::int64_t width() const { return width_; }

  /// It stays in evaluation mode.
  void train(bool /*on*/ = true) override { torch::nn::Module::train(false); }

 private:
  [[nodiscard]] at::Tensor run(const at::Tensor& x) {
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> out;
    try {
      out = package_->run({x.size(0) == 1 ? at::cat({x, x}) : x.contiguous()});  // a dynamic size is at least 2
    } catch (const std::exception& e) {
      const std::string_view text = e.what();
      throw ShapeError(message("shape.101", "Exported", "expected what the package takes, got ", x.scalar_type(), " ",
                               x.sizes(), " on ", x.device(), "; LibTorch says: ", text.substr(0, text.find('\n'))));
    }
    if (out.empty() || out.front().dim() == 0) return at::Tensor();
    return x.size(0) == 1 && out.front().size(0) == 2 ? out.front().narrow(0, 0, 1) : out.front();
  }

  /// Code that was compiled for N records reads N and returns N, or leaves the others half computed.
  /// Two records must have the same features alone as at the end of a larger batch.
  [[nodiscard]] bool has_dynamic_records() {
    const std::int64_t of_record = std::accumulate(input_.begin(), input_.end(), std::int64_t{1}, std::multiplies<>());
    const std::int64_t rows = std::clamp<std::int64_t>((std::int64_t{1} << 20) / of_record, 9, 129);
    std::vector<std::int64_t> sizes = input_;
    sizes.insert(sizes.begin(), rows);
    const at::Tensor x = at::arange(rows * of_record, at::kFloat).sin().view(sizes);
    x.narrow(0, rows - 2, 2).copy_(x.narrow(0, 0, 2));
    const at::Tensor all = run(x), two = run(x.narrow(0, 0, 2));
    const auto has_rows = [](const at::Tensor& t, std::int64_t n) {
      return t.defined() && t.dim() > 0 && t.size(0) == n;
    };
    return has_rows(all, rows) && has_rows(two, 2) && !differ(all.narrow(0, rows - 2, 2), two);
  }
  [[nodiscard]] static bool differ(const at::Tensor& a, const at::Tensor& b) {
    return a.sub(b).abs().max().item<double>() > 1e-3 * b.abs().max().item<double>();
  }

  std::unique_ptr<torch::inductor::AOTIModelPackageLoader> package_;
  std::vector<std::int64_t> input_;
  std::int64_t width_;
};

/// `Exported{.path = "encoder.pt2", .input = {3, 224, 224}, .width = 512}`.
struct Exported {
  static constexpr std::string_view id = "exported";

  std::string path = "";                 ///< the package
  std::vector<std::int64_t> input = {};  ///< sizes of one record's input, without B; each > 0
  std::int64_t width = 0;                ///< size of the feature that the package returns; > 0

  /// \throws FileError for a file that is missing, or no package that this program can load
  [[nodiscard]] std::shared_ptr<ExportedModule> build() const {
    check_option(width > 0, "Exported.width", "> 0", width);
    for (const std::int64_t size : input) check_option(size > 0, "Exported.input", "each > 0", size);
    if (!std::filesystem::is_regular_file(path))
      throw FileError(message("file.401", path, "expected a readable file, got none"));
    return std::make_shared<ExportedModule>(path, input, width);
  }
};

}  // namespace equipoise

/// Its option is the width: a checkpoint does not depend on where the file lies.
template <>
struct boost::hana::accessors_impl<equipoise::Exported> {
  static constexpr auto apply() { return equipoise::detail::accessors_of_width(); }
};
