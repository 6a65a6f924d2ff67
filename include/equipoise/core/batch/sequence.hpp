// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Sequences of different lengths, padded to the longest of them.

#include <equipoise/core/base/errors.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace equipoise {

/// An input of sequences, [N, T, …]. What stands at padding is never looked at: it may be anything, NaN too.
/// \code
/// eq::input<"sound">(eq::Sequences::of_lengths(frames, lengths))  // frames [N, T, F], lengths of N numbers
/// \endcode
struct Sequences {
  at::Tensor tensor;
  at::Tensor padding;  ///< bool [N, T], true at padding; undefined where every sequence has the whole length

  /// \param lengths [N] steps of each sequence, its first ones, in 0..T
  /// \throws ShapeError unless there is one a record; ValueError for one beyond T
  [[nodiscard]] static Sequences of_lengths(at::Tensor padded, std::span<const std::int64_t> lengths) {
    check(padded);
    const auto records = static_cast<std::int64_t>(lengths.size());
    if (records != padded.size(0))
      throw ShapeError(message("shape.115", "Sequences", "expected ", padded.size(0), " lengths, got ", records));
    at::Tensor padding = at::empty({records, padded.size(1)}, at::kBool);
    bool* entry = padding.mutable_data_ptr<bool>();
    for (const std::int64_t length : lengths) {
      if (length < 0 || length > padded.size(1))
        throw ValueError(
            message("value.237", "Sequences", "expected lengths in 0..", padded.size(1), ", got ", length));
      for (std::int64_t t = 0; t < padded.size(1); ++t) *entry++ = t >= length;
    }
    padding = padding.to(padded.device());
    return {std::move(padded), std::move(padding)};
  }

  /// \param padding bool [N, T], true at padding  \throws ShapeError for another shape or type
  [[nodiscard]] static Sequences of_padding(at::Tensor padded, at::Tensor padding) {
    check(padded);
    Sequences out{std::move(padded), std::move(padding)};
    out.check();
    return out;
  }

  /// \throws ShapeError unless the padding is bool [N, T], on the device of the sequences
  void check() const {
    check(tensor);
    if (!padding.defined()) return;
    if (padding.scalar_type() != at::kBool || padding.sizes() != tensor.sizes().slice(0, 2))
      throw ShapeError(message("shape.115", "Sequences", "expected a padding of bool ", tensor.sizes().slice(0, 2),
                               ", got ", padding.scalar_type(), " ", padding.sizes()));
    if (padding.device() != tensor.device())
      throw ShapeError(message("shape.115", "Sequences", "expected a padding on ", tensor.device().str(),
                               ", got one on ", padding.device().str()));
  }

 private:
  static void check(const at::Tensor& padded) {
    if (!padded.defined() || padded.dim() < 2)
      throw ShapeError(message("shape.115", "Sequences", "expected a tensor [N, T, ...], got ",
                               padded.defined() ? padded.dim() : 0, " dimensions"));
  }
};

namespace detail {

/// A sequence's tensor [B, T, …] with one value at its padding; without padding as it is.
[[nodiscard]] inline at::Tensor fill_padding(const at::Tensor& x, const at::Tensor& padding, double value) {
  if (!padding.defined()) return x;
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = padding.size(0), shape[1] = padding.size(1);
  return x.masked_fill(padding.view(shape), value);
}
[[nodiscard]] inline at::Tensor zero_padding(const at::Tensor& x, const at::Tensor& padding) {
  return fill_padding(x, padding, 0);
}

}  // namespace detail
}  // namespace equipoise
