// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The views of range-v3 that the library uses on lists in memory: two lists side by side (`zip`), neighbours
/// (`adjacent`), elements with their positions (`enumerate`).
/// Each combination of element types costs a file 0.2 to 0.4 s of compile time. Lists are therefore taken as spans of
/// constant elements, so that a vector, an array and a span of one type, constant or not, share one instantiation.

#include <cstddef>
#include <range/v3/view/enumerate.hpp>
#include <range/v3/view/zip.hpp>
#include <span>
#include <type_traits>
#include <utility>

namespace equipoise::views {

namespace detail {

template <class T>
inline constexpr bool is_span = false;
template <class T, std::size_t N>
inline constexpr bool is_span<std::span<T, N>> = true;

template <class List>
using constant_span = std::span<const typename decltype(std::span(std::declval<List&>()))::value_type>;

template <class List>
concept outlives_an_expression = std::is_lvalue_reference_v<List> || is_span<std::remove_cvref_t<List>>;
template <class List>
concept converts_to_a_span = requires {
  typename constant_span<List>;
};

}  // namespace detail

/// A list in memory that outlives an expression: a span, or an object that has a name.
template <class List>
concept SpannableList = detail::outlives_an_expression<List> && detail::converts_to_a_span<List>;

/// The elements at the same places of two lists, as pairs of constant references; as many as the shorter list has.
/// Use `std::ranges::transform` to write a list.
template <SpannableList A, SpannableList B>
[[nodiscard]] auto zip(A&& a, B&& b) {
  return ranges::zip_view<detail::constant_span<A>, detail::constant_span<B>>(detail::constant_span<A>(a),
                                                                              detail::constant_span<B>(b));
}

/// Each element of a list with the one after it; empty for fewer than two elements.
template <SpannableList List>
[[nodiscard]] auto adjacent(List&& list) {
  const detail::constant_span<List> all(list);
  return zip(all, all.empty() ? all : all.subspan(1));
}

/// The elements of a list with their positions, from 0, as pairs of a number and a constant reference.
template <SpannableList List>
[[nodiscard]] auto enumerate(List&& list) {
  return ranges::views::enumerate(detail::constant_span<List>(list));
}

}  // namespace equipoise::views
