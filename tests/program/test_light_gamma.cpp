/// \file
/// The command gamma: criteria, tables, lists of pairs, pictures and pages.

#include <equipoise/io/csv.hpp>
#include <equipoise/io/npy.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <numeric>
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

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

/// A hill of dose, 30 x 40 points, as a table; `shift` moves it by columns and `more` adds dose.
/// \param turned rows and columns exchanged
void write_hill(const fs::path& path, double shift, double more, bool turned = false) {
  std::string text;
  for (int row = 0; row < (turned ? 40 : 30); ++row)
    for (int column = 0; column < (turned ? 30 : 40); ++column) {
      const double x = ((turned ? row : column) - 20 - shift) / 8, y = ((turned ? column : row) - 15) / 8.0;
      text += std::to_string(2 * std::exp(-x * x - y * y) + more) + (column < (turned ? 29 : 39) ? "," : "\n");
    }
  write_text(path, text);
}

struct Hills {
  support::TemporaryFolder folder;
  fs::path a = folder.path() / "measured.csv", b = folder.path() / "planned.csv";
  Hills() { write_hill(a, 0.4, 0.01), write_hill(b, 0, 0); }
  [[nodiscard]] std::string files() const { return " " + quoted(a) + " " + quoted(b) + " "; }
};

}  // namespace

TEST_CASE("several criteria in one run give the rates of single runs", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const Hills h;
  const auto single = [&](const std::string& options) {
    return Json::parse(psqa("gamma --json --spacing 2 " + options + h.files(), false).out);
  };
  const Json all = single("--criteria 3%/3mm 2%/2mm 1%/1mm 0.02Gy/1mm");
  REQUIRE(all["results"].size() == 4);
  const std::vector<std::string> options = {"--dd 3 --dta 3", "--dd 2% --dta 2", "--dd '1 %' --dta 1",
                                            "--dd 2cGy --dta 1"};
  for (std::size_t i = 0; i < 4; ++i) {
    Json one = single(options[i]);
    for (const char* key : {"pass_rate", "mean", "median", "p95", "p99", "max", "evaluated", "histogram"})
      CHECK(all["results"][i][key] == one[key]);
    CHECK(all["results"][i]["criteria"] == one["criteria"]);
    const auto counts = one["histogram"]["counts"].get<std::vector<std::size_t>>();
    CHECK(std::accumulate(counts.begin(), counts.end(), std::size_t{0}) == one["evaluated"].get<std::size_t>());
  }
  CHECK(all["results"][3]["criteria"]["dd_Gy"] == 0.02);
  CHECK(all["results"][3]["criteria"]["dd_percent"].get<double>() == Approx(1));  // of the norm of 2 Gy
  // The files may stand behind the criteria, and commas between them.
  for (const std::string& line : {"--criteria 3%/3mm,2%/2mm" + h.files(), h.files() + "--criteria 3/3 2/2"}) {
    const Outcome o = psqa("gamma --spacing 2 " + line);
    CHECK(o.code == 0);
    CHECK(has(o.out, "3 %/3 mm"));
    CHECK(has(o.out, "2 %/2 mm"));
  }
}

TEST_CASE("a tolerance in Gy needs doses in Gy and no local criterion", "[psqa][commands][error]") {
  if (!support::built()) return;
  const Hills h;
  const auto says = [&](const std::string& options, const std::string& words, int code) {
    const Outcome o = psqa("gamma --spacing 2 " + options + h.files());
    INFO(o.out);
    CHECK(o.code == code);
    CHECK(has(o.out, words));
  };
  says("--dd 0.05Gy", "taken to be in Gy", 0);
  says("--dd 0.05Gy --local", "expected dose differences in %, got 0.05 Gy", 1);
  says("--dd 3mm", "expected a dose difference > 0 such as 3, 3% or 0.05Gy", 2);
  says("--criteria 3%", "expected criteria such as 3%/2mm", 2);
  says("--criteria 3%/0.2cm", "expected criteria such as 3%/2mm", 2);
  says("--dta 2cm", "expected a distance > 0 in mm such as 2 or 2mm, got \"2cm\"", 2);
  says("--dta 2mm", "gamma 2 %/2 mm", 0);
  says("--norm 200cGy", "--norm: expected reference, evaluated or a dose > 0 in the files' unit, got \"200cGy\"", 2);
  says("--cutoff ten", "--cutoff: expected a number, got \"ten\"", 2);
  CHECK(has(psqa("gamma" + h.files() + "--csv").out, "expected a value behind --csv, got none"));
  says("--criteria 3%/3mm --dd 2", "--dd", 2);
}

