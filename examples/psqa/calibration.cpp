// SPDX-License-Identifier: MIT
#include "calibration.hpp"

#include <algorithm>
#include <cmath>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/psqa/tg218.hpp>
#include <equipoise/report/numbers.hpp>
#include <fstream>
#include <limits>

namespace psqa_program {

namespace {
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double number_of(const Json& j) {
  return j.is_null() ? kNone : j.get<double>();
}
}  // namespace

void write_calibration(Run& run, const psqa::Cohort& cohort) {
  const psqa::Rates predicted =
      psqa::to_rates(run.learner->predict(data_of(run, cohort).select(run.split.validation)).gpr, run.scales);
  Json rates = Json::object(), metrics = Json::object();
  for (std::size_t c = 0; c < psqa::kCriteria.size(); ++c) {
    Json& of = rates[psqa::kCriteria[c].name] = {{"truth", Json::array()}, {"predicted", Json::array()}};
    for (std::size_t i = 0; i < predicted.size(); ++i) {
      of["truth"].push_back(number_or_null(cohort.records[static_cast<std::size_t>(run.split.validation[i])].gpr[c]));
      of["predicted"].push_back(number_or_null(predicted[i][c]));
    }
  }
  const psqa::TrainingRange range = psqa::training_range(cohort, run.split.train, run.split.validation);
  for (const psqa::MetricRange& m : range.metrics)
    metrics[m.name] = {number_or_null(m.smallest), number_or_null(m.largest)};
  eq::io::AtomicFile file(run.folder / "calibration.json");
  file.write(Json{{"validation", rates}, {"trained_metrics", metrics}, {"held_out_outside", range.held_out}}.dump(2) +
             "\n");
  file.commit();
}

std::optional<Calibration> read_calibration(const Run& run) {
  const fs::path path = run.folder / "calibration.json";
  std::ifstream in(path);
  if (!in) return std::nullopt;
  Calibration out;
  try {
    const Json j = Json::parse(in);
    for (std::size_t c = 0; c < psqa::kCriteria.size(); ++c) {
      const Json& of = j.at("validation").at(psqa::kCriteria[c].name);
      std::vector<double> truth, predicted;
      for (std::size_t i = 0; i < of.at("truth").size(); ++i)
        if (!of.at("predicted").at(i).is_null())  // of a criterion that training records have
          truth.push_back(number_of(of["truth"][i])), predicted.push_back(of["predicted"][i].get<double>());
      out.rates.emplace_back(truth, predicted);
    }
    for (const auto& [name, range] : j.at("trained_metrics").items())
      out.range.metrics.push_back({name, number_of(range.at(0)), number_of(range.at(1))});
    j.at("held_out_outside").get_to(out.range.held_out);
  } catch (const nlohmann::json::exception& e) {
    throw eq::FileError(eq::message("file.438", path.string(), "expected a run's calibration: ", e.what()));
  }
  return out;
}

bool enough_records(const Calibration& c, std::size_t criterion) {
  return std::isfinite(c.rates[criterion].half_width(0.9));
}

Uncertainty uncertainty_of(const Calibration& c, std::size_t criterion, double predicted) {
  const eq::ConformalResiduals& residuals = c.rates[criterion];
  const double half = residuals.half_width(0.9);
  return {std::max(0.0, predicted - half), std::min(100.0, predicted + half),
          residuals.probability_below(psqa::kUniversalAction, predicted)};
}

std::vector<std::string> metrics_outside_training(const psqa::TrainingRange& range, const std::vector<double>& row) {
  std::vector<std::string> out;
  for (const std::size_t m : range.outside(row, 0.25)) {
    const auto& [name, smallest, largest] = range.metrics[m];
    out.push_back(name + " " + eq::report::number(row[m], 4) + " (" + eq::report::number(smallest, 4) + " to " +
                  eq::report::number(largest, 4) + ")");
  }
  return out;
}

}  // namespace psqa_program
