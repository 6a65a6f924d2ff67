#include <equipoise/io/npy.hpp>

#include <nlohmann/json.hpp>

#include <fstream>
#include <set>

#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/samples.hpp"

namespace fs = std::filesystem;
using Json = nlohmann::json;
using support::Outcome;
using support::psqa;
using support::quoted;

TEST_CASE("a researcher goes from a simulated cohort to a report", "[flagship][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path root = folder.path();
  REQUIRE(psqa("simulate --plans 72 --seed 3 --dicom --out " + quoted(root / "cohort")).code == 0);
  REQUIRE(psqa("train --cohort " + quoted(root / "cohort") + " --epochs 2 --out " + quoted(root / "bmmqa")).code == 0);
  REQUIRE(
      psqa("train --method concat --cohort " + quoted(root / "cohort") + " --epochs 2 --out " + quoted(root / "concat"))
          .code == 0);

  const Json figures =
      Json::parse(psqa("evaluate --json --run " + quoted(root / "bmmqa") + " " + quoted(root / "concat"), false).out);
  REQUIRE(figures["methods"].size() == 6);
  CHECK(figures["methods"][2]["method"] == "ridge");
  CHECK(figures["methods"][3]["method"] == "forest");
  CHECK(figures["methods"][4]["method"] == "boosted");
  CHECK(figures["methods"][5]["method"] == "constant");
  const Json& rates = figures["methods"][0]["gpr_2_2"];
  CHECK(rates["mae_points"]["value"].is_number());
  CHECK(rates["failing"].size() == 2);
  CHECK(rates["intervals"].size() == 3);
  CHECK(rates["groups"]["machine"].size() > 1);
  // The map of zeros says that every plan passes; its rates' error is how far the true ones are from 100.
  CHECK(figures["methods"][5]["dd"]["rates_from_maps"]["gpr_2_2"]["mae_points"]["value"].get<double>() > 0);

  const Json phi = Json::parse(psqa("explain --json --run " + quoted(root / "bmmqa"), false).out);
  const Json& gpr = phi["tasks"]["gpr"];
  CHECK(gpr["dose"]["contribution"].get<double>() + gpr["metrics"]["contribution"].get<double>() ==
        Approx(gpr["together"].get<double>()));
  CHECK(phi["shown"]["both"]["mae_2_2_points"] == rates["mae_points"]["value"]);
  CHECK(phi["shown"]["metrics alone"]["mae_2_2_points"].is_number());

  const fs::path plan = root / "cohort" / "dicom" / "plan7.dcm";
  const Json prediction = Json::parse(
      psqa("predict --json --run " + quoted(root / "bmmqa") + " --out " + quoted(root / "maps") + " " + quoted(plan),
           false)
          .out);
  const Json& p = prediction["predictions"][0];
  CHECK(p["gpr_3_3"].get<double>() >= p["gpr_2_3"].get<double>());
  CHECK(p["gpr_2_3"].get<double>() >= p["gpr_2_2"].get<double>());
  CHECK(p["gpr_3_3"].get<double>() >= p["gpr_3_2"].get<double>());
  CHECK(p["gpr_3_2"].get<double>() >= p["gpr_2_2"].get<double>());
  CHECK(fs::exists(p["dd_png"].get<std::string>()));
  CHECK(fs::exists(p["dd_npy"].get<std::string>()));
  // How sure it is: that needs nine validation records or more.
  CHECK(p["interval_90"]["gpr_2_2"].size() == 2);
  CHECK(p["probability_below_90"]["gpr_2_2"].get<double>() > 0);
  CHECK(p["probability_below_90"]["gpr_2_2"].get<double>() < 1);
  CHECK(p["unlike_training"].is_array());

  // A small square field, turned once around, is no plan of the cohort's kind: it has no interval, which is said first.
  const fs::path arc = support::reported("full_turn") / "P04e.dcm", csv = root / "rates.csv";
  const std::string far = "predict --run " + quoted(root / "bmmqa") + " --out " + quoted(root / "far") + " --csv " +
                          quoted(csv) + " " + quoted(arc);
  const Json outside = Json::parse(psqa(far + " --json", false).out)["predictions"][0];
  CHECK(outside["outside_training"]["out_of_range"] == true);
  CHECK(outside["outside_training"]["metrics"] > outside["outside_training"]["held_out_at_most"]);
  CHECK(outside["gpr_2_2"].is_number());
  CHECK(outside["interval_90"]["gpr_2_2"].is_null());
  CHECK(outside["probability_below_90"]["gpr_2_2"].is_null());
  CHECK(psqa(far, false).out.starts_with("P04e.dcm: OUT OF RANGE: "));
  std::ifstream rows(csv);
  std::string head, row;
  std::getline(rows, head), std::getline(rows, row);
  CHECK(head.starts_with("plan,field,out_of_range,metrics_outside,held_out_at_most,gpr_3_3,gpr_3_3_low_90,"));
  CHECK(row.starts_with("P04e.dcm,,true,"));

  // A plan that cannot be read is told, fails the command, and loses nothing of the others.
  std::ofstream(root / "broken.dcm") << "no plan";
  const auto some = psqa("predict --json --run " + quoted(root / "bmmqa") + " --out " + quoted(root / "more") + " " +
                             quoted(root / "broken.dcm") + " " + quoted(plan),
                         false);
  CHECK(some.code == 1);
  const Json both = Json::parse(some.out);
  CHECK(both["predictions"].size() == 1);
  CHECK(both["predictions"][0]["gpr_2_2"] == p["gpr_2_2"]);
  CHECK(both["errors"].contains("broken.dcm"));

  REQUIRE(psqa("report --run " + quoted(root / "bmmqa") + " " + quoted(root / "concat") + " --out " +
               quoted(root / "report.html"))
              .code == 0);
  std::ifstream in(root / "report.html");
  const std::string html((std::istreambuf_iterator<char>(in)), {});
  CHECK(html.find("http://") == std::string::npos);
  CHECK(html.find("https://") == std::string::npos);
  CHECK(html.find("<script") == std::string::npos);

  // What was written as DICOM is imported again as the same cohort.
  REQUIRE(psqa("import " + quoted(root / "cohort" / "dicom" / "plan1.dcm") + " " + quoted(plan) + " --out " +
               quoted(root / "imported"))
              .code == 0);
  const auto gamma = psqa("gamma --json --dd 2 --dta 2 " + quoted(root / "cohort" / "dicom" / "plan7_measured.dcm") +
                              " " + quoted(root / "cohort" / "dicom" / "plan7_planned.dcm"),
                          false);
  std::ifstream table(root / "cohort" / "records.csv");
  std::string line;
  for (int i = 0; i < 9; ++i) std::getline(table, line);
  REQUIRE(line.starts_with("plan7,"));
  std::vector<std::string> cells;
  std::istringstream split(line);
  for (std::string cell; std::getline(split, cell, ',');) cells.push_back(cell);
  CHECK(Json::parse(gamma.out)["pass_rate"].get<double>() == Approx(std::stod(cells[8])).margin(0.02));
}