TEST_CASE("a histogram and percentiles are printed", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const Hills h;
  const Outcome o = psqa("gamma --spacing 2 --histogram" + h.files(), false);
  for (const char* words : {"median", "95th, 99th", "histogram of gamma at 2 %/2 mm", "0.9 - 1 ", "1.9 and more"})
    CHECK(has(o.out, words));
  CHECK_FALSE(has(o.out, ">= 2"));
  const Outcome capped = psqa("gamma --spacing 2 --dd 0.1 --dta 0.1" + h.files(), false);
  CHECK(has(capped.out, "max        >= 2\n"));
  const fs::path csv = h.folder.path() / "capped.csv";
  REQUIRE(psqa("gamma --spacing 2 --dd 0.1 --dta 0.1 --csv " + quoted(csv) + h.files()).code == 0);
  CHECK(has(text_of(csv), ",2,"));  // a number for scripts
}

TEST_CASE("a norm dose has its unit, or says that the files state none", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const Hills h;
  CHECK(has(psqa("gamma --spacing 2" + h.files()).out, "norm 2 (no unit stated), cut-off"));
  CHECK(Json::parse(psqa("gamma --json --spacing 2" + h.files(), false).out)["criteria"]["dose_unit"].is_null());
  const fs::path dose = support::reported("dose_types") / "plan.dcm", page = h.folder.path() / "p.html";
  CHECK(has(psqa("gamma --flip x --centre --html " + quoted(page) + " " + quoted(dose) + " " + quoted(dose)).out,
            " Gy, cut-off"));
  CHECK(has(text_of(page), "reference, Gy"));
  CHECK(has(text_of(page), "mm apart; Gy"));
  CHECK(has(psqa("gamma --norm 1000 " + quoted(dose) + " " + quoted(dose)).out, "10 % of 1000 Gy, got "));
}

TEST_CASE("what was flipped, centred or shifted stands in the text and in the table", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const Hills h;
  const fs::path csv = h.folder.path() / "t.csv";
  const Outcome o = psqa("gamma --spacing 2 --centre --flip x --shift 1 2 --csv " + quoted(csv) + h.files(), false);
  const std::string line =
      "both middles together, evaluated doses flipped along x, evaluated doses moved by 1, 2 mm (x, y)";
  CHECK(has(o.out, "note       " + line));
  const std::string table = text_of(csv);
  CHECK(has(table, ",max_gamma,flip,shift_x_mm,shift_y_mm,centred,"));
  CHECK(has(table, ",10,2,x,1,2,yes,"));
  REQUIRE(psqa("gamma --spacing 2 --csv " + quoted(csv) + h.files(), false).code == 0);
  CHECK(has(text_of(csv), ",10,2,,0,0,no,"));
}

TEST_CASE("points may lie at different distances along x and y", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const Hills h;
  const auto run = [&](const std::string& spacing) {
    return Json::parse(psqa("gamma --json --spacing " + spacing + h.files(), false).out);
  };
  const Json square = run("2"), same = run("2x2"), wide = run("3,2");
  CHECK(square["pass_rate"] == same["pass_rate"]);
  CHECK(wide["spacing_mm"]["reference"] == Json({1.0, 2.0, 3.0}));   // z, y, x
  CHECK(wide["mean"].get<double>() > square["mean"].get<double>());  // the shift along x is larger in mm
  // Rows and columns exchanged, and their spacing too: the same values.
  const fs::path a = h.folder.path() / "turned_a.csv", b = h.folder.path() / "turned_b.csv";
  write_hill(a, 0.4, 0.01, true), write_hill(b, 0, 0, true);
  const Json turned = Json::parse(psqa("gamma --json --spacing 2x3 " + quoted(a) + " " + quoted(b), false).out);
  CHECK(turned["pass_rate"] == wide["pass_rate"]);
  CHECK(turned["mean"].get<double>() == Approx(wide["mean"].get<double>()).epsilon(1e-5));
  for (const char* wrong : {"2x", "2x0", "1,2,3,4", "x2"})
    CHECK(psqa("gamma --spacing " + std::string(wrong) + h.files()).code == 2);
  const fs::path volume = h.folder.path() / "v.npy";
  const std::vector<std::size_t> shape = {2, 3, 4};
  equipoise::io::write_npy<float>(volume, shape, std::vector<float>(24, 1.0F));
  const std::string both = quoted(volume) + " " + quoted(volume);
  CHECK(has(psqa("gamma --spacing 2x3 " + both).out, "expected a spacing along x, y and z"));
  CHECK(Json::parse(psqa("gamma --json --spacing 2x3x5 " + both, false).out)["spacing_mm"]["reference"] ==
        Json({5.0, 3.0, 2.0}));
}

