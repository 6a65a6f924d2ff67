// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A model's parts: each encoder, and each task's fusion and head, with the options they were built from.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/named_tuple.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/sequence.hpp>
#include <equipoise/core/model/concepts.hpp>
#include <equipoise/core/model/model_base.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace equipoise {

/// A part's name in its registry ("module" for one of the user's own) and its options.
struct PartOptions {
  std::string id;
  OptionList list;
};

template <class Module>
struct EncoderEntry {
  std::shared_ptr<Module> module;
  PartOptions options;
};

template <class FusionModule, class Head>
struct TaskEntry {
  std::shared_ptr<FusionModule> fusion;
  std::shared_ptr<Head> head;
  PartOptions fusion_options, head_options;
  at::Tensor best_constant = {};  ///< [O], a buffer of a head that has no prior of its own
};

namespace detail {

template <class Record>
inline constexpr bool any_map = false;
template <FixedString... Texts, class... Modules>
inline constexpr bool any_map<named_tuple<slot<Texts, EncoderEntry<Modules>>...>> =
    ((feature_kind<Modules> == FeatureKind::map) || ...);

template <class Record>
inline constexpr bool all_have_taps = false;
template <FixedString... Texts, class... Modules>
inline constexpr bool all_have_taps<named_tuple<slot<Texts, EncoderEntry<Modules>>...>> = (EncoderWithTaps<Modules> &&
                                                                                           ...);

template <class E>
[[nodiscard]] FeatureSpec feature_spec(const E& encoder) {
  if constexpr (requires { encoder.feature(); })
    return encoder.feature();
  else if constexpr (requires { encoder.width(); })
    return {feature_kind<E>, encoder.width()};
  else
    return {};  // `CheckEncoder` has failed: its sentence is to be the only one
}

/// The feature of an input. Where the input has padding, the encoder sees zeros there, and the padding itself if its `forward`
/// takes it; its tokens have the padding that it says, else the input's.
/// \throws ShapeError where there is not one token for each step and the encoder does not say which are padding
template <class E>
[[nodiscard]] Feature encoded(E& encoder, const at::Tensor& x, const at::Tensor& padding) {
  if (!padding.defined()) return Feature(encode_input(encoder, x));
  const at::Tensor seen = zero_padding(x, padding);
  Feature feature = [&] {
    if constexpr (encodes_with_padding<E>)
      return Feature(encoder.forward(seen, padding));
    else
      return Feature(encoder.forward(seen));
  }();
  if (feature.kind != FeatureKind::tokens || feature.padding.defined()) return feature;
  if (feature.value.size(1) != padding.size(1))
    throw ShapeError(message("shape.111", "encoder", "expected one token for each of the input's ", padding.size(1),
                             " steps, or a TokenFeature that says its padding, got ", feature.value.size(1),
                             " tokens without"));
  feature.set_padding(padding);
  return feature;
}

/// An encoder says what its feature is like before there is one: fusions were made for that.
/// \throws ShapeError where it is not, of a batch of `records`.
[[nodiscard]] inline Feature checked_feature(Feature feature, const FeatureSpec& spec, std::int64_t records) {
  const at::Tensor& value = feature.value;
  const std::int64_t dim = spec.kind == FeatureKind::tokens ? 2 : 1;
  const bool fits = spec.kind == FeatureKind::map ? value.dim() >= 4 : value.dim() == dim + 1;
  if (!fits || value.size(0) != records || value.size(dim) != spec.width)
    throw ShapeError(message("shape.111", "encoder", "expected a ", to_string(spec.kind), " feature [", records, ", ",
                             spec.kind == FeatureKind::tokens ? "T, " : "", spec.width,
                             spec.kind == FeatureKind::map ? ", H, W" : "", "], as it says, got ", value.sizes()));
  bool skips = feature.skips.size() >= spec.skip_widths.size();
  for (std::size_t i = 0; skips && i < spec.skip_widths.size(); ++i)
    skips = feature.skips[i].dim() >= 4 && feature.skips[i].size(1) == spec.skip_widths[i];
  if (!skips) {
    std::vector<std::int64_t> got;
    for (const at::Tensor& skip : feature.skips) got.push_back(skip.dim() > 1 ? skip.size(1) : 0);
    throw ShapeError(message("shape.111", "encoder", "expected skip maps of ", at::IntArrayRef(spec.skip_widths),
                             " channels, as it says, got ", at::IntArrayRef(got)));
  }
  return feature;
}

/// The same with the widths of its taps, if it has any.
template <class E>
[[nodiscard]] FeatureSpec spec_with_taps(const E& encoder) {
  FeatureSpec out = feature_spec(encoder);
  if constexpr (says_its_stages<E>)
    for (std::size_t s = 0; s < encoder.stages(); ++s) out.tap_widths.push_back(encoder.tap_width(s));
  return out;
}

template <class Encoders>
[[nodiscard]] std::vector<FeatureSpec> feature_specs(const Encoders& encoders) {
  std::vector<FeatureSpec> out;
  encoders.for_each([&](auto, const auto& entry) { out.push_back(spec_with_taps(*entry.module)); });
  return out;
}

inline void append(std::vector<at::Tensor>& to, const std::vector<at::Tensor>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

/// Adds a fusion's parameters to `groups` [M + 1]: each to the modality whose part of the fusion it is, else to the
/// shared ones.
template <class F>
void group_fusion(F& fusion, ParameterGroups& groups) {
  std::vector<at::Tensor> own;
  if constexpr (requires { fusion.parameters_of(std::size_t{}); })
    for (std::size_t m = 0; m + 1 < groups.size(); ++m) {
      const std::vector<at::Tensor> part = fusion.parameters_of(m);
      append(groups[m], part);
      append(own, part);
    }
  for (const at::Tensor& p : fusion.parameters())
    if (std::none_of(own.begin(), own.end(), [&](const at::Tensor& q) { return q.is_same(p); }))
      groups.back().push_back(p);
}

/// Moves the parameters of several groups to the shared one (the last), and keeps each parameter once: a module that two
/// modalities share (weight tying) is stepped once.
inline void share_tied(ParameterGroups& groups) {
  std::unordered_map<const void*, std::size_t> first;  // the group in which a parameter was seen first
  std::unordered_set<const void*> tied;
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (const at::Tensor& p : groups[g])
      if (first.try_emplace(p.unsafeGetTensorImpl(), g).first->second != g) tied.insert(p.unsafeGetTensorImpl());
  std::vector<at::Tensor> shared;
  std::unordered_set<const void*> kept;
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (std::vector<at::Tensor> group = std::exchange(groups[g], {}); const at::Tensor& p : group)
      if (const void* id = p.unsafeGetTensorImpl(); kept.insert(id).second)
        (tied.contains(id) ? shared : groups[g]).push_back(p);
  append(groups.back(), shared);
}

}  // namespace detail
}  // namespace equipoise
