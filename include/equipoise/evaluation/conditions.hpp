// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Conditions at test: what a trained model is shown of its modalities, and noise on one of them. A study compares methods
/// under each.
/// \code
/// for (const eq::TestCondition& c : eq::test_conditions({"image", "table"}, {{"table", 0.5, "0.5 SD"}}))
///   ...;  // all; image alone; table alone; noise on table (0.5 SD)
/// \endcode

#include <equipoise/core/base/normal.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/random.hpp>
#include <equipoise/evaluation/record_figures.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

/// Noise on a modality's input. The unit is the caller's: what the input is scaled to.
struct ModalityNoise {
  std::string modality;
  double strength = 0;   ///< standard deviation of what is added to each entry
  std::string in_words;  ///< `2 % of the maximum`
};

/// What a model is shown of its modalities.
struct TestCondition {
  std::string name;                ///< `all`, `all but table`, `table alone`, `noise on table (0.5 SD)`
  std::vector<std::string> shown;  ///< in the model's order
  std::string noisy{};             ///< one of them; empty for none
  double strength = 0;             ///< of the noise

  /// How many of the model's modalities are hidden.
  [[nodiscard]] std::size_t missing(std::size_t of) const { return of - shown.size(); }
};

/// All modalities; all but each one, where that leaves more than one; each one alone; and all, one of them with noise.
/// \param noise of modalities that the model may not have: those count nowhere
/// \pre at least one modality
[[nodiscard]] inline std::vector<TestCondition> test_conditions(const std::vector<std::string>& modalities,
                                                                const std::vector<ModalityNoise>& noise = {}) {
  std::vector<TestCondition> out = {{"all", modalities}};
  if (modalities.size() > 2)
    for (const std::string& left_out : modalities) {
      TestCondition& c = out.emplace_back(TestCondition{"all but " + left_out, {}});
      for (const std::string& m : modalities)
        if (m != left_out) c.shown.push_back(m);
    }
  if (modalities.size() > 1)
    for (const std::string& m : modalities) out.push_back({m + " alone", {m}});
  for (const ModalityNoise& n : noise)
    if (std::find(modalities.begin(), modalities.end(), n.modality) != modalities.end())
      out.push_back({"noise on " + n.modality + " (" + n.in_words + ")", modalities, n.modality, n.strength});
  return out;
}

/// Conditions as settings of a study's cell, so that what was computed under others is not taken for them.
[[nodiscard]] inline OptionList condition_settings(const std::vector<TestCondition>& conditions) {
  OptionList out;
  for (const TestCondition& c : conditions)
    out.emplace_back("condition " + c.name, c.noisy.empty() ? "shown" : option_text(c.strength));
  return out;
}

/// The columns of a table with each figure under each condition, condition by condition: `all but table, mae`.
[[nodiscard]] inline std::vector<std::string> condition_columns(const std::vector<TestCondition>& conditions,
                                                                const std::vector<std::string>& figures) {
  std::vector<std::string> out;
  for (const TestCondition& c : conditions)
    for (const std::string& figure : figures) out.push_back(c.name + ", " + figure);
  return out;
}

/// Of records with such columns the figures of one condition. \param place of the condition  \param figures their number
[[nodiscard]] inline std::vector<TestedRecord> under_condition(std::span<const TestedRecord> records, std::size_t place,
                                                               std::size_t figures) {
  std::vector<TestedRecord> out;
  for (const TestedRecord& r : records) {
    const auto begin = r.figures.begin() + static_cast<std::ptrdiff_t>(place * figures);
    out.push_back({r.id, r.group, {begin, begin + static_cast<std::ptrdiff_t>(figures)}});
  }
  return out;
}

/// Figures of methods under one condition; of those that have it.
struct ConditionFigures {
  std::string condition;
  std::vector<std::pair<std::string, RecordFigures>> methods;

  /// The figures of a method; none where it does not have the condition.
  [[nodiscard]] const RecordFigures* of(std::string_view method) const {
    for (const auto& [name, figures] : methods)
      if (name == method) return &figures;
    return nullptr;
  }
};

/// The names of conditions of several models, each once: those of the longest list first, in its order.
[[nodiscard]] inline std::vector<std::string> condition_names(std::vector<std::vector<TestCondition>> lists) {
  std::stable_sort(lists.begin(), lists.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  std::vector<std::string> out;
  for (const auto& list : lists)
    for (const TestCondition& c : list)
      if (std::find(out.begin(), out.end(), c.name) == out.end()) out.push_back(c.name);
  return out;
}

/// Adds noise to some entries of one record's input. The numbers depend on the record's key, the modality and the seed
/// alone, so that all methods of a study get the same. \param entries of the input, in its scale
/// \param record a key that is the record's in every run, as `hash_of` its name
inline void add_noise(std::span<float> entries, double strength, std::string_view modality, std::uint64_t record,
                      std::uint64_t seed = 1) {
  for_each_normal(entries.size(), hash_of({seed, hash_of(modality), record}), [&](std::size_t i, float z) {
    entries[i] = static_cast<float>(entries[i] + strength * static_cast<double>(z));
  });
}

}  // namespace equipoise
