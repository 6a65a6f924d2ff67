#include <equipoise/io/csv.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/samples.hpp"

namespace eq = equipoise;
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

void refused(const std::string& arguments, const std::string& words, int code = 1) {
  const Outcome o = psqa(arguments);
  INFO(arguments << "\n" << o.out);
  CHECK(o.code == code);
  CHECK(o.out.find(words) != std::string::npos);
  CHECK(o.out.find("frame #") == std::string::npos);
  CHECK(std::count(o.out.begin(), o.out.end(), '\n') == 1);
}

/// Takes a column out of a table.
void remove_column(const fs::path& file, const std::string& name) {
  std::ifstream in(file);
  std::ostringstream without;
  std::size_t lacking = 0;
  for (std::string line; std::getline(in, line); without << "\n") {
    std::istringstream cells(line);
    std::size_t column = 0;
    for (std::string cell; std::getline(cells, cell, ','); ++column) {
      if (cell == name) lacking = column;
      if (lacking == 0 || column != lacking) without << (column == 0 ? "" : ",") << cell;
    }
  }
  REQUIRE(lacking > 0);
  in.close();
  std::ofstream(file) << without.str();
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
  refused(compare + " --epochs 2 --cohort " + quoted(c.first), "it was computed with --epochs 1, this study has 2");
  refused(compare + " --epochs 1 --cohort " + quoted(c.second), "it was computed with the cohort's fingerprint");

  REQUIRE(c.train(c.first, "a", "--epochs 1").code == 0);
  REQUIRE(c.train(c.second, "b", "--epochs 1").code == 0);
  refused("evaluate --run " + quoted(c.root / "a") + " " + quoted(c.root / "b"), "b: expected the cohort");
  fs::copy_file(c.second / "records.csv", c.first / "records.csv", fs::copy_options::overwrite_existing);
  refused("evaluate --run " + quoted(c.root / "a"), "or it has changed since");
  refused("explain --run " + quoted(c.root / "a"), "or it has changed since");
  refused("train --resume --epochs 2 --out " + quoted(c.root / "a"), "or it has changed since");
}

TEST_CASE("a clinic's table that lacks a passing rate trains the others", "[flagship][behaviour]") {
  const Cohorts c;
  remove_column(c.first / "records.csv", "gpr_3_2");
  REQUIRE(c.train(c.first, "run", "--epochs 1").code == 0);
  const Outcome figures = psqa("evaluate --json --run " + quoted(c.root / "run"), false);
  REQUIRE(figures.code == 0);
  const Json methods = Json::parse(figures.out)["methods"];
  REQUIRE_FALSE(methods.empty());
  for (const auto& method : methods) {
    INFO(method.dump(2));
    CHECK(method["gpr_3_2"]["mae_points"]["value"].is_null());
    CHECK(method["gpr_2_2"]["mae_points"]["value"].is_number());
  }
}

TEST_CASE("methods are compared where no record has a rate at 2%/2 mm", "[flagship][behaviour]") {
  const Cohorts c;
  remove_column(c.first / "records.csv", "gpr_2_2");
  const std::string compare = "compare --methods concat sum --seeds 1 --epochs 1 --model width=8 pool=4 --cohort " +
                              quoted(c.first) + " --out " + quoted(c.root / "study") + " --html " +
                              quoted(c.root / "study.html");
  const Outcome said = psqa(compare + " --json", false);
  REQUIRE(said.code == 0);
  const Json j = Json::parse(said.out);
  CHECK(j["ranks"].is_null());
  CHECK(j["records_with_rate"] == 0);
  CHECK(j["methods"][0]["mae_3_3"]["value"].is_number());
  CHECK(j["methods"][0]["mae_2_2"]["value"].is_null());
  std::ifstream page(c.root / "study.html");
  CHECK(std::string((std::istreambuf_iterator<char>(page)), {}).find("No test record has a known passing rate") !=
        std::string::npos);
}

