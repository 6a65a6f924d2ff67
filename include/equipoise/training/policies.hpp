// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The choice of a policy by name at run time. Not part of `equipoise.hpp`: who names policies in the program does not pay
/// for compiling all of them.

#include <equipoise/balancing/all.hpp>
#include <equipoise/weighting/all.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace equipoise {

using EveryPolicy = decltype(std::tuple_cat(std::declval<EveryBalancing>(), std::declval<EveryWeighting>()));

namespace detail {

template <class F>
void for_each_policy(F&& f) {
  [&]<class... P>(std::tuple<P...>*) { (f.template operator()<P>(), ...); }(static_cast<EveryPolicy*>(nullptr));
}

}  // namespace detail

/// The names that `make_policy` knows.
[[nodiscard]] inline std::vector<std::string> policy_names() {
  std::vector<std::string> names;
  detail::for_each_policy([&]<class P>() { names.emplace_back(P::id); });
  return names;
}

/// A policy by name with options as text; `from` and `to` set its window.
/// \throws NameError for an unknown policy or option, with the nearest name; ValueError for a value of the wrong type.
[[nodiscard]] inline AnyPolicy make_policy(std::string_view name, const OptionList& list) {
  std::optional<AnyPolicy> made;
  detail::for_each_policy([&]<class P>() {
    if (P::id != name) return;
    P policy;
    Window window;
    const std::string where = "policy " + std::string(name);
    for (const auto& [key, text] : list) {
      if (key != "from" && key != "to") {
        set_option(policy, key, text, where);
        continue;
      }
      std::int64_t epoch = 0;
      if (detail::has_on_outputs<P>)
        throw ValueError(
            message("value.210", where,
                    "expected no window: the policy changes the deployed model and cannot be switched off"));
      if (!parse_option(text, epoch))
        throw ValueError(message("value.202", where, "option ", key, ": expected an epoch, got \"", text, "\""));
      (key == "from" ? window.from : window.to) = epoch;
    }
    made.emplace(std::move(policy), window);
  });
  if (!made)
    throw NameError(message("name.305", "policy", "no policy \"", name, "\"; ", nearest_name(name, policy_names())));
  return std::move(*made);
}

}  // namespace equipoise
