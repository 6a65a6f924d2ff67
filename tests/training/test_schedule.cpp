// Learning-rate schedules: functions of progress in epochs, and what becomes of them at a resume.

#include <equipoise/training/schedule.hpp>
#include <limits>
#include <numbers>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::Kind;

namespace {

auto model() {
  return support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
}

/// The rate at the last step of each epoch of a run of four batches an epoch.
std::vector<double> rates(eq::TrainerOptions o) {
  std::vector<double> out;
  const auto data = support::toy_data<2, Kind::regression>(32);
  for (const eq::EpochRecord& e : eq::Trainer(model(), o).fit(data, data).epochs) out.push_back(*e.find("rate"));
  return out;
}

eq::TrainerOptions with(eq::Schedule schedule, std::int64_t epochs = 4) {
  eq::TrainerOptions o = support::toy_options(epochs);
  o.learning_rate = 0.01, o.schedule = std::move(schedule);
  return o;
}

}  // namespace

TEST_CASE("schedules have the factors of their formulas", "[training][worked]") {
  CHECK(eq::Schedule{}(3, 10) == 1);
  CHECK(eq::Schedule::cosine(0, 10) == 1);
  CHECK(eq::Schedule::cosine(5, 10) == Approx(0.5));
  CHECK(eq::Schedule::cosine(10, 10) == 0);
  CHECK(eq::Schedule(eq::CosineDecay{.last = 0.2})(5, 10) == Approx(0.6));
  const eq::Schedule step = eq::StepDecay{.every = 3, .factor = 0.5};
  CHECK(step(2.99, 10) == 1);
  CHECK(step(3, 10) == 0.5);
  CHECK(step(9, 10) == 0.125);
  CHECK(eq::Schedule(eq::ExponentialDecay{.factor = 0.9})(2, 10) == Approx(0.81));
  const eq::Schedule cycle = eq::OneCycle{.rise = 0.25, .first = 0.1, .last = 0.01};
  CHECK(cycle(0, 8) == Approx(0.1));
  CHECK(cycle(1, 8) == Approx(0.55));
  CHECK(cycle(2, 8) == Approx(1));
  CHECK(cycle(5, 8) == Approx(0.505));
  CHECK(cycle(8, 8) == Approx(0.01));
}

TEST_CASE("a schedule is its text, and its text is a schedule", "[training][behaviour]") {
  eq::TrainerOptions o;
  for (const char* text :
       {"constant", "cosine", "step(every=3,factor=0.5)", "one_cycle", "plateau(factor=0.5,patience=2,min_factor=0)"}) {
    eq::set_option(o, "schedule", text);
    CHECK(o.schedule.text() == text);
  }
  eq::set_option(o, "schedule", "step(every=3)");
  CHECK(o.schedule == eq::Schedule(eq::StepDecay{.every = 3}));
  CHECK_THROWS_AS(eq::set_option(o, "schedule", "cosin"), eq::ValueError);
  CHECK_THROWS_WITH(eq::set_option(o, "schedule", "step(evry=3)"), Catch::Contains("did you mean \"every\"?"));
  CHECK_THROWS_WITH(eq::Trainer(model(), with(eq::StepDecay{.every = 0})), Catch::Contains("StepDecay.every"));
}

TEST_CASE("a warm-up rises over its epochs, and the schedule begins behind it", "[training][worked]") {
  eq::TrainerOptions o = with(eq::Schedule::cosine);
  o.warmup_epochs = 2;
  CHECK(rates(o)[0] == Approx(0.01 * 0.5));  // the end of the first of two epochs
  CHECK(rates(o)[1] == Approx(0.01));
  CHECK(rates(o)[2] == Approx(0.01 * 0.5 * (1 + std::cos(std::numbers::pi * 0.75 / 2))));
  CHECK(eq::factor_at(eq::Schedule::cosine, 2, 0, 0.25, 4) == Approx(0.125));  // no step of rate 0
}

TEST_CASE("the history holds the learning rate, that of each group where they differ", "[training][worked]") {
  eq::TrainerOptions o = with(eq::StepDecay{.every = 2});
  const std::vector<double> all = rates(o);
  CHECK(all == std::vector<double>{0.01, 0.01, 0.01 * 0.1, 0.01 * 0.1});
  o.groups = {{"b", {.learning_rate = 0.5}}};
  const eq::History h = eq::Trainer(model(), o).fit(support::toy_data<2, Kind::regression>(32));
  CHECK(*h.epochs[0].find("rate/a") == 0.01);
  CHECK(*h.epochs[2].find("rate/b") == 0.05);
  CHECK(*h.epochs[2].find("rate/shared") == 0.001);
  CHECK(h.epochs[0].find("rate") == nullptr);
}

