#include <equipoise/core/batch/batch.hpp>
#include <equipoise/data/table.hpp>

#include <ATen/ATen.h>

#include <clocale>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/samples.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

/// A file of a test, and the table that it is.
class Csv {
 public:
  explicit Csv(const std::string& text) : path_(folder_.path() / "plans.csv") {
    std::ofstream(path_, std::ios::binary) << text;
  }
  [[nodiscard]] eq::Table read(const eq::CsvOptions& options = {}) const { return eq::read_csv(path_, options); }
  /// The message that begins with an id and this file.
  [[nodiscard]] std::string sentence(const std::string& id, const std::string& text) const {
    return "[equipoise." + id + "] " + path_.string() + ": " + text;
  }

 private:
  support::TemporaryFolder folder_;
  std::filesystem::path path_;
};

const std::string kPlans =
    "patient,site,age,mu,stage,gpr\n"
    "Roe,lung,61,250.5,2,98.5\n"
    "Doe,prostate,NA,310,10,\n"
    "Roe,,70,,1,91\n"
    "Poe,lung,55,+1e2,2,nan\n";

bool same(const at::Tensor& a, const at::Tensor& b) {
  return at::allclose(a, b, 0, 0, /*equal_nan=*/true);
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("columns of numbers become a tensor, with NaN where a cell is missing", "[data][worked]") {
  const Csv csv(kPlans);
  const eq::Table table = csv.read();
  CHECK(table.rows() == 4);
  CHECK(table.names() == std::vector<std::string>{"patient", "site", "age", "mu", "stage", "gpr"});
  CHECK((table.type("age") == eq::ColumnType::number && table.type("site") == eq::ColumnType::text));
  const at::Tensor numbers = table.numbers({"age", "mu"});
  CHECK(numbers.scalar_type() == at::kFloat);
  CHECK(same(numbers, at::tensor({61.F, 250.5F, kNan, 310.F, 70.F, kNan, 55.F, 100.F}).view({4, 2})));
  CHECK(same(table.values({"gpr"}).tensor, at::tensor({98.5F, kNan, 91.F, kNan}).view({4, 1})));
  CHECK(at::equal(table.present({"age"}), at::tensor({1, 0, 1, 1}).to(at::kBool)));
  CHECK(at::equal(table.present({"mu", "gpr"}), at::ones({4}, at::kBool)));
  CHECK(at::equal(table.present({"site", "gpr"}), at::tensor({1, 1, 1, 1}).to(at::kBool)));
  CHECK(at::equal(table.present({"site"}), at::tensor({1, 1, 0, 1}).to(at::kBool)));
}

TEST_CASE("categories are numbered in sorted order, numbers by their value", "[data][worked]") {
  const Csv csv(kPlans);
  const eq::Table table = csv.read();
  CHECK(table.categories("site") == std::vector<std::string>{"lung", "prostate"});
  CHECK(at::equal(table.labels("site").tensor, at::tensor({0, 1, -1, 0}, at::kLong)));
  CHECK(table.categories("stage") == std::vector<std::string>{"1", "2", "10"});
  CHECK(at::equal(table.labels("stage").tensor, at::tensor({1, 2, 0, 1}, at::kLong)));
  CHECK(csv.read({.types = {{"stage", eq::ColumnType::text}}}).categories("stage") ==
        std::vector<std::string>{"1", "10", "2"});
  CHECK(same(table.one_hot("site"), at::tensor({1.F, 0.F, 0.F, 1.F, 0.F, 0.F, 1.F, 0.F}).view({4, 2})));
  CHECK(table.group_numbers("patient") == std::vector<std::int64_t>{2, 0, 2, 1});
  CHECK(table.texts("site") == std::vector<std::string>{"lung", "prostate", "", "lung"});
}

TEST_CASE("another table is numbered by the categories of the first", "[data][behaviour]") {
  const Csv train("site\nlung\nbrain\n"), test("site\nlung\nprostate\n\nbrain\n");
  const std::vector<std::string> categories = train.read().categories("site");
  const eq::Table table = test.read();
  CHECK_THROWS_WITH(
      table.labels("site", categories),
      test.sentence("value.240", "line 3, column \"site\": no category \"prostate\"; there are: brain, lung"));
  CHECK(at::equal(table.labels("site", categories, eq::UnknownCategory::as_missing).tensor,
                  at::tensor({1, -1, -1, 0}, at::kLong)));
  CHECK(same(table.one_hot("site", categories, eq::UnknownCategory::as_missing),
             at::tensor({0.F, 1.F, 0.F, 0.F, 0.F, 0.F, 1.F, 0.F}).view({4, 2})));
  CHECK(at::equal(table.labels("site", {"prostate", "lung", "brain"}).tensor, at::tensor({1, 0, -1, 2}, at::kLong)));
}

TEST_CASE("columns are numbered where the first line is a row, or its names cannot be used", "[data][behaviour]") {
  const eq::Table rows = Csv("1,lung\n2,brain\n").read({.header = eq::CsvHeader::none});
  CHECK(rows.names() == std::vector<std::string>{"1", "2"});
  CHECK(rows.rows() == 2);
  CHECK(rows.texts("2") == std::vector<std::string>{"lung", "brain"});
  const Csv twice("0,1,0\n5,6,7\n");
  const eq::Table ignored = twice.read({.header = eq::CsvHeader::ignored});
  CHECK(same(ignored.numbers({"3", "1"}), torch::tensor({{7.F, 5.F}})));
  CHECK_THROWS_WITH(twice.read(), twice.sentence("file.460",
                                                 "expected column names that differ, got \"0\" twice; "
                                                 "CsvOptions.header = CsvHeader::ignored numbers the columns"));
}

TEST_CASE("rows are found by the texts of a column, so that another table comes into this one's order",
          "[data][behaviour]") {
  const Csv csv(kPlans), images("plan,file\nb,b.npy\nc,c.npy\na,a.npy\n"), twice("plan\na\na\n");
  const eq::Table table = images.read();
  const std::vector<std::int64_t> rows = table.rows_of("plan", {"a", "b", "b"});
  CHECK(rows == std::vector<std::int64_t>{2, 0, 0});
  CHECK(table.select(rows).texts("file") == std::vector<std::string>{"a.npy", "b.npy", "b.npy"});
  CHECK(csv.read().rows_of("stage", {"10"}) == std::vector<std::int64_t>{1});  // numbers by their shortest text
  CHECK_THROWS_WITH(table.rows_of("plan", {"a", "d"}),
                    images.sentence("value.244", "column \"plan\": expected one row with \"d\", got 0"));
  CHECK_THROWS_WITH(twice.read().rows_of("plan", {"a"}),
                    twice.sentence("value.244", "column \"plan\": expected one row with \"a\", got 2"));
  CHECK_THROWS_WITH(csv.read().rows_of("site", {""}),  // a missing cell is no name
                    csv.sentence("value.244", "column \"site\": expected one row with \"\", got 0"));
}

TEST_CASE("selected rows keep their cells, and have the categories that occur in them", "[data][behaviour]") {
  const Csv csv(kPlans);
  const eq::Table table = csv.read(), few = table.select(std::vector<std::int64_t>{3, 0});
  CHECK(few.rows() == 2);
  CHECK(same(few.numbers({"age", "gpr"}), at::tensor({55.F, kNan, 61.F, 98.5F}).view({2, 2})));
  CHECK(few.categories("site") == std::vector<std::string>{"lung"});
  CHECK(few.group_numbers("patient") == std::vector<std::int64_t>{0, 1});
  CHECK_THROWS_WITH(table.select(std::vector<std::int64_t>{4}), Catch::Contains("expected rows below 4, got 4"));
}

TEST_CASE("a table is a data set", "[data][behaviour]") {
  const eq::Table table = Csv(kPlans).read();
  const auto data =
      eq::batch(eq::input<"table">(table.numbers({"age", "mu"})), eq::target<"gpr">(table.values({"gpr"})))
          .with_presence(table.present({"age", "mu"}).unsqueeze(1))
          .with_groups(table.group_numbers("patient"));
  CHECK(data.size() == 4);
  CHECK(data.groups == std::vector<std::int64_t>{2, 0, 2, 1});
  CHECK(data.select(std::vector<std::int64_t>{1}).inputs["table"_n][0][1].item<float>() == 310);
}

TEST_CASE("delimiter, decimal sign and missing texts are options", "[data][behaviour]") {
  const eq::Table table = Csv("a;b\n1,5;-\n-2;3\n").read({.delimiter = ';', .decimal = ',', .missing = {"-"}});
  CHECK(same(table.numbers({"a", "b"}), at::tensor({1.5F, kNan, -2.F, 3.F}).view({2, 2})));
  CHECK(same(Csv("a\tb\n1\t2\n").read({.delimiter = '\t'}).numbers({"b"}), at::tensor({2.F}).view({1, 1})));
  CHECK(Csv("a;b\n1.5;2\n").read({.delimiter = ';', .decimal = ','}).type("a") == eq::ColumnType::text);
  CHECK_THROWS_WITH(Csv("a\n").read({.delimiter = '"'}), Catch::Contains("CsvOptions.delimiter: expected no quote"));
  CHECK_THROWS_WITH(Csv("a\n").read({.decimal = ';'}), Catch::Contains("CsvOptions.decimal: expected a point or"));
}

TEST_CASE("numbers do not depend on the locale", "[data][behaviour]") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8"}) std::setlocale(LC_ALL, name);  // where they are installed
  const eq::Table table = Csv("a\n1.5\n").read();
  std::setlocale(LC_ALL, before.c_str());
  CHECK(table.numbers({"a"}).item<float>() == 1.5F);
}

