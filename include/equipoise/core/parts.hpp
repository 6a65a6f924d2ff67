// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A model's parts: each encoder, and each task's fusion and head, with the options they were built from.

#include <equipoise/core/concepts.hpp>
#include <equipoise/core/model_base.hpp>
#include <equipoise/core/options.hpp>
#include <equipoise/core/record.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
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
};

namespace detail {

template <class Record>
inline constexpr bool any_map = false;
template <FixedString... Texts, class... Modules>
inline constexpr bool any_map<record<slot<Texts, EncoderEntry<Modules>>...>> =
    ((feature_kind<Modules> == FeatureKind::map) || ...);

template <class E>
[[nodiscard]] FeatureSpec feature_spec(const E& encoder) {
  if constexpr (requires { encoder.feature(); })
    return encoder.feature();
  else
    return {feature_kind<E>, encoder.width()};
}

template <class Encoders>
[[nodiscard]] std::vector<FeatureSpec> feature_specs(const Encoders& encoders) {
  std::vector<FeatureSpec> out;
  encoders.for_each([&](auto, const auto& entry) { out.push_back(feature_spec(*entry.module)); });
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

}  // namespace detail
}  // namespace equipoise
