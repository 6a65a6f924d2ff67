// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A record: values under names, in declaration order, looked up at compile time. Sums, seeds and checkpoints follow
/// that order, which `boost::hana::map` does not promise; a record models Hana's `Struct`, so `hana::at_key`, `keys`,
/// `length` … work on it.

#include <equipoise/core/base/name.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/integral_constant.hpp>
#include <boost/hana/pair.hpp>
#include <boost/hana/tuple.hpp>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace equipoise {

/// One value under a name: `slot<"dose", at::Tensor>{tensor}`.
template <FixedString Text, class T>
struct slot {
  using key = name<Text>;
  using value_type = T;
  T value;
};

namespace detail {

/// The slot called `Name`; undefined where there is none.
template <class Name, class... Slots>
struct find_slot;
template <class Name, class First, class... Rest>
struct find_slot<Name, First, Rest...> : std::conditional_t<std::is_same_v<Name, typename First::key>,
                                                            std::type_identity<First>, find_slot<Name, Rest...>> {};

/// The slot called `Name`, or the first where there is none.
template <bool known, class Name, class First, class... Rest>
struct slot_or_first : find_slot<Name, First, Rest...> {};
template <class Name, class First, class... Rest>
struct slot_or_first<false, Name, First, Rest...> : std::type_identity<First> {};

/// Says that the record lacks the name; the note of the compiler lists the names it has.
template <class Name, class... Names>
struct CheckEntryName {
  static_assert(is_one_of<Name, Names...>, "equipoise: no entry has that name; CheckEntryName above lists the names");
  static constexpr bool ok = is_one_of<Name, Names...>;
};

/// Says that two of the names are the same. Where users give names it is checked before the record is made, since the
/// compiler would refuse the record with an error of its own.
template <class... Names>
struct CheckDistinctNames {
  static_assert(are_distinct<Names...>, "equipoise: two entries of a record have the same name");
  static constexpr bool ok = are_distinct<Names...>;
};

}  // namespace detail

/// Values under names. `r["dose"_n]` is the value called dose; an unknown name does not compile.
template <class... Slots>
struct named_tuple : Slots... {
  static_assert(detail::CheckDistinctNames<typename Slots::key...>::ok);

  static constexpr std::size_t size() { return sizeof...(Slots); }

  template <class Name>
  static constexpr bool has = is_one_of<Name, typename Slots::key...>;

  /// The position of a name in declaration order.
  template <class Name>
  static constexpr std::size_t index() {
    std::size_t i = 0, found = sizeof...(Slots);
    ((std::is_same_v<Name, typename Slots::key> ? void(found = i++) : void(++i)), ...);
    return found;
  }

  template <class Name>
  constexpr decltype(auto) operator[](boost::hana::basic_type<Name>) & {
    return get<Name>(*this);
  }
  template <class Name>
  constexpr decltype(auto) operator[](boost::hana::basic_type<Name>) const& {
    return get<Name>(*this);
  }
  /// Of a temporary, a value: `const auto& x = f()["dose"_n]` does not dangle.
  template <class Name>
  constexpr auto operator[](boost::hana::basic_type<Name>) && {
    return std::move(get<Name>(*this));
  }

  /// Calls `f(name_value, value)` for each entry in declaration order.
  template <class F>
  constexpr void for_each(F&& f) const {
    (f(boost::hana::type_c<typename Slots::key>, static_cast<const Slots&>(*this).value), ...);
  }
  template <class F>
  constexpr void for_each(F&& f) {
    (f(boost::hana::type_c<typename Slots::key>, static_cast<Slots&>(*this).value), ...);
  }

 private:
  template <class Name, class Self>
  static constexpr auto& get(Self& self) {
    constexpr bool known = detail::CheckEntryName<Name, typename Slots::key...>::ok;
    if constexpr (known || size() > 0) {
      // Where the check has failed, another entry stands for it, so that its sentence is the only error.
      using Slot = typename detail::slot_or_first<known, Name, Slots...>::type;
      using Qualified = std::conditional_t<std::is_const_v<Self>, const Slot, Slot>;
      return static_cast<Qualified&>(self).value;
    } else {
      return self;
    }
  }
};

template <class... Slots>
named_tuple(Slots...) -> named_tuple<Slots...>;

}  // namespace equipoise

namespace boost::hana {

/// A record is a Hana `Struct`: its keys are the names, its accessors the values.
template <class... Slots>
struct accessors_impl<equipoise::named_tuple<Slots...>> {
  static constexpr auto apply() {
    return make_tuple(make_pair(type_c<typename Slots::key>,
                                [](auto&& r) -> decltype(auto) { return r[type_c<typename Slots::key>]; })...);
  }
};

}  // namespace boost::hana