TEST_CASE("a run goes on where it stopped, and is the run that did not stop", "[flagship][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path root = folder.path();
  REQUIRE(psqa("simulate --plans 30 --out " + quoted(root / "cohort")).code == 0);
  const std::string common =
      "train --cohort " + quoted(root / "cohort") + " --policy ogm --policy-option alpha=0.5 --out ";
  REQUIRE(psqa(common + quoted(root / "whole") + " --epochs 3").code == 0);
  REQUIRE(psqa(common + quoted(root / "cut") + " --epochs 2").code == 0);
  REQUIRE(psqa("train --resume --epochs 3 --out " + quoted(root / "cut")).code == 0);
  const auto last = [](const fs::path& run) {
    std::ifstream in(run / "history.jsonl");
    std::string line, kept;
    while (std::getline(in, line)) kept = line;
    return Json::parse(kept);
  };
  CHECK(last(root / "whole")["val/objective"] == last(root / "cut")["val/objective"]);
}

TEST_CASE("bad input is one clear line and an exit code", "[flagship][error]") {
  const support::TemporaryFolder folder;
  const fs::path root = folder.path();
  std::ofstream(root / "text.dcm") << "no DICOM";
  const auto refused = [&](const std::string& arguments, const std::string& word) {
    const Outcome o = psqa(arguments);
    INFO(arguments << "\n" << o.out);
    CHECK(o.code != 0);
    CHECK(o.out.find(word) != std::string::npos);
    CHECK(o.out.find("frame #") == std::string::npos);
  };
  refused("complexity " + quoted(root / "text.dcm"), "text.dcm");
  refused("complexity " + quoted(root / "none.dcm"), "none.dcm");
  refused("gamma --dd 0 " + quoted(root / "text.dcm") + " " + quoted(root / "text.dcm"), "--dd");
  refused("train --cohort " + quoted(root) + " --out " + quoted(root / "run"), "cohort.json");
  refused("evaluate --run " + quoted(root), "run.json");
  refused("simulate --plans 0", "--plans");
  refused("complexitty", "complexitty");
  REQUIRE(psqa("simulate --plans 20 --out " + quoted(root / "cohort")).code == 0);
  refused("simulate --plans 20 --out " + quoted(root / "cohort"), "exists");
  const std::string train = "train --cohort " + quoted(root / "cohort") + " --out " + quoted(root / "run") + " ";
  refused(train + "--policy omg", "did you mean \"ogm\"");
  refused(train + "--policy ogm --policy-option alhpa=1", "did you mean \"alpha\"");
  refused(train + "--set learningrate=1", "did you mean \"learning_rate\"");
  refused(train + "--method concatt", "did you mean \"concat\"");
  for (const char* usage :
       {"--policy omg", "--policy ogm --policy-option alhpa=1", "--fusion concatt", "--method bmqa"}) {
    INFO(usage);
    CHECK(psqa(train + usage).code == 2);
  }
  CHECK_FALSE(fs::exists(root / "run"));
  std::ofstream(root / "config.toml") << "[trainer]\nepohcs = 3\n";
  refused(train + "--config " + quoted(root / "config.toml"), "did you mean \"epochs\"");
  CHECK(psqa("--help").code == 0);
  CHECK(psqa("train --help").out.find("shapley_loss_factors") != std::string::npos);
}

