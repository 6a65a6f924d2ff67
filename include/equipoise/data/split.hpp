// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Splits that keep groups together: all records of a patient are in one part.

#include <equipoise/core/errors.hpp>
#include <equipoise/core/random.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace equipoise {

struct DataSplit {
  std::vector<std::int64_t> train, validation, test;  ///< record positions, ascending
};

/// Assigns groups at random to the parts. \param validation, test shares of the groups, in (0, 1)
/// \throws ValueError when a part would be empty.
[[nodiscard]] inline DataSplit split_by_group(const std::vector<std::string>& groups, double validation, double test,
                                              std::uint64_t seed) {
  std::map<std::string, std::size_t> number;
  for (const std::string& g : groups) number.emplace(g, 0);
  std::size_t next = 0;
  for (auto& [name, i] : number) i = next++;
  const std::vector<std::int64_t> order =
      permutation(static_cast<std::int64_t>(number.size()), hash_of({seed, hash_of("split")}));
  std::vector<double> place(number.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    place[static_cast<std::size_t>(order[i])] = (static_cast<double>(i) + 0.5) / static_cast<double>(order.size());
  DataSplit out;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const double p = place[number[groups[i]]];
    (p < test ? out.test : p < test + validation ? out.validation : out.train).push_back(static_cast<std::int64_t>(i));
  }
  if (out.train.empty() || out.validation.empty() || out.test.empty())
    throw ValueError(message("value.211", "split", "expected enough patients for training, validation and test, got ",
                             number.size()));
  return out;
}

}  // namespace equipoise
