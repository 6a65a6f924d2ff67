#include <equipoise/core/base/random_stream.hpp>
#include <equipoise/evaluation/reachable.hpp>
#include <equipoise/psqa/cohort/description.hpp>
#include <equipoise/psqa/cohort/floor_summary.hpp>
#include <equipoise/psqa/cohort/floors.hpp>
#include <equipoise/psqa/simulator/delivery_floor.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/simulated.hpp"

// What can be known of a passing rate: floors from repeated deliveries.

using namespace equipoise::psqa;
namespace eq = equipoise;

namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

std::vector<RecordFloors> floors(const CohortSettings& settings, const FloorOptions& options) {
  std::vector<RecordFloors> out;
  for_each_floor(
      settings, options, [&](std::int64_t, std::int64_t, const RecordFloors& r) { out.push_back(r); }, [] {});
  return out;
}

const DeliveryFloor& at_2_2(const RecordFloors& r, FloorKnows known) {
  return r.floors[static_cast<std::size_t>(known)][2];
}

/// A record of one patient whose deliveries have these rates, whatever is known and at every criterion.
RecordFloors record_of(const std::string& patient, const std::vector<double>& rates) {
  RecordFloors r;
  r.id = r.patient = patient;
  for (const double x : rates) {
    r.rates.emplace_back();
    r.rates.back().fill(x);
  }
  for (auto& of_known : r.floors) of_known.fill(delivery_floor(rates));
  return r;
}

}  // namespace

TEST_CASE("the floor of four and of three deliveries, by hand", "[psqa][cohort][worked]") {
  // Median 3: distances 1, 5, 1, 2. Medians of the others: 2, 2, 4, 4; distances 2, 6, 3, 2.
  const DeliveryFloor even = delivery_floor(std::vector<double>{4, 8, 1, 2});
  CHECK(even.in_sample == Approx(2.25));
  CHECK(even.leave_one_out == Approx(3.25));
  CHECK(even.floor == Approx(2.75));
  CHECK(even.half_difference == Approx(23.0 / 12));  // the six differences are 4, 3, 2, 7, 6, 1
  const DeliveryFloor odd = delivery_floor(std::vector<double>{5, 0, 1});
  CHECK(odd.in_sample == Approx(5.0 / 3));
  CHECK(odd.leave_one_out == Approx(3));
  CHECK(odd.half_difference == Approx(5.0 / 3));
}

TEST_CASE("rates that are not known do not count in a floor", "[psqa][cohort][behaviour]") {
  const DeliveryFloor with = delivery_floor(std::vector<double>{kUnknown, 4, 8, kUnknown, 1, 2});
  CHECK(with.floor == delivery_floor(std::vector<double>{4, 8, 1, 2}).floor);
  CHECK(std::isnan(delivery_floor(std::vector<double>{kUnknown, 4}).floor));
  CHECK(delivery_floor(std::vector<double>(5, 97)).floor == 0);
}

TEST_CASE("the floor of normal rates is sqrt(2 / pi) times the deviation of what is not known",
          "[psqa][cohort][property]") {
  const double machine = 2, day = 1, noise = 0.5;  // standard deviations, points
  const std::array<double, 3> unknown = {std::hypot(machine, day, noise), std::hypot(day, noise), noise};
  constexpr std::uint64_t plans = 20000, deliveries = 10;
  for (std::size_t k = 0; k < 3; ++k) {
    DeliveryFloor sum{0, 0, 0, 0};
    for (std::uint64_t p = 0; p < plans; ++p) {
      eq::RandomStream known({7, k, p}, "known"), anew({7, k, p}, "anew");
      const double plan = known.normal(90, 5), own_machine = known.normal(0, machine), own_day = known.normal(0, day);
      std::vector<double> x;
      for (std::uint64_t d = 0; d < deliveries; ++d)
        x.push_back(plan + (k < 1 ? anew.normal(0, machine) : own_machine) + (k < 2 ? anew.normal(0, day) : own_day) +
                    anew.normal(0, noise));
      const DeliveryFloor f = delivery_floor(x);
      sum.floor += f.floor / plans, sum.in_sample += f.in_sample / plans;
      sum.leave_one_out += f.leave_one_out / plans, sum.half_difference += f.half_difference / plans;
    }
    // A floor of ten deliveries has a deviation of 0.2 of the rates', so that of the mean is 0.0014; its bias is 0.002.
    const double truth = std::sqrt(2 / std::numbers::pi) * unknown[k];
    CHECK(sum.floor == Approx(truth).margin(0.007 * unknown[k]));
    CHECK(sum.in_sample < truth - 0.04 * unknown[k]);
    CHECK(sum.leave_one_out > truth + 0.04 * unknown[k]);
    CHECK(sum.half_difference == Approx(unknown[k] / std::sqrt(std::numbers::pi)).margin(0.007 * unknown[k]));
  }
}

