#include <equipoise/evaluation/conditions.hpp>
#include <equipoise/evaluation/study.hpp>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/samples.hpp"

namespace eq = equipoise;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

std::vector<eq::StudyCell> cells_of(int seeds) {
  std::vector<eq::StudyCell> out;
  for (const std::string method : {"concat", "attention"})
    for (int seed = 1; seed <= seeds; ++seed)
      out.push_back({method + "/seed" + std::to_string(seed), {{"method", method}, {"seed", std::to_string(seed)}}});
  return out;
}

/// Counts in its folder how often it was computed.
void count(const eq::StudyCell&, const fs::path& folder) {
  std::ofstream(folder / "tries", std::ios::app) << "x";
}
std::size_t tries(const fs::path& folder) {
  return fs::exists(folder / "tries") ? fs::file_size(folder / "tries") : 0;
}

}  // namespace

TEST_CASE("every cell is computed once, whatever the number of processes, and not again", "[evaluation][study]") {
  for (const std::size_t jobs : {1U, 3U}) {
    const support::TemporaryFolder folder;
    const auto cells = cells_of(4);
    std::size_t reports = 0;
    const eq::StudyOptions options{.jobs = jobs, .on_cell = [&](const eq::StudyProgress& p) {
                                     CHECK(p.finished == ++reports);
                                     CHECK(p.cells == 8);
                                   }};
    for (int again = 0; again < 2; ++again)
      for (const eq::CellResult& r : eq::run_study(folder.path(), cells, count, options))
        CHECK(r.state == eq::CellState::finished);
    CHECK(reports == 8);
    for (const eq::StudyCell& c : cells) CHECK(tries(folder.path() / c.name) == 1);
  }
}

TEST_CASE("more cells are added to a study, and only they are computed", "[evaluation][study]") {
  const support::TemporaryFolder folder;
  (void)eq::run_study(folder.path(), cells_of(1), count);
  const auto cells = cells_of(2);
  (void)eq::run_study(folder.path(), cells, count, {.jobs = 2});
  for (const eq::StudyCell& c : cells) CHECK(tries(folder.path() / c.name) == 1);
}

TEST_CASE("a cell that fails says why, does not stop the others, and is tried again", "[evaluation][study]") {
  const support::TemporaryFolder folder;
  const auto cells = cells_of(2);
  bool broken = true;
  const auto compute = [&](const eq::StudyCell& cell, const fs::path& path) {
    count(cell, path);
    if (broken && cell.name == "concat/seed1") throw std::runtime_error("no such column");
    if (broken && cell.name == "concat/seed2") std::raise(SIGKILL);  // as where memory ends
    if (broken && cell.name == "attention/seed1") std::_Exit(7);
  };
  const auto first = eq::run_study(folder.path(), cells, compute, {.jobs = 2});
  CHECK(first[0].error == "no such column");
  CHECK(first[1].error == "its process was ended by signal 9");
  CHECK(first[2].error == "its process ended with status 7");
  CHECK(first[3].state == eq::CellState::finished);
  broken = false;
  for (const eq::CellResult& r : eq::run_study(folder.path(), cells, compute)) {
    CHECK(r.state == eq::CellState::finished);
    CHECK(r.error.empty());
  }
  CHECK(tries(folder.path() / cells[0].name) == 2);
  CHECK(tries(folder.path() / cells[3].name) == 1);
  CHECK(!fs::exists(folder.path() / cells[0].name / "error.txt"));
}

