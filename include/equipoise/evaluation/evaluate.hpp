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
#include <equipoise/evaluation/bootstrap.hpp>

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
  [[nodiscard]] const CoalitionScore& of(Coalition coalition) const {
    for (const CoalitionScore& s : coalitions)
      if (s.coalition == coalition) return s;
    throw NameError(message("name.312", "evaluation", "task ", task, ": no coalition ", coalition.bits()));
  }
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
      for (const CoalitionScore& s : t.coalitions) {
        std::string names;
        for (const std::size_t m : (s.coalition & Coalition::full(e.schema.modalities.size())).members())
          names += (names.empty() ? "" : " + ") + e.schema.modalities[m];
        out << "  " << std::left << std::setw(40) << (names.empty() ? "nothing" : names) << " loss " << s.loss.value
            << " [" << s.loss.low << ", " << s.loss.high << "]";
        if (std::isfinite(s.accuracy.value))
          out << ", accuracy " << s.accuracy.value << " [" << s.accuracy.low << ", " << s.accuracy.high << "]";
        for (const MetricValue& m : s.metrics) out << ", " << m.name << " " << m.value;
        out << "\n";
      }
    });
    return stream << out.str();
  }
};

namespace detail {

/// The interval over groups of a mean over labelled records. \param row [N] of one coalition
template <class T>
[[nodiscard]] Interval mean_interval(const T* row, const std::vector<bool>& labelled,
                                     const std::vector<std::int64_t>& groups) {
  std::vector<std::string> names;
  std::vector<double> values;
  for (std::size_t i = 0; i < labelled.size(); ++i)
    if (labelled[i]) names.push_back(std::to_string(groups[i])), values.push_back(static_cast<double>(row[i]));
  return bootstrap(names, [&](const std::vector<std::size_t>& drawn) {
    double sum = 0;
    for (const std::size_t i : drawn) sum += values[i];
    return sum / static_cast<double>(drawn.size());
  });
}

[[nodiscard]] inline TaskScores task_scores(const CoalitionTable& table, std::size_t task, std::string name,
                                            std::span<const Coalition> coalitions, const ModelBatch& data) {
  TaskScores out{std::move(name), 0, {}};
  if (!table.losses[task].defined()) return out;
  const std::vector<bool>& labelled = table.labelled[task];
  for (const bool is_labelled : labelled) out.records += is_labelled ? 1 : 0;
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t c = 0; c < coalitions.size(); ++c) {
    const std::size_t at = c * labelled.size();
    CoalitionScore s{coalitions[c],
                     mean_interval(table.losses[task].const_data_ptr<double>() + at, labelled, data.groups),
                     {nan, nan, nan}};
    if (!table.metrics[task].empty()) s.metrics = table.metrics[task][c];
    if (table.correct[task].defined())
      s.accuracy = mean_interval(table.correct[task].const_data_ptr<bool>() + at, labelled, data.groups);
    out.coalitions.push_back(s);
  }
  return out;
}

}  // namespace detail

/// Scores of the given coalitions, from one pass of the encoders; a record's own modalities are cut down to each.
/// Intervals of 95 % by bootstrap over the data's groups. \throws ValueError where the data has no record
template <class Encoders, class Tasks, class In, class Out>
[[nodiscard]] Evaluation<Tasks> evaluate(Model<Encoders, Tasks>& model, const Batch<In, Out>& data,
                                         std::span<const Coalition> coalitions) {
  const ModelBatch arranged = model.to_model_batch(data);
  detail::check_any_record(arranged, "evaluate", "records");
  const CoalitionTable table = coalition_table(model, arranged, coalitions, 64, WithMetrics::yes);
  Evaluation<Tasks> out{model.schema(), {}};
  std::size_t k = 0;
  out.tasks.for_each([&](auto, TaskScores& scores) {
    scores = detail::task_scores(table, k, model.schema().tasks[k].name, coalitions, arranged);
    ++k;
  });
  return out;
}

/// Scores of all coalitions, the empty one first. \throws ValueError above 16 modalities
template <class Encoders, class Tasks, class In, class Out>
[[nodiscard]] Evaluation<Tasks> evaluate(Model<Encoders, Tasks>& model, const Batch<In, Out>& data) {
  return evaluate(model, data, all_coalitions(model.modality_count()));
}

}  // namespace equipoise
