// The figure that chooses the best epoch and stops a run early.

#include <limits>

#include "support/catch.hpp"
#include "support/own_tasks.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::Kind;

namespace {

/// Two tasks, "y" in units of one and "z" in units of a thousand.
auto two_tasks() {
  torch::manual_seed(11);
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 4, .widths = {6}}),
                           eq::modality<"b">(eq::Mlp{.in_features = 4, .widths = {6}}),
                           eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 1}),
                           eq::task<"z">(eq::Sum{.width = 6}, eq::Classification{.classes = 2}));
  model->to(torch::kDouble);
  return model;
}

auto two_targets(std::int64_t n, double unit, std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  const at::Tensor a = torch::randn({n, 4}, generator, torch::kDouble),
                   b = torch::randn({n, 4}, generator, torch::kDouble);
  return eq::batch(eq::input<"a">(a), eq::input<"b">(b), eq::target<"y">(eq::Values{(a.narrow(1, 0, 1) + 1) * unit}),
                   eq::target<"z">(eq::Labels{(b.select(1, 0) > 0).to(torch::kLong)}));
}

eq::TrainerOptions watching(std::string monitor, std::int64_t epochs = 4) {
  eq::TrainerOptions o = support::toy_options(epochs);
  o.monitor = std::move(monitor);
  return o;
}

}  // namespace

TEST_CASE("without a monitor the figure is the sum of losses in units of what a task loses without a modality",
          "[training][worked]") {
  for (const double unit : {1.0, 1e3}) {
    const auto model = two_tasks();
    const auto train = two_targets(32, unit, 3), held = two_targets(16, unit, 4);
    eq::TrainerOptions o = support::toy_options(2, eq::Optimizer::adamw);
    const eq::History h = eq::Trainer(model, o).fit(train, held);
    const eq::CoalitionTable table =
        eq::coalition_table(*model, model->to_model_batch(held), std::array{eq::Coalition::none()});
    const eq::EpochRecord& e = h.epochs[0];
    CHECK(*e.find("val/objective") ==
          Approx(*e.find("val/y") / *table.mean_loss(0) + *e.find("val/z") / *table.mean_loss(1)));
    CHECK(*e.find("val/objective") < 4);  // in whatever unit "y" is
    CHECK(h.monitor == "val/objective");
  }
}

TEST_CASE("the best epoch is that of the monitored figure, in its own direction", "[training][behaviour]") {
  const auto train = two_targets(32, 1, 3), held = two_targets(16, 1, 4);
  for (const std::string monitor : {"y", "z", "val/z", "z/accuracy", "objective"}) {
    const eq::History h = eq::Trainer(two_tasks(), watching(monitor, 6)).fit(train, held);
    const std::string name = monitor.starts_with("val/") ? monitor : "val/" + monitor;
    CHECK(h.monitor == name);
    const double best = *h.epochs.at(static_cast<std::size_t>(h.best_epoch)).find(name);
    for (const eq::EpochRecord& e : h.epochs) {
      const double value = *e.find(name);
      CHECK((monitor == "z/accuracy" ? value <= best : value >= best));
      if (e.epoch < h.best_epoch) CHECK(value != best);  // the first of equal ones
    }
  }
}

TEST_CASE("a misspelt monitor is refused before the first epoch, with what there is", "[training][error]") {
  const auto data = two_targets(16, 1, 3);
  std::int64_t batches = 0;
  eq::Trainer trainer(two_tasks(), watching("z/acuracy"));
  trainer.on_batch([&](std::int64_t, std::int64_t) { ++batches; });
  CHECK_THROWS_AS(trainer.fit(data, data), eq::NameError);
  CHECK_THROWS_WITH(trainer.fit(data, data), Catch::Contains("[equipoise.name.320]") &&
                                                 Catch::Contains("did you mean \"z/accuracy\"?") &&
                                                 Catch::Contains("there are: y, z, z/accuracy, objective"));
  CHECK(batches == 0);
}

