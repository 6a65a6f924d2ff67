#include <equipoise/io/csv.hpp>
#include <equipoise/io/npy.hpp>
#include <equipoise/psqa/cohort/description.hpp>
#include <equipoise/psqa/criteria.hpp>
#include <equipoise/psqa/dicom/rtplan_writer.hpp>
#include <equipoise/version.hpp>

#include <png.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

struct Outcome {
  int code = 0;
  std::string out, errors;
};

Outcome psqa(const std::string& arguments) {
  const support::TemporaryFolder folder;
  const fs::path errors = folder.path() / "errors";
  const support::Outcome said = support::psqa(arguments + " 2>" + support::quoted(errors), false);
  Outcome o{said.code, said.out, {}};
  std::ifstream in(errors);
  o.errors.assign(std::istreambuf_iterator<char>(in), {});
  return o;
}

std::string quoted(const fs::path& p) {
  return support::quoted(p) + " ";
}
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Plan square_plan(const std::string& id) {
  Plan plan;
  plan.id = plan.label = plan.patient = id, plan.prescription_Gy = 2;
  Beam beam;
  beam.number = 1, beam.mu = 100;
  beam.layers = {{LeafAxis::x, {-20, -10, 0, 10, 20}, "MLCX"}};
  for (const double w : {0.0, 1.0}) {
    ControlPoint cp;
    cp.weight = w, cp.leaves = {{{-20, -20, -20, -20}, {20, 20, 20, 20}}};
    beam.control_points.push_back(cp);
  }
  plan.beams = {beam};
  return plan;
}

void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("a misspelt option or command is one line with the nearest name", "[psqa][commands][error]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path plan = folder.path() / "plan.dcm";
  write_rtplan(square_plan("p"), plan);
  const auto refused = [](const std::string& arguments, const std::string& wrong, const std::string& nearest) {
    const Outcome o = psqa(arguments);
    INFO(arguments << "\n" << o.errors);
    CHECK(o.code != 0);
    CHECK(o.out.empty());
    CHECK(std::count(o.errors.begin(), o.errors.end(), '\n') == 1);
    CHECK(o.errors.size() < 600);
    CHECK(has(o.errors, wrong));
    CHECK(has(o.errors, nearest));
  };
  refused("complexity " + quoted(plan) + "--jsonn", "\"--jsonn\"", "did you mean \"--json\"");
  refused("gamma a b --loca", "\"--loca\"", "did you mean \"--local\"");
  refused("gamma a b --loca=1", "\"--loca\"", "did you mean \"--local\"");
  refused("simulate --plan 3", "\"--plan\"", "did you mean \"--plans\"");
  refused("predict --ru x y", "\"--ru\"", "did you mean \"--run\"");
  refused("complexitty x", "\"complexitty\"", "did you mean \"complexity\"");
  refused("--versio", "no option \"--versio\"", "psqa");
  refused("tg218 a b", "\"b\"", "further");
  refused("gamma a", "evaluated", "required");
  refused("predict", "expected --run and plans", "are required");
  refused("train", "expected --cohort and --out", "are required");
  refused("train --out run", "expected --cohort", "is required");
  refused("gamma a b --spacing 0", "--spacing", "> 0");
  refused("gamma a b --spacing x", "--spacing", "> 0");
  refused("gamma a b --pitch 1", "--pitch", "wendling");
}

TEST_CASE("an option of several numbers takes them with commas or blanks, and never a file", "[psqa][commands]") {
  if (!support::built()) return;
  const std::string pair =
      quoted(support::reported("tables/profile.csv")) + quoted(support::reported("tables/profile2.csv"));
  const auto shifted = [&](const std::string& arguments) {
    const Outcome o = psqa("gamma --json --normalise " + arguments);
    INFO(arguments << "\n" << o.errors);
    REQUIRE(o.code == 0);
    return Json::parse(o.out);
  };
  const Json at = shifted("point --at 5,0 " + pair);
  CHECK(at["mean"] != shifted("max " + pair)["mean"]);
  for (const char* way : {"--at 5 0 ", "--at 5,0,0 ", "--at 5 0 0 ", "--at=5,0 ", "--at=5 0 ", "--at 5, 0 "}) {
    CHECK(shifted("point " + (way + pair))["mean"] == at["mean"]);
    CHECK(shifted("point " + pair + way)["mean"] == at["mean"]);
  }
  for (const char* way : {"--shift -1 2 ", "--shift -1,2 ", "--shift=-1,2 "}) {
    CHECK(shifted("max " + (way + pair))["criteria"]["shift_evaluated_mm"] == Json({-1, 2}));
    CHECK(shifted("max " + pair + way)["criteria"]["shift_evaluated_mm"] == Json({-1, 2}));
  }
  CHECK(shifted("max --spacing 2 3 " + pair)["mean"] == shifted("max --spacing 2x3 " + pair)["mean"]);
  const auto refused = [](const std::string& arguments, const std::string& what) {
    const Outcome o = psqa(arguments);
    INFO(arguments << "\n" << o.errors);
    CHECK(o.code != 0);
    CHECK(std::count(o.errors.begin(), o.errors.end(), '\n') == 1);
    CHECK(has(o.errors, what));
  };
  refused("gamma a b --normalise point --at 5", "--at: expected numbers in mm as x,y[,z], got \"5\"");
  refused("gamma a b --normalise point --at 0 0 0 0", "got \"0,0,0,0\"");
  refused("gamma --shift 1 2 3 a b", "--shift: expected numbers in mm as x,y, got \"1,2,3\"");
  refused("gamma a b --shift a", "got \"a\"");
  refused("import --normalise point --at 0 0 0 a --out b", "--at: expected numbers in mm as x,y, got \"0,0,0\"");
  refused("gamma --dd 3 2 a b", "expected a file, got the number \"2\"");
  refused("gamma --criteria 3%/2mm a 2", "expected a file, got the number \"2\"");
  for (const char* command : {"complexity --fraction-group 0 1 a", "tg218 3 a", "predict --run a b 5",
                              "import --out a --spacing 1 --seed 2 3 a"})
    refused(command, "expected a file, got the number");
}

