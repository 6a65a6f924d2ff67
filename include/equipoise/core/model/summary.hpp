// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A model as a table: its parts, what they were built from, and how many parameters each has.

#include <equipoise/core/base/text_stream.hpp>
#include <equipoise/core/model/model_base.hpp>

#include <torch/nn/module.h>

#include <algorithm>
#include <cstdint>
#include <iomanip>
#include <string>
#include <utility>

namespace equipoise {

/// One line a part: place, kind, parameters, options; then the sum.
[[nodiscard]] inline std::string summary(ModelBase& model) {
  const auto parameters = model.module().named_parameters();
  const auto count = [&](const std::string& prefix) {
    std::int64_t n = 0;
    for (const auto& p : parameters)
      if (p.key().starts_with(prefix)) n += p.value().numel();
    return n;
  };
  TextWriter out;
  const auto line = [&](const std::string& place, const std::string& kind, std::int64_t n) -> std::ostream& {
    return out << std::left << std::setw(24) << place << std::setw(18) << kind << std::right << std::setw(10) << n;
  };
  for (const auto& [key, value] : model.options()) {
    if (std::count(key.begin(), key.end(), '.') == 1) {
      if (out.tellp() > 0) out << "\n";
      line(key, value, count(key + "."));
    } else {
      out << "  " << key.substr(key.rfind('.') + 1) << "=" << value;
    }
  }
  out << "\n";
  line("together", "", count("")) << "\n";
  return std::move(out).str();
}

}  // namespace equipoise
