// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The floors of a cohort: means over its records with intervals by bootstrap over patients, beside the
/// error of a constant.

#include <equipoise/core/base/statistics.hpp>
#include <equipoise/evaluation/bootstrap.hpp>
#include <equipoise/evaluation/reachable.hpp>
#include <equipoise/psqa/cohort/floors.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// The floor of one passing rate over a cohort; errors in points.
struct FloorFigures {
  Interval floor;                           ///< the smallest MAE of any predictor
  double in_sample = 0, leave_one_out = 0;  ///< on average below and above it
  double half_difference = 0;               ///< below it for any distribution
  Interval removable;                       ///< (constant - floor) / constant
};

/// One passing rate of a cohort.
struct RateFloors {
  std::size_t records = 0;  ///< with a known rate
  double median = 0;        ///< %, the constant
  Interval constant;        ///< its MAE, points
  std::array<FloorFigures, kKnown> known;
};

/// Gathers a cohort's floors record by record. Keeps a few hundred bytes a record.
class FloorSummary {
 public:
  void add(const RecordFloors& r) {
    groups_.push_back(patients_.emplace(r.patient, static_cast<std::int64_t>(patients_.size())).first->second);
    rates_.push_back(r.gpr), floors_.push_back(r.floors);
  }
  [[nodiscard]] std::size_t records() const { return rates_.size(); }
  [[nodiscard]] std::size_t patients() const { return patients_.size(); }

  /// \param criterion its position among `kCriteria`
  [[nodiscard]] RateFloors of(std::size_t criterion) const {
    std::vector<std::size_t> rows;
    std::vector<std::int64_t> groups;
    std::vector<double> constant;
    for (std::size_t i = 0; i < rates_.size(); ++i) {
      bool known = !std::isnan(rates_[i][criterion]);
      for (const auto& floors : floors_[i]) known = known && !std::isnan(floors[criterion].floor);
      if (known) rows.push_back(i), groups.push_back(groups_[i]), constant.push_back(rates_[i][criterion]);
    }
    RateFloors out;
    out.records = rows.size(), out.median = quantile(constant, 0.5);
    for (double& v : constant) v = std::abs(v - out.median);
    const auto over_patients = [&](const std::vector<double>& values) {
      return bootstrap(groups, [&](const std::vector<std::size_t>& drawn) {
        double sum = 0;
        for (const std::size_t i : drawn) sum += values[i];
        return sum / static_cast<double>(drawn.size());
      });
    };
    out.constant = over_patients(constant);
    for (std::size_t k = 0; k < kKnown; ++k) {
      const auto column = [&](double DeliveryFloor::*figure) {
        std::vector<double> values;
        for (const std::size_t i : rows) values.push_back(floors_[i][k][criterion].*figure);
        return values;
      };
      const std::vector<double> floor = column(&DeliveryFloor::floor), nothing(rows.size(), 0);
      out.known[k] = {over_patients(floor), mean(column(&DeliveryFloor::in_sample)),
                      mean(column(&DeliveryFloor::leave_one_out)), mean(column(&DeliveryFloor::half_difference)),
                      // A method that reaches the floor, on the scale where no error at all is 1.
                      share_of_reachable_error(groups, constant, floor, nothing)};
    }
    return out;
  }

 private:
  std::map<std::string, std::int64_t> patients_;
  std::vector<std::int64_t> groups_;
  std::vector<RateNumbers> rates_;
  std::vector<decltype(RecordFloors::floors)> floors_;
};

}  // namespace equipoise::psqa