TEST_CASE("a choice lists its values, a folder is no file to write, and an import says where its records are from",
          "[psqa][commands][error]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path plan = folder.path() / "p.dcm", out = folder.path() / "cohort";
  write_rtplan(square_plan("p"), plan);
  CHECK(has(psqa("complexity --choice aav_maximum=larges " + quoted(plan)).errors,
            "expected envelope, largest_gap or union_of_openings, got \"larges\""));
  CHECK(has(psqa("complexity --csv " + quoted(folder.path()) + quoted(plan)).errors, "got a folder"));
  CHECK(has(psqa("import --out " + quoted(out) + quoted(plan)).out,
            "imported 1 record into " + out.string() + ": 0 measured, 0 logged, 1 simulated; skipped 0"));
  const Outcome again = psqa("simulate --plans 1 --out " + quoted(out));
  CHECK(again.code == 1);
  CHECK(has(again.errors, "expected a new folder"));
  CHECK_FALSE(has(again.errors, "simulating"));
}

TEST_CASE("the program prints its version", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const Outcome o = psqa("--version");
  CHECK(o.code == 0);
  CHECK(o.out == "psqa " + std::string(equipoise::version) + "\n");
}

TEST_CASE("without a command the program prints its help", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const Outcome o = psqa("");
  CHECK(o.code != 0);
  CHECK(has(o.out, "complexity"));
  CHECK(psqa("--help").code == 0);
  CHECK(psqa("gamma --help").code == 0);
}

TEST_CASE("complexity goes on after a bad file, and fails at its end", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path a = folder.path() / "a" / "plan.dcm", b = folder.path() / "b" / "plan.dcm",
                 bad = folder.path() / "bad.dcm";
  fs::create_directories(a.parent_path()), fs::create_directories(b.parent_path());
  write_rtplan(square_plan("a"), a), write_rtplan(square_plan("b"), b);
  write_text(bad, "no plan at all");
  const Outcome o = psqa("complexity --json " + quoted(bad) + quoted(a) + quoted(b));
  CHECK(o.code == 1);
  CHECK(has(o.errors, "bad.dcm"));
  const Json j = Json::parse(o.out);
  CHECK(j["plans"].size() == 2);
  const Json& plan = j["plans"][a.string()];  // two files of one name are told apart by their paths
  CHECK(plan["plan"]["PA_mm2"] == 1600);
  CHECK(j["plans"][b.string()]["plan"]["MU"] == 100);
  CHECK(plan["fraction_group"] == 0);
  CHECK(plan["warnings"].is_array());
  CHECK(plan["plan"]["crossed_leaf_fraction"] == 0);
  CHECK(plan["plan"]["MUDEG_MU_per_deg"].is_null());
  CHECK(has(j["errors"]["bad.dcm"], "not a DICOM file"));
  CHECK(psqa("complexity " + quoted(a)).code == 0);
  CHECK(psqa("complexity --choice closed_gap_mm=-1 " + quoted(a)).code == 2);
  CHECK(has(psqa("complexity --fraction-group 1 " + quoted(a)).errors, "fraction group 1"));
}

TEST_CASE("complexity writes many plans as one CSV, and names those that it cannot read",
          "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path a = folder.path() / "a.dcm", b = folder.path() / "b, c.dcm", bad = folder.path() / "bad.dcm",
                 csv = folder.path() / "out.csv";
  Plan two = square_plan("b");
  two.beams.push_back(two.beams[0]);
  two.beams[1].number = 2;
  write_rtplan(square_plan("a"), a), write_rtplan(two, b);
  write_text(bad, "no plan at all");
  const auto cell = [](const equipoise::io::CsvFile& file, std::size_t row, std::string_view column) {
    const auto& names = file.rows().at(0).cells;
    const auto at = std::find(names.begin(), names.end(), column) - names.begin();
    return std::string(file.rows().at(row).cells.at(static_cast<std::size_t>(at)));
  };
  const Outcome o = psqa("complexity --csv " + quoted(csv) + quoted(bad) + quoted(a) + quoted(b));
  CHECK(o.code == 1);
  CHECK(has(o.errors, "bad.dcm"));
  CHECK(has(o.out, "2 of 3 plans, 2 rows"));
  CHECK_FALSE(has(o.out, "MUCA"));
  {
    const equipoise::io::CsvFile file(csv);
    REQUIRE(file.rows().size() == 3);
    CHECK(cell(file, 1, "plan") == "a.dcm");
    CHECK(cell(file, 2, "plan") == "b, c.dcm");
    CHECK(cell(file, 1, "PA_mm2") == "1600");
    CHECK(cell(file, 2, "MU") == "200");
    CHECK(cell(file, 1, "MUDEG_MU_per_deg").empty());
    CHECK(cell(file, 1, "label") == "a");
    CHECK(cell(file, 2, "file") == b.string());
    CHECK(cell(file, 1, "warnings") == "0");
    CHECK(file.rows()[1].cells.size() == file.rows()[0].cells.size());
  }
  CHECK(psqa("complexity --per-beam --csv " + quoted(csv) + quoted(a) + quoted(b)).code == 0);
  const equipoise::io::CsvFile beams(csv);
  REQUIRE(beams.rows().size() == 4);
  CHECK(cell(beams, 2, "plan") == "b, c.dcm");
  CHECK(cell(beams, 3, "beam") == "2");
  CHECK(cell(beams, 3, "MU") == "100");
  const fs::path none = folder.path() / "none.csv";
  CHECK(psqa("complexity --csv " + quoted(none) + quoted(bad)).code == 1);
  CHECK_FALSE(fs::exists(none));
}

