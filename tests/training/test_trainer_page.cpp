// The blocks of docs/trainer.md and docs/reproducibility.md, word for word (gate.links_in_docs compares them).

#include <equipoise/core/model/threads.hpp>
#include <equipoise/equipoise.hpp>
#include <filesystem>
#include <iostream>
#include <sstream>

#include "support/catch.hpp"
#include "support/samples.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

/// Writes what a run tells.
struct Diary {
  std::ostream& out;

  void on_run_begin(const eq::RunView& run) { out << "a run of " << run.epochs << " epochs\n"; }
  void on_note(const eq::RunView&, const std::string& sentence) { out << "note: " << sentence << "\n"; }
  void on_epoch_begin(const eq::RunView& run) { out << "epoch " << run.epoch << " begins\n"; }
  bool should_stop(const eq::RunView& run) { return run.step >= 6; }
  void on_batch_end(const eq::RunView& run, const eq::BatchView& batch) {
    out << "batch " << batch.done << " of " << batch.batches << ", step " << run.step;
    for (const auto& [name, mean] : batch.means.means()) out << ", " << name << " " << mean;
    out << "\n";
  }
  void on_checkpoint(const eq::RunView&, const std::filesystem::path& file) { out << "wrote " << file << "\n"; }
  void on_epoch_end(const eq::RunView&, const eq::EpochRecord& record) {
    out << "epoch " << record.epoch << ": loss " << *record.find("train/gpr") << "\n";
  }
  void on_stop(const eq::RunView&, eq::StopReason reason) { out << eq::to_string(reason) << "\n"; }
  void on_run_end(const eq::RunView& run) { out << run.history.epochs.size() << " epochs are done\n"; }
};

auto compose_model() {
  return eq::compose(eq::modality<"dose">(eq::Mlp{.in_features = 3, .widths = {8}}),
                     eq::modality<"metrics">(eq::Mlp{.in_features = 5, .widths = {8}}),
                     eq::task<"gpr">(eq::Sum{.width = 8}, eq::Regression{}));
}

auto records(std::int64_t n) {
  return eq::batch(eq::input<"dose">(torch::randn({n, 3})), eq::input<"metrics">(torch::randn({n, 5})),
                   eq::target<"gpr">(eq::Values{torch::randn({n, 1})}));
}

}  // namespace

TEST_CASE("the callback of the page on the trainer hears every event", "[training][docs]") {
  const support::TemporaryFolder folder;
  torch::manual_seed(3);
  const auto train = records(32), validation = records(8);
  eq::TrainerOptions options{.epochs = 5, .batch_size = 8, .schedule = eq::Schedule::cosine, .progress = nullptr};
  options.checkpoint = (folder.path() / "run.pt").string();
  std::ostringstream text;
  {
    eq::Trainer trainer(compose_model(), options);
    trainer.add(Diary{text});
    const eq::History history = trainer.fit(train, validation);
    CHECK(history.stop == eq::StopReason::requested);
    CHECK(history.epochs.size() == 1);  // the request came in the second epoch, which is not finished
  }
  options.epochs = 8;
  eq::Trainer again(compose_model(), options);
  again.resume(options.checkpoint);
  again.add(Diary{text});
  again.fit(train, validation);
  for (const char* said : {"a run of 5 epochs\n", "epoch 1 begins\n", "batch 4 of 4, step 4, train/gpr ", ", rate ",
                           "wrote \"", "epoch 0: loss ", "stopped on request\n", "1 epochs are done\n", "note: "})
    CHECK_THAT(text.str(), Catch::Contains(said));
}

TEST_CASE("the history of the page on the trainer is read", "[training][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(8);
  eq::Trainer trainer(compose_model(), eq::Ogm{}, {.epochs = 4, .progress = nullptr});
  std::ostringstream text;
  std::streambuf* const before = std::cout.rdbuf(text.rdbuf());
  const eq::History history = trainer.fit(train, validation);
  for (const eq::EpochRecord& epoch : history.epochs)
    std::cout << epoch.epoch << " " << *epoch.find("train/gpr") << " " << *epoch.find("val/gpr") << "\n";
  if (history.best_epoch >= 0) {
    const eq::EpochRecord& best = history.epochs[static_cast<std::size_t>(history.best_epoch)];
    std::cout << history.monitor << " is best in epoch " << best.epoch << ": " << *best.find(history.monitor) << "\n";
  }
  for (const auto& [name, value] : history.epochs.back().values) std::cout << name << " " << value << "\n";
  if (history.stop != eq::StopReason::finished) std::cout << eq::to_string(history.stop) << "\n";
  std::cout.rdbuf(before);
  CHECK_THAT(text.str(), Catch::Contains("val/objective is best in epoch ") && Catch::Contains("\nogm/k/dose "));
}

TEST_CASE("functions of the page on the trainer watch and stop a run", "[training][docs]") {
  torch::manual_seed(3);
  const auto train = records(32);
  eq::Trainer trainer(compose_model(), {.epochs = 50, .batch_size = 8, .progress = nullptr});
  std::int64_t batches = 0;
  double loss = 0;
  trainer.on_batch([&](std::int64_t done, std::int64_t of) { batches += done <= of ? 1 : 0; });
  trainer.on_epoch([&](const eq::EpochRecord& epoch) { loss = *epoch.find("train/gpr"); });
  trainer.stop_when([&] { return batches >= 10; });
  const eq::History history = trainer.fit(train);
  CHECK(history.stop == eq::StopReason::requested);
  CHECK(batches == 10);
  CHECK(loss > 0);
}

TEST_CASE("the runs of the page on reproducibility are the same", "[training][docs]") {
  torch::manual_seed(3);
  const auto train = records(32);
  const auto run = [&](std::uint64_t seed) {
    torch::manual_seed(seed);  // the parameters that compose draws
    const auto model = compose_model();
    eq::use_threads(*model, train);
    eq::Trainer trainer(model, eq::Opm{}, {.epochs = 3, .seed = seed, .progress = nullptr});
    return *trainer.fit(train).epochs.back().find("train/gpr");
  };
  CHECK(run(1) == run(1));
  CHECK(run(1) != run(2));
}
