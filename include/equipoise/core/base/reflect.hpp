// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `EQUIPOISE_REFLECT(Type, members…)` reflects an aggregate as `BOOST_HANA_ADAPT_STRUCT` does, for Hana too. Hana's
/// macro costs every file that includes it 10 ms a member, which for all of the library's options is 3 s. This one
/// costs only the files that read the members.

#include <equipoise/core/base/name.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/pair.hpp>
#include <boost/hana/string.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/preprocessor/punctuation/comma_if.hpp>
#include <boost/preprocessor/seq/for_each_i.hpp>
#include <boost/preprocessor/stringize.hpp>
#include <boost/preprocessor/variadic/to_seq.hpp>
#include <cstddef>
#include <utility>

namespace equipoise::detail {

/// The name of a member of `Of` as Hana's string. `Of` keeps it from being made before it is asked for.
template <class Of, FixedString Name, class Indices = std::make_index_sequence<Name.view().size()>>
struct MemberKey;
template <class Of, FixedString Name, std::size_t... I>
struct MemberKey<Of, Name, std::index_sequence<I...>> {
  using type = boost::hana::string<Name.view()[I]...>;
};

/// Reads a member of an object.
template <auto Member>
struct MemberOf {
  template <class T>
  constexpr decltype(auto) operator()(T&& object) const {
    return static_cast<T&&>(object).*Member;
  }
};

template <class Of, FixedString Name, auto Member>
using Accessor = boost::hana::pair<typename MemberKey<Of, Name>::type, MemberOf<Member>>;

}  // namespace equipoise::detail

#define EQUIPOISE_DETAIL_ACCESSOR(r, Self, i, member) \
  BOOST_PP_COMMA_IF(i)::equipoise::detail::Accessor<Self, BOOST_PP_STRINGIZE(member), &Self::member>

/// Reflects an aggregate: its type, then all its members in order. At global scope.
#define EQUIPOISE_REFLECT(Type, ...)                                                                                \
  template <>                                                                                                       \
  struct boost::hana::accessors_impl<Type> {                                                                        \
    template <class Self = Type>                                                                                    \
    static constexpr boost::hana::tuple<__VA_OPT__(BOOST_PP_SEQ_FOR_EACH_I(EQUIPOISE_DETAIL_ACCESSOR, Self,         \
                                                                           BOOST_PP_VARIADIC_TO_SEQ(__VA_ARGS__)))> \
    apply() {                                                                                                       \
      return {};                                                                                                    \
    }                                                                                                               \
  }