TEST_CASE("gamma prints its norm and units, and refuses to judge nothing", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path a = folder.path() / "a.csv", b = folder.path() / "b.csv", far = folder.path() / "far.dcm",
                 twenty = folder.path() / "twenty.csv";
  write_text(a, "1,2,3\n2,4,3\n1,2,3\n"), write_text(b, "1,2,3\n2,5,3\n1,2,3\n");
  write_text(twenty, "10,20,30\n20,50,30\n10,20,30\n");
  const auto norm = [&](const char* option) {
    return Json::parse(
        psqa("gamma --json --norm " + std::string(option) + " " + quoted(a) + quoted(b)).out)["criteria"];
  };
  CHECK(norm("reference")["norm_dose"] == 4);
  CHECK(norm("evaluated")["norm_dose"] == 5);
  CHECK(norm("2.5")["norm_dose"] == 2.5);
  for (const char* wrong : {"0", "--norm=-1", "planned", "nan", "inf"})
    CHECK(psqa("gamma --norm " + std::string(wrong) + " " + quoted(a) + quoted(b)).code != 0);
  for (const char* wrong : {"--dd nan", "--dd inf", "--dta inf", "--dta 0", "--cutoff nan", "--max-gamma 0"})
    CHECK(psqa("gamma " + std::string(wrong) + " " + quoted(a) + quoted(b)).code != 0);
  CHECK(Json::parse(psqa("gamma --json " + quoted(a) + quoted(b)).out)["units"]["reference"] == "unknown");
  CHECK(has(psqa("gamma " + quoted(a) + quoted(twenty)).errors, "one unit?"));
  DoseGrid away = DoseGrid::plane(3, 3, 1);
  away.values.assign(9, 4.0), away.origin = {0, 500, 500};
  write_rtdose(away, square_plan("p"), "planned", far);
  CHECK(has(psqa("gamma --norm 1000 " + quoted(a) + quoted(b)).errors, "above the cut-off of 10 % of 1000, got 4"));
  CHECK(has(psqa("gamma " + quoted(a) + quoted(b)).errors, "--spacing"));
  CHECK(!has(psqa("gamma --spacing 2 " + quoted(a) + quoted(b)).errors, "--spacing"));
  CHECK(psqa("gamma --map m.jpg " + quoted(a) + quoted(b)).code == 2);
  CHECK(psqa("gamma --spacing 1 --dd 3 --cutoff 50 " + quoted(a) + quoted(b)).out.find("TG-218") == std::string::npos);
  const Outcome none = psqa("gamma --json " + quoted(a) + quoted(far));
  CHECK(none.code == 1);
  CHECK(none.out.empty());
  CHECK(has(none.errors, "got none"));
  DoseGrid volume = away;
  volume.shape = {2, 3, 3}, volume.values.assign(18, 4.0), volume.origin = {0, -1, -1};
  write_rtdose(volume, square_plan("p"), "planned", folder.path() / "volume.dcm");
  const std::string frames = psqa("gamma " + quoted(a) + quoted(folder.path() / "volume.dcm")).errors;
  for (const char* words : {"a.csv: expected two planes or two volumes, got a plane, and a volume of 2 frames in ",
                            "volume.dcm: --space slices or volume"})
    CHECK(has(frames, words));
  CHECK(psqa("gamma --space volume " + quoted(a) + quoted(folder.path() / "volume.dcm")).code == 0);
}

TEST_CASE("gamma's cap leaves the rate alone", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path a = folder.path() / "a.csv", b = folder.path() / "b.csv";
  write_text(a, "1,2,3\n2,4,3\n1,2,3\n"), write_text(b, "1,2,3\n2,5,3\n1,3,3\n");
  for (const char* search : {"exact", "wendling", "classic"}) {
    const auto rate = [&](const char* cap) {
      return Json::parse(psqa("gamma --json --spacing 5 --search " + std::string(search) + " --max-gamma " + cap + " " +
                              quoted(a) + quoted(b))
                             .out)["pass_rate"]
          .get<double>();
    };
    CHECK(rate("2") < 100);
    CHECK(rate("1") == rate("2"));
    CHECK(rate("0.5") == rate("2"));
  }
}

