// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How well a trained model does when one modality is corrupted: of each task the loss, the
/// accuracy and the task's metrics over the strength of the corruption, and the area under each
/// curve.
/// \code
/// const auto curves = eq::robustness(*model, test, "dose"_n, eq::corruption::noise, {0, 0.5, 1});
/// std::cout << curves << curves["gpr"_n].of("loss").area.value;
/// \endcode

#include <equipoise/contribution/table.hpp>
#include <equipoise/core/base/text_stream.hpp>
#include <equipoise/core/model/model.hpp>
#include <equipoise/core/model/records_of.hpp>
#include <equipoise/data/corruption.hpp>
#include <equipoise/evaluation/group_means.hpp>
#include <equipoise/evaluation/infer.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <limits>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

/// How `robustness` works.
struct RobustnessOptions {
  std::uint64_t seed = 1;       ///< of the corruption's random numbers, which are the same at every strength
  int resamples = 0;            ///< of the groups, for 95 % intervals; 0 leaves them NaN
  std::int64_t batch_size = 0;  ///< records at a time; 0 chooses by the memory that they need
};

/// The mean height of a curve, by the trapezoidal rule, relative to the value without corruption:
///   area = 1 / ((s_n - s_1) f_clean) · Σ_i (s_{i+1} - s_i) (f_i + f_{i+1}) / 2
/// It is 1 where the corruption does nothing. With one strength it is f_1 / f_clean. NaN unless
/// f_clean > 0.
/// \param strengths increasing  \param values one a strength
[[nodiscard]] inline double relative_area(std::span<const double> strengths, std::span<const double> values,
                                          double clean) {
  check_same_length(strengths.size(), values.size(), "relative_area");
  if (!(clean > 0) || values.empty()) return std::numeric_limits<double>::quiet_NaN();
  if (values.size() == 1) return values[0] / clean;
  double sum = 0;
  for (std::size_t i = 1; i < values.size(); ++i)
    sum += (strengths[i] - strengths[i - 1]) * (values[i] + values[i - 1]) / 2;
  return sum / ((strengths.back() - strengths.front()) * clean);
}

/// One figure of a task over the strength.
struct RobustnessCurve {
  std::string figure;  ///< "loss", "accuracy" or the name of a metric
  bool larger_is_better = false;
  Interval clean;                ///< without the corruption
  std::vector<Interval> values;  ///< one a strength
  Interval area;                 ///< `relative_area`
};

/// One task's curves; none where the data has no target of it.
struct TaskRobustness {
  std::string task;
  std::size_t records = 0;  ///< with a label
  std::vector<RobustnessCurve> curves;

  /// \throws NameError for a figure that the task does not have
  [[nodiscard]] const RobustnessCurve& of(std::string_view figure) const& {
    std::string names;
    for (const RobustnessCurve& c : curves) {
      if (c.figure == figure) return c;
      names += (names.empty() ? "" : ", ") + c.figure;
    }
    throw NameError(
        message("name.307", "robustness", "task ", task, ": no figure \"", figure, "\"; there are: ", names));
  }
  /// A copy, where these curves are a temporary.
  [[nodiscard]] RobustnessCurve of(std::string_view figure) && { return std::as_const(*this).of(figure); }
};

/// Curves under the model's own task names; a name that the model does not have does not compile.
template <class Tasks>
struct Robustness;
template <FixedString... TaskTexts, class... T>
struct Robustness<named_tuple<slot<TaskTexts, T>...>> {
  std::string modality;
  std::vector<double> strengths;
  named_tuple<slot<TaskTexts, TaskRobustness>...> tasks;

  template <class Name>
  [[nodiscard]] const TaskRobustness& operator[](hana::basic_type<Name> task) const& {
    return tasks[task];
  }
  template <class Name>
  [[nodiscard]] TaskRobustness operator[](hana::basic_type<Name> task) && {
    return std::move(tasks)[task];
  }

