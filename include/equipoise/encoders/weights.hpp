// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Weights of a module in safetensors files, under the names that its parameters and buffers have.
/// Python writes such a file with `safetensors.torch.save_file(model.state_dict(), path)`.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/io/safetensors.hpp>

#include <torch/nn/module.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

/// What of a file and a module did not fit.
struct WeightReport {
  std::vector<std::string> missing;     ///< names of the module that the file lacks
  std::vector<std::string> unexpected;  ///< names of the file that the module lacks
  std::vector<std::string> misshapen;   ///< "name: expected F32 [8, 3], got F32 [8, 1]"
  std::size_t loaded = 0;               ///< how many tensors were loaded, or would be

  [[nodiscard]] bool fits() const { return missing.empty() && unexpected.empty() && misshapen.empty(); }

  /// "62 tensors fit; 1 missing: a; 2 unexpected: b, c", at most eight names of a kind
  [[nodiscard]] std::string text() const {
    std::string out = std::to_string(loaded) + " tensors fit";
    const auto add = [&](std::string_view kind, const std::vector<std::string>& names) {
      if (names.empty()) return;
      out += "; " + std::to_string(names.size()) + " " + std::string(kind) + ": ";
      for (std::size_t i = 0; i < names.size() && i < 8; ++i) out += (i == 0 ? "" : ", ") + names[i];
      if (names.size() > 8) out += ", …";
    };
    add("missing", missing), add("unexpected", unexpected), add("misshapen", misshapen);
    return out;
  }
};

struct WeightOptions {
  bool strict = true;                 ///< whether anything that does not fit is an error
  std::string prefix{};               ///< only names that begin with it are taken, without it
  std::vector<std::string> ignore{};  ///< names that begin with one of these may be missing or unexpected
};

namespace detail {

inline constexpr std::pair<std::string_view, at::ScalarType> kWeightTypes[] = {
    {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}, {"I64", at::kLong},
    {"I32", at::kInt},    {"I16", at::kShort}, {"I8", at::kChar},  {"U8", at::kByte},       {"BOOL", at::kBool}};

/// A file's array as a tensor that owns its numbers; undefined for a type that LibTorch lacks.
[[nodiscard]] inline at::Tensor tensor_of_array(const io::SafetensorsArray& array) {
  for (const auto& [name, type] : kWeightTypes)
    if (name == array.type) {
      at::Tensor out = at::empty(array.shape, type);
      if (!array.bytes.empty()) std::memcpy(out.data_ptr(), array.bytes.data(), array.bytes.size());
      return out;
    }
  return {};
}

/// A type's name in these files; LibTorch's name of a type that the files lack.
[[nodiscard]] inline std::string_view weight_type_text(at::ScalarType type) {
  for (const auto& [name, known] : kWeightTypes)
    if (known == type) return name;
  return c10::toString(type);
}

[[nodiscard]] inline torch::OrderedDict<std::string, at::Tensor> weights_of(const torch::nn::Module& module) {
  auto out = module.named_parameters();
  for (const auto& buffer : module.named_buffers()) out.insert(buffer.key(), buffer.value());
  return out;
}

[[nodiscard]] inline bool begins_with_any(const std::string& name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& p) { return name.starts_with(p); });
}

/// A tensor of the file for each one of the module that it fits, and what does not fit.
[[nodiscard]] inline WeightReport compare_weights(const io::SafetensorsFile& file, const WeightOptions& options,
                                                  torch::OrderedDict<std::string, at::Tensor> own,
                                                  std::vector<std::pair<at::Tensor, at::Tensor>>& pairs) {
  WeightReport report;
  std::vector<std::string> seen;
  for (const io::SafetensorsArray& array : file.arrays()) {
    if (!array.name.starts_with(options.prefix)) continue;
    const std::string name = array.name.substr(options.prefix.size());
    const at::Tensor* to = own.find(name);
    if (to == nullptr) {
      if (!begins_with_any(name, options.ignore)) report.unexpected.push_back(name);
      continue;
    }
    seen.push_back(name);
    const at::Tensor from = tensor_of_array(array);
    if (!from.defined() || from.sizes() != to->sizes() ||
        (from.is_floating_point() != to->is_floating_point() && !name.ends_with("num_batches_tracked")))
      report.misshapen.push_back(name + ": " +
                                 c10::str("expected ", weight_type_text(to->scalar_type()), " ", to->sizes(), ", got ",
                                          array.type, " ", at::IntArrayRef(array.shape)));
    else
      pairs.emplace_back(*to, from);
  }
  report.loaded = pairs.size();
  std::sort(seen.begin(), seen.end());
  for (const auto& entry : own)
    if (!std::binary_search(seen.begin(), seen.end(), entry.key()) && !begins_with_any(entry.key(), options.ignore) &&
        !entry.key().ends_with("num_batches_tracked"))  // a counter that older files lack
      report.missing.push_back(entry.key());
  return report;
}

