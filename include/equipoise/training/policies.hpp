// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The choice of a policy by name at run time. Not part of `equipoise.hpp`: who names policies in the program does not pay
/// for compiling all of them.

#include <equipoise/balancing/all.hpp>
#include <equipoise/core/base/type_list.hpp>
#include <equipoise/weighting/all.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

using EveryPolicy = joined_t<EveryBalancing, EveryWeighting>;
static_assert(has_distinct_ids<EveryPolicy>, "equipoise: two policies of the lists have the same id");

/// The names that `make_policy` knows.
[[nodiscard]] inline std::vector<std::string> policy_names() {
  return ids_of<EveryPolicy>();
}

/// A policy by name with options as text; `from` and `to` set its window.
/// \throws NameError for an unknown policy or option, with the nearest name; ValueError for a value of the wrong type.
[[nodiscard]] inline AnyPolicy make_policy(std::string_view name, const OptionList& list) {
  std::optional<AnyPolicy> made;
  for_type_named<EveryPolicy>(name, [&]<class P>() {
    P policy;
    Window window;
    const std::string where = "policy " + std::string(name);
    for (const auto& [key, text] : list) {
      if (key != "from" && key != "to") {
        set_option(policy, key, text, where);
        continue;
      }
      std::int64_t epoch = 0;
      if (P::hooks.has(Hook::outputs))
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
