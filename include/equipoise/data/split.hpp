// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Splits that keep groups together: all records of a patient are in one part. One at random, folds, or one class left out.
/// Groups are numbers, as those of a `Batch`; `eq::group_numbers` makes them from names.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace equipoise {

struct DataSplit {
  std::vector<std::int64_t> train, validation, test;  ///< record positions, ascending
};

namespace detail {

/// A place in (0, 1) for each record, at random but the same for all records of a group.
[[nodiscard]] inline std::vector<double> places_of(std::span<const std::int64_t> groups, std::uint64_t seed) {
  std::map<std::int64_t, std::size_t> number;
  for (const std::int64_t g : groups) number.emplace(g, 0);
  std::size_t next = 0;
  for (auto& [group, i] : number) i = next++;
  const std::vector<std::int64_t> order =
      permutation(static_cast<std::int64_t>(number.size()), hash_of({seed, hash_of("split")}));
  std::vector<double> place(number.size()), out;
  for (std::size_t i = 0; i < order.size(); ++i)
    place[static_cast<std::size_t>(order[i])] = (static_cast<double>(i) + 0.5) / static_cast<double>(order.size());
  for (const std::int64_t g : groups) out.push_back(place[number[g]]);
  return out;
}

/// \throws ValueError when a part is empty
inline void check_parts(const DataSplit& split, std::span<const std::int64_t> groups) {
  if (split.train.empty() || split.validation.empty() || split.test.empty())
    throw ValueError(message("value.211", "split", "expected enough patients for training, validation and test, got ",
                             std::set(groups.begin(), groups.end()).size()));
}

}  // namespace detail

/// Assigns groups at random to the parts. \param validation, test shares of the groups, in (0, 1)
/// \param fold which part is the test part: folds 0 to k - 1 with test = 1/k divide the groups among them
/// \throws ValueError when a part would be empty.
[[nodiscard]] inline DataSplit split_by_group(std::span<const std::int64_t> groups, double validation, double test,
                                              std::uint64_t seed, std::int64_t fold = 0) {
  const std::vector<double> place = detail::places_of(groups, seed);
  DataSplit out;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const bool tested = std::floor(place[i] / test + 1e-9) == static_cast<double>(fold);  // a bound is in one fold
    const double turned = place[i] - static_cast<double>(fold) * test, after = turned < 0 ? turned + 1 : turned;
    (tested                      ? out.test
     : after < test + validation ? out.validation
                                 : out.train)
        .push_back(static_cast<std::int64_t>(i));
  }
  detail::check_parts(out, groups);
  return out;
}

/// All records of one class (a machine, a site) are the test part. Other records of their groups are in no part, since
/// they would tell of them. \param classes of each record  \param validation share of the groups, in (0, 1)
/// \throws ValueError when a part would be empty; ShapeError unless there is a class a group.
[[nodiscard]] inline DataSplit split_leaving_out(std::span<const std::int64_t> groups,
                                                 const std::vector<std::string>& classes, const std::string& left_out,
                                                 double validation, std::uint64_t seed) {
  if (classes.size() != groups.size())
    throw ShapeError(
        message("shape.104", "split", "expected ", groups.size(), " classes, one a record, got ", classes.size()));
  const std::vector<double> place = detail::places_of(groups, seed);
  std::set<std::int64_t> tested;
  for (std::size_t i = 0; i < groups.size(); ++i)
    if (classes[i] == left_out) tested.insert(groups[i]);
  DataSplit out;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto record = static_cast<std::int64_t>(i);
    if (classes[i] == left_out)
      out.test.push_back(record);
    else if (!tested.contains(groups[i]))
      (place[i] < validation ? out.validation : out.train).push_back(record);
  }
  detail::check_parts(out, groups);
  return out;
}

/// Some of a part's records, drawn at random; with the same seed more of them hold the fewer. \param records of the part,
/// ascending  \param n how many, > 0  \throws ValueError where the part has fewer
[[nodiscard]] inline std::vector<std::int64_t> drawn_records(std::span<const std::int64_t> records, std::int64_t n,
                                                             std::uint64_t seed) {
  if (n < 1 || n > std::ssize(records))
    throw ValueError(message("value.211", "split", "expected 1 to ", records.size(),
                             " training records, those of the training part, got ", n));
  std::vector<std::int64_t> out;
  const std::vector<std::int64_t> order = permutation(std::ssize(records), hash_of({seed, hash_of("drawn records")}));
  for (std::int64_t i = 0; i < n; ++i)
    out.push_back(records[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])]);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace equipoise
