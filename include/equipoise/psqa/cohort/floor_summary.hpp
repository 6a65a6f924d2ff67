// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The floors of a cohort: means over its records with intervals by bootstrap over patients, beside the
/// error of a constant.

#include <equipoise/core/base/statistics.hpp>
#include <equipoise/evaluation/bootstrap.hpp>
#include <equipoise/evaluation/reachable.hpp>
#include <equipoise/psqa/cohort/floors.hpp>

#include <algorithm>
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
  double median = 0;        ///< %, of all deliveries: the constant
  Interval constant;        ///< its MAE over the deliveries of which the plan is known, points
  std::array<FloorFigures, kKnown> known;
};

/// Gathers a cohort's floors record by record. Keeps numbers, no planes: a few hundred bytes a record.
class FloorSummary {
 public:
  void add(RecordFloors r) {
    groups_.push_back(patients_.emplace(r.patient, static_cast<std::int64_t>(patients_.size())).first->second);
    records_.push_back({std::move(r.rates), r.floors});
  }
  [[nodiscard]] std::size_t records() const { return records_.size(); }
  [[nodiscard]] std::size_t patients() const { return patients_.size(); }

  /// \param criterion its position among `kCriteria`
  [[nodiscard]] RateFloors of(std::size_t criterion) const {
    std::vector<const Numbers*> known;
    std::vector<std::int64_t> groups;
    for (std::size_t i = 0; i < records_.size(); ++i)
      if (has_floors(records_[i], criterion)) known.push_back(&records_[i]), groups.push_back(groups_[i]);
    RateFloors out;
    out.records = known.size(), out.median = median_of(known, criterion);
    std::vector<double> constant;
    for (const Numbers* r : known) constant.push_back(mean(distances(*r, criterion, out.median)));
    const auto over_patients = [&](const std::vector<double>& values) {
      return bootstrap(groups, mean_over_records(values));
    };
    out.constant = over_patients(constant);
    for (std::size_t k = 0; k < kKnown; ++k) {
      const auto column = [&](double DeliveryFloor::*figure) {
        std::vector<double> values;
        for (const Numbers* r : known) values.push_back(r->floors[k][criterion].*figure);
        return values;
      };
      const std::vector<double> floor = column(&DeliveryFloor::floor), nothing(known.size(), 0);
      out.known[k] = {over_patients(floor), mean(column(&DeliveryFloor::in_sample)),
                      mean(column(&DeliveryFloor::leave_one_out)), mean(column(&DeliveryFloor::half_difference)),
                      // A method that reaches the floor, on the scale where no error at all is 1.
                      share_of_reachable_error(groups, constant, floor, nothing)};
    }
    return out;
  }

 private:
  struct Numbers {
    std::vector<RateNumbers> rates;
    decltype(RecordFloors::floors) floors;
  };

  [[nodiscard]] static bool has_floors(const Numbers& r, std::size_t criterion) {
    return std::none_of(r.floors.begin(), r.floors.end(),
                        [&](const auto& floors) { return std::isnan(floors[criterion].floor); });
  }
  [[nodiscard]] static double median_of(const std::vector<const Numbers*>& records, std::size_t criterion) {
    std::vector<double> rates;
    for (const Numbers* r : records)
      for (const double distance : distances(*r, criterion, 0)) rates.push_back(distance);
    return quantile(std::move(rates), 0.5);
  }
  /// Of the known rates of a record's deliveries from a rate.
  [[nodiscard]] static std::vector<double> distances(const Numbers& r, std::size_t criterion, double from) {
    std::vector<double> out;
    for (const RateNumbers& rate : r.rates)
      if (!std::isnan(rate[criterion])) out.push_back(std::abs(rate[criterion] - from));
    return out;
  }

  std::map<std::string, std::int64_t> patients_;
  std::vector<std::int64_t> groups_;
  std::vector<Numbers> records_;
};

}  // namespace equipoise::psqa