TEST_CASE("a list of pairs becomes a table; a bad pair is named by its line and loses no other",
          "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const Hills h;
  const fs::path list = h.folder.path() / "lists" / "pairs.csv", csv = h.folder.path() / "out.csv";
  const std::string run =
      "gamma --spacing 2 --criteria 3%/2mm 1%/1mm --batch " + quoted(list) + " --csv " + quoted(csv);
  write_text(list,
             "plan,reference,evaluated\n\"a, b\",../measured.csv,../planned.csv\nlost,../none.csv,../planned.csv\n"
             "same,../planned.csv,../planned.csv\nshort,../planned.csv\n");
  const Outcome o = psqa(run);
  CHECK(o.code == 1);
  CHECK(has(o.out, "pairs.csv, line 3: "));
  CHECK(has(o.out, "none.csv"));
  CHECK(has(o.out, "pairs.csv, line 5: expected 3 cells, got 2"));
  CHECK(has(o.out, "2 of 4 pairs, 8 rows"));
  const equipoise::io::CsvFile table(csv);
  REQUIRE(table.rows().size() == 9);
  const auto cell = [&](std::size_t row, const std::string& name) {
    const auto& names = table.rows()[0].cells;
    const auto at = static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    REQUIRE(at < names.size());
    REQUIRE(table.rows()[row].cells.size() == names.size());
    return std::string(table.rows()[row].cells[at]);
  };
  CHECK(cell(1, "plan") == "a, b");
  CHECK(cell(1, "criterion") == "3 %/2 mm");
  CHECK(cell(2, "criterion") == "1 %/1 mm");
  CHECK(cell(1, "error").empty());
  for (const std::size_t row : {3, 4}) {  // a bad pair's rows have its labels, its criteria and the reason
    CHECK(cell(row, "plan") == "lost");
    CHECK(cell(row, "criterion") == (row == 3 ? "3 %/2 mm" : "1 %/1 mm"));
    CHECK(cell(row, "pass_rate_percent").empty());
    CHECK(has(cell(row, "error"), "none.csv: expected a readable file"));
  }
  CHECK(cell(5, "plan") == "same");
  CHECK(cell(6, "pass_rate_percent") == "100");
  CHECK(has(cell(8, "error"), "expected 3 cells, got 2"));
  const Json one = Json::parse(psqa("gamma --json --spacing 2 --dd 3 --dta 2" + h.files(), false).out);
  CHECK(std::stod(cell(1, "pass_rate_percent")) == one["pass_rate"].get<double>());
  CHECK(std::stod(cell(1, "p95")) == one["p95"].get<double>());
  CHECK(!fs::exists(csv.string() + ".part"));
  // The table goes into a control chart, of one criterion and without the pairs that could not be compared.
  CHECK(
      has(psqa("tg218 " + quoted(csv)).out, "expected rates of one criterion, got 3 %/2 mm and 1 %/1 mm (--criterion"));
  const Outcome limits = psqa("tg218 --criterion 3%/2mm " + quoted(csv));
  CHECK(limits.code == 0);
  CHECK(has(limits.out, "of 2 results at 3 %/2 mm"));
  CHECK(has(limits.out, "left out         2, which could not be compared"));
  CHECK(has(limits.out, "universal 95 %"));
  CHECK_FALSE(has(psqa("tg218 --criterion 1%/1mm " + quoted(csv)).out, "universal"));
  CHECK(psqa("tg218 --criterion 3 " + quoted(csv)).code == 2);
}

TEST_CASE("a list without a good pair gives its reasons; what is no list leaves a table as it is",
          "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const Hills h;
  const fs::path list = h.folder.path() / "pairs.csv", csv = h.folder.path() / "out.csv";
  const std::string run = "gamma --batch " + quoted(list) + " --csv " + quoted(csv);
  write_text(csv, "of yesterday\n"), write_text(list, "measured,planned\na,b\n");
  CHECK(has(psqa(run).out, "expected columns reference and evaluated, got measured, planned"));
  write_text(list, "reference,evaluated\n");
  CHECK(has(psqa(run).out, "expected a line for each pair"));
  CHECK(text_of(csv) == "of yesterday\n");
  write_text(list, "reference,evaluated\nno.dcm,planned.csv\n");
  CHECK(psqa(run).code == 1);
  CHECK(has(text_of(csv), "no.dcm: expected a readable file"));
  write_text(list, "reference;evaluated\nmeasured.csv;planned.csv\n");  // as spreadsheets of some languages write it
  CHECK(psqa(run).code == 0);
  CHECK(has(psqa("gamma --batch " + quoted(list) + " --csv " + quoted(list)).out, "expected a file of its own"));
  CHECK(has(psqa("gamma --batch " + quoted(list) + " --png a.png").out, "--png"));
  CHECK(has(psqa("gamma --batch " + quoted(list) + h.files()).out, "expected no further files"));
  const Json json = Json::parse(psqa("gamma --json --batch " + quoted(list), false).out);
  REQUIRE(json["pairs"].size() == 1);
  CHECK(json["pairs"][0]["line"] == 2);
}

