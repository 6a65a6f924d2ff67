// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Pretrained` builds an encoder and loads its weights from a safetensors file.
///
/// - In, out: those of the encoder
///
/// All names and shapes must fit, or the error lists the names that are missing, unexpected or
/// misshapen. With `strict = false` only the tensors that fit are loaded; a file in which none fits
/// is still an error. Values are converted to the type of the module: a file of halves or doubles
/// loads into a module of floats. Whole numbers do not fit where the module has real ones.
///
/// `report` points to an `eq::WeightReport`. `build` fills its lists of names `missing`,
/// `unexpected` and `misshapen` and counts the tensors that it loads in `loaded`; `text()` writes
/// all of it in a line.
///
/// `prefix` takes a part of a larger model's file. It is removed from the names of the file, not
/// added to those of the module. `ignore` lists beginnings of names that need not fit, as those of a
/// classifier. Python writes a file with
/// `safetensors.torch.save_file(model.state_dict(), path)`. The page of each encoder says how its
/// parameters are called. Files of torchvision's models end with a classifier: `.ignore = {"fc."}`
/// for `ResNet`, `{"heads."}` for `ViT`.
///
/// `eq::load_weights` and `eq::save_weights` do the same for any module.
/// `eq::Frozen<eq::Pretrained<eq::ResNet>>` is not trained further.
///
/// When: There are weights of the same encoder from a larger data set. `ResNet` and `ViT` have the
/// names of torchvision.
/// Cost: The file is mapped and copied once.
/// Limits: The library downloads nothing. Include `equipoise/encoders/pretrained.hpp`, which needs
/// nlohmann-json; `equipoise.hpp` does not. A checkpoint keeps the options of the
/// encoder, not the path.
///
/// \code
/// auto first = eq::Mlp{.in_features = 4, .widths = {8}}.build();
/// eq::save_weights(*first, "mlp.safetensors");
/// auto second = eq::Pretrained<eq::Mlp>{
///     {.in_features = 4, .widths = {8}}, "mlp.safetensors"}.build();
///
/// eq::WeightReport report;
/// auto deeper = eq::Pretrained<eq::Mlp>{.encoder = {.in_features = 4, .widths = {8, 8}},
///                                       .path = "mlp.safetensors",
///                                       .strict = false,
///                                       .report = &report}.build();
/// std::string text = report.text();
/// // 4 tensors fit; 4 missing: layers.2.weight, layers.2.bias, layers.3.weight, layers.3.bias
/// \endcode

#include <equipoise/core/base/options.hpp>
#include <equipoise/encoders/weights.hpp>
#include <equipoise/encoders/wrapped.hpp>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise {

namespace detail {

inline constexpr std::array kPretrainedPrefix{'p', 'r', 'e', 't', 'r', 'a', 'i', 'n', 'e', 'd', '_'};

}  // namespace detail

/// `Pretrained<ResNet>{.encoder = {.depth = 18}, .path = "r18.safetensors", .ignore = {"fc."}}`.
template <class E>
struct Pretrained {
  static constexpr std::string_view id{
      detail::joined_id<detail::kPretrainedPrefix.size(), detail::kPretrainedPrefix, E>.data(),
      detail::joined_id<detail::kPretrainedPrefix.size(), detail::kPretrainedPrefix, E>.size()};

  E encoder = {};                        ///< the spec of the encoder
  std::string path = "";                 ///< the safetensors file
  bool strict = true;                    ///< whether all names and shapes must fit
  std::string prefix = "";               ///< names that begin with it are taken, without it
  std::vector<std::string> ignore = {};  ///< beginnings of names that may be missing or unexpected
  WeightReport* report = nullptr;        ///< where to write what was loaded and what did not fit; may be null

  /// \throws FileError as `load_weights`
  [[nodiscard]] auto build() const {
    auto module = encoder.build();
    const WeightReport found = load_weights(*module, path, {strict, prefix, ignore});
    if (report != nullptr) *report = found;
    return module;
  }
};

}  // namespace equipoise

template <class E>
struct boost::hana::accessors_impl<equipoise::Pretrained<E>> {
  static constexpr auto apply() { return equipoise::detail::accessors_of_encoder<E>{}; }
};
