// Callbacks: who hears what in which order, the progress line and the logs.

#include <equipoise/training/logs.hpp>
#include <equipoise/training/tensorboard_log.hpp>
#include <fstream>
#include <locale>
#include <regex>
#include <sstream>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
namespace fs = std::filesystem;
using namespace eq::literals;
using support::Kind;

namespace {

auto model() {
  return support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
}
auto data(std::uint64_t seed = 3) {
  return support::toy_data<2, Kind::regression>(16, seed);
}

/// Two batches an epoch.
eq::TrainerOptions options(std::int64_t epochs = 2) {
  return support::toy_options(epochs);
}

/// Writes down everything that it hears.
struct Listener {
  std::string name;
  std::vector<std::string>* heard;
  std::int64_t stop_at_step = -1;

  void say(const std::string& what) { heard->push_back(name + what); }
  void on_run_begin(const eq::RunView& run) {
    say("run " + std::to_string(run.epoch) + "/" + std::to_string(run.epochs));
  }
  void on_note(const eq::RunView&, const std::string& note) { say("note " + note); }
  void on_epoch_begin(const eq::RunView& run) { say("epoch " + std::to_string(run.epoch)); }
  bool should_stop(const eq::RunView& run) { return run.step == stop_at_step; }
  void on_batch_end(const eq::RunView& run, const eq::BatchView& batch) {
    say("batch " + std::to_string(batch.done) + "/" + std::to_string(batch.batches) + " step " +
        std::to_string(run.step));
    CHECK(batch.means.means().at(0).first == "train/y");
  }
  void on_checkpoint(const eq::RunView&, const fs::path& path) { say("checkpoint " + path.filename().string()); }
  void on_epoch_end(const eq::RunView& run, const eq::EpochRecord& record) {
    say("end of " + std::to_string(record.epoch));
    CHECK(run.history.epochs.back().values == record.values);
  }
  void on_stop(const eq::RunView&, eq::StopReason reason) { say(std::string(eq::to_string(reason))); }
  void on_run_end(const eq::RunView& run) { say("over, " + std::string(eq::to_string(run.history.stop))); }
};

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct OnlyEnds {
  int* ends;
  void on_run_end(const eq::RunView&) { ++*ends; }
};
struct Nothing {};
struct Wrong {
  void on_epoch_end(int);
};
static_assert(eq::Callback<Listener> && eq::Callback<OnlyEnds>);
static_assert(!eq::Callback<Nothing> && !eq::Callback<Wrong>);

}  // namespace

TEST_CASE("callbacks hear a run's events in order, each in the order in which they were added",
          "[training][behaviour]") {
  const support::TemporaryFolder folder;
  std::vector<std::string> heard;
  eq::TrainerOptions o = options(1);
  o.checkpoint = (folder.path() / "c.pt").string();
  eq::Trainer trainer(model(), o);
  trainer.add(Listener{"a ", &heard});
  trainer.add(std::make_shared<Listener>(Listener{"b ", &heard}));
  trainer.on_epoch([&](const eq::EpochRecord&) { heard.emplace_back("own"); });
  trainer.fit(data());
  CHECK(heard == std::vector<std::string>{"a run 0/1", "b run 0/1", "a epoch 0", "b epoch 0", "a batch 1/2 step 1",
                                          "b batch 1/2 step 1", "a batch 2/2 step 2", "b batch 2/2 step 2",
                                          "a checkpoint c.pt", "b checkpoint c.pt", "a end of 0", "b end of 0", "own",
                                          "a over, finished", "b over, finished"});
}

TEST_CASE("a callback may stop the run", "[training][behaviour]") {
  std::vector<std::string> heard;
  eq::Trainer trainer(model(), options(3));
  trainer.add(Listener{"", &heard, 3});
  const eq::History h = trainer.fit(data());
  CHECK(h.epochs.size() == 1);
  CHECK(h.stop == eq::StopReason::requested);
  CHECK(heard.at(heard.size() - 2) == "stopped on request");
  CHECK(heard.back() == "over, stopped on request");
}

TEST_CASE("an exception of a callback leaves fit, and all others are told that the run is over",
          "[training][behaviour]") {
  struct Throws {
    void on_epoch_end(const eq::RunView&, const eq::EpochRecord& record) {
      if (record.epoch == 1) throw std::runtime_error("full disk");
    }
    void on_run_end(const eq::RunView&) { throw std::logic_error("hides nothing"); }
  };
  int ends = 0;
  const auto m = model();
  eq::Trainer trainer(m, options(5));
  trainer.add(Throws{});
  trainer.add(OnlyEnds{&ends});
  CHECK_THROWS_WITH(trainer.fit(data()), "full disk");
  CHECK(ends == 1);
  CHECK(trainer.history().epochs.size() == 2);
  CHECK(trainer.history().stop == eq::StopReason::failed);
  CHECK_FALSE(m->is_training());
  CHECK_FALSE(m->encoder("a"_n).is_training());
}

