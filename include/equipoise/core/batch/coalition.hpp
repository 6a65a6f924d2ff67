// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A coalition: a set of modalities as a bit mask; bit m is the model's m-th modality. Needs nothing but the standard
/// library.

#include <equipoise/core/base/errors.hpp>

#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace equipoise {

class Coalition {
 public:
  constexpr Coalition() = default;
  constexpr explicit Coalition(std::uint64_t bits) : bits_(bits) {}

  [[nodiscard]] static constexpr Coalition none() { return Coalition(); }
  [[nodiscard]] static constexpr Coalition single(std::size_t m) { return Coalition(std::uint64_t{1} << m); }
  /// The first `modalities` ones; at most 64.
  [[nodiscard]] static constexpr Coalition full(std::size_t modalities) {
    return Coalition(modalities >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << modalities) - 1);
  }
  [[nodiscard]] static constexpr Coalition of(std::initializer_list<std::size_t> members) {
    std::uint64_t bits = 0;
    for (const std::size_t m : members) bits |= std::uint64_t{1} << m;
    return Coalition(bits);
  }

  [[nodiscard]] constexpr std::uint64_t bits() const { return bits_; }
  [[nodiscard]] constexpr bool contains(std::size_t m) const { return (bits_ >> m) & 1U; }
  [[nodiscard]] constexpr Coalition with(std::size_t m) const { return Coalition(bits_ | (std::uint64_t{1} << m)); }
  [[nodiscard]] constexpr Coalition without(std::size_t m) const { return Coalition(bits_ & ~(std::uint64_t{1} << m)); }
  [[nodiscard]] constexpr std::size_t size() const { return static_cast<std::size_t>(std::popcount(bits_)); }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }

  class Members;
  /// The modalities in the coalition, in ascending order, for a range-based loop.
  [[nodiscard]] constexpr Members members() const;

  friend constexpr Coalition operator&(Coalition a, Coalition b) { return Coalition(a.bits_ & b.bits_); }
  friend constexpr Coalition operator|(Coalition a, Coalition b) { return Coalition(a.bits_ | b.bits_); }
  /// The members of `a` that are not in `b`.
  friend constexpr Coalition operator-(Coalition a, Coalition b) { return Coalition(a.bits_ & ~b.bits_); }
  friend constexpr auto operator<=>(Coalition, Coalition) = default;

 private:
  std::uint64_t bits_ = 0;
};

/// A view of a coalition's members.
class Coalition::Members {
 public:
  class Iterator {
   public:
    using value_type = std::size_t;
    using difference_type = std::ptrdiff_t;

    constexpr Iterator() = default;
    constexpr explicit Iterator(std::uint64_t left) : left_(left) {}
    [[nodiscard]] constexpr std::size_t operator*() const { return static_cast<std::size_t>(std::countr_zero(left_)); }
    constexpr Iterator& operator++() {
      left_ &= left_ - 1;  // clears the lowest bit
      return *this;
    }
    constexpr Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    friend constexpr bool operator==(Iterator, Iterator) = default;

   private:
    std::uint64_t left_ = 0;
  };

  constexpr explicit Members(Coalition coalition) : bits_(coalition.bits()) {}
  [[nodiscard]] constexpr Iterator begin() const { return Iterator(bits_); }
  [[nodiscard]] constexpr Iterator end() const { return Iterator(); }

 private:
  std::uint64_t bits_;
};

constexpr Coalition::Members Coalition::members() const {
  return Members(*this);
}

/// All 2^M coalitions, in the order of their masks: the empty one first, the full one last.
/// \throws ValueError above 16 modalities, where the table no longer fits a training step: sample permutations instead.
[[nodiscard]] inline std::vector<Coalition> all_coalitions(std::size_t modalities) {
  if (modalities > 16)
    throw ValueError(message("value.203", "all_coalitions", "expected at most 16 modalities, got ", modalities));
  std::vector<Coalition> out;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << modalities); ++bits) out.emplace_back(bits);
  return out;
}

/// The M coalitions of one modality.
[[nodiscard]] inline std::vector<Coalition> singletons(std::size_t modalities) {
  std::vector<Coalition> out;
  for (std::size_t m = 0; m < modalities; ++m) out.push_back(Coalition::single(m));
  return out;
}

}  // namespace equipoise