TEST_CASE("gamma judges one set of points for every cap, and says how many lie beyond the evaluated grid",
          "[psqa][commands][worked]") {
  if (!support::built()) return;
  const fs::path folder = support::reported("gamma_cap");
  for (const char* cap : {"1", "1.5", "2", "3", "5"}) {
    const Outcome o = psqa("gamma --json --dd 3 --dta 1 --spacing 1 --max-gamma " + std::string(cap) + " " +
                           quoted(folder / "a.npy") + quoted(folder / "b.npy"));
    const Json r = Json::parse(o.out);
    CHECK(r["pass_rate"] == 100);
    CHECK(r["evaluated"] == 256);
    CHECK(r["out_of_reach"] == 144);
    CHECK(has(o.errors, "warning: only 256 of 400 points"));
    CHECK(r["tg218"].is_null());  // of another distance
  }
  const fs::path planes = support::reported("mcc_axes");
  const std::string pair = quoted(planes / "a.mcc") + quoted(planes / "truth.npy") + "--dd 3 ";
  const Outcome o = psqa("gamma " + pair);
  CHECK(has(o.out, "TG-218     not judged: 120 of 121 points without dose\n"));
  CHECK_FALSE(has(o.out, "within tolerance"));
  CHECK(Json::parse(psqa("gamma --json " + pair).out)["tg218"] == "not judged: 120 of 121 points without dose");
  if (const support::TemporaryFolder pages; true) {
    REQUIRE(psqa("gamma --html " + quoted(pages.path() / "p.html") + pair).code == 0);
    std::ifstream in(pages.path() / "p.html");
    const std::string page((std::istreambuf_iterator<char>(in)), {});
    CHECK(has(page, "TG-218's universal limits give no verdict"));
    CHECK_FALSE(has(page, "within tolerance"));
  }
}

TEST_CASE("gamma names in what kind of dose, patient or frame of reference two files differ",
          "[psqa][commands][worked]") {
  if (!support::built()) return;
  const fs::path folder = support::reported("dose_types");
  const auto errors = [&](const char* reference) {
    return psqa("gamma " + quoted(folder / reference) + quoted(folder / "plan.dcm")).errors;
  };
  CHECK(has(errors("frac5.dcm"), "differ in dose summation type: FRACTION (reference) and PLAN (evaluated)"));
  CHECK(has(psqa("gamma " + quoted(folder / "frac5.dcm") + quoted(folder / "eff.dcm")).errors,
            "of all fractions beside " + (folder / "frac5.dcm").string() + ", of one: no plan tells their number"));
  CHECK(has(errors("eff.dcm"), "differ in dose type: EFFECTIVE"));
  CHECK(has(errors("other.dcm"), "differ in patient: OTHER"));
  CHECK(has(errors("other.dcm"), "differ in frame of reference: 2.25.1"));
  CHECK(!has(errors("plan.dcm"), "differ in"));
}

TEST_CASE("gamma refuses doses without a common unit, or normalises them", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const fs::path folder = support::reported("opg_mcc");
  for (const char* file : {"rel.opg", "pc.mcc"}) {
    const std::string pair = quoted(folder / file) + quoted(folder / "truth.npy") + "--spacing 10 ";
    const Outcome refused = psqa("gamma " + pair);
    CHECK(refused.code == 1);
    const std::string line = refused.errors.substr(refused.errors.find("psqa: "));
    CHECK(line.find(file) == line.rfind(file));  // each file is named once
    for (const char* text : {file, "truth.npy", "RELATIVE (%)", "no unit, taken as Gy", "--normalise"})
      CHECK(has(refused.errors, text));
    for (const char* how : {"max", "point", "point --at 10,-10", "prescription --prescription 1"}) {
      const Json j = Json::parse(psqa("gamma --json " + pair + "--normalise " + how).out);
      CHECK(j["pass_rate"] == 100);
      CHECK(has(how, j["normalise"].get<std::string>()));
      CHECK(j["notes"].size() == 1);
    }
    CHECK(has(psqa("gamma " + pair + "--normalise max").out, "normalised by max"));
    CHECK(psqa("gamma " + pair + "--normalise prescription").code == 1);
    CHECK(psqa("gamma " + pair + "--at 0,0").code == 1);
    CHECK(psqa("gamma " + pair + "--normalise mean").code != 0);
  }
}

TEST_CASE("gamma divides the dose of all fractions", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const fs::path folder = support::reported("import_units/fractions5_plan_sum");
  const support::TemporaryFolder other;
  fs::copy_file(folder / "a_planned.dcm", other.path() / "dose.dcm");
  const std::string measured = "gamma --json --centre " + quoted(folder / "a_measured.mcc");
  const Json beside = Json::parse(psqa(measured + quoted(folder / "a_planned.dcm")).out);
  CHECK(beside["pass_rate"] == 100);
  CHECK(has(beside["notes"][0].get<std::string>(), "divided by 5"));
  const std::string alone = measured + quoted(other.path() / "dose.dcm");
  CHECK(has(psqa(alone).errors, "no plan tells their number"));
  CHECK(Json::parse(psqa(alone).out)["notes"].empty());
  CHECK(Json::parse(psqa(alone + "--plan " + quoted(folder / "a.dcm")).out)["pass_rate"] == 100);
}

