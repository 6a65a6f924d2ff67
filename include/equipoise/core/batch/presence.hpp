// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Which modalities may be seen, as one bool tensor `[C, B, M]`: C decodings of B records with M modalities. A modality
/// missing from a record, one dropped by a policy and a coalition of the Shapley game are the same thing to a fusion: a
/// false entry. The entries also live on the host as bit masks, so that choosing rows never waits for a device.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/batch/coalition.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

class Presence {
 public:
  Presence() = default;

  /// Everything present: one decoding of `records` records.
  Presence(std::int64_t records, std::size_t modalities)
      : Presence(std::vector<std::uint64_t>(static_cast<std::size_t>(records), Coalition::full(modalities).bits()), 1,
                 modalities) {}

  /// `masks` [C * B], coalition by coalition; bit m of a mask is modality m.
  Presence(std::vector<std::uint64_t> masks, std::size_t coalitions, std::size_t modalities)
      : masks_(std::move(masks)), coalitions_(coalitions), modalities_(modalities) {
    any_ = 0, all_ = Coalition::full(modalities).bits();
    for (const std::uint64_t mask : masks_) any_ |= mask, all_ &= mask;
  }

  /// From a tensor [B, M] of bools, or of the numbers 0 and 1.
  /// \throws ShapeError when it is not two-dimensional, or has another number: 2 or NaN is no presence.
  explicit Presence(const at::Tensor& entries) {
    if (!entries.defined())
      throw ShapeError(message("shape.102", "presence", "expected [B, M], got an undefined tensor"));
    if (entries.dim() != 2)
      throw ShapeError(message("shape.102", "presence", "expected [B, M], got ", entries.sizes()));
    const at::Tensor host = entries.to(at::kCPU, at::kBool).contiguous();
    if (!entries.eq(host.to(entries.options())).all().item<bool>())
      throw ShapeError(message("shape.102", "presence", "expected bools, or 0 and 1, got another number of ",
                               entries.scalar_type()));
    const auto records = static_cast<std::size_t>(host.size(0)), modalities = static_cast<std::size_t>(host.size(1));
    std::vector<std::uint64_t> masks(records, 0);
    const bool* entry = host.const_data_ptr<bool>();
    for (auto& mask : masks)
      for (std::size_t m = 0; m < modalities; ++m) mask |= static_cast<std::uint64_t>(*entry++) << m;
    *this = Presence(std::move(masks), 1, modalities);
  }

  [[nodiscard]] std::int64_t coalitions() const { return static_cast<std::int64_t>(coalitions_); }
  [[nodiscard]] std::int64_t records() const {
    return coalitions_ == 0 ? 0 : static_cast<std::int64_t>(masks_.size() / coalitions_);
  }
  [[nodiscard]] std::size_t modalities() const { return modalities_; }

  /// [C * B] bit masks, coalition by coalition.
  [[nodiscard]] std::span<const std::uint64_t> masks() const { return masks_; }
  [[nodiscard]] Coalition of_row(std::size_t row) const { return Coalition(masks_[row]); }

  /// Modality `m` is there in every row / in at least one.
  [[nodiscard]] bool everywhere(std::size_t m) const { return (all_ >> m) & 1U; }
  [[nodiscard]] bool anywhere(std::size_t m) const { return (any_ >> m) & 1U; }
  [[nodiscard]] bool complete() const { return all_ == Coalition::full(modalities_).bits(); }
  /// Every row has at least one modality.
  [[nodiscard]] bool no_row_empty() const {
    if (all_ != 0) return true;
    for (const std::uint64_t mask : masks_)
      if (mask == 0) return false;
    return true;
  }

  /// Every record of a decoding has the same modalities; false without records.
  [[nodiscard]] bool same_within_coalitions() const {
    for (auto rest = masks(); !rest.empty(); rest = rest.subspan(static_cast<std::size_t>(records())))
      if (const auto one = rest.first(static_cast<std::size_t>(records()));
          std::any_of(one.begin(), one.end(), [&](std::uint64_t mask) { return mask != one[0]; }))
        return false;
    return !masks_.empty();
  }

  /// The C coalitions of this presence's B records: each record's modalities cut down to each coalition. \pre one
  /// decoding.
  [[nodiscard]] Presence restricted_to(std::span<const Coalition> coalitions) const {
    std::vector<std::uint64_t> masks;
    masks.reserve(coalitions.size() * masks_.size());
    for (const Coalition s : coalitions)
      for (const std::uint64_t mask : masks_) masks.push_back(mask & s.bits());
    return {std::move(masks), coalitions.size(), modalities_};
  }

  /// The records [begin, end) in every decoding. \pre both are within `records()`
  [[nodiscard]] Presence slice(std::int64_t begin, std::int64_t end) const {
    std::vector<std::uint64_t> masks;
    masks.reserve(static_cast<std::size_t>(end - begin) * coalitions_);
    for (std::int64_t row = 0; row < coalitions() * records(); row += records())
      masks.insert(masks.end(), masks_.begin() + row + begin, masks_.begin() + row + end);
    return {std::move(masks), coalitions_, modalities_};
  }

  /// The given records, in that order, in every decoding.
  [[nodiscard]] Presence select(std::span<const std::int64_t> records) const {
    std::vector<std::uint64_t> masks;
    masks.reserve(records.size() * coalitions_);
    const auto b = static_cast<std::size_t>(this->records());
    for (std::size_t c = 0; c < coalitions_; ++c)
      for (const std::int64_t i : records) masks.push_back(masks_[c * b + static_cast<std::size_t>(i)]);
    return {std::move(masks), coalitions_, modalities_};
  }

  /// [C, B, M] bool on the device of `like`.
  [[nodiscard]] at::Tensor tensor(const at::Tensor& like) const {
    at::Tensor host = at::empty({coalitions(), records(), static_cast<std::int64_t>(modalities_)}, at::kBool);
    bool* entry = host.mutable_data_ptr<bool>();
    for (const std::uint64_t mask : masks_)
      for (std::size_t m = 0; m < modalities_; ++m) *entry++ = (mask >> m) & 1U;
    return host.to(like.device());
  }

  friend bool operator==(const Presence&, const Presence&) = default;

 private:
  std::vector<std::uint64_t> masks_;
  std::size_t coalitions_ = 0, modalities_ = 0;
  std::uint64_t any_ = 0, all_ = 0;
};

namespace detail {

/// \param coalitions as the presence must have; 0: any number \param where who made it
/// \throws ShapeError for a presence of other records or modalities
inline void check_presence(const Presence& given, std::int64_t coalitions, std::int64_t records, std::size_t modalities,
                           std::string_view where) {
  if ((coalitions == 0 || given.coalitions() == coalitions) && given.modalities() == modalities &&
      static_cast<std::int64_t>(given.masks().size()) == given.coalitions() * records)
    return;
  throw ShapeError(message("shape.103", where, "expected a presence of ", records, " records and ", modalities,
                           " modalities", coalitions == 1 ? " for one coalition" : "", ", got ", given.masks().size(),
                           " masks for ", given.coalitions(), " coalition(s) of ", given.modalities(), " modalities"));
}

}  // namespace detail

}  // namespace equipoise