TEST_CASE("complexity of real plans as JSON has the expected keys", "[flagship][samples]") {
  const auto samples = support::samples("rtplan");
  if (samples.empty()) return;
  const auto o = psqa("complexity --json " + quoted(samples / "RP_FiF.dcm"), false);
  const Json j = Json::parse(o.out);
  CHECK(j["plans"]["RP_FiF.dcm"]["plan"]["PA_mm2"].get<double>() == Approx(6250));
  CHECK(j["plans"]["RP_FiF.dcm"]["beams"][0]["number"] == 1);
  CHECK(psqa("complexity " + quoted(samples / "pydicom_rtplan_jaws_only.dcm")).out.find("multileaf") !=
        std::string::npos);
  CHECK(psqa("complexity " + quoted(samples / "pydicom_rtplan_truncated.dcm")).code == 1);
}

TEST_CASE("a run on a cohort of fields predicts each field of a plan", "[flagship][behaviour]") {
  const support::TemporaryFolder folder;
  const fs::path root = folder.path();
  REQUIRE(psqa("simulate --plans 8 --records fields --noise-ceiling 0 --dicom --out " + quoted(root / "cohort")).code ==
          0);
  REQUIRE(psqa("train --method concat --epochs 1 --model pool=4 encoder=4,4 decoder=4,4 width=8 --cohort " +
               quoted(root / "cohort") + " --out " + quoted(root / "run"))
              .code == 0);
  REQUIRE(psqa("simulate --plans 1 --seed 9 --noise-ceiling 0 --dicom --out " + quoted(root / "other")).code == 0);
  const Json out = Json::parse(psqa("predict --json --run " + quoted(root / "run") + " --out " + quoted(root / "maps") +
                                        " " + quoted(root / "other" / "dicom" / "plan0.dcm"),
                                    false)
                                   .out);
  const Json& fields = out["predictions"];
  REQUIRE(fields.size() > 1);
  std::set<std::string> maps;
  for (std::size_t f = 0; f < fields.size(); ++f) {
    CHECK(fields[f]["plan"] == "plan0.dcm");
    CHECK(fields[f]["field"] == "field " + std::to_string(f + 1));
    CHECK(fields[f]["gpr_2_2"].get<double>() <= 100);
    CHECK(equipoise::io::read_npy<float>(fields[f]["dd_npy"].get<std::string>()).shape ==
          std::vector<std::size_t>{30, 30});
    maps.insert(fields[f]["dd_png"].get<std::string>());
  }
  CHECK(maps.size() == fields.size());
  // The DICOM files of such a cohort are those of its records.
  CHECK(fs::exists(root / "cohort" / "dicom" / "plan0_field1.dcm"));
  CHECK(fs::exists(root / "cohort" / "dicom" / "plan0_field1_measured.dcm"));
}