TEST_CASE("a detector's plane is put at the isocentre of the plan beside a dose in the patient's coordinates",
          "[psqa][commands][worked]") {
  if (!support::built()) return;
  const fs::path folder = support::reported("import_units/fractions5_plan_sum");
  const std::string mcc = quoted(folder / "a_measured.mcc"), dose = quoted(folder / "a_planned.dcm");
  const Outcome beside = psqa("gamma --json --dd 3 " + mcc + dose);
  CHECK(Json::parse(beside.out)["pass_rate"] == 100);  // as psqa import has it; the isocentre is at 10, 30 mm
  CHECK(has(Json::parse(beside.out)["notes"][1].get<std::string>(), "x 10, y 30 mm in "));
  CHECK_FALSE(has(beside.errors, "counts from the beam axis"));
  const auto turned = [&](const char* option) {  // the isocentre is the middle of this dose
    return Json::parse(psqa("gamma --json --dd 3 " + (option + dose) + mcc).out)["mean"].get<double>();
  };
  CHECK(turned("") == Approx(turned("--centre ")).margin(1e-6));
  const support::TemporaryFolder other;
  fs::copy_file(folder / "a_planned.dcm", other.path() / "dose.dcm");
  fs::copy_file(folder / "a_measured.mcc", other.path() / "detector.mcc");
  const std::string alone =
      "gamma --json --dd 3 " + quoted(other.path() / "detector.mcc") + quoted(other.path() / "dose.dcm");
  CHECK(has(psqa(alone).errors, "detector.mcc counts from the beam axis, "));
  CHECK(has(psqa(alone).errors, "dose.dcm from the patient's origin, and no plan tells where the axis is (--plan or"));
  CHECK_FALSE(has(psqa(alone + "--centre").errors, "beam axis"));
  CHECK_FALSE(has(psqa(alone + "--shift -10 -30").errors, "beam axis"));
  const Json plan = Json::parse(psqa(alone + "--plan " + quoted(folder / "a.dcm")).out);
  CHECK(plan["pass_rate"] == 100);
  CHECK(plan["notes"].size() == 2);
}

TEST_CASE("gamma says where a plan is not that of the dose, and where files seem swapped",
          "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path plan = folder.path() / "p.dcm", other = folder.path() / "q.dcm",
                 planned = folder.path() / "p_planned.dcm", measured = folder.path() / "p_measured.dcm";
  DoseGrid g = DoseGrid::plane(3, 3, 5);
  g.values.assign(9, 2.0);
  write_rtplan(square_plan("p"), plan), write_rtplan(square_plan("q"), other);
  write_rtdose(g, square_plan("p"), "planned", planned), write_rtdose(g, square_plan("p"), "measured", measured);
  const auto errors = [&](const std::string& arguments) { return psqa("gamma " + arguments).errors; };
  const std::string wrong = errors(quoted(measured) + quoted(planned) + "--plan " + quoted(other));
  CHECK(has(wrong, "p_planned.dcm and the plan " + other.string() + " differ in patient: p (dose) and q (plan)"));
  CHECK(has(wrong, "q.dcm differ in plan UID: "));
  CHECK_FALSE(has(errors(quoted(measured) + quoted(planned) + "--plan " + quoted(plan)), "differ in"));
  CHECK_FALSE(has(errors(quoted(measured) + quoted(planned)), "swapped"));
  CHECK(has(errors(quoted(planned) + quoted(measured)), "are they swapped? The measurement comes first"));
  const fs::path doses = support::reported("import_units/fractions5_plan_sum");
  CHECK(has(errors(quoted(doses / "a_planned.dcm") + quoted(doses / "a_measured.mcc")), "swapped"));
}

TEST_CASE("gamma reads rows from either end, and files of different spacing", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path up = folder.path() / "up.csv", down = folder.path() / "down.csv", dose = folder.path() / "dose.dcm",
                 coarse = folder.path() / "coarse.csv";
  DoseGrid g = DoseGrid::plane(5, 5, 4);
  std::string first, last;  // lines, the first one of the lowest y, or the highest
  for (std::size_t y = 0; y < 5; ++y) {
    std::string line;
    for (std::size_t x = 0; x < 5; ++x) {
      g.at(0, y, x) = 1 + double(y * y);
      line += (x ? "," : "") + std::to_string(1 + y * y);
    }
    first += line + "\n", last = line + "\n" + last;
  }
  write_text(up, first), write_text(down, last);
  write_rtdose(g, square_plan("p"), "planned", dose);
  const auto rate = [&](const std::string& options) {
    return Json::parse(psqa("gamma --json --spacing 4 " + options).out)["pass_rate"].get<double>();
  };
  CHECK(rate(quoted(up) + quoted(dose)) == 100);
  CHECK(rate("--rows-from top " + quoted(down) + quoted(dose)) == 100);
  CHECK(rate(quoted(down) + quoted(dose)) < 100);
  // Every other point of the plane, 8 mm apart.
  write_text(coarse, "1,1,1\n5,5,5\n17,17,17\n");
  CHECK(rate("--spacing-evaluated 4 --search classic " + quoted(coarse) + quoted(up)) < 100);
  CHECK(Json::parse(
            psqa("gamma --json --spacing 8 --spacing-evaluated 4 " + quoted(coarse) + quoted(up)).out)["pass_rate"] ==
        100);
  CHECK(psqa("gamma --spacing-evaluated 0 " + quoted(coarse) + quoted(up)).code != 0);
  CHECK(psqa("gamma --rows-from left " + quoted(coarse) + quoted(up)).code != 0);
}

TEST_CASE("gamma flips, centres and shifts the evaluated distribution", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path a = folder.path() / "a.csv", mirrored = folder.path() / "b.csv", dose = folder.path() / "dose.dcm";
  write_text(a, "1,4,9\n2,5,9\n3,6,9\n"), write_text(mirrored, "9,4,1\n9,5,2\n9,6,3\n");
  DoseGrid away = DoseGrid::plane(3, 3, 5);
  away.values = {1, 4, 9, 2, 5, 9, 3, 6, 9}, away.axes = kCoronal;
  away.origin = {-20, 95, 45};  // its middle is x = 50, z = 100
  write_rtdose(away, square_plan("p"), "planned", dose);
  const auto rate = [&](const std::string& options) {
    return Json::parse(psqa("gamma --json --spacing 5 " + options).out)["pass_rate"].get<double>();
  };
  CHECK(rate(quoted(a) + quoted(mirrored)) < 100);
  CHECK(rate("--flip x " + quoted(a) + quoted(mirrored)) == 100);
  CHECK(rate("--flip y " + quoted(a) + quoted(mirrored)) < 100);
  CHECK(psqa("gamma --spacing 5 " + quoted(a) + quoted(dose)).code == 1);  // out of reach
  CHECK(rate("--centre " + quoted(a) + quoted(dose)) == 100);
  CHECK(rate("--shift -50 -100 " + quoted(a) + quoted(dose)) == 100);
  CHECK(rate("--centre --shift 5 0 " + quoted(a) + quoted(dose)) < 100);
  DoseGrid higher = away;
  higher.origin[0] += 7;
  write_rtdose(higher, square_plan("p"), "planned", folder.path() / "higher.dcm");
  CHECK(has(psqa("gamma " + quoted(dose) + quoted(folder.path() / "higher.dcm")).errors, "7 mm apart"));
  CHECK(!has(psqa("gamma " + quoted(dose) + quoted(dose)).errors, "apart"));
}