TEST_CASE("floors of another cohort are refused before a method is trained", "[flagship][error]") {
  const Cohorts c;
  const fs::path floors = c.root / "floors.csv";
  const std::string compare = "compare --methods concat --seeds 1 --epochs 1 --cohort " + quoted(c.first) + " --out " +
                              quoted(c.root / "study") + " --floors " + quoted(floors);
  const std::string head = "id,gpr_2_2,machine_gpr_2_2_floor,plan_gpr_2_2_floor\n";
  std::ofstream(floors) << head << "plan0,1,1,1\n";
  refused(compare, "got plan0 with 1.00 % at 2%/2 mm");
  std::ofstream(floors) << head << "other,1,1,1\n";
  refused(compare, "got none of them");
  CHECK_FALSE(fs::exists(c.root / "study"));
}

TEST_CASE("a run that stopped early, or was killed before its last file, is gone on with and then reused",
          "[flagship][behaviour]") {
  const Cohorts c;
  const fs::path cell = c.root / "study/concat/seed1", run = cell / "run";
  const std::string compare =
      "compare --methods concat --seeds 1 --epochs 9 --jobs 2 --model width=8 pool=4 "
      "encoder=4,4 decoder=4,4 --set patience=1 learning_rate=1e-30 --cohort " +
      quoted(c.first) + " --out " + quoted(c.root / "study");
  REQUIRE(psqa(compare).code == 0);  // four baselines read the run at once
  std::ifstream log(run / "history.jsonl");
  std::int64_t epochs = 0;
  for (std::string line; std::getline(log, line);) ++epochs;
  CHECK(epochs < 9);
  CHECK(description(run)["ended"] == "early stopping");
  Json before = description(run);
  before.erase("ended");
  std::ofstream(run / "run.json") << before.dump();
  fs::remove(run / "calibration.json");
  fs::remove(cell / "finished");
  const Outcome again = psqa(compare);
  CHECK(again.code == 0);
  CHECK(again.out.find("concat: going on with ") != std::string::npos);
  CHECK(fs::exists(run / "calibration.json"));
  CHECK(description(run)["ended"] == "early stopping");
}

TEST_CASE("a folder that a run cannot have is refused in one line", "[flagship][error]") {
  const Cohorts c;
  std::ofstream(c.root / "file") << "kept";
  const std::string at_file = " --out " + quoted(c.root / "file");
  refused("train --method concat --epochs 1 --cohort " + quoted(c.first) + at_file,
          "expected a new folder, got a file");
  refused("simulate --plans 20" + at_file, "expected a new folder, got a file");
  refused("compare --methods concat --seeds 1 --epochs 1 --cohort " + quoted(c.first) + at_file,
          "file: cannot be created: Not a directory");
  std::ifstream in(c.root / "file");
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == "kept");
  // A run that ended before it saved anything does not bar the next one.
  fs::create_directory(c.root / "half");
  std::ofstream(c.root / "half" / "run.json") << "{}";
  CHECK(c.train(c.first, "half", "--epochs 1").code == 0);
  refused("train --method concat --epochs 1 --cohort " + quoted(c.first) + " --out " + quoted(c.root / "half"),
          "got one that exists (go on with --resume)");
}

TEST_CASE("methods are looked at before the first is trained", "[flagship][error]") {
  const Cohorts c;
  refused("compare --methods concat concta --seeds 1 --epochs 1 --cohort " + quoted(c.first) + " --out " +
              quoted(c.root / "runs"),
          "did you mean \"concat\"", 2);
  CHECK_FALSE(fs::exists(c.root / "runs"));
}

