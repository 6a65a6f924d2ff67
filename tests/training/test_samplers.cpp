// Samplers in a run: what batches hold, hold-outs, resumes, and stacks that are refused.

#include <equipoise/data/samplers.hpp>
#include <equipoise/data/weights.hpp>

#include <map>
#include <memory>
#include <vector>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::Kind;

namespace {

/// Notes the labels of each step's batch.
struct Labelled {
  static constexpr std::string_view id = "labelled";
  static constexpr eq::Hooks hooks = eq::Hook::step;
  static constexpr eq::Needs needs{};
  struct State {};
  std::shared_ptr<std::vector<std::map<std::int64_t, int>>> batches =
      std::make_shared<std::vector<std::map<std::int64_t, int>>>();
  void end_step(State&, eq::Step& step) const {
    auto& counts = batches->emplace_back();
    const at::Tensor y = step.target(0);
    for (std::int64_t i = 0; i < y.size(0); ++i) ++counts[y[i].item<std::int64_t>()];
  }
};

/// 48 records with labels 0, 0, 0, 0, 1, 2 in turn.
auto labelled_data() {
  auto data = support::toy_data<2, Kind::classification>(48);
  for (std::int64_t i = 0; i < 48; ++i) data.targets["y"_n].tensor[i] = std::max<std::int64_t>(i % 6 - 3, 0);
  return data;
}

eq::TrainerOptions options(std::int64_t epochs) {
  eq::TrainerOptions o = support::toy_options(epochs, eq::Optimizer::adamw);
  o.batch_size = 12;
  return o;
}

}  // namespace

TEST_CASE("the batches of a run hold each class in its share, in another order each epoch", "[training][behaviour]") {
  const auto data = labelled_data();
  const Labelled seen;
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  eq::Trainer trainer(model, eq::stack(eq::StratifiedSampler(data, data.targets["y"_n]), seen), options(2));
  trainer.fit(data);
  REQUIRE(seen.batches->size() == 8);
  for (const auto& counts : *seen.batches) CHECK(counts == std::map<std::int64_t, int>{{0, 8}, {1, 2}, {2, 2}});
}

TEST_CASE("balanced weights make a run see classes alike", "[training][behaviour]") {
  const auto data = labelled_data();
  const Labelled seen;
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  eq::Trainer trainer(model, eq::stack(eq::WeightedSampler(data, eq::balanced_weights(data.targets["y"_n])), seen),
                      options(20));
  trainer.fit(data);
  std::map<std::int64_t, int> counts;
  for (const auto& batch : *seen.batches)
    for (const auto& [label, n] : batch) counts[label] += n;
  for (std::int64_t c = 0; c < 3; ++c)
    CHECK(std::abs(counts[c] - 320) < 60);  // of 960 draws; four standard deviations of 14.6
}

TEST_CASE("a sampler serves the training records that a hold-out leaves", "[training][behaviour]") {
  const auto data = labelled_data();
  const Labelled seen;
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  eq::Trainer trainer(model, eq::stack(eq::GradientBlending{}, eq::StratifiedSampler(data, data.targets["y"_n]), seen),
                      options(1));
  trainer.fit(data);
  int records = 0;
  for (const auto& batch : *seen.batches)
    for (const auto& [label, n] : batch) records += n;
  CHECK(records == 36);  // a quarter is held out
  const auto subset = data.select(std::vector<std::int64_t>{0, 1, 2, 3});
  eq::Trainer other(model, eq::stack(eq::StratifiedSampler(subset, subset.targets["y"_n])), options(1));
  CHECK_THROWS_WITH(other.fit(data), Catch::Contains("value.243") &&
                                         Catch::Contains("with ids 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, … (44 in all)"));
}

TEST_CASE("a run with a sampler resumes bit for bit, and not with another one", "[training][resume]") {
  const support::TemporaryFolder folder;
  const auto data = labelled_data();
  const auto run = [&](auto sampler, std::int64_t epochs, const std::string& name, bool resumes) {
    eq::TrainerOptions o = options(epochs);
    o.checkpoint = (folder.path() / name).string();
    const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
    eq::Trainer trainer(model, eq::stack(std::move(sampler)), o);
    if (resumes) trainer.resume(o.checkpoint);
    trainer.fit(data);
    return support::flat_parameters(*model);
  };
  const eq::WeightedSampler weighted(data, eq::balanced_weights(data.targets["y"_n])),
      even(data, std::vector<double>(48, 1));
  const eq::StratifiedSampler stratified(data, data.targets["y"_n], {.equal_shares = true});
  const at::Tensor weighted_whole = run(weighted, 4, "a", false), stratified_whole = run(stratified, 4, "b", false);
  (void)run(weighted, 2, "c", false), (void)run(stratified, 2, "d", false);
  CHECK(torch::equal(run(weighted, 4, "c", true), weighted_whole));
  CHECK(torch::equal(run(stratified, 4, "d", true), stratified_whole));
  CHECK_FALSE(torch::equal(weighted_whole, stratified_whole));
  CHECK_THROWS_WITH(run(even, 4, "a", true), Catch::Contains("file.402") && Catch::Contains("policies.0.fingerprint"));
}

TEST_CASE("a stack has one sampler, and none beside a policy that adds records", "[training][error]") {
  const auto data = labelled_data();
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  const eq::StratifiedSampler sampler(data, data.targets["y"_n]);
  const auto refused = [&](eq::AnyPolicy other) {
    eq::PolicyStack stack;
    stack.emplace_back(sampler), stack.push_back(std::move(other));
    CHECK_THROWS_WITH(
        eq::Trainer(model, std::move(stack), options(1)),
        Catch::Contains("value.207") && Catch::Contains("at most one that draws the records of an epoch"));
  };
  refused(eq::WeightedSampler(data, std::vector<double>(48, 1)));
  refused(eq::SampleValuation{});
  refused(eq::windowed(eq::WeightedSampler(data, std::vector<double>(48, 1)), {.from = 5}));
}
