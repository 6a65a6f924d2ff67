#include <equipoise/evaluation/metrics.hpp>
#include <equipoise/evaluation/record_figures.hpp>
#include <equipoise/evaluation/run_figure.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/samples.hpp"

namespace eq = equipoise;
using Catch::Contains;

namespace {

const double kNan = std::nan("");

/// Records r0, r1, … of one figure, two a group.
std::vector<eq::TestedRecord> run_of(const std::vector<double>& values) {
  std::vector<eq::TestedRecord> out;
  for (std::size_t i = 0; i < values.size(); ++i)
    out.push_back({"r" + std::to_string(i), "g" + std::to_string(i / 2), {values[i]}});
  return out;
}

eq::RecordFigures figures_of(const std::vector<std::vector<double>>& runs) {
  eq::RecordFigures out({"mae"});
  for (const auto& run : runs) out.add(run_of(run));
  return out;
}

}  // namespace

TEST_CASE("a record's figure is the mean over the runs that test it", "[evaluation][figures]") {
  eq::RecordFigures f({"mae", "failing"});
  f.add(std::vector<eq::TestedRecord>{{"a", "p", {1, kNan}}, {"b", "p", {2, 5}}});
  f.add(std::vector<eq::TestedRecord>{{"a", "p", {3, kNan}}, {"c", "q", {7, 1}}});
  CHECK(f.records() == 3);
  CHECK(f.mean("mae").value == Approx((2 + 2 + 7) / 3.0));
  CHECK(f.mean("failing").value == Approx(3));  // a does not count
  CHECK(std::isnan(f.mean("failing").low));     // two records
  CHECK(std::isnan(f.mean("failing").high));
  CHECK(f.means_by_group("mae") == std::vector<double>{2, 7});
  CHECK_THROWS_WITH(f.mean("maw"), Contains("no figure \"maw\"; did you mean \"mae\"?"));
  CHECK_THROWS_WITH(f.add(std::vector<eq::TestedRecord>{{"d", "q", {1, 1}}, {"d", "q", {1, 1}}}), Contains("twice"));
  CHECK_THROWS_WITH(f.add(std::vector<eq::TestedRecord>{{"c", "p", {1, 1}}}), Contains("record c is in two groups"));
}

TEST_CASE("a statistic of a run is averaged over the runs, without NaN", "[evaluation][figures]") {
  eq::RecordFigures f({"true", "predicted"});
  f.add(std::vector<eq::TestedRecord>{
      {"a", "p", {1, 1}}, {"b", "q", {2, 3}}, {"c", "r", {3, 2}}, {"d", "s", {4, 4}}, {"e", "t", {kNan, 9}}});
  const auto rank_correlation = [&] { return f.over_runs("true", "predicted", eq::spearman).interval(); };
  CHECK(rank_correlation().value == Approx(0.8));  // 1 - 6 (0 + 1 + 1 + 0) / (4 · 15)
  CHECK(std::isnan(rank_correlation().low));       // four groups count
  f.add(std::vector<eq::TestedRecord>{{"a", "p", {1, 8}}, {"c", "r", {3, 7}}, {"d", "s", {4, 6}}, {"e", "t", {0, 9}}});
  CHECK(rank_correlation().value == Approx((0.8 - 1) / 2));
  f.add(std::vector<eq::TestedRecord>{{"b", "q", {2, 5}}});  // no correlation of one record
  const eq::Interval both = rank_correlation();
  CHECK(both.value == Approx((0.8 - 1) / 2));
  CHECK(both.low >= -1);
  CHECK(both.low <= both.high);
  CHECK(both.high <= 1);
  CHECK_THROWS_WITH(f.over_runs("true", "predict", eq::spearman), Contains("did you mean \"predicted\"?"));
}