TEST_CASE("a monitor or patience without validation labels is refused", "[training][error]") {
  const auto data = support::toy_data<2, Kind::regression>(16);
  auto unlabelled = support::toy_data<2, Kind::regression>(16);
  unlabelled.targets["y"_n].tensor.fill_(std::numeric_limits<double>::quiet_NaN());
  const auto trainer = [](std::string monitor, std::int64_t patience) {
    eq::TrainerOptions o = watching(std::move(monitor), 1);
    o.patience = patience;
    return eq::Trainer(support::toy_model<2, Kind::regression>(eq::Sum{.width = 6}), o);
  };
  CHECK_THROWS_WITH(trainer("", 2).fit(data), Catch::Contains("value.230") && Catch::Contains("patience"));
  CHECK_THROWS_WITH(trainer("y", 0).fit(data), Catch::Contains("value.230") && Catch::Contains("monitor"));
  CHECK_THROWS_WITH(trainer("", 2).fit(data, unlabelled), Catch::Contains("records without a label"));
  CHECK_NOTHROW(trainer("", 0).fit(data));
  CHECK_NOTHROW(trainer("", 0).fit(data, unlabelled));
}

TEST_CASE("an epoch that is hardly better does not reset patience, but may be the best", "[training][worked]") {
  eq::Watched w;
  CHECK(w.take(1.0, false, 0.1));
  CHECK(w.take(0.95, false, 0.1));  // better, though not by more than 0.1
  CHECK(w.since_best == 1);
  CHECK(w.take(0.85, false, 0.1));  // by 0.15 better than the one of before
  CHECK(w.since_best == 0);
  CHECK_FALSE(w.take(0.9, false, 0.1));
  CHECK_FALSE(w.take(std::numeric_limits<double>::quiet_NaN(), false, 0.1));
  CHECK(w.since_best == 2);
  CHECK(*w.best == 0.85);
  eq::Watched up;
  CHECK_FALSE(up.take(std::numeric_limits<double>::quiet_NaN(), true, 0));
  CHECK(up.take(0.1, true, 0));
  CHECK(up.take(0.2, true, 0));
  CHECK_FALSE(up.take(0.2, true, 0));
}

TEST_CASE("a run that goes on with another monitor chooses its best epoch anew", "[training][behaviour]") {
  const support::TemporaryFolder folder;
  const auto train = two_targets(32, 1, 3), held = two_targets(16, 1, 4);
  eq::TrainerOptions o = watching("y", 3);
  o.checkpoint = (folder.path() / "c.pt").string();
  (void)eq::Trainer(two_tasks(), o).fit(train, held);
  o.monitor = "z/accuracy", o.epochs = 5;
  eq::Trainer trainer(two_tasks(), o);
  trainer.resume(o.checkpoint);
  struct Notes {
    std::vector<std::string> list;
    void on_note(const eq::RunView&, const std::string& note) { list.push_back(note); }
  };
  const auto notes = std::make_shared<Notes>();
  trainer.add(notes);
  const eq::History h = trainer.fit(train, held);
  CHECK(h.best_epoch >= 3);
  CHECK(h.monitor == "val/z/accuracy");
  REQUIRE(notes->list.size() == 1);
  CHECK_THAT(notes->list[0],
             Catch::Contains("was the best by val/y; by val/z/accuracy the best one is chosen among the "
                             "epochs from 3 on"));

  // Where no epoch is left there is no best one by that figure: the model has the last parameters.
  o.monitor = "y";
  eq::Trainer finished(two_tasks(), o);
  finished.add(notes);
  finished.resume(o.checkpoint);
  CHECK(finished.fit(train, held).best_epoch == -1);
  CHECK(notes->list.size() == 2);
}

TEST_CASE("a monitored metric that is NaN after every epoch is an error that names it", "[training][error]") {
  const auto survival = [](double event) {
    auto generator = at::detail::createCPUGenerator(3);
    const at::Tensor x = torch::randn({16, 4}, generator, torch::kDouble);
    return eq::batch(
        eq::input<"a">(x),
        eq::target<"risk">(support::Times{torch::stack({x.select(1, 0).exp(), torch::full({16}, event)}, 1)}));
  };
  for (const std::int64_t patience : {0, 2}) {
    torch::manual_seed(11);
    auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 4, .widths = {6}}),
                             eq::task<"risk">(eq::Sum{.width = 6}, support::Cox{}));
    model->to(torch::kDouble);
    eq::TrainerOptions o = watching("risk/c_index", 4);
    o.patience = patience;
    // Where all records are censored no pair has a known order.
    CHECK_THROWS_WITH(eq::Trainer(model, o).fit(survival(1), survival(0)),
                      "[equipoise.numeric.507] monitor val/risk/c_index: expected a number after at least one epoch, "
                      "which the best epoch and patience need, got NaN from this metric after each of the " +
                          std::to_string(patience == 0 ? 4 : 2) + " epochs");
    CHECK(eq::Trainer(model, o).fit(survival(1), survival(1)).best_epoch >= 0);
  }
}
