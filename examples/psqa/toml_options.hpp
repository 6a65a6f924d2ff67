// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Values of a TOML file as options.

#include <toml++/toml.h>

#include <string>
#include <type_traits>

#include "run.hpp"

namespace psqa_program {

/// A value as the text of an option; a list's has commas.
[[nodiscard]] inline std::string text_of(const toml::node& node) {
  std::string out;
  if (const toml::array* list = node.as_array()) {
    for (const toml::node& item : *list) out += (out.empty() ? "" : ",") + text_of(item);
    return out;
  }
  node.visit([&](const auto& v) {
    using V = std::decay_t<decltype(v)>;
    if constexpr (std::is_same_v<V, toml::value<bool>>)
      out = *v ? "true" : "false";
    else if constexpr (std::is_same_v<V, toml::value<std::string>>)
      out = *v;
    else if constexpr (std::is_same_v<V, toml::value<std::int64_t>>)
      out = std::to_string(*v);
    else if constexpr (std::is_same_v<V, toml::value<double>>)
      out = eq::option_text(*v);
  });
  return out;
}

/// The entries of a table as options. \throws FileError where it is none
[[nodiscard]] inline eq::OptionList entries_of(const toml::node& node, const std::string& where) {
  const toml::table* table = node.as_table();
  if (!table)
    throw eq::FileError(eq::message("file.439", where, "line ", node.source().begin.line, ": expected a table"));
  eq::OptionList out;
  for (const auto& [key, value] : *table) out.emplace_back(key.str(), text_of(value));
  return out;
}

}  // namespace psqa_program
