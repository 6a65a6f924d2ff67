// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Pretrained` builds an encoder and loads its weights from a safetensors file.
///
/// - In, out: those of the encoder
///
/// All names, shapes and types must fit, or the error names what is missing, unexpected and
/// misshapen. With `strict = false` what fits is loaded, and `report` tells the rest. `prefix`
/// takes a part of a larger model's file; `ignore` lists beginnings of names that need not fit, as
/// those of a classifier. `eq::load_weights` and `eq::save_weights` do the same for any module.
/// Python writes a file with `safetensors.torch.save_file(model.state_dict(), path)`. Files of
/// torchvision's models end with a classifier: `.ignore = {"fc."}` for `ResNet`, `{"heads."}` for
/// `ViT`. `eq::Frozen<eq::Pretrained<eq::ResNet>>` is not trained further.
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
  bool strict = true;                    ///< whether names, shapes and types must fit
  std::string prefix = "";               ///< names that begin with it are taken, without it
  std::vector<std::string> ignore = {};  ///< beginnings of names that may be missing or unexpected
  /// Where to write what did not fit; may be null.
  WeightReport* report = nullptr;

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
