// Exit statuses and warnings of the commands that need no model.
#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/criteria.hpp>

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/samples.hpp"

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

/// Standard error alone, and the exit status.
support::Outcome errors_of(const std::string& arguments) {
  support::Outcome o = support::shell("psqa " + arguments + " 2>&1 >/dev/null");
  return o;
}
std::string quoted(const fs::path& p) {
  return support::quoted(p) + " ";
}
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the exit status is 0, 1 for wrong input and 2 for wrong usage", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path none = folder.path() / "none", rates = folder.path() / "rates.txt", a = folder.path() / "a.csv",
                 b = folder.path() / "b.csv";
  std::ofstream(rates) << "98\n97\n80\n99\n";
  std::ofstream(a) << "1,2,3\n2,4,3\n1,2,3\n", std::ofstream(b) << "1,2,3\n2,9,3\n1,2,3\n";
  const auto status = [](const std::string& arguments) { return support::psqa(arguments).code; };
  for (const char* done : {"--help", "--version", "gamma --help", "complexity --help", "floor --help"}) {
    INFO(done);
    CHECK(status(done) == 0);
  }
  // A result below a limit is a result.
  CHECK(status("tg218 --universal " + quoted(rates)) == 0);
  CHECK(status("gamma --spacing 5 --normalise none " + quoted(a) + quoted(b)) == 0);
  for (const std::string& input :
       {"complexity " + quoted(none), "gamma " + quoted(none) + quoted(none), "tg218 " + quoted(none),
        "import " + quoted(none) + "--out " + quoted(folder.path() / "new"), "floor " + quoted(none),
        "simulate --plans 1 --out " + quoted(folder.path())}) {
    INFO(input);
    CHECK(status(input) == 1);
  }
  for (const char* usage :
       {"", "complexitty", "complexity", "complexity --fraction-group -1 x", "gamma one.dcm", "gamma --unknown a b",
        "tg218", "import x", "simulate --plans 0", "floor --deliveries 2", "simulate --threads many",
        "gamma a b --map x.jpg", "gamma a b --csv", "complexity --choice aav=1 x", "complexity --choice aav x"}) {
    INFO(usage);
    CHECK(status(usage) == 2);
  }
  CHECK(has(support::psqa("--help").out, "Exit status:"));
  const std::vector<std::string> commands = {"complexity ", "tg218 ", "gamma " + quoted(a), "gamma --batch "};
  for (const std::string& command : commands) {
    const support::Outcome o = support::psqa(command + quoted(folder.path()));
    INFO(o.out);
    CHECK(o.code == 1);
    CHECK(has(o.out, "got a folder: name its files, as " + (folder.path() / "*").string()));
  }
}

TEST_CASE("a command ends with a summary of its warnings, by kind", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const fs::path plans = support::reported("block_compensator");
  const fs::path one = plans / "P07a.dcm", other = plans / "P07b.dcm";
  const support::Outcome o = errors_of("complexity " + quoted(one) + quoted(one) + quoted(other));
  INFO(o.out);
  CHECK(o.code == 0);
  std::size_t lines = 0;
  for (std::size_t at = o.out.find("warning: "); at != std::string::npos; at = o.out.find("warning: ", at + 1)) ++lines;
  REQUIRE(lines > 2);
  const std::size_t summary = o.out.find(std::to_string(lines) + " warnings in all:\n");
  REQUIRE(summary != std::string::npos);
  CHECK(o.out.find("warning: ", summary) == std::string::npos);  // it stands at the end
  CHECK(has(o.out.substr(summary), "  2 x beam"));               // of one plan that was given twice
  CHECK_FALSE(has(o.out.substr(summary), "P07a.dcm"));

  const support::Outcome single = errors_of("complexity " + quoted(other));
  CHECK(has(single.out, "warning: "));
  CHECK_FALSE(has(single.out, "in all"));  // one warning is not said twice
  const support::Outcome plain = errors_of("complexity " + quoted(support::reported("leaf_noise") / "a0.dcm"));
  CHECK(plain.code == 0);
  CHECK_FALSE(has(plain.out, "in all"));
  // Standard output stays what it is.
  CHECK(Json::accept(support::psqa("complexity --json " + quoted(one), false).out));
}

TEST_CASE("all outputs of a cohort have a column of 3%/2 mm", "[psqa][commands][behaviour]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path cohort = folder.path() / "cohort";
  const support::Outcome made =
      support::psqa("simulate --plans 3 --noise-ceiling 1 --volumes 1 --out " + quoted(cohort), false);
  REQUIRE(made.code == 0);
  CHECK(has(made.out, "mean 3%/2 mm"));
  CHECK(has(made.out, "(3%/2 mm)"));
  std::string header;
  std::ifstream table(cohort / "records.csv");
  std::getline(table, header);
  CHECK(has(header, ",gpr_3_3,gpr_3_2,gpr_2_3,gpr_2_2,"));
  std::ifstream volumes(cohort / "volumes.csv");
  std::getline(volumes, header);
  CHECK(header == "id,gpr_3d_3_3,gpr_3d_3_2,gpr_3d_2_3,gpr_3d_2_2");
  // The column that TG-218 reads by default, with the limits for all clinics.
  const support::Outcome limits = support::psqa("tg218 --json " + quoted(cohort / "records.csv"), false);
  CHECK(Json::parse(limits.out)["universal"].is_object());
  CHECK(has(support::psqa("floor --plans 2 --deliveries 3").out, "3%/2 mm"));
  Json about = Json::parse(std::ifstream(cohort / "cohort.json"));
  about["schema"] = "equipoise.psqa.cohort/2";  // of before there was the column
  std::ofstream(cohort / "cohort.json") << about.dump();
  const support::Outcome old = errors_of("floor " + quoted(cohort));
  CHECK(old.code == 1);
  CHECK(has(old.out, "expected schema equipoise.psqa.cohort/3"));
}

TEST_CASE("a demo neither writes into a folder that it has not made nor deletes it", "[psqa][commands][error]") {
  if (!support::built()) return;
  const support::TemporaryFolder folder;
  const fs::path kept = folder.path() / "kept.txt";
  std::ofstream(kept) << "mine\n";
  for (const char* fresh : {"", " --fresh"}) {
    INFO(fresh);
    const support::Outcome o = support::psqa("demo --plans 40 --epochs 1 --out " + quoted(folder.path()) + fresh);
    CHECK(o.code == 1);
    CHECK(has(o.out, "file.448"));
    CHECK(has(o.out, "nothing was changed"));
    CHECK(fs::exists(kept));
    CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
  }
}