TEST_CASE("a page of a comparison holds all that is needed to file it", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const Hills h;
  const fs::path page = h.folder.path() / "page.html", png = h.folder.path() / "map.png";
  const Outcome o =
      psqa("gamma --spacing 2 --criteria 3%/2mm 1%/1mm --html " + quoted(page) + " --png " + quoted(png) + h.files());
  REQUIRE(o.code == 0);
  const std::string text = text_of(page);
  for (const char* words : {"measured.csv", "planned.csv", "SHA-256", "does not state the unit", "gamma --spacing 2",
                            "psqa 0.1.0", "TG-218", "3 %/2 mm", "1 %/1 mm", "Histogram", "reference", "evaluated",
                            "difference", "Warnings", "Signature", "worst point"})
    CHECK(has(text, words));
  CHECK(!has(text, "<script"));
  CHECK(!has(text, "src=\"http"));
  CHECK(text_of(png).substr(1, 3) == "PNG");
  CHECK(has(psqa("gamma --html " + quoted(h.a) + h.files()).out, "expected a .html file"));
  CHECK(has(psqa("gamma --png m.jpg" + h.files()).out, "expected a .png file"));
  CHECK(has(psqa("gamma --png " + quoted(png) + " --map " + quoted(png) + h.files()).out, "another output"));
}

TEST_CASE("a page names the patient and the plan, or says that the files do not", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path page = folder.path() / "page.html", doses = support::reported("dose_types");
  REQUIRE(psqa("gamma --html " + quoted(page) + " " + quoted(doses / "plan.dcm") + " " + quoted(doses / "other.dcm"))
              .code == 0);
  const std::string text = text_of(page);
  CHECK(has(text, " (reference), "));  // patients differ
  CHECK(has(text, "the files differ in patient"));
  CHECK(has(text, "Plan (UID)"));
  const Hills h;
  REQUIRE(psqa("gamma --html " + quoted(page) + h.files()).code == 0);
  CHECK(has(text_of(page), "not stated by the files"));
}

TEST_CASE("profiles are compared along their line", "[psqa][commands][worked]") {
  if (!support::built()) return;
  const fs::path a = support::reported("tables/profile.csv"), b = support::reported("tables/profile2.csv");
  const auto run = [&](const std::string& options) { return Json::parse(psqa("gamma --json " + options, false).out); };
  const std::string both = quoted(a) + " " + quoted(b);
  // By the exact distance to each piece of the evaluated profile, computed by hand in another language.
  const Json three = run("--dd 3 --dta 3 " + both);
  CHECK(three["evaluated"] == 35);
  CHECK(three["pass_rate"].get<double>() == Approx(100 * 2 / 35.0));
  CHECK(three["mean"].get<double>() == Approx(1.867609568).epsilon(1e-6));
  const Json two = run("--dd 3 --dta 2 --max-gamma 30 " + both);
  CHECK(two["max"].get<double>() == Approx(22.2225926).epsilon(1e-6));
  CHECK(run("--dd 3 --dta 2 " + quoted(a) + " " + quoted(a))["pass_rate"] == 100);
  CHECK(run("--dd 3 --dta 2 " + quoted(a) + " " + quoted(a))["tg218"].is_null());  // its limits are of planes
  CHECK(two["warnings"].size() == 2);  // each is said to be taken as a profile; nothing about a spacing
  for (const char* search : {"wendling", "classic"})
    CHECK(run("--dd 3 --dta 3 --search " + std::string(search) + " " + both)["evaluated"] == 35);
  const support::TemporaryFolder folder;
  const fs::path page = folder.path() / "p.html", png = folder.path() / "p.png";
  REQUIRE(psqa("gamma --html " + quoted(page) + " --png " + quoted(png) + " " + both).code == 0);
  CHECK(has(text_of(page), "Profiles"));
  const Hills h;  // a plane has no dose for a profile's points alone, but a plane's points need a plane
  CHECK(psqa("gamma --dta 5 --spacing 5 " + quoted(a) + " " + quoted(h.b)).code == 0);
  CHECK(has(psqa("gamma --spacing 5 " + quoted(h.b) + " " + quoted(a)).out,
            "expected a plane for the points of a plane"));
}
