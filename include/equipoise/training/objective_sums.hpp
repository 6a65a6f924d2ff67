// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The values of a batch's objectives, for the history: the loss, and what is minimised in its place.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/policy/step.hpp>
#include <equipoise/training/effective_batch.hpp>
#include <equipoise/training/history.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::detail {

inline constexpr std::string_view kWeighted = "/weighted";

/// Sums over the micro-batches of a batch.
class ObjectiveSums {
 public:
  explicit ObjectiveSums(const Schema& schema) : schema_(schema) {}

  /// Adds an objective's value.
  /// \param plain the objectives as they were before any policy
  /// \param ids of the micro-batch's records
  /// \throws NumericError where it is not a number, with the records that did it.
  void add(const Objective& o, const std::vector<Objective>& plain, const std::vector<std::int64_t>& ids) {
    const double value = host_value(o.value);
    if (!std::isfinite(value) || !std::isfinite(value * o.weight))
      throw NumericError(message("numeric.501", "objective " + name_of(o.key, schema_), "expected a finite value, got ",
                                 value, o.weight == 1 ? "" : " with the weight " + option_text(o.weight),
                                 "; records of the batch: ", first_ids(ids)),
                         ids);
    const auto before =
        std::find_if(plain.begin(), plain.end(), [&](const Objective& other) { return other.key == o.key; });
    const double loss = before == plain.end() || before->value.is_same(o.value) ? value : host_value(before->value);
    auto known = std::find_if(sums_.begin(), sums_.end(), [&](const Sum& s) { return s.key == o.key; });
    if (known == sums_.end()) known = sums_.insert(sums_.end(), Sum{o.key});
    known->loss += loss;
    known->weighted += value * o.weight;
  }

  /// Logs `train/gpr`, the loss, and `train/gpr/weighted`, what is minimised in its place, as means over records.
  void log_to(Averages& log, const EffectiveBatch& whole) const {
    for (const Sum& s : sums_) {
      const Coalition seen =
          s.key.modality ? Coalition::single(*s.key.modality) : Coalition::full(schema_.modalities.size());
      const double records = s.key.kind == ObjectiveKind::regulariser ? static_cast<double>(whole.size())
                                                                      : whole.total_weight(s.key.task, seen, 1);
      if (records == 0) continue;
      const std::string name = "train/" + name_of(s.key, schema_);
      log.add(name, s.loss, records);
      log.add(name + std::string(kWeighted), s.weighted, records);
    }
  }

 private:
  struct Sum {
    ObjectiveKey key;
    double loss = 0, weighted = 0;
  };
  const Schema& schema_;
  std::vector<Sum> sums_;
};

/// An epoch's figures without the weighted objectives that are the loss itself.
[[nodiscard]] inline std::vector<std::pair<std::string, double>> without_equal_weights(
    std::vector<std::pair<std::string, double>> values) {
  const std::vector<std::pair<std::string, double>> all = values;
  std::erase_if(values, [&](const auto& value) {
    const std::string_view name = value.first;
    if (!name.starts_with("train/") || !name.ends_with(kWeighted)) return false;
    const std::string_view loss = name.substr(0, name.size() - kWeighted.size());
    return std::any_of(all.begin(), all.end(),
                       [&](const auto& v) { return v.first == loss && v.second == value.second; });
  });
  return values;
}

}  // namespace equipoise::detail
