// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A few numbers side by side in a vector register, through the vector extensions of GCC and Clang; one number where
/// the width is one. Without fused multiply-add, so that every machine gives the same digits.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Sanitizers watch each access: code that is inlined and unrolled ten thousandfold would take minutes to compile.
#define EQUIPOISE_INLINE inline
#define EQUIPOISE_UNROLL
#define EQUIPOISE_AVX2
#define EQUIPOISE_HAS_AVX2() false
#else
/// Inlined whatever the optimiser thinks: a function that takes registers by value must not become a call.
#define EQUIPOISE_INLINE inline __attribute__((always_inline))
/// Before a loop of few, known rounds: its arrays can then live in registers.
#define EQUIPOISE_UNROLL _Pragma("GCC unroll 8")
/// A function with this attribute may use 256-bit registers; call it only where `EQUIPOISE_HAS_AVX2()`.
#if defined(__AVX2__)
#define EQUIPOISE_AVX2
#define EQUIPOISE_HAS_AVX2() true
#elif defined(__x86_64__)
#define EQUIPOISE_AVX2 __attribute__((target("avx2")))
#define EQUIPOISE_HAS_AVX2() (__builtin_cpu_supports("avx2") != 0)
#else
#define EQUIPOISE_AVX2
#define EQUIPOISE_HAS_AVX2() false
#endif
#endif

namespace equipoise::psqa::detail {

template <class T, std::size_t Width>
struct Lanes {
  using Scalar = T;
  static constexpr std::size_t width = Width;
  typedef T Vector __attribute__((vector_size(sizeof(T) * Width)));
  /// All bits of a lane are set where a comparison holds.
  struct Mask {
    decltype(Vector{} < Vector{}) v;
    [[nodiscard]] EQUIPOISE_INLINE friend Mask operator&(const Mask& a, const Mask& b) { return {a.v & b.v}; }
    [[nodiscard]] EQUIPOISE_INLINE friend Mask operator|(const Mask& a, const Mask& b) { return {a.v | b.v}; }
    [[nodiscard]] EQUIPOISE_INLINE friend Mask operator!(const Mask& a) { return {~a.v}; }
  };

  Vector v;

  Lanes() = default;
  EQUIPOISE_INLINE explicit Lanes(T x) : v(x - Vector{}) {}
  // Copied as one register: GCC copies a struct from memory to memory by halves, and who then reads the whole waits.
  EQUIPOISE_INLINE Lanes(const Lanes& other) : v(other.v) {}
  EQUIPOISE_INLINE Lanes& operator=(const Lanes& other) {
    v = other.v;
    return *this;
  }

  [[nodiscard]] EQUIPOISE_INLINE static Lanes load(const T* at) {
    Lanes out;
    std::memcpy(&out.v, at, sizeof(out.v));
    return out;
  }
  EQUIPOISE_INLINE void store(T* at) const { std::memcpy(at, &v, sizeof(v)); }

  [[nodiscard]] EQUIPOISE_INLINE static Lanes where(const Mask& mask, const Lanes& yes, const Lanes& no) {
    Lanes out;
    out.v = mask.v ? yes.v : no.v;
    return out;
  }
  [[nodiscard]] EQUIPOISE_INLINE static bool any(const Mask& mask) {
    std::int64_t words[sizeof(Mask) / 8];
    std::memcpy(words, &mask, sizeof(mask));
    std::int64_t all = 0;
    for (const std::int64_t w : words) all |= w;
    return all != 0;
  }
};

/// One number with the same interface.
template <class T>
struct Lanes<T, 1> {
  using Scalar = T;
  static constexpr std::size_t width = 1;
  using Mask = bool;

  T v;

  Lanes() = default;
  EQUIPOISE_INLINE explicit Lanes(T x) : v(x) {}

  [[nodiscard]] EQUIPOISE_INLINE static Lanes load(const T* at) { return Lanes(*at); }
  [[nodiscard]] EQUIPOISE_INLINE static Lanes load(const float* at) requires(!std::is_same_v<T, float>) {
    return Lanes(static_cast<T>(*at));
  }
  EQUIPOISE_INLINE void store(T* at) const { *at = v; }
  [[nodiscard]] EQUIPOISE_INLINE static Lanes where(bool mask, const Lanes& yes, const Lanes& no) {
    return mask ? yes : no;
  }
  [[nodiscard]] EQUIPOISE_INLINE static bool any(bool mask) { return mask; }
};

#define EQUIPOISE_LANES_OPERATOR(op)                                                                   \
  template <class T, std::size_t W>                                                                    \
  [[nodiscard]] EQUIPOISE_INLINE Lanes<T, W> operator op(const Lanes<T, W>& a, const Lanes<T, W>& b) { \
    Lanes<T, W> out;                                                                                   \
    out.v = a.v op b.v;                                                                                \
    return out;                                                                                        \
  }                                                                                                    \
  template <class T, std::size_t W>                                                                    \
  [[nodiscard]] EQUIPOISE_INLINE Lanes<T, W> operator op(const Lanes<T, W>& a, T b) {                  \
    Lanes<T, W> out;                                                                                   \
    out.v = a.v op b;                                                                                  \
    return out;                                                                                        \
  }
EQUIPOISE_LANES_OPERATOR(+)
EQUIPOISE_LANES_OPERATOR(-)
EQUIPOISE_LANES_OPERATOR(*)
EQUIPOISE_LANES_OPERATOR(/)
#undef EQUIPOISE_LANES_OPERATOR

#define EQUIPOISE_LANES_COMPARISON(op)                                                          \
  template <class T, std::size_t W>                                                             \
  [[nodiscard]] EQUIPOISE_INLINE auto operator op(const Lanes<T, W>& a, const Lanes<T, W>& b) { \
    return typename Lanes<T, W>::Mask{a.v op b.v};                                              \
  }
EQUIPOISE_LANES_COMPARISON(<)
EQUIPOISE_LANES_COMPARISON(<=)
EQUIPOISE_LANES_COMPARISON(>=)
#undef EQUIPOISE_LANES_COMPARISON

template <class T, std::size_t W>
[[nodiscard]] EQUIPOISE_INLINE Lanes<T, W> operator-(const Lanes<T, W>& a) {
  Lanes<T, W> out;
  out.v = -a.v;
  return out;
}

/// The smaller; `b` where `a` is NaN.
template <class T, std::size_t W>
[[nodiscard]] EQUIPOISE_INLINE Lanes<T, W> lane_min(const Lanes<T, W>& a, const Lanes<T, W>& b) {
  Lanes<T, W> out;
  out.v = a.v < b.v ? a.v : b.v;
  return out;
}
/// The larger; `b` where `a` is NaN.
template <class T, std::size_t W>
[[nodiscard]] EQUIPOISE_INLINE Lanes<T, W> lane_max(const Lanes<T, W>& a, const Lanes<T, W>& b) {
  Lanes<T, W> out;
  out.v = a.v > b.v ? a.v : b.v;
  return out;
}
/// Without sign.
template <class T, std::size_t W>
[[nodiscard]] EQUIPOISE_INLINE Lanes<T, W> magnitude(const Lanes<T, W>& a) {
  return lane_max(a, -a);
}

}  // namespace equipoise::psqa::detail
