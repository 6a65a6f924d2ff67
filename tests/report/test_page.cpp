#include <equipoise/report/html.hpp>

#include <limits>
#include <regex>
#include <set>

#include "support/catch.hpp"

namespace report = equipoise::report;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

report::Chart chart() {
  return {
      .title = "loss of <a> & \"b\"",
      .x_label = "epoch",
      .y_label = "loss",
      .series = {{"a & b", {1, 2, 3}, {0.5, kNan, 0.25}, {}, {}}, {"c", {1, 2, 3}, {1, 2, 3}, {0, 1, 2}, {2, 3, 4}}}};
}

/// The document that a parser sees. \pre well-formed
pugi::xml_document parsed(const std::string& text) {
  pugi::xml_document out;
  const pugi::xml_parse_result result = out.load_string(text.c_str(), pugi::parse_full | pugi::parse_ws_pcdata);
  INFO(result.description() << " at " << result.offset << " of\n" << text);
  REQUIRE(result);
  return out;
}

}  // namespace

TEST_CASE("a chart is a well-formed figure, whatever its names hold", "[report][worked]") {
  const pugi::xml_document document = parsed(report::svg(chart()));
  const pugi::xml_node figure = document.child("figure"), svg = figure.child("svg");
  CHECK(figure.child("figcaption").text().get() == std::string("loss of <a> & \"b\""));
  CHECK(svg.attribute("viewBox").value() == std::string("0 0 560 300"));
  CHECK(svg.select_nodes("path").size() == 2);
  CHECK(svg.select_nodes("line[@class='whisker']").size() == 3);
  CHECK(svg.select_nodes("text[@class='label']").size() == 2);
  const pugi::xml_node legend = figure.child("p");
  CHECK(legend.child("span").text().get() == std::string("a & b"));
  CHECK(legend.child("span").child("i").attribute("style").value() == std::string("background:var(--c0)"));
}

TEST_CASE("bars and points are drawn where both coordinates are numbers", "[report][worked]") {
  report::Chart c = chart();
  c.points = true, c.series[1].x[0] = kNan;
  CHECK(parsed(report::svg(c)).select_nodes("//circle").size() == 4);
  c = chart();
  c.categories = {"< 90 %", "90-95 %", ">= 95 %"};
  for (report::Series& s : c.series) s.x = {0, 1, 2};
  CHECK(parsed(report::svg(c)).select_nodes("//rect").size() == 5);
}

TEST_CASE("series share a colour, are dashed and marked where they say so", "[report][worked]") {
  report::Chart c = chart();
  c.series[1].colour = 0, c.series[1].dashed = true, c.series[1].marked_x = 2;
  const pugi::xml_document document = parsed(report::svg(c));
  const auto paths = document.select_nodes("//path");
  REQUIRE(paths.size() == 2);
  CHECK(paths[0].node().attribute("stroke").value() == std::string("var(--c0)"));
  CHECK(paths[0].node().attribute("stroke-dasharray").value() == std::string("none"));
  CHECK(paths[1].node().attribute("stroke").value() == std::string("var(--c0)"));
  CHECK(paths[1].node().attribute("stroke-dasharray").value() == std::string("6 4"));
  REQUIRE(document.select_nodes("//circle").size() == 1);
  CHECK(document.select_node("//circle").node().attribute("stroke").value() == std::string("var(--c0)"));
  CHECK(document.select_nodes("//p/span/i[@class='line']").size() == 1);
  CHECK(document.select_nodes("//p/span/i[@class='dashed']").size() == 1);
}

TEST_CASE("named places of the x axis stand in place of round numbers", "[report][worked]") {
  report::Chart c = chart();
  c.x_ticks = {{1, "10"}, {3, "1000"}};
  const std::string text = report::svg(c);
  CHECK(parsed(text).select_nodes("//text[@text-anchor='middle']").size() == 4);  // and the two axes' names
  CHECK(text.find(">1000<") != std::string::npos);
}

TEST_CASE("numbers with intervals stand in rows that have names", "[report][worked]") {
  report::DotPlot plot{.title = "error by <method>",
                       .x_label = "points",
                       .rows = {"a & b", "c"},
                       .series = {{"with", {0, 1}, {2, kNan}, {1, kNan}, {3, kNan}}, {"without", {1}, {4}, {}, {}}},
                       .spans = {{0, 1}},
                       .scale = 1,
                       .scale_label = "CD 1"};
  const pugi::xml_document document = parsed(report::svg(plot));
  const pugi::xml_node svg = document.child("figure").child("svg");
  CHECK(svg.select_nodes("circle").size() == 2);  // no number, no dot
  CHECK(svg.select_nodes("line[@class='whisker']").size() == 1);
  CHECK(svg.select_nodes("line[@class='span']").size() == 2);  // of the rows, and the scale
  CHECK(svg.select_nodes("text[@class='row']").size() == 2);
  CHECK(svg.select_node("text[@class='row']").node().text().get() == std::string("a & b"));
  CHECK(document.child("figure").select_nodes("p/span").size() == 2);
  // The axis covers the intervals; a longer one has a longer line.
  const pugi::xml_node whisker = svg.select_node("line[@class='whisker']").node(),
                       dot = svg.select_node("circle").node();
  CHECK(whisker.attribute("x1").as_double() < dot.attribute("cx").as_double());
  CHECK((whisker.attribute("x1").as_double() + whisker.attribute("x2").as_double()) / 2 ==
        Approx(dot.attribute("cx").as_double()).epsilon(1e-4));
  // A long name is drawn within the axis.
  CHECK(svg.select_nodes("text[@textLength]").empty());
  plot.rows[1] = std::string(120, 'm');
  const pugi::xml_document narrower = parsed(report::svg(plot));
  const auto names = narrower.select_nodes("//text[@textLength]");
  REQUIRE(names.size() == 1);
  CHECK(names.first().node().text().get() == plot.rows[1]);
  CHECK(names.first().node().attribute("textLength").as_double() < 560);
  plot.series.pop_back(), plot.series[0].y = {kNan, kNan}, plot.series[0].low = plot.series[0].high = {kNan, kNan};
  CHECK(report::svg(plot) == "<p>error by &lt;method&gt;: nothing to draw.</p>");
}

