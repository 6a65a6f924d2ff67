// Data sets: records in memory, records that are fetched, workers, transforms, and what a run draws.

#include <equipoise/contribution/data_set.hpp>
#include <equipoise/data/transform.hpp>
#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using Catch::Contains;
using support::Kind;

namespace {

using Toy = decltype(support::toy_data<2, Kind::regression>(1));

/// Records that are made when they are asked for, as a user's data set does that reads files.
struct Fetched {
  Toy all;
  std::shared_ptr<std::atomic<int>> fetches = std::make_shared<std::atomic<int>>(0);

  std::int64_t size() const { return all.size(); }
  Toy select(std::span<const std::int64_t> rows) const {
    ++*fetches;
    if (rows[0] % 3 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // workers overtake each other
    return all.select(rows);
  }
};

auto model(double dropout = 0) {
  return support::toy_model<2, Kind::regression>(eq::Sum{.width = 6}, dropout);
}

eq::TrainerOptions options(std::int64_t epochs = 3) {
  eq::TrainerOptions o = support::toy_options(epochs);
  o.progress = nullptr;
  return o;
}

/// Patients of two records each, some without their second modality.
Toy holed(std::int64_t n = 40) {
  Toy data = support::toy_data<2, Kind::regression>(n);
  at::Tensor presence = torch::ones({n, 2}, torch::kBool);
  for (std::int64_t i = 0; i < n; i += 5) presence[i][1] = false;
  std::vector<std::int64_t> groups, ids;
  for (std::int64_t i = 0; i < n; ++i) groups.push_back(i / 2), ids.push_back(1000 + i);
  data.targets["y"_n].tensor[3][0] = std::nan("");
  return data.with_presence(presence).with_groups(groups).with_ids(ids);
}

at::Tensor parameters_after(const eq::Dataset auto& train, eq::TrainerOptions o, double dropout = 0) {
  const auto m = model(dropout);
  eq::Trainer(m, eq::stack(), std::move(o)).fit(train);
  return support::flat_parameters(*m);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a run on fetched records is that on the same records in memory, for every policy",
                        "[training][data][law]", eq::EveryPolicy) {
  const Toy data = holed();
  const auto in_memory = model(), fetched = model();
  const eq::History a = eq::Trainer(in_memory, eq::stack(support::eager<TestType>()), options()).fit(data, holed(20)),
                    b = eq::Trainer(fetched, eq::stack(support::eager<TestType>()), options())
                            .fit(Fetched{data}, Fetched{holed(20)});
  CHECK(torch::equal(support::flat_parameters(*in_memory), support::flat_parameters(*fetched)));
  REQUIRE(a.epochs.size() == b.epochs.size());
  for (std::size_t e = 0; e < a.epochs.size(); ++e) CHECK(a.epochs[e].values == b.epochs[e].values);
}

TEST_CASE("the order of records does not depend on the number of workers", "[training][data]") {
  const Toy data = holed();
  const at::Tensor one = parameters_after(data, options());
  for (const std::int64_t workers : {1, 2, 5}) {
    eq::TrainerOptions o = options();
    o.workers = workers;
    CHECK(torch::equal(one, parameters_after(Fetched{data}, o)));
    CHECK(torch::equal(one, parameters_after(data, o)));
  }
}

TEST_CASE("what a data set throws in a worker ends the run with that exception", "[training][data]") {
  struct Broken {
    Toy all;
    std::int64_t size() const { return all.size(); }
    Toy select(std::span<const std::int64_t> rows) const { return all.select(rows); }
    Toy select(std::span<const std::int64_t>, std::uint64_t) const { throw std::runtime_error("the disk is gone"); }
  };
  for (const std::int64_t workers : {0, 3}) {
    eq::TrainerOptions o = options();
    o.workers = workers;
    eq::Trainer trainer(model(), o);
    CHECK_THROWS_WITH(trainer.fit(Broken{holed()}), "the disk is gone");
    CHECK_FALSE(trainer.model().is_training());
  }
}

TEST_CASE("a data set that gives fewer records than asked for is refused", "[training][data]") {
  struct Short {
    Toy all;
    std::int64_t size() const { return all.size(); }
    Toy select(std::span<const std::int64_t> rows) const { return all.select(rows); }
    Toy select(std::span<const std::int64_t> rows, std::uint64_t) const { return all.select(rows.subspan(1)); }
  };
  CHECK_THROWS_WITH(eq::Trainer(model(), options()).fit(Short{holed()}), Contains("expected 8 records, got 7"));
  struct Unread {
    Toy all;
    std::int64_t size() const { return all.size(); }
    Toy select(std::span<const std::int64_t> rows) const { return all.select(rows.first(rows.size() / 2)); }
  };
  CHECK_THROWS_WITH(eq::infer(*model(), Unread{holed()}), Contains("records, got "));
  CHECK_THROWS_WITH(eq::evaluate(*model(), Unread{holed()}), Contains("expected 40 records, got 20"));
}

TEST_CASE("records without ids are numbered by their position, and each is its own group", "[training][data]") {
  struct Plain {
    Toy all;
    std::int64_t size() const { return all.size(); }
    Toy select(std::span<const std::int64_t> rows) const {
      const Toy some = all.select(rows);
      return eq::batch(eq::input<"a">(some.inputs["a"_n]), eq::input<"b">(some.inputs["b"_n]),
                       eq::target<"y">(some.targets["y"_n]));
    }
  };
  const Toy data = support::toy_data<2, Kind::regression>(600);
  const auto m = model();
  const eq::Records records = eq::records_of(*m, Plain{data});
  CHECK(records.about().ids == data.ids);
  CHECK(records.about().groups == data.ids);
  CHECK(records.select(std::vector<std::int64_t>{599, 3}).ids == std::vector<std::int64_t>{599, 3});
  const auto a = eq::evaluate(*m, data), b = eq::evaluate(*m, Plain{data});
  CHECK(a["y"_n].of(m->full()).loss.low == b["y"_n].of(m->full()).loss.low);
  Toy holed = data;
  holed.inputs["a"_n][500][0] = std::nan("");
  CHECK_THROWS_WITH(eq::infer(*m, Plain{holed}, 32), Contains("1 record: 500"));
  CHECK(data.with_ids(std::vector<std::int64_t>(600, 4)).groups == std::vector<std::int64_t>(600, 4));
}

TEST_CASE("ids and groups of a data set are its own, whatever part they come in", "[training][data]") {
  constexpr std::int64_t n = 257;  // beyond what is read at once: the last part is one record
  std::vector<std::int64_t> backwards, pairs;
  for (std::int64_t i = 0; i < n; ++i) backwards.push_back(n - 1 - i), pairs.push_back(i % 2);
  const Toy data = support::toy_data<2, Kind::regression>(n);
  const auto m = model();
  const eq::Records numbered = eq::records_of(*m, Fetched{data.with_ids(backwards)});
  CHECK(numbered.about().ids == backwards);
  CHECK(numbered.about().groups == backwards);
  struct Grouped {
    Toy all;
    std::vector<std::int64_t> groups;
    std::int64_t size() const { return all.size(); }
    Toy select(std::span<const std::int64_t> rows) const {
      const Toy some = all.select(rows);
      return eq::batch(eq::input<"a">(some.inputs["a"_n]), eq::input<"b">(some.inputs["b"_n]),
                       eq::target<"y">(some.targets["y"_n]))
          .with_groups(some.groups);
    }
  };
  CHECK(eq::records_of(*m, Grouped{data.with_groups(pairs), pairs}).about().groups == pairs);
}

TEST_CASE("a part of a data set keeps its transforms, and transforms of transforms act", "[data][transform]") {
  const Toy data = holed();
  const std::vector<std::int64_t> rows = {5, 9, 30}, all = {0, 1, 2};
  const auto part = eq::part(eq::transformed(data, eq::transform(eq::Noise{.sd = 1}, "a"_n)), rows);
  CHECK(part.size() == 3);
  CHECK(torch::equal(part.select(all).inputs["a"_n], data.select(rows).inputs["a"_n]));
  CHECK_FALSE(torch::equal(part.select(all, 1).inputs["a"_n], data.select(rows).inputs["a"_n]));
  CHECK_THROWS_AS(eq::part(data, {40}), eq::ValueError);
  const auto twice = eq::transformed(part, eq::transform(eq::Noise{.sd = 1}, "b"_n));
  CHECK_FALSE(torch::equal(twice.select(all, 1).inputs["a"_n], data.select(rows).inputs["a"_n]));
  CHECK_FALSE(torch::equal(twice.select(all, 1).inputs["b"_n], data.select(rows).inputs["b"_n]));
  CHECK(twice.select_targets(all).inputs["a"_n].is_meta());
  CHECK(twice.select_targets(all).ids == std::vector<std::int64_t>{1005, 1009, 1030});
}

TEST_CASE("a sequence is changed without its padding", "[data][transform][sequences]") {
  const double nan = std::nan("");
  const at::Tensor frames = torch::tensor({{{1.0}, {2.0}, {nan}, {nan}}, {{1.0}, {2.0}, {3.0}, {4.0}}});
  const std::vector<std::int64_t> lengths = {2, 4}, rows = {0, 1};
  const auto data = eq::transformed(eq::batch(eq::input<"s">(eq::Sequences::of_lengths(frames, lengths))),
                                    eq::transform(eq::Flip{.dim = 0, .probability = 1}, "s"_n));
  const at::Tensor out = data.select(rows, 3).inputs["s"_n].tensor;
  CHECK(torch::equal(out[0].slice(0, 0, 2), torch::tensor({{2.0}, {1.0}})));
  CHECK(out[0].slice(0, 2).isnan().all().item<bool>());
  CHECK(torch::equal(out[1], torch::tensor({{4.0}, {3.0}, {2.0}, {1.0}})));
}

TEST_CASE("options of transforms that are out of range are refused", "[data][transform]") {
  CHECK_THROWS_WITH(eq::transform(eq::Flip{.probability = 2}, "a"_n), Contains("Flip.probability: expected in [0, 1]"));
  CHECK_THROWS_WITH(eq::transform(eq::Shift{.most = -1}, "a"_n), Contains("Shift.most: expected >= 0"));
  eq::RandomStream random({1}, "test");
  CHECK_THROWS_WITH(eq::Noise{}(torch::zeros({2}, torch::kLong), random),
                    Contains("Noise: expected a record of a floating type"));
}

TEST_CASE("evaluate, infer and shapley take a data set", "[data]") {
  const Toy data = holed();
  const auto m = model();
  eq::Trainer(m, options(1)).fit(data);
  const Fetched fetched{data};
  const auto a = eq::evaluate(*m, data), b = eq::evaluate(*m, fetched);
  CHECK(a["y"_n].of(m->full()).loss.value == b["y"_n].of(m->full()).loss.value);
  CHECK(a["y"_n].of(m->full()).loss.low == b["y"_n].of(m->full()).loss.low);
  CHECK(torch::equal(eq::infer(*m, data)["y"_n], eq::infer(*m, fetched, 7)["y"_n]));
  CHECK(eq::shapley(*m, data)["a"_n]["y"_n] == eq::shapley(*m, fetched)["a"_n]["y"_n]);
}

TEST_CASE("a flip reverses what it names together and nothing else, and validation sees the records as they are",
          "[data][transform]") {
  const auto dense = support::toy_data<2, Kind::dense>(12);
  const auto changed = eq::transformed(dense, eq::transform(eq::Flip{.dim = -1}, "a"_n, "y"_n));
  const std::vector<std::int64_t> rows = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto seen = changed.select(rows, 9);
  int flipped = 0;
  for (const std::int64_t i : rows) {
    const at::Tensor before = dense.inputs["a"_n][i], after = seen.inputs["a"_n][i];
    const bool is_flipped = torch::equal(after, before.flip({-1}));
    CHECK(is_flipped != torch::equal(after, before));
    CHECK(torch::equal(seen.targets["y"_n].tensor[i],
                       is_flipped ? dense.targets["y"_n].tensor[i].flip({-1}) : dense.targets["y"_n].tensor[i]));
    flipped += is_flipped;
  }
  CHECK(flipped > 0);
  CHECK(flipped < 8);
  CHECK(torch::equal(seen.inputs["b"_n], dense.inputs["b"_n].slice(0, 0, 8)));
  CHECK(torch::equal(changed.select(rows).inputs["a"_n], dense.inputs["a"_n].slice(0, 0, 8)));
  CHECK(torch::equal(changed.select(rows, 9).inputs["a"_n], seen.inputs["a"_n]));
  CHECK_FALSE(torch::equal(changed.select(rows, 10).inputs["a"_n], seen.inputs["a"_n]));
}

TEST_CASE("a shift moves whole steps and fills with zeros", "[data][transform]") {
  const at::Tensor record = torch::arange(1, 6).to(torch::kDouble);
  std::set<double> firsts;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    eq::RandomStream random({seed}, "test");
    const at::Tensor out = eq::Shift{.most = 2}(record, random);
    const auto first = out[0].item<double>(), last = out[4].item<double>();
    firsts.insert(first == 0 ? last - 5 : first - 1);  // -2 … 2: how far it moved to the left
    CHECK(out.sum().item<double>() == (first == 0 ? (last == 4 ? 10 : 6) : first == 1 ? 15 : first == 2 ? 14 : 12));
  }
  CHECK(firsts == std::set<double>{-2, -1, 0, 1, 2});
}

TEST_CASE("noise has the deviation that it says", "[data][transform]") {
  eq::RandomStream random({1}, "test");
  const at::Tensor out = eq::Noise{.sd = 0.5}(torch::full({40000}, 3.0, torch::kFloat), random);
  CHECK(out.mean().item<double>() == Approx(3).margin(0.01));
  CHECK(out.std().item<double>() == Approx(0.5).epsilon(0.02));
}

TEST_CASE("a transform that changes a record's shape is refused", "[data][transform]") {
  const auto cut = [](const at::Tensor& record, eq::RandomStream&) { return record.slice(0, 1); };
  const auto data = eq::transformed(holed(), eq::transform(cut, "b"_n));
  CHECK_THROWS_WITH(eq::Trainer(model(), options()).fit(data),
                    Contains("transform of b: expected [4], as the record is, got [3]"));
}

TEST_CASE("a resumed run sees the transforms that a whole one sees, with any number of workers", "[training][data]") {
  const auto path = std::filesystem::temp_directory_path() / "equipoise_transforms.pt";
  const auto data = eq::transformed(holed(), eq::transform(eq::Noise{.sd = 0.3}, "a"_n, "b"_n));
  const at::Tensor whole = parameters_after(data, options(4));
  eq::TrainerOptions o = options(2);
  o.checkpoint = path.string();
  eq::Trainer(model(), o).fit(data);
  o.epochs = 4, o.workers = 2;
  const auto m = model();
  eq::Trainer trainer(m, o);
  trainer.resume(path);
  trainer.fit(data);
  CHECK(torch::equal(whole, support::flat_parameters(*m)));
  CHECK_FALSE(torch::equal(whole, parameters_after(holed(), options(4))));
  std::filesystem::remove(path);
}

TEST_CASE("dropout follows the run's seed, whatever else the process draws, which a run does not disturb",
          "[training][data]") {
  const Toy data = holed();
  torch::manual_seed(1);
  const at::Tensor first = parameters_after(data, options(), 0.5);
  torch::manual_seed(99);
  (void)torch::randn({1000});
  const at::Tensor second = parameters_after(data, options(), 0.5);
  CHECK(torch::equal(first, second));
  eq::TrainerOptions o = options();
  o.seed = 6;
  CHECK_FALSE(torch::equal(first, parameters_after(data, o, 0.5)));

  const auto m = model(0.5);
  torch::manual_seed(4);
  const at::Tensor undisturbed = torch::rand({3});
  torch::manual_seed(4);
  eq::Trainer(m, options()).fit(data);
  CHECK(torch::equal(undisturbed, torch::rand({3})));
}
