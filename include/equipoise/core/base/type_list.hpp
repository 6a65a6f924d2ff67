// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Lists of components, as `using EveryFusion = std::tuple<Concat, Sum>`. A list is a type that nobody makes an object of:
/// the program, its help, the tests, the benchmarks and the pages of docs/ go through it, so that a component is used
/// wherever it belongs once it stands in the list of its folder.

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace equipoise {

/// Calls `f.template operator()<T>()` for each type T of a list, in order: `for_each_type<List>([&]<class T>() { … })`.
template <class List, class F>
constexpr void for_each_type(F&& f) {
  const auto each = [&]<class... T>(std::type_identity<std::tuple<T...>>) { (f.template operator()<T>(), ...); };
  each(std::type_identity<List>{});
}

/// Calls it for the type whose `id` is given. \returns whether there is one
template <class List, class F>
constexpr bool for_type_named(std::string_view id, F&& f) {
  bool found = false;
  for_each_type<List>([&]<class T>() {
    if (found || T::id != id) return;
    found = true;
    f.template operator()<T>();
  });
  return found;
}

/// The ids of a list's types, in order.
template <class List>
[[nodiscard]] std::vector<std::string> ids_of() {
  std::vector<std::string> out;
  for_each_type<List>([&]<class T>() { out.emplace_back(T::id); });
  return out;
}

/// Whether no two types of a list have the same id.
template <class List>
inline constexpr bool has_distinct_ids = [] {
  std::array<std::string_view, std::tuple_size_v<List>> ids{};
  std::size_t n = 0;
  bool distinct = true;
  for_each_type<List>([&]<class T>() {
    for (std::size_t i = 0; i < n; ++i) distinct = distinct && ids[i] != T::id;
    ids[n++] = T::id;
  });
  return distinct;
}();

/// The types of several lists, one list after the other.
template <class... Lists>
using joined_t = decltype(std::tuple_cat(std::declval<Lists>()...));

namespace detail {

template <class List, template <class> class Keep>
struct filtered;
template <class... T, template <class> class Keep>
struct filtered<std::tuple<T...>, Keep> {
  using type = joined_t<std::conditional_t<Keep<T>::value, std::tuple<T>, std::tuple<>>...>;
};

}  // namespace detail

/// The types T of a list for which `Keep<T>::value` holds, in order.
template <class List, template <class> class Keep>
using filtered_t = typename detail::filtered<List, Keep>::type;

/// A component for tests and benchmarks: its `T::example()` (options that make it small, or let it act in a short run)
/// where it has one, else its defaults.
template <class T>
[[nodiscard]] T example_of() {
  if constexpr (requires { T::example(); })
    return T::example();
  else
    return T{};
}

}  // namespace equipoise
