// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The validation after an epoch, and the monitor: the one of its figures that chooses the best epoch and stops a run
/// early.

#include <equipoise/contribution/table.hpp>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/model/model_base.hpp>
#include <equipoise/training/history.hpp>
#include <equipoise/training/options.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace equipoise {

/// The memory of the monitor over a run; part of a checkpoint.
struct Watched {
  std::string monitor;             ///< name of the figure in the history; empty before the first one
  std::optional<double> best;      ///< the best epoch's figure
  std::optional<double> last_big;  ///< the last one that was better by more than `min_delta`
  std::int64_t since_best = 0;     ///< epochs since `last_big`

  /// Takes an epoch's figure. A NaN is never better. \return whether the epoch is the best so far
  bool take(double value, bool larger_is_better, double min_delta) {
    const auto better = [&](const std::optional<double>& than, double by) {
      if (std::isnan(value)) return false;
      return !than || (larger_is_better ? value > *than + by : value < *than - by);
    };
    if (better(last_big, min_delta))
      last_big = value, since_best = 0;
    else
      ++since_best;
    if (!better(best, 0)) return false;
    best = value;
    return true;
  }
};

namespace detail {

/// What the validation data say after an epoch.
class Validation {
 public:
  /// \pre the tasks' priors are fitted
  /// \throws ValueError when a figure is needed and the data have none; NameError for a monitor that there is not.
  Validation(ModelBase& model, const Records& data, const TrainerOptions& options) : model_(model), data_(data) {
    if (data.size() > 0) find_figures();
    choose(options);
  }

  /// The name of the monitored figure in the history; empty without validation labels.
  [[nodiscard]] const std::string& monitor() const { return monitor_; }
  [[nodiscard]] bool larger_is_better() const { return larger_is_better_; }
  /// A sentence where validation records were given that cannot choose the best epoch; else empty.
  [[nodiscard]] std::string note(const TrainerOptions& options) const {
    if (!options.keep_best || !monitor_.empty() || data_.size() == 0) return {};
    return "no validation record has a label: the last epoch is kept, not the best one";
  }

  /// Adds `val/…` of every task with labels to the record: its loss, accuracy and metrics, and `val/objective`, the sum of
  /// the losses, each divided by the task's loss l(∅) without any modality.
  /// \return the monitored figure
  std::optional<double> judge(EpochRecord& record) {
    if (monitor_.empty()) return {};
    const Coalition full = model_.full();
    const CoalitionTable table = coalition_table(model_, data_, {&full, 1}, 0, WithMetrics::yes);
    double objective = 0;
    for (std::size_t k = 0; k < table.losses.size(); ++k) {
      const std::optional<double> loss = table.mean_loss(k);
      if (!loss) continue;
      const std::string& task = model_.schema().tasks[k].name;
      if (!std::isfinite(*loss))
        throw NumericError(message("numeric.503", "validation after epoch " + std::to_string(record.epoch + 1),
                                   "expected a finite loss of task ", task, ", got ", *loss));
      record.values.emplace_back("val/" + task, *loss);
      if (const auto accuracy = table.accuracy(k)) record.values.emplace_back("val/" + task + "/accuracy", *accuracy);
      if (!table.metrics[k].empty())
        for (const MetricValue& m : table.metrics[k][0])
          record.values.emplace_back("val/" + task + "/" + m.name, m.value);
      objective += *loss / units_[k];
    }
    record.values.emplace_back("val/objective", objective);
    return *record.find(monitor_);
  }

 private:
  struct Figure {
    std::string name;
    bool larger_is_better = false;
  };

  [[nodiscard]] bool labelled(std::size_t k) const {
    const std::vector<std::uint64_t>& labels = data_.about().labelled;
    return data_.has_target(k) &&
           std::any_of(labels.begin(), labels.end(), [&](std::uint64_t l) { return ((l >> k) & 1U) != 0; });
  }

  void find_figures() {
    const Schema& schema = model_.schema();
    units_.assign(schema.tasks.size(), 1.0);
    for (std::size_t k = 0; k < schema.tasks.size(); ++k) {
      if (!labelled(k)) continue;
      figures_.push_back({schema.tasks[k].name});
      if (schema.tasks[k].traits.correctness) figures_.push_back({schema.tasks[k].name + "/accuracy", true});
      for (const Metric& m : model_.metrics(k))
        figures_.push_back({schema.tasks[k].name + "/" + m.name, m.larger_is_better});
    }
    if (figures_.empty()) return;
    figures_.push_back({"objective"});
    const Coalition full = model_.full();  // no encoder runs: every record is given the prior
    const CoalitionTable table = coalition_table(model_, data_.restricted_to(Coalition::none()), {&full, 1});
    for (std::size_t k = 0; k < units_.size(); ++k)
      if (const auto loss = table.mean_loss(k); loss && std::isfinite(*loss))
        units_[k] = std::max(std::abs(*loss), 1e-12);  // a likelihood's may be negative
  }

  void choose(const TrainerOptions& options) {
    if (figures_.empty()) {
      const char* got = data_.size() == 0 ? "none" : "records without a label";
      if (options.patience > 0)
        throw ValueError(message("value.230", "TrainerOptions.patience",
                                 "expected labelled validation data, which say when a run gets no better, got ", got));
      if (options.schedule.plateau())
        throw ValueError(message("value.230", "TrainerOptions.schedule",
                                 "expected labelled validation data for a plateau, got ", got));
      if (!options.monitor.empty())
        throw ValueError(message("value.230", "TrainerOptions.monitor", "expected labelled validation data for ",
                                 options.monitor, ", got ", got));
      return;
    }
    std::string wanted = options.monitor.empty() ? "objective" : options.monitor;
    if (wanted.starts_with("val/")) wanted.erase(0, 4);
    std::vector<std::string> names;
    for (const Figure& f : figures_) {
      names.push_back(f.name);
      if (f.name == wanted) monitor_ = "val/" + wanted, larger_is_better_ = f.larger_is_better;
    }
    if (monitor_.empty())
      throw NameError(message("name.320", "TrainerOptions.monitor", "no validation figure \"", wanted, "\"; ",
                              nearest_name(wanted, names)));
  }

  ModelBase& model_;
  const Records& data_;
  std::vector<Figure> figures_;
  std::vector<double> units_;  ///< [K] l(∅) on the validation data
  std::string monitor_;
  bool larger_is_better_ = false;
};

}  // namespace detail
}  // namespace equipoise
