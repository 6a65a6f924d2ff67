// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a run has recorded: one row an epoch, names as `train/gpr`, `val/gpr`, `val/label/accuracy`, `ogm/k/dose`.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

/// The numbers of one epoch, in the order in which they were first recorded.
struct EpochRecord {
  std::int64_t epoch = 0;
  std::vector<std::pair<std::string, double>> values;

  [[nodiscard]] const double* find(std::string_view name) const {
    for (const auto& [key, value] : values)
      if (key == name) return &value;
    return nullptr;
  }
};

enum class StopReason : std::uint8_t { finished, early_stopping, requested, failed };

[[nodiscard]] constexpr std::string_view to_string(StopReason reason) {
  return reason == StopReason::finished         ? "finished"
         : reason == StopReason::early_stopping ? "early stopping"
         : reason == StopReason::requested      ? "stopped on request"
                                                : "stopped by an error";
}

struct History {
  std::vector<EpochRecord> epochs;
  std::int64_t best_epoch = -1;            ///< the one with the best monitored figure; -1 without validation
  std::string monitor;                     ///< the figure's name, `val/objective` by default; empty without validation
  StopReason stop = StopReason::finished;  ///< of the last `fit`
};

/// Running means by name, in the order of first use.
class Averages {
 public:
  /// \param weight how many the value is a mean of: of means over batches it makes a mean over records
  void add(std::string_view name, double value, double weight = 1) {
    for (Entry& e : entries_)
      if (e.name == name) return void((e.sum += value * weight, e.weight += weight));
    entries_.push_back({std::string(name), value * weight, weight});
  }
  /// A figure that is no mean.
  void set(std::string_view name, double value) {
    for (Entry& e : entries_)
      if (e.name == name) return void((e.sum = value, e.weight = 1));
    entries_.push_back({std::string(name), value, 1});
  }
  [[nodiscard]] std::vector<std::pair<std::string, double>> means() const {
    std::vector<std::pair<std::string, double>> out;
    for (const Entry& e : entries_) out.emplace_back(e.name, e.sum / e.weight);
    return out;
  }
  /// The means, and begins anew.
  [[nodiscard]] std::vector<std::pair<std::string, double>> take() {
    std::vector<std::pair<std::string, double>> out = means();
    entries_.clear();
    return out;
  }

 private:
  struct Entry {
    std::string name;
    double sum, weight;
  };
  std::vector<Entry> entries_;
};

}  // namespace equipoise
