// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Encoders in stages, for fusions that exchange something between them (`IntermediateFusion`). `encode` runs what precedes
/// the first exchange, once a batch. Decoding runs the rest for the rows (coalition, record) that have the modality, and for
/// no others: whatever stands in an absent modality is not even read.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/model/concepts.hpp>
#include <equipoise/core/model/decode.hpp>
#include <equipoise/core/model/mode.hpp>
#include <equipoise/core/model/parts.hpp>

#include <ATen/ops/cat.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {
namespace detail {

/// An encoder with taps, whatever its type.
struct EncoderStages {
  torch::nn::Module* module;
  FeatureSpec spec;  ///< with the widths of its taps
  std::string_view modality;
  std::function<Feature(std::size_t stage, Feature)> run;

  [[nodiscard]] std::size_t count() const { return spec.tap_widths.size(); }
};

/// A stage of tensors keeps padding only where its value has the positions that the padding is of.
template <class E>
[[nodiscard]] Feature run_stage(E& encoder, std::size_t stage, Feature x) {
  if constexpr (runs_stages_of_features<E>) {
    return encoder.forward_stage(stage, std::move(x));
  } else {
    x.value = encoder.forward_stage(stage, x.value);
    x.kind = feature_kind<E>;
    if (at::Tensor padding = std::exchange(x.padding, {}); padding.defined() && x.kind == FeatureKind::tokens) {
      if (x.value.size(1) != padding.size(1))
        throw ShapeError(message("shape.111", "encoder", "expected one token for each of the input's ", padding.size(1),
                                 " steps, or a stage of features that says its padding, got ", x.value.size(1),
                                 " tokens"));
      x.set_padding(std::move(padding));
    }
    return x;
  }
}

template <class E>
[[nodiscard]] EncoderStages stages_of(E& encoder, std::string_view modality) {
  return {&encoder, spec_with_taps(encoder), modality,
          [&encoder](std::size_t stage, Feature x) { return run_stage(encoder, stage, std::move(x)); }};
}

/// \throws ValueError where an encoder has fewer stages than a fusion has exchanges.
inline void check_taps(std::size_t taps, const std::vector<EncoderStages>& encoders) {
  for (const EncoderStages& e : encoders)
    check_option(
        taps >= 1 && taps <= e.count(), "taps of a fusion",
        "from 1 to " + std::to_string(e.count()) + ", the stages of the encoder of modality " + std::string(e.modality),
        taps);
}

/// Runs the stages [from, to).
/// \throws ShapeError where a value is not as wide as the encoder says.
[[nodiscard]] inline Feature run_stages(const EncoderStages& encoder, Feature x, std::size_t from, std::size_t to) {
  const std::int64_t records = x.value.size(0);
  const ModeForRows mode(*encoder.module, records);
  for (std::size_t s = from; s < to; ++s) {
    x = encoder.run(s, std::move(x));
    const std::int64_t width = encoder.spec.tap_widths[s], dim = x.kind == FeatureKind::tokens ? 2 : 1;
    if (x.value.dim() <= dim || x.value.size(0) != records || x.value.size(dim) != width)
      throw ShapeError(message("shape.111", "encoder", "expected a ", to_string(x.kind), " of ", records,
                               " records and ", width, " channels after stage ", s, ", as it says, got ",
                               x.value.sizes()));
  }
  return from < to && to == encoder.count() ? checked_feature(std::move(x), encoder.spec, records) : x;
}

/// The value of an input at the first of the encoder's last `taps` taps.
template <class E>
[[nodiscard]] Feature first_stages(E& encoder, const at::Tensor& x, const at::Tensor& padding, std::size_t taps) {
  Feature input(padding.defined() ? zero_padding(x, padding) : x);
  input.padding = padding;
  const EncoderStages stages = stages_of(encoder, {});
  return run_stages(stages, std::move(input), 0, stages.count() + 1 - taps);
}

/// What happens at a tap of a fusion.
using Exchange = std::function<void(std::size_t tap, std::vector<TapFeature>& features)>;

/// The features that encoders give in the end, one row for each row of `presence` [1, R, M]: R is a multiple of the records,
/// coalition by coalition.
/// \param features at the first of the last `known` taps  \param taps of the fusion, <= known
[[nodiscard]] inline Features run_rest(const std::vector<EncoderStages>& encoders, std::size_t known, std::size_t taps,
                                       const Features& features, const Presence& presence, const Exchange& exchange) {
  const std::int64_t rows = presence.records(), records = features.presence.records();
  std::vector<TapFeature> now(encoders.size());
  std::vector<std::size_t> done(encoders.size());
  for (std::size_t m = 0; m < encoders.size(); ++m) {
    const Feature& first = features.items[m];
    done[m] = encoders[m].count() + 1 - known;
    if (!first.defined() || !presence.anywhere(m)) continue;
    std::vector<std::int64_t> own, of_records;
    for (const auto& [row, mask] : views::enumerate(presence.masks())) {
      if (!Coalition(mask).contains(m)) continue;
      own.push_back(static_cast<std::int64_t>(row));
      of_records.push_back(static_cast<std::int64_t>(row) % records);
    }
    const bool all = presence.everywhere(m);
    if (!all) now[m].rows = index_tensor(own, first.value);
    now[m].feature = all && rows == records ? first : first.map_records([&](const at::Tensor& t) {
      return t.index_select(0, index_tensor(of_records, t));
    });
  }
  const auto run_to = [&](std::size_t m, std::size_t stage) {
    if (!now[m].feature.defined()) return;
    try {
      now[m].feature = run_stages(encoders[m], std::move(now[m].feature), std::exchange(done[m], stage), stage);
    } catch (const ShapeError& e) {  // which knows the encoder, not the modality
      throw ShapeError(with_place(e, "modality " + std::string(encoders[m].modality)));
    }
  };
  for (std::size_t t = 0; t < taps; ++t) {
    for (std::size_t m = 0; m < encoders.size(); ++m) run_to(m, encoders[m].count() + 1 - taps + t);
    exchange(t, now);
  }
  Features out{std::vector<Feature>(encoders.size()), presence};
  for (std::size_t m = 0; m < encoders.size(); ++m) {
    run_to(m, encoders[m].count());
    const at::Tensor& own = now[m].rows;
    out.items[m] = !own.defined() ? now[m].feature : now[m].feature.map_records([&](const at::Tensor& t) {
      std::vector<std::int64_t> shape = t.sizes().vec();
      shape[0] = rows;
      return t.new_zeros(shape).index_copy(0, own, t);
    });
  }
  return out;
}

/// A fusion in a model whose encoders run in stages.
template <class F>
struct StagedFusion {
  F& fusion;
  std::vector<EncoderStages> encoders;
  std::size_t known;  ///< features are at the first of this many last taps

