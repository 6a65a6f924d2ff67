#include <torch/types.h>

#include <equipoise/balancing/any_policy.hpp>
#include <equipoise/data/samplers.hpp>
#include <equipoise/data/weights.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <numeric>
#include <vector>

#include "support/catch.hpp"
#include "support/known.hpp"

namespace eq = equipoise;
using support::Known, support::KnownEpoch;

namespace {

KnownEpoch epoch_of(std::size_t records, std::int64_t batch_size = 8) {
  const Known known(2, 1, {support::KnownKind::classification});
  KnownEpoch epoch(known.schema, eq::Presence(static_cast<std::int64_t>(records), 2));
  epoch.records_a_batch = batch_size;
  return epoch;
}

template <class Sampler>
std::vector<std::int64_t> drawn(const Sampler& sampler, KnownEpoch& epoch) {
  typename Sampler::State state;
  sampler.begin_epoch(state, epoch);
  std::vector<std::int64_t> out;
  for (const eq::PlanItem& item : epoch.plan().items) {
    CHECK(item.modalities == eq::Coalition::full(2));
    out.push_back(item.record);
  }
  return out;
}

/// A number below n that depends on the key.
std::size_t random(std::size_t n, std::initializer_list<std::uint64_t> key) {
  return static_cast<std::size_t>(eq::to_uniform(eq::hash_of(key)) * static_cast<double>(n));
}

std::vector<std::int64_t> numbered(std::size_t n) {
  std::vector<std::int64_t> out(n);
  std::iota(out.begin(), out.end(), 0);
  return out;
}

}  // namespace

TEST_CASE("records are drawn in proportion to their weights", "[data][worked]") {
  const std::size_t n = 20000;
  std::vector<double> weights;  // 1, 2, 3 and 4 in turn
  for (std::size_t i = 0; i < n; ++i) weights.push_back(static_cast<double>(i % 4 + 1));
  KnownEpoch epoch = epoch_of(n);
  const std::vector<std::int64_t> records = drawn(eq::WeightedSampler(epoch.record_ids, weights), epoch);
  CHECK(records.size() == n);
  CHECK(epoch.plan().shuffled);
  std::vector<double> counts(4, 0);
  for (const std::int64_t r : records) counts[static_cast<std::size_t>(r % 4)] += 1;
  double chi_square = 0;
  for (std::size_t k = 0; k < 4; ++k) {
    const double expected = static_cast<double>(n) * static_cast<double>(k + 1) / 10;
    chi_square += (counts[k] - expected) * (counts[k] - expected) / expected;
  }
  CHECK(chi_square < 16.27);  // of 3 degrees of freedom, exceeded once in a thousand seeds
  std::vector<std::int64_t> distinct = records;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  CHECK(10 * distinct.size() < 7 * n);  // with replacement
}

TEST_CASE("a record of weight 0 is never drawn, and one alone always", "[data][worked]") {
  KnownEpoch epoch = epoch_of(5);
  CHECK(drawn(eq::WeightedSampler(epoch.record_ids, std::vector<double>{0, 0, 3, 0, 0}), epoch) ==
        std::vector<std::int64_t>(5, 2));
  const std::vector<double> some_weights = {0, 1e-300, 0.1, 7};
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::vector<double> weights;
    for (std::uint64_t i = 0; i < 1 + seed % 30; ++i) weights.push_back(some_weights[random(4, {seed, i})]);
    weights[random(weights.size(), {seed})] = 0.1;
    KnownEpoch some = epoch_of(weights.size());
    for (const std::int64_t r : drawn(eq::WeightedSampler(some.record_ids, weights), some))
      REQUIRE(weights[static_cast<std::size_t>(r)] > 0);
  }
}

TEST_CASE("samplers know records by their ids", "[data][behaviour]") {
  const std::vector<std::int64_t> ids = {30, 10, 20};
  KnownEpoch epoch = epoch_of(2);
  epoch.record_ids = {20, 30};  // the record of id 10 is held out
  CHECK(drawn(eq::WeightedSampler(ids, std::vector<double>{0, 5, 1}), epoch) == std::vector<std::int64_t>{0, 0});
  epoch.record_ids = {20, 40};
  CHECK_THROWS_WITH(
      drawn(eq::WeightedSampler(ids, std::vector<double>{1, 1, 1}), epoch),
      "[equipoise.value.243] WeightedSampler: expected a value of every training record, got none of those "
      "with ids 40");
  CHECK_THROWS_WITH(drawn(eq::StratifiedSampler(ids, std::vector<std::int64_t>{1, 1, 1}), epoch),
                    Catch::Contains("value.243") && Catch::Contains("StratifiedSampler"));
  epoch.record_ids = {10, 20};
  CHECK_THROWS_WITH(drawn(eq::WeightedSampler(ids, std::vector<double>{1, 0, 0}), epoch),
                    "[equipoise.value.235] WeightedSampler: expected weights with a finite sum > 0, got 0");
}

TEST_CASE("weights and classes that cannot be are refused", "[data][error]") {
  const std::vector<std::int64_t> ids = {1, 2}, twice = {1, 1};
  const double nan = std::nan("");
  CHECK_THROWS_WITH(eq::WeightedSampler(ids, std::vector<double>{1}),
                    "[equipoise.shape.104] WeightedSampler: expected 2 values, one a record, got 1");
  CHECK_THROWS_WITH(eq::WeightedSampler(ids, std::vector<double>{1, -1}),
                    "[equipoise.value.235] WeightedSampler: expected finite weights >= 0, got -1");
  CHECK_THROWS_AS(eq::WeightedSampler(ids, std::vector<double>{nan, 1}), eq::ValueError);
  CHECK_THROWS_AS(eq::WeightedSampler(ids, std::vector<double>{0, 0}), eq::ValueError);
  CHECK_THROWS_WITH(eq::StratifiedSampler(twice, std::vector<std::int64_t>{0, 1}),
                    "[equipoise.value.243] StratifiedSampler: expected record ids that differ, got 1 twice");
}

