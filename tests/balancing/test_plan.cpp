// What policies plan: copies of records (sample-level valuation), and passes of one modality (pre-training).

#include <equipoise/balancing/sample_valuation.hpp>
#include <equipoise/balancing/unimodal_pretraining.hpp>

#include "support/known.hpp"
#include "support/worked.hpp"

namespace eq = equipoise;
using eq::Coalition;
using support::Known, support::KnownEpoch, support::printed;

namespace {

/// [2^M, N] bool from one row a record, of {a}, {b} and all.
at::Tensor correctness(const std::vector<std::array<bool, 3>>& right) {
  at::Tensor out = torch::zeros({4, static_cast<std::int64_t>(right.size())}, torch::kBool);
  for (std::size_t i = 0; i < right.size(); ++i)
    for (std::size_t s = 0; s < 3; ++s)
      out[static_cast<std::int64_t>(s) + 1][static_cast<std::int64_t>(i)] = right[i][s];
  return out;
}

using Items = std::vector<std::pair<std::int64_t, std::uint64_t>>;

/// What the plan has beyond every record once.
Items copies(KnownEpoch& epoch, const eq::SampleValuation& policy = {.warmup = 0}) {
  eq::SampleValuation::State state;
  policy.begin_epoch(state, epoch);
  const std::vector<eq::PlanItem>& items = epoch.plan().items;
  Items out;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (i < static_cast<std::size_t>(epoch.records())) {
      CHECK(items[i].record == static_cast<std::int64_t>(i));
      CHECK(items[i].modalities == Coalition::full(2));
    } else {
      out.emplace_back(items[i].record, items[i].modalities.bits());
    }
  CHECK(epoch.plan().passes.size() == 1);
  return out;
}

constexpr std::uint64_t a = 0b01, b = 0b10;

}  // namespace

TEST_CASE("valuation adds copies of a record with the weak modality alone", "[balancing][worked]") {
  const std::vector<std::array<bool, 3>> right = {{1, 1, 1}, {1, 0, 1}, {0, 1, 1}, {0, 0, 1},
                                                  {1, 1, 0}, {1, 0, 0}, {0, 0, 0}};
  KnownEpoch epoch(Known(2, 7, {support::KnownKind::classification}).schema, eq::Presence(7, 2));
  epoch.table = {{torch::zeros({4, 7}, torch::kDouble)}, {correctness(right)}, {std::vector<bool>(7, true)}};
  CHECK(copies(epoch) == Items{{1, b},
                               {2, a},
                               {4, a},
                               {4, a},
                               {4, b},
                               {4, b},
                               {5, a},
                               {5, b},
                               {5, b},
                               {5, b},
                               {6, a},
                               {6, a},
                               {6, b},
                               {6, b}});
  CHECK(epoch.evaluated == eq::Split::train);
  CHECK(epoch.logged.at("sample_valuation/copies") == 14);
}

TEST_CASE("valuation waits for its warm-up", "[balancing][behaviour]") {
  for (const std::int64_t index : {1, 2}) {
    KnownEpoch epoch(Known(2, 1, {support::KnownKind::classification}).schema, eq::Presence(1, 2), index);
    epoch.table = {{torch::zeros({4, 1}, torch::kDouble)}, {correctness({{0, 1, 1}})}, {{true}}};
    CHECK(copies(epoch, {.warmup = 2}) == (index < 2 ? Items{} : Items{{0, a}}));
    CHECK(epoch.evaluated.has_value() == (index == 2));
  }
}

TEST_CASE("valuation copies no modality that a record lacks, and no record without a label", "[balancing][missing]") {
  const std::vector<std::array<bool, 3>> right = {{1, 0, 1}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
  KnownEpoch epoch(Known(2, 4, {support::KnownKind::classification}).schema,
                   eq::Presence(std::vector<std::uint64_t>{a, a, 0, a | b}, 1, 2));
  epoch.table = {{torch::zeros({4, 4}, torch::kDouble)}, {correctness(right)}, {{true, true, true, false}}};
  CHECK(copies(epoch) == Items{{1, a}, {1, a}});  // wrong with all that it has; the first is right with it
}

TEST_CASE("valuation takes the mean over the tasks of which a record has a label", "[balancing][worked]") {
  // The first task is right with {a} alone, the second with {b} alone: on average nobody is weak. In the last record
  // both are right with {a} alone.
  KnownEpoch epoch(Known(2, 4, {support::KnownKind::classification, support::KnownKind::classification}).schema,
                   eq::Presence(4, 2));
  const at::Tensor losses = torch::zeros({4, 4}, torch::kDouble);
  const std::array<bool, 3> with_a = {true, false, true}, with_b = {false, true, true};
  epoch.table = {{losses, losses},
                 {correctness({with_a, with_a, with_a, with_a}), correctness({with_b, with_b, with_b, with_a})},
                 {{true, true, false, true}, {true, false, true, true}}};
  CHECK(copies(epoch) == Items{{1, b}, {2, a}, {3, b}});
}

TEST_CASE("a regression's weak modality is copied by chance, in the expected number", "[balancing][worked]") {
  // l = (1, .5, .7, .3): shares of v(all) = (.45, .25) / .7, times two; 2 (1 - .714286) copies of b are due.
  constexpr std::int64_t n = 4000;
  KnownEpoch epoch(Known(2, n, {support::KnownKind::regression}).schema, eq::Presence(n, 2));
  epoch.table = {{torch::tensor({1.0, .5, .7, .3}, torch::kDouble).view({4, 1}).repeat({1, n})},
                 {at::Tensor()},
                 {std::vector<bool>(n, true)}};
  const Items added = copies(epoch);
  for (const auto& [record, modalities] : added) REQUIRE(modalities == b);
  const double due = 2 * (1 - 2 * .25 / .7), sigma = std::sqrt(due * (1 - due) / n);
  CHECK(static_cast<double>(added.size()) / n == printed(due, 3 * sigma));
}

TEST_CASE("pre-training shows each modality alone in the first epochs, and all of them afterwards",
          "[balancing][worked]") {
  const eq::UnimodalPretraining policy{.epochs = 2};
  eq::UnimodalPretraining::State state;
  using Passes = std::vector<std::pair<std::uint64_t, std::uint64_t>>;  // active modalities, trained groups
  const auto passes = [&](std::int64_t index) {
    KnownEpoch epoch(Known(3, 4, {support::KnownKind::regression}).schema, eq::Presence(4, 3), index);
    policy.begin_epoch(state, epoch);
    CHECK(epoch.plan().items.size() == 4);
    Passes out;
    for (const eq::Pass& pass : epoch.plan().passes) {
      CHECK(pass.joint);
      CHECK(pass.step);
      out.emplace_back(pass.active.bits(), pass.groups);
    }
    return out;
  };
  const Passes alone = {{0b001, 0b1001}, {0b010, 0b1010}, {0b100, 0b1100}}, joint = {{0b111, 0b1111}};
  CHECK(passes(3) == alone);  // wherever a window begins
  CHECK(passes(4) == alone);
  CHECK(passes(5) == joint);
  CHECK(passes(6) == joint);
}
