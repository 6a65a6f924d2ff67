// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Features and presence in, predictions out: fusion, head and prior for all coalitions in one pass.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/model/concepts.hpp>
#include <equipoise/core/model/model_base.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace equipoise::detail {

/// Replaces by zero the rows that no decoding may see, so that not even a NaN in them reaches a projection, forward or
/// backward.
[[nodiscard]] inline Feature zero_unseen_rows(const Feature& feature, std::size_t m, const Presence& presence) {
  if (!feature.defined() || !presence.anywhere(m)) return {};
  if (presence.everywhere(m)) return feature;
  const auto records = static_cast<std::size_t>(presence.records());
  std::vector<std::uint64_t> seen(records, 0);
  for (auto masks = presence.masks(); !masks.empty(); masks = masks.subspan(records))
    for (std::size_t i = 0; i < records; ++i) seen[i] |= masks[i];
  std::vector<std::int64_t> unseen;
  for (std::size_t i = 0; i < records; ++i)
    if (((seen[i] >> m) & 1U) == 0) unseen.push_back(static_cast<std::int64_t>(i));
  if (unseen.empty()) return feature;
  return feature.map_tensors([&](const at::Tensor& t) { return t.index_fill(0, index_tensor(unseen, t), 0); });
}

/// Of the joint map of a fusion; 2 where it does not say.
template <class F>
[[nodiscard]] std::int64_t map_dimensions(const F& fusion) {
  if constexpr (requires { fusion.dimensions(); })
    return fusion.dimensions();
  else
    return 2;
}

/// A fusion says how wide its joint feature is before there is one: a head was made for that width.
/// \throws ShapeError where it is another.
inline void check_joint(const at::Tensor& joint, const Presence& presence, std::int64_t width, std::int64_t) {
  const std::int64_t needed[] = {presence.coalitions(), presence.records(), width};
  if (joint.sizes() != at::IntArrayRef(needed))
    throw ShapeError(message("shape.112", "fusion", "expected a joint feature [C, B, width()] = ",
                             at::IntArrayRef(needed), ", got ", joint.sizes()));
}
inline void check_joint(const JointMap& joint, const Presence&, std::int64_t width, std::int64_t dimensions) {
  for (const at::Tensor* rows : {&joint.varying, &joint.uniform})
    if (rows->defined() && (rows->dim() != dimensions + 2 || rows->size(1) != width))
      throw ShapeError(message("shape.112", "fusion", "expected a joint map [R, width() = ", width,
                               dimensions == 3 ? ", Z" : "", ", H, W], got ", rows->sizes()));
}

/// The joint feature for every decoding: [C, B, W] or a `JointMap`.
template <class F>
[[nodiscard]] auto fuse(F& fusion, const Features& features, const Presence& presence) {
  std::vector<projected_t<F>> projected;
  for (std::size_t m = 0; m < features.items.size(); ++m) {
    const Feature seen = zero_unseen_rows(features.items[m], m, presence);
    projected.push_back(seen.defined() ? fusion.project(m, seen) : projected_t<F>{});
  }
  auto joint = fusion.combine(projected, presence);
  check_joint(joint, presence, fusion.width(), map_dimensions(fusion));
  return joint;
}

/// [O] as maps of one pixel, [1, O, 1, 1] or [1, O, 1, 1, 1].
[[nodiscard]] inline at::Tensor one_pixel(const at::Tensor& values, std::int64_t dimensions) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(dimensions) + 2, 1);
  shape[1] = values.numel();
  return values.view(shape);
}

/// Predictions of a dense task [C, B, O, H, W] or [C, B, O, Z, H, W]: rows that vary in space at full size, uniform rows
/// from one pixel, empty rows from the prior.
template <class Head>
[[nodiscard]] at::Tensor decode_map(Head& head, const JointMap& joint, const Presence& presence,
                                    std::int64_t dimensions) {
  const std::int64_t rows = presence.coalitions() * presence.records();
  const auto shaped = [&](const at::Tensor& t) { return t.unflatten(0, {presence.coalitions(), presence.records()}); };
  if (static_cast<std::int64_t>(joint.varying_rows.size()) == rows) return shaped(head.forward(joint.varying));
  std::vector<std::int64_t> place(static_cast<std::size_t>(rows), -1);
  std::vector<at::Tensor> blocks;
  std::int64_t next = 0;
  std::vector<std::int64_t> size(static_cast<std::size_t>(dimensions) + 2, 1);  // of one row's map, with its channels
  size[0] = size[1] = -1;
  if (joint.varying.defined()) {
    blocks.push_back(head.forward(joint.varying));
    std::copy(blocks[0].sizes().begin() + 2, blocks[0].sizes().end(), size.begin() + 2);
    for (const std::int64_t row : joint.varying_rows) place[static_cast<std::size_t>(row)] = next++;
  }
  if (joint.uniform.defined()) {
    blocks.push_back(head.forward(joint.uniform).expand(size));
    for (const std::int64_t row : joint.uniform_rows) place[static_cast<std::size_t>(row)] = next++;
  }
  if (next < rows) {
    blocks.push_back(one_pixel(head.prior(), dimensions).expand(size));
    for (std::int64_t& p : place)
      if (p < 0) p = next;
  }
  const at::Tensor all = at::cat(blocks);
  return shaped(all.index_select(0, index_tensor(place, all)));
}

/// Predictions [C, B, …] of one task. `head` is a `GuardedHead`. Where every modality is absent, the task's prior answers.
template <class F, class Head>
[[nodiscard]] at::Tensor decode(F& fusion, Head& head, const Features& features, const Presence& presence) {
  const std::int64_t c = presence.coalitions(), b = presence.records();
  const at::Tensor prior = head.prior();  // [O]
  bool any = false;
  for (std::size_t m = 0; m < features.items.size(); ++m)
    any = any || (features.items[m].defined() && presence.anywhere(m));
  if constexpr (yields_a_map<F>) {
    const std::int64_t dimensions = map_dimensions(fusion);
    if (!any) {
      const at::Tensor pixel = one_pixel(prior, dimensions).unsqueeze(0);
      std::vector<std::int64_t> shape = pixel.sizes().vec();
      shape[0] = c, shape[1] = b;
      return pixel.expand(shape);
    }
    return decode_map(head, fuse(fusion, features, presence), presence, dimensions);
  } else {
    if (!any) return prior.expand({c, b, prior.numel()});
    const at::Tensor joint = fuse(fusion, features, presence);  // [C, B, W]
    const at::Tensor out = head.forward(joint, presence);       // [C, B, O]
    if (presence.no_row_empty()) return out;
    return at::where(presence.tensor(out).any(2, true), out, prior);
  }
}

}  // namespace equipoise::detail