TEST_CASE("a study is read from a file, the best of its trials on validation records is judged, and it goes on",
          "[flagship][behaviour]") {
  const Cohorts c;
  const fs::path file = c.root / "study.toml", out = c.root / "study";
  std::ofstream(file) << "methods = [\"concat\", \"metrics_only\"]\nseeds = 1\nepochs = 5\ntrials = 2\njobs = 2\n"
                      << "[trainer]\nbatch_size = 8\n[search.trainer]\nlearning_rate = {low = 1e-9, high = 1e-9}\n";
  const std::string compare =
      "compare --json --epochs 1 --cohort " + quoted(c.first) + " --out " + quoted(out) + " --config " + quoted(file);
  const Outcome first = psqa(compare, false);
  REQUIRE(first.code == 0);
  const Json study = Json::parse(first.out);
  CHECK(study["epochs"] == 1);  // the command line wins
  CHECK(study["trials"] == 2);
  CHECK(study["methods"].size() == 6);
  CHECK(description(out / "concat" / "seed1" / "run")["trainer"]["batch_size"] == "8");
  CHECK(description(out / "concat" / "seed1" / "run2")["trainer"]["learning_rate"] == "1e-09");
  const auto records = [&] {
    std::ifstream in(out / "concat" / "seed1" / "records.csv");
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string before = records();
  fs::remove(out / "concat" / "seed1" / "finished");  // as if it had been stopped there
  CHECK(psqa(compare, false).out == first.out);
  CHECK(records() == before);
  std::ofstream(out / "concat" / "seed1" / "records.csv") << "id,group,mae_3_3\n";  // of an earlier version
  CHECK(psqa(compare, false).out == first.out);
  CHECK(records() == before);

  // The further figures are those of the table of records.
  const Json& concat = study["methods"][0];
  double squares = 0, missed = 0, n = 0;
  const eq::io::CsvFile table(out / "concat" / "seed1" / "records.csv", ',');
  std::vector<std::string> columns;
  for (const eq::io::CsvRow& row : table.rows()) {
    if (columns.empty()) {
      columns.assign(row.cells.begin(), row.cells.end());
      continue;
    }
    std::map<std::string, std::string> cells;
    for (std::size_t i = 0; i < columns.size(); ++i) cells[columns[i]] = row.cells[i];
    const double error = std::stod(cells["true_2_2"]) - std::stod(cells["predicted_2_2"]);
    CHECK(std::abs(error) == Approx(std::stod(cells["mae_2_2"])));
    squares += error * error, missed += 100 - std::stod(cells["true_2_2"]), n += 1;
  }
  CHECK(concat["rmse_2_2"]["value"].get<double>() == Approx(std::sqrt(squares / n)));
  CHECK(concat["spearman_3_3"].contains("value"));
  const auto rmse = [&](std::size_t k) { return study["methods"][k]["rmse_2_2"]["value"].get<double>(); };
  CHECK(study["differences"][1]["rmse_2_2"]["value"].get<double>() == Approx(rmse(0) - rmse(2)));
  CHECK(study["differences"][1]["specificity_90"].contains("low"));
  for (const Json& method : study["methods"]) CHECK(method["dd_psnr"]["value"].get<double>() > 0);
  // The constant's map is zero: every recomputed rate is 100 %, and its dose is the planned plane.
  const Json& constant = study["methods"].back();
  CHECK(constant["from_map_mae_2_2"]["value"].get<double>() == Approx(missed / n));
  CHECK(concat["from_map_mae_2_2"]["value"].get<double>() > 0);
  CHECK(concat["from_map_spearman_2_2"].contains("low"));
  CHECK(constant["dose_ssim"]["value"].get<double>() > 0.8);
  CHECK(concat["dose_ssim"]["value"].get<double>() > 0.8);

  refused(compare + " --trials 3", "concat/seed1: it was computed with");
  std::ofstream(file) << "sedes = 2\n";
  refused(compare, "no option \"sedes\"; did you mean \"seeds\"?");
  std::ofstream(file) << "seeds = 0\n";
  refused(compare, "seeds: line 1: expected a whole number >= 1, got 0");
  std::ofstream(file) << "[search.trainer]\nlearning_rate = {low = 1}\n";
  refused(compare, "line 2: expected a list of choices, or low and high");
}

TEST_CASE("the short study that the project has runs from its file", "[flagship][behaviour]") {
  const Cohorts c;
  const fs::path source = std::getenv("EQUIPOISE_SOURCE");
  const Outcome o = psqa("compare --json --config " + quoted(source / "examples/psqa/short_study.toml") +
                             " --seeds 1 --epochs 1 --cohort " + quoted(c.first) + " --out " + quoted(c.root / "study"),
                         false);
  REQUIRE(o.code == 0);
  const Json study = Json::parse(o.out);
  CHECK(study["folds"] == 3);
  CHECK(study["records_tested"] == 24);
  CHECK(study["methods"].size() == 7);
  CHECK(study["conditions"].size() == 5);
}

TEST_CASE("a model that is shown delivery maps and the machine is trained, compared, judged and predicts",
          "[flagship][delivery][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path cohort = folder.path() / "cohort", study = folder.path() / "study", run = folder.path() / "run";
  REQUIRE(
      psqa("simulate --noise-ceiling 0 --plans 24 --machines 2 --delivery-maps --dicom --out " + quoted(cohort)).code ==
      0);
  REQUIRE(psqa("floor " + quoted(cohort) + " --deliveries 3 --csv " + quoted(folder.path() / "floors.csv")).code == 0);
  const std::string small = " --epochs 1 --model pool=4 width=16 encoder=4,8 decoder=8,4 ";
  const std::string compare =
      "compare --json --methods concat --inputs all metrics,machine --seeds 1 --conditions --cohort " + quoted(cohort) +
      small + "--floors " + quoted(folder.path() / "floors.csv") + " --html " + quoted(folder.path() / "study.html") +
      " --out " + quoted(study);
  const Json table = Json::parse(psqa(compare, false).out);
  CHECK(table["methods"][0]["method"] == "concat@all");
  CHECK(table["methods"][1]["method"] == "concat@metrics,machine");
  CHECK(table["methods"][0]["reachable_machine"]["value"].is_number());
  CHECK(table["methods"].back()["reachable_machine"]["value"] == 0);  // of the constant
  CHECK(description(study / "concat@all" / "seed1" / "run")["of_cohort"]["channels"] == "6");
  // All; all but each of four and each alone; noise on each. The other model has two of them.
  const Json& conditions = table["conditions"];
  REQUIRE(conditions.size() == 13);
  CHECK(conditions[0]["condition"] == "all");
  CHECK(conditions[0]["methods"][0]["mae_2_2"] == table["methods"][0]["mae_2_2"]);
  CHECK(conditions[0]["methods"][1]["dd_mae"] == table["methods"][1]["dd_mae"]);
  CHECK(conditions[3]["condition"] == "all but metrics");
  CHECK(conditions[3]["methods"].size() == 1);
  CHECK(conditions[7]["condition"] == "metrics alone");
  CHECK(conditions[7]["methods"][1]["method"] == "concat@metrics,machine");
  CHECK(conditions[7]["differences"][0]["mae_2_2"]["value"].is_number());
  CHECK(conditions[11]["condition"] == "noise on metrics (0.5 SD)");
  CHECK(conditions[11]["methods"][0]["mae_2_2"] != conditions[0]["methods"][0]["mae_2_2"]);
  const auto changed = fs::last_write_time(study / "concat@all" / "seed1" / "conditions" / "records.csv");
  CHECK(Json::parse(psqa(compare, false).out) == table);
  CHECK(fs::last_write_time(study / "concat@all" / "seed1" / "conditions" / "records.csv") == changed);
  std::ifstream page(folder.path() / "study.html");
  const std::string html((std::istreambuf_iterator<char>(page)), {});
  for (const char* part :
       {">Verdict<", "has the lowest mean absolute error", "<dt>Command</dt>", "critical difference",
        ">Share of the reachable error<", ">all but metrics<", ">Further figures<", ">sensitivity, rate below 90 %<"}) {
    INFO(part);
    CHECK(html.find(part) != std::string::npos);
  }

  REQUIRE(psqa("train --method bmmqa_delivery --cohort " + quoted(cohort) + small + "--out " + quoted(run)).code == 0);
  CHECK(description(run)["modalities"] == Json{"dose", "maps", "metrics", "machine"});
  CHECK(description(run)["fusion"] == "concat");
  CHECK(description(run)["policies"][0]["options"]["complements"] == "true");
  const Json phi = Json::parse(psqa("explain --json --run " + quoted(run), false).out);
  for (const char* modality : {"dose", "maps", "metrics", "machine"}) {
    CHECK(phi["tasks"]["gpr"][modality]["contribution"].is_number());
    CHECK(phi["shown"]["all but " + std::string(modality)]["mae_2_2_points"].is_number());
  }
  const Json predicted =
      Json::parse(psqa("predict --json --run " + quoted(run) + " --out " + quoted(folder.path() / "maps") + " " +
                           quoted(cohort / "dicom" / "plan7.dcm"),
                       false)
                      .out);
  CHECK(predicted["predictions"][0]["gpr_2_2"].is_number());
  CHECK(psqa("train --resume --epochs 2 --out " + quoted(run)).code == 0);

  const Cohorts without;
  refused("train --method concat@maps --epochs 1 --cohort " + quoted(without.first) + " --out " + quoted(run / "maps"),
          "expected delivery maps, got a cohort without them: make it with --delivery-maps");
  refused("train --method concat@map --epochs 1 --cohort " + quoted(without.first) + " --out " + quoted(run / "maps"),
          "no modality \"map\"; did you mean \"maps\"?", 2);
  refused("train --method metrics_only@all --epochs 1 --cohort " + quoted(cohort) + " --out " + quoted(run / "maps"),
          "expected no inputs after metrics_only, whose name says them, got metrics_only@all", 2);
  refused("train --modalities map --epochs 1 --cohort " + quoted(without.first) + " --out " + quoted(run / "maps"),
          "no modality \"map\"; did you mean \"maps\"?", 2);
  refused("train --modalities all --epochs 1 --cohort " + quoted(without.first) + " --out " + quoted(run / "maps"),
          "expected delivery maps, got a cohort without them");
}

TEST_CASE("folds test every record, machines left out are tested on models of the others", "[flagship][behaviour]") {
  const Cohorts c;
  const std::string common =
      "compare --json --methods concat metrics_only --epochs 1 --seeds 1 --cohort " + quoted(c.first) + " --out ";
  const Json folds = Json::parse(psqa(common + quoted(c.root / "folds") + " --folds 3", false).out);
  CHECK(folds["records_tested"] == 24);
  CHECK(fs::exists(c.root / "folds" / "concat" / "seed1-fold3" / "run" / "run.json"));
  CHECK(description(c.root / "folds" / "metrics_only" / "seed1-fold1" / "run")["modalities"] == Json{"metrics"});
  const Json machines = Json::parse(psqa(common + quoted(c.root / "machines") + " --leave-out-machines", false).out);
  CHECK(machines["records_tested"] == 24);
  CHECK(machines["methods"].size() == 6);  // and ridge, forest, boosted and constant
  const Json run = description(c.root / "machines" / "concat" / "seed1-machine1" / "run");
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

TEST_CASE("numbers of training records are an axis of a study, nested and with all else the same",
          "[flagship][behaviour]") {
  const Cohorts c;
  const fs::path out = c.root / "records", page = c.root / "page.html";
  const std::string common = "compare --json --methods metrics_only --epochs 1 --seeds 1 --cohort " + quoted(c.first) +
                             " --out " + quoted(out) + " --html " + quoted(page);
  const Json study = Json::parse(psqa(common + " --inputs all dose --records 10 5", false).out);
  REQUIRE(study["by_training_records"].size() == 2);
  CHECK(study["by_training_records"][0]["training_records"] == 5);
  CHECK(study["by_training_records"][1]["methods"] == study["methods"]);
  CHECK(study["methods"][3]["method"] == "boosted");
  const Json few = description(out / "metrics_only" / "seed1-records5" / "run")["split"],
             more = description(out / "metrics_only" / "seed1-records10" / "run")["split"];
  CHECK(few["train"].size() == 5);
  for (const Json& record : few["train"])
    CHECK(std::find(more["train"].begin(), more["train"].end(), record) != more["train"].end());
  CHECK(few["test"] == more["test"]);
  std::ifstream in(page);
  CHECK(std::string((std::istreambuf_iterator<char>(in)), {}).find("by the number of training records") !=
        std::string::npos);
  refused(common + " --records 500", "training records, those of the training part, got 500");
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

TEST_CASE("the folder of runs may be a link to another place", "[flagship][behaviour]") {
  const Cohorts c;
  fs::create_directories(c.root / "far/away/runs");
  fs::create_directory_symlink(c.root / "far/away/runs", c.root / "runs");
  REQUIRE(c.train(c.first, "runs/a", "--epochs 1").code == 0);
  CHECK(psqa("evaluate --run " + quoted(c.root / "runs/a")).code == 0);
  CHECK(psqa("evaluate --run " + quoted(c.root / "far/away/runs/a")).code == 0);
}

TEST_CASE("cohorts and runs of an older schema, whose planes are not turned, are refused with what to do",
          "[flagship][error]") {
  const Cohorts c;
  REQUIRE(c.train(c.first, "run", "--epochs 1").code == 0);
  const auto replace = [](const fs::path& file, const std::string& now, const std::string& before) {
    std::ifstream in(file);
    std::ostringstream text;
    text << in.rdbuf();
    std::string changed = text.str();
    REQUIRE(changed.find(now) != std::string::npos);
    std::ofstream(file) << changed.replace(changed.find(now), now.size(), before);
  };
  replace(c.first / "cohort.json", "equipoise.psqa.cohort/3", "equipoise.psqa.cohort/2");
  refused("train --method concat --epochs 1 --cohort " + quoted(c.first) + " --out " + quoted(c.root / "x"),
          "make the cohort again");
  replace(c.root / "run" / "run.json", "equipoise.psqa.run/6", "equipoise.psqa.run/4");
  refused("predict --run " + quoted(c.root / "run") + " plan.dcm", "without the collimator's angle");
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

TEST_CASE("runs are named by what tells them apart", "[flagship][behaviour]") {
  const Cohorts c;
  const auto names = [&](const std::vector<std::string>& runs) {
    std::string folders;
    for (const std::string& run : runs) folders += " " + quoted(c.root / run);
    const Json figures = Json::parse(psqa("evaluate --json --run" + folders, false).out);
    std::vector<std::string> out;
    for (std::size_t i = 0; i < runs.size(); ++i) out.push_back(figures["methods"][i]["method"]);
    return out;
  };
  const std::string small = "--epochs 1 --model pool=4 encoder=4,4 decoder=4,4 width=8 ";
  REQUIRE(c.train(c.first, "plain", small).code == 0);
  REQUIRE(c.train(c.first, "ogm", small + "--policy ogm").code == 0);
  REQUIRE(c.train(c.first, "half", small + "--policy ogm --policy-option alpha=0.5").code == 0);
  REQUIRE(c.train(c.first, "seed", small + "--policy ogm --policy-option alpha=0.5 --seed 2").code == 0);
  REQUIRE(c.train(c.first, "dose", small + "--modalities dose").code == 0);
  fs::copy(c.root / "dose", c.root / "copy");
  using Names = std::vector<std::string>;
  CHECK(names({"plain", "ogm"}) == Names{"concat", "concat+ogm"});
  CHECK(names({"half", "seed"}) == Names{"concat+ogm, seed 1", "concat+ogm, seed 2"});
  CHECK(names({"plain", "dose"}) == Names{"concat", "concat, dose only"});
  const Names three = names({"ogm", "half", "seed"});
  CHECK(three[0].starts_with("concat+ogm, alpha "));
  CHECK(three[1] == "concat+ogm, alpha 0.5, seed 1");
  CHECK(three[2] == "concat+ogm, alpha 0.5, seed 2");
  CHECK(names({"dose", "copy"})[1] == "concat, dose only, " + (c.root / "copy").string());

  const std::string report = "report --run " + quoted(c.root / "plain") + " " + quoted(c.root / "half") + " --out ";
  REQUIRE(psqa(report + quoted(c.root / "report.html")).code == 0);
  std::ifstream in(c.root / "report.html");
  const std::string html((std::istreambuf_iterator<char>(in)), {});
  const std::vector<std::string> parts = {"concat+ogm, validation",
                                          "has the lowest mean absolute error",
                                          "baseline ridge",
                                          "baseline forest",
                                          "<dt>Version</dt><dd>psqa ",
                                          "<dt>Date</dt><dd>20",
                                          "<dd>psqa report --run " + (c.root / "plain").string(),
                                          "<dd>" + (c.root / "half").string() + "</dd>",
                                          "<span>+10 %</span>",
                                          "stroke-dasharray=\"6 4\"",
                                          "r=\"5\""};  // the ring at the best epoch
  for (const std::string& part : parts) {
    INFO(part);
    CHECK(html.find(part) != std::string::npos);
  }
  CHECK(html.find(">Verdict<") < html.find(">Methods<"));
}

TEST_CASE("a wrong method suggests the nearest one in one line", "[flagship][error]") {
  const Cohorts c;
  const std::string rest = " --cohort " + quoted(c.first) + " --out " + quoted(c.root / "run");
  refused("train --method bmqa" + rest, "no method \"bmqa\"; did you mean \"bmmqa\"? there are: bmmqa, ", 2);
  refused("train --method dose_onli" + rest, "did you mean \"dose_only\"", 2);
  refused("train --method conct+ogm" + rest, "did you mean \"concat\"", 2);
  refused("train --method concat:widht=8" + rest, "no option \"widht\"; did you mean \"width\"", 2);
  refused("train --method concat:width" + rest, "expected key=value, got \"width\"", 2);
  refused("train --method bmmqa:heads=2" + rest, "expected no options and policies after bmmqa", 2);
}

TEST_CASE("a run goes on with the command line that started it, and with no other", "[flagship][behaviour]") {
  const Cohorts c;
  std::ofstream(c.root / "config.toml") << "method = \"sum\"\n[trainer]\nclip_norm = 2\n";
  const auto start = [&](const std::string& more, int epochs = 1, int seed = 3, const std::string& run = "run") {
    return "train --config " + quoted(c.root / "config.toml") + " --cohort " + quoted(c.first) + " --out " +
           quoted(c.root / run) + " --fusion gated --policy ogm --policy-option alpha=0.5 --set learning_rate=0.002 " +
           "--model width=8 pool=4 encoder=4,4 decoder=4,4 --epochs " + std::to_string(epochs) + " --seed " +
           std::to_string(seed) + " " + more;
  };
  const fs::path folder = c.root / "run", checkpoint = folder / "checkpoint.pt";
  // A folder in which nothing was saved starts anew: here an empty one, below one with a description alone.
  fs::create_directory(folder);
  REQUIRE(psqa(start("--resume")).code == 0);
  CHECK(description(folder)["fusion"] == "gated");
  CHECK(psqa(start("--resume")).code == 0);
  CHECK(psqa(start("--resume", 2)).code == 0);
  CHECK(psqa("train --resume --seed 3 --epochs 3 --out " + quoted(folder)).code == 0);
  const std::string resume = "train --resume --out " + quoted(folder) + " ";
  refused(resume + "--seed 4 --set learning_rate=0.01 clip_norm=2",
          "got --seed 4 (before: 3), --set learning_rate 0.01 (before: 0.002)\n");
  refused(resume + "--policy-option alpha=0.6", "got --policy-option ogm.alpha 0.6 (before: 0.5)\n");
  refused(resume + "--policy none", "got --policy none (before: ogm)\n");
  refused(resume + "--method concat", "got --method concat (before: sum)\n");
  refused(resume + "--modalities dose --model width=16",
          "got --modalities dose (before: dose metrics), --model width 16 (before: 8)\n");
  refused(resume + "--cohort " + quoted(c.second), "whose records differ");
  refused(start(""), "go on with --resume");
  CHECK(description(folder)["trainer"]["seed"] == "3");

  fs::remove(checkpoint);
  std::ofstream(folder / "notes.txt") << "of the user";
  CHECK(psqa(start("--resume", 1, 9)).code == 0);
  CHECK(fs::exists(folder / "notes.txt"));
  CHECK(description(folder)["trainer"]["seed"] == "9");
  fs::remove(checkpoint);
  CHECK(psqa("train --resume --epochs 1 --out " + quoted(folder)).code == 0);  // the description says the rest
  CHECK(description(folder)["trainer"]["seed"] == "9");
  CHECK(fs::exists(checkpoint));
  fs::remove(checkpoint);  // what the command line does not say is what the run was begun with
  CHECK(psqa("train --resume --epochs 1 --cohort " + quoted(c.first) + " --out " + quoted(folder)).code == 0);
  CHECK(description(folder)["fusion"] == "gated");
  CHECK(description(folder)["policies"][0]["options"]["alpha"] == "0.5");
  refused(start("--resume", 1, 3, "first"), "is " + c.first.string() + " a run?");
}

TEST_CASE("a run may start from the weights of another", "[flagship][behaviour]") {
  const Cohorts c;
  const fs::path before = c.root / "before" / "concat", after = c.root / "after";
  REQUIRE(psqa("train --method concat --cohort " + quoted(c.first) + " --out " + quoted(before) +
               " --model width=8 pool=4 encoder=4,4 decoder=4,4 --epochs 2")
              .code == 0);
  const auto rates = [&](const fs::path& run) {
    const Outcome o = psqa("predict --json --run " + quoted(run) + " --out " + quoted(c.root / "prediction") + " " +
                               quoted(support::reported("full_turn/P04e.dcm")),
                           false);
    REQUIRE(o.code == 0);
    const Json p = Json::parse(o.out)["predictions"][0];
    return std::vector<double>{p["gpr_3_3"], p["gpr_3_2"], p["gpr_2_3"], p["gpr_2_2"]};
  };
  const auto same = [](const std::vector<double>& a, const std::vector<double>& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
      CHECK(a[i] == Approx(b[i]).margin(1e-3));  // each cohort has its own planning system
  };
  // At a rate of nearly nothing the model is the other run's: with its fusion, sizes and scales, on another cohort.
  const std::string start = "train --cohort " + quoted(c.second) + " --start-from " + quoted(before) +
                            " --epochs 1 --set learning_rate=1e-30 --out " + quoted(after);
  REQUIRE(psqa(start).code == 0);
  CHECK(description(after)["start_from"]["run"] == "../before/concat");
  CHECK(description(after)["scales"] == description(before)["scales"]);
  CHECK(description(after)["cohort_fingerprint"] != description(before)["cohort_fingerprint"]);
  same(rates(after), rates(before));
  fs::remove(after / "checkpoint.pt");  // a run that saved nothing starts there again
  REQUIRE(psqa(start + " --resume").code == 0);
  same(rates(after), rates(before));

  fs::rename(before, c.root / "moved");  // what it was needed for is done
  REQUIRE(psqa("train --resume --epochs 2 --start-from " + quoted(before) + " --out " + quoted(after)).code == 0);
  CHECK(description(after)["start_from"]["run"] == "../before/concat");
  fs::rename(c.root / "moved", before);
  const Outcome both = psqa("evaluate --run " + quoted(after) + " " + quoted(after), false);
  CHECK(both.out.find("concat, from " + before.string()) != std::string::npos);

  refused(start + "2 --model width=16", "got --model width 16 (there: 8)\n");
  refused(start + "2 --fusion sum --modalities metrics",
          "got --fusion sum (there: concat), --modalities metrics (there: dose metrics)\n");
  const std::string none = " --out " + quoted(c.root / "none") + " --start-from ";
  refused("train --cohort " + quoted(c.second) + none + quoted(c.first), "expected the folder of a trained run");
  // What these weights learnt from is no test of them: neither their cohort, nor that of the run that they started from.
  refused("train --cohort " + quoted(c.first) + none + quoted(before), "expected a run on another cohort");
  refused("train --cohort " + quoted(c.first) + none + quoted(after), "expected a run on another cohort");
}

TEST_CASE("the methods of a study may start from the weights of runs", "[flagship][behaviour]") {
  const Cohorts c;
  const fs::path starts = c.root / "starts", run = c.root / "study/concat/seed1/run";
  REQUIRE(psqa("train --method concat+ogm --cohort " + quoted(c.first) + " --out " + quoted(starts / "concat") +
               " --model width=8 pool=4 encoder=4,4 decoder=4,4 --epochs 1")
              .code == 0);
  const std::string study = "compare --seeds 1 --epochs 1 --trials 2 --cohort " + quoted(c.second) + " --out " +
                            quoted(c.root / "study") + " --start-from " + quoted(starts) + " --methods concat";
  REQUIRE(psqa(study).code == 0);
  CHECK(description(run)["start_from"]["run"] == "../../../../starts/concat");
  CHECK(description(run)["model"]["width"] == "8");
  CHECK(description(run)["policies"].empty());
  CHECK(description(c.root / "study/concat/seed1/run2")["model"]["width"] == "8");
  refused(study + " sum", "--start-from: expected the folder of a trained run, got \"" + (starts / "sum").string());
  REQUIRE(psqa("train --resume --epochs 2 --out " + quoted(starts / "concat")).code == 0);
  refused(study, "it was computed with --start-from");
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