TEST_CASE("of one run, the interval of a mean is the one that records have", "[evaluation][figures]") {
  const eq::RecordFigures a = figures_of({{1, 2, 3, 4, 5, 9, 2, 8, 3, 7}}),
                          b = figures_of({{2, 2, 5, 1, 5, 6, 4, 4, 6, 1}});
  const auto mean_of_x = [](const std::vector<double>& x, const std::vector<double>&) { return eq::mean(x); };
  const eq::RunFigure of_a = a.over_runs("mae", "mae", mean_of_x), of_b = b.over_runs("mae", "mae", mean_of_x);
  const auto same = [](const eq::Interval& x, const eq::Interval& y) {
    CHECK(x.value == Approx(y.value));
    CHECK(x.low == Approx(y.low));
    CHECK(x.high == Approx(y.high));
  };
  same(of_a.interval(), a.mean("mae"));
  same(of_a.minus(of_b), a.difference(b, "mae"));
  // Records of fewer than five groups have no interval.
  const eq::RecordFigures few = figures_of({{1, 2, 3, 4, kNan, kNan, kNan, kNan, kNan, kNan}});
  CHECK(few.over_runs("mae", "mae", mean_of_x).interval().value == Approx(2.5));
  CHECK(std::isnan(few.over_runs("mae", "mae", mean_of_x).interval().low));
  CHECK(std::isnan(of_a.minus(few.over_runs("mae", "mae", mean_of_x)).low));
  // A statistic without a value on all records has no interval, alone or in a difference.
  const eq::RunFigure none = a.over_runs("mae", "mae", [](const auto&, const auto&) { return std::nan(""); });
  for (const eq::Interval& i : {none.interval(), of_a.minus(none), none.minus(of_a)}) {
    CHECK(std::isnan(i.value));
    CHECK(std::isnan(i.low));
    CHECK(std::isnan(i.high));
  }
  CHECK_THROWS_WITH(of_a.minus(figures_of({{1, 2, 3, 4}}).over_runs("mae", "mae", mean_of_x)),
                    Contains("of the same records, got 10 and 4 records"));
}

TEST_CASE("methods are compared on the same records", "[evaluation][figures]") {
  const eq::RecordFigures a = figures_of({{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}),
                          b = figures_of({{2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {4, 5, 6, 7, 8, 9, 10, 11, 12, 13}});
  const eq::Interval d = a.difference(b, "mae");
  CHECK(d.value == Approx(-2));
  CHECK(d.low == Approx(-2));  // every record differs by the same
  CHECK(d.high == Approx(-2));
  CHECK_THROWS_WITH(a.difference(figures_of({{1, 2, 3, 4}}), "mae"),
                    Contains("on the same records, got 10 and 4 records"));
}

TEST_CASE("p-values are over groups, corrected for the number of methods", "[evaluation][figures]") {
  const std::vector<double> of_first = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  std::vector<double> more = of_first, other = of_first;
  for (std::size_t i = 0; i < more.size(); ++i) more[i] += 1 + static_cast<double>(i), other[i] += i % 4 < 2 ? 1 : -1;
  const std::vector<std::pair<std::string, eq::RecordFigures>> methods = {
      {"ours", figures_of({of_first})}, {"more", figures_of({more})}, {"other", figures_of({other})}};
  const auto found = eq::differences_from_first(methods, "mae");
  REQUIRE(found.size() == 2);
  CHECK(found[0].against == "more");
  CHECK(found[0].p == Approx(eq::wilcoxon_signed_rank({-1.5, -3.5, -5.5, -7.5, -9.5, -11.5})));
  CHECK(found[0].p_corrected == Approx(2 * found[0].p));
  CHECK(found[1].difference.value == Approx(0));
  CHECK(found[1].p == Approx(1));
}

TEST_CASE("figures of records are the same when they are read again", "[evaluation][figures]") {
  const support::TemporaryFolder folder;
  const auto path = folder.path() / "records.csv";
  const std::vector<std::string> names = {"mae", "of, failing"};
  const std::vector<eq::TestedRecord> records = {{"plan \"1\"", "Roe, J.", {0.1 + 0.2, kNan}}, {"2", "", {-1e-300, 5}}};
  eq::write_tested_records(path, names, records);
  CHECK(eq::has_figures(path, names));
  CHECK_FALSE(eq::has_figures(path, {"mae"}));
  CHECK_FALSE(eq::has_figures(folder.path() / "none.csv", names));
  const auto read = eq::read_tested_records(path, names);
  REQUIRE(read.size() == 2);
  CHECK(read[0].id == "plan \"1\"");
  CHECK(read[0].group == "Roe, J.");
  CHECK(read[0].figures[0] == 0.1 + 0.2);
  CHECK(std::isnan(read[0].figures[1]));
  CHECK(read[1].figures == records[1].figures);
  CHECK_THROWS_WITH(eq::read_tested_records(path, {"mae", "rmse"}), Contains("expected column \"rmse\""));
  std::ofstream(path) << "id,group,mae\na,b,1\nc,d,x\n";
  CHECK_THROWS_WITH(eq::read_tested_records(path, {"mae"}),
                    Contains("line 3: column \"mae\": expected a number, got \"x\""));
}