/// What keeps weights from being loaded, for a message; empty if nothing does.
[[nodiscard]] inline std::string why_not_loaded(const io::SafetensorsFile& file, const WeightOptions& options,
                                                const WeightReport& report, bool any_weights) {
  const std::vector<io::SafetensorsArray>& arrays = file.arrays();
  const auto with_prefix = [&](const auto& array) { return array.name.starts_with(options.prefix); };
  if (any_weights && !options.prefix.empty() && std::none_of(arrays.begin(), arrays.end(), with_prefix)) {
    std::string names;
    for (std::size_t i = 0; i < arrays.size() && i < 3; ++i) names += (i == 0 ? "" : ", ") + arrays[i].name;
    if (arrays.size() > 3) names += ", … (" + std::to_string(arrays.size()) + " in all)";
    return " under names that begin with \"" + options.prefix + "\", got " + (names.empty() ? "none" : names);
  }
  const bool fits = !options.strict || report.fits();
  return fits && (report.loaded > 0 || !any_weights) ? "" : ": " + report.text();
}

}  // namespace detail

/// Loads a module's parameters and buffers. Values are converted to the module's type: a file of halves or doubles
/// loads into a module of floats. Whole numbers in place of real ones, or the other way round, do not fit.
/// \throws FileError for a file that is no whole safetensors file; for names, shapes or types that do not fit, unless
/// `strict` is false; and always if no tensor fits. The module is then as before
inline WeightReport load_weights(torch::nn::Module& module, const std::filesystem::path& path,
                                 const WeightOptions& options = {}) {
  const io::SafetensorsFile file(path);
  std::vector<std::pair<at::Tensor, at::Tensor>> pairs;
  const auto own = detail::weights_of(module);
  const bool any_weights = !own.is_empty();
  WeightReport report = detail::compare_weights(file, options, own, pairs);
  if (const std::string why = detail::why_not_loaded(file, options, report, any_weights); !why.empty())
    throw FileError(message("file.462", path.string(), "expected the weights of ", module.name(), why));
  const at::NoGradGuard no_grad;
  for (auto& [to, from] : pairs) to.copy_(from);
  return report;
}

/// Writes a module's parameters and buffers, which `safetensors.torch.load_file` reads in Python.
/// \throws FileError when the disk does not take it; an older file is then untouched
inline void save_weights(const torch::nn::Module& module, const std::filesystem::path& path) {
  std::vector<at::Tensor> alive;
  std::vector<io::SafetensorsArray> arrays;
  for (const auto& entry : detail::weights_of(module)) {
    const at::Tensor& tensor = alive.emplace_back(entry.value().detach().cpu().contiguous());
    const auto* type = std::find_if(std::begin(detail::kWeightTypes), std::end(detail::kWeightTypes),
                                    [&](const auto& known) { return known.second == tensor.scalar_type(); });
    if (type == std::end(detail::kWeightTypes))
      throw FileError(message("file.413", path.string(), "expected a type that the format has, got ",
                              tensor.scalar_type(), " of ", entry.key()));
    arrays.push_back({entry.key(),
                      std::string(type->first),
                      tensor.sizes().vec(),
                      {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}});
  }
  io::write_safetensors(path, arrays);
}

}  // namespace equipoise
