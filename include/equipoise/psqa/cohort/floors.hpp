// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What can be known of a cohort's passing rates: each plan is delivered again and again in the simulator,
/// and the floor is the error of the best predictor by what it knows (delivery_floor.hpp).

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/statistics.hpp>
#include <equipoise/psqa/criteria.hpp>
#include <equipoise/psqa/simulator/delivery_floor.hpp>
#include <equipoise/psqa/simulator/plan_loop.hpp>
#include <equipoise/psqa/simulator/settings.hpp>
#include <equipoise/psqa/simulator/simulator.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// What a predictor knows of a delivery. Each knows what those before it know.
/// plan: its machine is any of the cohort's, and the day is any day.
/// machine: which machine it is, with its lasting errors.
/// day: also set-up, output, leaf errors and fault; only the detector's noise is not known.
enum class FloorKnows : std::uint8_t { plan, machine, day };
[[nodiscard]] constexpr std::array<std::string_view, 3> names_of(FloorKnows) {
  return {"plan", "machine", "day"};
}
inline constexpr std::size_t kKnown = names_of(FloorKnows{}).size();

/// What repeated deliveries say of one record.
struct RecordFloors {
  std::string id, patient, machine;
  std::vector<RateNumbers> rates;               ///< %, on any machine and day; its own delivery's first
  std::array<RateNumbers, kKnown> predicted{};  ///< %, medians of the other deliveries, by what is known
  std::array<PerCriterion<DeliveryFloor>, kKnown> floors{};
};

/// How plans are delivered again.
struct FloorOptions {
  std::int64_t plans = 0;         ///< the first ones of the cohort; 0: all
  std::uint64_t deliveries = 10;  ///< of each plan by what is known, its own among them; >= 3
  unsigned threads = 1;           ///< 0: as many as the machine has; the floors do not depend on it
};

namespace detail {

/// The rates of one record in all deliveries, by what is known.
using RatesOfDeliveries = std::array<std::vector<RateNumbers>, kKnown>;

/// \param rates the first is of the record's own delivery, to which the others are alike in what is known
[[nodiscard]] inline RecordFloors floors_of(const Record& own, const RatesOfDeliveries& rates) {
  RecordFloors out{own.plan.id, own.plan.patient, own.machine, rates[0], {}, {}};
  for (std::size_t k = 0; k < kKnown; ++k)
    for (std::size_t c = 0; c < own.gpr.size(); ++c) {
      std::vector<double> x;
      for (const RateNumbers& r : rates[k]) x.push_back(r[c]);
      out.floors[k][c] = delivery_floor(x);
      x.erase(x.begin());
      std::erase_if(x, [](double v) { return std::isnan(v); });
      out.predicted[k][c] = quantile(std::move(x), 0.5);
    }
  return out;
}

/// All deliveries of one plan. The d-th is of the same day whether or not the machine is known, so that
/// the difference of the two floors is the machine's. \param before_delivery may throw to stop
template <class BeforeDelivery>
[[nodiscard]] std::vector<RecordFloors> floors_of_plan(Simulator& simulator, std::int64_t plan,
                                                       std::uint64_t deliveries, BeforeDelivery&& before_delivery) {
  const auto delivered = [&](const Redelivery& again) {
    before_delivery();
    return simulator.records(plan, again);
  };
  const std::vector<Record> own = delivered({});
  std::vector<RatesOfDeliveries> rates(own.size());
  const auto add = [&](const std::vector<Record>& records, FloorKnows known) {
    for (std::size_t r = 0; r < records.size(); ++r)
      rates[r][static_cast<std::size_t>(known)].push_back(records[r].gpr);
  };
  for (const FloorKnows k : {FloorKnows::plan, FloorKnows::machine, FloorKnows::day}) add(own, k);
  for (std::uint64_t d = 1; d < deliveries; ++d) {
    const std::vector<Record> elsewhere = delivered({.machine = d, .day = d});
    add(elsewhere, FloorKnows::plan);
    const bool same_machine = elsewhere[0].machine == own[0].machine;
    add(same_machine ? elsewhere : delivered({.day = d}), FloorKnows::machine);
    add(delivered({.measurement = d}), FloorKnows::day);
  }
  std::vector<RecordFloors> out;
  for (std::size_t r = 0; r < own.size(); ++r) out.push_back(floors_of(own[r], rates[r]));
  return out;
}

}  // namespace detail

/// Delivers a cohort's plans again and calls `on_record(plan, all, floors)` for each record, in order,
/// with the number of plans done and of all. Keeps the planes of a few plans at a time.
/// \param before_delivery called before each delivery, from any thread; both may throw to stop
/// \throws ValueError for settings that no cohort can have, and for fewer than three deliveries
template <class OnRecord, class BeforeDelivery>
void for_each_floor(const CohortSettings& settings, const FloorOptions& options, OnRecord&& on_record,
                    BeforeDelivery&& before_delivery) {
  if (options.deliveries < 3)
    throw ValueError(message("value.331", "FloorOptions.deliveries", "expected >= 3, got ", options.deliveries));
  const std::int64_t plans = options.plans > 0 ? std::min(options.plans, settings.plans) : settings.plans;
  for_each_plan(
      settings, plans, options.threads, 2,
      [&](Simulator& simulator, std::int64_t plan) {
        return detail::floors_of_plan(simulator, plan, options.deliveries, before_delivery);
      },
      [&](std::int64_t plan, const std::vector<RecordFloors>& made) {
        for (const RecordFloors& r : made) on_record(plan + 1, plans, r);
      });
}

}  // namespace equipoise::psqa
