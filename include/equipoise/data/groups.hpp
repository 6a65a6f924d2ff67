// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Groups of records: a number a record, the same for records that belong together (a patient's). `Batch::groups`, splits
/// and the bootstrap take them so; `group_numbers` makes them from names.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace equipoise {

/// The number of each record's group, from 0 in the sorted order of the groups' names.
/// \code
/// eq::group_numbers({"Roe", "Doe", "Roe"});  // 1, 0, 1
/// \endcode
[[nodiscard]] inline std::vector<std::int64_t> group_numbers(const std::vector<std::string>& names) {
  std::map<std::string, std::int64_t> number;
  for (const std::string& name : names) number.emplace(name, 0);
  std::int64_t next = 0;
  for (auto& [name, i] : number) i = next++;
  std::vector<std::int64_t> out;
  out.reserve(names.size());
  for (const std::string& name : names) out.push_back(number[name]);
  return out;
}

}  // namespace equipoise