TEST_CASE("a map's image has +y at the top, its array the reference's rows", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path a = folder.path() / "a.csv", b = folder.path() / "b.csv", png = folder.path() / "m.png",
                 npy = folder.path() / "m.npy";
  write_text(a, "4,4,4\n4,4,4\n4,4,4\n"), write_text(b, "8,8,8\n4,4,4\n4,4,4\n");  // the first row fails
  const auto map_of = [&](const std::string& options, const fs::path& path) {
    REQUIRE(psqa("gamma --spacing 9 --map " + quoted(path) + options + quoted(a) + quoted(b)).code == 0);
  };
  for (const char* rows : {"--rows-from bottom ", "--rows-from top "}) {
    map_of(rows, npy);
    const std::vector<double> map = equipoise::io::read_npy_as_doubles(npy).values;
    CHECK(map[1] == 2);
    CHECK(map[7] == 0);
    map_of(rows, png);
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    REQUIRE(png_image_begin_read_from_file(&image, png.c_str()) != 0);
    image.format = PNG_FORMAT_RGB;
    std::vector<unsigned char> pixels(PNG_IMAGE_SIZE(image));
    REQUIRE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr) != 0);
    const auto red_at = [&](std::size_t y) {  // red fails, blue passes
      const unsigned char* p = &pixels[3 * (y * image.width + image.width / 2)];
      return int(p[0]) - int(p[2]);
    };
    const bool first_is_lowest = std::string(rows).find("bottom") != std::string::npos;
    CHECK((red_at(10) > 0) == !first_is_lowest);
    CHECK((red_at(image.height - 10) > 0) == first_is_lowest);
  }
}

TEST_CASE("the norm of the planned distribution judges the points that are known", "[psqa][commands][samples]") {
  const fs::path folder = support::samples("gamma_agnew_mcgarry");
  if (folder.empty() || !support::built()) return;
  const Json j = Json::parse(psqa("gamma --json --dd 1 --dta 1 --local --cutoff 20 --norm reference " +
                                  quoted(folder / "H&N_VMAT_Reference_1mmPx.dcm") +
                                  quoted(folder / "H&N_VMAT_Evaluated_1mmPx.dcm"))
                                 .out);
  CHECK(j["evaluated"] == 15370);
}

TEST_CASE("limits for all clinics stand beside rates of 3 %/2 mm alone", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path list = folder.path() / "rates.txt", table = folder.path() / "rates.csv";
  write_text(list, "98.5\n97\n94\n"), write_text(table, "id,gpr_3_2,gpr_2_2\np,98.5,90\nq,94,80\n");
  CHECK_FALSE(has(psqa("tg218 " + quoted(list)).out, "universal"));
  CHECK(has(psqa("tg218 --universal " + quoted(list)).out, "universal 95 %: 1 below"));
  CHECK(has(psqa("tg218 " + quoted(table)).out, "universal 90 %: 0 below"));
  CHECK(Json::parse(psqa("tg218 --json --column gpr_2_2 " + quoted(table)).out)["universal"].is_null());
  CHECK(Json::parse(psqa("tg218 --json " + quoted(table)).out)["universal"]["below_tolerance"] == 1);
  write_text(table, "id,gpr_3_2\nfirst,99\nlow,60\nlast,98\n" + std::string("a,98\nb,99\nc,98\nd,99\ne,98\nf,99\n"));
  CHECK(has(psqa("tg218 " + quoted(table)).out, "out of control   1: no. 2 (low)"));
  CHECK(Json::parse(psqa("tg218 --json " + quoted(table)).out)["out_of_control_names"] == Json({"low"}));
  write_text(list, "0.985\n0.97\n");
  CHECK(has(psqa("tg218 " + quoted(list)).errors, "rates in %"));
}

