// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Names as types: `"dose"_n` is a value whose type is the name, the key of every record of the library.
/// The literal is standard C++20; it gives `boost::hana::type_c<name<"dose">>`, so that Hana's algorithms take it.

#include <boost/hana/type.hpp>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace equipoise {

/// A string that can be a template argument.
template <std::size_t N>
struct FixedString {
  char text[N] = {};

  consteval FixedString(const char (&from)[N]) {  // NOLINT(google-explicit-constructor): a literal is the string
    for (std::size_t i = 0; i < N; ++i) text[i] = from[i];
  }

  [[nodiscard]] constexpr std::string_view view() const { return {text, N - 1}; }
};

/// The type of a name. Two names are one type exactly when their letters are the same.
template <FixedString Text>
struct name {
  static constexpr std::string_view text = Text.view();
};

/// A value that carries the type `name<Text>`; what `"…"_n` yields.
template <FixedString Text>
using name_value = boost::hana::type<name<Text>>;

inline namespace literals {

/// `"dose"_n`: the key of the modality or task called dose.
template <FixedString Text>
consteval auto operator""_n() {
  return boost::hana::type_c<name<Text>>;
}

}  // namespace literals

/// Whether `Name` is one of `Names`; a variable template, so that a failed check prints both lists.
template <class Name, class... Names>
inline constexpr bool is_one_of = (std::is_same_v<Name, Names> || ...);

/// Whether no two of `Names` are the same.
template <class... Names>
inline constexpr bool are_distinct = true;
template <class First, class... Rest>
inline constexpr bool are_distinct<First, Rest...> = !is_one_of<First, Rest...> && are_distinct<Rest...>;

}  // namespace equipoise
