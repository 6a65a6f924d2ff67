// What a run leaves behind, however it ends, and what its figures are means of.

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
auto data(std::int64_t n = 32, std::uint64_t seed = 3) {
  return support::toy_data<2, Kind::regression>(n, seed);
}

/// Too fast: the best epoch is soon over.
eq::TrainerOptions fast(std::int64_t epochs) {
  eq::TrainerOptions o = support::toy_options(epochs);
  o.learning_rate = 0.4;
  return o;
}

}  // namespace

TEST_CASE("a second fit goes on from where the first one stopped, not from its best epoch, bit for bit",
          "[training][law]") {
  const auto train = data(), held = data(16, 9);
  const auto whole = model(), cut = model();
  const eq::History expected = eq::Trainer(whole, fast(8)).fit(train, held);
  std::int64_t done = 0;
  eq::Trainer trainer(cut, fast(8));
  trainer.on_epoch([&](const eq::EpochRecord&) { ++done; });
  trainer.stop_when([&] { return done == 6; });
  const eq::History first = trainer.fit(train, held);
  REQUIRE(first.best_epoch < 5);  // other parameters than the last ones are deployed
  REQUIRE(first.stop == eq::StopReason::requested);
  trainer.stop_when(nullptr);
  const eq::History second = trainer.fit(train, held);
  CHECK(torch::equal(support::flat_parameters(*whole), support::flat_parameters(*cut)));
  REQUIRE(second.epochs.size() == 8);
  for (std::size_t e = 0; e < 8; ++e) CHECK(second.epochs[e].values == expected.epochs[e].values);
}

TEST_CASE("a second fit keeps parameters that were changed after the first one", "[training][behaviour]") {
  const auto train = data(), held = data(16, 9);
  const auto m = model();
  std::int64_t done = 0;
  eq::Trainer trainer(m, fast(4));
  trainer.on_epoch([&](const eq::EpochRecord&) { ++done; });
  trainer.stop_when([&] { return done >= 2; });
  trainer.fit(train, held);
  {
    const torch::NoGradGuard no_grad;
    for (at::Tensor& p : m->parameters()) p.fill_(0.125);
  }
  at::Tensor seen;
  trainer.stop_when([&] {
    seen = support::flat_parameters(*m);
    return true;
  });
  trainer.fit(train, held);
  CHECK((seen == 0.125).all().item<bool>());
}

TEST_CASE("after an exception the model has the best epoch, in evaluation mode, and the history what was finished",
          "[training][behaviour]") {
  const auto train = data(), held = data(16, 9);
  const auto m = model(), expected = model();
  eq::TrainerOptions o = fast(6);
  std::int64_t batches = 0;
  eq::Trainer trainer(m, o);
  trainer.on_batch([&](std::int64_t, std::int64_t) {
    if (++batches == 4 * 4 + 2) throw std::runtime_error("in the fifth epoch");
  });
  CHECK_THROWS_WITH(trainer.fit(train, held), "in the fifth epoch");
  CHECK(trainer.history().epochs.size() == 4);
  CHECK(trainer.history().stop == eq::StopReason::failed);
  for (const auto& part : m->modules()) CHECK_FALSE(part->is_training());
  for (const at::Tensor& p : m->parameters()) CHECK_FALSE(p.grad().defined());
  o.epochs = 4;
  eq::Trainer(expected, o).fit(train, held);
  CHECK(torch::equal(support::flat_parameters(*m), support::flat_parameters(*expected)));
}

TEST_CASE("without validation a stopped run has the last parameters", "[training][behaviour]") {
  const auto whole = model(), cut = model();
  eq::Trainer(whole, fast(2)).fit(data());
  std::int64_t done = 0;
  eq::Trainer trainer(cut, fast(4));
  trainer.on_epoch([&](const eq::EpochRecord&) { ++done; });
  trainer.stop_when([&] { return done == 2; });
  trainer.fit(data());
  CHECK(torch::equal(support::flat_parameters(*whole), support::flat_parameters(*cut)));
}

TEST_CASE("an epoch's losses are means over its records, not of its batches", "[training][worked]") {
  // At a rate of nearly zero the loss of an epoch is that of the model before it, whatever the batches.
  const auto train = data(10);
  const auto loss = [&](std::int64_t batch_size) {
    eq::TrainerOptions o = support::toy_options(1);
    o.learning_rate = 1e-14, o.batch_size = batch_size;
    return *eq::Trainer(model(), o).fit(train).epochs[0].find("train/y");
  };
  CHECK(loss(8) == Approx(loss(10)).epsilon(1e-9));  // eight records and two
  CHECK(loss(3) == Approx(loss(10)).epsilon(1e-9));
}

TEST_CASE("a weighted objective has a name of its own beside the loss", "[training][worked]") {
  const auto train = data(16);
  eq::TrainerOptions o = support::toy_options(1);
  o.learning_rate = 1e-14, o.batch_size = 16;
  const eq::EpochRecord plain = eq::Trainer(model(), o).fit(train).epochs[0],
                        weighted = eq::Trainer(model(), eq::UncertaintyWeighting{.initial = 1}, o).fit(train).epochs[0];
  CHECK(*weighted.find("train/y") == *plain.find("train/y"));
  CHECK(plain.find("train/y/weighted") == nullptr);
  // e^{-s} L / 2 + s / 2 at s = 1
  CHECK(*weighted.find("train/y/weighted") == Approx(*plain.find("train/y") * std::exp(-1) / 2 + 0.5));
}