  /// A table of each task: a line a figure, a column a strength. Values with an interval stand with
  /// it, "0.87 [0.786, 0.943]", to four digits.
  friend std::ostream& operator<<(std::ostream& stream, const Robustness& r) {
    TextWriter out;
    const auto text_of = [](const Interval& v) {
      TextWriter text;
      if (std::isfinite(v.low))
        text << std::setprecision(4) << v.value << " [" << v.low << ", " << v.high << "]";
      else
        text << v.value;
      return text.str();
    };
    r.tasks.for_each([&](auto, const TaskRobustness& t) {
      std::size_t width = 10;
      std::vector<std::vector<std::string>> lines;
      for (const RobustnessCurve& c : t.curves) {
        std::vector<std::string>& line = lines.emplace_back();
        line.push_back(text_of(c.clean));
        for (const Interval& v : c.values) line.push_back(text_of(v));
        line.push_back(text_of(c.area));
        for (const std::string& text : line) width = std::max(width, text.size());
      }
      const auto cell = [&](const auto& text) {
        out << " " << std::right << std::setw(static_cast<int>(width)) << text;
      };
      out << t.task << " (" << t.records << " records), " << r.modality << " corrupted\n  " << std::left
          << std::setw(20) << "strength";
      cell("clean");
      for (const double s : r.strengths) cell(s);
      cell("area");
      for (std::size_t i = 0; i < lines.size(); ++i) {
        out << "\n  " << std::left << std::setw(20) << t.curves[i].figure;
        for (const std::string& text : lines[i]) cell(text);
      }
      out << "\n";
    });
    return stream << out.str();
  }
};

namespace detail {

/// What a model says at one strength.
struct RobustnessPass {
  CoalitionTable table;                 ///< of all modalities
  std::vector<at::Tensor> predictions;  ///< [K], each [1, N, …]; empty unless metrics get intervals
};

template <class Encoders, class Tasks, Dataset D>
[[nodiscard]] RobustnessPass robustness_pass(Model<Encoders, Tasks>& model, const D& data, bool with_predictions,
                                             std::int64_t batch_size) {
  const Coalition full = model.full();
  RobustnessPass out{coalition_table(model, records_of(model, data), {&full, 1}, batch_size, WithMetrics::yes), {}};
  if (with_predictions)
    infer(model, data, {&full, 1}, batch_size).for_each([&](auto, const at::Tensor& t) {
      out.predictions.push_back(t);
    });
  return out;
}

/// A curve with intervals. \param at a figure of some labelled records: at(0, rows) without
/// corruption, at(i, rows) at the i-th strength \param groups of the labelled records
template <class F>
[[nodiscard]] RobustnessCurve robustness_curve(std::string figure, bool larger_is_better,
                                               std::span<const double> strengths, std::span<const std::int64_t> groups,
                                               int resamples, F&& at) {
  std::vector<std::vector<double>> drawn(strengths.size() + 2);  // clean, one a strength, area; all records first
  (void)bootstrap(
      groups,
      [&](const std::vector<std::size_t>& rows) {
        std::vector<double> values;
        for (std::size_t s = 0; s <= strengths.size(); ++s) values.push_back(at(s, rows));
        for (std::size_t s = 0; s < values.size(); ++s) drawn[s].push_back(values[s]);
        drawn.back().push_back(relative_area(strengths, std::span(values).subspan(1), values[0]));
        return 0.0;
      },
      0.95, resamples);
  std::vector<Interval> intervals;
  for (std::vector<double>& all : drawn) {
    const double value = all.front();
    all.erase(all.begin());
    intervals.push_back(percentile_interval(value, std::move(all), 0.95));
  }
  return {std::move(figure),
          larger_is_better,
          intervals.front(),
          {intervals.begin() + 1, intervals.end() - 1},
          intervals.back()};
}

/// The curves of one task. \param passes without corruption, then one a strength
[[nodiscard]] inline TaskRobustness task_robustness(ModelBase& model, std::size_t task,
                                                    const std::vector<RobustnessPass>& passes, const ModelBatch& about,
                                                    const at::Tensor& target, std::span<const double> strengths,
                                                    int resamples) {
  TaskRobustness out{model.schema().tasks[task].name, 0, {}};
  const CoalitionTable& clean = passes[0].table;
  if (!clean.losses[task].defined()) return out;
  std::vector<std::int64_t> labelled, groups;
  for (std::size_t i = 0; i < about.groups.size(); ++i)
    if (clean.labelled[task][i]) labelled.push_back(static_cast<std::int64_t>(i)), groups.push_back(about.groups[i]);
  out.records = labelled.size();
  const auto add = [&](std::string figure, bool larger_is_better, auto&& at) {
    out.curves.push_back(robustness_curve(std::move(figure), larger_is_better, strengths, groups, resamples, at));
  };
  const auto add_mean = [&](std::string figure, bool larger_is_better, auto&& of_records) {  // double [N] of a table
    std::vector<std::vector<double>> values;
    for (const RobustnessPass& p : passes) {
      const at::Tensor all = of_records(p.table).to(at::kDouble).contiguous();
      std::vector<double>& some = values.emplace_back();
      for (const std::int64_t i : labelled) some.push_back(all.template const_data_ptr<double>()[i]);
    }
    add(std::move(figure), larger_is_better,
        [&](std::size_t s, const std::vector<std::size_t>& rows) { return mean_over_records(values[s])(rows); });
  };
  add_mean("loss", false, [&](const CoalitionTable& t) { return t.losses[task][0]; });
  if (clean.correct[task].defined())
    add_mean("accuracy", true, [&](const CoalitionTable& t) { return t.correct[task][0]; });
  const std::vector<Metric> metrics = clean.metrics[task].empty() ? std::vector<Metric>{} : model.metrics(task);
  for (std::size_t j = 0; j < metrics.size(); ++j)
    add(metrics[j].name, metrics[j].larger_is_better, [&](std::size_t s, const std::vector<std::size_t>& rows) {
      if (passes[s].predictions.empty()) return passes[s].table.metrics[task][0][j].value;  // of all records
      std::vector<std::int64_t> of_data;
      for (const std::size_t i : rows) of_data.push_back(labelled[i]);
      const at::Tensor z = on_all_pixels(passes[s].predictions[task], target)[0];
      return value_of(metrics[j], out.task, select_records(z, of_data), select_records(target, of_data));
    });
  return out;
}

}  // namespace detail

