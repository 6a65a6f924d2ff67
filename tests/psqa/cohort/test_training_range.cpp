#include <equipoise/psqa/cohort/training_range.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/simulated.hpp"

#include <equipoise/psqa/cohort/reader.hpp>
#include <equipoise/psqa/cohort/simulate.hpp>

using namespace equipoise::psqa;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// Records of three metrics: MU, MCS and PMU.
Cohort cohort_of(const std::vector<std::vector<double>>& rows) {
  Cohort c;
  c.metric_names = {"MU", "MCS", "PMU"};
  for (const std::vector<double>& row : rows) {
    CohortRecord& r = c.records.emplace_back();
    r.metrics = row;
  }
  return c;
}

}  // namespace

TEST_CASE("ranges are those of the training records, and held-out records set the limit", "[psqa][cohort][worked]") {
  // Training: MU 100 to 300, MCS 0.2 to 0.6, no PMU. Held out: none outside; MCS outside; MU and PMU outside.
  const Cohort c = cohort_of({{100, 0.6, kNone},
                              {300, 0.2, kNone},
                              {200, 0.3, kNone},  //
                              {150, 0.4, kNone},
                              {200, 0.7, kNone},
                              {301, 0.6, 5}});
  const TrainingRange range =
      training_range(c, std::array<std::int64_t, 3>{0, 1, 2}, std::array<std::int64_t, 3>{3, 4, 5});
  CHECK(range.metrics[0].smallest == 100);
  CHECK(range.metrics[0].largest == 300);
  CHECK(std::isnan(range.metrics[2].smallest));
  CHECK(range.held_out == std::vector<std::size_t>{0, 1, 2});
  CHECK(range.limit() == 2);
  CHECK(range.outside(std::array{99.0, 0.61, 5.0}) == std::vector<std::size_t>{0, 1, 2});
  CHECK(range.outside(std::array{100.0, 0.6, kNone}).empty());       // the ends are inside
  CHECK(range.outside(std::array{300.000001, 0.2, kNone}).empty());  // a table has ten digits
  CHECK(range.outside(std::array{300.1, 0.2, kNone}).size() == 1);
  CHECK(range.outside(std::array{349.0, 0.2, kNone}, 0.25).empty());  // within a quarter of the range of 200
  CHECK(range.outside(std::array{351.0, 0.2, kNone}, 0.25).size() == 1);
  CHECK(range.outside(std::array{kNone, 0.2, kNone}).size() == 1);  // a metric that all training records have
}

TEST_CASE("without held-out records no plan is out of range", "[psqa][cohort][behaviour]") {
  const Cohort c = cohort_of({{100, 0.6, 1}, {300, 0.2, 1}});
  const TrainingRange range = training_range(c, std::array<std::int64_t, 2>{0, 1}, {});
  CHECK(range.outside(std::array{1.0, 1.0, 2.0}).size() <= range.limit());
}

TEST_CASE("of plans like those of training at most one in n + 1 has more metrics outside than n held-out ones",
          "[psqa][cohort][property]") {
  // 60 plans of the simulator; 36 train, 12 are held out, 12 are new. Each of the 13 is as likely to have the most.
  const support::TemporaryFolder folder;
  simulate_cohort(support::few(60), folder.path() / "c", [](auto&&...) {});
  const Cohort c = read_cohort_table(folder.path() / "c");
  std::vector<std::int64_t> train, held_out, fresh;
  for (std::int64_t i = 0; i < 60; ++i) (i % 5 < 3 ? train : i % 5 == 3 ? held_out : fresh).push_back(i);
  const TrainingRange range = training_range(c, train, held_out);
  std::size_t refused = 0;
  for (const std::int64_t i : fresh)
    refused += range.outside(c.records[static_cast<std::size_t>(i)].metrics).size() > range.limit();
  // 12 plans at 1/13: five or more by chance once in 700 draws; the seed is fixed
  CHECK(refused < 5);
  // A plan of another kind, ten times as large in every metric, is out of range.
  std::vector<double> other = c.records[0].metrics;
  for (double& v : other) v *= 10;
  CHECK(range.outside(other).size() > range.limit());
}
