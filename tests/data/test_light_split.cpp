#include <equipoise/data/groups.hpp>
#include <equipoise/data/split.hpp>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace eq = equipoise;

TEST_CASE("groups are numbered in the sorted order of their names", "[data][worked]") {
  CHECK(eq::group_numbers({"Roe", "Doe", "Roe", "Moe"}) == std::vector<std::int64_t>{2, 0, 2, 1});
  CHECK(eq::group_numbers({"p10", "p9"}) == std::vector<std::int64_t>{0, 1});  // names, not numbers
  CHECK(eq::group_numbers({}).empty());
}

TEST_CASE("a split depends on the order of the groups' numbers, not on their values", "[data][property]") {
  std::vector<std::int64_t> dense, sparse;
  for (std::int64_t i = 0; i < 60; ++i) dense.push_back(i / 3), sparse.push_back(1000 * (i / 3) - 7);
  const eq::DataSplit a = eq::split_by_group(dense, 0.2, 0.2, 4), b = eq::split_by_group(sparse, 0.2, 0.2, 4);
  CHECK((a.train == b.train && a.validation == b.validation && a.test == b.test));
}

TEST_CASE("a seed's split stays what it was, and is that of the groups' names", "[data][worked]") {
  std::vector<std::string> patients;  // two records each, of which "p10" and "p11" sort before "p2"
  for (int i = 0; i < 24; ++i) patients.push_back("p" + std::to_string(i / 2));
  const eq::DataSplit s = eq::split_by_group(eq::group_numbers(patients), 0.2, 0.25, 7);
  CHECK(s.validation == std::vector<std::int64_t>{10, 11, 14, 15});
  CHECK(s.test == std::vector<std::int64_t>{0, 1, 6, 7, 18, 19});
}

TEST_CASE("no patient is in two parts of a split, and every record is in one", "[data][property]") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<std::string> patients;
    for (int i = 0; i < 60; ++i) patients.push_back("p" + std::to_string(i / 3));
    const eq::DataSplit s = eq::split_by_group(eq::group_numbers(patients), 0.2, 0.2, seed);
    CHECK(s.train.size() + s.validation.size() + s.test.size() == 60);
    std::set<std::string> seen;
    for (const auto* part : {&s.train, &s.validation, &s.test}) {
      std::set<std::string> own;
      for (const std::int64_t i : *part) own.insert(patients[static_cast<std::size_t>(i)]);
      for (const std::string& p : own) CHECK(seen.insert(p).second);
    }
  }
}

TEST_CASE("folds test every patient once", "[data][property]") {
  for (const std::int64_t folds : {3, 4, 5, 6, 10})
    for (const int patients_count : {15, 20, 33}) {
      std::vector<std::string> patients;
      for (int i = 0; i < patients_count * 2; ++i) patients.push_back("p" + std::to_string(i / 2));
      std::vector<int> tested(patients.size(), 0);
      for (std::int64_t fold = 0; fold < folds; ++fold) {
        const eq::DataSplit s =
            eq::split_by_group(eq::group_numbers(patients), 0.2, 1 / static_cast<double>(folds), 3, fold);
        CHECK(s.train.size() + s.validation.size() + s.test.size() == patients.size());
        std::set<std::string> test;
        for (const std::int64_t i : s.test) ++tested[static_cast<std::size_t>(i)];
        for (const std::int64_t i : s.test) test.insert(patients[static_cast<std::size_t>(i)]);
        for (const auto* part : {&s.train, &s.validation})
          for (const std::int64_t i : *part) CHECK_FALSE(test.contains(patients[static_cast<std::size_t>(i)]));
      }
      CHECK(tested == std::vector<int>(patients.size(), 1));
    }
}

TEST_CASE("a class that is left out is tested whole, and its patients are seen nowhere else", "[data][behaviour]") {
  std::vector<std::string> patients, machines;
  for (int i = 0; i < 60; ++i)
    patients.push_back("p" + std::to_string(i / 3)), machines.push_back("m" + std::to_string(i % 4));
  patients[1] = patients[0] = patients[4] = "p";  // of machines 1, 0 and 0
  const eq::DataSplit s = eq::split_leaving_out(eq::group_numbers(patients), machines, "m1", 0.3, 5);
  CHECK(s.test.size() == 15);
  std::set<std::string> tested;
  for (const std::int64_t i : s.test) {
    CHECK(machines[static_cast<std::size_t>(i)] == "m1");
    tested.insert(patients[static_cast<std::size_t>(i)]);
  }
  for (const auto* part : {&s.train, &s.validation})
    for (const std::int64_t i : *part) CHECK_FALSE(tested.contains(patients[static_cast<std::size_t>(i)]));
  CHECK_THROWS_AS(eq::split_leaving_out(eq::group_numbers(patients), machines, "m9", 0.3, 5), eq::ValueError);
}

TEST_CASE("a class is known of every record", "[data][error]") {
  CHECK_THROWS_WITH(eq::split_leaving_out(std::vector<std::int64_t>{0, 1, 2}, {"a", "b"}, "a", 0.3, 5),
                    "[equipoise.shape.104] split: expected 3 classes, one a record, got 2");
}

TEST_CASE("records that are drawn from a part are nested", "[data][split]") {
  std::vector<std::int64_t> part;
  for (std::int64_t i = 0; i < 50; ++i) part.push_back(3 * i);
  const auto few = eq::drawn_records(part, 10, 4), more = eq::drawn_records(part, 30, 4);
  CHECK(few.size() == 10);
  CHECK(std::is_sorted(more.begin(), more.end()));
  CHECK(std::includes(part.begin(), part.end(), more.begin(), more.end()));
  CHECK(std::includes(more.begin(), more.end(), few.begin(), few.end()));
  CHECK(eq::drawn_records(part, 10, 5) != few);
  CHECK(eq::drawn_records(part, 50, 5) == part);
  CHECK_THROWS_WITH(eq::drawn_records(part, 51, 5), Catch::Contains("expected 1 to 50 training records"));
}