TEST_CASE("a schedule may be a function of one's own, and must be finite", "[training][behaviour]") {
  std::vector<std::pair<double, double>> asked;
  const auto own = [&](double done, double all) {
    asked.emplace_back(done, all);
    return 1 / (1 + done);
  };
  CHECK(rates(with(own, 2))[1] == Approx(0.01 / 2.75));
  CHECK(asked.at(1) == std::pair(0.25, 2.0));
  const auto nan = [](double, double) { return std::numeric_limits<double>::quiet_NaN(); };
  CHECK_THROWS_WITH(rates(with(nan)), Catch::Contains("[equipoise.value.233]"));
}

TEST_CASE("a plateau lowers the rate where the monitored figure gets no better", "[training][worked]") {
  eq::TrainerOptions o;
  o.learning_rate = 1, o.schedule = eq::Plateau{.factor = 0.5, .patience = 1, .min_factor = 0.2};
  eq::RateState state;
  eq::RatePlan plan(o, state);
  const auto after = [&](double figure) {
    plan.watch(figure, false);
    return plan.factor(1, 1.5);
  };
  CHECK(after(3) == 1);
  CHECK(after(2) == 1);
  CHECK(after(2) == 1);      // waited for
  CHECK(after(2.5) == 0.5);  // the second in a row
  CHECK(after(2.5) == 0.5);
  CHECK(after(2.1) == 0.25);
  CHECK(after(2.1) == 0.25);
  CHECK(after(2.1) == 0.2);  // no lower
  CHECK(after(1) == 0.2);    // and never back up
  const auto unlabelled = support::toy_data<2, Kind::regression>(8);
  CHECK_THROWS_WITH(eq::Trainer(model(), with(eq::Plateau{})).fit(unlabelled), Catch::Contains("value.230"));
}

TEST_CASE("a plateau is resumed where it was, bit for bit", "[training][law]") {
  const auto data = support::toy_data<2, Kind::regression>(32), held = support::toy_data<2, Kind::regression>(8, 9);
  const support::TemporaryFolder folder;
  eq::TrainerOptions o = with(eq::Plateau{.factor = 0.5, .patience = 0}, 10);
  o.learning_rate = 0.3;  // too fast
  const eq::History whole = eq::Trainer(model(), o).fit(data, held);
  REQUIRE(*whole.epochs.back().find("rate") < 0.3);
  o.checkpoint = (folder.path() / "c.pt").string(), o.epochs = 5;
  (void)eq::Trainer(model(), o).fit(data, held);
  o.epochs = 10;
  eq::Trainer trainer(model(), o);
  trainer.resume(o.checkpoint);
  const eq::History resumed = trainer.fit(data, held);
  for (std::size_t e = 0; e < 10; ++e) CHECK(resumed.epochs[e].values == whole.epochs[e].values);
}

TEST_CASE("a longer plan goes on from the rate that was reached, and another batch size is on the same curve",
          "[training][behaviour]") {
  const auto data = support::toy_data<2, Kind::regression>(32);
  const support::TemporaryFolder folder;
  eq::TrainerOptions o = with(eq::Schedule::cosine, 4);
  o.checkpoint = (folder.path() / "c.pt").string();
  std::int64_t done = 0;
  eq::Trainer first(model(), o);
  first.on_epoch([&](const eq::EpochRecord&) { ++done; });
  first.stop_when([&] { return done == 2; });
  (void)first.fit(data);
  const auto resumed = [&](const eq::TrainerOptions& more) {
    eq::Trainer trainer(model(), more);
    trainer.resume(o.checkpoint);
    return trainer.fit(data);
  };
  eq::TrainerOptions longer = o;
  longer.epochs = 8, longer.checkpoint.clear();
  const eq::History h = resumed(longer);
  const double reached = 0.01 * eq::Schedule::cosine(2, 4);
  for (std::size_t e = 2; e < 8; ++e) {
    const double rate = *h.epochs[e].find("rate");
    CHECK(rate < (e == 2 ? reached : *h.epochs[e - 1].find("rate")));
    CHECK(rate ==
          Approx(reached / eq::Schedule::cosine(2, 8) * eq::Schedule::cosine(static_cast<double>(e) + 0.75, 8)));
  }
  eq::TrainerOptions larger = o;
  larger.batch_size = 16, larger.checkpoint.clear();
  CHECK(*resumed(larger).epochs[2].find("rate") == Approx(0.01 * eq::Schedule::cosine(2.5, 4)));
  eq::TrainerOptions other = longer;
  other.schedule = eq::Schedule::constant;
  CHECK(*resumed(other).epochs[5].find("rate") == 0.01);
}