TEST_CASE("the share of the reachable error is 0 for the constant and 1 at the floor", "[evaluation][worked]") {
  const std::vector<std::int64_t> patients = {0, 0, 1, 2};
  const std::vector<double> constant = {4, 6, 2, 8}, floor = {1, 2, 1, 2}, method = {3, 3, 1, 6};
  CHECK(eq::share_of_reachable_error(patients, constant, constant, floor).value == 0);
  CHECK(eq::share_of_reachable_error(patients, constant, floor, floor).value == 1);
  const eq::Interval share = eq::share_of_reachable_error(patients, constant, method, floor);
  CHECK(share.value == Approx(7.0 / 14));  // (20 - 13) / (20 - 6)
  CHECK(share.low == Approx(2.0 / 6));     // the third patient alone
  CHECK(share.high == Approx(1));          // the second patient alone
  const std::vector<double> unknown = {3, 3, kUnknown, 6};
  CHECK(eq::share_of_reachable_error(patients, constant, unknown, floor).value == Approx(6.0 / 13));
  CHECK(std::isnan(eq::share_of_reachable_error(patients, floor, method, constant).value));
  CHECK_THROWS_AS(eq::share_of_reachable_error(patients, constant, method, std::vector<double>{1}), eq::ShapeError);
}

TEST_CASE("a cohort's floors stand beside the error of a constant over the same deliveries", "[psqa][cohort][worked]") {
  FloorSummary summary;
  summary.add(record_of("a", {90, 92, 94}));
  summary.add(record_of("b", {80, 80, 80}));
  summary.add(record_of("c", {kUnknown, kUnknown, kUnknown}));
  CHECK(summary.records() == 3);
  CHECK(summary.patients() == 3);
  const RateFloors f = summary.of(1);
  CHECK(f.records == 2);
  CHECK(f.median == 85);                 // of 80, 80, 80, 90, 92, 94
  CHECK(f.constant.value == Approx(6));  // of 5, 5, 5, 5, 7, 9
  const FloorFigures& plan = f.known[0];
  CHECK(plan.in_sample == Approx(4.0 / 3 / 2));
  CHECK(plan.leave_one_out == Approx(2.0 / 2));  // medians of the others: 93, 92, 91
  CHECK(plan.floor.value == Approx(5.0 / 6));
  CHECK(plan.floor.low == 0);
  CHECK(plan.floor.high == Approx(5.0 / 3));
  CHECK(plan.removable.value == Approx(1 - 5.0 / 6 / 6));
}

TEST_CASE("another delivery changes what it shall, and nothing else", "[psqa][cohort][property]") {
  CohortSettings s = support::few(1);
  s.machines = 2, s.mismatch.fault_share = 0.5;
  Simulator simulator(s);
  const Record own = simulator.records(0, Redelivery{})[0], cohort = simulator.record(0);
  CHECK(own.gpr == cohort.gpr);
  CHECK(own.measured.values == cohort.measured.values);
  const Record noise = simulator.records(0, {.measurement = 1})[0];
  CHECK(noise.machine == own.machine);
  CHECK(noise.fault == own.fault);
  CHECK(noise.planned.values == own.planned.values);
  CHECK(noise.measured.values != own.measured.values);
  std::set<std::string> faults, machines;
  for (std::uint64_t d = 1; d < 8; ++d) {
    const Record r = simulator.records(0, {.machine = d, .day = d})[0];
    faults.insert(r.fault), machines.insert(r.machine);
  }
  CHECK(faults.size() > 1);
  CHECK(machines.size() == 2);
  CHECK(simulator.records(0, {.day = 3})[0].machine == own.machine);
}