  [[nodiscard]] std::int64_t width() const { return fusion.width(); }
  [[nodiscard]] std::int64_t dimensions() const { return map_dimensions(fusion); }
};

/// Which modalities of each record some coalition shows: [1, B, M].
[[nodiscard]] inline Presence shown(const Presence& presence) {
  const auto records = static_cast<std::size_t>(presence.records());
  std::vector<std::uint64_t> seen(records, 0);
  for (const auto& [row, mask] : views::enumerate(presence.masks()))
    seen[static_cast<std::size_t>(row) % records] |= mask;
  return {std::move(seen), 1, presence.modalities()};
}

/// The joint feature of coalitions [C, B, M], each row's encoders run with what the row has.
template <class F>
[[nodiscard]] auto fuse_rows(StagedFusion<F>& staged, const Features& features, const Presence& presence) {
  const Presence rows({presence.masks().begin(), presence.masks().end()}, 1, presence.modalities());
  const Features whole = run_rest(
      staged.encoders, staged.known, staged.fusion.taps(), features, rows,
      [&](std::size_t tap, std::vector<TapFeature>& at_tap) { staged.fusion.exchange(tap, at_tap, rows.records()); });
  const bool any = std::any_of(whole.items.begin(), whole.items.end(), [](const Feature& f) { return f.defined(); });
  if constexpr (yields_a_map<F>) {
    return any ? fuse(staged.fusion, whole, rows) : JointMap{};
  } else {
    const std::vector<std::int64_t> shape = {presence.coalitions(), presence.records(), staged.width()};
    if (any) return at::Tensor(fuse(staged.fusion, whole, rows)).view(shape);
    const auto like = std::find_if(features.items.begin(), features.items.end(), [](auto& f) { return f.defined(); });
    return like->value.new_zeros(shape);
  }
}

/// One decoding after the other.
[[nodiscard]] inline at::Tensor joined_decodings(const std::vector<at::Tensor>& parts, std::int64_t) {
  return at::cat(parts);
}
[[nodiscard]] inline JointMap joined_decodings(const std::vector<JointMap>& parts, std::int64_t records) {
  JointMap out;
  std::vector<at::Tensor> varying, uniform;
  for (const auto& [c, part] : views::enumerate(parts)) {
    if (part.varying.defined()) varying.push_back(part.varying);
    if (part.uniform.defined()) uniform.push_back(part.uniform);
    for (const std::int64_t row : part.varying_rows)
      out.varying_rows.push_back(row + static_cast<std::int64_t>(c) * records);
    for (const std::int64_t row : part.uniform_rows)
      out.uniform_rows.push_back(row + static_cast<std::int64_t>(c) * records);
  }
  if (!varying.empty()) out.varying = at::cat(varying);
  if (!uniform.empty()) out.uniform = at::cat(uniform);
  return out;
}

/// The joint feature for every decoding. In training mode an intermediate fusion sees one coalition after the other: what
/// encoders normalise or drop over a batch must not be over several coalitions at once. A fusion without exchanges sees
/// whole features, which are the same for all coalitions.
template <class F>
[[nodiscard]] auto fuse(StagedFusion<F>& staged, const Features& features, const Presence& presence) {
  if constexpr (IntermediateFusion<F>) {
    bool training = staged.fusion.is_training();
    for (const EncoderStages& e : staged.encoders) training = training || e.module->is_training();
    if (!training || presence.coalitions() == 1) return fuse_rows(staged, features, presence);
    std::vector<decltype(fuse_rows(staged, features, presence))> parts;
    const auto b = static_cast<std::size_t>(presence.records());
    for (std::size_t c = 0; c < static_cast<std::size_t>(presence.coalitions()); ++c) {
      const auto masks = presence.masks().subspan(c * b, b);
      parts.push_back(fuse_rows(staged, features, Presence({masks.begin(), masks.end()}, 1, presence.modalities())));
    }
    return joined_decodings(parts, presence.records());
  } else {
    return fuse(staged.fusion, run_rest(staged.encoders, staged.known, 0, features, shown(presence), {}), presence);
  }
}

}  // namespace detail

template <class F>
inline constexpr bool yields_a_map<detail::StagedFusion<F>> = yields_a_map<F>;

}  // namespace equipoise