TEST_CASE("a chart without a number says so", "[report][worked]") {
  CHECK(report::svg({.title = "a < b", .x_label = "", .y_label = "", .series = {{"a", {1}, {kNan}, {}, {}}}}) ==
        "<p>a &lt; b: nothing to draw.</p>");
}

TEST_CASE("a page is HTML and well-formed XML at once", "[report][worked]") {
  report::Page page("A <page> & its title");
  page.heading("Müller & Co");
  page.paragraph("1 < 2");
  page.table({"method", ""}, {{"<b>", ""}, {}});
  page.row(std::vector{chart(), chart()});
  page.row(std::vector<report::Image>{{{1, 2, 3, 4}, "plan \"7\""}});
  page.row(std::vector<report::Image>{{{1}, "map", report::ColourBar{{2}, "-10 %", "+10 %"}}});
  page.facts({{"Version", "1 < 2"}, {"Command", "psqa report"}});
  page.details("options", "a = 1\nb = \"2\"\n");
  page.details("nothing", "");
  const std::string html = page.html();
  CHECK(html.starts_with("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\""));
  const pugi::xml_document document = parsed(html);
  const pugi::xml_node main = document.child("html").child("body").child("main");
  CHECK(main.child("h1").text().get() == std::string("A <page> & its title"));
  CHECK(main.child("h2").text().get() == std::string("Müller & Co"));
  CHECK(main.select_nodes("div/table/tbody/tr/th").size() == 1);
  CHECK(main.select_node("div/table/tbody/tr/th").node().text().get() == std::string("<b>"));
  CHECK(main.select_nodes("div[@class='row']/figure").size() == 2);
  const pugi::xml_node image = main.select_node("div[@class='row images']/figure/img").node();
  CHECK(image.attribute("src").value() == std::string("data:image/png;base64,AQIDBA=="));
  CHECK(image.attribute("alt").value() == std::string("plan \"7\""));
  const pugi::xml_node bar = main.select_node("div/figure/div[@class='bar']").node();
  CHECK(bar.child("span").text().get() == std::string("-10 %"));
  CHECK(bar.child("img").attribute("src").value() == std::string("data:image/png;base64,Ag=="));
  CHECK(main.select_nodes("dl/dt").size() == 2);
  CHECK(main.select_node("dl/dd").node().text().get() == std::string("1 < 2"));
  CHECK(html.find("position:sticky") != std::string::npos);
  CHECK(main.select_node("details/pre").node().text().get() == std::string("a = 1\nb = \"2\"\n"));
  // HTML takes <p/> for <p>, which would hold all that follows: only what is always empty, or is SVG, may end so.
  const std::set<std::string> may_end = {"meta", "img", "line", "path", "rect", "circle"};
  const std::regex self_closed("<(\\w+)[^<>]*/>");
  for (std::sregex_iterator at(html.begin(), html.end(), self_closed), end; at != end; ++at)
    CHECK(may_end.contains((*at)[1].str()));
  CHECK(html.find("<pre></pre>") != std::string::npos);
  CHECK(html.find("<td></td>") != std::string::npos);
}

TEST_CASE("the ends of base64 are filled", "[report][worked]") {
  const auto of = [](std::string_view text) {
    return report::base64(std::vector<std::uint8_t>(text.begin(), text.end()));
  };
  CHECK(of("") == "");  // RFC 4648, section 10
  CHECK(of("f") == "Zg==");
  CHECK(of("fo") == "Zm8=");
  CHECK(of("foo") == "Zm9v");
  CHECK(of("foobar") == "Zm9vYmFy");
}

TEST_CASE("numbers have the digits asked for, and NaN is a dash", "[report][worked]") {
  CHECK(report::number(3.14159) == "3.14");
  CHECK(report::number(1234567, 6) == "1.23457e+06");
  CHECK(report::fixed(2.5, 2) == "2.50");
  CHECK(report::number(kNan) == "–");
  CHECK(report::fixed(kNan, 1) == "–");
}