TEST_CASE("a file with bytes of another encoding costs the others nothing", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path in = folder.path() / "in", good = in / "good.dcm",
                 bad = in /
                       "b\xe4"
                       "d.dcm";
  fs::create_directories(in);
  Plan plan = square_plan("M\xfcller");
  plan.beams[0].machine = "linac\xff";
  write_rtplan(plan, good), write_rtplan(plan, bad);
  {
    DcmFileFormat file;
    REQUIRE(file.loadFile(bad.c_str()).good());
    REQUIRE(file.loadAllDataIntoMemory().good());
    DcmItem& beam = *sequence_items(*file.getDataset(), DCM_BeamSequence).at(0);
    DcmItem& point = *sequence_items(beam, DCM_ControlPointSequence).at(0);
    REQUIRE(point.putAndInsertString(DCM_GantryAngle, "1\xff").good());
    REQUIRE(file.saveFile(bad.c_str()).good());
  }
  const Outcome printed = psqa("complexity " + quoted(good) + quoted(bad));
  CHECK(has(printed.errors,
            "b\xc3\xa4"
            "d.dcm"));
  CHECK(equipoise::is_utf8(printed.errors));
  const Outcome o = psqa("complexity --json " + quoted(good) + quoted(bad));
  CHECK(o.code == 1);
  const Json j = Json::parse(o.out);
  CHECK(j["plans"]["good.dcm"]["plan"]["MU"] == 100);
  CHECK(has(j["errors"]["b\xc3\xa4"
                        "d.dcm"],
            "1\xc3\xbf"));

  const fs::path latin = in / "pl\xe4n.dcm", out = folder.path() / "cohort";
  write_rtplan(plan, latin);
  const Outcome imported = psqa("import --json --out " + quoted(out) + quoted(in));
  INFO(imported.errors);
  REQUIRE(imported.code == 0);
  const Json cohort = Json::parse(std::ifstream(out / "cohort.json"));
  CHECK(cohort["records"] == 2);
  CHECK(cohort["sources"][1]["id"] == "pl\xc3\xa4n");
  CHECK(cohort["skipped"].size() == 1);
  std::ifstream table(out / "records.csv");
  const std::string text((std::istreambuf_iterator<char>(table)), {});
  CHECK(has(text, "M\xc3\xbcller"));
  CHECK(equipoise::is_utf8(text));
}

TEST_CASE("records without a patient ID are said to count as patients of their own", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path in = folder.path() / "in";
  fs::create_directory(in);
  for (const char* name : {"a", "b", "c"}) {
    equipoise::psqa::Plan plan = square_plan(name);
    plan.patient = std::string(name) == "c" ? "Roe" : "";
    write_rtplan(plan, in / (std::string(name) + ".dcm"));
  }
  const fs::path out = folder.path() / "cohort";
  const Outcome o = psqa("import --out " + quoted(out) + quoted(in));
  REQUIRE(o.code == 0);
  CHECK(has(o.errors, "2 records have no patient ID and count as patients of their own"));
  const Outcome again = psqa("import --out " + quoted(out) + quoted(in));  // known before a plan is delivered
  CHECK(again.code == 1);
  CHECK(has(again.errors, "expected a new folder"));
  CHECK_FALSE(has(again.errors, "patient ID"));
}

TEST_CASE("apertures are printed as a table, and a log has the metrics of what was delivered",
          "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path plan = folder.path() / "plan.dcm";
  write_rtplan(square_plan("p"), plan);
  const std::string table = psqa("complexity --per-control-point " + quoted(plan)).out;
  CHECK(has(table, "beam 1"));
  CHECK(has(table, "gantry_deg"));
  CHECK(has(table, "1600"));
  const fs::path logs = support::samples("linac_log");
  if (logs.empty()) return;
  const Json j = Json::parse(psqa("complexity --json " + quoted(logs / "elekta_log_A.csv")).out)["plans"];
  CHECK(j["elekta_log_A.csv"]["plan"]["MU"].get<double>() == Approx(100));
  CHECK(j["elekta_log_A.csv"]["log"]["LEAFRMS_mm"].get<double>() == Approx(0.0489).margin(1e-4));
  CHECK(has(psqa("complexity " + quoted(logs / "elekta_log_A.csv")).out, "LEAFMAX_mm"));
}

TEST_CASE("a cohort of portal images has no depth in water, and says what its planes are",
          "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path out = folder.path() / "cohort";
  const std::string simulate = "simulate --plans 1 --machines 1 --noise-ceiling 0 --out " + quoted(out);
  const Outcome deep = psqa(simulate + "--plane epid --depth 100");
  CHECK(deep.code == 1);
  CHECK(has(deep.errors, "portal image (epid) has no depth in water, got 100"));
  CHECK_FALSE(fs::exists(out));
  REQUIRE(psqa(simulate + "--plane epid").code == 0);
  CHECK(Json::parse(std::ifstream(out / "cohort.json"))["planes"]["kind"] == "epid");
}

TEST_CASE("an import delivers plans as it is told, and its cohort says how", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path plan = folder.path() / "p.dcm", out = folder.path() / "cohort";
  write_rtplan(square_plan("p"), plan);
  const std::string import = "import --out " + quoted(out) + quoted(plan);
  CHECK(has(psqa(import + "--mismatch shift=1").errors, "did you mean \"shift_mm\""));
  CHECK(has(psqa(import + "--linac-model hd").errors, "hd120"));
  CHECK(has(psqa(import + "--plane epid --depth 50").errors, "has no depth in water"));
  CHECK_FALSE(fs::exists(out));
  const Outcome o = psqa(import +
                         "--seed 5 --machines 2 --linac-model hd120 --plane epid --mismatch noise_local_percent=0 "
                         "shift_mm=0");
  INFO(o.errors);
  REQUIRE(o.code == 0);
  const auto about = nlohmann::ordered_json::parse(std::ifstream(out / "cohort.json"));
  CHECK(about["simulated_deliveries"]["detector"] == "epid");
  CHECK(about["planes"]["kind"] == "epid");
  CHECK(about["planes"]["unit"] == "Gy");
  const CohortSettings back = plane_settings(about);
  CHECK(back.seed == 5);
  CHECK(back.machines == 2);
  CHECK(back.model == LinacModel::hd120);
  CHECK(back.plane.kind == PlaneKind::epid);
  CHECK(back.mismatch.shift_mm == 0);
  CHECK(back.mismatch.noise_local_percent == 0);
  CHECK(back.mismatch.noise_global_percent == Mismatch{}.noise_global_percent);
}

