// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How well a model does on a data set: of each task the mean loss, the accuracy where the task says what is right, and its own metrics, for every
/// coalition of modalities, with intervals over groups.
/// \code
/// const auto report = eq::evaluate(*model, test);
/// std::cout << report << report["gpr"_n].of(eq::Coalition::single(0)).loss.value;
/// \endcode

#include <equipoise/contribution/table.hpp>
#include <equipoise/core/base/text_stream.hpp>
#include <equipoise/core/model/model.hpp>
#include <equipoise/core/model/records_of.hpp>
#include <equipoise/evaluation/group_means.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <limits>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace equipoise {

/// How `evaluate` works; the defaults fit most data.
struct EvaluateOptions {
  int resamples = 2000;         ///< of the groups, for the intervals; > 0
  bool intervals = true;        ///< false leaves them NaN
  std::int64_t batch_size = 0;  ///< records at a time; 0 chooses by the memory that they need
};

/// What a coalition reaches in one task.
struct CoalitionScore {
  Coalition coalition;
  Interval loss;                       ///< mean over the records with a label
  Interval accuracy;                   ///< share of right answers; NaN where the task does not say what is right
  std::vector<MetricValue> metrics{};  ///< the task's own
};

/// One task's scores, in the order of the coalitions asked for; none where the data has no target of it.
struct TaskScores {
  std::string task;
  std::size_t records = 0;  ///< with a label
  std::vector<CoalitionScore> coalitions;

  /// \throws NameError for a coalition that was not asked for
  [[nodiscard]] const CoalitionScore& of(Coalition coalition) const& {
    for (const CoalitionScore& s : coalitions)
      if (s.coalition == coalition) return s;
    throw NameError(message("name.312", "evaluation", "task ", task, ": no coalition ", coalition.bits()));
  }
  /// A copy, where these scores are a temporary.
  [[nodiscard]] CoalitionScore of(Coalition coalition) && { return std::as_const(*this).of(coalition); }
};

/// Scores under the model's own task names; a name that the model does not have does not compile.
template <class Tasks>
struct Evaluation;
template <FixedString... TaskTexts, class... T>
struct Evaluation<named_tuple<slot<TaskTexts, T>...>> {
  Schema schema;
  named_tuple<slot<TaskTexts, TaskScores>...> tasks;

  template <class Name>
  [[nodiscard]] const TaskScores& operator[](hana::basic_type<Name> task) const& {
    return tasks[task];
  }
  template <class Name>
  [[nodiscard]] TaskScores operator[](hana::basic_type<Name> task) && {
    return std::move(tasks)[task];
  }

  /// A table of losses with their intervals, a line a coalition.
  friend std::ostream& operator<<(std::ostream& stream, const Evaluation& e) {
    TextWriter out;
    e.tasks.for_each([&](auto, const TaskScores& t) {
      out << t.task << " (" << t.records << " records)\n";
      if (t.records == 0) return;
      for (const CoalitionScore& s : t.coalitions) {
        std::string names;
        for (const std::size_t m : (s.coalition & Coalition::full(e.schema.modalities.size())).members())
          names += (names.empty() ? "" : " + ") + e.schema.modalities[m];
        const auto write = [&](const char* what, const Interval& i) {
          out << what << i.value;
          if (std::isfinite(i.low)) out << " [" << i.low << ", " << i.high << "]";
        };
        out << "  " << std::left << std::setw(40) << (names.empty() ? "no modality" : names);
        write(" loss ", s.loss);
        if (std::isfinite(s.accuracy.value)) write(", accuracy ", s.accuracy);
        for (const MetricValue& m : s.metrics) out << ", " << m.name << " " << m.value;
        out << "\n";
      }
    });
    return stream << out.str();
  }
};

namespace detail {

[[nodiscard]] inline TaskScores task_scores(const CoalitionTable& table, std::size_t task, std::string name,
                                            std::span<const Coalition> coalitions, const ModelBatch& data,
                                            const EvaluateOptions& options) {
  TaskScores out{std::move(name), 0, {}};
  if (!table.losses[task].defined()) return out;
  const std::size_t records = table.labelled[task].size();
  GroupMeans means(data.groups, table.labelled[task]);
  out.records = means.records();
  const bool judged = table.correct[task].defined();
  for (std::size_t c = 0; c < coalitions.size(); ++c)
    means.add(table.losses[task].const_data_ptr<double>() + c * records);
  for (std::size_t c = 0; judged && c < coalitions.size(); ++c)
    means.add(table.correct[task].const_data_ptr<bool>() + c * records);
  const std::vector<Interval> intervals = means.intervals(options.intervals ? options.resamples : 0);
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t c = 0; c < coalitions.size(); ++c) {
    CoalitionScore s{coalitions[c], intervals[c], {nan, nan, nan}};
    if (judged) s.accuracy = intervals[coalitions.size() + c];
    if (!table.metrics[task].empty()) s.metrics = table.metrics[task][c];
    out.coalitions.push_back(std::move(s));
  }
  return out;
}

}  // namespace detail

/// Scores of the given coalitions, from one pass of the encoders; a record's own modalities are cut down to each.
/// Intervals of 95 % by bootstrap over the data's groups. \throws ValueError where the data has no record
template <class Encoders, class Tasks, Dataset D>
[[nodiscard]] Evaluation<Tasks> evaluate(Model<Encoders, Tasks>& model, const D& data,
                                         std::span<const Coalition> coalitions, const EvaluateOptions& options = {}) {
  check_option(options.resamples > 0, "EvaluateOptions.resamples", "> 0", options.resamples);
  const Records records = records_of(model, data);
  detail::check_any_record(records, "evaluate", "records");
  const CoalitionTable table = coalition_table(model, records, coalitions, options.batch_size, WithMetrics::yes);
  Evaluation<Tasks> out{model.schema(), {}};
  std::size_t k = 0;
  out.tasks.for_each([&](auto, TaskScores& scores) {
    scores = detail::task_scores(table, k, model.schema().tasks[k].name, coalitions, records.about(), options);
    ++k;
  });
  return out;
}

/// Scores of all coalitions, the empty one first. \throws ValueError above 16 modalities
template <class Encoders, class Tasks, Dataset D>
[[nodiscard]] Evaluation<Tasks> evaluate(Model<Encoders, Tasks>& model, const D& data,
                                         const EvaluateOptions& options = {}) {
  return evaluate(model, data, all_coalitions(model.modality_count()), options);
}

}  // namespace equipoise