TEST_CASE("a study that is stopped ends its processes, and goes on where it was", "[evaluation][study]") {
  const support::TemporaryFolder folder;
  const auto cells = cells_of(2);
  bool long_lasting = true;
  const auto compute = [&](const eq::StudyCell& cell, const fs::path& path) {
    count(cell, path);
    if (long_lasting && cell.name == "concat/seed2") std::this_thread::sleep_for(std::chrono::hours(1));
  };
  std::size_t ended = 0;
  const auto first = eq::run_study(folder.path(), cells, compute,
                                   {.on_cell = [&](const auto&) { ++ended; },
                                    .should_stop = [&] { return tries(folder.path() / cells[1].name) == 1; }});
  CHECK(ended == 1);
  CHECK(first[0].state == eq::CellState::finished);
  CHECK(first[1].state == eq::CellState::left);
  CHECK(first[3].state == eq::CellState::left);
  long_lasting = false;
  for (const eq::CellResult& r : eq::run_study(folder.path(), cells, compute))
    CHECK(r.state == eq::CellState::finished);
  CHECK(tries(folder.path() / cells[1].name) == 2);
}

TEST_CASE("a finished cell that is not current is computed again", "[evaluation][study]") {
  const support::TemporaryFolder folder;
  const auto cells = cells_of(2);
  (void)eq::run_study(folder.path(), cells, count);
  std::vector<std::string> asked;
  const eq::StudyOptions options{.is_current = [&](const eq::StudyCell& cell, const fs::path& path) {
    CHECK(path == folder.path() / cell.name);
    asked.push_back(cell.name);
    return cell.name != cells[2].name;
  }};
  const auto fails = [&](const eq::StudyCell&, const fs::path& path) {
    if (fs::exists(path / "finished")) std::_Exit(7);  // a cell that is stopped here must not seem finished
    throw std::runtime_error("no such column");
  };
  const auto again = eq::run_study(folder.path(), cells, fails, options);
  CHECK(asked.size() == cells.size());
  CHECK(again[2].state == eq::CellState::failed);
  CHECK(again[2].error == "no such column");
  CHECK(again[3].state == eq::CellState::finished);
  CHECK(eq::run_study(folder.path(), cells, count)[2].state == eq::CellState::finished);
  for (const eq::StudyCell& c : cells) CHECK(tries(folder.path() / c.name) == (c.name == cells[2].name ? 2 : 1));
}

TEST_CASE("a folder of other settings is refused before anything is computed", "[evaluation][study]") {
  const support::TemporaryFolder folder;
  auto cells = cells_of(1);
  (void)eq::run_study(folder.path(), std::vector{cells[1]}, count);
  cells[1].settings.emplace_back("learning rate", "0.001, then less");
  CHECK_THROWS_WITH(
      eq::run_study(folder.path(), cells, count),
      Contains("attention/seed1: it was computed with learning rate none, this study has 0.001, then less"));
  CHECK(!fs::exists(folder.path() / cells[0].name));
  cells[1].settings.pop_back(), cells[1].settings.pop_back();
  CHECK_THROWS_WITH(eq::run_study(folder.path(), cells, count), Contains("with seed 1, this study has none"));
  fs::create_directories(folder.path() / "concat/seed1");
  std::ofstream(folder.path() / "concat/seed1/thesis.tex") << "x";
  CHECK_THROWS_WITH(eq::run_study(folder.path(), std::vector{cells[0]}, count), Contains("without settings.csv"));
}

TEST_CASE("a study is computed by one process at a time, and may be read meanwhile", "[evaluation][study]") {
  const support::TemporaryFolder folder;
  const std::vector<eq::StudyCell> first = {{"a", {}}}, both = {{"a", {}}, {"b", {}}};
  const auto nothing = [](const eq::StudyCell&, const std::filesystem::path&) {};
  (void)eq::run_study(folder.path(), first, nothing);
  const eq::io::FolderLock other(folder.path());
  CHECK_THROWS_WITH(eq::run_study(folder.path(), both, nothing), Catch::Contains("another process is writing"));
  CHECK_FALSE(std::filesystem::exists(folder.path() / "b"));
  CHECK(eq::run_study(folder.path(), first, nothing)[0].state == eq::CellState::finished);
}

TEST_CASE("settings of any text are the same when they are read again", "[evaluation][study]") {
  const support::TemporaryFolder folder;
  const std::vector<eq::StudyCell> cells = {{"a", {{"text", " \"a\", b\r\nc "}, {"empty", ""}}}};
  for (int again = 0; again < 2; ++again) (void)eq::run_study(folder.path(), cells, count);
  CHECK(tries(folder.path() / "a") == 1);
}

