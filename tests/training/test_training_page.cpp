// The blocks of docs/training.md, word for word (gate.links_in_docs compares them).

#include <torch/optim/rmsprop.h>

#include <equipoise/data/weights.hpp>
#include <equipoise/training/logs.hpp>
#include <equipoise/training/tensorboard_log.hpp>
#include <filesystem>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

struct StopBelow {
  double loss;
  bool reached = false;
  void on_epoch_end(const eq::RunView&, const eq::EpochRecord& record) { reached = *record.find("train/gpr") < loss; }
  bool should_stop(const eq::RunView&) { return reached; }
};

auto small() {
  torch::manual_seed(2);
  return eq::compose(eq::modality<"dose">(eq::Mlp{.in_features = 3, .widths = {4}}),
                     eq::modality<"metrics">(eq::Mlp{.in_features = 5, .widths = {4}}),
                     eq::task<"gpr">(eq::Sum{.width = 4}, eq::Regression{.outputs = 1}),
                     eq::task<"label">(eq::Sum{.width = 4}, eq::Classification{.classes = 2}));
}

auto records(std::int64_t n) {
  return eq::batch(eq::input<"dose">(torch::randn({n, 3})), eq::input<"metrics">(torch::randn({n, 5})),
                   eq::target<"gpr">(eq::Values{torch::randn({n, 1})}),
                   eq::target<"label">(eq::Labels{torch::randint(2, {n}, torch::kLong)}));
}

}  // namespace

TEST_CASE("the options of the page on training train", "[training][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16);
  const auto runs = [&](eq::TrainerOptions o) {
    o.epochs = 2;
    return eq::Trainer(small(), o).fit(train, validation).epochs.size() == 2;
  };
  {
    const auto model = small();
    eq::Trainer trainer(model, {.epochs = 40, .batch_size = 32, .seed = 7, .learning_rate = 1e-3});
    eq::History history = trainer.fit(train, validation);
    CHECK(history.epochs.size() == 40);
    CHECK(trainer.history().monitor == "val/objective");
  }
  eq::TrainerOptions sgd{.optimizer = eq::Optimizer::sgd, .learning_rate = 0.05, .momentum = 0.9};
  CHECK(runs(sgd));
  eq::TrainerOptions rmsprop{.optimizer =
                                 eq::optimizer<torch::optim::RMSprop>(torch::optim::RMSpropOptions(1e-3).alpha(0.9))};
  CHECK(runs(rmsprop));
  eq::TrainerOptions fine_tune{
      .learning_rate = 1e-3,
      .groups = {{"dose", {.learning_rate = 1e-4, .weight_decay = 0}}, {"metrics", {.frozen = true}}}};
  CHECK(runs(fine_tune));
  eq::TrainerOptions stepwise{.schedule = eq::StepDecay{.every = 10, .factor = 0.5}, .warmup_epochs = 0.5};
  CHECK(runs(stepwise));
  eq::TrainerOptions inverse{.schedule = [](double done, double) { return 1 / (1 + 0.1 * done); }};
  CHECK(runs(inverse));
  eq::TrainerOptions watched{.monitor = "label/accuracy", .min_delta = 0.001, .patience = 5};
  CHECK(runs(watched));
  auto weighted = train.with_weights(eq::balanced_weights(train.targets["label"_n]));
  CHECK(weighted.weights.size() == 32);
  eq::TrainerOptions quiet{.progress = nullptr};
  CHECK(runs(quiet));
}

TEST_CASE("the resume of the page on training goes on", "[training][docs]") {
  const support::TemporaryFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16);
  eq::History history =
      eq::Trainer(small(), {.epochs = 4, .batch_size = 32, .seed = 7, .checkpoint = "run.pt"}).fit(train, validation);
  const auto model = small();
  eq::Trainer again(model, {.epochs = 6, .batch_size = 32, .seed = 7, .checkpoint = "run.pt"});
  again.resume("run.pt");
  history = again.fit(train, validation);
  std::filesystem::current_path(before);
  CHECK(history.epochs.size() == 6);
}

TEST_CASE("the callbacks of the page on training log and stop", "[training][docs]") {
  const support::TemporaryFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  torch::manual_seed(3);
  eq::Trainer trainer(small(), {.epochs = 400, .learning_rate = 0.05});
  trainer.add(StopBelow{.loss = 0.1});
  trainer.add(eq::CsvLog("run/history.csv"));
  trainer.add(eq::JsonlLog("run/history.jsonl"));
  trainer.add(std::make_shared<eq::TensorBoardLog>("run/board"));
  const eq::History history = trainer.fit(records(16));
  std::filesystem::current_path(before);
  CHECK(history.stop == eq::StopReason::requested);
  CHECK(*history.epochs.back().find("train/gpr") < 0.1);
  for (const char* file : {"run/history.csv", "run/history.jsonl", "run/board"})
    CHECK(std::filesystem::exists(folder.path() / file));
}