/// Figures of the model with all modalities that a record has, without and with the corruption of
/// one.
/// \code
/// // a corruption of one's own: a detector whose values fade
/// const auto fading = [](double strength) {
///   return [strength](const at::Tensor& x, eq::RandomStream&) { return x * (1 - strength); };
/// };
/// \endcode
/// \param corruption one of `equipoise::corruption`, or of one's own (`Corruption`)
/// \param strengths increasing
/// Cost: an evaluation for each strength and one more. Intervals compute each metric again for
/// every resample.
/// \throws ValueError for strengths that do not increase, or data without a record
template <class Encoders, class Tasks, Dataset D, class Name, class C>
[[nodiscard]] Robustness<Tasks> robustness(Model<Encoders, Tasks>& model, const D& data,
                                           hana::basic_type<Name> modality, const C& corruption,
                                           std::vector<double> strengths, const RobustnessOptions& options = {}) {
  static_assert(CheckCorruption<C>::ok);
  (void)model.encoder(modality);  // a modality that the model does not have does not compile
  check_option(options.resamples >= 0, "RobustnessOptions.resamples", ">= 0", options.resamples);
  check_option(!strengths.empty(), "robustness.strengths", "one or more", strengths);
  for (std::size_t i = 0; i < strengths.size(); ++i)
    check_option(std::isfinite(strengths[i]) && (i == 0 || strengths[i - 1] < strengths[i]), "robustness.strengths",
                 "finite numbers that increase", strengths);
  const auto rows = detail::rows_between(0, static_cast<std::int64_t>(data.size()));
  const ModelBatch about = model.to_model_batch(detail::targets_of_records(data, rows));
  detail::check_any_record(about, "robustness", "records");
  std::vector<detail::RobustnessPass> passes;
  const bool predictions = options.resamples > 0;
  passes.push_back(detail::robustness_pass(model, data, predictions, options.batch_size));
  for (const double s : strengths)
    passes.push_back(detail::robustness_pass(model, corrupted(data, modality, corruption(s), options.seed), predictions,
                                             options.batch_size));
  Robustness<Tasks> out{std::string(Name::text), strengths, {}};
  std::size_t k = 0;
  out.tasks.for_each([&](auto, TaskRobustness& of_task) {
    const at::Tensor target = about.targets[k].defined() ? host_copy(about.targets[k]) : at::Tensor();
    of_task = detail::task_robustness(model, k, passes, about, target, strengths, options.resamples);
    ++k;
  });
  return out;
}

}  // namespace equipoise