TEST_CASE("a cell that does not fit is named by file, line and column", "[data][error]") {
  const Csv typo("id,age\n1,61\n\"2\n3\",5o\n4,7\n");
  const std::string sentence =
      typo.sentence("file.433", "line 3, column \"age\": expected a finite number, got \"5o\"");
  CHECK_THROWS_WITH(typo.read().numbers({"age"}), sentence);
  CHECK_THROWS_WITH(typo.read({.types = {{"age", eq::ColumnType::number}}}), sentence);
  CHECK_THROWS_WITH(typo.read().select(std::vector<std::int64_t>{2, 1}).numbers({"age"}), sentence);
  CHECK_THROWS_WITH(typo.read().select(std::vector<std::int64_t>{0, 2}).numbers({"age"}), sentence);  // not selected
  const Csv infinite("x\n1\ninf\n");
  CHECK_THROWS_WITH(infinite.read().numbers({"x"}),
                    infinite.sentence("file.433", "line 3, column \"x\": expected a finite number, got \"inf\""));
  const Csv large("x\n1e39\n");
  CHECK_THROWS_WITH(
      large.read().numbers({"x"}),
      large.sentence("file.433", "line 2, column \"x\": expected a number within single precision, got 1e+39"));
  const Csv narrow("a,b\n1,2\n3\n");
  CHECK_THROWS_WITH(narrow.read(), narrow.sentence("file.433", "line 3: expected 2 cells, got 1"));
  const Csv group("patient\nRoe\nNA\n");
  CHECK_THROWS_WITH(group.read().group_numbers("patient"),
                    group.sentence("file.433", "line 3, column \"patient\": expected a group, got a missing cell"));
  const Csv text("x\n1\n");
  CHECK_THROWS_WITH(text.read({.types = {{"x", eq::ColumnType::text}}}).numbers({"x"}),
                    text.sentence("value.241",
                                  "column \"x\": expected a column of numbers, but it is read as text; "
                                  "ColumnType::number in CsvOptions.types reads it as numbers"));
  const Csv names("x\n1\n\n007\n");
  CHECK_THROWS_WITH(names.read().numbers({"x"}),
                    names.sentence("value.241",
                                   "column \"x\": expected a column of numbers, but \"007\" of line 4 is read as a "
                                   "name; ColumnType::number in CsvOptions.types reads it as numbers"));
}

