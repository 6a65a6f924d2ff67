#include <equipoise/report/html.hpp>
#include <equipoise/report/map_picture.hpp>

#include <png.h>

#include <cmath>
#include <limits>
#include <set>

#include "support/catch.hpp"

namespace report = equipoise::report;
using equipoise::io::Rgb;

namespace {

report::MapFigure figure() {
  report::MapFigure f;
  f.title = "map <of> & marks";
  f.width = 3, f.height = 2, f.values = {0, 1, 2, 0, 1, std::numeric_limits<float>::quiet_NaN()};
  f.first_x = -10, f.first_y = 0, f.spacing_x = 10, f.spacing_y = 5;
  f.high = 2, f.unit = "gamma";
  f.colour = [](double v) { return std::isnan(v) ? Rgb{9, 9, 9} : Rgb{static_cast<std::uint8_t>(100 + 50 * v), 0, 0}; };
  f.marks = {{10, 0, "1"}};
  return f;
}

struct Picture {
  std::size_t width = 0, height = 0;
  std::vector<Rgb> pixels;
};

Picture decoded(const std::vector<std::uint8_t>& png) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  REQUIRE(png_image_begin_read_from_memory(&image, png.data(), png.size()) != 0);
  image.format = PNG_FORMAT_RGB;
  Picture p{image.width, image.height, std::vector<Rgb>(image.width * image.height)};
  REQUIRE(png_image_finish_read(&image, nullptr, p.pixels.data(), 0, nullptr) != 0);
  return p;
}

}  // namespace

TEST_CASE("a map's axes are in mm, its pixels are as wide as its points", "[report][worked]") {
  const report::MapFigure f = figure();
  CHECK(f.left() == -15);
  CHECK(f.wide() == 30);
  CHECK(f.bottom() == -2.5);
  CHECK(f.tall() == 10);
}

TEST_CASE("a map in a page has an image, numbered axes, a colour bar and its marks", "[report][behaviour]") {
  report::Page page("page");
  page.row(std::vector{figure()});
  page.signature({"Name", "Date & time"});
  page.list({"first <line>", "second"});
  pugi::xml_document document;
  REQUIRE(document.load_string(page.html().c_str()));
  const pugi::xml_node svg = document.select_node("//svg").node();
  CHECK(svg.select_nodes("image").size() == 2);
  CHECK(svg.select_nodes("circle").size() == 2);  // one ring of black on white
  CHECK(std::string(document.select_node("//figcaption").node().text().get()) == "map <of> & marks");
  std::set<std::string> texts;
  for (const pugi::xpath_node& t : svg.select_nodes("text")) texts.insert(t.node().text().get());
  for (const char* text : {"-10", "0", "10", "1.5", "2", "gamma", "x, mm", "y, mm", "1"}) CHECK(texts.count(text) == 1);
  CHECK(document.select_nodes("//div[@class='sign']/span").size() == 2);
  CHECK(document.select_nodes("//li").size() == 2);
}

TEST_CASE("a picture shows each point's colour at its place, +y at the top", "[report][behaviour]") {
  report::MapFigure f = figure();
  f.marks.clear();
  const Picture p = decoded(report::map_picture(f, {"a line"}));
  const report::PictureFrame frame(f, 2, 0);
  const auto at = [&](double x, double y) {
    const double px = static_cast<double>(frame.left) + (x - f.left()) / f.wide() * static_cast<double>(frame.wide),
                 py = static_cast<double>(frame.top + frame.tall) -
                      (y - f.bottom()) / f.tall() * static_cast<double>(frame.tall);
    return p.pixels[static_cast<std::size_t>(py) * p.width + static_cast<std::size_t>(px)];
  };
  CHECK(at(-10, 0) == Rgb{100, 0, 0});
  CHECK(at(0, 5) == Rgb{150, 0, 0});
  CHECK(at(10, 0) == Rgb{200, 0, 0});
  CHECK(at(10, 5) == Rgb{9, 9, 9});                   // NaN, in the upper row
  CHECK(std::abs(frame.wide - 3 * frame.tall) <= 2);  // each is a whole number of pixels
}

TEST_CASE("a picture is drawn for lines of points, for one value, and for texts of any encoding",
          "[report][behaviour]") {
  report::MapFigure f = figure();
  f.title = "\xce\xb3 \xff caf\xc3\xa9";
  f.width = 6, f.height = 1;
  CHECK(decoded(report::map_picture(f)).height > 200);
  f.width = 1, f.height = 6;
  CHECK(decoded(report::map_picture(f, {std::string(200, 'x')})).width > 2400);
}