TEST_CASE("a callback that throws when a run ends hides the end from no other", "[training][behaviour]") {
  struct ThrowsAtStop {
    bool should_stop(const eq::RunView& run) { return run.epoch == 1; }
    void on_stop(const eq::RunView&, eq::StopReason) { throw std::runtime_error("no network"); }
  };
  struct ThrowsAtEnd {
    void on_run_end(const eq::RunView&) { throw std::logic_error("no disk"); }
  };
  int ends = 0;
  eq::Trainer regular(model(), options(2));
  regular.add(ThrowsAtEnd{});
  regular.add(OnlyEnds{&ends});
  CHECK_THROWS_WITH(regular.fit(data()), "no disk");
  CHECK(ends == 1);
  CHECK(regular.history().stop == eq::StopReason::failed);
  CHECK(regular.history().epochs.size() == 2);
  eq::Trainer early(model(), options(5));
  early.add(ThrowsAtStop{});
  early.add(ThrowsAtEnd{});
  early.add(OnlyEnds{&ends});
  CHECK_THROWS_WITH(early.fit(data()), "no network");  // the first one
  CHECK(ends == 2);
  CHECK(early.history().epochs.size() == 1);
}

TEST_CASE("validation records without a label are said to choose no best epoch", "[training][behaviour]") {
  auto unlabelled = data(9);
  unlabelled.targets["y"_n].tensor.fill_(std::numeric_limits<double>::quiet_NaN());
  const auto notes = [&](bool keep_best, bool validated) {
    eq::TrainerOptions o = options(1);
    o.keep_best = keep_best;
    std::vector<std::string> heard, out;
    eq::Trainer trainer(model(), o);
    trainer.add(Listener{"", &heard});
    validated ? (void)trainer.fit(data(), unlabelled) : (void)trainer.fit(data());
    std::copy_if(heard.begin(), heard.end(), std::back_inserter(out),
                 [](const std::string& h) { return h.starts_with("note "); });
    return out;
  };
  CHECK(notes(true, true) ==
        std::vector<std::string>{"note no validation record has a label: the last epoch is kept, not the best one"});
  CHECK(notes(false, true).empty());
  CHECK(notes(true, false).empty());
}

TEST_CASE("a resume with another number of epochs says what becomes of the rate", "[training][behaviour]") {
  const support::TemporaryFolder folder;
  eq::TrainerOptions o = options(2);
  o.schedule = eq::CosineDecay{.last = 0.5}, o.checkpoint = (folder.path() / "c.pt").string();
  eq::Trainer(model(), o).fit(data());
  o.epochs = 3;
  std::vector<std::string> heard;
  eq::Trainer trainer(model(), o);
  trainer.add(Listener{"", &heard});
  trainer.resume(o.checkpoint);
  trainer.fit(data());
  CHECK(heard.at(1) ==
        "note after 2 epochs, of which there were to be 2 and now are 3, the learning rate goes on from 0.5 "
        "of its first value along the longer or shorter cosine(last=0.5)");
}

TEST_CASE("the progress line tells epoch, losses and rate, and no time left before the rate is steady",
          "[training][behaviour]") {
  const auto printed = [](bool terminal, double seconds) {
    std::ostringstream out;
    eq::TrainerOptions o = options(2);
    o.progress = nullptr;
    eq::Trainer trainer(model(), o);
    trainer.add(std::make_shared<eq::ProgressLine>(out, terminal, seconds));
    trainer.fit(data(), data(4));
    return out.str();
  };
  const std::regex plain(
      "epoch 1/2, train/y [0-9.e-]+, rate 0\\.05, val/objective [0-9.e-]+\n"
      "epoch 2/2, train/y [0-9.e-]+, rate 0\\.05, val/objective [0-9.e-]+\n");
  CHECK(std::regex_match(printed(false, 0), plain));
  CHECK(printed(false, 60).empty());
  const std::string drawn = printed(true, 60);
  CHECK(drawn.starts_with("\repoch 1/2"));
  CHECK(drawn.ends_with("\x1b[K\n"));
  std::ostringstream out;
  eq::TrainerOptions o = options(1);
  CHECK(o.progress == &std::cerr);
  o.progress = &out;
  eq::Trainer(model(), o).fit(data());
  CHECK(out.str().empty());  // shorter than five seconds
}