TEST_CASE("who knows more has a lower floor, and threads do not change it", "[psqa][cohort][property][acceptance]") {
  CohortSettings s = support::few(3);
  s.machines = 3, s.mismatch.fault_share = 0;
  // Machines differ more than days, and days more than measurements.
  s.mismatch.commissioning_percent = 1, s.mismatch.leaf_systematic_mm = 0.4;
  s.mismatch.shift_mm = 0.2, s.mismatch.output_day_percent = 0.1, s.mismatch.leaf_random_mm = 0.2;
  s.mismatch.noise_local_percent = s.mismatch.noise_global_percent = 0.1;
  const std::vector<RecordFloors> one = floors(s, {.deliveries = 4, .threads = 1}),
                                  two = floors(s, {.deliveries = 4, .threads = 2});
  REQUIRE(one.size() == 3);
  REQUIRE(two.size() == 3);
  Simulator simulator(s);
  double plan = 0, machine = 0, day = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    CHECK(one[i].id == two[i].id);
    CHECK(one[i].rates == two[i].rates);
    CHECK(one[i].predicted == two[i].predicted);
    CHECK(at_2_2(one[i], FloorKnows::day).floor == at_2_2(two[i], FloorKnows::day).floor);
    CHECK(one[i].rates.size() == 4);
    CHECK(one[i].rates[0] == simulator.record(static_cast<std::int64_t>(i)).gpr);
    plan += at_2_2(one[i], FloorKnows::plan).floor, machine += at_2_2(one[i], FloorKnows::machine).floor;
    day += at_2_2(one[i], FloorKnows::day).floor;
  }
  CHECK(plan > machine);
  CHECK(machine > day);
  CHECK(day > 0);
  CHECK(floors(support::few(3), {.plans = 1, .deliveries = 3}).size() == 1);
  CHECK_THROWS_WITH(floors(s, {.deliveries = 2}), Catch::Contains("expected >= 3, got 2"));
}

TEST_CASE("on one machine the plan tells the machine", "[psqa][cohort][property]") {
  const RecordFloors r = floors(support::few(1), {.deliveries = 4})[0];
  CHECK(at_2_2(r, FloorKnows::plan).floor == at_2_2(r, FloorKnows::machine).floor);
  CHECK(r.predicted[0] == r.predicted[1]);
  CohortSettings exact = support::few(1);
  exact.mismatch = support::none();
  for (const FloorKnows k : {FloorKnows::plan, FloorKnows::machine, FloorKnows::day})
    CHECK(at_2_2(floors(exact, {.deliveries = 3})[0], k).floor == 0);
}

TEST_CASE("every field of a plan has floors of its own", "[psqa][cohort][behaviour]") {
  CohortSettings s = support::few(1);
  s.records = RecordsOf::fields, s.mismatch = portal_mismatch();
  const std::vector<RecordFloors> fields = floors(s, {.deliveries = 3});
  REQUIRE(fields.size() > 3);
  for (const RecordFloors& f : fields) CHECK(f.patient == fields[0].patient);
  CHECK(fields[0].id != fields[1].id);
  CHECK(at_2_2(fields[0], FloorKnows::machine).floor != at_2_2(fields[1], FloorKnows::machine).floor);
}

TEST_CASE("a cohort's description gives back the settings of its deliveries", "[psqa][cohort][property]") {
  CohortSettings s;
  s.plans = 17, s.seed = 9, s.machines = 3, s.model = LinacModel::hd120, s.techniques = {0.6, 0.15, 0.25};
  s.detector = Detector::mapcheck, s.rates = RatesOf::fields, s.mismatch.shift_mm = 0.1, s.plane.depth_mm = 50;
  const CohortSettings back = cohort_settings(cohort_description(s));
  CHECK(cohort_description(back) == cohort_description(s));
  CHECK(back.techniques == s.techniques);
  CHECK(back.rates == RatesOf::fields);
  s.records = RecordsOf::fields;
  CHECK(cohort_description(cohort_settings(cohort_description(s))) == cohort_description(s));
  nlohmann::ordered_json imported = cohort_description(s);
  imported["provenance"] = "imported";
  CHECK_THROWS_WITH(cohort_settings(imported), Catch::Contains("expected \"simulated\", got \"imported\""));
}