TEST_CASE("a schedule that has come to 0 is not prolonged", "[training][error]") {
  const auto data = support::toy_data<2, Kind::regression>(16);
  const support::TemporaryFolder folder;
  eq::TrainerOptions o = with(eq::Schedule::cosine, 2);
  o.checkpoint = (folder.path() / "c.pt").string();
  (void)eq::Trainer(model(), o).fit(data);
  o.epochs = 4;
  eq::Trainer trainer(model(), o);
  trainer.resume(o.checkpoint);
  for (int i = 0; i < 2; ++i)
    CHECK_THROWS_WITH(trainer.fit(data), Catch::Contains("[equipoise.value.234]") && Catch::Contains("came to 0"));
}

TEST_CASE("a longer plan of a rate that rises first never goes above what the plan before would have reached",
          "[training][property]") {
  const auto data = support::toy_data<2, Kind::regression>(32);
  const eq::Schedule sawtooth = [](double done, double) { return 0.2 + 0.8 * (done / 3 - std::floor(done / 3)); };
  for (const auto& [schedule, stop] : {std::pair<eq::Schedule, std::int64_t>(eq::OneCycle{}, 5),
                                       std::pair<eq::Schedule, std::int64_t>(eq::OneCycle{}, 2),
                                       std::pair<eq::Schedule, std::int64_t>(eq::OneCycle{.rise = 0.6}, 5),
                                       std::pair<eq::Schedule, std::int64_t>(sawtooth, 4)}) {
    const support::TemporaryFolder folder;
    eq::TrainerOptions o = with(schedule, 10);
    o.checkpoint = (folder.path() / "c.pt").string();
    std::int64_t done = 0;
    eq::Trainer first(model(), o);
    first.on_epoch([&](const eq::EpochRecord&) { ++done; });
    first.stop_when([&, n = stop] { return done == n; });
    (void)first.fit(data);
    double still = 0;
    for (double at = static_cast<double>(stop); at <= 10; at += 0.01) still = std::max(still, schedule(at, 10));
    for (const std::int64_t epochs : {14, 40}) {
      eq::TrainerOptions longer = o;
      longer.epochs = epochs;
      eq::Trainer trainer(model(), longer);
      trainer.resume(o.checkpoint);
      done = 0;
      const eq::History h = trainer.fit(data);
      for (std::size_t e = static_cast<std::size_t>(stop); e < h.epochs.size(); ++e)
        CHECK(*h.epochs[e].find("rate") <= 0.01 * still * (1 + 1e-9));
      longer.epochs = epochs + 20;  // the limit is part of the checkpoint
      eq::Trainer again(model(), longer);
      again.resume(o.checkpoint);
      for (const eq::EpochRecord& e : again.fit(data).epochs)
        if (e.epoch >= stop) CHECK(*e.find("rate") <= 0.01 * still * (1 + 1e-9));
      std::filesystem::remove(o.checkpoint);
      done = 0;
      eq::Trainer anew(model(), o);
      anew.on_epoch([&](const eq::EpochRecord&) { ++done; });
      anew.stop_when([&, n = stop] { return done == n; });
      (void)anew.fit(data);
    }
  }
}

TEST_CASE("a plateau that watches another figure after a resume forgets the one of before", "[training][behaviour]") {
  const auto data = support::toy_data<2, Kind::classification>(32),
             held = support::toy_data<2, Kind::classification>(16, 9);
  const support::TemporaryFolder folder;
  const auto make = [] { return support::toy_model<2, Kind::classification>(eq::Sum{.width = 6}); };
  eq::TrainerOptions o = with(eq::Plateau{.factor = 0.5, .patience = 3}, 2);
  o.monitor = "y/accuracy", o.checkpoint = (folder.path() / "c.pt").string();
  (void)eq::Trainer(make(), o).fit(data, held);
  o.monitor = "y", o.epochs = 7;  // a loss, which is above the accuracy of before: the first one is the best so far
  eq::Trainer trainer(make(), o);
  trainer.resume(o.checkpoint);
  for (const eq::EpochRecord& e : trainer.fit(data, held).epochs) CHECK(*e.find("rate") == Approx(0.01));
}