TEST_CASE("a batch holds each class in its share", "[data][worked]") {
  // 12 records, of which 6 are of class 7, 3 of class -1 and 3 of class 2: in a batch of four 2, 1 and 1.
  const std::vector<std::int64_t> classes = {7, -1, 7, 2, 7, -1, 7, 2, 7, -1, 7, 2};
  KnownEpoch epoch = epoch_of(12, 4);
  const std::vector<std::int64_t> records = drawn(eq::StratifiedSampler(epoch.record_ids, classes), epoch);
  CHECK_FALSE(epoch.plan().shuffled);
  for (std::size_t b = 0; b < 3; ++b) {
    std::map<std::int64_t, int> counts;
    for (std::size_t i = 4 * b; i < 4 * b + 4; ++i) ++counts[classes[static_cast<std::size_t>(records[i])]];
    CHECK(counts == std::map<std::int64_t, int>{{7, 2}, {-1, 1}, {2, 1}});
  }
  std::vector<std::int64_t> sorted = records;
  std::sort(sorted.begin(), sorted.end());
  CHECK(sorted == numbered(12));  // each once
  CHECK(records != sorted);
}

TEST_CASE("in every batch each class is within one record of its share", "[data][property]") {
  const std::vector<std::int64_t> some_classes = {-1, 0, 0, 0, 0, 1, 1, 5, 9};
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const std::size_t n = 1 + random(80, {seed, 1});
    const auto batch_size = static_cast<std::int64_t>(1 + random(20, {seed, 2}));
    const bool equal = seed % 2 == 1;
    std::vector<std::int64_t> classes;
    for (std::uint64_t i = 0; i < n; ++i) classes.push_back(some_classes[random(some_classes.size(), {seed, 3, i})]);
    CAPTURE(seed, n, batch_size, equal);
    KnownEpoch epoch = epoch_of(n, batch_size);
    const std::vector<std::int64_t> records =
        drawn(eq::StratifiedSampler(epoch.record_ids, classes, {.equal_shares = equal}), epoch);
    REQUIRE(records.size() == n);
    std::map<std::int64_t, double> all, share;
    for (const std::int64_t c : classes) all[c] += 1;
    for (const std::int64_t r : records) share[classes[static_cast<std::size_t>(r)]] += 1 / static_cast<double>(n);
    for (const auto& [c, count] : all) {
      const double wanted = equal ? 1 / static_cast<double>(all.size()) : count / static_cast<double>(n);
      REQUIRE(std::abs(share[c] - wanted) * static_cast<double>(n) < (equal ? 1 : 1e-9));
    }
    for (std::size_t begin = 0; begin < n; begin += static_cast<std::size_t>(batch_size)) {
      const std::size_t end = std::min(n, begin + static_cast<std::size_t>(batch_size));
      std::map<std::int64_t, double> counts;
      for (std::size_t i = begin; i < end; ++i) counts[classes[static_cast<std::size_t>(records[i])]] += 1;
      for (const auto& [c, s] : share) REQUIRE(std::abs(counts[c] - s * static_cast<double>(end - begin)) < 1 + 1e-9);
    }
    std::map<std::int64_t, std::int64_t> times;  // no record is drawn twice before all of its class were drawn
    for (const std::int64_t r : records) ++times[r];
    for (const auto& [r, t] : times)
      for (const auto& [q, u] : times)
        if (classes[static_cast<std::size_t>(r)] == classes[static_cast<std::size_t>(q)]) REQUIRE(std::abs(t - u) <= 1);
  }
}

TEST_CASE("with equal shares a rare class is seen as often as a common one", "[data][worked]") {
  std::vector<std::int64_t> classes(40, 0);
  classes[3] = classes[17] = 1;
  KnownEpoch epoch = epoch_of(40, 10);
  const std::vector<std::int64_t> records =
      drawn(eq::StratifiedSampler(epoch.record_ids, classes, {.equal_shares = true}), epoch);
  for (std::size_t b = 0; b < 4; ++b)
    CHECK(std::count_if(records.begin() + static_cast<std::ptrdiff_t>(10 * b),
                        records.begin() + static_cast<std::ptrdiff_t>(10 * b + 10),
                        [&](std::int64_t r) { return classes[static_cast<std::size_t>(r)] == 1; }) == 5);
  CHECK(std::count(records.begin(), records.end(), 3) == 10);
  CHECK(std::count(records.begin(), records.end(), 17) == 10);
}

TEST_CASE("a sampler's options say whether it is the same one", "[data][behaviour]") {
  const std::vector<std::int64_t> ids = {1, 2}, swapped = {2, 1}, classes = {0, 1};
  const auto of = [](const eq::AnyPolicy& policy) { return policy.options(); };
  CHECK(of(eq::WeightedSampler(ids, std::vector<double>{1, 3})) ==
        of(eq::WeightedSampler(swapped, std::vector<double>{3, 1})));
  CHECK(of(eq::WeightedSampler(ids, std::vector<double>{1, 3})) !=
        of(eq::WeightedSampler(ids, std::vector<double>{3, 1})));
  CHECK(of(eq::StratifiedSampler(ids, classes)) != of(eq::StratifiedSampler(swapped, classes)));
  CHECK(of(eq::StratifiedSampler(ids, classes)) != of(eq::StratifiedSampler(ids, classes, {.equal_shares = true})));
}
