#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/samples.hpp"

namespace fs = std::filesystem;
using Json = nlohmann::json;
using support::Outcome;
using support::psqa;
using support::quoted;

namespace {

/// A folder with two cohorts of the same plans' names and numbers; copies of two that are simulated once.
struct Cohorts {
  support::TemporaryFolder folder;
  fs::path root = folder.path(), first = root / "first", second = root / "second";

  Cohorts() {
    static const support::TemporaryFolder made;
    for (const char* seed : {"1", "2"})
      if (!fs::exists(made.path() / seed))
        REQUIRE(psqa(std::string("simulate --noise-ceiling 0 --plans 24 --seed ") + seed + " --out " +
                     quoted(made.path() / seed))
                    .code == 0);
    fs::copy(made.path() / "1", first, fs::copy_options::recursive);
    fs::copy(made.path() / "2", second, fs::copy_options::recursive);
  }
  [[nodiscard]] Outcome train(const fs::path& cohort, const std::string& run, const std::string& more) const {
    return psqa("train --method concat --cohort " + quoted(cohort) + " --out " + quoted(root / run) + " " + more);
  }
};

void refused(const std::string& arguments, const std::string& words) {
  const Outcome o = psqa(arguments);
  INFO(arguments << "\n" << o.out);
  CHECK(o.code == 1);
  CHECK(o.out.find(words) != std::string::npos);
  CHECK(o.out.find("frame #") == std::string::npos);
  CHECK(std::count(o.out.begin(), o.out.end(), '\n') == 1);
}

Json description(const fs::path& run) {
  std::ifstream in(run / "run.json");
  return Json::parse(in);
}

}  // namespace

TEST_CASE("a run is used only with the cohort and the budget that it was trained with", "[flagship][error]") {
  const Cohorts c;
  const std::string compare = "compare --json --methods concat --seeds 1 --out " + quoted(c.root / "runs");
  REQUIRE(psqa(compare + " --epochs 1 --cohort " + quoted(c.first)).code == 0);
  CHECK(psqa(compare + " --epochs 1 --cohort " + quoted(c.first)).code == 0);
  refused(compare + " --epochs 2 --cohort " + quoted(c.first), "expected a run with trainer.epochs = \"2\", got \"1\"");
  refused(compare + " --epochs 1 --cohort " + quoted(c.second), "expected the cohort that the run was trained on");

  REQUIRE(c.train(c.first, "a", "--epochs 1").code == 0);
  REQUIRE(c.train(c.second, "b", "--epochs 1").code == 0);
  refused("evaluate --run " + quoted(c.root / "a") + " " + quoted(c.root / "b"), "b: expected the cohort");
  fs::copy_file(c.second / "records.csv", c.first / "records.csv", fs::copy_options::overwrite_existing);
  refused("evaluate --run " + quoted(c.root / "a"), "or it has changed since");
  refused("explain --run " + quoted(c.root / "a"), "or it has changed since");
  refused("train --resume --epochs 2 --out " + quoted(c.root / "a"), "or it has changed since");
}

TEST_CASE("methods are looked at before the first is trained", "[flagship][error]") {
  const Cohorts c;
  refused("compare --methods concat concta --seeds 1 --epochs 1 --cohort " + quoted(c.first) + " --out " +
              quoted(c.root / "runs"),
          "did you mean \"concat\"");
  CHECK_FALSE(fs::exists(c.root / "runs"));
}

TEST_CASE("folds test every record, machines left out are tested on models of the others", "[flagship][behaviour]") {
  const Cohorts c;
  const std::string common =
      "compare --json --methods concat metrics_only --epochs 1 --seeds 1 --cohort " + quoted(c.first) + " --out ";
  const Json folds = Json::parse(psqa(common + quoted(c.root / "folds") + " --folds 3", false).out);
  CHECK(folds["records_tested"] == 24);
  CHECK(fs::exists(c.root / "folds" / "concat" / "seed1-fold3" / "run.json"));
  CHECK(description(c.root / "folds" / "metrics_only" / "seed1-fold1")["modalities"] == Json{"metrics"});
  const Json machines = Json::parse(psqa(common + quoted(c.root / "machines") + " --leave-out-machines", false).out);
  CHECK(machines["records_tested"] == 24);
  CHECK(machines["methods"].size() == 5);  // and ridge, forest and constant
  const Json run = description(c.root / "machines" / "concat" / "seed1-machine1");
  std::ifstream in(c.first / "records.csv");
  std::string line;
  std::vector<std::string> machine_of;
  for (std::getline(in, line); std::getline(in, line);) {
    std::istringstream cells(line);
    for (int cell = 0; cell < 4; ++cell) std::getline(cells, line, ',');
    machine_of.push_back(line);
  }
  const std::string left_out = run["split_by"]["machine"];
  CHECK(static_cast<std::int64_t>(run["split"]["test"].size()) ==
        std::count(machine_of.begin(), machine_of.end(), left_out));
  for (const auto& i : run["split"]["train"]) CHECK(machine_of.at(i.get<std::size_t>()) != left_out);
  refused("train --leave-out-machine linca6 --epochs 1 --cohort " + quoted(c.first) + " --out " + quoted(c.root / "x"),
          "did you mean \"linac6\"");
}

