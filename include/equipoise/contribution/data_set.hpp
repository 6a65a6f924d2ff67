// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Contributions of modalities to a trained model on a data set: exact Shapley values a task and a record, from one
/// pass of the fast forward.

#include <equipoise/contribution/matrix.hpp>
#include <equipoise/contribution/shapley.hpp>
#include <equipoise/contribution/table.hpp>
#include <equipoise/contribution/value.hpp>
#include <equipoise/core/model/model.hpp>
#include <equipoise/core/model/records_of.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace equipoise {

/// What the modalities contribute to one task.
struct TaskContributions {
  std::string task;
  std::vector<double> mean;    ///< [M] of the data set: Shapley values of the mean losses' game; see `coalition_values`
  Eigen::MatrixXd per_record;  ///< [M, N] in the loss's unit; NaN where the record has no label
  std::vector<double> losses;  ///< [2^M] mean loss of every coalition

  /// [N] of one modality, for an interval: `eq::bootstrap(groups, eq::mean_over_records(values))`.
  [[nodiscard]] std::vector<double> of_records(std::size_t modality) const {
    check_index(modality, static_cast<std::size_t>(per_record.rows()), "TaskContributions.of_records");
    std::vector<double> out;
    for (Eigen::Index i = 0; i < per_record.cols(); ++i)
      out.push_back(per_record(static_cast<Eigen::Index>(modality), i));
    return out;
  }
};

struct Contributions {
  Schema schema;
  std::vector<TaskContributions> tasks;  ///< those that the data has targets of
};

/// Contributions under the model's own names: `phi["metrics"_n]["gpr"_n]`. A name that the model does not have does not
/// compile; a task of which the data has no target is NaN.
template <class Encoders, class Tasks>
struct NamedContributions;
template <FixedString... ModalityTexts, class... E, FixedString... TaskTexts, class... T>
struct NamedContributions<named_tuple<slot<ModalityTexts, E>...>, named_tuple<slot<TaskTexts, T>...>> : Contributions {
  explicit NamedContributions(Contributions of_data) : Contributions(std::move(of_data)) {
    std::size_t m = 0;
    means_.for_each([&](auto, OfTasks& of_modality) {
      of_modality.for_each([&](auto task, double& mean) {
        mean = std::numeric_limits<double>::quiet_NaN();
        for (const TaskContributions& t : tasks)
          if (t.task == decltype(task)::type::text) mean = t.mean[m];
      });
      ++m;
    });
  }

  /// One modality's contributions, by task.
  template <class Modality>
  [[nodiscard]] const auto& operator[](hana::basic_type<Modality> modality) const& {
    return means_[modality];
  }
  template <class Modality>
  [[nodiscard]] auto operator[](hana::basic_type<Modality> modality) && {
    return std::move(means_)[modality];
  }

 private:
  using OfTasks = named_tuple<slot<TaskTexts, double>...>;
  named_tuple<slot<ModalityTexts, OfTasks>...> means_{};
};

namespace detail {

[[nodiscard]] inline bool finite(const Eigen::MatrixXd& losses, Eigen::Index column) {
  for (Eigen::Index s = 0; s < losses.rows(); ++s)
    if (!std::isfinite(losses(s, column))) return false;
  return true;
}

/// A loss that is not finite has no contributions. \throws NumericError that names the task and the first ten records
inline void check_losses(const CoalitionTable& table, std::size_t task, const std::string& name, const Records& data) {
  const Eigen::MatrixXd losses = as_matrix(table.losses[task]);
  std::vector<std::int64_t> bad;
  for (Eigen::Index i = 0; i < losses.cols(); ++i)
    if (table.labelled[task][static_cast<std::size_t>(i)] && !finite(losses, i))
      bad.push_back(data.about().ids[static_cast<std::size_t>(i)]);
  if (bad.empty()) return;
  throw NumericError(message("numeric.502", "shapley, task " + name, "expected finite losses of every coalition, got ",
                             bad.size(), " records with others: ", first_ids(bad)),
                     bad);
}

}  // namespace detail

/// \param value how losses become a game; the data set's mean contributions use it, records use `loss_reduction`
/// \throws ValueError where the data has no record, NumericError where a record's loss is not finite
[[nodiscard]] inline Contributions contributions(ModelBase& model, const Records& data,
                                                 Value value = Value::relative_reduction) {
  detail::check_any_record(data, "shapley", "records");
  const CoalitionTable table = coalition_table(model, data, all_coalitions(model.modality_count()));
  Contributions out{model.schema(), {}};
  for (std::size_t k = 0; k < model.task_count(); ++k) {
    if (!table.losses[k].defined()) continue;
    detail::check_losses(table, k, model.schema().tasks[k].name, data);
    const Eigen::MatrixXd l = detail::as_matrix(table.losses[k]);
    Eigen::MatrixXd mean(l.rows(), 1);
    for (Eigen::Index c = 0; c < mean.rows(); ++c) mean(c, 0) = table.mean_loss(k, c).value_or(0);
    TaskContributions task{model.schema().tasks[k].name,
                           {},
                           shapley(coalition_values(l, Value::loss_reduction)),
                           {mean.data(), mean.data() + mean.size()}};
    const Eigen::MatrixXd phi = shapley(coalition_values(mean, value));
    task.mean.assign(phi.data(), phi.data() + phi.size());
    for (Eigen::Index i = 0; i < l.cols(); ++i)
      if (!table.labelled[k][static_cast<std::size_t>(i)])
        std::fill_n(task.per_record.data() + i * task.per_record.rows(), task.per_record.rows(),
                    std::numeric_limits<double>::quiet_NaN());
    out.tasks.push_back(std::move(task));
  }
  return out;
}

/// `eq::shapley(*model, test)`: contributions of each modality to each task on a data set.
template <class Encoders, class Tasks, Dataset D>
[[nodiscard]] NamedContributions<Encoders, Tasks> shapley(Model<Encoders, Tasks>& model, const D& data,
                                                          Value value = Value::relative_reduction) {
  return NamedContributions<Encoders, Tasks>(contributions(model, records_of(model, data), value));
}

}  // namespace equipoise