TEST_CASE("cells need folders of their own", "[evaluation][study]") {
  const support::TemporaryFolder folder;
  const auto run = [&](const std::vector<std::string>& names) {
    std::vector<eq::StudyCell> cells;
    for (const std::string& name : names) cells.push_back({name, {}});
    return eq::run_study(folder.path(), cells, count);
  };
  for (const std::string name : {"", "/a", "../a", "a/../b", "a/", "./a"})
    CHECK_THROWS_WITH(run({name}), Contains("value.245"));
  CHECK_THROWS_WITH(run({"a", "b", "a"}), Contains("expected cells in folders apart, got \"a/\" and \"a/\""));
  CHECK_THROWS_WITH(run({"a/b", "a"}), Contains("apart"));
  CHECK(run({"a", "ab", "b/a"}).size() == 3);
  CHECK_THROWS_WITH(eq::run_study(folder.path(), std::vector<eq::StudyCell>{}, count, {.jobs = 0}),
                    Contains("StudyOptions.jobs"));
}

TEST_CASE("a model is tested with all modalities, all but each, each alone, and noise on one", "[evaluation][study]") {
  const auto names = [](const std::vector<eq::TestCondition>& conditions) {
    std::vector<std::string> out;
    for (const eq::TestCondition& c : conditions) out.push_back(c.name);
    return out;
  };
  using Names = std::vector<std::string>;
  const std::vector<eq::ModalityNoise> noise = {{"b", 0.5, "0.5 SD"}, {"x", 1, "1 mm"}};
  const auto three = eq::test_conditions({"a", "b", "c"}, noise);
  const auto two = eq::test_conditions({"b", "c"}, noise);
  CHECK(names(three) ==
        Names{"all", "all but a", "all but b", "all but c", "a alone", "b alone", "c alone", "noise on b (0.5 SD)"});
  CHECK(three[2].shown == Names{"a", "c"});
  CHECK(three[2].missing(3) == 1);
  CHECK(names(two) == Names{"all", "b alone", "c alone", "noise on b (0.5 SD)"});
  CHECK(two.back().shown == Names{"b", "c"});
  CHECK(names(eq::test_conditions({"a"})) == Names{"all"});
  CHECK(eq::condition_names({two, three}) == names(three));
  CHECK(eq::condition_settings(two).back() ==
        std::pair<std::string, std::string>("condition noise on b (0.5 SD)", "0.5"));

  const auto columns = eq::condition_columns(two, {"mae", "map"});
  CHECK(columns[2] == "b alone, mae");
  const std::vector<eq::TestedRecord> records = {{"r", "p", {1, 2, 3, 4, 5, 6, 7, 8}}};
  CHECK(eq::under_condition(records, 1, 2)[0].figures == std::vector<double>{3, 4});
}

TEST_CASE("noise of a record has its strength, and is the same in every run", "[evaluation][study]") {
  const auto noise = [](std::uint64_t record, const char* modality, double strength) {
    std::vector<float> x(10000, 1.0F);
    eq::add_noise(x, strength, modality, record);
    return x;
  };
  double sum = 0, squares = 0;
  for (const float x : noise(7, "dose", 0.5)) sum += x - 1, squares += (x - 1) * (x - 1);
  CHECK(std::abs(sum) < 4 * 0.5 * std::sqrt(10000.0));  // four standard errors of a sum
  CHECK(squares / 10000 == Approx(0.25).margin(4 * 0.25 * std::sqrt(2 / 10000.0)));
  CHECK(noise(7, "dose", 0.5) == noise(7, "dose", 0.5));
  CHECK(noise(8, "dose", 0.5) != noise(7, "dose", 0.5));
  CHECK(noise(7, "maps", 0.5) != noise(7, "dose", 0.5));
  CHECK(noise(7, "dose", 0) == std::vector<float>(10000, 1.0F));
}