TEST_CASE("what can be said of deliveries is the same for simulate, import and floor", "[psqa][commands][property]") {
  if (!support::built()) return;
  const std::string simulate = psqa("simulate --help").out, import = psqa("import --help").out,
                    floor = psqa("floor --help").out;
  for (const char* option :
       {"--seed", "--machines", "--linac-model", "--plane", "--depth", "--detector", "--mismatch"}) {
    INFO(option);
    const std::size_t from = simulate.find(option), to = simulate.find("\n  -", from);
    REQUIRE(from != std::string::npos);
    CHECK(has(import, simulate.substr(from, to - from)));
    CHECK(has(floor, option));
  }
}

TEST_CASE("floors of a cohort's folder are those of its options, and name what cannot be repeated",
          "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path out = folder.path() / "cohort", csv = folder.path() / "floors.csv";
  const std::string options = "--plans 3 --machines 2 --seed 4 --mismatch shift_mm=0.2 ";
  REQUIRE(psqa("simulate --noise-ceiling 0 " + options + "--out " + quoted(out)).code == 0);
  const Outcome of_folder = psqa("floor --json --deliveries 3 --threads 2 --csv " + quoted(csv) + quoted(out));
  INFO(of_folder.errors);
  REQUIRE(of_folder.code == 0);
  CHECK(of_folder.out == psqa("floor --json --deliveries 3 --threads 1 " + options).out);
  const Json j = Json::parse(of_folder.out);
  CHECK(j["records"] == 3);
  CHECK(j["deliveries"] == 3);
  for (const NamedCriteria& c : kCriteria) {
    const Json& rate = j["floors"][c.name];
    CHECK(rate["constant"]["mae"]["value"].is_number());
    for (const char* known : {"plan", "machine", "day"}) {
      CHECK(rate[known]["in_sample"] <= rate[known]["floor"]["value"]);
      CHECK(rate[known]["floor"]["value"] <= rate[known]["leave_one_out"]);
      CHECK(rate[known]["floor"]["low"] <= rate[known]["floor"]["high"]);
    }
  }
  std::ifstream table(csv);
  std::string header, first;
  std::getline(table, header), std::getline(table, first);
  CHECK(has(header, "id,patient,machine,gpr_3_3,"));
  CHECK(has(header, ",day_gpr_2_2_predicted,day_gpr_2_2_floor"));
  CHECK(has(first, "plan0,patient0,linac"));
  CHECK(std::count(first.begin(), first.end(), ',') == std::count(header.begin(), header.end(), ','));

  const Outcome seed = psqa("floor --seed 5 " + quoted(out));
  CHECK(seed.code == 2);
  CHECK(has(seed.errors, "--seed excludes cohort"));
  CHECK(has(psqa("floor --deliveries 2").errors, "--deliveries"));
  const Outcome none = psqa("floor " + quoted(folder.path() / "none"));
  CHECK(none.code == 1);
  CHECK(has(none.errors, "is " + (folder.path() / "none").string() + " a cohort?"));

  auto about = nlohmann::ordered_json::parse(std::ifstream(out / "cohort.json"));
  about["seed"] = 5;  // its records are no longer what is simulated
  write_text(out / "cohort.json", about.dump());
  const fs::path not_written = folder.path() / "not_written.csv";
  const Outcome other = psqa("floor --deliveries 3 --csv " + quoted(not_written) + quoted(out));
  CHECK(other.code == 1);
  CHECK(has(other.errors, "simulate it anew"));
  CHECK_FALSE(fs::exists(not_written));
  about["plans_from_files"] = 1;
  write_text(out / "cohort.json", about.dump());
  CHECK(has(psqa("floor " + quoted(out)).errors, "--rtplans: expected the files from which"));
}

TEST_CASE("an import takes duplicates, and leaves no file unsaid", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path in = folder.path() / "in", out = folder.path() / "cohort";
  for (const char* name : {"a", "b"}) {
    fs::create_directories(in / name);
    write_rtplan(square_plan(name), in / name / "p.dcm");
  }
  write_text(in / "notes.md", "# Notes\n");
  const Outcome o = psqa("import --json --out " + quoted(out) + quoted(in));
  INFO(o.errors);
  REQUIRE(o.code == 0);
  const Json j = Json::parse(o.out);
  CHECK(j["records"] == 2);
  CHECK(j["measured"] == 0);
  CHECK(j["simulated"] == 2);
  CHECK(j["sources"][0]["id"] == "p");
  CHECK(j["sources"][1]["id"] == "p_2");
  CHECK(j["sources"][1]["fraction_group"] == 0);
  REQUIRE(j["skipped"].size() == 1);
  CHECK(j["skipped"][0]["file"] == (in / "notes.md").string());
  CHECK_FALSE(has(j["skipped"][0]["reason"], "notes.md"));
}

TEST_CASE("a cohort's table without the column lists its rates", "[psqa][commands][error]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path table = folder.path() / "records.csv";
  write_text(table, "id,gpr_3_3,gpr_2_3,MU\np,99,98,100\nq,98,97,120\n");
  const Outcome o = psqa("tg218 " + quoted(table));
  CHECK(o.code == 1);
  CHECK(has(o.errors, "there are: gpr_3_3, gpr_2_3"));
  CHECK_FALSE(has(o.errors, "MU"));
  CHECK(psqa("tg218 --column gpr_3_3 " + quoted(table)).code == 0);
}