TEST_CASE("a table's columns have names, each once", "[data][error]") {
  const Csv none(""), twice("a,b,a\n1,2,3\n");
  CHECK_THROWS_WITH(none.read(), none.sentence("file.460", "expected a line of column names, got none"));
  CHECK_THROWS_WITH(twice.read(), twice.sentence("file.460",
                                                 "expected column names that differ, got \"a\" twice; "
                                                 "CsvOptions.header = CsvHeader::ignored numbers the columns"));
  CHECK(Csv(",age\n0,61\n").read().numbers({"age"}).item<float>() == 61);  // an unnamed index, as pandas writes it
}

TEST_CASE("a column that there is not is refused with the nearest name", "[data][error]") {
  const Csv csv(kPlans);
  const std::string sentence = csv.sentence(
      "name.310", "no column \"ages\"; did you mean \"age\"? there are: patient, site, age, mu, stage, gpr");
  const eq::Table table = csv.read();
  CHECK_THROWS_WITH(table.numbers({"mu", "ages"}), sentence);
  CHECK_THROWS_WITH(table.labels("ages"), sentence);
  CHECK_THROWS_WITH(table.present({"ages"}), sentence);
  CHECK_THROWS_AS(table.group_numbers("ages"), eq::NameError);
  CHECK_THROWS_WITH(csv.read({.types = {{"ages", eq::ColumnType::number}}}), sentence);
}

TEST_CASE("a column without any value is one of missing numbers", "[data][behaviour]") {
  const eq::Table table = Csv("a,b\n,1\nNA,2\n").read();
  CHECK(table.type("a") == eq::ColumnType::number);
  CHECK(table.numbers({"a"}).isnan().all().item<bool>());
  CHECK(table.categories("a").empty());
  CHECK(at::equal(table.labels("a").tensor, at::tensor({-1, -1}, at::kLong)));
  CHECK(Csv("a,b\n").read().rows() == 0);
}

TEST_CASE("numerals that are names stay texts: with a leading zero, or more digits than a number keeps",
          "[data][behaviour]") {
  const Csv csv("code,patient,dose,whole\n007,9007199254740993,0.5,10\n7,9007199254740992,-0.25,0\n");
  const eq::Table t = csv.read();
  CHECK(t.type("code") == eq::ColumnType::text);
  CHECK(t.type("patient") == eq::ColumnType::text);
  CHECK(t.type("dose") == eq::ColumnType::number);
  CHECK(t.type("whole") == eq::ColumnType::number);
  CHECK(t.categories("code") == std::vector<std::string>{"007", "7"});
  CHECK(t.group_numbers("patient") == std::vector<std::int64_t>{1, 0});
  CHECK(t.texts("code") == std::vector<std::string>{"007", "7"});
  CHECK(csv.read({.types = {{"code", eq::ColumnType::number}}}).numbers({"code"})[0].item<float>() == 7);
}
