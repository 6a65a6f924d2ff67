// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What an encoder yields. The kind is known at compile time (fusions constrain on it); the runtime `Feature` holds any
/// of the kinds.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

enum class FeatureKind : std::uint8_t {
  vector,  ///< [B, D]
  tokens,  ///< [B, T, D]
  map,     ///< [B, C, H, W] or [B, C, Z, H, W], with its pyramid
};

[[nodiscard]] constexpr std::string_view to_string(FeatureKind kind) {
  return kind == FeatureKind::vector ? "vector" : kind == FeatureKind::tokens ? "tokens" : "map";
}

/// Returned by a map encoder: the deepest map and the skip maps that led to it, shallow first.
struct MapFeature {
  at::Tensor map;                 ///< [B, C, H, W]
  std::vector<at::Tensor> skips;  ///< each [B, C_i, H_i, W_i]; may be empty
};

/// Returned by a sequence encoder. Where the input has padding and the encoder says none, that of the input holds, if there is
/// one token for each of its steps.
struct TokenFeature {
  at::Tensor tokens;     ///< [B, T, D]
  at::Tensor padding{};  ///< bool [B, T], true at padding; undefined for none
};

/// Width and kind of an encoder's output, from which fusions and heads take their sizes.
struct FeatureSpec {
  FeatureKind kind = FeatureKind::vector;
  std::int64_t width = 0;                   ///< D, or C of the deepest map
  std::vector<std::int64_t> skip_widths{};  ///< C_i of the skip maps, shallow first
  /// Channels after each stage of an encoder with taps (core/model/concepts.hpp), where a fusion is built; else empty.
  std::vector<std::int64_t> tap_widths{};
};

/// One modality's feature for a batch, or what it is between two stages of an encoder with taps. Undefined (`!defined()`) where no record of the batch has the modality.
struct Feature {
  FeatureKind kind = FeatureKind::vector;
  at::Tensor value;
  std::vector<at::Tensor> skips{};
  /// Of tokens, or of the positions of a map between two stages: bool [B, T], true at padding, where `value` is zero;
  /// undefined for none.
  at::Tensor padding{};

  Feature() = default;
  explicit Feature(at::Tensor vector) : value(std::move(vector)) {}
  explicit Feature(TokenFeature from) : kind(FeatureKind::tokens), value(std::move(from.tokens)) {
    set_padding(std::move(from.padding));
  }
  explicit Feature(MapFeature from)
      : kind(FeatureKind::map), value(std::move(from.map)), skips(std::move(from.skips)) {}

  [[nodiscard]] bool defined() const { return value.defined(); }

  /// [B, D]: tokens and maps are averaged over their positions, without padding; zero where all is padding.
  [[nodiscard]] at::Tensor vector() const {
    if (kind == FeatureKind::vector) return value;
    const bool map = kind == FeatureKind::map;
    if (!padding.defined()) return map ? value.flatten(2).mean(2) : value.mean(1);
    const at::Tensor sum = map ? value.flatten(2).sum(2) : value.sum(1);
    return sum.div(padding.logical_not().sum(1, true).clamp_min(1).to(value.scalar_type()));
  }

  /// Says which tokens are padding and sets them to zero.
  void set_padding(at::Tensor mask) {
    if (!mask.defined()) return;
    value = value.masked_fill(mask.unsqueeze(2), 0);
    padding = std::move(mask);
  }

  /// The same function applied to every tensor of values: how a policy masks or scales a feature.
  template <class F>
  [[nodiscard]] Feature map_tensors(F&& f) const {
    Feature out = *this;
    if (!defined()) return out;
    out.value = f(value);
    for (at::Tensor& skip : out.skips) skip = f(skip);
    return out;
  }
  /// The same function applied to every tensor, padding too: how records are selected.
  template <class F>
  [[nodiscard]] Feature map_records(F&& f) const {
    Feature out = map_tensors(f);
    if (out.padding.defined()) out.padding = f(out.padding);
    return out;
  }
};

}  // namespace equipoise