TEST_CASE("a table and lines of JSON hold the whole history, also where a run goes on", "[training][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path csv = folder.path() / "logs" / "h.csv", jsonl = folder.path() / "logs" / "h.jsonl";
  eq::TrainerOptions o = options(1);
  o.checkpoint = (folder.path() / "c.pt").string();
  eq::History history;
  for (const std::int64_t epochs : {1, 3}) {
    o.epochs = epochs;
    eq::Trainer trainer(model(), eq::windowed(eq::Ogm{}, {.from = 1}), o);  // new figures in the second epoch
    trainer.add(eq::CsvLog(csv));
    trainer.add(eq::JsonlLog(jsonl));
    if (epochs > 1) trainer.resume(o.checkpoint);
    history = trainer.fit(data(), data(4));
  }
  std::istringstream table(text_of(csv)), lines(text_of(jsonl));
  std::string line, head;
  std::getline(table, head);
  CHECK(head.starts_with("epoch,train/y,rate,val/y,val/objective,"));
  for (std::int64_t e = 0; e < 3; ++e) {
    const eq::EpochRecord& record = history.epochs.at(static_cast<std::size_t>(e));
    std::getline(table, line);
    CHECK(line.starts_with(std::to_string(e) + "," + eq::number_text(*record.find("train/y")) + ",0.05,"));
    CHECK(std::count(line.begin(), line.end(), ',') == std::count(head.begin(), head.end(), ','));
    std::getline(lines, line);
    CHECK(line.starts_with("{\"epoch\":" + std::to_string(e) +
                           ",\"train/y\":" + eq::number_text(*record.find("train/y")) + ","));
  }
  CHECK_FALSE(std::getline(table, line));
  CHECK_FALSE(std::getline(lines, line));
}

TEST_CASE("logs, checkpoints and options do not depend on the locale", "[training][behaviour]") {
  struct Comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const support::TemporaryFolder folder;
  const auto logs = [&](const std::string& name) {
    const fs::path csv = folder.path() / (name + ".csv"), jsonl = folder.path() / (name + ".jsonl");
    eq::TrainerOptions o = options(1);
    o.seed = 1234567, o.schedule = eq::CosineDecay{.last = 0.125};
    o.checkpoint = (folder.path() / (name + ".pt")).string();
    for (const std::int64_t epochs : {1, 3}) {
      o.epochs = epochs;
      eq::Trainer trainer(model(), eq::stack(eq::Ogm{.alpha = 0.5}, eq::ShapleyLossFactors{.momentum = 0.75}), o);
      trainer.add(eq::CsvLog(csv));
      trainer.add(eq::JsonlLog(jsonl));
      if (epochs > 1) trainer.resume(o.checkpoint);
      (void)trainer.fit(data(), data(4));
    }
    return text_of(csv) + text_of(jsonl);
  };
  const std::string plain = logs("plain");
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Comma));
  const std::string other = logs("comma");
  eq::TrainerOptions o = options(3);  // a checkpoint of the other locale
  o.seed = 1234567, o.schedule = eq::CosineDecay{.last = 0.125};
  eq::Trainer reader(model(), eq::stack(eq::Ogm{.alpha = 0.5}, eq::ShapleyLossFactors{.momentum = 0.75}), o);
  CHECK_NOTHROW(reader.resume((folder.path() / "plain.pt").string()));
  std::locale::global(before);
  CHECK(plain == other);
}

TEST_CASE("a log that cannot be written is an error before the first epoch", "[training][error]") {
  const support::TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "no folder";
  std::int64_t epochs = 0;
  const auto refused = [&](auto log) {
    eq::Trainer trainer(model(), options());
    trainer.add(std::move(log));
    trainer.on_epoch([&](const eq::EpochRecord&) { ++epochs; });
    CHECK_THROWS_WITH(trainer.fit(data()), Catch::Contains("[equipoise.file.450]"));
  };
  refused(std::make_shared<eq::CsvLog>(folder.path() / "file" / "h.csv"));
  refused(std::make_shared<eq::JsonlLog>(folder.path() / "file" / "h.jsonl"));
  refused(std::make_shared<eq::TensorBoardLog>(folder.path() / "file" / "board"));
  CHECK(epochs == 0);
}

TEST_CASE("TensorBoard event files are read by a reader that is not ours", "[training][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path board = folder.path() / "board", text = folder.path() / "read.txt";
  eq::Trainer trainer(model(), options(3));
  trainer.add(std::make_shared<eq::TensorBoardLog>(board));
  const eq::History h = trainer.fit(data(), data(4));
  const std::string source = std::getenv("EQUIPOISE_SOURCE");
  const std::string command =
      "python3 '" + source + "/tests/training/read_events.py' '" + board.string() + "' > '" + text.string() + "'";
  REQUIRE(std::system(command.c_str()) == 0);
  std::istringstream in(text_of(text));
  std::string reader, tag;
  in >> reader;
  if (reader != "tensorboard")
    WARN("Python's package tensorboard is not installed: read by the test's own decoder only");
  for (const eq::EpochRecord& e : h.epochs)
    for (const auto& [name, value] : e.values) {
      std::int64_t step = -1;
      double read = 0;
      in >> step >> tag >> read;
      CHECK(step == e.epoch);
      CHECK(tag == name);
      CHECK(static_cast<float>(read) == static_cast<float>(value));
    }
  CHECK_FALSE(in >> tag);
}
