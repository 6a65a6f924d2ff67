// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The options of a spec or policy: an aggregate reflected once with `BOOST_HANA_ADAPT_STRUCT` is printed, saved, read
/// from TOML and set from the command line through the same text form. An unknown key names the nearest one there is.

#include <equipoise/core/base/enumeration.hpp>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/reflect.hpp>
#include <equipoise/core/base/text_stream.hpp>

#include <algorithm>
#include <boost/hana/accessors.hpp>
#include <boost/hana/adapt_struct.hpp>
#include <boost/hana/concept/struct.hpp>
#include <boost/hana/pair.hpp>
#include <boost/hana/string.hpp>
#include <boost/hana/tuple.hpp>
#include <charconv>
#include <concepts>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace equipoise {

namespace hana = boost::hana;

/// Keys and values as text, in declaration order.
using OptionList = std::vector<std::pair<std::string, std::string>>;

namespace detail {

template <class T>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool is_list<std::vector<T>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

}  // namespace detail

/// The text form of an option's value; a list's has commas, an absent one's is `none`.
template <class T>
[[nodiscard]] std::string option_text(const T& value) {
  if constexpr (std::same_as<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (detail::is_list<T>) {
    std::string out;
    for (const auto& x : value) out += (out.empty() ? "" : ",") + option_text(x);
    return out;
  } else if constexpr (detail::is_optional<T>) {
    return value ? option_text(*value) : "none";
  } else if constexpr (NamedEnumeration<T>) {
    return std::string(name_of(value));
  } else if constexpr (std::floating_point<T>) {
    char text[64];  // the shortest that reads back as the same number
    return {text, std::to_chars(text, text + sizeof(text), value).ptr};
  } else {
    TextWriter out;
    out << value;
    return std::move(out).str();
  }
}

/// Reads an option's value from its text form. \returns whether it is one; `value` is left as it is where not
template <class T>
[[nodiscard]] bool parse_option(std::string_view text, T& value) {
  if constexpr (std::same_as<T, bool>) {
    if (text != "true" && text != "false" && text != "1" && text != "0") return false;
    value = text == "true" || text == "1";
    return true;
  } else if constexpr (std::same_as<T, std::string>) {
    value = text;
    return true;
  } else if constexpr (detail::is_list<T>) {
    T parsed;
    TextReader in{std::string(text)};
    for (std::string part; std::getline(in, part, ',');)
      if (!parse_option(part, parsed.emplace_back())) return false;
    value = std::move(parsed);
    return true;
  } else if constexpr (detail::is_optional<T>) {
    if (text == "none") return value.reset(), true;
    typename T::value_type inner{};
    return parse_option(text, inner) && (value = inner, true);
  } else if constexpr (NamedEnumeration<T>) {
    const auto& names = names_of(value);
    const auto found = std::find(std::begin(names), std::end(names), text);
    if (found == std::end(names)) return false;
    value = static_cast<T>(found - std::begin(names));
    return true;
  } else {
    TextReader in{std::string(text)};
    T parsed{};
    if (!(in >> parsed) || in.peek() != std::istringstream::traits_type::eof()) return false;
    value = parsed;
    return true;
  }
}

namespace detail {

/// Levenshtein distance.
[[nodiscard]] inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row.back();
}

/// Of ASCII letters.
[[nodiscard]] inline std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace detail

/// "did you mean …? there are: …" for a name that is not among `names`; "there are: …" where none is near.
[[nodiscard]] inline std::string nearest_name(std::string_view wrong, const std::vector<std::string>& names) {
  if (names.empty()) return "there are none";
  // A name that begins with what was given is meant before one that differs in fewer letters, whatever their case.
  const std::string small = detail::lower_case(wrong);
  const auto far = [&](const std::string& name) {
    const std::string other = detail::lower_case(name);
    return small.size() > 1 && other.starts_with(small) ? 0 : 1 + detail::edit_distance(small, other);
  };
  const auto nearest =
      std::min_element(names.begin(), names.end(), [&](const auto& a, const auto& b) { return far(a) < far(b); });
  const bool near = far(*nearest) <= 1 + (small.size() + 1) / 2;  // half of the letters may differ
  std::string out = (near ? "did you mean \"" + *nearest + "\"? " : "") + "there are: ";
  for (std::size_t i = 0; i < names.size(); ++i) out += (i == 0 ? "" : ", ") + names[i];
  return out;
}

/// An aggregate whose members are reflected.
template <class T>
concept Reflected = hana::Struct<T>::value;

/// Calls `f(key, member)` for each member in declaration order; `member` is a reference into `object`. Only the type of
/// Hana's list is used: walking its values would cost every file that has options hundreds of small functions.
template <class T, class F>
requires Reflected<std::remove_const_t<T>>
void for_each_member(T& object, F&& f) {
  using Accessors = decltype(hana::accessors_impl<std::remove_const_t<T>>::apply());
  [&]<class... Key, class... Member>(std::type_identity<hana::tuple<hana::pair<Key, Member>...>>) {
    (f(std::string_view(Key::c_str()), Member{}(object)), ...);
  }(std::type_identity<Accessors>());
}

/// All options of a spec, as text.
template <Reflected T>
[[nodiscard]] OptionList options(const T& spec) {
  OptionList out;
  for_each_member(spec, [&](std::string_view key, const auto& value) { out.emplace_back(key, option_text(value)); });
  return out;
}

/// For a spec without reflection: one sentence in place of a list of candidates.
template <class T>
requires(!Reflected<T>) void options(const T&) {
  static_assert(Reflected<T>, "equipoise: this type's options need BOOST_HANA_ADAPT_STRUCT with all its members");
}
template <class T>
requires(!Reflected<T>) void set_option(T&, std::string_view, std::string_view, std::string_view = "options") {
  static_assert(Reflected<T>, "equipoise: this type's options need BOOST_HANA_ADAPT_STRUCT with all its members");
}

/// Sets one option from its text form.
/// \throws NameError for a key that the spec does not have, with the nearest one; ValueError when the text is not of
/// the option's type.
template <Reflected T>
void set_option(T& spec, std::string_view key, std::string_view text, std::string_view where = "options") {
  bool found = false;
  std::vector<std::string> names;
  for_each_member(spec, [&](std::string_view name, auto& value) {
    names.emplace_back(name);
    if (name != key) return;
    found = true;
    if (!parse_option(text, value))
      throw ValueError(message("value.202", where, "option ", key, ": expected a value like ", option_text(value),
                               ", got \"", text, "\""));
  });
  if (!found) throw NameError(message("name.302", where, "no option \"", key, "\"; ", nearest_name(key, names)));
}

/// Sets several options.
template <class T>
void set_options(T& spec, const OptionList& list, std::string_view where = "options") {
  for (const auto& [key, text] : list) set_option(spec, key, text, where);
}

}  // namespace equipoise
