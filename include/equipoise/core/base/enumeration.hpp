// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Enumerations whose values have names: a function `names_of(E)`, found beside the enumeration, gives them in order.

#include <cstddef>
#include <string_view>
#include <type_traits>

namespace equipoise {

template <class E>
concept NamedEnumeration = std::is_enum_v<E> && requires(E value) {
  names_of(value);
};

/// The name of an enumeration's value.
[[nodiscard]] constexpr std::string_view name_of(NamedEnumeration auto value) {
  return names_of(value)[static_cast<std::size_t>(value)];
}

}  // namespace equipoise