TEST_CASE("a cohort may begin with real plans", "[flagship][behaviour]") {
  const Cohorts c;
  const std::string simulate = "simulate --noise-ceiling 0 --out ";
  REQUIRE(psqa(simulate + quoted(c.root / "source") + " --plans 2 --seed 9 --dicom").code == 0);
  const std::string plan = quoted(c.root / "source" / "dicom" / "plan1.dcm");
  REQUIRE(psqa(simulate + quoted(c.root / "mixed") + " --plans 3 --rates fields --rtplans " + plan).code == 0);
  std::ifstream in(c.root / "mixed" / "records.csv");
  std::string line;
  std::getline(in, line), std::getline(in, line);
  CHECK(line.starts_with("plan1_2,patient1,"));  // plan1 is one of those that are made
  refused(simulate + quoted(c.root / "few") + " --plans 1 --rtplans " + plan + " " + plan, "at most --plans 1");
  refused(simulate + quoted(c.root / "none") + " --plans 3 --rtplans none.dcm", "none.dcm");
  CHECK_FALSE(fs::exists(c.root / "none"));
}

TEST_CASE("runs and cohorts may move together", "[flagship][behaviour]") {
  const Cohorts c;
  const fs::path moved = c.root / "there";
  REQUIRE(c.train(c.first, "run", "--epochs 1").code == 0);
  fs::create_directories(moved);
  fs::rename(c.first, moved / "first");
  fs::rename(c.root / "run", moved / "run");
  CHECK(support::shell("cd / && psqa evaluate --run " + quoted(moved / "run")).code == 0);
}

TEST_CASE("a run without a model says so", "[flagship][error]") {
  const Cohorts c;
  REQUIRE(c.train(c.first, "run", "--epochs 1").code == 0);
  fs::remove(c.root / "run" / "checkpoint.pt");
  for (const char* command : {"evaluate", "explain", "report"})
    refused(command + (" --run " + quoted(c.root / "run")), "expected a trained model");
  refused("predict none.dcm --run " + quoted(c.root / "run"), "expected a trained model");
}

TEST_CASE("what a file says beside its method counts", "[flagship][behaviour]") {
  const Cohorts c;
  std::ofstream(c.root / "config.toml") << "fusion = \"gated\"\nmethod = \"sum\"\n[trainer]\nepochs = 1\n";
  REQUIRE(psqa("train --config " + quoted(c.root / "config.toml") + " --cohort " + quoted(c.first) + " --out " +
               quoted(c.root / "run"))
              .code == 0);
  CHECK(description(c.root / "run")["fusion"] == "gated");
  REQUIRE(c.train(c.first, "other", "--epochs 1 --fusion attention --fusion-option hidden=8").code == 0);
  CHECK(description(c.root / "other")["fusion_options"]["hidden"] == "8");
  CHECK(psqa("evaluate --run " + quoted(c.root / "other")).code == 0);
  CHECK(c.train(c.first, "third", "--fusion attention --fusion-option hiden=8").out.find("did you mean \"hidden\"") !=
        std::string::npos);
}

TEST_CASE("a full disk under a checkpoint is one line, and leaves the checkpoint before", "[flagship][error]") {
  const Cohorts c;
  REQUIRE(c.train(c.first, "run", "--epochs 1").code == 0);
  const auto before = fs::last_write_time(c.root / "run" / "checkpoint.pt");
  const Outcome o =
      support::shell("trap '' XFSZ; ulimit -f 200; psqa train --resume --epochs 2 --out " + quoted(c.root / "run"));
  INFO(o.out);
  CHECK(o.code == 1);
  CHECK(o.out.find("checkpoint.pt: cannot be written") != std::string::npos);
  CHECK(o.out.find("frame #") == std::string::npos);
  CHECK(fs::last_write_time(c.root / "run" / "checkpoint.pt") == before);
  CHECK_FALSE(fs::exists(c.root / "run" / "checkpoint.pt.part"));
  CHECK(psqa("train --resume --epochs 2 --out " + quoted(c.root / "run")).code == 0);
  refused("train --resume --epochs 1 --out " + quoted(c.root / "run"), "expected at least the 2 epochs");
}

TEST_CASE("Ctrl-C stops a training in order, and it goes on", "[flagship][behaviour]") {
  const Cohorts c;
  const fs::path run = c.root / "run";
  const Outcome o = support::shell("psqa train --method concat --epochs 500 --cohort " + quoted(c.first) + " --out " +
                                   quoted(run) + " &\nwhile ! [ -e " + quoted(run / "checkpoint.pt") +
                                   " ]; do sleep 0.1; done\npkill -INT -P $!; kill -INT $! 2>/dev/null; wait $!");
  INFO(o.out);
  CHECK(o.code == 130);
  CHECK(o.out.find("go on with: psqa train --resume --out " + run.string()) != std::string::npos);
  std::ifstream log(run / "history.jsonl");
  std::int64_t epochs = 0;
  for (std::string line; std::getline(log, line); ++epochs) CHECK(Json::parse(line)["epoch"] == epochs);
  CHECK(psqa("train --resume --epochs " + std::to_string(epochs + 1) + " --out " + quoted(run)).code == 0);
}
