// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What specs around another encoder's spec share: they have its options, and an id made of both. Specs that are loaded from
/// a file have their width as the only option.

#include <equipoise/core/base/options.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <type_traits>

namespace equipoise::detail {

/// "frozen_mlp" of "frozen_" and `Mlp`.
template <std::size_t N, const std::array<char, N>& Prefix, class E>
inline constexpr auto joined_id = [] {
  std::array<char, N + E::id.size()> out{};
  std::copy(E::id.begin(), E::id.end(), std::copy(Prefix.begin(), Prefix.end(), out.begin()));
  return out;
}();

/// A member of a wrapped spec, found through its wrapper.
template <class Member>
struct OfEncoder {
  template <class Wrapper>
  constexpr auto& operator()(Wrapper& wrapper) const {
    return Member{}(wrapper.encoder);
  }
};

template <class Accessors>
struct WrappedAccessors;
template <class... Key, class... Member>
struct WrappedAccessors<hana::tuple<hana::pair<Key, Member>...>> {
  using type = hana::tuple<hana::pair<Key, OfEncoder<Member>>...>;
};

/// The accessors of a spec whose member `encoder` is of type E: those of E.
template <class E>
using accessors_of_encoder = typename WrappedAccessors<std::remove_cvref_t<decltype(hana::accessors<E>())>>::type;

struct WidthOf {
  template <class Spec>
  constexpr auto& operator()(Spec& spec) const {
    return spec.width;
  }
};

/// The accessors of a spec that is loaded from a file: only its member `width`.
[[nodiscard]] constexpr auto accessors_of_width() {
  return hana::make_tuple(hana::make_pair(hana::string_c<'w', 'i', 'd', 't', 'h'>, WidthOf{}));
}

}  // namespace equipoise::detail
