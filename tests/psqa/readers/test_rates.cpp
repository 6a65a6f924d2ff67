#include <equipoise/psqa/readers/rate_list.hpp>
#include <equipoise/psqa/tg218.hpp>

#include <cmath>
#include <fstream>
#include <vector>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;

namespace {

RateList read(const std::string& text, const std::string& column = "gpr_3_2") {
  const support::TemporaryFolder folder;
  std::ofstream(folder.path() / "rates.csv", std::ios::binary) << text;
  return read_rates(folder.path() / "rates.csv", column);
}

}  // namespace

TEST_CASE("rates are a list, or a column of a table with a header", "[psqa][rates][behaviour]") {
  const std::vector<double> rates = {98.5, 97};
  CHECK(read("98.5\n97\n").rates == rates);
  CHECK(read("98.5\n97\n").column.empty());
  CHECK(read("# clinic A\n\n\"98.5\"\n 97 \n").rates == rates);
  CHECK(read("gpr_3_2\n98.5\n97\n").rates == rates);
  CHECK(read("id,gpr_3_2,MU\np,98.5,100\nq,97,\n").rates == rates);
  CHECK(read("id,gpr_3_2\np,98.5\nq,97\n").column == "gpr_3_2");
  CHECK(read("\"id\";\"gpr_3_2\"\np;98,5\nq;97\n").rates == rates);
  CHECK(read("id\tgpr\np\t98,5\nq\t97\n", "gpr").rates == rates);
}

TEST_CASE("a list of which nothing says how it is read is refused", "[psqa][rates][error]") {
  CHECK_THROWS_WITH(read("98,5\n97\n"), Catch::Contains("line 1") && Catch::Contains("\"98,5\""));
  CHECK_THROWS_WITH(read("97\n98,5\n"), Catch::Contains("line 2"));
  CHECK_THROWS_WITH(read("1,98\n2,97\n"), Catch::Contains("names the columns"));
  CHECK_THROWS_WITH(read("1;98\n2;97\n"), Catch::Contains("names the columns"));
  CHECK_THROWS_WITH(read("id,gpr_3_2\np,98,5\n"), Catch::Contains("expected 2 columns, got 3"));
  CHECK_THROWS_WITH(read("id,gpr_3_2\np\n"), Catch::Contains("expected 2 columns, got 1"));
  CHECK_THROWS_WITH(read("id,gpr_3_2\np,\n"), Catch::Contains("line 2"));
  CHECK_THROWS_WITH(read("id,gpr_3_3,gpr_2_3,MU\np,99,98,100\n"),
                    Catch::Contains("there are: gpr_3_3, gpr_2_3 (--column)"));
}

TEST_CASE("a table's rates are of one criterion, and a file of bytes is no table", "[psqa][rates][error]") {
  const std::string table =
      "reference,plan,criterion,pass_rate_percent,error\nr,p,3 %/2 mm,99,\nr,p,2 %/2 mm,95,\nr,q,3 %/2 mm,,none\n"
      "r,q,2 %/2 mm,,none\nr,s,3 %/2 mm,98,\n";
  CHECK_THROWS_WITH(read(table), Catch::Contains("line 3") && Catch::Contains("3 %/2 mm and 2 %/2 mm"));
  const support::TemporaryFolder folder;
  std::ofstream(folder.path() / "gamma.csv") << table;
  const RateList list = read_rates(folder.path() / "gamma.csv", RateChoice{.criterion = "3%/2mm"});
  CHECK(list.rates == std::vector<double>{99, 98});
  CHECK(list.names == std::vector<std::string>{"p", "s"});
  CHECK(list.left_out == 1);
  CHECK(list.column == "pass_rate_percent");
  CHECK_FALSE(list.universal);
  CHECK_THROWS_WITH(read_rates(folder.path() / "gamma.csv", RateChoice{.column = "none"}),
                    Catch::Contains("no column \"none\""));
  CHECK_THROWS_WITH(read(std::string("\0\1DICM\n9\n", 9)), Catch::Contains("expected a text file, a table or a list"));
}

TEST_CASE("rates as parts of one are refused, and % is asked for", "[psqa][rates][error]") {
  CHECK_THROWS_WITH(control_chart(std::vector<double>{0.985, 0.97, 1}), Catch::Contains("rates in %"));
  CHECK(control_chart(std::vector<double>{0.985, 97}).results == 2);
}

TEST_CASE("rates that differ by their last digit are equal", "[psqa][tg218][worked]") {
  const double below = std::nextafter(95.0, 0);
  const ControlChart limits = control_chart(std::vector{below, 95.0, std::nextafter(100.0, 200)});
  CHECK(limits.below_universal_tolerance == 0);
  // The mean of equal rates may be larger than each by its last digit.
  for (const double rate : {97.1, 98.3, 99.7, 91.9})
    for (const std::size_t n : {3, 7, 20, 49}) CHECK(control_chart(std::vector(n, rate)).out_of_control.empty());
}
